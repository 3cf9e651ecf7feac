/** DROP. */
import type { AccountStatement, Deallocate, Drop, ObjectName, Option } from '../ast.ts'
import { dropAccounts } from './accounts.ts'
import { type Cursor, node } from './cursor.ts'
import { waiting } from './locking.ts'
import { number, objectName } from './names.ts'
import { optionTable, readOptions } from './options.ts'
import { deallocate } from './prepared.ts'
import { indexName } from './tables.ts'

/** Kinds that take one name; the others take a list. */
const SINGLE = [
  ['DATABASE', 'database'],
  ['SCHEMA', 'database'],
  ['PROCEDURE', 'procedure'],
  ['FUNCTION', 'function'],
  ['TRIGGER', 'trigger'],
  ['EVENT', 'event'],
  ['SERVER', 'server'],
  ['LIBRARY', 'library'],
  ['TABLESPACE', 'tablespace'],
] as const

const DROP_OPTIONS = optionTable({
  flags: 'RESTRICT, CASCADE, WAIT, NO_WAIT, NOWAIT, FORCE',
  valued: 'ENGINE, STORAGE ENGINE, ALGORITHM, LOCK',
})

export function drop(cursor: Cursor): Drop | AccountStatement | Deallocate {
  const { start } = cursor.token
  if (cursor.peek().key === 'PREPARE') return deallocate(cursor)
  cursor.expect('DROP')
  if (cursor.isOne('USER', 'ROLE')) return dropAccounts(cursor, start)
  if (cursor.isOne('INDEX', 'ONLINE', 'OFFLINE')) return dropIndex(cursor, start)
  const temporary = cursor.accept('TEMPORARY')
  const many = cursor.acceptOne('TABLE', 'TABLES', 'VIEW', 'SEQUENCE')
  if (many !== null) {
    const object = many === 'tables' ? 'table' : many
    return dropped(cursor, start, { object, temporary, list: true })
  }
  const found = SINGLE.find(([word]) => cursor.is(word))
  if (found !== undefined) {
    cursor.next()
    return dropped(cursor, start, { object: found[1], temporary: false, list: false })
  }
  return dropOther(cursor, start)
}

function dropped(
  cursor: Cursor,
  start: number,
  { object, temporary, list }: Pick<Drop, 'object' | 'temporary'> & { readonly list: boolean },
): Drop {
  const ifExists = cursor.acceptAll('IF', 'EXISTS')
  const names = list ? cursor.list(objectName) : [objectOrText(cursor)]
  const options: Option[] = readOptions(cursor, DROP_OPTIONS)
  if (cursor.mariadb) waiting(cursor)
  const about = { object, temporary, ifExists, names, table: null, options }
  return node(cursor, start, { kind: 'drop', ...about })
}

function objectOrText(cursor: Cursor): ObjectName {
  if (cursor.token.type !== 'string') return objectName(cursor)
  const { start } = cursor
  return node(cursor, start, { kind: 'object-name', database: null, name: cursor.identifier() })
}

function dropIndex(cursor: Cursor, start: number): Drop {
  cursor.acceptOne('ONLINE', 'OFFLINE')
  cursor.expect('INDEX')
  const ifExists = cursor.acceptAll('IF', 'EXISTS')
  const at = cursor.start
  const names = [
    node(cursor, at, { kind: 'object-name', database: null, name: indexName(cursor) } as const),
  ]
  cursor.expect('ON')
  const table = objectName(cursor)
  if (cursor.mariadb) waiting(cursor)
  const options = readOptions(cursor, DROP_OPTIONS)
  const about = { object: 'index', temporary: false, ifExists, names, table, options } as const
  return node(cursor, start, { kind: 'drop', ...about })
}

function dropOther(cursor: Cursor, start: number): Drop {
  const one = (object: Drop['object']): Drop =>
    dropped(cursor, start, { object, temporary: false, list: false })
  if (cursor.acceptAll('UNDO', 'TABLESPACE')) return one('undo tablespace')
  if (cursor.acceptAll('LOGFILE', 'GROUP')) return one('logfile group')
  if (cursor.acceptAll('RESOURCE', 'GROUP')) return one('resource group')
  cursor.expectAll('SPATIAL', 'REFERENCE', 'SYSTEM')
  const ifExists = cursor.acceptAll('IF', 'EXISTS')
  number(cursor)
  const object = 'spatial reference system'
  const about = { object, temporary: false, ifExists, names: [], table: null, options: [] } as const
  return node(cursor, start, { kind: 'drop', ...about })
}
