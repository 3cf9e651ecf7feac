/**
 * The queue of replies owed to the client, one entry per command that has one, in order.
 *
 * Each entry says what its reply is (`kind`) and what becomes of it (`fate`): forwarded to the client, dropped
 * (the command was ours), or injected (the command never left: its whole reply is a packet of ours, which
 * waits here for the replies before it).
 */
import { ProtocolError } from '../errors.ts'
import { EXPECTED_REPLIES_MAX } from '../limits.ts'
import type { Admission, Amount } from './gatekeeper.ts'
import type { PreparedStatement } from './prepared-statement.ts'

/** What a command is answered with, besides ERR. */
export const REPLY = {
  /** OK, results with text rows, or a request for a file. */
  query: 1,
  /** OK, or results with binary rows. */
  execute: 2,
  /** Binary rows of a cursor. */
  fetch: 3,
  /** COM_STMT_PREPARE's own OK, definitions of parameters and columns. */
  prepare: 4,
  /** OK, or EOF where it is an older habit. */
  ok: 5,
  /** Column definitions. */
  fieldList: 6,
  /** One packet of text. */
  statistics: 7,
} as const
export type ReplyKind = (typeof REPLY)[keyof typeof REPLY]

export type Fate = 'forward' | 'drop' | 'inject'

/** What an OK, or a reply of ours, does besides being said. */
export type Effect =
  | 'none'
  | 'multi-statements-on'
  | 'multi-statements-off'
  | 'reset-connection'
  | 'forget-last-prepared'

/** One owed reply. Fields not of the kind at hand are null. Mutable: the relay fills it in as replies come. */
export interface Expected {
  readonly kind: ReplyKind
  readonly fate: Fate
  /** Sequence id of the reply's first packet, to the client and from the upstream. */
  readonly sequence: number
  readonly upstreamSequence: number
  readonly admission: Admission | null
  /** The gatekeeper's own number for this execution (its audit sequence); 0 when there is none. */
  readonly execution: number
  readonly statement: PreparedStatement | null
  /**
   * The execution asks for a cursor. Only then CURSOR_EXISTS is this statement's: MariaDB leaves it set over
   * results of a procedure that has a cursor of its own.
   */
  readonly cursor: boolean
  readonly effect: Effect
  /** Of fate `inject`: the payload of the reply. */
  readonly payload: Buffer | null
  /** Counted in RelayState.barriers and .limited while it is owed. */
  readonly barrier: boolean
  readonly limited: boolean
  /** Rows of the present result sent to the client, and their bytes; its index. */
  rows: number
  bytes: number
  result: number
  /** The present result is over its limit: what comes of it is dropped. */
  over: boolean
  /** The present result may pass its limit. */
  lifted: boolean
  /** What may be sent of the present result, where it is metered; and whether it was stopped because no more may be. */
  metered: Amount
  spent: boolean
  /** The client has its error: whatever else comes is dropped. */
  told: boolean
}

export const NOTHING_SENT: Amount = { rows: 0, bytes: 0 }

export type ExpectedInit = Partial<Omit<Expected, 'kind' | 'sequence'>>

/** `sequence`: of its first packet, on both legs unless `init` says otherwise. */
export function expect(kind: ReplyKind, init: ExpectedInit, sequence = 1): Expected {
  return {
    kind,
    fate: init.fate ?? 'forward',
    sequence,
    upstreamSequence: init.upstreamSequence ?? sequence,
    admission: init.admission ?? null,
    execution: init.execution ?? 0,
    statement: init.statement ?? null,
    cursor: init.cursor ?? false,
    effect: init.effect ?? 'none',
    payload: init.payload ?? null,
    barrier: init.barrier ?? false,
    limited: init.limited ?? false,
    rows: 0,
    bytes: 0,
    result: 0,
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

/** A bounded FIFO over a circular array. */
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

  /** Throws ProtocolError `too-many-requests` over EXPECTED_REPLIES_MAX unanswered commands. */
  push(entry: Expected): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = entry
    this.#size++
  }

  pop(): Expected {
    const entry = this.head()
    if (entry === undefined) throw new ProtocolError('out-of-sync', 'local', 'nothing is owed')
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    return entry
  }

  #grow(): void {
    if (this.#size >= EXPECTED_REPLIES_MAX) {
      const what = `more than ${EXPECTED_REPLIES_MAX} commands without a reply being read`
      throw new ProtocolError('too-many-requests', 'remote', what)
    }
    const mask = this.#ring.length - 1
    const bigger = new Array<Expected | undefined>(this.#ring.length * 2).fill(undefined)
    for (let i = 0; i < this.#size; i++) bigger[i] = this.#ring[(this.#head + i) & mask]
    this.#ring = bigger
    this.#head = 0
  }
}
