/** The index's writing statements, prepared once and typed. */

import type Database from 'better-sqlite3'
import { DESCRIBED } from './session-row.ts'
import type { IndexBlock, Position, SessionUpdate } from './store.ts'

export type SqliteWrites = ReturnType<typeof prepareWrites>

const SESSION = `
INSERT INTO sessions (first, session, terms, started_at, ${DESCRIBED.join(', ')},
  statements, refused, rows, bytes)
VALUES (@first, @session, coalesce(@terms, '[]'), @started_at,
  ${DESCRIBED.map((name) => `@${name}`).join(', ')}, @statements, @refused, @rows, @bytes)
ON CONFLICT (session) DO UPDATE SET
  ${DESCRIBED.map((name) => `${name} = coalesce(excluded.${name}, ${name})`).join(', ')},
  terms = coalesce(@terms, terms),
  statements = statements + excluded.statements, refused = refused + excluded.refused,
  rows = rows + excluded.rows, bytes = bytes + excluded.bytes
RETURNING first`

export function prepareWrites(db: Database.Database) {
  const session = db.prepare<[object], { first: number }>(SESSION)
  const sessionTerm = db.prepare('INSERT OR IGNORE INTO session_terms VALUES (?, ?)')
  const block = db.prepare('INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)')
  const blockTerm = db.prepare('INSERT INTO block_terms VALUES (?, ?)')
  const blockSession = db.prepare('INSERT INTO block_sessions VALUES (?, ?)')
  const text = db.prepare('INSERT INTO block_text (rowid, text) VALUES (?, ?)')
  const term = db.prepare<[string], { id: number }>('SELECT id FROM terms WHERE term = ?')
  const newTerm = db.prepare('INSERT INTO terms (term) VALUES (?)')
  const position = db.prepare(
    `UPDATE position SET segment = @segment, offset = @offset, seq = @seq,
       last_offset = @lastOffset, last_hash = @lastHash, unreadable = @unreadable`,
  )
  return {
    /** Returns the session's place. */
    session: ({ firstSeq, description, terms, totals }: SessionUpdate): number => {
      const kept = terms === null ? null : JSON.stringify(terms)
      const row = session.get({ ...description, ...totals, first: firstSeq, terms: kept })
      return row?.first ?? firstSeq
    },
    sessionTerm: (id: number, first: number): void => void sessionTerm.run(id, first),
    block: (b: IndexBlock): void => {
      const { firstSeq, lastSeq, firstAt, lastAt, segment, offset, lines } = b
      block.run(firstSeq, lastSeq, firstAt, lastAt, segment, offset, lines.length)
    },
    blockTerm: (id: number, first: number): void => void blockTerm.run(id, first),
    blockSession: (id: number, first: number): void => void blockSession.run(id, first),
    text: (first: number, words: string): void => void text.run(first, words),
    termId: (value: string): number =>
      term.get(value)?.id ?? Number(newTerm.run(value).lastInsertRowid),
    setPosition: (to: Position): void => void position.run(to),
  }
}
