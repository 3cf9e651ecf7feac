/**
 * INSERT, UPDATE, DELETE and MERGE, at top level and inside WITH: what is written where, from what, and
 * the columns of RETURNING.
 */
import type {
  DeleteStmt,
  InsertStmt,
  MergeStmt,
  MergeWhenClause,
  MultiAssignRef,
  Node,
  OnConflictClause,
  RangeVar,
  ResTarget,
  ReturningClause,
  UpdateStmt,
} from 'libpg-query'
import type { ColumnRef } from '../../facts.ts'
import { CONSTANT_WRITES_MAX } from '../../limits.ts'
import {
  CONSTANT,
  flattenConstants,
  lineageOf,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { resolveRelation, useRelation } from '../resolve.ts'
import { as } from '../tree.ts'
import { noteChecks, noteDeleted } from './checked.ts'
import { addCtes } from './cte.ts'
import { addFrom, tableItem } from './from.ts'
import { targetColumns } from './query.ts'
import {
  columnsOf,
  type Item,
  type LeafItem,
  lookupIn,
  newScope,
  openOf,
  type Scope,
} from './scope.ts'
import { NO_COLUMNS, type QueryResult, type Walk } from './walk.ts'

export function insertColumns(walk: Walk, insert: InsertStmt, parent: Scope | null): QueryResult {
  walk.visited.add(insert)
  const scope = newScope(parent)
  addCtes(walk, insert.withClause, scope)
  const target = writtenItem(walk, insert.relation ?? {})
  const select = as(insert.selectStmt, 'SelectStmt')
  const source = select === undefined ? NO_COLUMNS : walk.query(select, newScope(scope))
  const names = insertedNames(walk, insert.cols, target)
  const inserted = new Map<string, Value>()
  names.forEach((name, index) => {
    // INSERT without a column list may give fewer values than there are columns.
    const value = source.columns[index]?.value ?? source.open
    if (value === null || value === undefined) return
    inserted.set(name, value)
    noteWrite(walk, target, { name, value, fresh: true })
  })
  noteChecks(walk, insert.relation ?? {}, { values: inserted, fresh: true })
  if (openOf(target) !== null && insert.cols === undefined) {
    for (const { value } of source.columns) {
      noteWrite(walk, target, { name: '', value, fresh: true })
    }
  }
  if (source.open !== null) {
    noteWrite(walk, target, { name: '', value: source.open, fresh: true })
  }
  if (insert.onConflictClause !== undefined) {
    noteConflict(walk, insert.onConflictClause, {
      target,
      inserted,
      scope,
      name: insert.relation ?? {},
    })
  }
  const inner = { ...newScope(scope), entries: [{ item: target, bare: true, named: true }] }
  return returning(walk, insert.returningClause, {
    target,
    name: insert.relation ?? {},
    scope: inner,
  })
}

function insertedNames(walk: Walk, cols: readonly Node[] | undefined, target: Item): string[] {
  if (cols === undefined) return columnsOf(target)?.map((column) => column.name) ?? []
  return cols.map((node) => {
    const column = as(node, 'ResTarget')
    if (column === undefined) walk.draft.unknown('INSERT column')
    else walk.visited.add(column)
    return column?.name ?? ''
  })
}

/** The relation a statement changes, as its clauses see it. */
function writtenItem(walk: Walk, name: RangeVar): LeafItem {
  for (const candidate of resolveRelation(walk.context, name)) {
    if (candidate.kind !== 'relation') continue
    const { relation } = candidate
    // A rule may do anything else instead.
    if (relation.rules) walk.draft.effect('procedural')
    if (relation.schema === 'pg_catalog' && relation.name === 'pg_settings') {
      walk.draft.effect('session')
      walk.draft.state.push({ kind: 'uncertain', why: 'pg_settings was written' })
    }
  }
  return tableItem(walk, name, { scope: null, access: 'write' })
}

/** Notes that `value` is stored in the column `name` of the target. */
function noteWrite(
  walk: Walk,
  target: Item,
  { name, value, fresh }: { readonly name: string; readonly value: Value; readonly fresh: boolean },
): void {
  const { draft } = walk
  const into = storedColumn(target, name)
  if (value.kind !== 'constant') {
    draft.flows.push({
      lineage: lineageOf(value),
      into:
        into === null
          ? { kind: 'other', what: `a column of ${target.name ?? 'a relation'} that is not known` }
          : { kind: 'column', column: into },
    })
  }
  if (value.varies === 'computed' && into !== null) {
    draft.constantWrites.push({
      column: into,
      value: { kind: 'computed' },
      ...(fresh && { fresh }),
    })
  }
  if (value.constants === null || into === null) return
  draft.literalIndependent = false
  const constants = flattenConstants(value.constants, CONSTANT_WRITES_MAX)
  if (constants === null || draft.constantWrites.length > CONSTANT_WRITES_MAX) {
    draft.unknown(`more than ${CONSTANT_WRITES_MAX} constants are written`)
    return
  }
  for (const constant of constants) {
    draft.constantWrites.push({ column: into, value: constant, ...(fresh && { fresh }) })
  }
}

function storedColumn(target: Item, name: string): ColumnRef | null {
  const value = name === '' ? undefined : lookupIn(target, name)
  return value?.kind === 'direct' ? value.sources[0]! : null
}

function noteConflict(
  walk: Walk,
  clause: OnConflictClause,
  {
    target,
    inserted,
    scope,
    name,
  }: {
    readonly target: LeafItem
    readonly inserted: ReadonlyMap<string, Value>
    readonly scope: Scope
    readonly name: RangeVar
  },
): void {
  const infer = clause.infer
  const ownScope = { ...newScope(scope), entries: [{ item: target, bare: true, named: true }] }
  for (const node of infer?.indexElems ?? []) {
    const element = as(node, 'IndexElem')
    if (element === undefined) walk.draft.unknown('ON CONFLICT target')
    else if (element.expr !== undefined) walk.value(element.expr, ownScope)
  }
  // It selects an index and is never evaluated.
  if (infer?.whereClause !== undefined) walk.value(infer.whereClause, ownScope)
  const columns = (columnsOf(target) ?? []).map((column) => ({
    name: column.name,
    value: inserted.get(column.name) ?? CONSTANT,
  }))
  const excluded: LeafItem = {
    kind: 'leaf',
    name: 'excluded',
    schema: null,
    columns,
    open: openOf(target) === null ? null : unknownOf('excluded row', [...inserted.values()]),
    stored: false,
  }
  const inner: Scope = {
    ...ownScope,
    entries: [...ownScope.entries, { item: excluded, bare: false, named: true }],
  }
  noteAssignments(walk, clause.targetList, { target, scope: inner, name })
  if (clause.whereClause !== undefined) walk.predicate(clause.whereClause, inner)
}

/** SET of an UPDATE, also after ON CONFLICT and in MERGE. */
function noteAssignments(
  walk: Walk,
  nodes: readonly Node[] | undefined,
  {
    target,
    scope,
    name,
  }: { readonly target: Item; readonly scope: Scope; readonly name: RangeVar },
): void {
  const values = new Map<string, Value>()
  for (const node of nodes ?? []) {
    const assignment = as(node, 'ResTarget')
    if (assignment?.val === undefined) {
      walk.draft.unknown('SET without value')
      continue
    }
    walk.visited.add(assignment)
    noteSubscripts(walk, assignment, scope)
    const value = assignedValue(walk, assignment.val, scope)
    const column = assignment.name ?? ''
    values.set(column, value)
    noteWrite(walk, target, { name: column, value, fresh: false })
  }
  noteChecks(walk, name, { values, fresh: false })
}

/** `SET a[i] = ...`: the subscripts are evaluated, too. */
function noteSubscripts(walk: Walk, target: ResTarget, scope: Scope): void {
  for (const step of target.indirection ?? []) {
    const indices = as(step, 'A_Indices')
    for (const bound of [indices?.lidx, indices?.uidx]) {
      if (bound !== undefined) walk.draft.useAll(walk.value(bound, scope), 'predicate')
    }
  }
}

/** The value of one SET column, also of `(a, b) = (SELECT ...)`. */
function assignedValue(walk: Walk, node: Node, scope: Scope): Value {
  const multi = as(node, 'MultiAssignRef') as MultiAssignRef | undefined
  if (multi === undefined) return walk.value(node, scope)
  walk.visited.add(multi)
  const index = (multi.colno ?? 1) - 1
  const link = as(multi.source, 'SubLink')
  if (link !== undefined) {
    walk.value(multi.source!, scope)
    const result = walk.subqueries.get(link) ?? NO_COLUMNS
    return result.columns[index]?.value ?? result.open ?? unknownOf('SET from a subquery')
  }
  const row = multi.source === undefined ? undefined : walk.value(multi.source, scope)
  return row?.row?.[index]?.value ?? unknownOf('SET from a row', row === undefined ? [] : [row])
}

export function updateColumns(walk: Walk, update: UpdateStmt, parent: Scope | null): QueryResult {
  walk.visited.add(update)
  const scope = newScope(parent)
  addCtes(walk, update.withClause, scope)
  const target = writtenItem(walk, update.relation ?? {})
  scope.entries.push({ item: target, bare: true, named: true })
  addFrom(walk, update.fromClause ?? [], scope)
  noteAssignments(walk, update.targetList, { target, scope, name: update.relation ?? {} })
  noteWhere(walk, update.whereClause, scope)
  return returning(walk, update.returningClause, { target, name: update.relation ?? {}, scope })
}

export function deleteColumns(walk: Walk, node: DeleteStmt, parent: Scope | null): QueryResult {
  walk.visited.add(node)
  const scope = newScope(parent)
  addCtes(walk, node.withClause, scope)
  const target = writtenItem(walk, node.relation ?? {})
  scope.entries.push({ item: target, bare: true, named: true })
  addFrom(walk, node.usingClause ?? [], scope)
  noteDeleted(walk, node.relation ?? {})
  noteWhere(walk, node.whereClause, scope)
  return returning(walk, node.returningClause, { target, name: node.relation ?? {}, scope })
}

/** A WHERE without any column (`WHERE true`) restricts nothing. */
function noteWhere(walk: Walk, where: Node | undefined, scope: Scope): void {
  walk.draft.where(where !== undefined && dependsOnRows(where))
  if (where !== undefined) walk.predicate(where, scope)
}

function dependsOnRows(tree: unknown): boolean {
  if (typeof tree !== 'object' || tree === null) return false
  if (Array.isArray(tree)) return tree.some(dependsOnRows)
  for (const [key, child] of Object.entries(tree)) {
    if (key === 'ColumnRef' || key === 'CurrentOfExpr') return true
    if (dependsOnRows(child)) return true
  }
  return false
}

export function mergeColumns(walk: Walk, merge: MergeStmt, parent: Scope | null): QueryResult {
  walk.visited.add(merge)
  const scope = newScope(parent)
  addCtes(walk, merge.withClause, scope)
  const target = writtenItem(walk, merge.relation ?? {})
  if (merge.sourceRelation !== undefined) addFrom(walk, [merge.sourceRelation], scope)
  scope.entries.push({ item: target, bare: true, named: true })
  if (merge.joinCondition !== undefined) walk.predicate(merge.joinCondition, scope)
  for (const node of merge.mergeWhenClauses ?? []) {
    const clause = as(node, 'MergeWhenClause')
    if (clause === undefined) walk.draft.unknown('MERGE without WHEN')
    else noteMergeAction(walk, clause, { target, scope, name: merge.relation ?? {} })
  }
  return returning(walk, merge.returningClause, { target, name: merge.relation ?? {}, scope })
}

function noteMergeAction(
  walk: Walk,
  clause: MergeWhenClause,
  {
    target,
    scope,
    name,
  }: { readonly target: Item; readonly scope: Scope; readonly name: RangeVar },
): void {
  walk.visited.add(clause)
  if (clause.condition !== undefined) walk.predicate(clause.condition, scope)
  switch (clause.commandType) {
    case 'CMD_UPDATE':
      noteAssignments(walk, clause.targetList, { target, scope, name })
      return
    case 'CMD_INSERT': {
      const names = insertedNames(walk, clause.targetList, target)
      const values = new Map<string, Value>()
      clause.values?.forEach((node, index) => {
        const value = walk.value(node, scope)
        values.set(names[index] ?? '', value)
        noteWrite(walk, target, { name: names[index] ?? '', value, fresh: true })
      })
      noteChecks(walk, name, { values, fresh: true })
      return
    }
    case 'CMD_DELETE':
      noteDeleted(walk, name)
      return
    case 'CMD_NOTHING':
      return
    default:
      walk.draft.unknown('MERGE action of a kind not listed')
  }
}

function returning(
  walk: Walk,
  clause: ReturningClause | undefined,
  {
    target,
    name,
    scope,
  }: { readonly target: LeafItem; readonly name: RangeVar; readonly scope: Scope },
): QueryResult {
  if (clause === undefined) return NO_COLUMNS
  walk.draft.effect('read')
  useRelation(walk.context, walk.draft, { name, access: 'read' })
  const aliases = { old: 'old', new: 'new' }
  for (const node of clause.options ?? []) {
    const option = as(node, 'ReturningOption')
    if (option?.option === 'RETURNING_OPTION_OLD') aliases.old = option.value ?? ''
    else if (option?.option === 'RETURNING_OPTION_NEW') aliases.new = option.value ?? ''
    else walk.draft.unknown('RETURNING option')
  }
  const taken = new Set(scope.entries.map((entry) => entry.item.name))
  for (const alias of [aliases.old, aliases.new]) {
    if (taken.has(alias)) continue
    const item: LeafItem = { ...target, name: alias, schema: null }
    scope.entries.push({ item, bare: false, named: true })
  }
  return targetColumns(walk, clause.exprs ?? [], scope)
}
