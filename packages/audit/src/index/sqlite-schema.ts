/** The index as a SQLite file beside the log: its tables, and opening it. */

import { closeSync, existsSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { AuditError } from '../errors.ts'
import { INDEX_CACHE_KIB } from '../limits.ts'

const INDEX_FILE = 'index.db'
/** Raised with every change of the tables; an index of another version is built again. */
const SCHEMA_VERSION = 5
const BUSY_MS = 5_000
const BUSY_STEP_MS = 5

const SCHEMA = `
CREATE TABLE position (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, seq INTEGER NOT NULL,
  last_offset INTEGER, last_hash TEXT, unreadable INTEGER NOT NULL
) STRICT;
INSERT INTO position VALUES (1, 1, 0, 0, NULL, NULL, 0);
CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE blocks (
  first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
  first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL
) STRICT;
CREATE INDEX blocks_at ON blocks (first_at, first);
CREATE TABLE block_terms (
  term INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (term, block)
) STRICT, WITHOUT ROWID;
CREATE TABLE block_sessions (
  session INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (session, block)
) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE block_text USING fts5(
  text, content='', contentless_delete=1, detail=none, tokenize="unicode61 tokenchars '_'"
);
CREATE TABLE sessions (
  first INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, terms TEXT NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER, ended TEXT,
  subject TEXT, kind TEXT, role TEXT, connection TEXT, database TEXT, client TEXT, application TEXT,
  graph TEXT, node TEXT, run TEXT,
  statements INTEGER NOT NULL, refused INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_live ON sessions (first) WHERE ended_at IS NULL;
CREATE TABLE session_terms (
  term INTEGER NOT NULL, session INTEGER NOT NULL, PRIMARY KEY (term, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE removed (
  segment INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  since INTEGER NOT NULL, until INTEGER NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, keep_days INTEGER NOT NULL
) STRICT;
PRAGMA user_version = ${SCHEMA_VERSION};
`

export function indexPath(directory: string): string {
  return join(directory, INDEX_FILE)
}

/**
 * Opens the index for writing; makes it when there is none, and anew when it is of another version or broken.
 * Several processes may do so at once: one of them makes it.
 */
export function openIndex(directory: string): Database.Database {
  let db: Database.Database | undefined
  try {
    db = connect(indexPath(directory))
    if (!isCurrent(db)) renewIndex(db, { unless: isCurrent })
    return db
  } catch (error) {
    db?.close()
    if (!isBroken(error)) throw error
  }
  return recreateIndex(directory)
}

/**
 * Empties the index in one transaction, so that whoever reads or writes it meanwhile finds the old one or the
 * new one, and goes on in the same file.
 */
export function renewIndex(
  db: Database.Database,
  { unless = () => false }: { unless?: (db: Database.Database) => boolean } = {},
): void {
  const renew = db.transaction(() => {
    // Another process may have been here while this one waited.
    if (unless(db)) return
    for (const name of ownTables(db)) db.exec(`DROP TABLE "${name}"`)
    db.exec(SCHEMA)
  })
  renew.immediate()
}

/** Throws a broken index away and makes an empty one. */
export function recreateIndex(directory: string): Database.Database {
  const path = indexPath(directory)
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
  const db = connect(path)
  renewIndex(db, { unless: isCurrent })
  return db
}

/** Opens an existing index for reading. @throws AuditError index-unavailable */
export function openIndexForReading(directory: string): Database.Database {
  const path = indexPath(directory)
  let version = 0
  if (!existsSync(path)) throw unmade(directory)
  try {
    const db = new Database(path, { readonly: true, timeout: BUSY_MS })
    version = versionOf(db)
    if (version === SCHEMA_VERSION) return db
    db.close()
  } catch (cause) {
    throw new AuditError('index-unavailable', `index of \`${directory}\` cannot be read`, { cause })
  }
  if (version === 0) throw unmade(directory)
  throw new AuditError('index-unavailable', `index of \`${directory}\` is of another version`)
}

function unmade(directory: string): AuditError {
  return new AuditError('index-unavailable', `\`${directory}\` has no index yet`)
}

/** 0: nothing was made in it yet. */
function versionOf(db: Database.Database): number {
  return Number(db.pragma('user_version', { simple: true }))
}

function isCurrent(db: Database.Database): boolean {
  return versionOf(db) === SCHEMA_VERSION
}

/** Without SQLite's own, and without those a full-text table keeps for itself and drops with it. */
function ownTables(db: Database.Database): string[] {
  const listed = db.prepare<[], { name: string; type: string }>('PRAGMA main.table_list').all()
  return listed
    .filter(({ name, type }) => type !== 'shadow' && !name.startsWith('sqlite_'))
    .map(({ name }) => name)
}

function connect(path: string): Database.Database {
  // SQLite would make it readable to all; its -wal and -shm files take the mode of this one.
  closeSync(openSync(path, 'a', 0o600))
  const db = new Database(path, { timeout: BUSY_MS })
  try {
    enterWal(db)
    // A lost transaction is indexed again from the segments.
    db.pragma('synchronous = NORMAL')
    db.pragma(`cache_size = -${INDEX_CACHE_KIB}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * SQLite does not wait for its busy timeout where several enter WAL mode at once, which only happens to an
 * index just made: this waits in its place.
 */
function enterWal(db: Database.Database): void {
  const deadline = Date.now() + BUSY_MS
  for (;;) {
    try {
      db.pragma('journal_mode = WAL')
      return
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_BUSY' || Date.now() >= deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_STEP_MS)
    }
  }
}

export function isBroken(error: unknown): boolean {
  const code = codeOf(error)
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}

function codeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : ''
}
