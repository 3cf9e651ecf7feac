/**
 * One writer per directory: an exclusive SQLite lock on `lock.db`. The operating system lets go of it when
 * the process dies, however it dies, so there is no stale lock to judge. Not for network file systems.
 */

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { AuditError } from './errors.ts'

export interface DirectoryLock {
  release(): void
}

/** @throws AuditError locked | unavailable */
export function lockDirectory(directory: string): DirectoryLock {
  const db = new Database(join(directory, 'lock.db'), { timeout: 0 })
  try {
    // Nothing is ever written: no journal beside it, and no room needed on a full disk.
    db.pragma('journal_mode = MEMORY')
    db.pragma('locking_mode = EXCLUSIVE')
    db.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    const isBusy = cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY')
    if (!isBusy) throw new AuditError('unavailable', `\`${directory}\` cannot be locked`, { cause })
    throw new AuditError('locked', `another process writes the audit log \`${directory}\``, {
      cause,
    })
  }
  return { release: () => db.close() }
}
