/**
 * Questions to an index as SQL, for either engine: the tables are named alike, and what they do not share is in
 * `Dialect`. Values are always bound, never spliced; a `?` stands for each. Pure.
 *
 * A question starts from the shortest of the lists that must hold an answer, goes along it in order of place and
 * looks the others up: it ends with the page, however many match.
 */

import { INDEX_PROBE_ROWS } from '../limits.ts'
import type { BlockQuery, SessionRowsQuery } from './store.ts'

export type Value = string | number
export interface Question {
  readonly sql: string
  readonly values: readonly Value[]
}
export type Part = readonly [condition: string, ...values: Value[]]

export interface Times {
  readonly since: number | null
  readonly until: number | null
}

export interface Dialect {
  /** In front of every table's name. */
  readonly prefix: string
  /** A join that is made in the order in which it is written. */
  readonly join: string
  /** Ends a subquery that is to be asked row by row. */
  readonly fence: string
  /** A term's number, for a value of `termValue`. */
  readonly term: string
  readonly termValue: (term: string) => Value
  /** Condition on a block under this name, for one value: its statements have these words. */
  readonly words: (block: string) => string
  readonly wordsValue: (words: readonly string[]) => string
  /** The name of a block's place in what `words` reads, and its table. */
  readonly wordsTable: { readonly name: string; readonly place: string }
  /** Columns of a StoredBlock over `b`, and of a SessionSummary over `x`. */
  readonly block: string
  readonly summary: string
  /** Bounds of a place by time. */
  readonly between: (column: string, times: Times) => readonly Part[]
}

/** A list of places of blocks or sessions, and the condition a place must meet to be in it. */
interface Source {
  /** Ends in WHERE with a condition. */
  readonly from: string
  readonly column: string
  readonly values: readonly Value[]
  readonly holds: (column: string) => string
}

/** A source with its length, as far as INDEX_PROBE_ROWS tell. */
export type Counted = Source & { readonly rows: number }

export function blockSources(dialect: Dialect, query: BlockQuery): Source[] {
  const sources = query.terms.map((term) => termSource(dialect, 'block', term))
  if (query.session !== null) sources.push(sessionSource(dialect, query.session))
  if (query.words.length > 0) sources.push(textSource(dialect, query.words))
  return sources
}

export function sessionSources(dialect: Dialect, query: SessionRowsQuery): Source[] {
  return query.terms.map((term) => termSource(dialect, 'session', term))
}

/** How long a source is: one row, one column `rows`. */
export function probeOf({ from, values }: Source): Question {
  return {
    sql: `SELECT count(*) AS rows FROM (SELECT 1 FROM ${from} LIMIT ${INDEX_PROBE_ROWS}) few`,
    values,
  }
}

export function blocksQuestion(
  dialect: Dialect,
  query: BlockQuery,
  sources: readonly Counted[],
): Question {
  const ordered = shortestFirst(sources)
  const column = ordered[0]?.column ?? 'b.first'
  const parts: Part[] = [[`${column} < ?`, query.before]]
  if (query.after > 0) {
    const holder = `(SELECT max(first) FROM ${dialect.prefix}blocks WHERE first <= ?)`
    parts.push([`${column} >= coalesce(${holder}, 0)`, query.after])
  }
  parts.push(...dialect.between(column, query))
  if (query.since !== null) parts.push(['b.last_at >= ?', query.since])
  if (query.until !== null) parts.push(['b.first_at < ?', query.until])
  if (query.log !== null) parts.push(['b.log = ?', query.log])
  const { from, values } = selectOver(
    dialect,
    { table: 'blocks b', place: 'b.first' },
    ordered,
    parts,
  )
  const order = `${column} ${query.ascending ? 'ASC' : 'DESC'}`
  return {
    sql: `SELECT ${dialect.block} ${from} ORDER BY ${order} LIMIT ?`,
    values: [...values, query.limit],
  }
}

export function sessionsQuestion(
  dialect: Dialect,
  query: SessionRowsQuery,
  sources: readonly Counted[],
): Question {
  const ordered = shortestFirst(sources)
  const column = ordered[0]?.column ?? 'x.first'
  const parts: Part[] = [[`${column} < ?`, query.before]]
  if (query.session !== null) parts.push(['x.session = ?', query.session])
  if (query.prefix !== null) {
    parts.push(['x.session >= ? AND x.session < ?', query.prefix, `${query.prefix}\uffff`])
  }
  parts.push(...dialect.between(column, query))
  if (query.since !== null) parts.push(['x.started_at >= ?', query.since])
  if (query.until !== null) parts.push(['x.started_at < ?', query.until])
  if (query.live) parts.push(['x.ended_at IS NULL'])
  const over = { table: 'sessions x', place: 'x.first' }
  const { from, values } = selectOver(dialect, over, ordered, parts)
  return {
    sql: `SELECT ${dialect.summary} ${from} ORDER BY ${column} DESC LIMIT ?`,
    values: [...values, query.limit],
  }
}

function shortestFirst(sources: readonly Counted[]): readonly Counted[] {
  return sources.toSorted((a, b) => a.rows - b.rows)
}

function termSource(dialect: Dialect, of: 'block' | 'session', term: string): Source {
  const table = `${dialect.prefix}${of}_terms`
  const is = `term = ${dialect.term}`
  return {
    from: `${table} s WHERE s.${is}`,
    column: `s.${of}`,
    values: [dialect.termValue(term)],
    holds: (column) =>
      `EXISTS (SELECT 1 FROM ${table} WHERE ${is} AND ${of} = ${column}${dialect.fence})`,
  }
}

function sessionSource({ prefix, fence }: Dialect, session: string): Source {
  const table = `${prefix}block_sessions`
  const is = `session = (SELECT first FROM ${prefix}sessions WHERE session = ?)`
  return {
    from: `${table} s WHERE s.${is}`,
    column: 's.block',
    values: [session],
    holds: (column) => `EXISTS (SELECT 1 FROM ${table} WHERE ${is} AND block = ${column}${fence})`,
  }
}

function textSource(dialect: Dialect, words: readonly string[]): Source {
  const { name, place } = dialect.wordsTable
  return {
    from: `${dialect.prefix}${name} s WHERE ${dialect.words('s')}`,
    column: `s.${place}`,
    values: [dialect.wordsValue(words)],
    holds: (column) =>
      `EXISTS (SELECT 1 FROM ${dialect.prefix}${name} w WHERE w.${place} = ${column} AND ${dialect.words('w')}${dialect.fence})`,
  }
}

/** FROM and WHERE over the places that are in every source and meet every condition. */
function selectOver(
  { prefix, join }: Dialect,
  { table, place }: { table: string; place: string },
  [start, ...others]: readonly Source[],
  parts: readonly Part[],
): { from: string; values: readonly Value[] } {
  const conditions = parts.map(([condition]) => condition)
  const bound = parts.flatMap(([, ...values]) => values)
  if (start === undefined) {
    return { from: `FROM ${prefix}${table} WHERE ${conditions.join(' AND ')}`, values: bound }
  }
  const joined = ` ${join} ${prefix}${table} ON ${place} = ${start.column} WHERE `
  const from = `FROM ${start.from.replace(' WHERE ', joined)}`
  const held = others.map((one) => one.holds(start.column))
  return {
    from: [from, ...held, ...conditions].join(' AND '),
    values: [...start.values, ...others.flatMap(({ values }) => values), ...bound],
  }
}
