/** A run of lines made into what the index stores of them: blocks, and what is new of their sessions. */

import { type AuditEvent, isKnownEvent, type StoredEvent, type Tombstone } from '../event.ts'
import { INDEX_BLOCK_RECORDS } from '../limits.ts'
import { leafHash } from '../merkle.ts'
import { footerOf, isTombstone } from '../retention/tombstone.ts'
import type { IndexedRecord, Line } from './lines.ts'
import type { RememberedSession, SessionMemory } from './session-memory.ts'
import {
  addToTotals,
  blankSession,
  describeSession,
  type SessionDescription,
  type SessionTotals,
} from './session-row.ts'
import type { IndexBatch, IndexBlock, Position, RemovedSegment } from './store.ts'
import { sessionTermsOf, termOf } from './terms.ts'

interface OpenBlock {
  readonly start: number
  readonly first: IndexedRecord
  last: IndexedRecord
  end: number
  records: number
  readonly terms: Set<string>
  /** Lists of terms that `terms` has all of. */
  readonly taken: Set<readonly string[]>
  readonly sessions: Set<string>
  readonly texts: Set<string>
}

interface OpenUpdate {
  readonly firstSeq: number
  readonly description: SessionDescription
  terms: readonly string[] | null
  readonly used: Set<string>
  /** Lists of terms that the index has, or that `used` has. */
  readonly taken: Set<readonly string[]>
  readonly totals: SessionTotals
}

export class BatchBuilder {
  readonly #memory: SessionMemory
  readonly #from: Position
  readonly #bytes: Buffer
  readonly #blocks: IndexBlock[] = []
  readonly #updates = new Map<string, OpenUpdate>()
  readonly #removed: RemovedSegment[] = []
  #block: OpenBlock | null = null
  #seq: number
  #unreadable: number
  #lastStart = 0

  constructor(memory: SessionMemory, from: Position, bytes: Buffer) {
    this.#memory = memory
    this.#from = from
    this.#bytes = bytes
    this.#seq = from.seq
    this.#unreadable = from.unreadable
  }

  take(line: Line): void {
    this.#lastStart = line.start
    const { record } = line
    if (record === null) {
      this.#unreadable++
      return
    }
    this.#seq = record.seq
    const block = this.#blockFor(record, line)
    block.last = record
    block.end = line.end + 1
    block.records++
    this.#takeEvent(record, block)
  }

  finish(): IndexBatch {
    this.#closeBlock()
    this.#memory.trim()
    const from = this.#from
    const bytes = this.#bytes
    const to: Position = {
      segment: from.segment,
      offset: from.offset + bytes.length,
      seq: this.#seq,
      lastOffset: from.offset + this.#lastStart,
      lastHash: leafHash(bytes.subarray(this.#lastStart, bytes.length - 1)),
      unreadable: this.#unreadable,
    }
    const sessions = [...this.#updates.values()]
    return { from, to, blocks: this.#blocks, sessions, removed: this.#removed }
  }

  #blockFor(record: IndexedRecord, line: Line): OpenBlock {
    if (this.#block !== null && this.#block.records >= INDEX_BLOCK_RECORDS) this.#closeBlock()
    this.#block ??= {
      start: line.start,
      first: record,
      last: record,
      end: line.end + 1,
      records: 0,
      terms: new Set(),
      taken: new Set(),
      sessions: new Set(),
      texts: new Set(),
    }
    return this.#block
  }

  #closeBlock(): void {
    const block = this.#block
    if (block === null) return
    this.#block = null
    const { first, last, start, end, terms, sessions, texts } = block
    this.#blocks.push({
      firstSeq: first.seq,
      lastSeq: last.seq,
      firstAt: first.at,
      lastAt: last.at,
      segment: this.#from.segment,
      offset: this.#from.offset + start,
      lines: this.#bytes.subarray(start, end),
      terms,
      sessions,
      texts,
    })
  }

  #takeEvent(record: IndexedRecord, block: OpenBlock): void {
    const { event, terms, refers, session } = record
    if (!block.taken.has(terms)) {
      block.taken.add(terms)
      for (const term of terms) block.terms.add(term)
    }
    if (refers !== null && refers < block.first.seq) block.terms.add(termOf('refers', refers))
    if (event.type === 'segment-removed' && isTombstone(event['tombstone'])) {
      this.#removed.push(...removedBy(event['tombstone']))
    }
    if (typeof event['sql'] === 'string') block.texts.add(event['sql'])
    if (session !== null) this.#takeSession(record, session, block)
  }

  #takeSession(record: IndexedRecord, id: string, block: OpenBlock): void {
    const { event, terms } = record
    const session = this.#memory.of(id)
    const update = this.#updateOf(id, record)
    if (isKnownEvent(event)) this.#describe(update, event, record.at)
    const own = learn(session, event)
    if (own !== null) update.terms = own
    if (own !== null || !block.sessions.has(id)) {
      for (const term of session.terms) block.terms.add(term)
    }
    block.sessions.add(id)
    if (update.taken.has(terms)) return
    update.taken.add(terms)
    for (const term of terms) {
      if (session.used.has(term)) continue
      session.used.add(term)
      update.used.add(term)
    }
  }

  #updateOf(id: string, record: IndexedRecord): OpenUpdate {
    let update = this.#updates.get(id)
    if (update === undefined) {
      update = {
        firstSeq: record.seq,
        description: blankSession(id, record.at),
        terms: null,
        used: new Set(),
        taken: new Set(),
        totals: { statements: 0, refused: 0, rows: 0, bytes: 0 },
      }
      this.#updates.set(id, update)
    }
    return update
  }

  #describe(update: OpenUpdate, event: AuditEvent, at: number): void {
    describeSession(update.description, event, at)
    addToTotals(update.totals, event)
  }
}

/** Empty when it is not well-formed. */
export function removedBy(tombstone: Tombstone): RemovedSegment[] {
  const footer = footerOf(tombstone)
  if (footer === null) return []
  const { segment, first, by, at, keepDays } = tombstone
  const { seq: lastSeq, at: until } = footer.record
  return [{ segment, firstSeq: first.seq, lastSeq, since: first.at, until, by, at, keepDays }]
}

/** Terms of the session with those this event adds; null when it adds none. */
function learn(session: RememberedSession, event: StoredEvent): readonly string[] | null {
  const fresh = sessionTermsOf(event).filter((term) => !session.terms.includes(term))
  if (fresh.length === 0) return null
  session.terms = [...session.terms, ...fresh]
  return session.terms
}
