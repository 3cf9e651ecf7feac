/**
 * Grouping by a table's primary key and other columns of it is grouping by the key: the others make no difference to
 * what groups there are, and the server leaves them out of what it sorts or hashes by. Programs list them because
 * they select them. So it is with DISTINCT, but for the order in which the rows come.
 */
import type { Node, SelectStmt } from 'libpg-query'
import type { Catalog, CatalogRelation } from '../../catalog.ts'
import type { Column, Value } from '../../lineage/value.ts'
import { as, stringsOf } from '../tree.ts'
import { columnOf, type Item, type LeafItem, leaves, lookupItem, type Scope } from './scope.ts'

interface Key {
  readonly node: Node
  readonly item: LeafItem
  /** As its table calls it. */
  readonly column: string
}

/** Of the expressions of a GROUP BY, those that make no difference beside the others: none where there are several sets. */
export function withoutEffect(
  catalog: Catalog | null,
  nodes: readonly Node[],
  within: { readonly targets: readonly Node[]; readonly scope: Scope },
): ReadonlySet<Node> {
  const isPlain = nodes.length > 1 && nodes.every((node) => as(node, 'GroupingSet') === undefined)
  const keys = !isPlain ? [] : nodes.flatMap((node) => keyOf(node, within) ?? [])
  const idle = keys.filter(({ item, column }) => {
    const grouped = keys.filter((key) => key.item === item).map((key) => key.column)
    const primary = primaryKey(catalog, item)
    return primary !== null && !primary.includes(column) && isAmong(primary, grouped)
  })
  return new Set(idle.map(({ node }) => node))
}

/**
 * Of the columns of a SELECT DISTINCT, those that make no difference: every row is told by the primary keys that it is
 * ordered by, so neither how many there are nor their order can hang on other columns of these tables. `sorted`: what
 * ORDER BY names.
 */
export function besideSortedKeys(
  catalog: Catalog | null,
  { groupClause }: SelectStmt,
  within: {
    readonly columns: readonly Column[]
    readonly sorted: ReadonlySet<Value>
    scope: Scope
  },
): ReadonlySet<Value> {
  const { columns, sorted, scope } = within
  if (sorted.size === 0 || groupClause !== undefined) return new Set()
  const items = [...new Set(scope.entries.flatMap(({ item }) => [...leaves(item)]))]
  const holders = (value: Value) =>
    items.filter((item) => item.columns.some((column) => column.value === value))
  const keyed = items.filter((item) => {
    const keys = item.columns.filter(
      ({ value }) => sorted.has(value) && holders(value).length === 1,
    )
    const primary = primaryKey(catalog, item)
    return (
      primary !== null &&
      isAmong(
        primary,
        keys.flatMap(({ value }) => storedName(value) ?? []),
      )
    )
  })
  const isKeyed = (value: Value): boolean => {
    const [holder, ...others] = holders(value)
    return holder !== undefined && others.length === 0 && keyed.includes(holder)
  }
  const values = columns.map(({ value }) => value)
  if (!values.every((value) => sorted.has(value) || isKeyed(value))) return new Set()
  return new Set(values.filter((value) => !sorted.has(value)))
}

const storedName = (value: Value): string | null =>
  value.kind === 'direct' ? (value.sources[0]?.column ?? null) : null

const isAmong = (some: readonly string[], all: readonly string[]): boolean =>
  some.every((one) => all.includes(one))

/** The columns by which the rows of a table differ for certain; null: there are none, or it may be more than one table. */
function primaryKey(catalog: Catalog | null, { table }: LeafItem): readonly string[] | null {
  const primary = table?.constraints?.find((one) => one.kind === 'unique' && one.primary)
  return primary === undefined || hasChildren(catalog, table) ? null : primary.columns
}

/** Rows of tables that inherit from it have keys of their own. */
const hasChildren = (catalog: Catalog | null, table: CatalogRelation | undefined): boolean =>
  table?.kind !== 'table' ||
  catalog?.data.relations.some(({ parents }) =>
    parents.includes(`${table.schema}.${table.name}`),
  ) !== false

function keyOf(
  node: Node,
  { targets, scope }: { readonly targets: readonly Node[]; readonly scope: Scope },
): Key | null {
  const position = as(node, 'A_Const')?.ival?.ival
  const named = position === undefined ? node : targetAt(targets, position)
  const names = stringsOf(as(named ?? undefined, 'ColumnRef')?.fields)
  const column = names.at(-1) ?? ''
  if (column === '') return null
  const item = names.length === 1 ? itemWith(scope, column) : itemNamed(scope, names)
  if (item?.kind !== 'leaf') return null
  const value = columnOf(item, column)
  if (value === 'none' || value === 'ambiguous' || value.kind !== 'direct') return null
  return { node, item, column: value.sources[0]!.column }
}

/** Null where `*` or a composite's fields may come before it. */
function targetAt(targets: readonly Node[], position: number): Node | null {
  const values = targets.slice(0, position).map((node) => as(node, 'ResTarget')?.val)
  const isWide = (value: Node | undefined): boolean =>
    as(value, 'A_Indirection') !== undefined ||
    as(as(value, 'ColumnRef')?.fields?.at(-1), 'A_Star') !== undefined
  return values.some(isWide) ? null : (values[position - 1] ?? null)
}

/** The one item of this query that has such a column; null: merged, of several, or of a query around. */
function itemWith({ entries }: Scope, column: string): LeafItem | null {
  const seen = entries.filter(({ bare }) => bare).map(({ item }) => item)
  if (seen.some((item) => isMerged(item, column))) return null
  const found = seen
    .flatMap((item) => [...leaves(item)])
    .filter((leaf) => leaf.open !== null || columnOf(leaf, column) !== 'none')
  return found.length === 1 ? (found[0] ?? null) : null
}

const isMerged = (item: Item, column: string): boolean =>
  item.kind === 'join' &&
  (item.merged.some(({ name }) => name === column) ||
    isMerged(item.left, column) ||
    isMerged(item.right, column))

function itemNamed(scope: Scope, names: readonly string[]): Item | null {
  const item = lookupItem({ ...scope, parent: null }, names.at(-2) ?? '', names.at(-3) ?? null)
  return item === undefined || item === 'ambiguous' ? null : item
}
