/** Tables of FROM: what columns they bring, in the order and under the names the server gives them. */
import type { CatalogRelation } from '../../catalog.ts'
import type { Access } from '../../facts.ts'
import {
  asComputed,
  asUnknown,
  type Column,
  derive,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type {
  DerivedTable,
  Identifier,
  Join,
  JsonTable,
  JsonTableColumn,
  ObjectName,
  SystemTime,
  Table,
  TableReference,
} from '../ast.ts'
import { foldTable } from '../names.ts'
import { type Candidate, databaseOf, resolveRelation, useRelation } from '../resolve.ts'
import { noteIndexHints } from './hints.ts'
import { commonNames, type From, joined, mergedColumn, openJoin, usingNames } from './join.ts'
import {
  findCte,
  type LeafItem,
  leafOf,
  NO_COLUMNS_HIDDEN,
  newScope,
  openLeaf,
  type Scope,
  withoutEntries,
} from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

/** Adds the tables of a FROM list to the scope, left to right. */
export function addFrom(walk: Walk, nodes: readonly TableReference[], scope: Scope): void {
  for (const node of nodes) scope.entries.push(...fromItem(walk, node, scope).entries)
}

function leaf(item: LeafItem): From {
  return { item, entries: [{ item, bare: true }] }
}

function fromItem(walk: Walk, node: TableReference, scope: Scope): From {
  walk.visited.add(node)
  switch (node.kind) {
    case 'table':
      return leaf(tableItem(walk, node, scope))
    case 'derived-table':
      return leaf(derivedItem(walk, node, scope))
    case 'json-table':
      return leaf(jsonItem(walk, node, scope))
    case 'join':
      return joinItem(walk, node, scope)
    case 'table-group':
      return groupItem(walk, node.items, scope)
    default: {
      const { kind } = node satisfies never as { kind: string }
      walk.draft.unknown(`FROM item of kind ${kind}`)
      return leaf(openLeaf(null, `FROM item of kind ${kind}`))
    }
  }
}

/** `(t1, t2)` in brackets: a cross join of them. */
function groupItem(walk: Walk, nodes: readonly TableReference[], scope: Scope): From {
  const before = scope.entries.length
  const froms: From[] = []
  for (const node of nodes) {
    const from = fromItem(walk, node, scope)
    froms.push(from)
    // Later ones see the earlier if they are LATERAL.
    scope.entries.push(...from.entries)
  }
  scope.entries.length = before
  const [first, ...rest] = froms
  if (first === undefined) return leaf(openLeaf(null, 'empty brackets in FROM'))
  return rest.reduce((all, next) => joined(all, next, []), first)
}

function renamed(
  columns: readonly Column[],
  names: readonly Identifier[] | null,
): readonly Column[] {
  if (names === null) return columns
  return columns.map((column, index) => {
    const name = names[index]?.value
    return name === undefined ? column : { name, value: column.value }
  })
}

/** A derived table or CTE under its name; its own columns, renamed. */
export function resultItem(
  name: string | null,
  { columns, open }: QueryResult,
  names: readonly Identifier[] | null,
): LeafItem {
  return { ...leafOf(name, renamed(columns, names)), open }
}

function tableItem(walk: Walk, node: Table, scope: Scope): LeafItem {
  const { catalog } = walk.context
  const alias = node.alias === null ? null : foldTable(catalog, node.alias.value)
  const name = alias ?? foldTable(catalog, node.name.name.value)
  noteTime(walk, node.systemTime, scope)
  if (node.sample !== null) {
    walk.draft.useAll(walk.value(node.sample, newScope(scope.parent)), 'cardinality')
  }
  const cte =
    node.name.database === null
      ? findCte(scope, foldTable(catalog, node.name.name.value))
      : undefined
  if (cte !== undefined) return resultItem(name, cte.result(), null)
  const item = storedItem(walk, {
    table: node.name,
    name,
    access: walk.targets.has(node) ? null : 'read',
  })
  noteIndexHints(walk, node.hints, item)
  // Of a versioned table a row may come in several versions.
  return node.systemTime === null ? item : { ...item, table: null }
}

/** Which versions of rows are looked at. */
function noteTime(walk: Walk, time: SystemTime | null, scope: Scope): void {
  if (time === null) return
  walk.visited.add(time)
  for (const moment of [time.from, time.to]) {
    if (moment === null) continue
    walk.draft.useAll(walk.value(moment, newScope(scope.parent)), 'cardinality')
  }
}

/** A stored or temporary table, or a view, under `name`. */
export function storedItem(
  walk: Walk,
  {
    table,
    name,
    access,
  }: { readonly table: ObjectName; readonly name: string; readonly access: Access | null },
): LeafItem {
  const candidates =
    access === null
      ? resolveRelation(walk.context, table)
      : useRelation(walk.context, walk.draft, { name: table, access })
  const { columns, open } = candidateColumns(walk, candidates, access)
  return {
    kind: 'leaf',
    name,
    database: databaseOf(walk.context, table),
    columns,
    invisible: invisibleOf(candidates, columns),
    open,
    stored: true,
    table: tableOf(candidates),
  }
}

function tableOf(candidates: readonly Candidate[]): CatalogRelation | null {
  const [only] = candidates
  if (candidates.length !== 1 || only?.kind !== 'relation') return null
  return only.relation.kind === 'table' ? only.relation : null
}

const invisibles = new WeakMap<readonly Column[], ReadonlySet<Column>>()

function invisibleOf(
  candidates: readonly Candidate[],
  columns: readonly Column[],
): ReadonlySet<Column> {
  const [only] = candidates
  if (candidates.length !== 1 || only?.kind !== 'relation') return NO_COLUMNS_HIDDEN
  const { relation } = only
  if (relation.columns.every((column) => column.invisible !== true)) return NO_COLUMNS_HIDDEN
  let known = invisibles.get(columns)
  if (known === undefined) {
    known = new Set(columns.filter((_, index) => relation.columns[index]?.invisible === true))
    invisibles.set(columns, known)
  }
  return known
}

function candidateColumns(
  walk: Walk,
  candidates: readonly Candidate[],
  access: Access | null,
): QueryResult {
  const lists = candidates.map((candidate) => columnsOfCandidate(walk, candidate, access))
  const [only] = lists
  if (lists.length === 1 && only !== undefined) return only
  // More than one relation may be meant: every column may be any of theirs.
  const why = 'relation name is ambiguous in this session'
  const all = lists.flatMap((list) => list.columns)
  const names = new Set(all.map((column) => column.name.toLowerCase()))
  const columns = [...names].map((name) => {
    const values = all.flatMap((column) =>
      column.name.toLowerCase() === name ? [column.value] : [],
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

function columnsOfCandidate(walk: Walk, candidate: Candidate, access: Access | null): QueryResult {
  switch (candidate.kind) {
    case 'relation':
      return { columns: walk.relationColumns(candidate.relation, access), open: null }
    case 'temporary': {
      const { database, name, columns } = candidate
      if (columns === null) {
        return { columns: [], open: unknownOf('columns of a temporary table are not known') }
      }
      return { columns: walk.temporaryColumns({ database, name, columns }), open: null }
    }
    case 'unresolved': {
      const blind = walk.context.catalog === null
      const why = blind ? 'no catalog' : 'relation not found in the catalog'
      return { columns: [], open: unknownOf(why) }
    }
  }
}

function derivedItem(walk: Walk, node: DerivedTable, scope: Scope): LeafItem {
  const around = node.lateral ? scope : withoutEntries(scope)
  noteTime(walk, node.systemTime, scope)
  const result = walk.query(node.query, around)
  const name = node.alias === null ? null : foldTable(walk.context.catalog, node.alias.value)
  return resultItem(name, result, node.columns)
}

/** JSON_TABLE sees the tables to its left. */
function jsonItem(walk: Walk, node: JsonTable, scope: Scope): LeafItem {
  const document = walk.value(node.document, scope)
  walk.visited.add(node.path)
  walk.draft.useAll(document, 'cardinality')
  if (document.type !== 'json') walk.draft.useAll(document, 'failure')
  const columns: Column[] = []
  addJsonColumns(walk, node.columns, { document, columns, scope })
  const name = node.alias === null ? null : foldTable(walk.context.catalog, node.alias.value)
  return leafOf(name, columns)
}

function addJsonColumns(
  walk: Walk,
  nodes: readonly JsonTableColumn[],
  into: { readonly document: Value; readonly columns: Column[]; readonly scope: Scope },
): void {
  for (const node of nodes) {
    walk.visited.add(node)
    for (const part of [node.path, node.type]) if (part !== null) walk.visited.add(part)
    const defaults = node.defaults.map((value) => walk.value(value, into.scope))
    if (node.name !== null) {
      const value = derive([into.document, ...defaults], { why: 'json_table', mayFail: true })
      into.columns.push({ name: node.name.value, value: asComputed(value) })
    }
    addJsonColumns(walk, node.columns, into)
  }
}

function joinItem(walk: Walk, node: Join, scope: Scope): From {
  const left = fromItem(walk, node.left, scope)
  // The right side sees the left one if it is LATERAL.
  const before = scope.entries.length
  scope.entries.push(...left.entries)
  const right = fromItem(walk, node.right, scope)
  scope.entries.length = before
  if (node.on !== null) {
    // ON sees both sides, not the neighbours of the join.
    const inside = { ...scope, entries: [...left.entries, ...right.entries] }
    walk.predicate(node.on, inside)
  }
  const [first, second] = node.type === 'right' ? [right, left] : [left, right]
  const names = node.natural ? commonNames(first.item, second.item) : usingNames(node, first.item)
  if (names === null) return openJoin(left, right)
  const merged = names.map((name) => mergedColumn(walk, node, { name, first, second }))
  // Without merged columns `*` lists the sides as they were written.
  return merged.length === 0 ? joined(left, right, []) : joined(first, second, merged)
}
