/** The index port over one SQLite file beside the log. The lines stay in the segments. */

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { AuditError } from '../errors.ts'
import { INDEX_TERMS_MAX } from '../limits.ts'
import { readTombstone } from '../retention/tombstone.ts'
import { segmentPath } from '../segments.ts'
import { EVERY_BLOCK } from './search.ts'
import { dropSegments, forgetWords } from './sqlite-drop.ts'
import { prepareReads } from './sqlite-reads.ts'
import { openIndex, openIndexForReading, renewIndex } from './sqlite-schema.ts'
import { prepareWrites, type SqliteWrites } from './sqlite-writes.ts'
import type {
  BlockQuery,
  IndexBatch,
  IndexBlock,
  IndexStore,
  Position,
  RemovedRecords,
  SessionRowsQuery,
  SessionSummary,
  SessionUpdate,
  StoredBlock,
} from './store.ts'

type Opening = 'write' | 'read'

const OPEN = { write: openIndex, read: openIndexForReading } as const

export class SqliteIndexStore implements IndexStore {
  readonly #directory: string
  readonly #db: Database.Database
  readonly #reads: ReturnType<typeof prepareReads>
  #writes: SqliteWrites | null = null
  /** Ids of terms met lately. */
  readonly #terms = new Map<string, number>()

  /** @throws AuditError index-unavailable when opened to read */
  constructor(directory: string, opening: Opening) {
    this.#directory = directory
    this.#db = OPEN[opening](directory)
    this.#reads = prepareReads(this.#db)
  }

  position(): Promise<Position> {
    return Promise.resolve(this.#reads.position())
  }

  recall(sessions: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const known = new Map<string, readonly string[]>()
    for (const session of sessions) {
      const terms = this.#reads.recall(session)
      if (terms !== undefined) known.set(session, terms)
    }
    return Promise.resolve(known)
  }

  newest(): Promise<number> {
    return Promise.resolve(this.#reads.position().seq)
  }

  async holders(seq: number): Promise<readonly StoredBlock[]> {
    const [block] = this.#reads.blocks({ ...EVERY_BLOCK, before: seq + 1, limit: 1 })
    return block !== undefined && block.lastSeq >= seq ? [block] : []
  }

  async add(batch: IndexBatch): Promise<boolean> {
    const db = this.#db
    db.exec('BEGIN IMMEDIATE')
    try {
      const { seq, segment, offset } = this.#reads.position()
      const { from } = batch
      const isThere = seq === from.seq && segment === from.segment && offset === from.offset
      if (isThere) this.#write(batch)
      db.exec('COMMIT')
      if (isThere && batch.removed.length > 0) forgetWords(db)
      return isThere
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      this.#terms.clear()
      throw error
    }
  }

  blocks(query: BlockQuery): Promise<readonly StoredBlock[]> {
    return Promise.resolve(this.#reads.blocks(query))
  }

  lines(block: StoredBlock): Promise<Buffer> {
    const path = segmentPath(this.#directory, block.segment)
    if (!existsSync(path)) {
      if (readTombstone(this.#directory, block.segment)) return Promise.resolve(Buffer.alloc(0))
      throw new AuditError('not-found', `segment ${block.segment} is not there`)
    }
    const lines = Buffer.allocUnsafe(block.length)
    const fd = openSync(path, 'r')
    try {
      const read = readSync(fd, lines, 0, lines.length, block.offset)
      return Promise.resolve(lines.subarray(0, read))
    } finally {
      closeSync(fd)
    }
  }

  removed(): Promise<readonly RemovedRecords[]> {
    return Promise.resolve(this.#reads.removed())
  }

  isRemoved(seq: number): Promise<boolean> {
    return Promise.resolve(this.#reads.isRemoved(seq))
  }

  sessions(query: SessionRowsQuery): Promise<readonly SessionSummary[]> {
    return Promise.resolve(this.#reads.sessions(query))
  }

  async clear(): Promise<void> {
    renewIndex(this.#db)
    this.#terms.clear()
  }

  async close(): Promise<void> {
    this.#db.close()
  }

  #write({ to, blocks, sessions, removed }: IndexBatch): void {
    this.#writes ??= prepareWrites(this.#db)
    const writes = this.#writes
    const places = new Map<string, number>()
    for (const session of sessions) {
      places.set(session.description.session, this.#writeSession(writes, session))
    }
    for (const block of blocks) this.#writeBlock(writes, block, places)
    writes.setPosition(to)
    if (removed.length === 0) return
    dropSegments(this.#db, removed)
    // Some terms are nobody's now.
    this.#terms.clear()
  }

  #writeSession(writes: SqliteWrites, session: SessionUpdate): number {
    const place = writes.session(session)
    for (const term of session.terms ?? []) writes.sessionTerm(this.#termId(term), place)
    for (const term of session.used) writes.sessionTerm(this.#termId(term), place)
    return place
  }

  #writeBlock(writes: SqliteWrites, block: IndexBlock, places: ReadonlyMap<string, number>): void {
    const { firstSeq } = block
    writes.block(block)
    for (const term of block.terms) writes.blockTerm(this.#termId(term), firstSeq)
    for (const session of block.sessions) {
      const place = places.get(session)
      if (place !== undefined) writes.blockSession(place, firstSeq)
    }
    if (block.texts.size > 0) writes.text(firstSeq, [...block.texts].join('\n'))
  }

  #termId(term: string): number {
    const known = this.#terms.get(term)
    if (known !== undefined) return known
    if (this.#terms.size >= INDEX_TERMS_MAX) this.#terms.clear()
    const id = this.#writes?.termId(term) ?? 0
    this.#terms.set(term, id)
    return id
  }
}
