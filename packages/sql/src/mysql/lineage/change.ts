/** UPDATE and DELETE, of one table and of several: what is changed, and what decides which rows. */
import { lineageOf, type Value } from '../../lineage/value.ts'
import type {
  ColumnReference,
  Delete,
  Expression,
  Limit,
  OrderItem,
  Table,
  TableReference,
  Update,
} from '../ast.ts'
import { foldDatabase, foldTable, isSameColumnName } from '../names.ts'
import { noteRowsDeleted, noteWritten } from './checked.ts'
import { addCtes } from './cte.ts'
import { addFrom } from './from.ts'
import { noteHints } from './hints.ts'
import { noteLimit, tablesIn } from './query.ts'
import { findCte, itemsNamed, type LeafItem, newScope, type Scope } from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'
import { noteReplaced, noteWrite, returning, stored, storedColumn, useAll } from './writes.ts'

export function updateColumns(walk: Walk, update: Update): QueryResult {
  walk.visited.add(update)
  const scope = newScope(null)
  addCtes(walk, update.with, scope)
  addTargets(walk, update.tables, scope)
  noteHints(walk, update.hints, scope)
  if (update.portion !== null) {
    walk.visited.add(update.portion)
    for (const part of [update.portion.from, update.portion.to]) walk.value(part, newScope(null))
  }
  const targets = targetsOf(walk, update.tables, scope)
  const written = new Map<AssignedTable, Map<string, Value>>()
  for (const assignment of update.assignments) {
    walk.visited.add(assignment)
    walk.visited.add(assignment.column)
    const value = walk.value(assignment.value, scope)
    const target = assignedTable(walk, assignment.column, targets)
    if (target === null) {
      const what = 'a column that is not known'
      if (value.kind !== 'constant') {
        walk.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what } })
      }
      continue
    }
    noteWrite(walk, target.item, { name: assignment.column.name.value, value, fresh: false })
    const values = written.get(target) ?? new Map<string, Value>()
    written.set(target, values.set(assignment.column.name.value.toLowerCase(), value))
  }
  walk.draft.effect('write')
  for (const [{ item, table }, values] of written) {
    noteWritten(walk, table.name, { values: stored(item, values), fresh: false })
    noteRenewed(walk, item, values)
  }
  const changed = new Set([...written.keys()].map(({ table }) => table))
  noteAccess(walk, update.tables, { scope, changed })
  noteRestrictions(walk, update, scope)
  const table = update.tables.flatMap(tablesIn)[0]?.name ?? null
  return returning(walk, update.returning, { table, scope })
}

/** A column that is renewed with its row, and not assigned itself, tells whether the row was another before. */
function noteRenewed(walk: Walk, item: LeafItem, values: ReadonlyMap<string, Value>): void {
  const assigned = new Set([...values.keys()].map((name) => storedColumn(item, name)))
  for (const [name, value] of values) {
    const column = storedColumn(item, name)
    const table = column && walk.context.catalog?.relation(column.schema, column.relation)
    const isAssigned = (other: string) =>
      [...assigned].some((one) => one?.relation === table?.name && one?.column === other)
    if (table?.columns.some((one) => one.renewed === true && !isAssigned(one.name)))
      noteReplaced(walk, item, name, value)
  }
}

interface AssignedTable {
  readonly item: LeafItem
  readonly table: Table
}

/** Tables that an UPDATE may assign to, under the names it knows them by. */
function targetsOf(
  walk: Walk,
  tables: readonly TableReference[],
  scope: Scope,
): readonly AssignedTable[] {
  const { catalog } = walk.context
  return tables.flatMap(tablesIn).flatMap((node) => {
    const name = foldTable(catalog, node.alias?.value ?? node.name.name.value)
    return itemsNamed(scope, name, null).map((item) => ({ item, table: node }))
  })
}

/** Which table a column is assigned in; null when none of those known has it. */
function assignedTable(
  walk: Walk,
  column: ColumnReference,
  targets: readonly AssignedTable[],
): AssignedTable | null {
  const { catalog } = walk.context
  const database = column.database === null ? null : foldDatabase(catalog, column.database.value)
  const table = column.table === null ? null : foldTable(catalog, column.table.value)
  const named = targets.filter(
    ({ item }) =>
      (table === null || item.name === table) && (database === null || item.database === database),
  )
  const has = ({ item }: AssignedTable) =>
    item.columns.some((own) => isSameColumnName(own.name, column.name.value))
  return named.find(has) ?? (named.length === 1 ? (named[0] ?? null) : null)
}

/** The tables of FROM; what is done to each is noted by `noteAccess`. */
function addTargets(walk: Walk, tables: readonly TableReference[], scope: Scope): void {
  for (const table of tables.flatMap(tablesIn)) walk.targets.add(table)
  addFrom(walk, tables, scope)
}

/** What is changed is written, the rest is read; where it is not known which, all of them are written. */
function noteAccess(
  walk: Walk,
  tables: readonly TableReference[],
  { scope, changed }: { readonly scope: Scope; readonly changed: ReadonlySet<Table> },
): void {
  const { catalog } = walk.context
  for (const table of tables.flatMap(tablesIn)) {
    const { database, name } = table.name
    if (database === null && findCte(scope, foldTable(catalog, name.value)) !== undefined) continue
    const access = changed.size === 0 || changed.has(table) ? 'write' : 'read'
    if (access === 'read') walk.draft.effect('read')
    useAll(walk, table.name, access)
  }
}

export function deleteColumns(walk: Walk, node: Delete): QueryResult {
  walk.visited.add(node)
  const scope = newScope(null)
  addCtes(walk, node.with, scope)
  addTargets(walk, node.from, scope)
  noteHints(walk, node.hints, scope)
  if (node.portion !== null) {
    walk.visited.add(node.portion)
    for (const part of [node.portion.from, node.portion.to]) walk.value(part, newScope(null))
  }
  walk.draft.effect('write')
  const changed = deletedTables(walk, node)
  for (const { name } of changed) noteRowsDeleted(walk, name)
  noteAccess(walk, node.from, { scope, changed })
  noteRestrictions(walk, node, scope)
  const table = node.from.flatMap(tablesIn)[0]?.name ?? null
  return returning(walk, node.returning, { table, scope })
}

/** Targets of the multi-table forms are names or aliases of tables in FROM; none are all of it. */
function deletedTables(walk: Walk, { targets, from }: Delete): ReadonlySet<Table> {
  const { catalog } = walk.context
  const named = from.flatMap(tablesIn)
  const wanted = targets.map((target) => foldTable(catalog, target.name.value))
  const found = named.filter((node) =>
    wanted.includes(foldTable(catalog, node.alias?.value ?? node.name.name.value)),
  )
  for (const target of targets) walk.visited.add(target)
  return new Set(targets.length === 0 || found.length < targets.length ? named : found)
}

interface Restricted {
  readonly where: Expression | null
  readonly orderBy: readonly OrderItem[]
  readonly limit: Limit | null
}

function noteRestrictions(walk: Walk, { where, orderBy, limit }: Restricted, scope: Scope): void {
  walk.draft.where(where !== null && dependsOnRows(where))
  if (where !== null) walk.predicate(where, scope)
  for (const item of orderBy) {
    walk.visited.add(item)
    walk.draft.useAll(walk.value(item.expression, scope), 'order')
  }
  noteLimit(walk, limit, scope)
}

/** A condition without any column (`WHERE true`) restricts nothing. */
function dependsOnRows(tree: unknown): boolean {
  if (typeof tree !== 'object' || tree === null) return false
  if (Array.isArray(tree)) return tree.some(dependsOnRows)
  if ((tree as { kind?: string }).kind === 'column') return true
  return Object.values(tree).some(dependsOnRows)
}
