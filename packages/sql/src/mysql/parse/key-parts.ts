/** Columns and expressions that a key is made of. */
import type { KeyPart } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { column, number } from './names.ts'

export function keyParts(cursor: Cursor): KeyPart[] {
  return cursor.bracketed(keyPart)
}

function keyPart(cursor: Cursor): KeyPart {
  const { start } = cursor
  if (cursor.is('(')) {
    cursor.next()
    const expression = cursor.grammar.expression(cursor)
    cursor.expect(')')
    return finish(cursor, start, { expression, length: null })
  }
  const name = cursor.name()
  const expression = column(cursor, start, [name])
  let length: string | null = null
  if (cursor.accept('(')) {
    length = number(cursor)
    cursor.expect(')')
  }
  // MariaDB: a period in a unique key.
  cursor.acceptAll('WITHOUT', 'OVERLAPS')
  return finish(cursor, start, { expression, length })
}

function finish(
  cursor: Cursor,
  start: number,
  { expression, length }: Pick<KeyPart, 'expression' | 'length'>,
): KeyPart {
  const descending = cursor.acceptOne('ASC', 'DESC') === 'desc'
  return node(cursor, start, { kind: 'key-part', expression, length, descending })
}
