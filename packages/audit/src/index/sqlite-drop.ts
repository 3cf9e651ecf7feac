/** What the SQLite index holds of removed segments leaves it: blocks, words, sessions with nothing else, terms of nobody. */

import type Database from 'better-sqlite3'
import type { RemovedSegment } from './store.ts'

/** Blocks are no more than 512 records each: what a segment has of them is thousands, the tables around are gone through. */
const DROP = `
CREATE TEMP TABLE gone_blocks AS
  SELECT first AS block FROM blocks WHERE segment IN (SELECT value FROM json_each(@segments));
CREATE TEMP TABLE gone_sessions AS
  SELECT DISTINCT session FROM block_sessions WHERE block IN (SELECT block FROM gone_blocks);
DELETE FROM block_text WHERE rowid IN (SELECT block FROM gone_blocks);
DELETE FROM block_sessions WHERE block IN (SELECT block FROM gone_blocks);
DELETE FROM block_terms WHERE block IN (SELECT block FROM gone_blocks);
DELETE FROM blocks WHERE first IN (SELECT block FROM gone_blocks);
DELETE FROM gone_sessions
  WHERE EXISTS (SELECT 1 FROM block_sessions b WHERE b.session = gone_sessions.session);
DELETE FROM session_terms WHERE session IN (SELECT session FROM gone_sessions);
DELETE FROM sessions WHERE first IN (SELECT session FROM gone_sessions);
DELETE FROM terms WHERE id NOT IN (SELECT term FROM block_terms UNION SELECT term FROM session_terms);
DROP TABLE gone_blocks;
DROP TABLE gone_sessions`

/** Inside a transaction. */
export function dropSegments(db: Database.Database, removed: readonly RemovedSegment[]): void {
  const segments = JSON.stringify(removed.map(({ segment }) => segment))
  // What is deleted is to be gone from the file, too.
  db.pragma('secure_delete = ON')
  for (const sql of DROP.split(';')) {
    const statement = db.prepare(sql)
    if (sql.includes('@segments')) statement.run({ segments })
    else statement.run()
  }
  db.pragma('secure_delete = OFF')
  const note = db.prepare('INSERT OR REPLACE INTO removed VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  for (const { segment, firstSeq, lastSeq, since, until, by, at, keepDays } of removed) {
    note.run(segment, firstSeq, lastSeq, since, until, by, at, keepDays)
  }
}

/** The full-text index only marks what is deleted until its parts are merged. */
export function forgetWords(db: Database.Database): void {
  db.exec("INSERT INTO block_text(block_text) VALUES('optimize')")
}
