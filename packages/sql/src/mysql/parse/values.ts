/** Values that are written: in rows, and in assignments to columns. */
import type { Assignment, Expression } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { columnName } from './names.ts'

/** What may stand behind a whole value. */
const BEHIND = new Set([',', ')', ';', 'WHERE', 'ORDER', 'LIMIT', 'ON', 'RETURNING'])

/** An expression, DEFAULT, or MariaDB's IGNORE. */
export function value(cursor: Cursor): Expression {
  const { start } = cursor
  const follows = cursor.peek()
  const last = follows.type === 'end' || BEHIND.has(follows.key)
  if (cursor.mariadb && cursor.is('IGNORE') && last) {
    cursor.next()
    return node(cursor, start, { kind: 'ignore-value' })
  }
  return cursor.grammar.expression(cursor)
}

/** `c = e`. */
export function assignment(cursor: Cursor): Assignment {
  const { start } = cursor
  const column = columnName(cursor)
  if (!cursor.accept('=')) cursor.expect(':=')
  return node(cursor, start, { kind: 'assignment', column, value: value(cursor) })
}
