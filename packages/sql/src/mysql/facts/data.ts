/** INSERT, REPLACE, UPDATE, DELETE, LOAD DATA, CALL, DO and HANDLER. */
import { derive, unknownOf } from '../../lineage/value.ts'
import type { Handler as HandlerStatement, Query } from '../ast.ts'
import { deleteColumns, updateColumns } from '../lineage/change.ts'
import { storedItem } from '../lineage/from.ts'
import { insertColumns } from '../lineage/insert.ts'
import { noteLoad } from '../lineage/load.ts'
import { noteLimit } from '../lineage/query.ts'
import { columnsOf, newScope, openOf, scopeOf } from '../lineage/scope.ts'
import type { QueryResult } from '../lineage/walk.ts'
import { foldTable } from '../names.ts'
import type { Handler, Handlers, Run } from './run.ts'
import { noteFlow, outputsOf } from './run.ts'

const insert: Handler<'insert'> = (run, node) => {
  run.draft.command = node.verb
  finishWrite(run, node, insertColumns(run.walk, node))
}

const update: Handler<'update'> = (run, node) => {
  run.draft.command = 'update'
  finishWrite(run, node, updateColumns(run.walk, node))
}

const remove: Handler<'delete'> = (run, node) => {
  run.draft.command = 'delete'
  finishWrite(run, node, deleteColumns(run.walk, node))
}

function finishWrite(
  run: Run,
  { returning }: { readonly returning: readonly unknown[] | null },
  result: QueryResult,
): void {
  const { draft } = run
  draft.outputs = returning === null ? null : outputsOf(run, result)
  for (const use of draft.relations) if (use.access === 'read') draft.effect('read')
  run.requireAllVisited()
}

/** The file is the server's, or sent by the client. */
const load: Handler<'load'> = (run, node) => {
  const { draft } = run
  draft.command = node.format === 'xml' ? 'load xml' : 'load data'
  draft.effect('copy')
  if (node.local) {
    draft.localFile = node.file
    draft.literalIndependent = false
  } else draft.effect('admin')
  noteLoad(run.walk, node)
  run.requireAllVisited()
}

/** A procedure may do anything: end the transaction, define objects, give any number of results. */
const call: Handler<'call'> = (run, node) => {
  const { draft, walk } = run
  const name = node.routine.name.value.toLowerCase()
  const schema = node.routine.database?.value ?? run.context.names.database
  draft.command = 'call'
  draft.effect('procedural')
  draft.function({ schema, name, purity: 'opaque' })
  const value = derive(
    node.arguments.map((arg) => walk.value(arg, newScope(null))),
    { why: 'argument of a procedure' },
  )
  noteFlow(run, value, `procedure ${name}`)
  for (const arg of node.arguments) {
    // An OUT argument gets what the procedure puts there.
    if (arg.kind === 'user-variable') {
      noteFlow(run, unknownOf(`procedure ${name}`), `the user variable @${arg.name}`)
    }
  }
  draft.state.push({ kind: 'uncertain', why: 'CALL' }, { kind: 'catalog' })
  draft.outputs = 'unknown'
  run.requireAllVisited()
}

const evaluate: Handler<'do'> = (run, node) => {
  run.draft.command = 'do'
  run.draft.effect('read')
  const scope = newScope(null)
  for (const item of node.expressions) {
    run.walk.visited.add(item)
    if (item.expression.kind === 'wildcard') run.draft.unknown('DO of a wildcard')
    else run.walk.value(item.expression, scope)
  }
  run.requireAllVisited()
}

/** Rows of a table in the order of an index, without the clauses of a query. */
const handler: Handler<'handler'> = (run, node) => {
  const { draft } = run
  draft.command = `handler ${node.action}`
  const name = handlerName(run, node)
  switch (node.action) {
    case 'open': {
      draft.effect('session', 'read')
      const facts = run.nested(tableQuery(node))
      draft.absorb(facts, { effects: true })
      draft.state.push({ kind: 'declare-cursor', name, facts })
      return
    }
    case 'close':
      draft.effect('session')
      draft.state.push({ kind: 'close-cursor', name })
      return
    case 'read':
      draft.effect('read')
      readHandler(run, node, name)
  }
}

const handlerName = ({ context }: Run, { table, alias }: HandlerStatement) =>
  foldTable(context.catalog, (alias ?? table.name).value).toLowerCase()

/** `TABLE t`: what reading the handler gives. */
function tableQuery({ table, start, end }: HandlerStatement): Query {
  return {
    kind: 'query',
    start,
    end,
    with: null,
    body: { kind: 'explicit-table', start, end, table },
    orderBy: [],
    limit: null,
    locking: [],
    into: null,
    procedure: null,
  }
}

function readHandler(run: Run, node: HandlerStatement, name: string): void {
  const { draft, walk } = run
  const facts = run.context.names.handlers(name)
  const [only, ...others] = (facts?.relations ?? []).filter((use) => use.through === undefined)
  if (facts === undefined || only === undefined || others.length > 0) {
    draft.unknown('handler not known')
    draft.outputs = 'unknown'
    return
  }
  draft.absorb({ ...facts, state: [] }, { effects: false })
  draft.outputs = facts.outputs
  const named = node.table.name
  const table = {
    ...node.table,
    database: { ...named, value: only.schema ?? '' },
    name: { ...named, value: only.name },
  }
  const item = storedItem(walk, { table, name, access: 'read' })
  // The order of an index, and where in it a key is found, tell of its columns.
  if (node.index !== null) {
    const columns = columnsOf(item)?.map((column) => column.value)
    for (const value of columns ?? [openOf(item) ?? unknownOf('')]) draft.useAll(value, 'order')
  }
  const scope = scopeOf(item)
  for (const value of node.values) walk.value(value, newScope(null))
  if (node.where !== null) walk.predicate(node.where, scope)
  noteLimit(walk, node.limit, scope)
  run.requireAllVisited()
}

export const dataStatements: Handlers<
  'insert' | 'update' | 'delete' | 'load' | 'call' | 'do' | 'handler'
> = { insert, update, delete: remove, load, call, do: evaluate, handler }
