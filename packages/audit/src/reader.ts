/**
 * Reading the trail: tail, show, search, sessions, through the index, with the records themselves read from
 * the segments. What it returns is what the files say; whether that is what was written is verifyLog's.
 *
 * Reading the trail is itself to be recorded: the caller appends a `trail-read` event.
 */

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { AuditError } from './errors.ts'
import { openIndexForReading } from './index-schema.ts'
import { updateIndex } from './indexer.ts'
import { QUERY_ROWS_MAX, RECORD_BYTES_MAX } from './limits.ts'
import { type AuditRecord, decodeRecord } from './record.ts'
import { recordsQuery, type SearchQuery, type SessionsQuery, sessionsQuery } from './search.ts'
import { segmentPath } from './segments.ts'

export interface SessionSummary {
  readonly session: string
  /** Sequence number of the session's first record: the cursor of sessions(). */
  readonly firstSeq: number
  readonly startedAt: number
  /** Null while it lasts, or when its gateway died before recording the end. */
  readonly endedAt: number | null
  readonly ended: string | null
  /** Null until authentication has named one. */
  readonly subject: string | null
  readonly kind: string | null
  readonly role: string | null
  readonly connection: string | null
  readonly database: string | null
  readonly client: string | null
  readonly application: string | null
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly statements: number
  readonly refused: number
  readonly rows: number
  readonly bytes: number
}

export interface Page<T> {
  /** Newest first. */
  readonly items: readonly T[]
  /** Give it as `before` for the next page; null on the last. */
  readonly next: number | null
}

export interface AuditReader {
  /** The newest `n` records, newest first. */
  tail(n: number): readonly AuditRecord[]
  /** One record and, for a statement, the records that refer to it, in order. @throws not-found */
  show(seq: number): readonly AuditRecord[]
  /** A session's records in order, from record `after` on. `next`: give it as `after`. @throws not-found */
  showSession(session: string, options?: { after?: number; limit?: number }): Page<AuditRecord>
  search(query: SearchQuery): Page<AuditRecord>
  sessions(query: SessionsQuery): Page<SessionSummary>
  /** The newest record the index holds; 0 when it holds none. */
  indexedSeq(): number
  close(): void
}

/**
 * Opens the index of a directory for reading, also while a log writes it.
 * `update`: first index what is not indexed yet, in this thread (needs write access).
 * @throws AuditError index-unavailable
 */
export function openAuditReader(options: { directory: string; update?: boolean }): AuditReader {
  if (options.update === true) updateIndex(options.directory)
  return new IndexReader(options.directory)
}

interface Place {
  readonly seq: number
  readonly segment: number
  readonly offset: number
  readonly length: number
}

const PLACE = 'seq, segment, offset, length'

class IndexReader implements AuditReader {
  readonly #directory: string
  readonly #db: Database.Database

  constructor(directory: string) {
    this.#directory = directory
    this.#db = openIndexForReading(directory)
  }

  tail(n: number): readonly AuditRecord[] {
    return this.search({ limit: n }).items
  }

  show(seq: number): readonly AuditRecord[] {
    const places = this.#db
      .prepare<[number, number], Place>(
        `SELECT ${PLACE} FROM records WHERE seq = ?
         UNION SELECT ${PLACE} FROM records WHERE statement = ? ORDER BY seq LIMIT ${QUERY_ROWS_MAX}`,
      )
      .all(seq, seq)
    if (places.length === 0) throw new AuditError('not-found', `there is no record ${seq}`)
    return this.#readAll(places)
  }

  showSession(
    session: string,
    options: { after?: number; limit?: number } = {},
  ): Page<AuditRecord> {
    const after = options.after ?? 0
    const limit = limitOf(options.limit)
    const places = this.#db
      .prepare<[string, number, number], Place>(
        `SELECT ${PLACE} FROM records WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?`,
      )
      .all(session, after, limit + 1)
    if (places.length === 0 && after === 0) {
      throw new AuditError('not-found', `there is no session \`${session}\``)
    }
    return this.#pageOf(places, limit)
  }

  search(query: SearchQuery): Page<AuditRecord> {
    const limit = limitOf(query.limit)
    const { sql, values } = recordsQuery(this.#db, query)
    const places = this.#db
      .prepare<unknown[], Place>(
        `SELECT ${PLACE} FROM records ${sql} ORDER BY seq DESC LIMIT ${limit + 1}`,
      )
      .all(...values)
    return this.#pageOf(places, limit)
  }

  sessions(query: SessionsQuery): Page<SessionSummary> {
    const limit = limitOf(query.limit)
    const { sql, values } = sessionsQuery(query)
    const rows = this.#db
      .prepare<unknown[], SessionSummary>(
        `SELECT session, first_seq AS firstSeq, started_at AS startedAt, ended_at AS endedAt, ended,
           subject, kind, role, connection, database, client, application, graph, node, run,
           statements, refused, rows, bytes
         FROM sessions ${sql} ORDER BY first_seq DESC LIMIT ${limit + 1}`,
      )
      .all(...values)
    const items = rows.slice(0, limit)
    return { items, next: rows.length > limit ? (items.at(-1)?.firstSeq ?? null) : null }
  }

  indexedSeq(): number {
    const row = this.#db.prepare<[], { seq: number }>('SELECT seq FROM position').get()
    return row?.seq ?? 0
  }

  close(): void {
    this.#db.close()
  }

  #pageOf(places: readonly Place[], limit: number): Page<AuditRecord> {
    const items = this.#readAll(places.slice(0, limit))
    return { items, next: places.length > limit ? (items.at(-1)?.seq ?? null) : null }
  }

  #readAll(places: readonly Place[]): AuditRecord[] {
    const open = new Map<number, number>()
    try {
      return places.map((place) => {
        let fd = open.get(place.segment)
        if (fd === undefined) {
          fd = this.#openSegment(place.segment)
          open.set(place.segment, fd)
        }
        return readRecord(fd, place)
      })
    } finally {
      for (const fd of open.values()) closeSync(fd)
    }
  }

  #openSegment(segment: number): number {
    const path = segmentPath(this.#directory, segment)
    if (!existsSync(path)) throw new AuditError('not-found', `segment ${segment} is not there`)
    return openSync(path, 'r')
  }
}

function readRecord(fd: number, place: Place): AuditRecord {
  const line = Buffer.alloc(Math.min(place.length, RECORD_BYTES_MAX))
  readSync(fd, line, 0, line.length, place.offset)
  const record = decodeRecord(line)
  if (record === null || record.seq !== place.seq) {
    throw new AuditError(
      'corrupt',
      `record ${place.seq} is not where the index says; verify the log`,
    )
  }
  return record
}

function limitOf(limit: number | undefined): number {
  const wanted = limit ?? 100
  if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted > QUERY_ROWS_MAX) {
    throw new AuditError('invalid-option', `limit is ${wanted}, expected 1 to ${QUERY_ROWS_MAX}`)
  }
  return wanted
}
