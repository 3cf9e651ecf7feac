/**
 * CREATE, ALTER, DROP, RENAME, TRUNCATE. Each commits the transaction. Functions in a definition (defaults, checks,
 * generated columns, partitions) are listed; those that a definition evaluates over rows give it effects.
 */
import { type Column, directOf, lineageOf, unknownOf } from '../../lineage/value.ts'
import type { CreateTable, ObjectName, TableElement } from '../ast.ts'
import { columnsOf, leafOf, scopeOf } from '../lineage/scope.ts'
import { temporaryKey } from '../names.ts'
import { databaseOf, useRelation } from '../resolve.ts'
import { alterTable, renameTables } from './alter-table.ts'
import { noteBody } from './compound.ts'
import {
  begin,
  define,
  end,
  itemOf,
  noteAltered,
  noteChecked,
  noteCreated,
  noteFunctions,
  noteRowsOf,
  noteStored,
  noteStoredAll,
  referencesOf,
} from './defined.ts'
import type { Handler, Handlers, Run } from './run.ts'

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
    // Of what is not temporary the catalog tells, before it is used.
    if (node.temporary) noteComputed(run, node)
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
  if (node.temporary) noteComputed(run, node)
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

/** What is stored in some columns is taken to others by the table itself. */
function noteComputed(run: Run, { name, like, elements }: CreateTable): void {
  const schema = databaseOf(run.context, name) ?? ''
  const columns = elements.flatMap((element): Column[] => {
    if (element.kind !== 'column-definition') return []
    const { value: column } = element.name
    return [{ name: column, value: directOf({ schema, relation: name.name.value, column }, '') }]
  })
  noteGenerated(run, name, { elements, columns })
  if (like === null) return
  for (const { name: column, value } of itemOf(run, like).columns) {
    if (value.kind !== 'direct') noteStored(run, name, column, value)
  }
}

/** Columns computed from others, over what a query brings. */
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
  const item = leafOf(null, columns)
  for (const element of elements) {
    if (element.kind !== 'column-definition') continue
    for (const expression of [element.generated, element.default]) {
      if (expression === null) continue
      noteStored(run, name, element.name.value, run.walk.value(expression, scopeOf(item)))
    }
  }
}

/** No flow: what a view shows is known by its definition, whoever reads it. */
const createView: Handler<'create-view'> = (run, node) => {
  const { draft } = run
  begin(run, `${node.verb} view`)
  run.walk.query(node.query, null)
  draft.commands.push('select')
  draft.effect('read')
  noteCreated(run, node.name, { kind: 'view', columns: null, temporary: false })
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
