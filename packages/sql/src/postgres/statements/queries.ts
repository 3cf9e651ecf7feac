/** SELECT, INSERT, UPDATE, DELETE, MERGE, and statements that hold one: EXPLAIN, PREPARE, cursors, CREATE ... AS. */
import type {
  CreateTableAsStmt,
  DeclareCursorStmt,
  ExecuteStmt,
  ExplainStmt,
  FetchStmt,
  IntoClause,
  Node,
  PrepareStmt,
  RangeVar,
  SelectStmt,
  ViewStmt,
} from 'libpg-query'
import type { CatalogColumn, MadeView } from '../../catalog.ts'
import type { FactsDraft } from '../../draft.ts'
import type {
  ColumnRef,
  ColumnUse,
  Effect,
  OutputColumn,
  StatementFacts,
  WithholdableColumn,
} from '../../facts.ts'
import {
  type Column,
  constantOf,
  lineageOf,
  unknownOf,
  type Value,
  valueFrom,
} from '../../lineage/value.ts'
import { OIDS } from '../lineage/mixed.ts'
import { constantLimit } from '../lineage/query.ts'
import { newScope } from '../lineage/scope.ts'
import type { QueryResult } from '../lineage/walk.ts'
import { as, literalText, stringOf, stringsOf, typeNameOf, unwrap } from '../tree.ts'
import { seenBehind } from '../views.ts'
import { creationSchema, isTemporary, noteCreated } from './created.ts'
import type { Handler, Run } from './run.ts'
import { tellingApart } from './telling-apart.ts'

const DML: Readonly<Record<string, string>> = {
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
}

/** Walks the query of this statement and notes its outputs, effects and nested commands. */
function walkQuery(run: Run, node: Node): QueryResult {
  const { draft } = run
  const [type, fields] = unwrap(node)
  const result = run.walk.statement(node, null)
  const own = DML[type]
  draft.command = own ?? 'select'
  for (const statement of run.survey.statements) {
    const command = DML[statement]
    if (command !== undefined) {
      draft.commands.push(command)
      draft.effect('write')
    }
  }
  if (own !== undefined) draft.effect('write')
  for (const use of draft.relations) if (use.access === 'read') draft.effect('read')
  if (type === 'SelectStmt') {
    draft.effect('read')
    draft.limit = constantLimit(fields as SelectStmt)
  }
  return result
}

function outputsOf(run: Run, result: QueryResult): readonly OutputColumn[] | 'unknown' {
  if (result.open !== null) {
    for (const why of result.open.why) run.draft.remark(why)
    return 'unknown'
  }
  // Without a catalog nothing is known of any column.
  const blind = run.context.catalog === null
  return result.columns.map(({ name, value }) => ({
    name,
    lineage: lineageOf(blind ? unknownOf('no catalog', [value]) : value),
  }))
}

export const selectStatement: Handler = (run, fields) => {
  const select = fields as SelectStmt
  const node: Node = { SelectStmt: select }
  run.draft.sortable = tellingApart(run.context, select)
  const result = walkQuery(run, node)
  const into = intoOf(select)
  if (into === undefined) {
    run.draft.outputs = outputsOf(run, result)
    run.draft.isWithholdable = run.draft.onlyReads()
    if (!run.draft.isWithholdable) run.draft.sortable = null
  } else {
    run.draft.command = 'select into'
    noteNewRelation(run, into, { result, command: 'create table as' })
  }
  run.requireAllVisited()
}

/** INTO stands in the leftmost branch of a set operation. */
function intoOf(select: SelectStmt): IntoClause | undefined {
  for (let at: SelectStmt | undefined = select; at !== undefined; at = at.larg) {
    if (at.intoClause !== undefined) return at.intoClause
  }
  return undefined
}

const dmlStatement =
  (type: string): Handler =>
  (run, fields) => {
    // `fields` are those of a node of this type.
    const result = walkQuery(run, { [type]: fields } as unknown as Node)
    const { returningClause } = fields as { returningClause?: unknown }
    run.draft.outputs = returningClause === undefined ? null : outputsOf(run, result)
    run.requireAllVisited()
  }

/** CREATE TABLE AS, SELECT INTO, CREATE VIEW: the query's columns flow into a new relation. */
function noteNewRelation(
  run: Run,
  into: IntoClause,
  {
    result,
    command,
    unlessThere,
  }: {
    readonly result: QueryResult
    readonly command: string
    readonly unlessThere?: boolean | undefined
  },
): void {
  const { draft } = run
  draft.effect('ddl', 'write')
  if (draft.command !== command) draft.commands.push(command)
  const names = stringsOf(into.colNames)
  const stored = command === 'create materialized view'
  noteCreated(run, into.rel ?? {}, {
    kind: stored ? 'materialized-view' : 'table',
    columns: result.open === null ? columnsOf(result.columns, names) : null,
    unlessThere: unlessThere === true,
    made: stored ? madeOf(run, result) : undefined,
    onCommit: into.onCommit,
  })
  // The catalog keeps what a materialized view was made of.
  if (command === 'create table as') noteFlows(run, into.rel ?? {}, { result, names })
}

/** Of a view with this result. Asked before it is noted: its own definition is not behind it. */
function madeOf({ draft, context }: Run, { columns }: QueryResult): MadeView {
  if (draft.spread) draft.wholeRows = true
  const behind = [...draft.relations].filter(({ access }) => access === 'read')
  return {
    lineages: columns.map(({ value }) => lineageOf(value)),
    behind,
    seen: seenBehind(context.catalog, behind),
    wholeRows: draft.wholeRows,
  }
}

const columnsOf = (columns: readonly Column[], names: readonly string[]): CatalogColumn[] =>
  columns.map(({ name, value }, index) => ({
    name: names[index] ?? name,
    number: index + 1,
    type: value.type ?? '',
    typeId: 0,
  }))

function noteFlows(
  run: Run,
  relation: RangeVar,
  { result, names }: { readonly result: QueryResult; readonly names: readonly string[] },
): void {
  const name = relation.relname ?? ''
  const schema = creationSchema(run, relation)
  const into = (column: string) => ({ kind: 'new-relation', schema, name, column }) as const
  const flow = (value: Value, column: string) => {
    if (value.kind === 'constant') return
    run.draft.flows.push({ lineage: lineageOf(value), into: into(column) })
  }
  result.columns.forEach((column, index) => {
    flow(column.value, names[index] ?? column.name)
  })
  if (result.open !== null) flow(result.open, '')
}

const createTableAs: Handler = (run, fields) => {
  const { query, into, objtype, if_not_exists } = fields as CreateTableAsStmt
  const command = objtype === 'OBJECT_MATVIEW' ? 'create materialized view' : 'create table as'
  run.draft.command = command
  run.draft.effect('ddl', 'write')
  if (query === undefined) return run.draft.unknown('CREATE TABLE AS without query')
  if (as(query, 'ExecuteStmt') !== undefined) {
    const facts = run.nested(query)
    run.draft.absorb(facts, { effects: true })
    noteCreated(run, into?.rel ?? {}, { kind: 'table', columns: null, onCommit: into?.onCommit })
    noteFlows(run, into?.rel ?? {}, { result: resultOf(facts), names: stringsOf(into?.colNames) })
    return
  }
  const result = walkQuery(run, query)
  run.draft.commands.unshift('select')
  run.draft.command = command
  noteNewRelation(run, into ?? {}, { result, command, unlessThere: if_not_exists })
  run.requireAllVisited()
}

/** What is known of a result by its facts alone: columns as unknown as their lineage says. */
function resultOf(facts: StatementFacts): QueryResult {
  if (facts.outputs === null) return { columns: [], open: null }
  const all = unknownOf('result of a prepared statement')
  if (facts.outputs === 'unknown') return { columns: [], open: { ...all, sources: facts.columns } }
  return {
    columns: facts.outputs.map((output) => ({
      name: output.name,
      value: valueFrom(output.lineage),
    })),
    open: null,
  }
}

const createView: Handler = (run, fields) => {
  const { view, aliases, query } = fields as ViewStmt
  run.draft.effect('ddl')
  if (query === undefined) return run.draft.unknown('CREATE VIEW without query')
  const result = walkQuery(run, query)
  run.draft.commands.unshift('select')
  run.draft.command = 'create view'
  const names = stringsOf(aliases)
  const name = createdAs(run, view ?? {})
  noteCreated(run, name, {
    kind: 'view',
    columns: result.open === null ? columnsOf(result.columns, names) : null,
    made: madeOf(run, result),
  })
  // Whoever reads it reads by its definition, unless the session's end takes that away.
  if (isTemporary(run, name)) noteFlows(run, name, { result, names })
  run.requireAllVisited()
}

/** A view over temporary relations is one, whatever the text says. */
function createdAs(run: Run, view: RangeVar): RangeVar {
  run.walk.visited.add(view)
  if (![...run.draft.relations].some(({ kind }) => kind === 'temporary')) return view
  // Where names are not certain, it may be the other.
  if (!isTemporary(run, view)) run.draft.state.push({ kind: 'catalog' })
  const { relname } = view
  return { ...(relname !== undefined && { relname }), relpersistence: 't' }
}

/** EXPLAIN runs its statement only with ANALYZE; its plan shows constants, estimates and statistics. */
const explain: Handler = (run, fields) => {
  const { query, options } = fields as ExplainStmt
  const { draft } = run
  draft.command = 'explain'
  draft.effect('read')
  if (query === undefined) return draft.unknown('EXPLAIN without statement')
  const runs = (options ?? []).some((node) => {
    const option = as(node, 'DefElem')
    // An argument may say false, but whether it does depends on a literal.
    if (option?.arg !== undefined) draft.literalIndependent = false
    return option?.defname === 'analyze' && !isFalse(option.arg)
  })
  const facts = run.nested(query)
  draft.inner = plannedColumns(run, query, facts)
  draft.isWithholdable = draft.inner !== null
  draft.absorb(facts, { effects: runs })
  if (!runs) draft.effect(...facts.effects.filter((effect) => FROM_FUNCTIONS.has(effect)))
  notePlan(draft, facts)
  draft.outputs = [
    {
      name: 'QUERY PLAN',
      lineage: {
        kind: facts.effects.includes('unknown') ? 'unknown' : 'derived',
        sources: draft.inner === null ? draft.columns : lookedAt(facts),
        revealsNoValue: false,
        why: ['explain'],
      },
    },
  ]
}

/**
 * The result columns of a query over tables alone, without groups or windows: where they are not computed, nothing of what they come
 * from has a part in the plan. Null: it is another statement.
 */
function plannedColumns(
  run: Run,
  query: Node,
  { outputs, withholdable, uses, relations }: StatementFacts,
): readonly WithholdableColumn[] | null {
  const { targetList = [], groupClause, distinctClause } = as(query, 'SelectStmt') ?? {}
  const among = run.survey.meaningfulTypes
  // What a window looks at stays in the plan, whatever becomes of its functions.
  const isFlat =
    among.filter((type) => type === 'SelectStmt').length === 1 && !among.includes('WindowDef')
  const overTables = relations.every(({ kind }) => kind === 'table')
  if (withholdable === undefined || !isFlat || !overTables || !Array.isArray(outputs)) return null
  if (groupClause !== undefined || distinctClause !== undefined) return null
  const found = (outputs as readonly OutputColumn[]).flatMap(({ name, lineage }, index) => {
    const at = as(targetList[index], 'ResTarget')?.location
    return at === undefined ? [] : { at, name, lineage }
  })
  // A `*` is many of them, and a column that must be computed stays in the plan.
  const computed = new Set(uses.flatMap(({ inColumns = [] }) => inColumns))
  const stays = [...computed].some((at) => !withholdable.some((one) => one.at === at))
  return found.length === outputs.length && targetList.length === found.length && !stays
    ? found
    : null
}

/** Columns that are used by more than result columns. */
const lookedAt = ({ uses }: StatementFacts): readonly ColumnRef[] =>
  uses.flatMap(({ column, inColumns }) => (inColumns === undefined ? column : []))

/**
 * A plan is made from the statistics of the columns that conditions and expressions look at, and how many lines
 * it has is seen even where their text is not. Columns that are only read and sent have no part in it but for how wide they are.
 */
function notePlan(draft: FactsDraft, facts: StatementFacts): void {
  const looked = new Set(
    draft.inner === null ? facts.uses.map((use) => use.column) : lookedAt(facts),
  )
  const results = Array.isArray(facts.outputs) ? facts.outputs : []
  for (const { lineage } of draft.inner === null ? [...results, ...facts.flows] : []) {
    if (lineage.kind === 'derived' || lineage.kind === 'unknown') {
      for (const source of lineage.sources) looked.add(source)
    }
  }
  for (const column of looked) draft.use(column, 'cardinality')
  for (const { at, lineage } of draft.inner ?? []) {
    draft.inColumn = at
    const sources =
      lineage.kind === 'direct' ? [lineage.source] : 'sources' in lineage ? lineage.sources : []
    for (const source of sources) draft.use(source, 'cardinality')
    draft.inColumn = null
  }
}

/** Planning evaluates stable functions, so what they may do counts without ANALYZE, too. */
const FROM_FUNCTIONS = new Set<Effect>(['procedural', 'unknown'])

function isFalse(node: Node | undefined): boolean {
  if (node === undefined) return false
  const text = as(node, 'String') === undefined ? literalText(node) : stringOf(node)
  const integer = as(node, 'Integer')
  if (integer !== undefined) return (integer.ival ?? 0) === 0
  return text !== null && /^(false|off|0)$/i.test(text)
}

const prepare: Handler = (run, fields) => {
  const { name, query, argtypes = [] } = fields as PrepareStmt
  run.draft.command = 'prepare'
  if (query === undefined) return run.draft.unknown('PREPARE without statement')
  const parameters = argtypes.map((node, at) => {
    const type = typeNameOf(as(node, 'TypeName'))
    return constantOf({ kind: 'parameter', index: at + 1 }, OIDS.has(type) ? type : null)
  })
  const facts = run.nested(query, parameters)
  run.draft.keeps(facts)
  run.draft.absorb({ ...facts, state: [] }, { effects: true })
  run.draft.effect('session')
  run.draft.state.push({ kind: 'prepare', name: name ?? '', facts })
}

const execute: Handler = (run, fields) => {
  const { name, params } = fields as ExecuteStmt
  const { draft } = run
  draft.command = 'execute'
  for (const param of params ?? []) run.walk.value(param, newScope(null))
  run.requireAllVisited()
  const facts = run.context.names.prepared(name ?? '')
  if (facts === undefined) {
    draft.unknown('prepared statement not known')
    draft.outputs = 'unknown'
    return
  }
  draft.absorb({ ...facts, uses: givenProbes(run, facts.uses, params ?? []) }, { effects: true })
  draft.outputs = facts.outputs
  draft.copy = facts.copy
  // Its parameters are given here; this statement has none of the prepared one's.
  draft.parameters = run.survey.parameters
  noteParameterWrites(run, facts, params ?? [])
}

/** What a prepared statement compares with its parameters is compared with what EXECUTE gives. */
function givenProbes(
  run: Run,
  uses: readonly ColumnUse[],
  params: readonly Node[],
): readonly ColumnUse[] {
  return uses.map((use) => {
    const { parameters, ...rest } = use
    if (parameters === undefined) return use
    const given = parameters.map((index) => params[index - 1])
    const outer = given.flatMap((param) => as(param, 'ParamRef')?.number ?? [])
    let values = (use.values ?? 0) - outer.length
    for (const param of given) {
      const text = literalText(as(param, 'TypeCast')?.arg ?? param)
      if (text?.startsWith('{')) run.draft.literalIndependent = false
      values += text?.startsWith('{') ? text.split(',').length : 1
    }
    return { ...rest, values, ...(outer.length > 0 && { parameters: outer }) }
  })
}

/** Constants given to EXECUTE are what the prepared statement writes. */
function noteParameterWrites(run: Run, facts: StatementFacts, params: readonly Node[]): void {
  for (const { column, value } of facts.constantWrites) {
    if (value.kind !== 'parameter') continue
    const param = params[value.index - 1]
    const text = literalText(as(param, 'TypeCast')?.arg ?? param)
    run.draft.literalIndependent = false
    if (text !== null) run.draft.constantWrites.push({ column, value: { kind: 'literal', text } })
  }
}

const declareCursor: Handler = (run, fields) => {
  const { portalname, query } = fields as DeclareCursorStmt
  run.draft.command = 'declare cursor'
  if (query === undefined) return run.draft.unknown('DECLARE without query')
  const facts = run.nested(query)
  run.draft.keeps(facts)
  run.draft.absorb(facts, { effects: true })
  run.draft.state.push({ kind: 'declare-cursor', name: portalname ?? '', facts })
}

const fetch: Handler = (run, fields) => {
  const { portalname, ismove } = fields as FetchStmt
  const { draft } = run
  draft.command = ismove === true ? 'move' : 'fetch'
  const facts = run.context.names.cursors(portalname ?? '')
  if (facts === undefined) {
    draft.unknown('cursor not known')
    draft.outputs = ismove === true ? null : 'unknown'
    return
  }
  // Its effects were DECLARE's; reading on is reading.
  draft.absorb({ ...facts, state: [] }, { effects: false })
  draft.effect('read')
  draft.outputs = ismove === true ? null : facts.outputs
}

export const queryStatements: Readonly<Record<string, Handler>> = {
  SelectStmt: selectStatement,
  InsertStmt: dmlStatement('InsertStmt'),
  UpdateStmt: dmlStatement('UpdateStmt'),
  DeleteStmt: dmlStatement('DeleteStmt'),
  MergeStmt: dmlStatement('MergeStmt'),
  CreateTableAsStmt: createTableAs,
  ViewStmt: createView,
  ExplainStmt: explain,
  PrepareStmt: prepare,
  ExecuteStmt: execute,
  DeclareCursorStmt: declareCursor,
  FetchStmt: fetch,
}
