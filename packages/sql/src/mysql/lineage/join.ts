/** Joins of two sides: which columns USING and NATURAL merge, and in which order `*` lists them. */
import { spend } from '../../budget.ts'
import type { ColumnRef } from '../../facts.ts'
import {
  type Column,
  derive,
  either,
  isSameColumn,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type { Join } from '../ast.ts'
import { isSameColumnName } from '../names.ts'
import { compare } from './predicate.ts'
import {
  anyOf,
  columnOf,
  columnsOf,
  type Entry,
  type Item,
  type JoinItem,
  type LeafItem,
  openLeaf,
  openOf,
} from './scope.ts'
import type { Walk } from './walk.ts'

export interface From {
  readonly item: Item
  /** What the item adds to the namespace. */
  readonly entries: readonly Entry[]
}

export function joined(first: From, second: From, merged: readonly Column[]): From {
  const item: JoinItem = { kind: 'join', first: first.item, second: second.item, merged }
  const inner = [...first.entries, ...second.entries].map((entry) => ({ ...entry, bare: false }))
  return { item, entries: [...inner, { item, bare: true }] }
}

/** In the order the first side has them. */
export function usingNames(node: Join, first: Item): readonly string[] {
  const names = node.using.map((column) => column.value)
  if (names.length < 2) return names
  const order = (columnsOf(first) ?? []).map((column) => column.name)
  const place = (name: string) => {
    const index = order.findIndex((other) => isSameColumnName(other, name))
    return index === -1 ? order.length : index
  }
  return names.sort((a, b) => place(a) - place(b))
}

/** Names that both sides have, in the first side's order; null when a side's columns are not known. */
export function commonNames(first: Item, second: Item): readonly string[] | null {
  const firsts = columnsOf(first)
  const seconds = columnsOf(second)
  if (firsts === null || seconds === null) return null
  const names = new Set(seconds.map((column) => column.name.toLowerCase()))
  return firsts.map((column) => column.name).filter((name) => names.has(name.toLowerCase()))
}

export function mergedColumn(
  walk: Walk,
  node: Join,
  { name, first, second }: { readonly name: string; readonly first: From; readonly second: From },
): Column {
  const a = sideValue(first.item, name)
  const b = sideValue(second.item, name)
  compare(walk, a, b)
  for (const value of [a, b]) for (const source of value.sources) walk.draft.column(source)
  if (node.type === 'full') return { name, value: either([a, b], 'full join') }
  return { name, value: mergedValue(walk, a, b) }
}

/** A merged column is the first side's; where rows match both are equal, so the other's protection is kin. */
function mergedValue(walk: Walk, kept: Value, other: Value): Value {
  if (kept.kind !== 'direct' || other.kind !== 'direct') {
    return derive([kept, other], { why: 'merged join column' })
  }
  const source = kept.sources[0]!
  const twin = other.sources[0]!
  if (isSameColumn(source, twin)) return kept
  return { ...kept, sources: [mergedRef(walk, source, twin)] }
}

function mergedRef(walk: Walk, source: ColumnRef, twin: ColumnRef): ColumnRef {
  let known = walk.merged.get(source)
  if (known === undefined) {
    known = new Map()
    walk.merged.set(source, known)
  }
  let ref = known.get(twin)
  if (ref === undefined) {
    const { kin: more = [], ...bare } = twin
    spend(more.length + (source.kin?.length ?? 0))
    ref = { ...source, kin: [...(source.kin ?? []), bare, ...more] }
    known.set(twin, ref)
  }
  return ref
}

function sideValue(item: Item, name: string): Value {
  const value = columnOf(item, name)
  if (value === 'ambiguous') return anyOf(item, 'ambiguous join column')
  if (value !== 'none') return value
  const open = openOf(item)
  return unknownOf('join column not found', open === null ? [] : [open])
}

/** NATURAL over columns not known: which are merged is not known either. */
export function openJoin(left: From, right: From): From {
  const values = [left, right].map((side) => anyOf(side.item, 'join'))
  const item: LeafItem = {
    ...openLeaf(null, 'natural join'),
    open: unknownOf('natural join over columns not known', values),
  }
  const sides = [...left.entries, ...right.entries].map((entry) => ({ ...entry, bare: false }))
  return { item, entries: [...sides, { item, bare: true }] }
}
