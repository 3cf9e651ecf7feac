/**
 * A relayed MySQL session after both logins: two legs around one queue of owed replies.
 *
 * Sans-I/O: the pump hands in read buffers and writes `toUpstream` / `toClient`. Decisions come from the
 * gatekeeper, synchronously or after `resume()`. Any ProtocolError thrown is final for the session. Sequence
 * ids in the read buffers may be changed in place.
 */

import type { GrowingSink, OutputQueue } from '@sallyport/protocol-wire'
import type { ChangeUser } from '../change-user.ts'
import { STATEMENT_BYTES_MAX } from '../limits.ts'
import { encodePacket } from '../packets.ts'
import { STATUS } from '../responses.ts'
import { ClientLeg } from './client-leg.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import { mayGoOn } from './parking.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import { ask, type ProbeAnswer } from './probe.ts'
import { RelayState, type RelayStateOptions } from './state.ts'
import { UpstreamLeg } from './upstream-leg.ts'

export interface RelayOptions extends RelayStateOptions {
  /** Cap on the text of COM_QUERY and COM_STMT_PREPARE, bytes; STATEMENT_BYTES_MAX unless said. */
  readonly statementBytesMax?: number
}

export class Relay {
  readonly #state: RelayState
  readonly #client: ClientLeg
  readonly #upstream: UpstreamLeg

  constructor(gatekeeper: Gatekeeper, options: RelayOptions) {
    this.#state = new RelayState(gatekeeper, options)
    this.#client = new ClientLeg(this.#state, options.statementBytesMax ?? STATEMENT_BYTES_MAX)
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
  /** STATUS bits as of the last reply that had any: transaction, autocommit, NO_BACKSLASH_ESCAPES, … */
  get status(): number {
    return this.#state.status
  }
  /** Whether a text may hold several statements: by capability, or COM_SET_OPTION since. */
  get multiStatements(): boolean {
    return this.#state.multiStatements
  }
  get inTransaction(): boolean {
    return (this.#state.status & STATUS.IN_TRANS) !== 0
  }
  /** Nothing is owed and nothing is half sent: the upstream is waiting for a command. */
  get quiescent(): boolean {
    return this.#state.expected.size === 0 && !this.#client.streaming
  }
  /** The client said COM_QUIT, or COM_CHANGE_USER: it takes no more of what comes. */
  get terminated(): boolean {
    return this.#client.terminated
  }
  /** The login that the client wants in place of this session; null: none. */
  get changeUser(): ChangeUser | null {
    return this.#state.changeUser
  }
  /** The client leg takes no more until `resume` or until replies settle what it waits for. */
  get parked(): boolean {
    return this.#state.parked !== 'no'
  }
  /** The upstream's own last error has been passed on. */
  get farewell(): boolean {
    return this.#state.farewell
  }
  /** The last bytes for the client end inside a packet. */
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
    if (this.#state.parked === 'decision') this.#state.parked = 'no'
  }

  /** What `Gatekeeper.cancel` asked for is over: no later command can be hit by it. */
  cancelled(): void {
    this.#state.cancelling = false
    this.#settle()
  }

  #settle(): void {
    if (mayGoOn(this.#state)) this.#state.parked = 'no'
  }

  /**
   * Asks the upstream questions of ours (bytes: in the session's character set), which the client never sees;
   * only while `quiescent`. `done` gets the rows of each answer, or null where the server refused one. A question
   * takes the place of the last statement for FOUND_ROWS(), ROW_COUNT() and SHOW WARNINGS.
   */
  probe(
    questions: readonly (string | Buffer)[],
    done: (answers: readonly ProbeAnswer[] | null) => void,
  ): void {
    ask(this.#state, questions, done)
  }

  /** What an id stands for; undefined: nothing. */
  statement(id: number): PreparedStatement | undefined {
    return this.#state.statements.get(id)
  }

  /** An ERR packet (`error`: its payload) that ends the session, numbered so that the client reads it. */
  lastWords(error: Buffer): Buffer {
    const state = this.#state
    const owed = state.expected.head()
    // A client that waits for nothing reads it as the answer to what it asks next.
    const sequence = this.#upstream.midReply ? state.clientSequence : (owed?.sequence ?? 1)
    return encodePacket(sequence, error)
  }
}
