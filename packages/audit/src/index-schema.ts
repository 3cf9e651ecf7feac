/**
 * The search index: one SQLite file that holds where each record is and what it is searched by. It is a
 * convenience, never evidence: it is built from the segments and can be thrown away and built again.
 */

import { closeSync, existsSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { AuditError } from './errors.ts'
import { INDEX_CACHE_KIB } from './limits.ts'

const INDEX_FILE = 'index.db'
/** Raised with every change of the tables; an index of another version is built again. */
const SCHEMA_VERSION = 1
const BUSY_MS = 5_000

const SCHEMA = `
CREATE TABLE position (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, seq INTEGER NOT NULL,
  last_offset INTEGER, last_hash TEXT, unreadable INTEGER NOT NULL
) STRICT;
INSERT INTO position VALUES (1, 1, 0, 0, NULL, NULL, 0);
CREATE TABLE records (
  seq INTEGER PRIMARY KEY,
  segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
  at INTEGER NOT NULL, type TEXT NOT NULL,
  session TEXT, subject TEXT, connection TEXT, verdict TEXT, rule TEXT, about TEXT,
  statement INTEGER
) STRICT;
CREATE INDEX records_session ON records (session, seq) WHERE session IS NOT NULL;
CREATE INDEX records_subject ON records (subject, seq) WHERE subject IS NOT NULL;
CREATE INDEX records_connection ON records (connection, seq) WHERE connection IS NOT NULL;
CREATE INDEX records_refused ON records (verdict, seq) WHERE verdict IN ('deny', 'approve');
CREATE INDEX records_rule ON records (rule, seq) WHERE rule IS NOT NULL;
CREATE INDEX records_about ON records (about, seq) WHERE about IS NOT NULL;
CREATE INDEX records_statement ON records (statement, seq) WHERE statement IS NOT NULL;
CREATE TABLE relation_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE relation_uses (
  relation INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (relation, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
  session TEXT PRIMARY KEY,
  first_seq INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, ended TEXT,
  subject TEXT, kind TEXT, role TEXT, connection TEXT, database TEXT, client TEXT, application TEXT,
  graph TEXT, node TEXT, run TEXT,
  statements INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX sessions_first ON sessions (first_seq);
CREATE INDEX sessions_subject ON sessions (subject, first_seq);
CREATE INDEX sessions_connection ON sessions (connection, first_seq);
CREATE VIRTUAL TABLE statement_text USING fts5(
  sql, content='', detail=none, columnsize=0, tokenize="unicode61 tokenchars '_'"
);
PRAGMA user_version = ${SCHEMA_VERSION};
`

export function indexPath(directory: string): string {
  return join(directory, INDEX_FILE)
}

/** Opens the index for writing; makes it when there is none or it is of another version or broken. */
export function openIndex(directory: string): Database.Database {
  const path = indexPath(directory)
  try {
    const db = connect(path)
    if (db.pragma('user_version', { simple: true }) === SCHEMA_VERSION) return db
    db.close()
  } catch (error) {
    if (!isBroken(error)) throw error
  }
  return recreateIndex(directory)
}

/** Throws the index away and makes an empty one. */
export function recreateIndex(directory: string): Database.Database {
  const path = indexPath(directory)
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true })
  const db = connect(path)
  db.exec(SCHEMA)
  return db
}

/** Opens an existing index for reading. @throws AuditError index-unavailable */
export function openIndexForReading(directory: string): Database.Database {
  const path = indexPath(directory)
  if (!existsSync(path)) {
    throw new AuditError('index-unavailable', `\`${directory}\` has no index; build it first`)
  }
  try {
    const db = new Database(path, { readonly: true, timeout: BUSY_MS })
    if (db.pragma('user_version', { simple: true }) === SCHEMA_VERSION) return db
    db.close()
  } catch (cause) {
    throw new AuditError('index-unavailable', `index of \`${directory}\` cannot be read`, { cause })
  }
  throw new AuditError('index-unavailable', `index of \`${directory}\` is of another version`)
}

function connect(path: string): Database.Database {
  // SQLite would make it readable to all; its -wal and -shm files take the mode of this one.
  closeSync(openSync(path, 'a', 0o600))
  const db = new Database(path, { timeout: BUSY_MS })
  db.pragma('journal_mode = WAL')
  // A lost transaction is indexed again from the segments.
  db.pragma('synchronous = NORMAL')
  db.pragma(`cache_size = -${INDEX_CACHE_KIB}`)
  return db
}

export function isBroken(error: unknown): boolean {
  const code = error instanceof Database.SqliteError ? error.code : ''
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}
