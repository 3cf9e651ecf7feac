/**
 * Segments into the search index, one batch and one transaction at a time. Where it stands is part of the
 * same transaction, so it can be stopped anywhere and two of them on one index do not disturb each other.
 */

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { type AuditEvent, isKnownEvent } from './event.ts'
import { openIndex, recreateIndex } from './index-schema.ts'
import {
  type IndexStatements,
  type Position,
  prepareStatements,
  type RecordRow,
} from './index-statements.ts'
import { INDEX_READ_BYTES, INDEX_SESSIONS_MAX } from './limits.ts'
import { leafHash } from './merkle.ts'
import { type AuditRecord, decodeRecord } from './record.ts'
import { segmentPath } from './segments.ts'
import { addToTotals, describeSession, type SessionTotals } from './session-row.ts'

const NEWLINE = 0x0a

interface SessionNames {
  readonly subject: string | null
  readonly connection: string | null
}

export class Indexer {
  readonly #directory: string
  readonly #buffer = Buffer.allocUnsafe(INDEX_READ_BYTES)
  #db: Database.Database
  #sql: IndexStatements
  /** Live sessions; the oldest goes first. */
  readonly #sessions = new Map<string, SessionNames>()
  readonly #relations = new Map<string, number>()
  readonly #totals = new Map<string, SessionTotals>()
  #seq = 0

  /** Opens the index; one that speaks of records the segments do not hold is built again. */
  constructor(directory: string) {
    this.#directory = directory
    this.#db = openIndex(directory)
    this.#sql = prepareStatements(this.#db)
    if (!this.#matchesSegments()) {
      this.#db.close()
      this.#db = recreateIndex(directory)
      this.#sql = prepareStatements(this.#db)
    }
  }

  position(): Position {
    return this.#sql.position()
  }

  /** Indexes the next batch. Returns the newest record indexed, and whether there was anything to do. */
  step(): { seq: number; worked: boolean } {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const before = this.position()
      // Another indexer was here: what this one remembers may be old.
      if (before.seq !== this.#seq) this.#forget()
      const after = this.#indexFrom(before)
      if (after !== before) this.#sql.setPosition(after)
      this.#db.exec('COMMIT')
      this.#seq = after.seq
      return { seq: after.seq, worked: after !== before }
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      this.#forget()
      throw error
    }
  }

  /** Indexes all there is now. Returns the newest record indexed. */
  catchUp(): number {
    for (;;) {
      const { seq, worked } = this.step()
      if (!worked) return seq
    }
  }

  close(): void {
    this.#db.close()
  }

  #forget(): void {
    this.#sessions.clear()
    this.#relations.clear()
    this.#totals.clear()
  }

  #matchesSegments(): boolean {
    const { segment, offset, last_offset, last_hash } = this.position()
    if (last_offset === null || last_hash === null) return offset === 0
    // The position may already be at the start of the next segment.
    const holder = offset === 0 ? segment - 1 : segment
    const path = segmentPath(this.#directory, holder)
    if (!existsSync(path)) return false
    const bytes = this.#read(path, last_offset)
    const end = bytes.indexOf(NEWLINE)
    return end >= 0 && leafHash(bytes.subarray(0, end)) === last_hash
  }

  #read(path: string, offset: number): Buffer {
    const fd = openSync(path, 'r')
    try {
      const read = readSync(fd, this.#buffer, 0, this.#buffer.length, offset)
      return this.#buffer.subarray(0, read)
    } finally {
      closeSync(fd)
    }
  }

  /** The position after the next chunk of whole lines; the same object when there is none. */
  #indexFrom(before: Position): Position {
    const path = segmentPath(this.#directory, before.segment)
    if (!existsSync(path)) return before
    const bytes = this.#read(path, before.offset)
    const end = bytes.lastIndexOf(NEWLINE) + 1
    if (end > 0) return this.#indexLines(before, bytes.subarray(0, end))
    const hasNext = existsSync(segmentPath(this.#directory, before.segment + 1))
    const isDone = bytes.length === 0 || bytes.length === this.#buffer.length
    if (!hasNext || !isDone) return before
    return { ...before, segment: before.segment + 1, offset: 0 }
  }

  #indexLines(before: Position, lines: Buffer): Position {
    let { seq, unreadable, last_offset } = before
    let from = 0
    while (from < lines.length) {
      const end = lines.indexOf(NEWLINE, from)
      const line = lines.subarray(from, end)
      const record = decodeRecord(line)
      if (record === null) unreadable++
      else {
        const place = { segment: before.segment, offset: before.offset + from, length: line.length }
        this.#indexRecord(record, place)
        seq = record.seq
      }
      last_offset = before.offset + from
      from = end + 1
    }
    this.#storeTotals()
    const last = lines.subarray((last_offset ?? 0) - before.offset, lines.length - 1)
    return {
      segment: before.segment,
      offset: before.offset + lines.length,
      seq,
      last_offset,
      last_hash: leafHash(last),
      unreadable,
    }
  }

  #indexRecord(
    record: AuditRecord,
    place: { segment: number; offset: number; length: number },
  ): void {
    const { seq, at, event } = record
    const known = isKnownEvent(event) ? event : null
    if (known !== null) this.#indexSession(known, record)
    const session = textOf(event['session'])
    const names = session === null ? null : this.#namesOf(session)
    const row: RecordRow = {
      ...place,
      seq,
      at,
      type: event.type,
      session,
      subject: textOf(event['subject']) ?? names?.subject ?? null,
      connection: textOf(event['connection']) ?? names?.connection ?? null,
      verdict: textOf(event['verdict']),
      rule: textOf(event['rule']),
      about: textOf(event['approval']) ?? textOf(event['tokenId']),
      statement: event.type === 'statement' ? null : numberOf(event['statement']),
    }
    this.#sql.insertRecord(row)
    if (known?.type === 'statement') {
      for (const { name } of known.relations) this.#sql.insertUse(this.#relationId(name), seq)
      this.#sql.insertText(seq, known.sql)
    }
  }

  #indexSession(event: AuditEvent, record: AuditRecord): void {
    const described = describeSession(event, record)
    if (described !== null) {
      this.#sql.describeSession(described)
      this.#sessions.delete(described.session)
    }
    addToTotals(this.#totals, event)
  }

  #storeTotals(): void {
    for (const [session, totals] of this.#totals) this.#sql.addTotals(session, totals)
    this.#totals.clear()
  }

  #namesOf(session: string): SessionNames | null {
    const known = this.#sessions.get(session)
    if (known !== undefined) return known
    const stored = this.#sql.sessionNames(session)
    if (stored === null) return null
    if (this.#sessions.size >= INDEX_SESSIONS_MAX) {
      for (const oldest of this.#sessions.keys()) {
        this.#sessions.delete(oldest)
        break
      }
    }
    this.#sessions.set(session, stored)
    return stored
  }

  #relationId(name: string): number {
    let id = this.#relations.get(name)
    if (id === undefined) {
      id = this.#sql.relationId(name)
      if (this.#relations.size >= INDEX_SESSIONS_MAX) this.#relations.clear()
      this.#relations.set(name, id)
    }
    return id
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null
}

/** Builds or completes the index of a directory, in this thread. Returns the newest record indexed. */
export function updateIndex(directory: string): number {
  const indexer = new Indexer(directory)
  try {
    return indexer.catchUp()
  } finally {
    indexer.close()
  }
}

/** Throws the index away and builds it from the segments. Not while a log writes this directory. */
export function rebuildIndex(directory: string): number {
  recreateIndex(directory).close()
  return updateIndex(directory)
}
