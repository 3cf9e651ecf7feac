/** SELECT, VALUES, TABLE and set operations: output columns with their lineage, and what the clauses use. */
import { spend } from '../../budget.ts'
import {
  CONSTANT,
  type Column,
  either,
  lineageOf,
  through,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type {
  Expression,
  Into,
  Limit,
  OrderItem,
  Query,
  QueryBody,
  Select,
  SelectItem,
  SetBranch,
  SetOperation,
  TableReference,
  TableValues,
  Wildcard,
} from '../ast.ts'
import { foldDatabase, foldTable } from '../names.ts'
import { useRelation } from '../resolve.ts'
import { windowValues } from './call.ts'
import { addCtes } from './cte.ts'
import { noteVariable } from './expression.ts'
import { addFrom, resultItem, storedItem } from './from.ts'
import { idle, listed } from './group-keys.ts'
import { groupSize } from './groups.ts'
import { noteHints } from './hints.ts'
import { RESULT_COLUMNS_MAX } from './limits.ts'
import { columnByText, outputColumn } from './output-name.ts'
import { compare } from './predicate.ts'
import {
  anyOf,
  columnsOf,
  findCte,
  itemsNamed,
  lookupOwn,
  newScope,
  openOf,
  outputNamed,
  type Scope,
  scopeOf,
} from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

interface Output {
  readonly result: QueryResult
  /** What expressions of ORDER BY may name beside the outputs. */
  readonly scope: Scope
}

/** A query in a scope of its own inside `parent`. */
export function queryColumns(walk: Walk, query: Query, parent: Scope | null): QueryResult {
  return queryOutput(walk, query, newScope(parent)).result
}

function queryOutput(walk: Walk, query: Query, scope: Scope): Output {
  walk.visited.add(query)
  addCtes(walk, query.with, scope)
  const output = bodyOutput(walk, query.body, scope)
  noteOrder(walk, query.orderBy, output)
  noteLimit(walk, query.limit, scope)
  for (const clause of query.locking) {
    walk.visited.add(clause)
    noteLocking(walk, query.body, { of: clause.of.map((name) => name.name.value), scope })
  }
  if (query.into !== null) noteInto(walk, query.into, output.result)
  if (query.procedure === null) return output
  // PROCEDURE ANALYSE() gives the least and greatest value of every column.
  walk.visited.add(query.procedure)
  const values = output.result.columns.map((column) => column.value)
  return { ...output, result: { columns: [], open: unknownOf('PROCEDURE', values) } }
}

function bodyOutput(walk: Walk, body: QueryBody, scope: Scope): Output {
  switch (body.kind) {
    case 'select':
      return selectOutput(walk, body, scope)
    case 'table-values':
      return outputOnly(scope, valuesColumns(walk, body, scope))
    case 'explicit-table':
      walk.visited.add(body)
      return outputOnly(scope, explicitColumns(walk, body.table, scope))
    case 'set-operation':
      return outputOnly(scope, setOperation(walk, body, scope))
    case 'query':
      return queryOutput(walk, body, newScope(scope))
    default: {
      const { kind } = body satisfies never as { kind: string }
      walk.draft.unknown(`query of kind ${kind}`)
      return outputOnly(scope, { columns: [], open: unknownOf(`query of kind ${kind}`) })
    }
  }
}

/** Its ORDER BY sees nothing but the outputs. */
function outputOnly(scope: Scope, result: QueryResult): Output {
  return { result, scope: scopeOf(resultItem(null, result, null), scope) }
}

function selectOutput(walk: Walk, select: Select, scope: Scope): Output {
  walk.visited.add(select)
  addFrom(walk, select.from, scope)
  noteHints(walk, select.hints, scope)
  if (select.where !== null) walk.predicate(select.where, scope)
  for (const { name, window } of select.windows) scope.windows.set(name.value.toLowerCase(), window)
  scope.groupSize = groupSize(walk, select, scope)
  const result = listColumns(walk, select.items, scope, {
    withholds: walk.draft.withholding === select,
  })
  // Clauses after the list may name its outputs, in subqueries, too.
  const after: Scope = { ...scope, outputs: result.columns, seesOutputs: true }
  noteGroups(walk, select, { result, scope: after })
  if (select.having !== null) walk.predicate(select.having, after)
  if (select.qualify !== null) walk.predicate(select.qualify, after)
  for (const named of select.windows) {
    walk.visited.add(named)
    windowValues(walk, named.window, scope)
  }
  if (select.distinct) {
    const list = listOf(walk, select, scope)
    const none = idle(list ?? [])
    result.columns.forEach(({ value }, index) => {
      if (list?.length !== result.columns.length || none[index] !== true)
        walk.draft.useAll(value, 'distinct', { apart: tellsApart(walk, select, value) })
    })
    if (result.open !== null) walk.draft.useAll(result.open, 'distinct')
  }
  if (select.into !== null) noteInto(walk, select.into, result)
  return { result, scope: after }
}

/** Output columns of a select list, with `*` spread out; also of RETURNING. */
export function listColumns(
  walk: Walk,
  items: readonly SelectItem[],
  scope: Scope,
  { withholds = false } = {},
): QueryResult {
  const columns: Column[] = []
  const opens: Value[] = []
  scope.outputs = columns
  for (const item of items) {
    walk.visited.add(item)
    const { expression } = item
    if (expression.kind !== 'wildcard') {
      const at = withholds && expression.kind !== 'column' ? expression.start : null
      walk.draft.inColumn = at ?? walk.draft.inColumn
      const value = walk.value(expression, scope)
      if (at !== null) walk.draft.inColumn = null
      const column = outputColumn(walk, { expression, alias: item.alias }, { value, scope })
      if (at !== null) walk.draft.computed({ at, name: column.name, value: column.value })
      columns.push(column)
      continue
    }
    const spread = wildcardColumns(walk, expression, scope)
    spend(spread.columns.length)
    columns.push(...spread.columns)
    if (spread.open !== null) opens.push(spread.open)
    if (columns.length > RESULT_COLUMNS_MAX) {
      opens.push(...columns.splice(0).map((column) => column.value))
    }
  }
  scope.outputs = null
  const open = opens.length === 0 ? null : unknownOf('the width of * is not known', opens)
  return { columns, open }
}

function wildcardColumns(walk: Walk, node: Wildcard, scope: Scope): QueryResult {
  walk.visited.add(node)
  walk.draft.spread = true
  const { catalog } = walk.context
  const items =
    node.table === null
      ? scope.entries.flatMap(({ item, bare }) => (bare ? [item] : []))
      : itemsNamed(
          scope,
          foldTable(catalog, node.table.value),
          node.database === null ? null : foldDatabase(catalog, node.database.value),
        )
  if (items.length === 0) return { columns: [], open: unknownOf('table not found') }
  const columns: Column[] = []
  const opens: Value[] = []
  for (const item of items) {
    const own = columnsOf(item)
    if (own !== null && columns.length <= RESULT_COLUMNS_MAX) columns.push(...own)
    else opens.push(openOf(item) ?? anyOf(item, 'columns not known'))
  }
  for (const { value } of columns) for (const source of value.sources) walk.draft.column(source)
  const open = opens.length === 0 ? null : unknownOf('the width of * is not known', opens)
  return { columns, open }
}

function valuesColumns(walk: Walk, node: TableValues, scope: Scope): QueryResult {
  walk.visited.add(node)
  const rows = node.rows.map((row) => {
    walk.visited.add(row)
    return row.items.map((item) => walk.value(item, scope))
  })
  const first = node.rows[0]?.items ?? []
  const columns = first.map((expression, index) => {
    const cells = rows.map((row) => row[index] ?? unknownOf('VALUES of different widths'))
    const value = either(cells, 'values')
    if (walk.context.dialect.flavour === 'mysql') return { name: `column_${index}`, value }
    return columnByText(walk, expression, { value, scope })
  })
  return { columns, open: null }
}

function explicitColumns(
  walk: Walk,
  table: Extract<QueryBody, { kind: 'explicit-table' }>['table'],
  scope: Scope,
): QueryResult {
  const { catalog } = walk.context
  const name = foldTable(catalog, table.name.value)
  const cte = table.database === null ? findCte(scope, name) : undefined
  if (cte !== undefined) return cte.result()
  const item = storedItem(walk, { table, name, access: 'read' })
  walk.draft.spread = true
  const columns = columnsOf(item)
  for (const { value } of columns ?? []) {
    for (const source of value.sources) walk.draft.column(source)
  }
  return columns === null ? { columns: [], open: openOf(item) } : { columns, open: null }
}

function setOperation(walk: Walk, node: SetOperation, scope: Scope): QueryResult {
  walk.visited.add(node)
  let result = bodyOutput(walk, node.first, newScope(scope)).result
  for (const branch of node.rest) {
    walk.visited.add(branch)
    const right = bodyOutput(walk, branch.body, newScope(scope)).result
    result = combine(walk, branch, { left: result, right })
  }
  return result
}

/** Column by column; what removes or keeps rows by comparing branches is noted as such. */
function combine(
  walk: Walk,
  { operator, all }: SetBranch,
  { left, right }: { readonly left: QueryResult; readonly right: QueryResult },
): QueryResult {
  const width = Math.max(left.columns.length, right.columns.length)
  const compares = !all || operator !== 'union'
  const columns = Array.from({ length: width }, (_, index) => {
    const missing = unknownOf('branches of different widths')
    const l = left.columns[index]?.value ?? left.open ?? missing
    const r = right.columns[index]?.value ?? right.open ?? missing
    if (compares) {
      compare(walk, l, r)
      for (const value of [l, r]) walk.draft.useAll(value, 'distinct')
    }
    // Rows of EXCEPT come from the left branch alone; the right one only removes.
    const value = operator === 'except' ? through(l, operator) : either([l, r], operator)
    return { name: left.columns[index]?.name ?? right.columns[index]?.name ?? '', value }
  })
  const opens = [left.open, right.open].filter((open) => open !== null)
  return { columns, open: opens.length === 0 ? null : unknownOf(`width of ${operator}`, opens) }
}

const listOf = (walk: Walk, { items }: Select, scope: Scope) =>
  listed(
    walk,
    items.map(({ expression }) => expression),
    scope,
  )

/** See ColumnUse. Of what is no scalar it is not said that it is told apart as `=` does. */
const tellsApart = (walk: Walk, select: Select, { kind, type }: Value): boolean =>
  walk.draft.sortable === select && kind === 'direct' && type !== null && !STRUCTURED.test(type)
const STRUCTURED = /^(json|geom|point|linestring|polygon|multi|vector)/

/** GROUP BY sees columns before outputs. */
function noteGroups(walk: Walk, select: Select, { result, scope }: Output): void {
  const { groupBy } = select
  if (groupBy === null) return
  walk.visited.add(groupBy)
  const outputs = listOf(walk, select, scope)
  const nodes = groupBy.items.map(({ expression }) => expression)
  const keys = nodes.map((node) => {
    const position = node.kind === 'literal' && node.type === 'integer' ? Number(node.value) : null
    return position === null
      ? (listed(walk, [node], scope)?.[0] ?? null)
      : (outputs?.[position - 1] ?? null)
  })
  const none = groupBy.rollup ? [] : idle(keys)
  for (const [index, item] of groupBy.items.entries()) {
    walk.visited.add(item)
    const name = bareName(item.expression)
    const named =
      name === null ? undefined : (lookupOwn(scope, name) ?? outputNamed(result.columns, name))
    for (const value of ordinalValues(walk, item.expression, result) ?? [
      named ?? walk.value(item.expression, scope),
    ]) {
      noteRead(walk, item.expression, value)
      if (none[index] === true) continue
      const apart = tellsApart(walk, select, value)
      walk.draft.useAll(value, value.kind === 'direct' ? 'group' : 'predicate', { apart })
    }
  }
}

/** ORDER BY sees outputs before columns. */
function noteOrder(walk: Walk, items: readonly OrderItem[], { result, scope }: Output): void {
  for (const item of items) {
    walk.visited.add(item)
    const name = bareName(item.expression)
    const named = name === null ? undefined : outputNamed(result.columns, name)
    for (const value of ordinalValues(walk, item.expression, result) ?? [
      named ?? walk.value(item.expression, scope),
    ]) {
      noteRead(walk, item.expression, value)
      walk.draft.useAll(value, 'order')
    }
  }
}

function noteRead(walk: Walk, node: Expression, value: Value): void {
  walk.visited.add(node)
  for (const source of value.sources) walk.draft.column(source)
}

function bareName(node: Expression): string | null {
  return node.kind === 'column' && node.table === null ? node.name.value : null
}

/**
 * Output columns that ORDER BY or GROUP BY names by position; null when it does not. A parameter may be bound to
 * a number, which MariaDB takes for a position.
 */
function ordinalValues(
  walk: Walk,
  node: Expression,
  { columns, open }: QueryResult,
): readonly Value[] | null {
  const position = node.kind === 'literal' && node.type === 'integer'
  if (!position && node.kind !== 'parameter') return null
  walk.visited.add(node)
  const all = [...columns.map((column) => column.value), ...(open === null ? [] : [open])]
  if (!position) return all
  walk.draft.literalIndependent = false
  if (open !== null) return [unknownOf('position in a list of unknown width', all)]
  return [columns[Number(node.value) - 1]?.value ?? CONSTANT]
}

export function noteLimit(walk: Walk, limit: Limit | null, scope: Scope): void {
  if (limit === null) return
  walk.visited.add(limit)
  const inside = newScope(scope)
  for (const part of [limit.count, limit.offset, limit.examined]) {
    if (part !== null) walk.draft.useAll(walk.value(part, inside), 'cardinality')
  }
}

/** What INTO gets leaves the walk's sight. */
function noteInto(walk: Walk, into: Into, { columns, open }: QueryResult): void {
  walk.visited.add(into)
  const rest = open ?? unknownOf('INTO of different widths')
  if (into.target === 'variables') {
    into.variables.forEach((variable, index) => {
      const value = columns[index]?.value ?? rest
      if (variable.kind === 'user-variable') noteVariable(walk, variable, value)
      // A local variable of a routine, which nobody else sees.
      else walk.visited.add(variable)
    })
    return
  }
  walk.draft.effect('copy', 'admin')
  const what = 'a file of the server'
  for (const { value } of columns) {
    if (value.kind !== 'constant') {
      walk.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what } })
    }
  }
  if (open !== null) {
    walk.draft.flows.push({ lineage: lineageOf(open), into: { kind: 'other', what } })
  }
}

function noteLocking(
  walk: Walk,
  body: QueryBody,
  { of, scope }: { readonly of: readonly string[]; readonly scope: Scope },
): void {
  walk.draft.effect('lock')
  const { catalog } = walk.context
  const wanted = new Set(of.map((name) => foldTable(catalog, name)))
  for (const table of lockedTables(body)) {
    const alias = foldTable(catalog, table.alias?.value ?? table.name.name.value)
    if (wanted.size > 0 && !wanted.has(alias)) continue
    const own = table.name.database === null ? foldTable(catalog, table.name.name.value) : null
    if (own !== null && findCte(scope, own) !== undefined) continue
    useRelation(walk.context, walk.draft, { name: table.name, access: 'lock' })
  }
}

type TableNode = Extract<TableReference, { kind: 'table' }>

function lockedTables(body: QueryBody): readonly TableNode[] {
  switch (body.kind) {
    case 'select':
      return body.from.flatMap(tablesIn)
    case 'query':
      return lockedTables(body.body)
    case 'set-operation':
      return [body.first, ...body.rest.map((branch) => branch.body)].flatMap(lockedTables)
    case 'table-values':
    case 'explicit-table':
      return []
  }
}

/** Tables named in a reference, without those of derived tables. */
export function tablesIn(node: TableReference): readonly TableNode[] {
  switch (node.kind) {
    case 'table':
      return [node]
    case 'join':
      return [...tablesIn(node.left), ...tablesIn(node.right)]
    case 'table-group':
      return node.items.flatMap(tablesIn)
    case 'derived-table':
    case 'json-table':
      return []
  }
}
