/**
 * Which names an expression can see, and what they stand for: FROM items, CTEs, and the queries around.
 * Lookups follow parse_relation.c: innermost query first; a column before a whole row.
 */
import type { Node } from 'libpg-query'
import { spend } from '../../budget.ts'
import type { CatalogRelation } from '../../catalog.ts'
import {
  asUnknown,
  type Column,
  ROW_COUNT,
  rowOf,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { JOIN_COLUMNS_MAX } from '../limits.ts'

export interface LeafItem {
  readonly kind: 'leaf'
  readonly name: string | null
  /** Set when the item can be named `schema.name`. */
  readonly schema: string | null
  readonly columns: readonly Column[]
  /** Non-null: it may have columns not listed, with this value. */
  readonly open: Value | null
  /** Has ctid, tableoid and the like. */
  readonly stored: boolean
  /** Certainly this stored table, each of whose rows comes once. */
  readonly table?: CatalogRelation
}

export interface JoinItem {
  readonly kind: 'join'
  readonly name: string | null
  readonly schema: null
  readonly left: Item
  readonly right: Item
  readonly merged: readonly Column[]
  readonly open: null
  readonly stored: false
}

export type Item = LeafItem | JoinItem

export interface Entry {
  readonly item: Item
  /** Can its columns be named without its name? */
  readonly bare: boolean
  /** Can it be named? */
  readonly named: boolean
}

export interface Cte {
  readonly name: string
  /** Columns as far as known; forces the analysis of a CTE not reached yet. */
  result(): { readonly columns: readonly Column[]; readonly open: Value | null }
}

export interface Scope {
  readonly parent: Scope | null
  readonly entries: Entry[]
  readonly ctes: Map<string, Cte>
  /** WINDOW definitions by name. */
  readonly windows: Map<string, Node>
  /** Rows in every group of this query, at least; null when it does not say. */
  groupSize: number | null
  /** Its aggregates, and those of queries inside, which may be its own. */
  readonly aggregates: Aggregates
}

export interface Aggregates {
  /** Columns whose different values are counted. */
  readonly distinct: Value[]
  /** Some give what they do by the order in which rows come to them. */
  ordered: boolean
}

const newAggregates = (): Aggregates => ({ distinct: [], ordered: false })

export function newScope(parent: Scope | null): Scope {
  return {
    parent,
    entries: [],
    ctes: new Map(),
    windows: new Map(),
    groupSize: null,
    aggregates: newAggregates(),
  }
}

/** The scope of a subquery in FROM without LATERAL: everything around but its neighbours. */
export function withoutEntries(scope: Scope): Scope {
  const { parent, ctes, windows } = scope
  return { parent, entries: [], ctes, windows, groupSize: null, aggregates: newAggregates() }
}

export function findCte(scope: Scope | null, name: string): Cte | undefined {
  for (let at = scope; at !== null; at = at.parent) {
    const cte = at.ctes.get(name)
    if (cte !== undefined) return cte
  }
  return undefined
}

/** Column maps of shared column lists (relations, views), built once per list. */
const indexes = new WeakMap<readonly Column[], Map<string, number>>()
const INDEXED_COLUMNS_MIN = 8
const AMBIGUOUS = -2

function indexIn(columns: readonly Column[], name: string): number {
  if (columns.length < INDEXED_COLUMNS_MIN) {
    let found = -1
    for (let i = 0; i < columns.length; i++) {
      if (columns[i]!.name !== name) continue
      if (found !== -1) return AMBIGUOUS
      found = i
    }
    return found
  }
  let index = indexes.get(columns)
  if (index === undefined) {
    index = new Map()
    for (let i = 0; i < columns.length; i++) {
      const key = columns[i]!.name
      index.set(key, index.has(key) ? AMBIGUOUS : i)
    }
    indexes.set(columns, index)
  }
  return index.get(name) ?? -1
}

type Lookup = Value | 'none' | 'ambiguous'

/** The column `name` of an item; an item with open columns may have any. */
export function columnOf(item: Item, name: string): Lookup {
  if (item.kind === 'join') {
    spend(1)
    const index = indexIn(item.merged, name)
    if (index === AMBIGUOUS) return 'ambiguous'
    if (index >= 0) return item.merged[index]!.value
    const left = columnOf(item.left, name)
    const right = columnOf(item.right, name)
    if (left === 'none') return right
    return right === 'none' ? left : 'ambiguous'
  }
  const index = indexIn(item.columns, name)
  if (index === AMBIGUOUS) return 'ambiguous'
  return index === -1 ? 'none' : item.columns[index]!.value
}

/** All columns in the order `*` gives them; null when not known. */
export function columnsOf(item: Item): readonly Column[] | null {
  if (item.kind === 'leaf') return item.open === null ? item.columns : null
  const left = columnsOf(item.left)
  const right = columnsOf(item.right)
  if (left === null || right === null) return null
  spend(left.length + right.length)
  if (left.length + right.length > JOIN_COLUMNS_MAX) return null
  if (item.merged.length === 0) return [...left, ...right]
  const merged = new Set(item.merged.map((column) => column.name))
  const rest = (column: Column) => !merged.has(column.name)
  return [...item.merged, ...left.filter(rest), ...right.filter(rest)]
}

export function openOf(item: Item): Value | null {
  if (item.kind === 'leaf') return item.open
  const left = openOf(item.left)
  const right = openOf(item.right)
  if (left === null || right === null) return left ?? right
  return unknownOf('columns of a join are not known', [left, right])
}

/** The whole row of an item. */
export function rowOfItem(item: Item): Value {
  const columns = columnsOf(item)
  if (columns !== null) return rowOf(columns, 'whole row')
  const known = item.kind === 'leaf' ? item.columns : [...leaves(item)].flatMap((l) => l.columns)
  const values = known.map((column) => column.value)
  const open = openOf(item)
  return unknownOf('whole row with columns not known', open === null ? values : [...values, open])
}

/** The tables, views and queries that a FROM item joins. */
export function* leaves(item: Item): Generator<LeafItem> {
  if (item.kind === 'leaf') yield item
  else {
    yield* leaves(item.left)
    yield* leaves(item.right)
  }
}

const SYSTEM_COLUMNS = new Set(['ctid', 'xmin', 'cmin', 'xmax', 'cmax', 'tableoid'])
const TABLE_OID: Value = { ...ROW_COUNT, type: 'oid' }
const systemColumn = (name: string): Value => (name === 'tableoid' ? TABLE_OID : ROW_COUNT)

/** A column named without its table; undefined when no query around has one. */
export function lookupBare(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    const found: Value[] = []
    const open: Value[] = []
    let stored = false
    let ambiguous = false
    spend(at.entries.length)
    for (const { item, bare } of at.entries) {
      if (!bare) continue
      const value = columnOf(item, name)
      if (value === 'ambiguous') ambiguous = true
      else if (value !== 'none') found.push(value)
      const rest = openOf(item)
      if (rest !== null) open.push(rest)
      if (item.stored) stored = true
    }
    if (ambiguous || found.length > 1) {
      return unknownOf('ambiguous column name', ambiguous ? everything(at) : found)
    }
    if (found.length === 1) return found[0]
    if (open.length > 0) return unknownOf('column of a relation whose columns are not known', open)
    if (stored && SYSTEM_COLUMNS.has(name)) return systemColumn(name)
  }
  return undefined
}

/** FROM items of this query and those around that can be named, or whose columns can without them. */
export function visible(scope: Scope, how: 'bare' | 'named'): Item[] {
  const items: Item[] = []
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    for (const entry of at.entries) if (entry[how]) items.push(entry.item)
  }
  return items
}

function everything(scope: Scope): Value[] {
  return scope.entries.filter((entry) => entry.bare).map((entry) => rowOfItem(entry.item))
}

/** A FROM item by name, innermost query first; `ambiguous` when two of a query share it. */
export function lookupItem(
  scope: Scope,
  name: string,
  schema: string | null,
): Item | 'ambiguous' | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    let found: Item | undefined
    for (const { item, named } of at.entries) {
      if (!named || item.name !== name) continue
      if (schema !== null && item.schema !== schema) continue
      if (found !== undefined) return 'ambiguous'
      found = item
    }
    if (found !== undefined) return found
  }
  return undefined
}

/** The column `name` of an item found by name; undefined when it has none such. */
export function lookupIn(item: Item, name: string): Value | undefined {
  const value = columnOf(item, name)
  if (value === 'ambiguous') return asUnknown(rowOfItem(item), 'ambiguous column name')
  if (value !== 'none') return value
  if (item.stored && SYSTEM_COLUMNS.has(name)) return systemColumn(name)
  const open = openOf(item)
  return open === null
    ? undefined
    : unknownOf('column of a relation whose columns are not known', [open])
}

/** An aggregate in this query, or in one inside it over columns from here, depends on the order of rows. */
export function noteOrdered(scope: Scope): void {
  for (let at: Scope | null = scope; at !== null; at = at.parent) at.aggregates.ordered = true
}
