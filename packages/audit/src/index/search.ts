/** Search questions, as the index is asked them and as a record is held against them. Pure. */

import { INDEX_PAGE_BLOCKS } from '../limits.ts'
import type { AuditRecord } from '../record.ts'
import type { BlockQuery, SessionRowsQuery } from './store.ts'
import { hasWords, recordTermsOf, type TermKind, termOf, wordsOf } from './terms.ts'

/**
 * What records and sessions can be found by, beside the verdict. `role`, `graph`, `node` and `run` are those of the token;
 * `relation`: `schema.relation`, or a bare name that matches in every schema; `column`: a masked one,
 * `schema.relation.column`; `about`: an approval or a token, and everything that happened to it; `gateway`: in an index of several.
 */
export const SEARCH_FIELDS = [
  'gateway',
  'subject',
  'group',
  'role',
  'connection',
  'graph',
  'node',
  'run',
  'session',
  'rule',
  'relation',
  'column',
  'fingerprint',
  'type',
  'about',
] as const
export type SearchField = (typeof SEARCH_FIELDS)[number]

/** What a record, or a session, can be found by. */
export interface Filter extends Readonly<Partial<Record<SearchField, string>>> {
  readonly verdict?: 'allow' | 'deny' | 'approve'
  /** First and first-no-longer-included time, milliseconds since 1970. */
  readonly since?: number
  readonly until?: number
  /** The place that the page before ended with: its `next`. */
  readonly before?: number
  /** 1 to QUERY_ROWS_MAX; 100 unless given. */
  readonly limit?: number
}

export interface SearchQuery extends Filter {
  /** Words that all occur in the statement, in any order and case; the last may be the start of one. */
  readonly text?: string
}

/** Sessions that have the session's own fields, and records with each of the others; times of its start. */
export interface SessionsQuery extends Filter {
  /** The beginning of the session's id. */
  readonly prefix?: string
  /** True: only sessions without an end. */
  readonly live?: boolean
}

/** A session is asked for otherwise. */
const TERMS: readonly (TermKind & keyof Filter)[] = [
  ...SEARCH_FIELDS.filter((field) => field !== 'session'),
  'verdict',
]

function termsOf(filter: Filter): string[] {
  return TERMS.flatMap((field) => {
    const value = filter[field]
    return value === undefined ? [] : [termOf(field, value)]
  })
}

/** What a question about blocks is made from. */
export const EVERY_BLOCK: BlockQuery = {
  log: null,
  terms: [],
  session: null,
  words: [],
  since: null,
  until: null,
  before: Number.MAX_SAFE_INTEGER,
  after: 0,
  ascending: false,
  limit: INDEX_PAGE_BLOCKS,
}

/** Null: nothing can match. */
export function blockQueryOf(query: SearchQuery): Partial<BlockQuery> | null {
  const words = query.text === undefined ? [] : wordsOf(query.text)
  if (query.text !== undefined && words.length === 0) return null
  return {
    terms: termsOf(query),
    session: query.session ?? null,
    words,
    since: query.since ?? null,
    until: query.until ?? null,
  }
}

export function sessionRowsQueryOf(query: SessionsQuery, limit: number): SessionRowsQuery {
  return {
    terms: termsOf(query),
    session: query.session ?? null,
    prefix: query.prefix ?? null,
    since: query.since ?? null,
    until: query.until ?? null,
    live: query.live === true,
    before: query.before ?? Number.MAX_SAFE_INTEGER,
    limit,
  }
}

/** Whether a record of a candidate block is one that was asked for; `others`: terms of its session and its gateway. */
export function matcherOf(
  query: SearchQuery,
): (record: AuditRecord, others: readonly string[]) => boolean {
  const terms = termsOf(query)
  const words = query.text === undefined ? null : wordsOf(query.text)
  const { session: wanted, since, until } = query
  return ({ at, event }, others) => {
    if (since !== undefined && at < since) return false
    if (until !== undefined && at >= until) return false
    if (wanted !== undefined && event['session'] !== wanted) return false
    if (words !== null) {
      const { sql } = event
      if (typeof sql !== 'string' || !hasWords(sql, words)) return false
    }
    if (terms.length === 0) return true
    const own = recordTermsOf(event)
    return terms.every((term) => own.includes(term) || others.includes(term))
  }
}
