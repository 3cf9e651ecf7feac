/** Names of objects, columns and accounts, and the words that stand for them. */
import type { Account, Alias, ColumnReference, Identifier, ObjectName, Option } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'

/** `name`, `database.name`, `.name`. */
export function objectName(cursor: Cursor): ObjectName {
  const { start } = cursor
  if (cursor.accept('.')) return object(cursor, start, null, cursor.name())
  const first = cursor.name()
  if (!cursor.accept('.')) return object(cursor, start, null, first)
  return object(cursor, start, first, cursor.name())
}

function object(
  cursor: Cursor,
  start: number,
  database: Identifier | null,
  name: Identifier,
): ObjectName {
  return { kind: 'object-name', start, end: cursor.end, database, name }
}

/** `c`, `t.c`, `d.t.c`. */
export function columnName(cursor: Cursor): ColumnReference {
  const { start } = cursor
  if (cursor.is('.')) cursor.next()
  const names = [cursor.name()]
  while (names.length < 3 && cursor.accept('.')) names.push(cursor.name())
  return column(cursor, start, names)
}

/** One to three names, the column last. */
export function column(
  cursor: Cursor,
  start: number,
  names: readonly Identifier[],
): ColumnReference {
  const name = names.at(-1) as Identifier
  const table = names.length > 1 ? (names.at(-2) as Identifier) : null
  const database = names.length > 2 ? (names.at(-3) as Identifier) : null
  return { kind: 'column', start, end: cursor.end, database, table, name }
}

/** Words after an expression of a select list that are not its alias, though they are names elsewhere. */
const NO_ALIAS = new Set(['SOUNDS', 'MEMBER', 'WINDOW'])

/** `[AS] name`, and for columns `[AS] 'text'`; null where none is written. */
export function alias(cursor: Cursor, of: 'column' | 'table'): Alias | null {
  const { start } = cursor
  const marked = cursor.accept('AS')
  const { token } = cursor
  if (of === 'column' && token.type === 'string') {
    cursor.next()
    // A quoted string of either kind is one.
    return { kind: 'alias', start, end: cursor.end, value: token.value, quote: token.quote }
  }
  if (of === 'table' && marked && cursor.mariadb && token.type === 'string')
    cursor.fail('expected a name')
  if (!cursor.isName() || (!marked && isBarred(cursor, token.key, of))) {
    if (marked) cursor.fail('expected an alias')
    return null
  }
  const { value, quote } = cursor.next()
  return { kind: 'alias', start, end: cursor.end, value, quote }
}

function isBarred(cursor: Cursor, key: string, of: 'column' | 'table'): boolean {
  if (!NO_ALIAS.has(key)) return false
  return of === 'column'
    ? key === 'SOUNDS' || (key === 'MEMBER' && !cursor.mariadb)
    : key === 'WINDOW'
}

/** A name or a string, where the grammar takes either: charsets, collations, engines. */
export function nameOrText(cursor: Cursor): string {
  const { type, value } = cursor.token
  if (type === 'string' || cursor.isName() || cursor.is('BINARY')) {
    cursor.next()
    return value
  }
  return cursor.fail('expected a name or a string')
}

/** A string literal's value. */
export function text(cursor: Cursor): string {
  if (cursor.token.type !== 'string' && cursor.token.type !== 'hex')
    cursor.fail('expected a string')
  return cursor.next().value
}

/** A number as written. */
export function number(cursor: Cursor): string {
  const { type } = cursor.token
  if (type !== 'integer' && type !== 'decimal' && type !== 'float' && type !== 'hex')
    cursor.fail('expected a number')
  return cursor.next().value
}

/** `user`, `'user'@'host'`, CURRENT_USER, and MariaDB's CURRENT_ROLE, NONE, PUBLIC. */
export function account(cursor: Cursor): Account {
  const { start } = cursor
  const keyword = cursor.acceptOne('CURRENT_USER', 'CURRENT_ROLE')
  if (keyword !== null) {
    if (cursor.accept('(')) cursor.expect(')')
    return node(cursor, start, { kind: 'account', name: null, host: null, keyword })
  }
  const { type, key, value } = cursor.token
  if (type !== 'string' && !cursor.isName()) cursor.fail('expected an account')
  cursor.next()
  if (cursor.token.type === 'variable') {
    const host = cursor.next().value
    return node(cursor, start, { kind: 'account', name: value, host, keyword: null })
  }
  if (cursor.mariadb && (key === 'NONE' || key === 'PUBLIC')) {
    const word = key === 'NONE' ? 'none' : 'public'
    return node(cursor, start, { kind: 'account', name: null, host: null, keyword: word })
  }
  return node(cursor, start, { kind: 'account', name: value, host: null, keyword: null })
}

/** An option of words taken since `start`. */
export function option(
  cursor: Cursor,
  start: number,
  name: string,
  value: string | null = null,
): Option {
  return { kind: 'option', start, end: cursor.end, name, value }
}
