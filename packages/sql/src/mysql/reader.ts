/**
 * MySQL and MariaDB text to facts: the parser, and the analysis of every statement. Synchronous, and without state
 * except what is known of each catalog's views.
 */
import { hash } from 'node:crypto'
import { AnalysisTooComplex, resetBudget } from '../budget.ts'
import type { Analysis } from '../facts.ts'
import { faultOf } from '../fault.ts'
import type { ParsedStatement } from './ast.ts'
import type { MysqlContext } from './context.ts'
import { SqlError, type SqlErrorCode } from './errors.ts'
import { amongOthers, analyzeStatement } from './facts/analyze-statement.ts'
import { lex } from './lex/lexer.ts'
import type { Token } from './lex/token.ts'
import { parseTokens } from './parse.ts'
import { RelationColumnsReader } from './views.ts'
import { tokensWithoutLiterals } from './without-literals.ts'

type Unparsable = Extract<Analysis, { kind: 'unparsable' }>

export class MysqlReader {
  readonly #relations = new RelationColumnsReader()

  analyze(sql: string, context: MysqlContext): Analysis {
    resetBudget()
    let tokens: readonly Token[]
    let parsed: readonly ParsedStatement[]
    try {
      tokens = lex(sql, context.dialect)
      parsed = parseTokens(sql, tokens, context.dialect)
    } catch (error) {
      if (error instanceof SqlError) return rejected(sql, error)
      // A fault of ours: refused, and the next text is another.
      return internal('the statement could not be parsed', error)
    }
    try {
      const analyzer = { context, relations: this.#relations }
      return {
        kind: 'statements',
        statements: parsed.map(({ statement, parameters }) => {
          const facts = analyzeStatement(analyzer, statement, { text: sql, parameters })
          return parsed.length === 1 ? facts : amongOthers(facts)
        }),
        texts: parsed.map(({ text }) => text),
        fingerprint: identityOf(tokensWithoutLiterals(sql, tokens)),
      }
    } catch (error) {
      if (error instanceof AnalysisTooComplex) return refused('too-complex', error.message)
      return internal('the statement could not be analysed', error)
    }
  }
}

/** What the server answers: ER_PARSE_ERROR, or that it is too much. */
const SQLSTATES: Readonly<Record<SqlErrorCode, string>> = {
  syntax: '42000',
  unsupported: '42000',
  'too-large': '08S01',
  'too-complex': 'HY000',
  encoding: 'HY000',
}

function rejected(sql: string, { code, message, position }: SqlError): Unparsable {
  return {
    kind: 'unparsable',
    code: code === 'unsupported' ? 'syntax' : code,
    sqlstate: SQLSTATES[code],
    message,
    // Characters, not UTF-16 code units.
    position: position === null ? null : [...sql.slice(0, position)].length + 1,
    hint: null,
    detail: null,
  }
}

function internal(message: string, error: unknown): Unparsable {
  return { ...refused('internal', message), fault: faultOf(error) }
}

function refused(code: 'internal' | 'too-complex', message: string): Unparsable {
  return {
    kind: 'unparsable',
    code,
    sqlstate: 'HY000',
    message,
    position: null,
    hint: null,
    detail: null,
  }
}

/** 128 bits over a text without literals and comments: it tells nothing of them. */
function identityOf(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32)
}
