/**
 * A relayed PostgreSQL session after both logins: two legs around one queue of owed replies.
 *
 * Sans-I/O: the pump hands in read buffers and writes `toUpstream` / `toClient`. Decisions come from the
 * gatekeeper, synchronously or after `resume()`. Any ProtocolError thrown is final for the session.
 */

import type { GrowingSink, OutputQueue } from '@sallyport/protocol-wire'
import { ClientLeg } from './client-leg.ts'
import { expectDropped, REPLY } from './expected.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import { type PreparedStatement, wireName } from './named.ts'
import { NOT_PARKED } from './parked.ts'
import { canBeAlone, mayGoOn } from './parking.ts'
import { encodeProbe, FLUSH_FRAME, type Question, SYNC_FRAME } from './requests.ts'
import { type ProbeAnswer, RelayState, TX_IDLE } from './state.ts'
import { UpstreamLeg } from './upstream-leg.ts'

export interface RelayOptions {
  /** Unguessable suffix for the portal name no client may have, see RelayState.refusedPortal. */
  readonly nonce: string
  /** Cap on Query and Parse messages, bytes. */
  readonly statementBytesMax: number
}

/** What a probe's messages are answered with. */
const PROBE_REPLIES = [
  REPLY.closePortal,
  REPLY.closeStatement,
  REPLY.parse,
  REPLY.bind,
  REPLY.execute,
  REPLY.closePortal,
  REPLY.closeStatement,
] as const

export class Relay {
  readonly #state: RelayState
  readonly #client: ClientLeg
  readonly #upstream: UpstreamLeg
  readonly #probeName: string

  constructor(gatekeeper: Gatekeeper, options: RelayOptions) {
    this.#probeName = `sallyport_probe_${options.nonce}`
    this.#state = new RelayState(gatekeeper, `sallyport_refused_${options.nonce}`)
    this.#client = new ClientLeg(this.#state, options.statementBytesMax)
    this.#upstream = new UpstreamLeg(this.#state)
  }

  get toUpstream(): OutputQueue {
    return this.#state.toUpstream
  }
  get toClient(): OutputQueue {
    return this.#state.toClient
  }
  get sink(): GrowingSink {
    return this.#state.sink
  }
  /** `I`, `T` or `E`, as of the last ReadyForQuery. */
  get transaction(): number {
    return this.#state.transaction
  }
  get inTransaction(): boolean {
    return this.#state.transaction !== TX_IDLE
  }
  get quiescent(): boolean {
    return this.#state.quiescent
  }
  /** All that was sent is answered, perhaps in the middle of a pipeline. */
  get answered(): boolean {
    return this.#state.answered
  }
  /** What is asked of the server need not be part of the client's pipeline: ending that now loses and commits nothing. */
  get canBeAlone(): boolean {
    return canBeAlone(this.#state)
  }
  /** The client said Terminate. */
  get terminated(): boolean {
    return this.#client.terminated
  }
  /** The client leg takes no more until `resume` or until replies settle what it waits for. */
  get parked(): boolean {
    return this.#state.parked.kind !== 'no'
  }
  /** The server's own last error has been passed on. */
  get farewell(): boolean {
    return this.#state.farewell
  }
  /** The last bytes for the client end inside a message. */
  get midFrame(): boolean {
    return this.#upstream.midFrame
  }
  get wantedFromClient(): number {
    return this.#client.wanted
  }
  get wantedFromUpstream(): number {
    return this.#upstream.wanted
  }

  fromClient(buf: Buffer, start: number, end: number): number {
    return this.#client.receive(buf, start, end)
  }

  /** After it, the client leg may have been unparked: hand its unconsumed bytes in again. */
  fromUpstream(buf: Buffer, start: number, end: number): number {
    const at = this.#upstream.receive(buf, start, end)
    this.#settle()
    return at
  }

  /** Nothing is taken of the upstream until `resume`. */
  get holdsBack(): boolean {
    return this.#state.holding
  }

  /** The gatekeeper can answer now: hand the unconsumed bytes of both legs in again. */
  resume(): void {
    this.#state.holding = false
    if (this.#state.parked.kind === 'decision') this.#state.parked = NOT_PARKED
  }

  /** What `Gatekeeper.cancel` asked for is over: no later request can be hit by it. */
  cancelled(): void {
    this.#state.cancelling = false
    this.#settle()
  }

  #settle(): void {
    if (mayGoOn(this.#state)) this.#state.parked = NOT_PARKED
  }

  /**
   * Asks the upstream questions of ours (the first cell of each row of an answer is kept, as text) that the
   * client never sees; only while `answered`. Where the server refuses one, it does not run the rest. In the middle of
   * a pipeline that ends the pipeline for the client, too: it gets the error, and what it sends is skipped to its Sync.
   */
  probe(questions: readonly Question[], done: (answer: ProbeAnswer) => void): void {
    const state = this.#state
    const inside = !state.quiescent
    state.probe = { inside, answers: [], refused: null, done }
    for (const question of questions) {
      state.toUpstream.give(encodeProbe(question, this.#probeName))
      for (const kind of PROBE_REPLIES) {
        state.owe(expectDropped(kind, state.segment))
      }
    }
    if (inside) {
      state.toUpstream.give(FLUSH_FRAME)
      return
    }
    state.toUpstream.give(SYNC_FRAME)
    state.owe(expectDropped(REPLY.sync, state.segment))
    state.endSegment()
  }

  /** What the wire prepared under a name as SQL spells it. */
  statement(name: string): PreparedStatement | undefined {
    return this.#state.statements.get(wireName(name))
  }

  /** What the wire has prepared. */
  get statements(): Iterable<PreparedStatement> {
    return this.#state.statements.values()
  }

  /** All earlier requests are answered, so names stand for what they seem to. */
  get settled(): boolean {
    return this.#state.settledBefore
  }

  /** SQL (DEALLOCATE, DISCARD, PREPARE) changed what a name stands for; null: every name. */
  forgetStatement(name: string | null): void {
    if (name === null) this.#state.statements.clear()
    else this.#state.statements.delete(wireName(name))
  }

  /** SQL (CLOSE, DECLARE) changed what a cursor name stands for; null: every name. */
  forgetPortal(name: string | null): void {
    if (name === null) this.#state.portals.clear()
    else this.#state.portals.delete(wireName(name))
  }
}
