/**
 * The port behind search: where an index is kept. It is a convenience, never evidence: it is built from the
 * segments and can be thrown away and built again. SQLite keeps it beside the log (sqlite-store.ts); PostgreSQL
 * keeps those of several gateways' logs in one place (postgres-store.ts).
 *
 * A record has a place in an index: its sequence number in that of one log; in that of several, the order in
 * which the store got them. Places are the cursors of pages.
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
  /** Ids of sessions that have a record in it; each has an update in the batch. */
  readonly sessions: ReadonlySet<string>
  /** Statement texts. */
  readonly texts: ReadonlySet<string>
}

/** What a batch has to say of one session. */
export interface SessionUpdate {
  /** Sequence number of its first record in the batch: where it begins, if the index does not know it yet. */
  readonly firstSeq: number
  readonly description: SessionDescription
  /** Terms of the session itself: all of them, when there is a new one. */
  readonly terms: readonly string[] | null
  /** Terms of its records that it did not have before. */
  readonly used: ReadonlySet<string>
  readonly totals: SessionTotals
}

/** A segment that retention removed: nothing of it is found any more. */
export interface RemovedSegment {
  readonly segment: number
  readonly firstSeq: number
  readonly lastSeq: number
  /** Times of its first and last record. */
  readonly since: number
  readonly until: number
  /** Who removed it, when, and for how many days the policy keeps records. */
  readonly by: string
  readonly at: number
  readonly keepDays: number
}

export interface IndexBatch {
  readonly from: Position
  readonly to: Position
  readonly blocks: readonly IndexBlock[]
  readonly sessions: readonly SessionUpdate[]
  readonly removed: readonly RemovedSegment[]
}

/** What somebody has removed of a log by one policy. Legal holds may have kept some between `first` and `last`. */
export interface RemovedRecords {
  /** Name of the log's gateway; null in the index of one log. */
  readonly gateway: string | null
  readonly segments: number
  readonly records: number
  /** Numbers of the oldest and the newest. */
  readonly first: number
  readonly last: number
  /** Their times, milliseconds since 1970. */
  readonly since: number
  readonly until: number
  /** Who removed them, when last, and for how many days the policy keeps records; null: not known to the index. */
  readonly by: string | null
  readonly at: number | null
  readonly keepDays: number | null
}

/** A block as found. */
export interface StoredBlock {
  /** Places of its first and last record. */
  readonly first: number
  readonly last: number
  /** The log it is of, among those of the index. */
  readonly log: number
  /** Name of that log's gateway; null in the index of one log. */
  readonly gateway: string | null
  readonly firstSeq: number
  readonly lastSeq: number
  readonly segment: number
  readonly offset: number
  readonly length: number
}

export interface BlockQuery {
  /** Of this log alone. */
  readonly log: number | null
  /** All of them occur in the block. */
  readonly terms: readonly string[]
  /** A session's id. */
  readonly session: string | null
  /** All of them occur in statements of the block; the last may be the start of a word. */
  readonly words: readonly string[]
  readonly since: number | null
  readonly until: number | null
  /** Only blocks that begin before this place: newest first. */
  readonly before: number
  /** Only blocks that end at or after this place: with `ascending`, oldest first. */
  readonly after: number
  readonly ascending: boolean
  readonly limit: number
}

export interface SessionSummary {
  readonly session: string
  /** Place of the session's first record: the cursor of sessions(). */
  readonly first: number
  /** The gateway it was on; null in the index of one log. */
  readonly gateway: string | null
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

export interface IndexReads {
  /** Terms of these sessions themselves; those never seen are not in it. */
  recall(sessions: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>
  /** Place of the newest record; 0 when there is none. */
  newest(): Promise<number>
  /** The blocks that hold record `seq`: one of each log that has such a record. */
  holders(seq: number, gateway: string | null): Promise<readonly StoredBlock[]>
  blocks(query: BlockQuery): Promise<readonly StoredBlock[]>
  /** The block's lines; none when its segment was removed meanwhile. */
  lines(block: StoredBlock): Promise<Buffer>
  /** By log, policy and who removed them. */
  removed(): Promise<readonly RemovedRecords[]>
  /** Whether retention removed record `seq`, of this gateway's log or of any. */
  isRemoved(seq: number, gateway: string | null): Promise<boolean>
  sessions(query: SessionRowsQuery): Promise<readonly SessionSummary[]>
  close(): Promise<void>
}

/** One log's side of an index. */
export interface IndexStore extends IndexReads {
  position(): Promise<Position>
  /** Stores a batch and its new position, all or nothing; false: the position is no longer `from`. */
  add(batch: IndexBatch): Promise<boolean>
  /** Forgets all of the log: it is indexed from its beginning. */
  clear(): Promise<void>
}
