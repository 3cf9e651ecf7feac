/** Questions to the SQLite index. */

import type Database from 'better-sqlite3'
import {
  blockSources,
  blocksQuestion,
  type Counted,
  type Dialect,
  type Part,
  probeOf,
  sessionSources,
  sessionsQuestion,
  type Times,
  type Value,
} from './select.ts'
import type {
  BlockQuery,
  Position,
  RemovedRecords,
  SessionRowsQuery,
  SessionSummary,
  StoredBlock,
} from './store.ts'

const DIALECT: Dialect = {
  prefix: '',
  // SQLite's word for: in this order.
  join: 'CROSS JOIN',
  fence: '',
  term: '(SELECT id FROM terms WHERE term = ?)',
  termValue: (term) => term,
  words: (block) => `${block}.block_text MATCH ?`,
  wordsValue: (words) => `${words.map((word) => `"${word}"`).join(' ')}*`,
  wordsTable: { name: 'block_text', place: 'rowid' },
  block: `b.first, b.last, 0 AS log, NULL AS gateway, b.first AS firstSeq, b.last AS lastSeq,
    b.segment, b.offset, b.length`,
  summary: `x.session, x.first, NULL AS gateway, x.started_at AS startedAt, x.ended_at AS endedAt, x.ended,
    x.subject, x.kind, x.role, x.connection, x.database, x.client, x.application, x.graph, x.node, x.run,
    x.statements, x.refused, x.rows, x.bytes`,
  between,
}

export function prepareReads(db: Database.Database) {
  const position = db.prepare<[], Position>(
    `SELECT segment, offset, seq, last_offset AS lastOffset, last_hash AS lastHash, unreadable
     FROM position`,
  )
  const recall = db.prepare<[string], { terms: string }>(
    'SELECT terms FROM sessions WHERE session = ?',
  )

  const removed = db.prepare<[], RemovedRecords>(
    `SELECT NULL AS gateway, count(*) AS segments, sum(last_seq - first_seq + 1) AS records, min(first_seq) AS first,
       max(last_seq) AS last, min(since) AS since, max(until) AS until, by, max(at) AS at, keep_days AS keepDays
     FROM removed GROUP BY by, keep_days ORDER BY first`,
  )
  const holder = db.prepare<[number, number]>(
    'SELECT 1 FROM removed WHERE first_seq <= ? AND last_seq >= ?',
  )

  function counted(sources: ReturnType<typeof blockSources>): Counted[] {
    if (sources.length < 2) return sources.map((source) => ({ ...source, rows: 0 }))
    return sources.map((source) => {
      const { sql, values } = probeOf(source)
      return {
        ...source,
        rows: db.prepare<Value[], { rows: number }>(sql).get(...values)?.rows ?? 0,
      }
    })
  }

  return {
    position(): Position {
      const row = position.get()
      if (row === undefined) throw new Error('index has no position')
      return row
    },

    recall(session: string): readonly string[] | undefined {
      const row = recall.get(session)
      // Safe: sqlite-writes.ts wrote a list of texts.
      return row && (JSON.parse(row.terms) as string[])
    },

    removed: (): RemovedRecords[] => removed.all(),

    isRemoved: (seq: number): boolean => holder.get(seq, seq) !== undefined,

    blocks(query: BlockQuery): StoredBlock[] {
      const sources = counted(blockSources(DIALECT, query))
      const { sql, values } = blocksQuestion(DIALECT, { ...query, log: null }, sources)
      return db.prepare<Value[], StoredBlock>(sql).all(...values)
    },

    sessions(query: SessionRowsQuery): SessionSummary[] {
      const sources = counted(sessionSources(DIALECT, query))
      const { sql, values } = sessionsQuestion(DIALECT, query, sources)
      return db.prepare<Value[], SessionSummary>(sql).all(...values)
    },
  }
}

/** Blocks and sessions of one log are placed in the order in which they begin. */
function between(column: string, { since, until }: Times): Part[] {
  const parts: Part[] = []
  if (since !== null) {
    const holder =
      'SELECT first FROM blocks WHERE first_at < ? ORDER BY first_at DESC, first DESC LIMIT 1'
    parts.push([`${column} >= coalesce((${holder}), 0)`, since])
  }
  if (until !== null) {
    const later = 'SELECT first FROM blocks WHERE first_at >= ? ORDER BY first_at, first LIMIT 1'
    parts.push([`${column} < coalesce((${later}), ${Number.MAX_SAFE_INTEGER})`, until])
  }
  return parts
}
