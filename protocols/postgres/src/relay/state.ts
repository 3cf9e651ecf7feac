/**
 * What both legs of a relayed session share: names, owed replies, transaction status, output.
 * Nothing outside this folder touches it.
 */

import { GrowingSink, OutputQueue } from '@sallyport/protocol-wire'
import { Descriptions } from './descriptions.ts'
import { type Expected, ExpectedQueue, REPLY, type ReplyKind } from './expected.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import { Names, type Portal, type PreparedStatement } from './named.ts'
import { NOT_PARKED, type Parked } from './parked.ts'

/** A question of ours to the upstream, asked between the client's requests; see Relay.probe. */
export interface Probe {
  /** In the middle of a pipeline: no Sync follows it. */
  readonly inside: boolean
  readonly answers: string[]
  /** What the server said where it refused one; null: it has not. */
  refused: Extract<ProbeAnswer, { kind: 'refused' }> | null
  readonly done: (answer: ProbeAnswer) => void
}

export type ProbeAnswer =
  | { readonly kind: 'answers'; readonly answers: readonly string[] }
  /** `error`: the server's ErrorResponse frame, as far as it is not about our own words. */
  | { readonly kind: 'refused'; readonly sqlstate: string; readonly error: Buffer }

export const TX_IDLE = 0x49 // 'I'
export const TX_BLOCK = 0x54 // 'T'
export const TX_FAILED = 0x45 // 'E'

const SINK_BYTES = 16 * 1024

export class RelayState {
  readonly gatekeeper: Gatekeeper
  readonly expected = new ExpectedQueue()
  readonly statements = new Names<PreparedStatement>()
  readonly portals = new Names<Portal>()
  readonly descriptions = new Descriptions()
  readonly toUpstream = new OutputQueue()
  readonly toClient = new OutputQueue()
  /** Rewritten rows live here until the pump has written them. */
  readonly sink = new GrowingSink(SINK_BYTES)
  /** Number of the segment being sent; a Sync or Query ends one. */
  segment = 1
  /** Every segment up to this one has had its ReadyForQuery. */
  settled = 0
  /** Requests of the current segment have gone upstream and no Sync has. */
  openSegment = false
  /** As of the last ReadyForQuery. */
  transaction: number = TX_IDLE
  /** The client's messages are discarded until its Sync, as the server discards them after an error. */
  skipping = false
  /** The server is reading COPY data from the client. */
  copyIn = false
  /** The gatekeeper is told of its data. */
  copyInTold = false
  /** Unsettled requests whose outcome changes what later statements mean. */
  barriers = 0
  /** Unsettled requests that run something. */
  #runs = 0
  /** Unsettled requests that an exceeded limit would turn into errors. */
  limited = 0
  /** Nothing would have to be taken back if the one limited request completed before its cancel. */
  limitedHarmless = false
  /** A cancel of ours is under way: a request sent now might be what it hits. */
  cancelling = false
  /** Requests of the current segment that run something. */
  executions = 0
  /**
   * Syncs that reached the server while it read COPY data, or just before: it ignores them, unless an
   * error ended the COPY first; then each still has its ReadyForQuery.
   */
  spareSyncs = 0
  parked: Parked = NOT_PARKED
  /** A result is at its limit: no more is taken of the upstream until the gatekeeper has answered. */
  holding = false
  /** The server has said why it is about to close the connection. */
  farewell = false
  probe: Probe | null = null
  /** Name of a portal that never exists: describing it makes the server fail exactly where we refuse. */
  readonly refusedPortal: string

  constructor(gatekeeper: Gatekeeper, refusedPortal: string) {
    this.gatekeeper = gatekeeper
    this.refusedPortal = refusedPortal
  }

  /** Nothing is owed, but for a Sync where there is none yet. */
  get answered(): boolean {
    return this.expected.size === 0 && !this.copyIn
  }

  /** Nothing is owed and nothing is half-sent: the server is waiting for a request. */
  get quiescent(): boolean {
    return this.answered && !this.openSegment
  }

  /** All but the current segment have had their ReadyForQuery. */
  get settledBefore(): boolean {
    return this.settled >= this.segment - 1
  }

  /** Something that may still start a COPY is unanswered. */
  get running(): boolean {
    // Only what is answered next can have failed.
    const next = this.expected.head()
    return this.#runs > (next?.failed && isRun(next) ? 1 : 0)
  }

  endSegment(): void {
    this.segment++
    this.openSegment = false
    this.executions = 0
  }

  /** What was taken for the end of `segment` was none. */
  reopen(segment: number): void {
    this.openSegment = true
    if (this.expected.size === 1) this.segment = segment
  }

  owe(entry: Expected): void {
    this.expected.push(entry)
    if (entry.barrier) this.barriers++
    if (entry.limited) this.limited++
    if (isRun(entry)) this.#runs++
    if (entry.kind === REPLY.describeStatement && entry.statement !== null) entry.statement.asked++
  }

  /** Takes the reply owed next off the queue: it has come, or never will. */
  pop(): Expected {
    const entry = this.expected.pop()
    if (entry.barrier) this.barriers--
    if (entry.limited) this.limited--
    if (isRun(entry)) this.#runs--
    if (entry.kind === REPLY.describeStatement && entry.statement !== null) entry.statement.asked--
    return entry
  }

  /** §protocol-flow: a simple Query destroys the unnamed statement, as sent up to `segment`. */
  forgetUnnamedStatement(segment: number): void {
    const statement = this.statements.get('')
    if (statement !== undefined && statement.segment <= segment) this.statements.delete('')
  }

  /** And the unnamed portal when it runs something, which it does in that portal. */
  forgetUnnamedPortal(segment: number): void {
    const portal = this.portals.get('')
    if (portal !== undefined && portal.segment <= segment) this.portals.delete('')
  }

  /** Takes back what the next `count` requests did to names: the server did not run them. */
  undo(count: number): void {
    const statements = new Later(this.expected, count, REPLY.parse, REPLY.closeStatement)
    const portals = new Later(this.expected, count, REPLY.bind, REPLY.closePortal)
    for (let i = count - 1; i >= 0; i--) {
      const entry = this.expected.at(i)
      if (entry.fate !== 'forward') continue
      const { kind, name, statement, portal, previousStatement, previousPortal } = entry
      if (kind === REPLY.parse && this.statements.get(name) === statement) {
        restore(this.statements, name, previousStatement)
      } else if (kind === REPLY.bind && this.portals.get(name) === portal) {
        restore(this.portals, name, previousPortal)
      } else if (kind === REPLY.parse || (kind === REPLY.closeStatement && previousStatement)) {
        const later = statements.of(name)
        if (later !== undefined) later.previousStatement = previousStatement
        else restore(this.statements, name, previousStatement)
      } else if (kind === REPLY.bind || (kind === REPLY.closePortal && previousPortal)) {
        const later = portals.of(name)
        if (later !== undefined) later.previousPortal = previousPortal
        else restore(this.portals, name, previousPortal)
      }
    }
  }
}

/** The first request for each name behind the first `count`: what it replaced may have to be put right. */
class Later {
  readonly #expected: ExpectedQueue
  readonly #count: number
  readonly #kinds: readonly [ReplyKind, ReplyKind]
  #byName: Map<string, Expected> | null = null

  constructor(expected: ExpectedQueue, count: number, kind: ReplyKind, other: ReplyKind) {
    this.#expected = expected
    this.#count = count
    this.#kinds = [kind, other]
  }

  of(name: string): Expected | undefined {
    this.#byName ??= this.#read()
    return this.#byName.get(name)
  }

  #read(): Map<string, Expected> {
    const found = new Map<string, Expected>()
    for (let i = this.#expected.size - 1; i >= this.#count; i--) {
      const entry = this.#expected.at(i)
      if (entry.fate === 'forward' && this.#kinds.includes(entry.kind)) found.set(entry.name, entry)
    }
    return found
  }
}

function isRun({ kind }: Expected): boolean {
  return kind === REPLY.query || kind === REPLY.execute
}

function restore<T extends { readonly name: string }>(
  names: Names<T>,
  name: string,
  previous: T | undefined,
): void {
  if (previous === undefined) names.delete(name)
  else names.set(previous)
}
