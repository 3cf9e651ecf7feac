/**
 * INSERT, REPLACE, UPDATE, DELETE and LOAD DATA: what is written where, from what, and the columns of RETURNING.
 * Each statement is walked in a scope of its own.
 */

import type { Access, ColumnRef } from '../../facts.ts'
import { CONSTANT_WRITES_MAX } from '../../limits.ts'
import {
  asComputed,
  CONSTANT,
  type Column,
  flattenConstants,
  lineageOf,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type {
  Assignment,
  ColumnReference,
  Delete,
  Expression,
  Insert,
  Limit,
  Load,
  ObjectName,
  OrderItem,
  SelectItem,
  Table,
  TableReference,
  Update,
} from '../ast.ts'
import { foldDatabase, foldTable, isSameColumnName } from '../names.ts'
import { useRelation } from '../resolve.ts'
import { noteRowsDeleted, noteWritten } from './checked.ts'
import { addCtes } from './cte.ts'
import { noteVariable } from './expression.ts'
import { addFrom, storedItem, valuesItem } from './from.ts'
import { noteHints } from './hints.ts'
import { listColumns, noteLimit, tablesIn } from './query.ts'
import {
  columnsOf,
  findCte,
  itemsNamed,
  type LeafItem,
  lookupIn,
  newScope,
  openOf,
  type Scope,
  scopeOf,
} from './scope.ts'
import { NO_COLUMNS, type QueryResult, type Walk } from './walk.ts'

export function insertColumns(walk: Walk, insert: Insert): QueryResult {
  walk.visited.add(insert)
  const target = writtenItem(walk, insert.table)
  noteHints(walk, insert.hints, newScope(null))
  const inserted = new Map<string, Value>()
  const write = (name: string, value: Value) => {
    inserted.set(name.toLowerCase(), value)
    noteWrite(walk, target, { name, value, fresh: true })
  }
  const source = insertSource(walk, insert, target)
  const names = insertedNames(walk, insert.columns, target)
  names.forEach((name, index) => {
    const value = source.columns[index]?.value ?? source.open
    if (value !== null) write(name, value)
  })
  // Columns whose names are not known.
  for (const { value } of source.columns.slice(names.length))
    noteWrite(walk, target, { name: '', value, fresh: true })
  if (source.open !== null) noteWrite(walk, target, { name: '', value: source.open, fresh: true })
  if (insert.source.kind === 'insert-set') noteInsertSet(walk, insert.source.assignments, write)
  const all = source.open === null && source.columns.length <= names.length
  noteWritten(walk, insert.table, { values: all ? stored(target, inserted) : null, fresh: true })
  // REPLACE takes away the rows it meets.
  if (insert.verb === 'replace') noteRowsDeleted(walk, insert.table)
  if (insert.rowAlias !== null) walk.visited.add(insert.rowAlias)
  if (insert.onDuplicate.length > 0) noteDuplicate(walk, insert, { target, inserted, source })
  return returning(walk, insert.returning, { table: insert.table, scope: scopeOf(target) })
}

/** Values by place; of INSERT ... SET none, because it names its columns. */
function insertSource(walk: Walk, insert: Insert, target: LeafItem): QueryResult {
  const { source } = insert
  switch (source.kind) {
    case 'query':
      return walk.query(source, null)
    case 'insert-set':
      walk.visited.add(source)
      return NO_COLUMNS
    case 'insert-rows': {
      walk.visited.add(source)
      // Earlier columns of the row are visible as values: `VALUES (1, a + 1)`.
      const scope = scopeOf(target)
      const rows = source.rows.map((row) => {
        walk.visited.add(row)
        return row.items.map((item) => walk.value(item, scope))
      })
      const width = Math.max(0, ...rows.map((row) => row.length))
      const columns = Array.from({ length: width }, (_, index) => ({
        name: '',
        value: listed(rows.flatMap((row) => row[index] ?? [])),
      }))
      return { columns, open: null }
    }
  }
}

/** One cell of every row: all constants of it are written. */
function listed(cells: readonly Value[]): Value {
  const [first = CONSTANT] = cells
  if (cells.length <= 1) return first
  const constants = cells.flatMap((cell) => cell.constants ?? [])
  const other = cells.filter((cell) => cell.kind !== 'constant')
  if (other.length === 0) return asComputed({ ...CONSTANT, constants })
  return { ...mixed(other), constants }
}

function mixed(values: readonly Value[]): Value {
  const [only] = values
  return values.length === 1 && only !== undefined ? only : unite(values)
}

const unite = (values: readonly Value[]): Value => {
  const known = values.every((value) => value.kind !== 'unknown')
  const united = unknownOf('values of several rows', values)
  return known ? { ...united, kind: 'derived' } : united
}

function insertedNames(
  walk: Walk,
  columns: readonly ColumnReference[] | null,
  target: LeafItem,
): readonly string[] {
  if (columns === null) return columnsOf(target)?.map((column) => column.name) ?? []
  return columns.map((column) => {
    walk.visited.add(column)
    return column.name.value
  })
}

function noteInsertSet(
  walk: Walk,
  assignments: readonly Assignment[],
  write: (name: string, value: Value) => void,
): void {
  for (const assignment of assignments) {
    walk.visited.add(assignment)
    walk.visited.add(assignment.column)
    write(assignment.column.name.value, walk.value(assignment.value, newScope(null)))
  }
}

function noteDuplicate(
  walk: Walk,
  insert: Insert,
  {
    target,
    inserted,
    source,
  }: {
    readonly target: LeafItem
    readonly inserted: ReadonlyMap<string, Value>
    readonly source: QueryResult
  },
): void {
  const scope = scopeOf(target)
  const { rowAlias } = insert
  if (rowAlias !== null) {
    const name = foldTable(walk.context.catalog, rowAlias.name.value)
    const item = valuesItem(name, aliasedColumns(insert, { target, inserted }))
    scope.entries.push({ item, bare: true })
  } else if (insert.source.kind === 'query') addSourceTables(walk, insert.source, scope)
  // A column that is not given gets its default.
  walk.inserted = (name) => inserted.get(name.toLowerCase()) ?? source.open ?? CONSTANT
  const values = new Map<string, Value>()
  for (const assignment of insert.onDuplicate) {
    const value = noteAssignment(walk, assignment, { target, scope, fresh: false })
    values.set(assignment.column.name.value.toLowerCase(), value)
  }
  noteWritten(walk, insert.table, { values: stored(target, values), fresh: false })
  walk.inserted = null
}

/** The new row under its alias, with columns renamed. */
function aliasedColumns(
  { rowAlias, columns }: Insert,
  {
    target,
    inserted,
  }: { readonly target: LeafItem; readonly inserted: ReadonlyMap<string, Value> },
): readonly Column[] {
  const names = columns?.map((column) => column.name.value)
  const given = names ?? columnsOf(target)?.map((column) => column.name) ?? []
  const all = rowAlias?.columns === null ? (columnsOf(target) ?? []).map((c) => c.name) : given
  return all.map((name, index) => ({
    name: rowAlias?.columns?.[index]?.value ?? name,
    value: inserted.get(name.toLowerCase()) ?? CONSTANT,
  }))
}

/** ON DUPLICATE KEY UPDATE after a plain SELECT sees the tables it reads. */
function addSourceTables(
  walk: Walk,
  query: Extract<Insert['source'], { kind: 'query' }>,
  scope: Scope,
): void {
  let { body } = query
  while (body.kind === 'query') body = body.body
  if (body.kind !== 'select') return
  const around = newScope(null)
  addCtes(walk, query.with, around)
  addFrom(walk, body.from, around)
  scope.entries.push(...around.entries)
}

function noteAssignment(
  walk: Walk,
  assignment: Assignment,
  {
    target,
    scope,
    fresh,
  }: { readonly target: LeafItem; readonly scope: Scope; readonly fresh: boolean },
): Value {
  walk.visited.add(assignment)
  walk.visited.add(assignment.column)
  const value = walk.value(assignment.value, scope)
  noteWrite(walk, target, { name: assignment.column.name.value, value, fresh })
  return value
}

/** Values by the names that the catalog has for their columns. */
function stored(target: LeafItem, values: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  const names = new Map(target.columns.map(({ name }) => [name.toLowerCase(), name]))
  return new Map([...values].map(([name, value]) => [names.get(name) ?? name, value]))
}

/** A table that a statement changes, under the name its clauses know it by. */
function writtenItem(walk: Walk, table: ObjectName): LeafItem {
  walk.draft.effect('write')
  const name = foldTable(walk.context.catalog, table.name.value)
  return storedItem(walk, { table, name, access: 'write' })
}

/** Notes that `value` is stored in the column `name` of the target. */
function noteWrite(
  walk: Walk,
  target: LeafItem,
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

function storedColumn(target: LeafItem, name: string): ColumnRef | null {
  const value = name === '' ? undefined : lookupIn(target, name)
  return value?.kind === 'direct' ? value.sources[0]! : null
}

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
  }
  const changed = new Set([...written.keys()].map(({ table }) => table))
  noteAccess(walk, update.tables, { scope, changed })
  noteRestrictions(walk, update, scope)
  const table = update.tables.flatMap(tablesIn)[0]?.name ?? null
  return returning(walk, update.returning, { table, scope })
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

/** Also what is behind a view. */
function useAll(walk: Walk, name: ObjectName, access: Access): void {
  for (const candidate of useRelation(walk.context, walk.draft, { name, access })) {
    if (candidate.kind === 'relation') walk.relationColumns(candidate.relation, access)
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

/** MariaDB: rows as they are after the change, of DELETE as they were. */
function returning(
  walk: Walk,
  items: readonly SelectItem[] | null,
  { table, scope }: { readonly table: ObjectName | null; readonly scope: Scope },
): QueryResult {
  if (items === null) return NO_COLUMNS
  walk.draft.effect('read')
  if (table !== null) useAll(walk, table, 'read')
  return listColumns(walk, items, scope)
}

/** LOAD DATA: fields of a file, or of what the client sends, go to columns and variables. */
export function noteLoad(walk: Walk, load: Load): void {
  walk.visited.add(load)
  const { draft } = walk
  const target = writtenItem(walk, load.table)
  draft.literalIndependent = false
  const fields = load.fields ?? []
  const names = load.fields === null ? (columnsOf(target) ?? []).map((column) => column.name) : null
  names?.forEach((name, index) => {
    noteSent(walk, target, { name, field: index, local: load.local })
  })
  fields.forEach((field, index) => {
    walk.visited.add(field)
    if (field.kind === 'user-variable') {
      // What is in a file of the server is not known.
      noteVariable(walk, field, load.local ? CONSTANT : unknownOf('a file of the server'))
    } else noteSent(walk, target, { name: field.name.value, field: index, local: load.local })
  })
  if (load.fields === null && openOf(target) !== null) draft.remark('columns not known')
  const scope = scopeOf(target)
  for (const assignment of load.assignments) {
    noteAssignment(walk, assignment, { target, scope, fresh: true })
  }
  noteWritten(walk, load.table, { values: null, fresh: true })
}

function noteSent(
  walk: Walk,
  target: LeafItem,
  {
    name,
    field,
    local,
  }: { readonly name: string; readonly field: number; readonly local: boolean },
): void {
  const column = storedColumn(target, name)
  if (column !== null && local) {
    walk.draft.constantWrites.push({ column, value: { kind: 'sent', field }, fresh: true })
  }
}
