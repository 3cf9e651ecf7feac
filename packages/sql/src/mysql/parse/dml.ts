/** INSERT, REPLACE, UPDATE, DELETE. */
import type {
  Assignment,
  ColumnReference,
  Delete,
  Identifier,
  Insert,
  ObjectName,
  Portion,
  RowAlias,
  SelectItem,
  SystemTime,
  Table,
  Update,
  With,
} from '../ast.ts'
import { startsQuery } from './brackets.ts'
import { type Cursor, node } from './cursor.ts'
import { columnName, objectName } from './names.ts'
import { rowOf, selectItem } from './queries.ts'
import { moment, partitionNames, tableAfter, tableReferences } from './tables.ts'
import { assignment } from './values.ts'
import { limit, orderBy } from './windows.ts'

export function insert(cursor: Cursor): Insert {
  const { start } = cursor
  const verb = cursor.expectOne('INSERT', 'REPLACE')
  const hints = hintText(cursor)
  const modifiers = words(cursor, ['LOW_PRIORITY', 'DELAYED', 'HIGH_PRIORITY', 'IGNORE'])
  cursor.accept('INTO')
  const table = objectName(cursor)
  const partitions = partitionNames(cursor)
  const columns = startsColumns(cursor) ? columnList(cursor) : null
  const source = insertSource(cursor)
  const rowAlias = source.kind !== 'query' && cursor.is('AS') ? aliasOfRow(cursor) : null
  const onDuplicate = cursor.acceptAll('ON', 'DUPLICATE', 'KEY', 'UPDATE') ? updates(cursor) : []
  const returned = returning(cursor)
  const target = { verb, hints, modifiers, table, partitions, columns }
  const rest = { source, rowAlias, onDuplicate, returning: returned }
  return node(cursor, start, { kind: 'insert', ...target, ...rest })
}

/** `(a, b)` in front of the source; `(SELECT ...)` and `((...))` are the source. */
function startsColumns(cursor: Cursor): boolean {
  if (!cursor.is('(')) return false
  const { key } = cursor.peek()
  return !['(', 'SELECT', 'WITH', 'TABLE', 'VALUES'].includes(key)
}

function columnList(cursor: Cursor): ColumnReference[] {
  cursor.expect('(')
  const columns = cursor.is(')') ? [] : cursor.list(columnName)
  cursor.expect(')')
  return columns
}

function insertSource(cursor: Cursor): Insert['source'] {
  const { start } = cursor
  if (cursor.accept('SET'))
    return node(cursor, start, { kind: 'insert-set', assignments: cursor.list(assignment) })
  const rows = cursor.isOne('VALUES', 'VALUE') && cursor.peek().key === '('
  if (!rows) {
    if (!startsQuery(cursor) && !cursor.is('(')) cursor.fail('expected rows or a query')
    return cursor.grammar.query(cursor)
  }
  cursor.next()
  return node(cursor, start, {
    kind: 'insert-rows',
    rows: cursor.list((inner) => rowOf(inner, inner.start)),
  })
}

function aliasOfRow(cursor: Cursor): RowAlias {
  const { start } = cursor.expect('AS')
  const name = cursor.name()
  const columns = cursor.is('(') ? cursor.bracketed(nameOf) : null
  return node(cursor, start, { kind: 'row-alias', name, columns })
}

function updates(cursor: Cursor): Assignment[] {
  cursor.inInsertedValues = true
  const assignments = cursor.list(assignment)
  cursor.inInsertedValues = false
  return assignments
}

export function update(cursor: Cursor, start: number, common: With | null): Update {
  cursor.expect('UPDATE')
  const hints = hintText(cursor)
  const modifiers = words(cursor, ['LOW_PRIORITY', 'IGNORE'])
  const tables = tableReferences(cursor)
  const period = portion(cursor)
  cursor.expect('SET')
  const assignments = cursor.list(assignment)
  const tail = conditions(cursor)
  const head = { with: common, hints, modifiers, tables, portion: period }
  return node(cursor, start, {
    kind: 'update',
    ...head,
    assignments,
    ...tail,
    returning: returning(cursor),
  })
}

function conditions(cursor: Cursor): Pick<Update, 'where' | 'orderBy' | 'limit'> {
  const where = cursor.accept('WHERE') ? cursor.grammar.expression(cursor) : null
  return { where, orderBy: orderBy(cursor), limit: limit(cursor) }
}

/** MariaDB: `FOR PORTION OF p FROM a TO b`. */
function portion(cursor: Cursor): Portion | null {
  const { start } = cursor
  if (!cursor.mariadb || !cursor.acceptAll('FOR', 'PORTION', 'OF')) return null
  const period = cursor.name()
  cursor.expect('FROM')
  const from = cursor.grammar.arithmetic(cursor)
  cursor.expect('TO')
  return node(cursor, start, {
    kind: 'portion',
    period,
    from,
    to: cursor.grammar.arithmetic(cursor),
  })
}

/** MariaDB: RETURNING. */
function returning(cursor: Cursor): SelectItem[] | null {
  return cursor.mariadb && cursor.accept('RETURNING') ? cursor.list(selectItem) : null
}

export function deletion(cursor: Cursor, start: number, common: With | null): Delete {
  cursor.expect('DELETE')
  const hints = hintText(cursor)
  const history = cursor.mariadb && cursor.acceptAll('HISTORY')
  const modifiers = words(cursor, ['LOW_PRIORITY', 'QUICK', 'IGNORE'])
  const head = { with: common, hints, modifiers, history }
  const { targets, from, period } = deletedFrom(cursor, history)
  const tail = conditions(cursor)
  const rest = { portion: period, ...tail, returning: returning(cursor) }
  return node(cursor, start, { kind: 'delete', ...head, targets, from, ...rest })
}

type Deleted = Pick<Delete, 'targets' | 'from'> & { readonly period: Portion | null }

function deletedFrom(cursor: Cursor, history: boolean): Deleted {
  if (!cursor.accept('FROM')) {
    const targets = cursor.list(deleteTarget).map(({ name }) => name)
    cursor.expect('FROM')
    return { targets, from: tableReferences(cursor), period: null }
  }
  const named = cursor.list(deleteTarget)
  const [only] = named
  if (cursor.accept('USING'))
    return { targets: named.map(({ name }) => name), from: tableReferences(cursor), period: null }
  if (only === undefined || named.length > 1 || only.starred) cursor.fail('expected `USING`')
  const period = portion(cursor)
  const table = tableAfter(cursor, only.name.start, only.name)
  const partitions = table.partitions.length > 0 ? table.partitions : partitionNames(cursor)
  const time = history ? beforeTime(cursor) : table.systemTime
  const from = [node(cursor, table.start, { ...table, partitions, systemTime: time } as Table)]
  return { targets: [], from, period: period ?? portion(cursor) }
}

/** `t`, `d.t`, with or without `.*`. */
function deleteTarget(cursor: Cursor): { readonly name: ObjectName; readonly starred: boolean } {
  const { start } = cursor
  const first = cursor.name()
  let database: Identifier | null = null
  let name = first
  let starred = false
  if (cursor.is('.') && cursor.peek().key !== '*') {
    cursor.next()
    database = first
    name = cursor.name()
  }
  if (cursor.acceptAll('.', '*')) starred = true
  return { name: node(cursor, start, { kind: 'object-name', database, name }), starred }
}

/** MariaDB: `DELETE HISTORY FROM t BEFORE SYSTEM_TIME e`, or all of it. */
function beforeTime(cursor: Cursor): SystemTime {
  const { start } = cursor
  if (!cursor.accept('BEFORE'))
    return node(cursor, start, { kind: 'system-time', range: 'history', from: null, to: null })
  cursor.expect('SYSTEM_TIME')
  const from = moment(cursor)
  return node(cursor, start, { kind: 'system-time', range: 'before', from, to: null })
}

function hintText(cursor: Cursor): string | null {
  return cursor.token.type === 'hint' ? cursor.next().value : null
}

/** Those of the words that are there, lower case. */
export function words<K extends string>(cursor: Cursor, known: readonly K[]): Lowercase<K>[] {
  const found: Lowercase<K>[] = []
  for (;;) {
    const word = cursor.acceptOne(...known)
    if (word === null) return found
    found.push(word)
  }
}

function nameOf(cursor: Cursor): Identifier {
  return cursor.name()
}
