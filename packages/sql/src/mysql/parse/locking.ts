/** FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE. */
import type { Locking } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { number, objectName } from './names.ts'

export function locking(cursor: Cursor): Locking[] {
  const clauses: Locking[] = []
  for (;;) {
    const clause = lockingClause(cursor)
    if (clause === null) return clauses
    clauses.push(clause)
  }
}

function lockingClause(cursor: Cursor): Locking | null {
  const { start } = cursor
  if (cursor.acceptAll('LOCK', 'IN', 'SHARE', 'MODE')) {
    const wait = cursor.mariadb ? waiting(cursor) : null
    return node(cursor, start, { kind: 'locking', strength: 'share', of: [], wait })
  }
  const update = cursor.acceptAll('FOR', 'UPDATE')
  if (!update && (cursor.mariadb || !cursor.acceptAll('FOR', 'SHARE'))) return null
  const of = !cursor.mariadb && cursor.accept('OF') ? cursor.list(objectName) : []
  const strength = update ? 'update' : 'share'
  return node(cursor, start, { kind: 'locking', strength, of, wait: waiting(cursor) })
}

export function waiting(cursor: Cursor): Locking['wait'] {
  if (cursor.accept('NOWAIT')) return 'nowait'
  if (cursor.acceptAll('SKIP', 'LOCKED')) return 'skip locked'
  if (!cursor.mariadb || !cursor.accept('WAIT')) return null
  number(cursor)
  return 'seconds'
}
