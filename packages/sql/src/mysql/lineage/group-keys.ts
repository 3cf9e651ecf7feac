/**
 * Columns that make no difference beside their table's primary key: rows that agree in the key are one row, so what
 * groups there are, and which rows are equal, the key has said already. Programs list them because they select them:
 *
 *   SELECT u.id, u.email, COUNT(*) ... GROUP BY u.id, u.email        SELECT DISTINCT u.* FROM u JOIN ...
 *
 * Only behind the key: where the server sorts to find what is equal, it sorts by what comes first.
 */
import type { Expression } from '../ast.ts'
import { foldDatabase, foldTable, isSameColumnName } from '../names.ts'
import { columnsOf, type Item, itemsNamed, type LeafItem, leaves, type Scope } from './scope.ts'
import type { Walk } from './walk.ts'

/** A column of an item of FROM; null: another expression, or not certainly that. */
type Listed = { readonly item: LeafItem; readonly column: string } | null

/** One for each output of a select list; null when there is no saying which. */
export function listed(
  walk: Walk,
  nodes: readonly Expression[],
  scope: Scope,
): readonly Listed[] | null {
  const all = nodes.map((node) =>
    node.kind === 'wildcard' ? spread(walk, node, scope) : [columnAt(walk, node, scope)],
  )
  return all.some((one) => one === null) ? null : all.flatMap((one) => one ?? [])
}

/** Of columns in this order, which make no difference beside those before them. */
export function idle(list: readonly Listed[]): readonly boolean[] {
  return list.map((one, index) => {
    const table = one?.item.table
    const primary = table?.constraints?.find((key) => key.kind === 'unique' && key.primary)
    // The rows of a MERGE table are other tables'.
    if (one == null || primary === undefined || table?.parents.length !== 0) return false
    const has = (key: string) =>
      list
        .slice(0, index)
        .some((other) => other?.item === one.item && isSameColumnName(other.column, key))
    return primary.columns.every((key) => has(key) && !isSameColumnName(key, one.column))
  })
}

function columnAt(walk: Walk, node: Expression, scope: Scope): Listed {
  if (node.kind !== 'column') return null
  const column = node.name.value
  const found =
    node.table === null
      ? scope.entries.flatMap(({ item, bare }) => (bare ? withColumn(item, column) : []))
      : named(walk, { table: node.table.value, database: node.database?.value ?? null }, scope)
  const [item, ...others] = found
  return item == null || others.length > 0 ? null : { item, column }
}

function named(
  { context: { catalog } }: Walk,
  { table, database }: { readonly table: string; readonly database: string | null },
  scope: Scope,
): readonly LeafItem[] {
  return itemsNamed(
    scope,
    foldTable(catalog, table),
    database === null ? null : foldDatabase(catalog, database),
  )
}

/** The items that a bare name may mean a column of; null among them: one merged of two. */
function withColumn(item: Item, name: string): readonly (LeafItem | null)[] {
  const isNamed = (column: { readonly name: string }) => isSameColumnName(column.name, name)
  if (item.kind === 'leaf') return item.open !== null || item.columns.some(isNamed) ? [item] : []
  if (item.merged.some(isNamed)) return [null]
  return [...withColumn(item.first, name), ...withColumn(item.second, name)]
}

function spread(
  walk: Walk,
  node: Extract<Expression, { kind: 'wildcard' }>,
  scope: Scope,
): readonly Listed[] | null {
  const items: readonly Item[] =
    node.table === null
      ? scope.entries.flatMap(({ item, bare }) => (bare ? [item] : []))
      : named(walk, { table: node.table.value, database: node.database?.value ?? null }, scope)
  if (items.length === 0 || items.some(isMerging)) return null
  const columns = items.flatMap((item) =>
    [...leaves(item)].map((leaf) =>
      columnsOf(leaf)?.map(({ name }) => ({ item: leaf, column: name })),
    ),
  )
  return columns.some((one) => one === undefined) ? null : columns.flatMap((one) => one ?? [])
}

const isMerging = (item: Item): boolean =>
  item.kind === 'join' &&
  (item.merged.length > 0 || isMerging(item.first) || isMerging(item.second))
