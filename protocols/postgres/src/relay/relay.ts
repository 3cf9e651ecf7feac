/**
 * A relayed PostgreSQL session after both logins: two legs around one queue of owed replies.
 *
 * Sans-I/O: the pump hands in read buffers and writes `toUpstream` / `toClient`. Decisions come from the
 * gatekeeper, synchronously or after `resume()`. Any ProtocolError thrown is final for the session.
 */
import { ClientLeg } from './client-leg.ts'
import { expect, REPLY } from './expected.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import type { PreparedStatement } from './named.ts'
import type { GrowingSink, OutputQueue } from './output.ts'
import { encodeProbe, encodeSync } from './requests.ts'
import { RelayState } from './state.ts'
import { UpstreamLeg } from './upstream-leg.ts'

export interface RelayOptions {
  /** Unguessable suffix for the portal name no client may have, see RelayState.refusedPortal. */
  readonly nonce: string
  /** Cap on Query and Parse messages, bytes. */
  readonly statementBytesMax: number
}

export class Relay {
  readonly #state: RelayState
  readonly #client: ClientLeg
  readonly #upstream: UpstreamLeg

  constructor(gatekeeper: Gatekeeper, options: RelayOptions) {
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
  get quiescent(): boolean {
    return this.#state.quiescent
  }
  /** The client said Terminate. */
  get terminated(): boolean {
    return this.#client.terminated
  }
  /** The client leg takes no more until `resume` or until replies settle what it waits for. */
  get parked(): boolean {
    return this.#client.parked.kind !== 'no'
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

  /** The gatekeeper can answer now: hand the client's unconsumed bytes in again. */
  resume(): void {
    if (this.#client.parked.kind === 'decision') this.#client.resume()
  }

  #settle(): void {
    const { parked } = this.#client
    if (parked.kind !== 'settlement') return
    const { expected, barriers, settled, segment } = this.#state
    const named = parked.segment <= settled || parked.segment === segment
    if (expected.size === 0 || (barriers === 0 && named)) this.#client.resume()
  }

  /**
   * Asks the upstream questions of ours (one-cell answers, text) that the client never sees; only while
   * `quiescent`. `done(null)` when the server refused one.
   */
  probe(questions: readonly string[], done: (answers: readonly string[] | null) => void): void {
    const state = this.#state
    const drop = { fate: 'drop' } as const
    state.probe = { answers: [], failed: false, done }
    for (const sql of questions) {
      state.toUpstream.give(encodeProbe(sql))
      for (const kind of [REPLY.parse, REPLY.bind, REPLY.execute, REPLY.close, REPLY.close]) {
        state.expected.push(expect(kind, state.segment, drop))
      }
    }
    state.toUpstream.give(encodeSync())
    state.expected.push(expect(REPLY.sync, state.segment, drop))
    state.endSegment()
  }

  statement(name: string): PreparedStatement | undefined {
    return this.#state.statements.get(name)
  }

  /** SQL (DEALLOCATE, DISCARD, PREPARE) changed what a name stands for; null: every name. */
  forgetStatement(name: string | null): void {
    if (name === null) this.#state.statements.clear()
    else this.#state.statements.delete(name)
  }

  /** SQL (CLOSE, DECLARE) changed what a cursor name stands for; null: every name. */
  forgetPortal(name: string | null): void {
    if (name === null) this.#state.portals.clear()
    else this.#state.portals.delete(name)
  }
}
