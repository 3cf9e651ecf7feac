/** Search questions to SQL conditions over the index. Values are always bound, never spliced. */

import type Database from 'better-sqlite3'

export interface SearchQuery {
  readonly subject?: string
  readonly connection?: string
  readonly verdict?: 'allow' | 'deny' | 'approve'
  readonly rule?: string
  /** `schema.relation`, or a bare name that matches in every schema. */
  readonly relation?: string
  /** First and first-no-longer-included time, milliseconds since 1970. */
  readonly since?: number
  readonly until?: number
  readonly session?: string
  readonly type?: string
  /** An approval id or token id: everything that happened to it. */
  readonly about?: string
  /** Words that all occur in the statement, in any order and case; the last may be the start of one. */
  readonly text?: string
  /** Only records before this one: the `next` of the page before. */
  readonly before?: number
  /** 1 to QUERY_ROWS_MAX; 100 unless given. */
  readonly limit?: number
}

export interface SessionsQuery {
  readonly subject?: string
  readonly connection?: string
  /** By the session's first record. */
  readonly since?: number
  readonly until?: number
  /** True: only sessions without an end. */
  readonly live?: boolean
  readonly before?: number
  readonly limit?: number
}

interface Conditions {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

type Part = readonly [condition: string, ...values: (string | number)[]]

/** Sequence numbers looked at: from `from`, up to but not including `to`. */
interface Range {
  readonly from: number
  readonly to: number
}

/** Conditions over `records`. */
export function recordsQuery(db: Database.Database, query: SearchQuery): Conditions {
  const range = rangeOf(db, query)
  const parts: Part[] = [['seq >= ? AND seq < ?', range.from, range.to]]
  for (const column of ['subject', 'connection', 'rule', 'session', 'type', 'about'] as const) {
    const value = query[column]
    if (value !== undefined) parts.push([`${column} = ?`, value])
  }
  if (query.verdict !== undefined) parts.push(verdictCondition(query.verdict))
  if (query.relation !== undefined) parts.push(relationCondition(query.relation, range))
  if (query.text !== undefined) parts.push(textCondition(query.text, range))
  return joined(parts)
}

/** Times never go back along the log, so a time is a place in it. */
function rangeOf(db: Database.Database, query: SearchQuery): Range {
  const from = query.since === undefined ? 0 : firstSeqAt(db, query.since)
  const end = query.until === undefined ? Number.MAX_SAFE_INTEGER : firstSeqAt(db, query.until)
  return { from, to: Math.min(end, query.before ?? Number.MAX_SAFE_INTEGER) }
}

/** Conditions over `sessions`. */
export function sessionsQuery(query: SessionsQuery): Conditions {
  const parts: Part[] = []
  if (query.subject !== undefined) parts.push(['subject = ?', query.subject])
  if (query.connection !== undefined) parts.push(['connection = ?', query.connection])
  if (query.since !== undefined) parts.push(['started_at >= ?', query.since])
  if (query.until !== undefined) parts.push(['started_at < ?', query.until])
  if (query.live === true) parts.push(['ended_at IS NULL'])
  if (query.before !== undefined) parts.push(['first_seq < ?', query.before])
  return joined(parts)
}

function joined(parts: readonly Part[]): Conditions {
  if (parts.length === 0) return { sql: '', values: [] }
  return {
    sql: `WHERE ${parts.map(([condition]) => condition).join(' AND ')}`,
    values: parts.flatMap(([, ...values]) => values),
  }
}

/** The literals let the partial index over refusals be used. */
function verdictCondition(verdict: 'allow' | 'deny' | 'approve'): Part {
  return verdict === 'allow'
    ? ['verdict = ?', verdict]
    : [`verdict = ? AND verdict IN ('deny', 'approve')`, verdict]
}

function relationCondition(relation: string, { from, to }: Range): Part {
  const isFull = relation.includes('.')
  const names = isFull ? 'name = ?' : `name = ? OR substr(name, -length(?) - 1) = '.' || ?`
  const values = isFull ? [relation] : [relation, relation, relation]
  return [
    `seq IN (SELECT seq FROM relation_uses
       WHERE relation IN (SELECT id FROM relation_names WHERE ${names}) AND seq >= ? AND seq < ?)`,
    ...values,
    from,
    to,
  ]
}

const WORD = /[\p{L}\p{N}_]+/gu

function textCondition(text: string, { from, to }: Range): Part {
  const words = text.match(WORD) ?? []
  if (words.length === 0) return ['0 = 1']
  const match = words.map((word) => `"${word}"`).join(' ')
  return [
    `seq IN (SELECT rowid FROM statement_text
       WHERE statement_text MATCH ? AND rowid >= ? AND rowid < ?)`,
    `${match}*`,
    from,
    to,
  ]
}

/** Sequence number of the first record at or after a time, by bisection: `at` grows with `seq`. */
function firstSeqAt(db: Database.Database, at: number): number {
  const ends = db
    .prepare<[], { low: number | null; high: number | null }>(
      'SELECT (SELECT min(seq) FROM records) AS low, (SELECT max(seq) FROM records) AS high',
    )
    .get()
  let low = ends?.low ?? 1
  let high = (ends?.high ?? 0) + 1
  const nearest = db.prepare<[number], { seq: number; at: number }>(
    'SELECT seq, at FROM records WHERE seq >= ? ORDER BY seq LIMIT 1',
  )
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const record = nearest.get(middle)
    if (record === undefined || record.at >= at) high = middle
    else low = record.seq + 1
  }
  return low
}
