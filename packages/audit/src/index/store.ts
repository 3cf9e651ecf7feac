/**
 * The port behind search: where an index is kept. It is a convenience, never evidence: it is built from the
 * segments and can be thrown away and built again. SQLite keeps it beside the log (sqlite-store.ts).
 *
 * Records are indexed in blocks, runs of consecutive records. A term (terms.ts) leads to the blocks that
 * hold it, and the records of a block are then looked at one by one: a block of 500 records costs as many
 * index entries as it has distinct terms, and a candidate that is no match costs a look at its block.
 */

import type { SessionDescription, SessionTotals } from './session-row.ts'

/** How far the segments are indexed. */
export interface Position {
  readonly segment: number
  readonly offset: number
  /** Newest record indexed; 0 when none is. */
  readonly seq: number
  /** Where the last line indexed begins, and its leaf hash; null before the first. */
  readonly lastOffset: number | null
  readonly lastHash: string | null
  /** Lines that were no records. */
  readonly unreadable: number
}

/** A run of records with everything it can be found by. */
export interface IndexBlock {
  readonly firstSeq: number
  readonly lastSeq: number
  readonly firstAt: number
  readonly lastAt: number
  readonly segment: number
  readonly offset: number
  /** The lines themselves; a view, valid until `add` returns. */
  readonly lines: Buffer
  readonly terms: ReadonlySet<string>
  /** Sessions (`SessionUpdate.first`) that have a record in it. */
  readonly sessions: ReadonlySet<number>
  /** Statement texts. */
  readonly texts: ReadonlySet<string>
}

/** What a batch has to say of one session. */
export interface SessionUpdate {
  /** Sequence number of the session's first record: its number in the index. */
  readonly first: number
  readonly description: SessionDescription
  /** Terms of the session itself: all of them, when there is a new one. */
  readonly terms: readonly string[] | null
  /** Terms of its records that it did not have before. */
  readonly used: ReadonlySet<string>
  readonly totals: SessionTotals
}

export interface IndexBatch {
  readonly from: Position
  readonly to: Position
  readonly blocks: readonly IndexBlock[]
  readonly sessions: readonly SessionUpdate[]
}

export interface KnownSession {
  readonly first: number
  readonly terms: readonly string[]
}

/** A block as found; `first` is the cursor of searches. */
export interface StoredBlock {
  readonly first: number
  readonly firstSeq: number
  readonly lastSeq: number
  readonly segment: number
  readonly offset: number
  readonly length: number
}

export interface BlockQuery {
  /** All of them occur in the block. */
  readonly terms: readonly string[]
  /** A session's id. */
  readonly session: string | null
  /** All of them occur in statements of the block; the last may be the start of a word. */
  readonly words: readonly string[]
  readonly since: number | null
  readonly until: number | null
  /** Only blocks that begin before this one: newest first. */
  readonly before: number
  /** Only blocks that end at or after this one: with `ascending`, oldest first. */
  readonly after: number
  readonly ascending: boolean
  readonly limit: number
}

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

export interface SessionRowsQuery {
  readonly terms: readonly string[]
  readonly session: string | null
  /** The beginning of a session's id. */
  readonly prefix: string | null
  readonly since: number | null
  readonly until: number | null
  readonly live: boolean
  readonly before: number
  readonly limit: number
}

export interface IndexStore {
  position(): Promise<Position>
  /** What is known of these sessions; those never seen are not in it. */
  recall(sessions: readonly string[]): Promise<ReadonlyMap<string, KnownSession>>
  /** Stores a batch and its new position, all or nothing; false: the position is no longer `from`. */
  add(batch: IndexBatch): Promise<boolean>
  blocks(query: BlockQuery): Promise<readonly StoredBlock[]>
  lines(block: StoredBlock): Promise<Buffer>
  sessions(query: SessionRowsQuery): Promise<readonly SessionSummary[]>
  close(): Promise<void>
}
