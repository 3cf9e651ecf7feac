/**
 * Text → facts → verdict, remembered.
 *
 * Two levels. First the exact bytes. Then the literal-normalised fingerprint, for texts whose facts no
 * literal influenced; policy conditions that read literals switch it off. Both belong to one context: the
 * principal's view (policy version, masks), the catalog version, and what names mean in the session.
 * Contexts are shared between sessions that are alike, so a pool of agents warms one cache.
 */
import {
  catalogClass,
  type Deny,
  decide,
  keptAsSent,
  type PrincipalView,
  type Rewriting,
  type Verdict,
  type WithheldColumn,
} from '@sallyport/policy'
import type {
  Analysis,
  Catalog,
  CatalogRelation,
  ColumnRef,
  Defined,
  Lineage,
  Sorting,
  StatementFacts,
} from '@sallyport/sql'
import { isUncertain, type LeftOut, leftOutOf, sourcesOf } from './left-out.ts'

/** Remembered decisions per context and level. */
const DECISIONS_MAX = 4096
/** Texts longer than this are decided every time: they hold bulk literals and rarely repeat (bytes). */
const REMEMBERED_TEXT_BYTES_MAX = 16 * 1024
const CONTEXTS_MAX = 256

/** How an engine's texts are read. `Names`: what its session knows of names and settings. */
export interface TextReader<Names> {
  /** For a text that the server reads by rules the reader cannot be set to. */
  readonly unreadable: Analysis
  analyze(text: string, catalog: Catalog | null, names: Names): Analysis
  /** The text with its literals replaced, equal for texts that differ in nothing else; null: unsure. */
  fingerprint(text: string, names: Names): string | null
  /** The text with these result columns not computed; null: that cannot be had. */
  withhold(text: string, columns: readonly WithheldColumn[], names: Names): string | null
  /** The text with rows of its statements sorted by these, too; null: as above. */
  sorted(text: string, sortings: readonly Sorting[], names: Names): string | null
  /** The SET without these settings; null, absent: as above. */
  without?(text: string, settings: readonly string[], names: Names): string | null
}

export interface Decided {
  readonly analysis: Analysis
  readonly verdict: Verdict
  /** Identity of the text but for its literals; undefined: it has none. */
  readonly fingerprint: string | undefined
  /** Relations as the audit record names them. */
  readonly relations: readonly {
    readonly access: 'read' | 'write' | 'define' | 'lock'
    readonly name: string
  }[]
  readonly effects: readonly string[]
  /** Base columns masked in some result, `schema.relation.column`. */
  readonly masks: readonly string[]
  /** What its record leaves out: it may be of a column that is masked for somebody. */
  readonly leftOut: LeftOut
  /** Its results may show a protected value to this principal: they are not recorded. */
  readonly reveals: boolean
  /** It puts protected values where policy does not protect them: what comes later may show them. */
  readonly carries: boolean
  /** It reads or writes a column that is masked for this principal. */
  readonly touchesMasked: boolean
  /** It changes stored values of such a column: how many it changed tells which were others. */
  readonly changesMasked: boolean
  /** It asks what the server noted of the statement before it. */
  readonly diagnostics: boolean
  /** It asks how many rows the statement before it changed. */
  readonly asksCount: boolean
  /** Views it reads and functions it calls under masks: what they are is asked again before it runs. */
  readonly views: readonly Defined[]
  /** Masks compiled for it, under keys of the engine's own. */
  readonly compiled: Map<string, unknown>
  /** What is sent in place of the text, which computes what nobody may see; null: the text as it came. */
  readonly sent: string | null
}

export class DecisionContext {
  readonly view: PrincipalView
  readonly catalog: Catalog | null
  readonly #exact = new Map<string, Decided>()
  readonly #normalised = new Map<string, Decided>()

  constructor(view: PrincipalView, catalog: Catalog | null) {
    this.view = view
    this.catalog = catalog
  }

  /** `bytes`: the text as latin1, one character per byte. */
  exact(bytes: string): Decided | undefined {
    return this.#exact.get(bytes)
  }

  decide<Names>(
    reader: TextReader<Names>,
    input: { bytes: string; text: string; names: Names; readable: boolean; now: number },
  ): { decided: Decided; from: 'fingerprint' | 'parse' } {
    const { view } = this
    const short = input.bytes.length <= REMEMBERED_TEXT_BYTES_MAX && !view.usesTime
    const fingerprint =
      short && input.readable && !view.usesLiterals
        ? reader.fingerprint(input.text, input.names)
        : null
    if (fingerprint !== null) {
      const known = this.#normalised.get(fingerprint)
      // Not remembered by its bytes too: texts with literals rarely come twice.
      if (known !== undefined) return { decided: known, from: 'fingerprint' }
    }
    const analysis = input.readable
      ? reader.analyze(input.text, this.catalog, input.names)
      : reader.unreadable
    const verdict = decide(view, analysis, { now: input.now })
    const [settled, sent] = rewritten(reader, input, verdict)
    const decided = summarise(asKept(view, analysis), settled, sent, this)
    if (short && rememberable(analysis)) {
      remember(this.#exact, input.bytes, decided)
      // Where its columns are hangs on the literals before them.
      if (fingerprint !== null && decided.sent === null && literalIndependent(analysis)) {
        remember(this.#normalised, fingerprint, decided)
      }
    }
    return { decided, from: 'parse' }
  }

  /** For a statement whose facts are known: one that SQL prepared or declared, or one decided before. */
  decideFacts(
    facts: readonly StatementFacts[],
    now: number,
    {
      fingerprint = '',
      earlier = null,
    }: { fingerprint?: string | undefined; earlier?: Decided | null } = {},
  ): Decided {
    const analysis: Analysis = { kind: 'statements', statements: facts, fingerprint }
    const verdict = decide(this.view, analysis, { now })
    const asked = rewritingOf(verdict)
    const then = rewritingOf(earlier?.verdict)
    const withheld = new Set(then.withheld?.map(({ at }) => at))
    // What was sent computes too much for what it is now, or comes in another order.
    const isLate =
      asked.withheld?.some(({ at }) => !withheld.has(at)) === true ||
      (asked.sortedBy !== undefined &&
        JSON.stringify(asked.sortedBy) !== JSON.stringify(then.sortedBy)) ||
      (asked.unset !== undefined && asked.unset.join() !== then.unset?.join())
    return summarise(analysis, isLate ? UNWITHHELD : verdict, earlier?.sent ?? null, this)
  }
}

/** With what the session keeps of it as it is sent, if it is allowed. */
const asKept = (view: PrincipalView, analysis: Analysis): Analysis =>
  analysis.kind === 'unparsable'
    ? analysis
    : { ...analysis, statements: analysis.statements.map((facts) => keptAsSent(view, facts)) }

const rewritingOf = (verdict: Verdict | undefined): Rewriting =>
  verdict === undefined || verdict.kind === 'deny' ? {} : verdict

/** The verdict, and the text that it is about. */
function rewritten<Names>(
  reader: TextReader<Names>,
  { text, names }: { readonly text: string; readonly names: Names },
  verdict: Verdict,
): [Verdict, string | null] {
  const { withheld, sortedBy, unset } = rewritingOf(verdict)
  let sent: string | null = null
  if (withheld !== undefined) {
    sent = reader.withhold(text, withheld, names)
    if (sent === null) return [UNWITHHELD, null]
  }
  if (sortedBy !== undefined) {
    sent = reader.sorted(sent ?? text, sortedBy, names)
    if (sent === null) return [UNSORTED, null]
  }
  if (unset !== undefined) {
    sent = reader.without?.(text, unset, names) ?? null
    if (sent === null) return [UNDIVIDED, null]
  }
  return [verdict, sent]
}

const UNWITHHELD: Deny = {
  kind: 'deny',
  rule: null,
  code: 'masked-predicate',
  sqlstate: '42501',
  message: 'a result column computes with masked columns in a way that could tell of their values',
  detail: 'it cannot be sent so that it is not computed',
  hint: 'Leave the column out, or select the masked columns themselves (they come masked).',
  reports: [],
}

const UNSORTED: Deny = {
  ...UNWITHHELD,
  message: 'rows told apart by a masked column come in an order that could tell of its values',
  detail: 'it cannot be sent so that they are sorted by its other result columns',
  hint: 'Group by columns that are not masked, for example by the key beside the masked column.',
}

const UNDIVIDED: Deny = {
  ...UNWITHHELD,
  code: 'masked-state',
  message: 'this statement sets what chooses how rows are found, and columns are masked for you',
  detail: 'it cannot be sent without that',
  hint: 'Leave the planner its own choice.',
}

export class DecisionContexts {
  readonly #contexts = new Map<string, DecisionContext>()

  /** `key`: everything but view and catalog that texts depend on. */
  of(view: PrincipalView, viewId: number, catalog: Catalog | null, key: string): DecisionContext {
    const id = `${viewId} ${catalog?.data.database ?? ''} ${catalog?.version ?? 0} ${key}`
    const known = this.#contexts.get(id)
    if (known !== undefined && known.catalog === catalog) return known
    const context = new DecisionContext(view, catalog)
    remember(this.#contexts, id, context, CONTEXTS_MAX)
    return context
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T, max = DECISIONS_MAX): void {
  if (map.size >= max) {
    // Oldest first: Map keeps insertion order, and what is still in use comes back at once.
    let spare = max >> 2
    for (const old of map.keys()) {
      if (spare-- <= 0) break
      map.delete(old)
    }
  }
  map.set(key, value)
}

/** Depends on names only this session has, which its key does not hold. */
export const SESSION_COMMANDS: ReadonlySet<string> = new Set([
  'execute',
  'fetch',
  'move',
  'close',
  'deallocate',
])

function rememberable(analysis: Analysis): boolean {
  if (analysis.kind === 'unparsable') return analysis.code === 'syntax'
  return analysis.statements.every(
    (statement) => !statement.commands.some((command) => SESSION_COMMANDS.has(command)),
  )
}

function literalIndependent(analysis: Analysis): boolean {
  return (
    analysis.kind === 'statements' &&
    analysis.statements.every((statement) => statement.literalIndependent)
  )
}

function summarise(
  analysis: Analysis,
  verdict: Verdict,
  sent: string | null,
  { view, catalog }: DecisionContext,
): Decided {
  const statements = analysis.kind === 'statements' ? analysis.statements : []
  const allows = view.masked && verdict.kind !== 'deny'
  return {
    analysis,
    verdict,
    fingerprint: (analysis.kind === 'statements' && analysis.fingerprint) || undefined,
    relations: relationsOf(statements),
    effects: analysis.kind === 'statements' ? effectsOf(statements) : ['unknown'],
    masks: allows ? masksOf(verdict) : [],
    leftOut: leftOutOf(analysis, view),
    reveals: view.protects && (analysis.kind === 'unparsable' || reveals(statements, view)),
    carries: view.protects && statements.some((one) => carries(one, view)),
    touchesMasked:
      view.masked && statements.some((one) => readsMasked(one, view) || writesMasked(one, view)),
    changesMasked:
      view.masked &&
      statements.some((one) => one.commands.includes('update') && writesMasked(one, view)),
    diagnostics: statements.some((one) => one.diagnostics === true),
    asksCount: statements.some((one) =>
      one.functions.some(({ schema, name }) => schema === null && name === 'row_count'),
    ),
    views: allows ? definedIn(statements, catalog) : [],
    compiled: new Map(),
    sent,
  }
}

/** Does it read a column that is masked for somebody and not for this principal, or what could hold its values? */
function reveals(statements: readonly StatementFacts[], view: PrincipalView): boolean {
  const isClear = (column: ColumnRef): boolean =>
    view.allMasksOn(column).length > 0 && view.maskFor(column) === null
  return statements.some(
    (statement) =>
      isUncertain(statement) ||
      statement.rows === 'diagnostics' ||
      statement.columns.some(isClear) ||
      statement.functions.some(({ purity }) => purity === 'opaque') ||
      statement.relations.some((relation) => catalogClass(relation) === 'data'),
  )
}

const readsMasked = ({ columns }: StatementFacts, view: PrincipalView): boolean =>
  columns.some((column) => view.maskFor(column) !== null)

const writesMasked = ({ constantWrites, flows }: StatementFacts, view: PrincipalView): boolean =>
  constantWrites.some(({ column }) => view.maskFor(column) !== null) ||
  flows.some(({ into }) => into.kind === 'column' && view.maskFor(into.column) !== null)

/** Does it take what is masked for somebody to a column, a variable or a setting that is not? */
function carries(statement: StatementFacts, view: PrincipalView): boolean {
  const isProtected = (column: ColumnRef): boolean => view.allMasksOn(column).length > 0
  const mayHold = (lineage: Lineage): boolean =>
    sourcesOf(lineage).some(isProtected) ||
    (lineage.kind === 'unknown' && reveals([statement], view))
  return statement.flows.some(
    ({ lineage, into }) =>
      mayHold(lineage) && !(into.kind === 'column' && isProtected(into.column)),
  )
}

/**
 * What somebody may redefine of what the statements read: views, functions whose bodies are among the facts, and tables
 * whose whole rows they take.
 */
function definedIn(
  statements: readonly StatementFacts[],
  catalog: Catalog | null,
): readonly Defined[] {
  const found = new Set<Defined>()
  for (const { functions } of statements) {
    for (const { name, known } of functions) {
      // With all of its name: another may be meant once one of them has gone.
      if (known === true) for (const entry of catalog?.functionsNamed(name) ?? []) found.add(entry)
    }
  }
  for (const { relations } of statements) {
    for (const use of relations) {
      const { schema, name, kind, access } = use
      if (schema === null || schema === 'pg_catalog' || schema === 'information_schema') continue
      if (use.unlessThere === true) found.add({ ...NOT_THERE, schema, name })
      if (kind !== 'view' && kind !== 'materialized-view') continue
      // What it was does not matter to who makes it anew, and who has made it holds a lock that keeps us from asking.
      if (access === 'define' || use.own === true) continue
      const relation = catalog?.relation(schema, name)
      if (relation !== undefined) found.add(relation)
    }
  }
  if (statements.some(({ wholeRows }) => wholeRows === true)) {
    for (const table of tablesIn(statements, catalog)) found.add(table)
  }
  return [...found]
}

/** What should not be there (isAbsent of the definition check). */
const NOT_THERE: Omit<CatalogRelation, 'schema' | 'name'> = {
  id: 0,
  kind: 'table',
  unlessThere: true,
  columns: [],
  parents: [],
  rules: false,
  triggers: false,
  rowSecurity: false,
}

function tablesIn(
  statements: readonly StatementFacts[],
  catalog: Catalog | null,
): readonly CatalogRelation[] {
  const tables = statements
    .flatMap(({ relations }) => relations)
    .filter(({ kind, schema }) => /table$/.test(kind) && schema !== 'pg_catalog')
  return tables.flatMap(({ schema, name }) => catalog?.relation(schema ?? '', name) ?? [])
}

function relationsOf(statements: readonly StatementFacts[]): Decided['relations'] {
  const seen = new Map<string, Decided['relations'][number]>()
  for (const statement of statements) {
    for (const { access, schema, name } of statement.relations) {
      const full = schema === null ? name : `${schema}.${name}`
      const key = `${access} ${full}`
      if (!seen.has(key)) seen.set(key, { access, name: full })
    }
  }
  return [...seen.values()]
}

function effectsOf(statements: readonly StatementFacts[]): readonly string[] {
  // Those of one statement are each there once.
  if (statements.length === 1) return statements[0]?.effects ?? []
  return [...new Set(statements.flatMap((statement) => statement.effects))]
}

function masksOf(verdict: Exclude<Verdict, { kind: 'deny' }>): readonly string[] {
  const names = new Set<string>()
  for (const result of verdict.results) {
    for (const mask of result?.columns ?? []) {
      if (mask === null) continue
      const { column } = mask
      names.add(
        column === null ? 'derived' : `${column.schema}.${column.relation}.${column.column}`,
      )
    }
  }
  return [...names]
}
