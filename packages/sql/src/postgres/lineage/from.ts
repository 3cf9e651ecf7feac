/** FROM items: what columns they bring, in the order and under the names the server gives them. */
import type { Alias, JoinExpr, Node, RangeSubselect, RangeVar } from 'libpg-query'
import { spend } from '../../budget.ts'
import type { Access, ColumnRef } from '../../facts.ts'
import {
  asUnknown,
  type Column,
  derive,
  either,
  isSameColumn,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { type Candidate, isStale, useRelation } from '../resolve.ts'
import { as, stringsOf, unwrap } from '../tree.ts'
import { compare } from './predicate.ts'
import { rangeFunction, rangeTable } from './range-function.ts'
import {
  columnOf,
  columnsOf,
  type Entry,
  findCte,
  type Item,
  type JoinItem,
  type LeafItem,
  newScope,
  openOf,
  type Scope,
  withoutEntries,
} from './scope.ts'
import type { Walk } from './walk.ts'

interface From {
  readonly item: Item
  /** What the item adds to the namespace. */
  readonly entries: readonly Entry[]
}

/** Adds the items of a FROM list to the scope, left to right. */
export function addFrom(walk: Walk, nodes: readonly Node[], scope: Scope): void {
  for (const node of nodes) scope.entries.push(...fromItem(walk, node, scope).entries)
}

function leaf(item: LeafItem): From {
  return { item, entries: [{ item, bare: true, named: item.name !== null }] }
}

function fromItem(walk: Walk, node: Node, scope: Scope): From {
  const [type, fields] = unwrap(node)
  walk.visited.add(fields)
  switch (type) {
    case 'RangeVar':
      return leaf(tableItem(walk, fields as RangeVar, { scope, access: 'read' }))
    case 'RangeSubselect':
      return leaf(subselectItem(walk, fields as RangeSubselect, scope))
    case 'JoinExpr':
      return joinItem(walk, fields as JoinExpr, scope)
    case 'RangeFunction':
      return leaf(rangeFunction(walk, fields, scope))
    case 'RangeTableFunc':
    case 'JsonTable':
      return leaf(rangeTable(walk, type, fields, scope))
    case 'RangeTableSample': {
      const sample = fields as { relation?: Node; args?: Node[]; repeatable?: Node }
      for (const arg of [...(sample.args ?? []), sample.repeatable]) {
        if (arg !== undefined) walk.draft.useAll(walk.value(arg, scope), 'cardinality')
      }
      if (sample.relation !== undefined) return fromItem(walk, sample.relation, scope)
      break
    }
  }
  walk.draft.unknown(`FROM item of type ${type}`)
  return leaf(openLeaf(null, `FROM item of type ${type}`))
}

function openLeaf(name: string | null, why: string): LeafItem {
  return { kind: 'leaf', name, schema: null, columns: [], open: unknownOf(why), stored: false }
}

/** Column names of an alias replace the first so many of the item's. */
export function renamed(columns: readonly Column[], alias: Alias | undefined): readonly Column[] {
  const names = stringsOf(alias?.colnames)
  if (names.length === 0) return columns
  return columns.map((column, index) => {
    const name = names[index]
    return name === undefined ? column : { name, value: column.value }
  })
}

/** A table, view or CTE by name. */
export function tableItem(
  walk: Walk,
  name: RangeVar,
  { scope, access }: { readonly scope: Scope | null; readonly access: Access },
): LeafItem {
  walk.visited.add(name)
  const relname = name.relname ?? ''
  const alias = name.alias?.aliasname
  const cte =
    name.schemaname === undefined && access === 'read' ? findCte(scope, relname) : undefined
  if (cte !== undefined) {
    const { columns, open } = cte.result()
    return {
      kind: 'leaf',
      name: alias ?? relname,
      schema: null,
      columns: renamed(columns, name.alias),
      open,
      stored: false,
    }
  }
  const candidates = useRelation(walk.context, walk.draft, { name, access })
  const { columns, open } = candidateColumns(walk, candidates, access)
  const only = candidates.length === 1 ? candidates[0] : undefined
  const schema = only?.kind === 'relation' ? only.relation.schema : null
  return {
    kind: 'leaf',
    name: alias ?? relname,
    schema: alias === undefined ? (schema ?? name.schemaname ?? null) : null,
    // Which columns have these names is not known where there may be others between them.
    columns: open !== null && name.alias?.colnames ? [] : renamed(columns, name.alias),
    open: open !== null && name.alias?.colnames ? withAll(open, columns) : open,
    stored: true,
    ...(only?.kind === 'relation' && TABLES.has(only.relation.kind) && { table: only.relation }),
  }
}
const TABLES = new Set(['table', 'partitioned-table'])

function candidateColumns(
  walk: Walk,
  candidates: readonly Candidate[],
  access: Access,
): { readonly columns: readonly Column[]; readonly open: Value | null } {
  const lists = candidates.map((candidate) => columnsOfCandidate(walk, candidate, access))
  const [only] = lists
  if (lists.length === 1 && only !== undefined) {
    return only ?? { columns: [], open: unknownOf(unresolvedWhy(walk)) }
  }
  // More than one relation may be meant: every column may be any of theirs.
  const why = 'relation name is ambiguous in this session'
  const known = lists.filter((list) => list !== null)
  const names = new Set(known.flatMap((list) => list.columns.map((column) => column.name)))
  const columns = [...names].map((name) => {
    const values = known.flatMap((list) =>
      list.columns.filter((column) => column.name === name).map((column) => column.value),
    )
    return { name, value: asUnknown(derive(values, { why }), why) }
  })
  return {
    columns,
    open: unknownOf(
      why,
      columns.map((column) => column.value),
    ),
  }
}

function unresolvedWhy(walk: Walk): string {
  return walk.context.catalog === null ? 'no catalog' : 'relation not found in the catalog'
}

function columnsOfCandidate(
  walk: Walk,
  candidate: Candidate,
  access: Access,
): { readonly columns: readonly Column[]; readonly open: Value | null } | null {
  switch (candidate.kind) {
    case 'relation':
      return {
        columns: walk.relationColumns(candidate.relation, access),
        open: isStale(walk.context, candidate.relation) ? unknownOf(STALE) : null,
      }
    case 'temporary':
      return candidate.columns === null
        ? { columns: [], open: unknownOf('columns of a temporary relation are not known') }
        : { columns: walk.temporaryColumns(candidate.name, candidate.columns), open: null }
    case 'unresolved':
      return null
  }
}

const withAll = (open: Value, columns: readonly Column[]): Value =>
  unknownOf(STALE, [open, ...columns.map(({ value }) => value)])

const STALE = 'a change of the schema may have changed the columns'

function subselectItem(walk: Walk, range: RangeSubselect, scope: Scope): LeafItem {
  const select = as(range.subquery, 'SelectStmt')
  const name = range.alias?.aliasname ?? null
  if (select === undefined) {
    walk.draft.unknown('subquery in FROM that is not a SELECT')
    return openLeaf(name, 'subquery in FROM that is not a SELECT')
  }
  const around = range.lateral === true ? scope : withoutEntries(scope)
  const { columns, open } = walk.query(select, newScope(around))
  return {
    kind: 'leaf',
    name,
    schema: null,
    columns: renamed(columns, range.alias),
    open,
    stored: false,
  }
}

function joinItem(walk: Walk, join: JoinExpr, scope: Scope): From {
  const left = sideOf(walk, join.larg, scope)
  // The right side sees the left one if it is LATERAL.
  const before = scope.entries.length
  scope.entries.push(...left.entries)
  const right = sideOf(walk, join.rarg, scope)
  scope.entries.length = before
  const using = join.isNatural === true ? naturalColumns(left.item, right.item) : usingNames(join)
  const merged =
    using === null ? null : using.map((name) => mergedColumn(walk, join, { name, left, right }))
  const item: JoinItem = {
    kind: 'join',
    name: null,
    schema: null,
    left: left.item,
    right: right.item,
    merged: merged ?? [],
    open: null,
    stored: false,
  }
  const entries = joinEntries({ join, item, left, right, open: merged === null })
  if (join.quals !== undefined) {
    // ON sees both sides, not the neighbours of the join; of the surroundings, what LATERAL would.
    const inside = { ...newScope(scope), entries: [...left.entries, ...right.entries] }
    walk.predicate(join.quals, inside)
  }
  return entries
}

function sideOf(walk: Walk, node: Node | undefined, scope: Scope): From {
  if (node !== undefined) return fromItem(walk, node, scope)
  walk.draft.unknown('JOIN without a side')
  return leaf(openLeaf(null, 'JOIN without a side'))
}

const usingNames = (join: JoinExpr): readonly string[] => stringsOf(join.usingClause)

/** Names that both sides have, in the left side's order; null when a side's columns are not known. */
function naturalColumns(left: Item, right: Item): readonly string[] | null {
  const leftColumns = columnsOf(left)
  const rightColumns = columnsOf(right)
  if (leftColumns === null || rightColumns === null) return null
  const names = new Set(rightColumns.map((column) => column.name))
  return leftColumns.map((column) => column.name).filter((name) => names.has(name))
}

function mergedColumn(
  walk: Walk,
  join: JoinExpr,
  { name, left, right }: { readonly name: string; readonly left: From; readonly right: From },
): Column {
  const l = sideValue(left.item, name)
  const r = sideValue(right.item, name)
  compare(walk, l, r)
  for (const value of [l, r]) for (const source of value.sources) walk.draft.column(source)
  return { name, value: mergedValue(walk, join, l, r) }
}

/**
 * An inner or left join's merged column is the left side's, a right join's the right side's, a full
 * join's either. Where rows match both are equal, so the other side's protection is kin.
 */
function mergedValue(walk: Walk, join: JoinExpr, left: Value, right: Value): Value {
  if (join.jointype === 'JOIN_FULL') return either([left, right], 'full join')
  const [kept, other] = join.jointype === 'JOIN_RIGHT' ? [right, left] : [left, right]
  if (kept.kind !== 'direct' || other.kind !== 'direct') {
    return derive([left, right], { why: 'merged join column' })
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
  if (value === 'ambiguous') return unknownOf('ambiguous join column')
  if (value !== 'none') return value
  const open = openOf(item)
  return unknownOf('join column not found', open === null ? [] : [open])
}

function joinEntries({
  join,
  item,
  left,
  right,
  open,
}: {
  readonly join: JoinExpr
  readonly item: JoinItem
  readonly left: From
  readonly right: From
  readonly open: boolean
}): From {
  if (open) {
    // NATURAL over columns not known: which are merged is not known either.
    const inner = derive([openOrRow(left.item), openOrRow(right.item)], { why: 'natural join' })
    const unknown = { ...openLeaf(join.alias?.aliasname ?? null, 'natural join') }
    const all = { ...unknown, open: asUnknown(inner, 'natural join over columns not known') }
    const sides = [...left.entries, ...right.entries].map((entry) => ({ ...entry, bare: false }))
    return { item: all, entries: [...sides, { item: all, bare: true, named: all.name !== null }] }
  }
  if (join.alias !== undefined) {
    const columns = columnsOf(item)
    const named: LeafItem = {
      kind: 'leaf',
      name: join.alias.aliasname ?? null,
      schema: null,
      columns: renamed(columns ?? [], join.alias),
      open: columns === null ? openOf(item) : null,
      stored: false,
    }
    // An alias of the whole join hides the names inside.
    return leaf(named)
  }
  const inner = [...left.entries, ...right.entries].map((entry) =>
    entry.bare ? { item: entry.item, bare: false, named: entry.named } : entry,
  )
  const entries: Entry[] = [...inner, { item, bare: true, named: false }]
  if (join.join_using_alias !== undefined) {
    const alias: LeafItem = {
      kind: 'leaf',
      name: join.join_using_alias.aliasname ?? null,
      schema: null,
      columns: item.merged,
      open: null,
      stored: false,
    }
    entries.push({ item: alias, bare: false, named: true })
  }
  return { item, entries }
}

function openOrRow(item: Item): Value {
  const open = openOf(item)
  const columns = item.kind === 'leaf' ? item.columns.map((column) => column.value) : []
  const parts = open === null ? columns : [...columns, open]
  const known = columnsOf(item)?.map((column) => column.value) ?? []
  return derive([...parts, ...known], { why: 'join' })
}
