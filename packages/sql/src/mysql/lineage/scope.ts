/**
 * Which names an expression can see, and what they stand for: tables of FROM, CTEs, and the queries around.
 * Look-ups go from the innermost query out; a query that has the table but not the column does not stop them
 * (sql_base.cc, find_field_in_tables; item.cc, fix_outer_field).
 */
import { spend } from '../../budget.ts'
import type { CatalogRelation } from '../../catalog.ts'
import {
  asUnknown,
  CONSTANT,
  type Column,
  derive,
  isSameDirect,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type { WindowSpecification } from '../ast.ts'
import { isSameColumnName } from '../names.ts'
import { JOIN_COLUMNS_MAX } from './limits.ts'

export interface LeafItem {
  readonly kind: 'leaf'
  /** As it is compared; null: it cannot be named. */
  readonly name: string | null
  /** Set when the item can be named with its database. */
  readonly database: string | null
  readonly columns: readonly Column[]
  /** Columns that `*` leaves out. */
  readonly invisible: ReadonlySet<Column>
  /** Non-null: it may have columns not listed, with this value. */
  readonly open: Value | null
  /** Has the hidden columns of a stored table. */
  readonly stored: boolean
  /** Certainly this stored table, each of whose rows comes once; null: it may be more. */
  readonly table: CatalogRelation | null
}

export const NO_COLUMNS_HIDDEN: ReadonlySet<Column> = new Set()

/** An item that is no stored table: a derived one, a CTE, the rows of an INSERT. */
export function leafOf(name: string | null, columns: readonly Column[]): LeafItem {
  return {
    kind: 'leaf',
    name,
    database: null,
    columns,
    invisible: NO_COLUMNS_HIDDEN,
    open: null,
    stored: false,
    table: null,
  }
}

export function openLeaf(name: string | null, why: string): LeafItem {
  return { ...leafOf(name, []), open: unknownOf(why) }
}

export interface JoinItem {
  readonly kind: 'join'
  /** The side whose columns `*` lists first. */
  readonly first: Item
  readonly second: Item
  /** Columns of USING or NATURAL: they stand for both sides'. */
  readonly merged: readonly Column[]
}

export type Item = LeafItem | JoinItem

export interface Entry {
  readonly item: Item
  /** Can its columns be named without its name? */
  readonly bare: boolean
}

export interface Cte {
  /** Columns as far as known; forces the analysis of a CTE not reached yet. */
  result(): { readonly columns: readonly Column[]; readonly open: Value | null }
}

export interface Scope {
  readonly parent: Scope | null
  readonly entries: Entry[]
  readonly ctes: Map<string, Cte>
  /** WINDOW definitions by lower-case name. */
  readonly windows: Map<string, WindowSpecification>
  /**
   * Select list so far, for subqueries in the list, in HAVING, GROUP BY and ORDER BY: they may name the
   * outputs of the query around them. Null where they may not.
   */
  outputs: readonly Column[] | null
  /** Expressions of the query itself may name its outputs, too: those of HAVING, GROUP BY and ORDER BY. */
  readonly seesOutputs: boolean
  /** Rows in every group of this query, at least; null when it does not say. */
  groupSize: number | null
}

export function newScope(parent: Scope | null): Scope {
  return {
    parent,
    entries: [],
    ctes: new Map(),
    windows: new Map(),
    outputs: null,
    seesOutputs: false,
    groupSize: null,
  }
}

/** The scope of a derived table without LATERAL: everything around but its neighbours. */
export function withoutEntries(scope: Scope): Scope {
  return { ...scope, entries: [], outputs: null, seesOutputs: false, groupSize: null }
}

export function scopeOf(item: Item, parent: Scope | null = null): Scope {
  return { ...newScope(parent), entries: [{ item, bare: true }] }
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
const INDEXED_COLUMNS_MIN = 3
const AMBIGUOUS = -2

function indexIn(columns: readonly Column[], name: string): number {
  if (columns.length < INDEXED_COLUMNS_MIN) {
    let found = -1
    for (let i = 0; i < columns.length; i++) {
      if (!isSameColumnName(columns[i]!.name, name)) continue
      if (found !== -1) return AMBIGUOUS
      found = i
    }
    return found
  }
  let index = indexes.get(columns)
  if (index === undefined) {
    index = new Map()
    for (let i = 0; i < columns.length; i++) {
      const key = columns[i]!.name.toLowerCase()
      index.set(key, index.has(key) ? AMBIGUOUS : i)
    }
    indexes.set(columns, index)
  }
  return index.get(name) ?? index.get(name.toLowerCase()) ?? -1
}

type Lookup = Value | 'none' | 'ambiguous'

/** The column `name` of an item, whatever else the item may have. */
export function columnOf(item: Item, name: string): Lookup {
  if (item.kind === 'leaf') {
    const index = indexIn(item.columns, name)
    if (index === AMBIGUOUS) return 'ambiguous'
    return index === -1 ? 'none' : item.columns[index]!.value
  }
  spend(1)
  const index = indexIn(item.merged, name)
  if (index === AMBIGUOUS) return 'ambiguous'
  if (index >= 0) return item.merged[index]!.value
  const first = columnOf(item.first, name)
  const second = columnOf(item.second, name)
  if (first === 'none') return second
  return second === 'none' ? first : 'ambiguous'
}

/** All columns in the order `*` gives them; null when not known. */
export function columnsOf(item: Item): readonly Column[] | null {
  if (item.kind === 'leaf') {
    if (item.open !== null) return null
    return item.invisible.size === 0
      ? item.columns
      : item.columns.filter((column) => !item.invisible.has(column))
  }
  const first = columnsOf(item.first)
  const second = columnsOf(item.second)
  if (first === null || second === null) return null
  spend(first.length + second.length)
  if (first.length + second.length > JOIN_COLUMNS_MAX) return null
  if (item.merged.length === 0) return [...first, ...second]
  const rest = (column: Column) => indexIn(item.merged, column.name) === -1
  return [...item.merged, ...first.filter(rest), ...second.filter(rest)]
}

export function openOf(item: Item): Value | null {
  if (item.kind === 'leaf') return item.open
  const first = openOf(item.first)
  const second = openOf(item.second)
  if (first === null || second === null) return first ?? second
  return unknownOf('columns of a join are not known', [first, second])
}

/** Everything that expressions in this scope can see: what a name may be that is not found. */
export function everythingIn(scope: Scope, why: string): Value {
  const values: Value[] = []
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    for (const { item, bare } of at.entries) if (bare) values.push(anyOf(item, why))
  }
  return unknownOf(why, values)
}

/** FROM items of this query and those around. */
export function visible(scope: Scope): Item[] {
  const items: Item[] = []
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    for (const { item } of at.entries) items.push(item)
  }
  return items
}

/** Everything an item may hold, as one value: what an unknown column of it may be. */
export function anyOf(item: Item, why: string): Value {
  const values = [...leaves(item)].flatMap((leaf) => [
    ...leaf.columns.map((column) => column.value),
    ...(leaf.open === null ? [] : [leaf.open]),
  ])
  spend(values.length)
  return unknownOf(why, values)
}

export function* leaves(item: Item): Generator<LeafItem> {
  if (item.kind === 'leaf') yield item
  else {
    yield* leaves(item.first)
    yield* leaves(item.second)
  }
}

const isStored = (item: Item): boolean => {
  for (const leaf of leaves(item)) if (leaf.stored) return true
  return false
}

/** When a row was valid (MariaDB): system columns of a versioned table. */
const VERSION_COLUMNS = /^row_(start|end)$/i

/** A column named without its table; undefined when no query around has one. */
export function lookupBare(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    const value = lookupOwn(at, name)
    const output = at.outputs === null ? undefined : outputNamed(at.outputs, name)
    if (at === scope && at.seesOutputs) {
      const either = columnOrOutput(value, output)
      if (either !== undefined) return either
    } else if (value !== undefined) return value
    else if (at !== scope && output !== undefined) return output
  }
  return undefined
}

/** A name of these clauses may mean either, by rules that differ between them: both are looked at. */
function columnOrOutput(column: Value | undefined, output: Value | undefined): Value | undefined {
  if (column === undefined || output === undefined) return column ?? output
  if (column === output || isSameDirect(column, output)) return column
  return derive([column, output], { why: 'column or output name' })
}

/** As `lookupBare`, in this query alone and without its outputs. */
export function lookupOwn(at: Scope, name: string): Value | undefined {
  const found: Value[] = []
  const open: Value[] = []
  let stored = false
  spend(at.entries.length)
  for (const { item, bare } of at.entries) {
    if (!bare) continue
    const value = columnOf(item, name)
    if (value === 'ambiguous') found.push(anyOf(item, 'ambiguous column name'), CONSTANT)
    else if (value !== 'none') found.push(value)
    const rest = openOf(item)
    if (rest !== null) open.push(rest)
    if (isStored(item)) stored = true
  }
  if (found.length > 1) return unknownOf('ambiguous column name', found)
  if (found.length === 1) return found[0]
  if (open.length > 0) return unknownOf('column of a relation whose columns are not known', open)
  return stored && VERSION_COLUMNS.test(name) ? CONSTANT : undefined
}

/** The output column of that name; of several, any. */
export function outputNamed(outputs: readonly Column[], name: string): Value | undefined {
  const found = outputs.filter((column) => isSameColumnName(column.name, name))
  const [first, ...more] = found.map((column) => column.value)
  if (first === undefined || more.length === 0) return first
  return derive([first, ...more], { why: 'output name' })
}

/** FROM items of that name in one query; two databases may have a table each. */
export function itemsNamed(
  scope: Scope,
  name: string,
  database: string | null,
): readonly LeafItem[] {
  return scope.entries.flatMap(({ item }) => (isNamed(item, name, database) ? item : []))
}

/** The column `table.name`, innermost query first; undefined when none around has it. */
export function lookupQualified(
  scope: Scope,
  {
    table,
    database,
    name,
  }: {
    readonly table: string
    readonly database: string | null
    readonly name: string
  },
): Value | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    let found: Value | undefined
    for (const { item } of at.entries) {
      if (!isNamed(item, table, database)) continue
      const value = lookupIn(item, name)
      if (value === undefined) continue
      found = found === undefined ? value : unknownOf('ambiguous table name', [found, value])
    }
    if (found !== undefined) return found
  }
  return undefined
}

function isNamed(item: Item, name: string, database: string | null): item is LeafItem {
  if (item.kind !== 'leaf' || item.name !== name) return false
  return database === null || item.database === database
}

/** The column `name` of an item found by name; undefined when it has none such. */
export function lookupIn(item: LeafItem, name: string): Value | undefined {
  const value = columnOf(item, name)
  if (value === 'ambiguous') return asUnknown(anyOf(item, 'whole row'), 'ambiguous column name')
  if (value !== 'none') return value
  if (item.stored && VERSION_COLUMNS.test(name)) return CONSTANT
  return item.open === null
    ? undefined
    : unknownOf('column of a relation whose columns are not known', [item.open])
}
