/** Transactions, XA and table locks. */
import type { Identifier, LockTables, TableLock, Transaction, UnlockTables, Xa } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { waiting } from './locking.ts'
import { number, objectName } from './names.ts'

type Parts = Pick<Transaction, 'savepoint' | 'characteristics' | 'chain' | 'release'>
const NONE: Parts = { savepoint: null, characteristics: [], chain: null, release: null }

function transaction(
  cursor: Cursor,
  start: number,
  { action, ...parts }: Pick<Transaction, 'action'> & Partial<Parts>,
): Transaction {
  return node(cursor, start, { kind: 'transaction', action, ...NONE, ...parts })
}

/** `BEGIN [WORK]`, where it begins no block. */
export function begin(cursor: Cursor): Transaction {
  const { start } = cursor.expect('BEGIN')
  cursor.accept('WORK')
  return transaction(cursor, start, { action: 'begin' })
}

export function startTransaction(cursor: Cursor): Transaction {
  const { start } = cursor.expect('START')
  cursor.expect('TRANSACTION')
  const characteristics: string[] = []
  while (cursor.isOne('WITH', 'READ')) {
    if (cursor.accept('READ')) characteristics.push(`read ${cursor.expectOne('ONLY', 'WRITE')}`)
    else {
      cursor.expectAll('WITH', 'CONSISTENT', 'SNAPSHOT')
      characteristics.push('with consistent snapshot')
    }
    if (!cursor.accept(',')) break
  }
  return transaction(cursor, start, { action: 'begin', characteristics })
}

export function commit(cursor: Cursor): Transaction {
  const { start } = cursor.expect('COMMIT')
  cursor.accept('WORK')
  return transaction(cursor, start, { action: 'commit', ...completion(cursor) })
}

export function rollback(cursor: Cursor): Transaction {
  const { start } = cursor.expect('ROLLBACK')
  cursor.accept('WORK')
  if (!cursor.accept('TO'))
    return transaction(cursor, start, { action: 'rollback', ...completion(cursor) })
  cursor.accept('SAVEPOINT')
  return transaction(cursor, start, { action: 'rollback to', savepoint: cursor.name() })
}

function completion(cursor: Cursor): Pick<Parts, 'chain' | 'release'> {
  let chain: boolean | null = null
  let release: boolean | null = null
  if (cursor.accept('AND')) {
    chain = !cursor.accept('NO')
    cursor.expect('CHAIN')
  }
  if (cursor.acceptAll('NO', 'RELEASE')) release = false
  else if (cursor.accept('RELEASE')) release = true
  return { chain, release }
}

export function savepoint(cursor: Cursor): Transaction {
  const { start } = cursor.expect('SAVEPOINT')
  return transaction(cursor, start, { action: 'savepoint', savepoint: cursor.name() })
}

export function releaseSavepoint(cursor: Cursor): Transaction {
  const { start } = cursor.expect('RELEASE')
  cursor.expect('SAVEPOINT')
  return transaction(cursor, start, { action: 'release savepoint', savepoint: cursor.name() })
}

export function xa(cursor: Cursor): Xa {
  const { start } = cursor.expect('XA')
  const word = cursor.expectOne('START', 'BEGIN', 'END', 'PREPARE', 'COMMIT', 'ROLLBACK', 'RECOVER')
  const action = word === 'start' ? 'begin' : word
  if (action === 'recover') {
    if (cursor.accept('CONVERT')) cursor.expect('XID')
    else if (cursor.accept('FORMAT')) xaFormat(cursor)
    return node(cursor, start, { kind: 'xa', action })
  }
  xid(cursor)
  if (action === 'begin') cursor.acceptOne('JOIN', 'RESUME')
  if (action === 'end' && cursor.accept('SUSPEND')) cursor.acceptAll('FOR', 'MIGRATE')
  if (action === 'commit') cursor.acceptAll('ONE', 'PHASE')
  return node(cursor, start, { kind: 'xa', action })
}

function xaFormat(cursor: Cursor): void {
  cursor.accept('=')
  if (cursor.token.type !== 'string') cursor.fail('expected a string')
  cursor.next()
}

/** `gtrid [, bqual [, formatID]]`. */
function xid(cursor: Cursor): void {
  xidText(cursor)
  if (!cursor.accept(',')) return
  xidText(cursor)
  if (cursor.accept(',')) number(cursor)
}

function xidText(cursor: Cursor): void {
  if (!['string', 'hex', 'bit'].includes(cursor.token.type)) cursor.fail('expected a string')
  cursor.next()
}

export function lockTables(cursor: Cursor): LockTables {
  const { start } = cursor.expect('LOCK')
  if (cursor.acceptAll('INSTANCE', 'FOR', 'BACKUP'))
    return node(cursor, start, { kind: 'lock-tables', tables: [], instance: true })
  cursor.expectOne('TABLE', 'TABLES')
  const tables = cursor.list(tableLock)
  if (cursor.mariadb) waiting(cursor)
  return node(cursor, start, { kind: 'lock-tables', tables, instance: false })
}

function tableLock(cursor: Cursor): TableLock {
  const { start } = cursor
  const table = objectName(cursor)
  const alias: Identifier | null = cursor.accept('AS') || cursor.isName() ? lockAlias(cursor) : null
  const mode = lockMode(cursor)
  return node(cursor, start, { kind: 'table-lock', table, alias, mode })
}

function lockAlias(cursor: Cursor): Identifier | null {
  return cursor.is('LOW_PRIORITY') ? null : cursor.name()
}

function lockMode(cursor: Cursor): TableLock['mode'] {
  if (cursor.accept('READ')) {
    cursor.accept('LOCAL')
    return 'read'
  }
  cursor.accept('LOW_PRIORITY')
  if (cursor.mariadb) cursor.accept('CONCURRENT')
  cursor.expect('WRITE')
  if (cursor.mariadb) cursor.accept('CONCURRENT')
  return 'write'
}

export function unlockTables(cursor: Cursor): UnlockTables {
  const { start } = cursor.expect('UNLOCK')
  const instance = cursor.accept('INSTANCE')
  if (!instance) cursor.expectOne('TABLE', 'TABLES')
  return node(cursor, start, { kind: 'unlock-tables', instance })
}
