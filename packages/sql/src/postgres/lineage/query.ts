/** SELECT, VALUES and set operations: output columns with their lineage, and what the clauses use. */
import type { Node, ResTarget, SelectStmt } from 'libpg-query'
import { spend } from '../../budget.ts'
import {
  CONSTANT,
  type Column,
  derive,
  either,
  isSameDirect,
  through,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { RESULT_COLUMNS_MAX } from '../limits.ts'
import { useRelation } from '../resolve.ts'
import { isAmong } from '../statements/telling-apart.ts'
import { as, literalText, stringsOf, unwrap } from '../tree.ts'
import { compositeFields } from '../type-names.ts'
import { windowValues } from './call.ts'
import { addFrom } from './from.ts'
import { besideSortedKeys, withoutEffect } from './group-keys.ts'
import { groupSize } from './groups.ts'
import { noteMixed } from './mixed.ts'
import { compare } from './predicate.ts'
import { columnsOf, lookupBare, lookupItem, newScope, openOf, type Scope } from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

/** `scope` is the query's own: its CTEs are in it already, its FROM is added here. */
export function queryColumns(walk: Walk, select: SelectStmt, scope: Scope): QueryResult {
  walk.visited.add(select)
  const operation = select.op ?? 'SETOP_NONE'
  const result =
    operation === 'SETOP_NONE'
      ? select.valuesLists === undefined
        ? selectColumns(walk, select, scope)
        : valuesColumns(walk, select, scope)
      : setOperation(walk, select, scope)
  if (operation !== 'SETOP_NONE' || select.valuesLists !== undefined) {
    noteOrder(walk, select.sortClause, { result, scope: outputScope(scope, result) })
  }
  for (const limit of [select.limitCount, select.limitOffset]) {
    if (limit !== undefined) walk.draft.useAll(walk.value(limit, newScope(scope)), 'cardinality')
  }
  noteLocking(walk, select, scope)
  return result
}

function selectColumns(walk: Walk, select: SelectStmt, scope: Scope): QueryResult {
  addFrom(walk, select.fromClause ?? [], scope)
  if (select.whereClause !== undefined) walk.predicate(select.whereClause, scope)
  for (const node of select.windowClause ?? []) {
    const window = as(node, 'WindowDef')
    if (window?.name !== undefined) scope.windows.set(window.name, node)
  }
  scope.groupSize = groupSize(walk, select, scope)
  const result = targetColumns(walk, select.targetList ?? [], scope)
  const grouping = { result, scope, targets: select.targetList ?? [] }
  const keys = select.groupClause ?? []
  const idle = withoutEffect(walk.context.catalog, keys, grouping)
  noteGroups(walk, keys, { ...grouping, idle, apart: walk.draft.sortable === select })
  if (select.havingClause !== undefined) walk.predicate(select.havingClause, scope)
  for (const node of select.windowClause ?? []) {
    const window = as(node, 'WindowDef')
    if (window === undefined) walk.draft.unknown('WINDOW without definition')
    else {
      const { name: _, ...definition } = window
      walk.visited.add(window)
      windowValues(walk, definition, scope)
    }
  }
  noteDistinct(walk, select, { result, scope })
  noteOrder(walk, select.sortClause, { result, scope })
  noteAggregates(walk, scope)
  return result
}

/** The server sorts a group for an aggregate with DISTINCT, and others may be given their rows in that order. */
function noteAggregates(walk: Walk, { aggregates }: Scope): void {
  if (!aggregates.ordered) return
  for (const value of aggregates.distinct) walk.draft.useAll(value, 'order')
}

/** Output columns of a target list, with `*` spread out; also of RETURNING. */
export function targetColumns(walk: Walk, targets: readonly Node[], scope: Scope): QueryResult {
  const columns: Column[] = []
  let open: Value | null = null
  for (const node of targets) {
    const target = as(node, 'ResTarget')
    if (target?.val === undefined) {
      walk.draft.unknown('target without expression')
      return { columns, open: unknownOf('target without expression') }
    }
    walk.visited.add(target)
    const spread = starColumns(walk, target, scope)
    if (spread === null) columns.push(targetColumn(walk, target, scope))
    else {
      spend(spread.columns.length)
      for (const column of spread.columns) columns.push(column)
      if (columns.length > RESULT_COLUMNS_MAX) {
        const values = columns.map((column) => column.value)
        return { columns: [], open: unknownOf(`more than ${RESULT_COLUMNS_MAX} columns`, values) }
      }
      if (spread.open !== null) {
        open = unknownOf(
          'the width of * is not known',
          open === null ? [spread.open] : [open, spread.open],
        )
      }
    }
  }
  if (open === null) return { columns, open }
  // Where each of them is, and under which name, is not known either.
  const values = columns.map((column) => column.value)
  return { columns: [], open: unknownOf('the width of * is not known', [open, ...values]) }
}

function targetColumn(walk: Walk, target: ResTarget, scope: Scope): Column {
  const node = target.val!
  const { draft } = walk
  const around = draft.inColumn
  const at = target.location ?? null
  draft.inColumn = at ?? around
  const value = walk.value(node, scope)
  draft.inColumn = around
  const name = target.name ?? walk.outputName(node, scope)
  if (at !== null) draft.computed({ at, name, value })
  return { name, value }
}

/** The columns that `*`, `t.*` or `(expression).*` stands for; null for any other target. */
function starColumns(walk: Walk, target: ResTarget, scope: Scope): QueryResult | null {
  const node = target.val!
  const ref = as(node, 'ColumnRef')
  if (ref !== undefined) {
    const fields = ref.fields ?? []
    if (fields.length === 0 || as(fields.at(-1), 'A_Star') === undefined) return null
    walk.visited.add(ref)
    walk.draft.spread = true
    const result =
      fields.length === 1 ? everyColumn(scope) : starOf(stringsOf(fields.slice(0, -1)), scope)
    for (const { value } of result.columns) {
      for (const source of value.sources) walk.draft.column(source)
    }
    return result
  }
  const steps = as(node, 'A_Indirection')?.indirection
  if (steps === undefined || as(steps.at(-1), 'A_Star') === undefined) return null
  const value = walk.value(node, scope)
  if (value.row !== null) return { columns: value.row, open: null }
  const fields = compositeFields(walk.context, value.type)
  if (fields !== null) {
    const each = derive([value], { why: 'field' })
    return { columns: fields.map((name) => ({ name, value: each })), open: null }
  }
  return { columns: [], open: unknownOf('columns of a composite value are not known', [value]) }
}

function everyColumn(scope: Scope): QueryResult {
  const columns: Column[] = []
  const opens: Value[] = []
  for (const { item, bare } of scope.entries) {
    if (!bare) continue
    const own = columnsOf(item)
    if (own !== null && columns.length <= RESULT_COLUMNS_MAX) {
      for (const column of own) columns.push(column)
    } else if (own !== null) opens.push(...own.map((column) => column.value))
    else opens.push(openOf(item) ?? unknownOf('columns not known'))
  }
  return {
    columns,
    open: opens.length === 0 ? null : unknownOf('the width of * is not known', opens),
  }
}

function starOf(names: readonly string[], scope: Scope): QueryResult {
  const item = lookupItem(scope, names.at(-1) ?? '', names.at(-2) ?? null)
  if (item === undefined || item === 'ambiguous') {
    // `column.*` is not SQL, so this is a table we cannot see.
    return { columns: [], open: unknownOf('table not found') }
  }
  const columns = columnsOf(item)
  if (columns !== null) return { columns, open: null }
  return { columns: [], open: openOf(item) ?? unknownOf('columns not known') }
}

function valuesColumns(walk: Walk, select: SelectStmt, scope: Scope): QueryResult {
  const rows = (select.valuesLists ?? []).map((node) => {
    const list = as(node, 'List')
    if (list === undefined) walk.draft.unknown('VALUES without list')
    else walk.visited.add(list)
    return (list?.items ?? []).map((item) => walk.value(item, scope))
  })
  const width = rows[0]?.length ?? 0
  const columns = Array.from({ length: width }, (_, index) => {
    const cells = rows.map((row) => row[index] ?? unknownOf('VALUES of different widths'))
    noteMixed(walk, cells)
    return { name: `column${index + 1}`, value: either(cells, 'values') }
  })
  return { columns, open: null }
}

function setOperation(walk: Walk, select: SelectStmt, scope: Scope): QueryResult {
  if (select.larg === undefined || select.rarg === undefined) {
    walk.draft.unknown('set operation without a branch')
    return { columns: [], open: unknownOf('set operation without a branch') }
  }
  const left = walk.query(select.larg, newScope(scope))
  const right = walk.query(select.rarg, newScope(scope))
  return combineBranches(walk, select, left, right)
}

/** Column by column; what removes or keeps rows by comparing branches is noted as such. */
export function combineBranches(
  walk: Walk,
  select: SelectStmt,
  left: QueryResult,
  right: QueryResult,
): QueryResult {
  const width = Math.max(left.columns.length, right.columns.length)
  const why = (select.op ?? '').replace('SETOP_', '').toLowerCase()
  const compares = select.all !== true || select.op !== 'SETOP_UNION'
  const { sortable } = walk.draft
  const apart = sortable !== null && isAmong(sortable as SelectStmt, select)
  const columns = Array.from({ length: width }, (_, index) => {
    const l = left.columns[index]?.value ?? left.open ?? unknownOf('branches of different widths')
    const r = right.columns[index]?.value ?? right.open ?? unknownOf('branches of different widths')
    noteMixed(walk, [l, r])
    if (compares) {
      compare(walk, l, r)
      // Of one column: more is told where values of one column are held against those of another.
      const alike = isSameDirect(l, r) || l.kind === 'constant' || r.kind === 'constant'
      for (const value of [l, r]) {
        const only = apart && alike && value.kind === 'direct'
        walk.draft.useAll(value, 'distinct', { apart: only })
      }
    }
    // Rows of EXCEPT come from the left branch alone; the right one only removes.
    const value = select.op === 'SETOP_EXCEPT' ? through(l, why) : either([l, r], why)
    return { name: left.columns[index]?.name ?? right.columns[index]?.name ?? '', value }
  })
  const opens = [left.open, right.open].filter((open) => open !== null)
  return { columns, open: opens.length === 0 ? null : unknownOf(`width of ${why}`, opens) }
}

function outputScope(scope: Scope, result: QueryResult): Scope {
  const item = {
    kind: 'leaf',
    name: null,
    schema: null,
    columns: result.columns,
    open: result.open,
    stored: false,
  } as const
  return { ...newScope(scope), entries: [{ item, bare: true, named: false }] }
}

interface Output {
  readonly result: QueryResult
  readonly scope: Scope
}

/** An output column that ORDER BY, GROUP BY or DISTINCT ON names by position; undefined when it does not. */
function ordinalValue(walk: Walk, node: Node, result: QueryResult): Value | undefined {
  const integer = as(node, 'A_Const')?.ival
  if (integer === undefined) return undefined
  walk.draft.literalIndependent = false
  const column = result.columns[(integer.ival ?? 0) - 1]
  if (result.open !== null)
    return unknownOf('position in a list of unknown width', [
      result.open,
      ...result.columns.map((c) => c.value),
    ])
  return column?.value ?? CONSTANT
}

function outputNamed(node: Node, result: QueryResult): Value | undefined {
  const fields = as(node, 'ColumnRef')?.fields
  if (fields?.length !== 1) return undefined
  const [name = ''] = stringsOf(fields)
  if (name === '') return undefined
  const found = result.columns.filter((column) => column.name === name)
  if (found.length === 0) return undefined
  return found.length === 1
    ? found[0]!.value
    : either(
        found.map((column) => column.value),
        'output name',
      )
}

/** ORDER BY sees output names before input columns. */
function orderValue(walk: Walk, node: Node, { result, scope }: Output): Value {
  const ordinal = ordinalValue(walk, node, result)
  if (ordinal !== undefined) return ordinal
  const output = outputNamed(node, result)
  if (output === undefined) return walk.value(node, scope)
  walk.visited.add(unwrap(node)[1])
  return output
}

function noteOrder(walk: Walk, clause: readonly Node[] | undefined, output: Output): void {
  for (const node of clause ?? []) {
    const sort = as(node, 'SortBy')
    if (sort?.node === undefined) {
      walk.draft.unknown('ORDER BY without expression')
      continue
    }
    walk.visited.add(sort)
    walk.draft.useAll(orderValue(walk, sort.node, output), 'order')
  }
}

function noteDistinct(walk: Walk, select: SelectStmt, output: Output): void {
  const clause = select.distinctClause
  if (clause === undefined) return
  const on = clause.filter((node) => Object.keys(node).length > 0)
  if (on.length === 0) {
    const { columns, open } = output.result
    const idle = open === null ? idleInDistinct(walk, select, output) : new Set()
    for (const { value } of columns) {
      const apart = walk.draft.sortable === select && value.kind === 'direct'
      if (!idle.has(value)) walk.draft.useAll(value, 'distinct', { apart })
    }
    if (open !== null) walk.draft.useAll(open, 'distinct')
  }
  for (const node of on) {
    const value = orderValue(walk, node, output)
    walk.draft.useAll(value, 'distinct')
    walk.draft.useAll(value, 'order')
  }
}

function idleInDistinct(walk: Walk, select: SelectStmt, output: Output): ReadonlySet<Value> {
  const sorts = (select.sortClause ?? []).flatMap((node) => as(node, 'SortBy') ?? [])
  // Another order, or another collation, may not tell rows apart.
  const plain = sorts.flatMap(({ node, useOp }) =>
    node !== undefined && useOp === undefined && isName(node) ? [node] : [],
  )
  const sorted = new Set(plain.map((node) => orderValue(walk, node, output)))
  const { scope, result } = output
  return besideSortedKeys(walk.context.catalog, select, { columns: result.columns, sorted, scope })
}

const isName = (node: Node): boolean =>
  as(node, 'ColumnRef') !== undefined || as(node, 'A_Const')?.ival !== undefined

/** GROUP BY sees input columns before output names. */
function noteGroups(
  walk: Walk,
  nodes: readonly Node[],
  output: Output & {
    readonly targets: readonly Node[]
    readonly idle: ReadonlySet<Node>
    /** See ColumnUse. */
    readonly apart: boolean
  },
): void {
  for (const node of nodes) {
    const [type, fields] = unwrap(node)
    walk.visited.add(fields)
    if (type === 'GroupingSet') {
      const { content = [] } = fields as { content?: Node[] }
      noteGroups(walk, content, { ...output, apart: false })
    } else if (type === 'RowExpr') {
      noteGroups(walk, (fields as { args?: Node[] }).args ?? [], output)
    } else {
      const value = groupValue(walk, node, output)
      if (output.idle.has(node)) continue
      if (value.kind === 'direct') walk.draft.useAll(value, 'group', output)
      else walk.draft.useAll(value, 'predicate')
      // Where it is `false`, the server takes the one that withholds for what is grouped by, and computes what is behind it.
      if (value.kind === 'constant') {
        for (const target of output.targets)
          walk.draft.mustCompute(as(target, 'ResTarget')?.location ?? null)
      }
    }
  }
}

function groupValue(walk: Walk, node: Node, { result, scope }: Output): Value {
  const ordinal = ordinalValue(walk, node, result)
  if (ordinal !== undefined) return ordinal
  const fields = as(node, 'ColumnRef')?.fields
  const [name = ''] = fields?.length === 1 ? stringsOf(fields) : []
  if (name !== '') {
    const own = { ...scope, parent: null }
    if (lookupBare(own, name) === undefined) {
      const output = outputNamed(node, result)
      if (output !== undefined) return output
    }
  }
  return walk.value(node, scope)
}

function noteLocking(walk: Walk, select: SelectStmt, scope: Scope): void {
  for (const node of select.lockingClause ?? []) {
    walk.draft.effect('lock')
    const clause = as(node, 'LockingClause')
    const named = (clause?.lockedRels ?? []).flatMap((entry) => as(entry, 'RangeVar') ?? [])
    for (const name of named) walk.visited.add(name)
    const wanted = new Set(named.map((name) => name.relname ?? ''))
    for (const from of lockedRelations(select.fromClause ?? [])) {
      const alias = from.alias?.aliasname ?? from.relname ?? ''
      if (wanted.size > 0 && !wanted.has(alias)) continue
      if (isCte(scope, from.relname ?? '', from.schemaname)) continue
      useRelation(walk.context, walk.draft, { name: from, access: 'lock' })
    }
  }
}

function isCte(scope: Scope, name: string, schema: string | undefined): boolean {
  if (schema !== undefined) return false
  for (let at: Scope | null = scope; at !== null; at = at.parent) if (at.ctes.has(name)) return true
  return false
}

function lockedRelations(nodes: readonly Node[]): NonNullable<ReturnType<typeof asRange>>[] {
  return nodes.flatMap((node) => {
    const join = as(node, 'JoinExpr')
    if (join !== undefined) {
      return lockedRelations([join.larg, join.rarg].filter((side) => side !== undefined))
    }
    const range = asRange(node)
    return range === undefined ? [] : [range]
  })
}

const asRange = (node: Node) => as(node, 'RangeVar')

/** LIMIT as a number of rows, when it is an integer constant. */
export function constantLimit(select: SelectStmt): number | null {
  if (as(select.limitCount, 'A_Const')?.ival === undefined) return null
  const text = literalText(select.limitCount)
  return text === null ? null : Number(text)
}
