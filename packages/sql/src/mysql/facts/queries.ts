/** SELECT and statements that hold another: EXPLAIN, PREPARE, EXECUTE, SET STATEMENT. */
import { relationColumns } from '../../columns.ts'
import type { ColumnRef, ColumnUse, Effect, StatementFacts } from '../../facts.ts'
import { unknownOf } from '../../lineage/value.ts'
import type { Explain, Expression, PreparedText, Query, QueryBody } from '../ast.ts'
import { noteVariable } from '../lineage/expression.ts'
import { newScope } from '../lineage/scope.ts'
import { temporaryKey } from '../names.ts'
import type { Handler, Handlers, Run } from './run.ts'
import { outputsOf } from './run.ts'
import { noteSettings } from './settings.ts'

const query: Handler<'query'> = (run, node) => {
  const { draft } = run
  if (isPlain(node)) draft.sortable = node.body
  if (isWithholdable(node)) draft.withholding = node.body
  const result = run.walk.query(node, null)
  draft.command = 'select'
  draft.effect('read')
  draft.limit = constantLimit(node)
  draft.outputs = hasInto(node) ? null : outputsOf(run, result)
  draft.isWithholdable = draft.withholding !== null && draft.onlyReads()
  run.requireAllVisited()
}

/** A SELECT that neither locks nor stores rows. */
const isWithholdable = ({ body, locking, into, procedure }: Query): boolean =>
  body.kind === 'select' && locking.length === 0 && (body.into ?? into ?? procedure) === null

/** A SELECT that groups rows or leaves out equal ones, and neither adds rows for groups nor locks, numbers or stores them. */
function isPlain({ body, limit, locking, into, procedure }: Query): boolean {
  if (body.kind !== 'select' || locking.length > 0 || into !== null || procedure !== null)
    return false
  if (limit !== null && (limit.ties || limit.examined !== null)) return false
  const { distinct, groupBy, windows, qualify } = body
  return (
    (distinct || groupBy !== null) &&
    groupBy?.rollup !== true &&
    body.into === null &&
    windows.length === 0 &&
    qualify === null
  )
}

/** INTO stands at the end, or in the SELECT of the only or last branch. */
function hasInto({ into, body }: Query): boolean {
  return into !== null || bodyHasInto(body)
}

function bodyHasInto(body: QueryBody): boolean {
  switch (body.kind) {
    case 'select':
      return body.into !== null
    case 'query':
      return hasInto(body)
    case 'set-operation':
      return [body.first, ...body.rest.map((branch) => branch.body)].some(bodyHasInto)
    case 'table-values':
    case 'explicit-table':
      return false
  }
}

/** LIMIT as a number of rows, when it is an integer constant. */
function constantLimit({ limit }: Query): number | null {
  const count = limit?.count ?? null
  return count?.kind === 'literal' && count.type === 'integer' ? Number(count.value) : null
}

/**
 * EXPLAIN runs its statement only with ANALYZE. Its plan shows constants, estimates and statistics; planning
 * evaluates what it takes for constant, functions and subqueries, too.
 */
const explain: Handler<'explain'> = (run, node) => {
  const { draft } = run
  draft.command = node.analyze ? 'explain analyze' : 'explain'
  draft.effect('read')
  draft.literalIndependent = false
  if (node.connection !== null || node.statement === null) {
    // What another session runs right now.
    draft.relation({
      schema: 'information_schema',
      name: 'processlist',
      access: 'read',
      kind: 'table',
    })
    draft.outputs = 'unknown'
    return
  }
  const facts = run.nested(node.statement)
  draft.absorb(facts, { effects: node.analyze })
  if (!node.analyze) draft.effect(...facts.effects.filter((effect) => FROM_FUNCTIONS.has(effect)))
  const { columns } = draft
  const why = 'explain'
  if (node.into !== null) {
    noteVariable(run.walk, node.into, unknownOf(why))
    return
  }
  const lineage = {
    kind: facts.effects.includes('unknown') ? 'unknown' : 'derived',
    sources: columns,
    revealsNoValue: false,
    why: [why],
  } as const
  const estimates = { ...lineage, amounts: storedIn(run) }
  draft.outputs = planColumns(run, node).map((name) => ({
    name,
    lineage: PLAIN_OF_PLAN.has(name) || lineage.kind === 'unknown' ? lineage : estimates,
  }))
}

/** Columns of a plan without estimates; a plan in one text has costs in it. */
const PLAIN_OF_PLAN = new Set(
  'id select_type table partitions type possible_keys key key_len ref r_rows r_filtered Extra'.split(
    ' ',
  ),
)

/** All columns of the tables of the statement, also of those behind its views. */
function storedIn({ draft, context: { catalog, names } }: Run): readonly ColumnRef[] {
  if (catalog === null) return []
  return [...draft.relations].flatMap(({ schema, name, kind }) => {
    if (schema === null) return []
    if (kind === 'temporary')
      return (names.temporaries.get(temporaryKey(catalog, schema, name)) ?? []).map((column) => ({
        schema,
        relation: name,
        column,
      }))
    const relation = catalog.relation(schema, name)
    return relation === undefined ? [] : relationColumns(catalog, relation).refs
  })
}

const FROM_FUNCTIONS = new Set<Effect>(['procedural', 'unknown'])

const words = (text: string): readonly string[] => text.split(' ')

/** From here on EXPLAIN gives a tree where no format is asked for. */
const TREE_VERSION = 90_700

/** Columns of the plan; a server that gives others has them redacted under masks. */
function planColumns(run: Run, { analyze, options }: Explain): readonly string[] {
  const { flavour, version } = run.context.dialect
  const has = (option: RegExp) => options.some((one) => option.test(one))
  if (flavour === 'mysql') {
    const tree = has(/^(json|tree)$/) || (version >= TREE_VERSION && !has(/^traditional/))
    return analyze || tree
      ? ['EXPLAIN']
      : words(
          'id select_type table partitions type possible_keys key key_len ref rows filtered Extra',
        )
  }
  if (has(/^json$/)) return [analyze ? 'ANALYZE' : 'EXPLAIN']
  const partitions = has(/^partitions$/) ? ['partitions'] : []
  const plan = [
    ...words('id select_type table'),
    ...partitions,
    ...words('type possible_keys key key_len ref rows'),
  ]
  if (analyze) return [...plan, ...words('r_rows filtered r_filtered Extra')]
  return has(/^extended$/) ? [...plan, 'filtered', 'Extra'] : [...plan, 'Extra']
}

const DYNAMIC = 'text that is put together when it runs'

const prepare: Handler<'prepare'> = (run, { name, source }) => {
  const { draft } = run
  draft.command = 'prepare'
  draft.effect('session')
  draft.literalIndependent = false
  if (source.kind === 'dynamic-text') {
    draft.unknown(DYNAMIC)
    draft.state.push({ kind: 'deallocate', name: name.value.toLowerCase() })
    return
  }
  const facts = preparedFacts(run, source)
  draft.absorb({ ...facts, state: [], parameters: 0 }, { effects: true })
  draft.state.push({ kind: 'prepare', name: name.value.toLowerCase(), facts })
}

function preparedFacts(run: Run, { literal, statement, parameters }: PreparedText): StatementFacts {
  return { ...run.nested(statement, literal.value), parameters }
}

const execute: Handler<'execute'> = (run, { name, using }) => {
  const { draft } = run
  draft.command = 'execute'
  const facts = run.context.names.prepared(name.value.toLowerCase())
  if (facts === undefined) {
    draft.unknown('prepared statement not known')
    draft.outputs = 'unknown'
  } else runPrepared(run, facts, using)
}

/** Its parameters are given here; this statement has none of the prepared one's. */
function runPrepared(run: Run, facts: StatementFacts, using: readonly Expression[]): void {
  const { draft } = run
  const { parameters } = draft
  for (const value of using) run.walk.value(value, newScope(null))
  draft.absorb({ ...facts, uses: facts.uses.map(givenProbes) }, { effects: true })
  draft.outputs = facts.outputs
  draft.rows = facts.rows ?? null
  draft.parameters = parameters
}

/** What is compared with parameters is compared with one value for each, a variable's: text or a number. */
function givenProbes({ parameters, asText, ...use }: ColumnUse): ColumnUse {
  if (parameters === undefined) return use
  if (asText === true) return { column: use.column, context: 'predicate' }
  return { ...use, values: (use.values ?? 0) + parameters.length }
}

const executeImmediate: Handler<'execute-immediate'> = (run, { source, using }) => {
  const { draft } = run
  draft.command = 'execute immediate'
  draft.literalIndependent = false
  if (source.kind === 'prepared-text') return runPrepared(run, preparedFacts(run, source), using)
  draft.unknown(DYNAMIC)
  draft.outputs = 'unknown'
  draft.state.push({ kind: 'uncertain', why: DYNAMIC })
}

/** Settings that hold for one statement, which is read under them. */
const setForStatement: Handler<'set-for-statement'> = (run, node) => {
  const { draft } = run
  noteSettings(run, node.items, { local: true })
  const facts = run.nested(node.statement)
  const reads = node.items.some(
    ({ target }) =>
      target.kind === 'system-variable' && /^(sql_mode|character_set|collation)/i.test(target.name),
  )
  if (reads) draft.unknown('a statement under settings that change how it is read')
  draft.absorb(facts, { effects: true })
  draft.command = 'set statement'
  draft.outputs = facts.outputs
  draft.rows = facts.rows ?? null
  draft.limit = facts.limit
}

export const queryStatements: Handlers<
  'query' | 'explain' | 'prepare' | 'execute' | 'execute-immediate' | 'set-for-statement'
> = {
  query,
  explain,
  prepare,
  execute,
  'execute-immediate': executeImmediate,
  'set-for-statement': setForStatement,
}
