/**
 * PostgreSQL text to facts: guards, the parser, and the analysis of every statement. Synchronous, and
 * without state except the parser's instance and what is known of each catalog's views.
 */
import { hash } from 'node:crypto'
import type { RawStmt } from 'libpg-query'
import { AnalysisTooComplex, resetBudget } from '../budget.ts'
import type { Catalog } from '../catalog.ts'
import type { Analysis, Sorting, StatementFacts } from '../facts.ts'
import { faultOf } from '../fault.ts'
import type { AnalysisContext, SessionNames } from './context.ts'
import { copiedQuery } from './copied.ts'
import { asText, fingerprintPostgres } from './fingerprint.ts'
import { FunctionBodies } from './function-bodies.ts'
import { type Refusal, refusalFor } from './guards.ts'
import { NamesInText } from './names-in-text.ts'
import { Parser } from './parse.ts'
import { partsOf } from './parts.ts'
import { type PreviewWanted, previewText } from './preview.ts'
import { rejectionFor } from './rejections.ts'
import { catalogWith, NO_SCHEMA_CHANGES } from './schema-changes.ts'
import { sortedText } from './sorted.ts'
import { type Analyzer, analyzeStatement } from './statements/analyze-statement.ts'
import { RelationColumnsReader } from './views.ts'
import { type WithheldTarget, withhold } from './withhold.ts'
import { COMMENT, literalsAlike } from './without-literals.ts'

export class PostgresReader {
  readonly #parser: Parser
  readonly #relations: RelationColumnsReader
  readonly #bodies: FunctionBodies

  /** Of the text that was analyzed last. */
  #tree: { readonly sql: string; readonly original: readonly RawStmt[] } | null = null
  #last: { readonly sql: string; readonly key: string | null } | null = null

  constructor(parser: Parser) {
    this.#parser = parser
    this.#relations = new RelationColumnsReader(parser)
    this.#bodies = new FunctionBodies(parser)
  }

  static async create(): Promise<PostgresReader> {
    return new PostgresReader(await Parser.create())
  }

  /** Non-null while the parser is being re-created after a fault: wait for it before analyzing. */
  ready(): Promise<void> | null {
    return this.#parser.ready()
  }

  /** See fingerprintPostgres. A text that is to be analyzed is asked for before, too. */
  fingerprint(sql: string): string | null {
    if (this.#last?.sql !== sql) this.#last = { sql, key: fingerprintPostgres(sql) }
    return this.#last.key
  }

  /** Each statement of the text is read with the names as those before it leave them. */
  analyze(sql: string, { catalog, names }: AnalysisContext): Analysis {
    const refusal = refusalFor(sql)
    if (refusal !== null) return refused(refusal)
    resetBudget()
    const outcome = this.#parser.parse(sql)
    this.#tree = outcome.kind === 'tree' ? { sql, original: outcome.statements } : null
    switch (outcome.kind) {
      case 'broken':
        return internal('the statement could not be parsed', outcome.why)
      case 'rejected':
        return {
          kind: 'unparsable',
          code: 'syntax',
          message: outcome.message,
          position: outcome.position === 0 ? null : outcome.position,
          ...rejectionFor(outcome.message, outcome.raisedIn),
        }
      case 'tree': {
        const inText = new NamesInText(names)
        try {
          const statements = outcome.statements.map(({ stmt }): StatementFacts => {
            if (stmt === undefined) throw new Error('statement without tree')
            const facts = analyzeStatement(this.#analyzer(catalog, inText.now), stmt)
            inText.completed(facts)
            return facts
          })
          return {
            kind: 'statements',
            statements,
            fingerprint: identityOf(sql, this.fingerprint(sql)),
          }
        } catch (error) {
          if (error instanceof AnalysisTooComplex) {
            return refused({ code: 'too-complex', sqlstate: '54001', message: error.message })
          }
          // A fault of ours, or a tree too deep for the stack: refused, and the next text is another.
          return internal('the statement could not be analysed', faultOf(error))
        }
      }
    }
  }

  /**
   * The text with these result columns not computed (withhold.ts), if it is the one that was analyzed last; null: it
   * cannot be done with certainty.
   */
  withhold(sql: string, columns: readonly WithheldTarget[]): string | null {
    return this.#tree?.sql === sql ? withhold(this.#parser, this.#tree, columns) : null
  }

  /** The text so that rows of its statements are also sorted by these (sorted.ts); null: as above. */
  sorted(sql: string, sortings: readonly Sorting[]): string | null {
    return sortedText(this.#parser, sql, sortings)
  }

  /** The text so written that it also tells what it changed (preview.ts); null: it cannot be done with certainty. */
  preview(sql: string, wanted: PreviewWanted): string | null {
    return previewText(this.#parser, sql, wanted)
  }

  /** The query whose rows a COPY … TO sends (copied.ts); null: it is none, or that is not certain. */
  copied(sql: string): string | null {
    return copiedQuery(this.#parser, sql)
  }

  /** Its statements as texts of their own (parts.ts); null: that is not certain. */
  parts(sql: string): readonly string[] | null {
    return partsOf(this.#parser, sql)
  }

  #analyzer(catalog: Catalog | null, names: SessionNames): Analyzer {
    const changed =
      catalog === null ? null : catalogWith(catalog, names.schema ?? NO_SCHEMA_CHANGES)
    return {
      context: { catalog: changed, names },
      parser: this.#parser,
      relations: this.#relations,
      bodies: this.#bodies,
    }
  }
}

function internal(message: string, fault: string): Analysis {
  return { ...refused({ code: 'internal', sqlstate: 'XX000', message }), fault }
}

function refused(
  refusal: Refusal | { code: 'internal'; sqlstate: string; message: string },
): Extract<Analysis, { kind: 'unparsable' }> {
  return { kind: 'unparsable', ...refusal, position: null, hint: null, detail: null }
}

/**
 * 128 bits over the text without literals, comments and what space it was written with: it tells nothing of them. Texts of one
 * cache key have one identity.
 */
function identityOf(sql: string, key: string | null): string {
  const text = key === null ? sql : asText(key)
  const isPlain = key !== null && !text.includes('--') && !text.includes('/*')
  const plain = isPlain ? text : literalsAlike(text).replaceAll(COMMENT, ' ')
  return hash('sha256', plain.replace(SPACE, ' ').trim()).slice(0, 32)
}
const SPACE = /\s{2,}|[^\S ]/g
