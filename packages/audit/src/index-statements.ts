/** The index's prepared statements, typed. */

import type Database from 'better-sqlite3'
import type { SessionDescription, SessionTotals } from './session-row.ts'

export interface Position {
  readonly segment: number
  readonly offset: number
  /** Newest record indexed; 0 when none is. */
  readonly seq: number
  readonly last_offset: number | null
  readonly last_hash: string | null
  readonly unreadable: number
}

export interface RecordRow {
  readonly seq: number
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly at: number
  readonly type: string
  readonly session: string | null
  readonly subject: string | null
  readonly connection: string | null
  readonly verdict: string | null
  readonly rule: string | null
  readonly about: string | null
  readonly statement: number | null
}

export type IndexStatements = ReturnType<typeof prepareStatements>

export function prepareStatements(db: Database.Database) {
  const position = db.prepare<[], Position>('SELECT * FROM position')
  const setPosition = db.prepare<[Position]>(
    `UPDATE position SET segment = @segment, offset = @offset, seq = @seq,
       last_offset = @last_offset, last_hash = @last_hash, unreadable = @unreadable`,
  )
  const record = db.prepare(
    'INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const use = db.prepare('INSERT OR IGNORE INTO relation_uses VALUES (?, ?)')
  const text = db.prepare('INSERT INTO statement_text (rowid, sql) VALUES (?, ?)')
  const relation = db.prepare<[string], { id: number }>(
    'SELECT id FROM relation_names WHERE name = ?',
  )
  const newRelation = db.prepare('INSERT INTO relation_names (name) VALUES (?)')
  const names = db.prepare<[string], { subject: string | null; connection: string | null }>(
    'SELECT subject, connection FROM sessions WHERE session = ?',
  )
  const session = db.prepare<[SessionDescription]>(DESCRIBE_SESSION)
  const totals = db.prepare<[number, number, number, number, string]>(
    `UPDATE sessions SET statements = statements + ?, refused = refused + ?, rows = rows + ?,
       bytes = bytes + ? WHERE session = ?`,
  )
  return {
    position(): Position {
      const row = position.get()
      if (row === undefined) throw new Error('index has no position')
      return row
    },
    setPosition: (to: Position) => void setPosition.run(to),
    insertRecord: (r: RecordRow) =>
      void record.run(
        r.seq,
        r.segment,
        r.offset,
        r.length,
        r.at,
        r.type,
        r.session,
        r.subject,
        r.connection,
        r.verdict,
        r.rule,
        r.about,
        r.statement,
      ),
    insertUse: (relationId: number, seq: number) => void use.run(relationId, seq),
    insertText: (seq: number, sql: string) => void text.run(seq, sql),
    relationId: (name: string): number =>
      relation.get(name)?.id ?? Number(newRelation.run(name).lastInsertRowid),
    sessionNames: (id: string) => names.get(id) ?? null,
    describeSession: (description: SessionDescription) => void session.run(description),
    addTotals: (id: string, sum: SessionTotals) =>
      void totals.run(sum.statements, sum.refused, sum.rows, sum.bytes, id),
  }
}

const DESCRIBED = [
  'ended_at',
  'ended',
  'subject',
  'kind',
  'role',
  'connection',
  'database',
  'client',
  'application',
  'graph',
  'node',
  'run',
] as const satisfies readonly (keyof SessionDescription)[]

const DESCRIBE_SESSION = `
INSERT INTO sessions (session, first_seq, started_at, ${DESCRIBED.join(', ')})
VALUES (@session, @first_seq, @started_at, ${DESCRIBED.map((name) => `@${name}`).join(', ')})
ON CONFLICT (session) DO UPDATE SET
  ${DESCRIBED.map((name) => `${name} = coalesce(excluded.${name}, ${name})`).join(', ')}`
