/**
 * CREATE, ALTER, DROP, RENAME, TRUNCATE. Each commits the transaction. Functions in a definition (defaults, checks,
 * generated columns, partitions) are listed; those that a definition evaluates over rows give it effects.
 */
import type { RelationUse } from '../../facts.ts'
import { type Column, lineageOf, unknownOf, type Value } from '../../lineage/value.ts'
import type {
  AlterAction,
  AlterTable,
  Expression,
  Identifier,
  ObjectName,
  TableElement,
} from '../ast.ts'
import { functionFacts } from '../functions.ts'
import { storedItem } from '../lineage/from.ts'
import { columnsOf, type LeafItem, lookupIn, openOf, scopeOf } from '../lineage/scope.ts'
import type { QueryResult } from '../lineage/walk.ts'
import { foldTable, temporaryKey } from '../names.ts'
import { databaseOf, resolveRelation, useRelation } from '../resolve.ts'
import { noteBody } from './compound.ts'
import type { Handler, Handlers, Run } from './run.ts'

function begin(run: Run, command: string): void {
  run.draft.command = command
  run.draft.effect('ddl')
  run.draft.literalIndependent = false
}

/** Definitions end the transaction, and the schema is another. */
function end(run: Run): void {
  run.draft.state.push({ kind: 'commit' }, { kind: 'catalog' })
}

function noteFunctions(run: Run): void {
  for (const call of run.survey.calls) {
    const facts = functionFacts(run.context, call)
    run.draft.function(facts.use)
    run.draft.effect(...facts.effects)
  }
}

const define = (run: Run, name: ObjectName) =>
  useRelation(run.context, run.draft, { name, access: 'define' })

/** A name that is not taken yet. */
function defineNew(run: Run, name: ObjectName): void {
  const schema = databaseOf(run.context, name)
  run.draft.relation({ schema, name: name.name.value, access: 'define', kind: 'table' })
}

/** A relation that the statement makes: it is not in the catalog, or no longer as it is there. */
function noteCreated(
  run: Run,
  name: ObjectName,
  {
    kind,
    columns,
    temporary,
  }: {
    readonly kind: RelationUse['kind']
    readonly columns: readonly string[] | null
    readonly temporary: boolean
  },
): void {
  const schema = databaseOf(run.context, name)
  const relation = name.name.value
  const use = { schema, name: relation, access: 'define' } as const
  run.draft.relation({ ...use, kind: temporary ? 'temporary' : kind })
  if (!temporary) return end(run)
  const key = temporaryKey(run.context.catalog, schema ?? '', relation)
  if (schema === null) run.draft.state.push({ kind: 'uncertain', why: 'no current database' })
  else run.draft.state.push({ kind: 'create-temporary', relation: key, columns })
}

function noteStored(run: Run, name: ObjectName, column: string, value: Value): void {
  if (value.kind === 'constant') return
  const schema = databaseOf(run.context, name)
  run.draft.flows.push({
    lineage: lineageOf(value),
    into: { kind: 'new-relation', schema, name: name.name.value, column },
  })
}

function noteStoredAll(run: Run, name: ObjectName, { columns, open }: QueryResult): void {
  for (const column of columns) noteStored(run, name, column.name, column.value)
  if (open !== null) noteStored(run, name, '', open)
}

/** The rows of `from` are, or become, rows of `name`. */
function noteRowsOf(run: Run, name: ObjectName, from: ObjectName): void {
  const item = itemOf(run, from)
  noteStoredAll(run, name, { columns: columnsOf(item) ?? [], open: openOf(item) })
}

function itemOf(run: Run, name: ObjectName): LeafItem {
  const folded = foldTable(run.context.catalog, name.name.value)
  return storedItem(run.walk, { table: name, name: folded, access: null })
}

const createTable: Handler<'create-table'> = (run, node) => {
  const { draft } = run
  begin(run, node.temporary ? 'create temporary table' : 'create table')
  if (node.orReplace) noteDropped(run, node.name)
  for (const name of [node.like, ...node.union, ...referencesOf(node.elements)]) {
    if (name !== null) define(run, name)
  }
  // A MERGE table shows the rows of others.
  for (const name of node.union) noteRowsOf(run, node.name, name)
  noteFunctions(run)
  const written = node.elements.flatMap((element) =>
    element.kind === 'column-definition' ? [element.name.value] : [],
  )
  if (node.query === null) {
    const columns = node.like === null ? written : likeColumns(run, node.like)
    noteCreated(run, node.name, { kind: 'table', columns, temporary: node.temporary })
    return
  }
  draft.command = `${draft.command} as`
  const result = run.walk.query(node.query, null)
  draft.commands.push('select')
  draft.effect('read', 'write')
  const columns = result.open === null ? [...written, ...namesOf(result.columns, written)] : null
  noteCreated(run, node.name, { kind: 'table', columns, temporary: node.temporary })
  noteStoredAll(run, node.name, result)
  noteGenerated(run, node.name, { elements: node.elements, columns: result.columns })
}

/** Columns of the query that are not those written already. */
function namesOf(columns: readonly Column[], written: readonly string[]): readonly string[] {
  const known = new Set(written.map((name) => name.toLowerCase()))
  return columns.map((column) => column.name).filter((name) => !known.has(name.toLowerCase()))
}

function likeColumns(run: Run, name: ObjectName): readonly string[] | null {
  const item = itemOf(run, name)
  return item.open === null ? item.columns.map((column) => column.name) : null
}

/** Generated columns over what a query brings. */
function noteGenerated(
  run: Run,
  name: ObjectName,
  {
    elements,
    columns,
  }: {
    readonly elements: readonly TableElement[]
    readonly columns: readonly Column[]
  },
): void {
  const item: LeafItem = {
    kind: 'leaf',
    name: null,
    database: null,
    columns,
    invisible: new Set(),
    open: null,
    stored: false,
    table: false,
  }
  for (const element of elements) {
    if (element.kind !== 'column-definition' || element.generated === null) continue
    const value = run.walk.value(element.generated, scopeOf(item))
    noteStored(run, name, element.name.value, value)
  }
}

function referencesOf(elements: readonly TableElement[]): readonly ObjectName[] {
  return elements.flatMap((element) => {
    if (element.kind === 'foreign-key') return element.references.table
    return element.kind === 'column-definition' && element.references !== null
      ? element.references.table
      : []
  })
}

const alterTable: Handler<'alter-table'> = (run, node) => {
  begin(run, 'alter table')
  define(run, node.name)
  noteFunctions(run)
  noteAltered(run, node.name)
  const item = itemOf(run, node.name)
  for (const action of node.actions) noteAction(run, node, { action, item })
}

/** What the name stood for is no longer known. */
function noteAltered(run: Run, name: ObjectName): void {
  for (const candidate of resolveRelation(run.context, name)) {
    if (candidate.kind === 'temporary') {
      const relation = temporaryKey(run.context.catalog, candidate.database, candidate.name)
      run.draft.state.push({ kind: 'create-temporary', relation, columns: null })
    }
  }
  end(run)
}

function noteAction(
  run: Run,
  { name }: AlterTable,
  { action, item }: { readonly action: AlterAction; readonly item: LeafItem },
): void {
  const elements = action.elements
  for (const other of [...action.union, ...referencesOf(elements)]) define(run, other)
  for (const other of action.union) noteRowsOf(run, name, other)
  for (const element of elements) {
    if (element.kind === 'column-definition') {
      for (const stored of storedExpressions(element.generated, element.default)) {
        noteStored(run, name, element.name.value, run.walk.value(stored, scopeOf(item)))
      }
    } else noteChecked(run, element, item)
  }
  const [first, second] = action.names
  switch (action.action) {
    case 'change column':
      noteRenamed(run, name, {
        item,
        from: first,
        to: elements[0]?.kind === 'column-definition' ? elements[0].name : undefined,
      })
      return
    case 'rename column':
      noteRenamed(run, name, { item, from: first, to: second })
      return
    case 'rename table':
    case 'exchange partition':
    case 'convert partition':
      if (action.table === null) return
      if (action.action === 'rename table') defineNew(run, action.table)
      else define(run, action.table)
      // Rows of one become rows of the other.
      noteRowsOf(run, action.table, name)
      if (action.action === 'rename table') noteTemporaryRenamed(run, name, action.table)
      if (action.action !== 'rename table') noteRowsOf(run, name, action.table)
      noteAltered(run, action.table)
      return
    case 'drop partition':
    case 'truncate partition':
      run.draft.effect('write')
      useRelation(run.context, run.draft, { name, access: 'write' })
      return
    case 'order by':
      for (const expression of action.expressions) {
        run.draft.useAll(run.walk.value(expression, scopeOf(item)), 'order')
      }
      return
    case 'modify column':
      // A type that some values do not fit into is refused.
      for (const column of elements) {
        if (column.kind !== 'column-definition') continue
        const value = lookupIn(item, column.name.value)
        if (value !== undefined) run.draft.useAll(value, 'failure')
      }
  }
}

const storedExpressions = (...expressions: readonly (Expression | null)[]): readonly Expression[] =>
  expressions.filter((expression) => expression !== null)

/** Whether a new key or check can be made tells of the rows there are. */
function noteChecked(
  run: Run,
  element: Exclude<TableElement, { kind: 'column-definition' }>,
  item: LeafItem,
): void {
  const scope = scopeOf(item)
  const failing = (expression: Expression) =>
    run.draft.useAll(run.walk.value(expression, scope), 'failure')
  switch (element.kind) {
    case 'check':
      failing(element.condition)
      return
    case 'key-definition':
      if (element.type !== 'unique' && element.type !== 'primary') return
      for (const part of element.parts) failing(part.expression)
      return
    case 'foreign-key':
      for (const part of element.columns) failing(part.expression)
      return
    case 'period':
      return
  }
}

/** A new name takes a column away from the rules that name it: data flows there. */
function noteRenamed(
  run: Run,
  name: ObjectName,
  {
    item,
    from,
    to,
  }: {
    readonly item: LeafItem
    readonly from: Identifier | undefined
    readonly to: Identifier | undefined
  },
): void {
  if (from === undefined || to === undefined) {
    run.draft.unknown('renamed column not known')
    return
  }
  const value = lookupIn(item, from.value)
  if (value === undefined || from.value.toLowerCase() === to.value.toLowerCase()) return
  noteStored(run, name, to.value, value)
}

/** A temporary table keeps being one under its new name. */
function noteTemporaryRenamed(run: Run, from: ObjectName, to: ObjectName): void {
  if (resolveRelation(run.context, from).every(({ kind }) => kind !== 'temporary')) return
  const schema = databaseOf(run.context, to)
  if (schema === null) return
  const relation = temporaryKey(run.context.catalog, schema, to.name.value)
  run.draft.state.push({ kind: 'create-temporary', relation, columns: null })
}

const renameTables: Handler<'rename-tables'> = (run, { renames }) => {
  begin(run, 'rename table')
  for (const { from, to } of renames) {
    define(run, from)
    defineNew(run, to)
    noteRowsOf(run, to, from)
    noteTemporaryRenamed(run, from, to)
    noteAltered(run, from)
  }
}

const createView: Handler<'create-view'> = (run, node) => {
  const { draft } = run
  begin(run, `${node.verb} view`)
  const result = run.walk.query(node.query, null)
  draft.commands.push('select')
  draft.effect('read')
  const names = node.columns ?? []
  const columns = result.columns.map((column, index) => ({
    name: names[index]?.value ?? column.name,
    value: column.value,
  }))
  noteCreated(run, node.name, { kind: 'view', columns: null, temporary: false })
  noteStoredAll(run, node.name, { columns, open: result.open })
  run.requireAllVisited()
}

const createIndex: Handler<'create-index'> = (run, { table, key }) => {
  begin(run, 'create index')
  define(run, table)
  noteFunctions(run)
  noteChecked(run, key, itemOf(run, table))
  noteAltered(run, table)
}

const createRoutine: Handler<'create-routine'> = (run, node) => {
  begin(run, `create ${node.routine}`)
  // Code that is not SQL, or of a loadable library.
  if (node.body === null) run.draft.effect('procedural')
  else noteBody(run, node.body)
  end(run)
}

const createTrigger: Handler<'create-trigger'> = (run, node) => {
  begin(run, 'create trigger')
  define(run, node.table)
  noteBody(run, node.body)
  // Values of the rows that the trigger sees may go anywhere its body puts them.
  const item = itemOf(run, node.table)
  const values = (columnsOf(item) ?? []).map((column) => column.value)
  const rows = unknownOf('rows of a trigger', values)
  run.draft.flows.push({ lineage: lineageOf(rows), into: { kind: 'other', what: 'a trigger' } })
  end(run)
}

const createEvent: Handler<'create-event'> = (run, node) => {
  begin(run, `${node.verb} event`)
  run.draft.effect('procedural')
  if (node.body !== null) noteBody(run, node.body)
  end(run)
}

const defineDatabase: Handler<'define-database'> = (run, { verb }) => {
  begin(run, `${verb} database`)
  run.draft.effect('admin')
  end(run)
}

const defineSequence: Handler<'define-sequence'> = (run, node) => {
  begin(run, `${node.verb} sequence`)
  if (node.verb === 'create') {
    noteCreated(run, node.name, { kind: 'sequence', columns: null, temporary: node.temporary })
    return
  }
  define(run, node.name)
  noteAltered(run, node.name)
}

const alterRoutine: Handler<'alter-routine'> = (run, { routine }) => {
  begin(run, `alter ${routine}`)
  end(run)
}

const defineObject: Handler<'define-object'> = (run, { verb, object }) => {
  begin(run, `${verb} ${object === 'loadable function' ? 'function' : object}`)
  run.draft.effect('admin')
  end(run)
}

/** Objects that belong to the server. */
const SERVER_OBJECTS = /^(database|server|tablespace|undo|logfile|resource|spatial)/
const RELATIONS = new Set(['table', 'view', 'sequence'])

const drop: Handler<'drop'> = (run, node) => {
  begin(run, `drop ${node.object}`)
  if (SERVER_OBJECTS.test(node.object)) run.draft.effect('admin')
  if (RELATIONS.has(node.object)) for (const name of node.names) noteDropped(run, name)
  if (node.table !== null) {
    define(run, node.table)
    noteAltered(run, node.table)
  } else if (!node.temporary) end(run)
}

function noteDropped(run: Run, name: ObjectName): void {
  for (const candidate of define(run, name)) {
    if (candidate.kind !== 'temporary') continue
    const relation = temporaryKey(run.context.catalog, candidate.database, candidate.name)
    run.draft.state.push({ kind: 'drop-temporary', relation })
  }
}

const truncate: Handler<'truncate'> = (run, { table }) => {
  run.draft.command = 'truncate'
  run.draft.effect('write')
  useRelation(run.context, run.draft, { name: table, access: 'write' })
  run.draft.state.push({ kind: 'commit' })
}

export const definitionStatements: Handlers<
  | 'create-table'
  | 'alter-table'
  | 'create-view'
  | 'create-index'
  | 'create-routine'
  | 'create-trigger'
  | 'create-event'
  | 'define-database'
  | 'define-sequence'
  | 'alter-routine'
  | 'define-object'
  | 'drop'
  | 'rename-tables'
  | 'truncate'
> = {
  'create-table': createTable,
  'alter-table': alterTable,
  'create-view': createView,
  'create-index': createIndex,
  'create-routine': createRoutine,
  'create-trigger': createTrigger,
  'create-event': createEvent,
  'define-database': defineDatabase,
  'define-sequence': defineSequence,
  'alter-routine': alterRoutine,
  'define-object': defineObject,
  drop,
  'rename-tables': renameTables,
  truncate,
}
