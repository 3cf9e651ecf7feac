/**
 * Segments into the index, one batch and one transaction at a time. Where it stands is part of the same
 * transaction, so it can be stopped anywhere and two of them on one index do not disturb each other.
 */

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { INDEX_READ_BYTES } from '../limits.ts'
import { leafHash } from '../merkle.ts'
import { readTombstone, tombstonePath } from '../retention/tombstone.ts'
import { segmentPath } from '../segments.ts'
import { BatchBuilder, removedBy } from './batch.ts'
import { LineReader } from './lines.ts'
import { SessionMemory } from './session-memory.ts'
import { recreateIndex } from './sqlite-schema.ts'
import { SqliteIndexStore } from './sqlite-store.ts'
import type { IndexBatch, IndexStore, Position } from './store.ts'

const NEWLINE = 0x0a

export class Indexer {
  readonly #directory: string
  readonly #store: IndexStore
  readonly #buffer = Buffer.allocUnsafe(INDEX_READ_BYTES)
  readonly #sessions: SessionMemory
  readonly #lines = new LineReader()
  /** Where the store stands, as far as this one knows. */
  #position: Position | null = null

  constructor(directory: string, store: IndexStore) {
    this.#directory = directory
    this.#store = store
    this.#sessions = new SessionMemory(store)
  }

  /** Goes on with an index, by default the one beside the log; one that speaks of other records is built again. */
  static async open(
    directory: string,
    store: IndexStore = new SqliteIndexStore(directory, 'write'),
  ): Promise<Indexer> {
    try {
      if (!matchesSegments(directory, await store.position())) await store.clear()
      return new Indexer(directory, store)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /**
   * Indexes the next batch. Returns the newest record indexed, and whether there is more to do at once:
   * what was only just begun is worth waiting for.
   */
  async step(): Promise<{ seq: number; more: boolean }> {
    try {
      const before = this.#position ?? (await this.#store.position())
      this.#position = before
      const { batch, more } = await this.#next(before)
      if (batch === null) return { seq: before.seq, more }
      if (await this.#store.add(batch)) {
        this.#position = batch.to
        // Sessions may have gone with their segments.
        if (batch.removed.length > 0) this.#sessions.forget()
        return { seq: batch.to.seq, more }
      }
      // Another indexer was here: what this one remembers may be old.
      this.#forget()
      return { seq: before.seq, more: true }
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  /** Indexes all there is now. Returns the newest record indexed. */
  async catchUp(): Promise<number> {
    for (;;) {
      const { seq, more } = await this.step()
      if (!more) return seq
    }
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #forget(): void {
    this.#position = null
    this.#sessions.forget()
  }

  /** What follows a position in the segments; null: nothing yet. */
  async #next(before: Position): Promise<{ batch: IndexBatch | null; more: boolean }> {
    const path = segmentPath(this.#directory, before.segment)
    if (!existsSync(path)) return this.#passRemoved(before)
    const bytes = readAt(path, before.offset, this.#buffer)
    const isFull = bytes.length === this.#buffer.length
    const end = bytes.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      const batch = await this.#build(before, bytes.subarray(0, end))
      return { batch, more: isFull || this.#hasNext(before.segment) }
    }
    if (!this.#hasNext(before.segment) || (bytes.length > 0 && !isFull)) {
      return { batch: null, more: false }
    }
    const to = { ...before, segment: before.segment + 1, offset: 0 }
    return { batch: { from: before, to, blocks: [], sessions: [], removed: [] }, more: true }
  }

  /** Retention was here first: on to the segment behind. */
  #passRemoved(before: Position): { batch: IndexBatch | null; more: boolean } {
    const tombstone = readTombstone(this.#directory, before.segment)
    if (!tombstone) return { batch: null, more: false }
    const removed = removedBy(tombstone)
    const seq = removed[0]?.lastSeq ?? before.seq
    const to = { ...before, segment: before.segment + 1, offset: 0, seq }
    return {
      batch: { from: before, to: { ...to, ...NO_LAST }, blocks: [], sessions: [], removed },
      more: true,
    }
  }

  #hasNext(segment: number): boolean {
    const next = segment + 1
    return (
      existsSync(segmentPath(this.#directory, next)) ||
      existsSync(tombstonePath(this.#directory, next))
    )
  }

  async #build(from: Position, bytes: Buffer): Promise<IndexBatch> {
    const lines = this.#lines.read(bytes)
    await this.#sessions.recall(lines)
    const builder = new BatchBuilder(this.#sessions, from, bytes)
    for (const line of lines) builder.take(line)
    return builder.finish()
  }
}

/** The last line indexed is not there to be known again. */
const NO_LAST = { lastOffset: null, lastHash: null }

function readAt(path: string, offset: number, buffer: Buffer): Buffer {
  const fd = openSync(path, 'r')
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, offset))
  } finally {
    closeSync(fd)
  }
}

function matchesSegments(directory: string, position: Position): boolean {
  const { segment, offset, lastOffset, lastHash } = position
  if (lastOffset === null || lastHash === null) return offset === 0
  // The position may already be at the start of the next segment.
  const last = offset === 0 ? segment - 1 : segment
  const path = segmentPath(directory, last)
  if (!existsSync(path)) return (readTombstone(directory, last) ?? null) !== null
  const bytes = readAt(path, lastOffset, Buffer.allocUnsafe(INDEX_READ_BYTES))
  const end = bytes.indexOf(NEWLINE)
  return end >= 0 && leafHash(bytes.subarray(0, end)) === lastHash
}

/** Builds or completes the index of a directory, in this thread. Returns the newest record indexed. */
export async function updateIndex(directory: string): Promise<number> {
  const indexer = await Indexer.open(directory)
  try {
    return await indexer.catchUp()
  } finally {
    await indexer.close()
  }
}

/** Throws the index away and builds it from the segments. Not while a log writes this directory. */
export async function rebuildIndex(directory: string): Promise<number> {
  recreateIndex(directory).close()
  return updateIndex(directory)
}
