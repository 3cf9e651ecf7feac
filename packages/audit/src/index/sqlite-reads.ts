/** Questions to the index in SQL. Values are always bound, never spliced. */

import type Database from 'better-sqlite3'
import { INDEX_PROBE_ROWS } from '../limits.ts'
import type {
  BlockQuery,
  KnownSession,
  Position,
  SessionRowsQuery,
  SessionSummary,
  StoredBlock,
} from './store.ts'

type Value = string | number
type Part = readonly [condition: string, ...values: Value[]]

const BLOCK = 'first, first AS firstSeq, last AS lastSeq, segment, offset, length'
const SUMMARY = `x.session, x.first AS firstSeq, started_at AS startedAt, ended_at AS endedAt, ended,
  subject, kind, role, connection, database, client, application, graph, node, run,
  statements, refused, rows, bytes`

/** A list of block or session numbers, and the condition a number must meet to be in it. */
interface Source {
  /** Ends in WHERE with a condition. */
  readonly from: string
  /** The number in it. */
  readonly column: string
  readonly values: readonly Value[]
  readonly holds: (column: string) => string
}

type Of = 'block' | 'session'

function termSource(of: Of, id: number): Source {
  return {
    from: `${of}_terms s WHERE s.term = ?`,
    column: `s.${of}`,
    values: [id],
    holds: (column) => `EXISTS (SELECT 1 FROM ${of}_terms WHERE term = ? AND ${of} = ${column})`,
  }
}

function sessionSource(first: number): Source {
  return {
    from: 'block_sessions s WHERE s.session = ?',
    column: 's.block',
    values: [first],
    holds: (column) =>
      `EXISTS (SELECT 1 FROM block_sessions WHERE session = ? AND block = ${column})`,
  }
}

function textSource(words: readonly string[]): Source {
  return {
    from: 'block_text s WHERE s.block_text MATCH ?',
    column: 's.rowid',
    values: [`${words.map((word) => `"${word}"`).join(' ')}*`],
    holds: (column) => `${column} IN (SELECT rowid FROM block_text WHERE block_text MATCH ?)`,
  }
}

export function prepareReads(db: Database.Database) {
  const position = db.prepare<[], Position>(
    `SELECT segment, offset, seq, last_offset AS lastOffset, last_hash AS lastHash, unreadable
     FROM position`,
  )
  const recall = db.prepare<[string], { first: number; terms: string }>(
    'SELECT first, terms FROM sessions WHERE session = ?',
  )
  const term = db.prepare<[string], { id: number }>('SELECT id FROM terms WHERE term = ?')

  /** Null: one of the terms occurs nowhere. */
  function sourcesOf(of: Of, terms: readonly string[]): Source[] | null {
    const ids = terms.map((one) => term.get(one)?.id)
    return ids.every((id) => id !== undefined) ? ids.map((id) => termSource(of, id)) : null
  }

  /** The shortest list first, as far as INDEX_PROBE_ROWS tell. */
  function byLength(sources: readonly Source[]): Source[] {
    if (sources.length < 2) return [...sources]
    return sources
      .map((source) => {
        const probe = `SELECT count(*) AS rows FROM (SELECT 1 FROM ${source.from} LIMIT ${INDEX_PROBE_ROWS})`
        const row = db.prepare<Value[], { rows: number }>(probe).get(...source.values)
        return { source, rows: row?.rows ?? 0 }
      })
      .sort((a, b) => a.rows - b.rows)
      .map(({ source }) => source)
  }

  function blockSources(query: BlockQuery): Source[] | null {
    const sources = sourcesOf('block', query.terms)
    if (sources === null) return null
    if (query.session !== null) {
      const first = recall.get(query.session)?.first
      if (first === undefined) return null
      sources.push(sessionSource(first))
    }
    if (query.words.length > 0) sources.push(textSource(query.words))
    return byLength(sources)
  }

  return {
    position(): Position {
      const row = position.get()
      if (row === undefined) throw new Error('index has no position')
      return row
    },

    recall(session: string): KnownSession | undefined {
      const row = recall.get(session)
      // Safe: sqlite-writes.ts wrote a list of texts.
      return row && { first: row.first, terms: JSON.parse(row.terms) as string[] }
    },

    blocks(query: BlockQuery): StoredBlock[] {
      const sources = blockSources(query)
      if (sources === null) return []
      const column = sources[0]?.column ?? 'b.first'
      const parts: Part[] = [[`${column} < ?`, query.before]]
      if (query.after > 0) {
        const holder = '(SELECT max(first) FROM blocks WHERE first <= ?)'
        parts.push([`${column} >= coalesce(${holder}, 0)`, query.after])
      }
      parts.push(...between(column, query))
      if (query.since !== null) parts.push(['b.last_at >= ?', query.since])
      const { sql, values } = selectOver('blocks b', 'b.first', sources, parts)
      const order = `${column} ${query.ascending ? 'ASC' : 'DESC'}`
      return db
        .prepare<Value[], StoredBlock>(`SELECT ${BLOCK} ${sql} ORDER BY ${order} LIMIT ?`)
        .all(...values, query.limit)
    },

    sessions(query: SessionRowsQuery): SessionSummary[] {
      const found = sourcesOf('session', query.terms)
      if (found === null) return []
      const sources = byLength(found)
      const column = sources[0]?.column ?? 'x.first'
      const parts: Part[] = [[`${column} < ?`, query.before]]
      if (query.session !== null) parts.push(['x.session = ?', query.session])
      if (query.prefix !== null) {
        parts.push(['x.session >= ? AND x.session < ?', query.prefix, `${query.prefix}\uffff`])
      }
      parts.push(...between(column, query))
      if (query.since !== null) parts.push(['x.started_at >= ?', query.since])
      if (query.until !== null) parts.push(['x.started_at < ?', query.until])
      if (query.live) parts.push(['x.ended_at IS NULL'])
      const { sql, values } = selectOver('sessions x', 'x.first', sources, parts)
      return db
        .prepare<Value[], SessionSummary>(
          `SELECT ${SUMMARY} ${sql} ORDER BY ${column} DESC LIMIT ?`,
        )
        .all(...values, query.limit)
    },
  }
}

/** Bounds of a number by time: blocks and sessions are numbered in the order in which they begin. */
function between(
  column: string,
  { since, until }: { since: number | null; until: number | null },
): Part[] {
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

/** FROM and WHERE over the numbers that are in every source and meet every condition. */
function selectOver(
  table: string,
  number: string,
  [start, ...others]: readonly Source[],
  parts: readonly Part[],
): { sql: string; values: readonly Value[] } {
  const conditions = parts.map(([condition]) => condition)
  const bound = parts.flatMap(([, ...values]) => values)
  if (start === undefined) {
    return { sql: `FROM ${table} WHERE ${conditions.join(' AND ')}`, values: bound }
  }
  // CROSS JOIN is SQLite's word for: in this order.
  const from = `FROM ${start.from.replace(' WHERE ', ` CROSS JOIN ${table} ON ${number} = ${start.column} WHERE `)}`
  const held = others.map((one) => one.holds(start.column))
  return {
    sql: [from, ...held, ...conditions].join(' AND '),
    values: [...start.values, ...others.flatMap(({ values }) => values), ...bound],
  }
}
