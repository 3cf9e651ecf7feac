/** INSERT and REPLACE: what is written where, from what. */
import { CONSTANT, type Column, unknownOf, type Value } from '../../lineage/value.ts'
import type { Assignment, ColumnReference, Insert } from '../ast.ts'
import { foldTable } from '../names.ts'
import { noteRowsDeleted, noteWritten } from './checked.ts'
import { addCtes } from './cte.ts'
import { addFrom } from './from.ts'
import { noteHints } from './hints.ts'
import { columnsOf, type LeafItem, leafOf, newScope, type Scope, scopeOf } from './scope.ts'
import { NO_COLUMNS, type QueryResult, type Walk } from './walk.ts'
import {
  noteAssignment,
  noteReplaced,
  noteWrite,
  returning,
  stored,
  writtenItem,
} from './writes.ts'

export function insertColumns(walk: Walk, insert: Insert): QueryResult {
  walk.visited.add(insert)
  const target = writtenItem(walk, insert.table)
  noteHints(walk, insert.hints, newScope(null))
  const inserted = new Map<string, Value>()
  const write = (name: string, value: Value) => {
    inserted.set(name.toLowerCase(), value)
    // REPLACE may well write over a stored row.
    noteWrite(walk, target, { name, value, fresh: insert.verb !== 'replace' })
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
  if (insert.verb === 'replace') {
    noteRowsDeleted(walk, insert.table)
    for (const [name, value] of inserted) noteReplaced(walk, target, name, value)
  }
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
  if (other.length === 0) {
    const computed = cells.some((cell) => cell.varies === 'computed')
    return { ...CONSTANT, constants, varies: computed ? 'computed' : 'listed' }
  }
  return { ...mixed(other), constants, oneOf: null }
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
    const item = leafOf(name, aliasedColumns(insert, { target, inserted }))
    scope.entries.push({ item, bare: true })
  } else if (insert.source.kind === 'query') addSourceTables(walk, insert.source, scope)
  // A column that is not given gets its default.
  walk.inserted = (name) => inserted.get(name.toLowerCase()) ?? source.open ?? CONSTANT
  const values = new Map<string, Value>()
  for (const assignment of insert.onDuplicate) {
    const value = noteAssignment(walk, assignment, { target, scope, fresh: false })
    noteReplaced(walk, target, assignment.column.name.value, value)
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
