/**
 * Legal holds: what may not be destroyed, whatever its age. A hold is a `legal-hold` record of the log, and so is its end;
 * what stands is the newest word on what it names.
 */

import { canonicalJson } from '../canonical.ts'
import type { StoredEvent } from '../event.ts'
import type { AuditReader } from '../index/reader.ts'
import { QUERY_ROWS_MAX } from '../limits.ts'
import { isMap } from '../record.ts'

/** One word on a hold. */
export interface HoldWord {
  /** Number of its record. */
  readonly seq: number
  /** The same for every word on the same hold. */
  readonly on: string
  readonly isPlaced: boolean
  readonly event: StoredEvent
}

export class Holds {
  /** Newest first. */
  readonly #words: readonly HoldWord[]
  readonly #standing: readonly HoldWord[]

  private constructor(words: readonly HoldWord[]) {
    this.#words = words
    const newest = new Map<string, HoldWord>()
    for (const word of words) if (!newest.has(word.on)) newest.set(word.on, word)
    this.#standing = [...newest.values()].filter(({ isPlaced }) => isPlaced)
  }

  /** As the index knows them. */
  static async read(reader: AuditReader): Promise<Holds> {
    const words: HoldWord[] = []
    let before: number | null = Number.MAX_SAFE_INTEGER
    while (before !== null) {
      const page = await reader.search({ type: 'legal-hold', limit: QUERY_ROWS_MAX, before })
      for (const { seq, event } of page.items) {
        const { session, subject, time, state } = event
        const on = canonicalJson({ session, subject, time })
        words.push({ seq, on, isPlaced: state === 'placed', event })
      }
      before = page.next
    }
    return new Holds(words)
  }

  /** Number of the newest word; 0 when there is none. */
  get newest(): number {
    return this.#words[0]?.seq ?? 0
  }

  /** Whether the record of this event names a session or a subject that is held. */
  names(event: StoredEvent): boolean {
    return this.#standing.some(
      ({ event: held }) =>
        (held['session'] !== undefined && held['session'] === event['session']) ||
        (held['subject'] !== undefined && held['subject'] === event['subject']),
    )
  }

  /** Whether something of the session is held: by its id, by who it was, or by when. */
  async holdsSession(session: string, reader: AuditReader): Promise<boolean> {
    if (this.#standing.length === 0) return false
    if (this.#standing.some(({ event }) => event['session'] === session)) return true
    const { items } = await reader.sessions({ session, limit: 1 })
    const found = items[0]
    if (found === undefined) return false
    const end = found.endedAt ?? Number.MAX_SAFE_INTEGER
    return this.#standing.some(
      ({ event }) =>
        (event['subject'] !== undefined && event['subject'] === found.subject) ||
        touches(event, found.startedAt, end),
    )
  }

  /** Whether a run of records is to stay: one is held, or says what is held while that is not settled by later ones. */
  async holdsRecords(
    run: {
      readonly firstSeq: number
      readonly lastSeq: number
      readonly firstAt: number
      readonly lastAt: number
    },
    reader: AuditReader,
  ): Promise<boolean> {
    const { firstSeq, lastSeq } = run
    const isIn = (seq: number): boolean => seq >= firstSeq && seq <= lastSeq
    for (const { seq, event } of this.#standing) {
      if (isIn(seq) || touches(event, run.firstAt, run.lastAt)) return true
      const { session, subject } = event
      const asked =
        typeof session === 'string' ? { session } : typeof subject === 'string' ? { subject } : null
      if (asked === null) continue
      const { items } = await reader.search({ ...asked, before: lastSeq + 1, limit: 1 })
      if (isIn(items[0]?.seq ?? 0)) return true
    }
    // An end that went before the word it ends would bring that one back.
    return this.#words.some(
      ({ seq, on }) =>
        isIn(seq) && this.#words.some((other) => other.on === on && other.seq < firstSeq),
    )
  }
}

/** Whether a hold on a stretch of time has something of this one; both ends of it included. */
function touches({ time }: StoredEvent, first: number, last: number): boolean {
  if (!isMap(time)) return false
  return Number(time['since']) <= last && first < Number(time['until'])
}
