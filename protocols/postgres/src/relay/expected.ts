/**
 * The queue of replies the upstream owes, one entry per request sent to it, in order.
 *
 * Each entry says what its reply is for (`kind`) and what becomes of it (`fate`): forwarded to the client,
 * dropped (the request was ours), answered by an error of ours (`substitute`: the request was sent only
 * to bring the server into the state a server-side error would leave, so that transaction and pipeline
 * state are exactly what the driver expects), or forwarded where it can hold no data (`barren`: the request
 * names what only the server knows, so that anything but NoData and an error is out of sync).
 */
import { ProtocolError } from '../errors.ts'
import { EXPECTED_REPLIES_MAX } from '../limits.ts'
import type { Admission, Amount } from './gatekeeper.ts'
import type { Portal, PreparedStatement } from './named.ts'

export const REPLY = {
  query: 1,
  parse: 2,
  bind: 3,
  describeStatement: 4,
  describePortal: 5,
  execute: 6,
  closeStatement: 7,
  closePortal: 8,
  sync: 9,
  functionCall: 10,
} as const
export type ReplyKind = (typeof REPLY)[keyof typeof REPLY]

export type Fate = 'forward' | 'drop' | 'substitute' | 'barren'

/**
 * One owed reply. Fields not of the kind at hand are null. Mutable: who sends the request sets what is not as
 * `expect` makes it, and the relay fills it in as replies come.
 */
export interface Expected {
  readonly kind: ReplyKind
  /** Which Sync- or Query-delimited segment of the pipeline the request belongs to. */
  readonly segment: number
  fate: Fate
  /** What was admitted, for query, parse, execute and functionCall. */
  admission: Admission | null
  /** The gatekeeper's own number for this execution (its audit sequence); 0 when there is none. */
  execution: number
  statement: PreparedStatement | null
  portal: Portal | null
  /** What a parse or closeStatement (statement), bind or closePortal (portal) gives a meaning or takes it from. */
  name: string
  /** The map entry this request replaced, restored when the server turns out not to have run it. */
  previousStatement: PreparedStatement | undefined
  previousPortal: Portal | undefined
  /** For fate `substitute`: the ErrorResponse frame the client gets; null: it has got one. */
  error: Buffer | null
  /** Counted in RelayState.barriers and .limited while it is owed. */
  barrier: boolean
  limited: boolean
  /** Rows and bytes of data sent to the client for this entry; index of the result inside a simple Query. */
  rows: number
  bytes: number
  result: number
  failed: boolean
  /** The present result is over its limit: what comes of it is dropped. */
  over: boolean
  /** The present result may pass its limit. */
  lifted: boolean
  /** What may be sent of the present result, where it is metered; and whether it was stopped because no more may be. */
  metered: Amount
  spent: boolean
  /** The client has been told so, in place of a completion. */
  told: boolean
}

export const NOTHING_SENT: Amount = { rows: 0, bytes: 0 }

/** A reply to be forwarded, of nothing yet. All entries have one shape: they are read for every reply. */
export function expect(kind: ReplyKind, segment: number): Expected {
  return {
    kind,
    segment,
    fate: 'forward',
    admission: null,
    execution: 0,
    statement: null,
    portal: null,
    name: '',
    previousStatement: undefined,
    previousPortal: undefined,
    error: null,
    barrier: false,
    limited: false,
    rows: 0,
    bytes: 0,
    result: 0,
    failed: false,
    over: false,
    lifted: false,
    metered: NOTHING_SENT,
    spent: false,
    told: false,
  }
}

/** A result of it that is over its limit becomes an error, in place of being cut. */
export function isRefused({ admission, spent }: Expected): boolean {
  const limit = admission?.limit ?? null
  return limit !== null && (spent || limit.exceeded !== 'truncate')
}

/** A reply the client does not get. */
export function expectDropped(kind: ReplyKind, segment: number): Expected {
  const entry = expect(kind, segment)
  entry.fate = 'drop'
  return entry
}

/** The server's error in whose place the client gets `error`. */
export function expectFailure(kind: ReplyKind, segment: number, error: Buffer | null): Expected {
  const entry = expect(kind, segment)
  entry.fate = 'substitute'
  entry.error = error
  return entry
}

/** A bounded FIFO over a circular array; `at(0)` is the reply owed next. */
export class ExpectedQueue {
  #ring: (Expected | undefined)[] = new Array<Expected | undefined>(16).fill(undefined)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  head(): Expected | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head]
  }

  at(index: number): Expected {
    const entry = this.#ring[(this.#head + index) & (this.#ring.length - 1)]
    if (index >= this.#size || entry === undefined) {
      throw new ProtocolError('out-of-sync', 'local', 'no such expected reply')
    }
    return entry
  }

  /** Throws ProtocolError `too-many-requests` over EXPECTED_REPLIES_MAX unanswered requests. */
  push(entry: Expected): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = entry
    this.#size++
  }

  pop(): Expected {
    const entry = this.at(0)
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    return entry
  }

  /** Removes the `count` next to `head()`: they will not be answered. */
  removeBehindHead(count: number): void {
    const mask = this.#ring.length - 1
    for (let i = 1; i < this.#size; i++) {
      const from = i + count < this.#size ? this.at(i + count) : undefined
      this.#ring[(this.#head + i) & mask] = from
    }
    this.#size -= count
  }

  #grow(): void {
    if (this.#size >= EXPECTED_REPLIES_MAX) {
      throw new ProtocolError(
        'too-many-requests',
        'remote',
        `more than ${EXPECTED_REPLIES_MAX} requests without a reply being read`,
      )
    }
    const bigger = new Array<Expected | undefined>(this.#ring.length * 2).fill(undefined)
    for (let i = 0; i < this.#size; i++) bigger[i] = this.at(i)
    this.#ring = bigger
    this.#head = 0
  }
}
