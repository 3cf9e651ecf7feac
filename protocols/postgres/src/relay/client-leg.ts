/**
 * The client's requests: framed, put in order, and handed to ClientRequests one by one.
 *
 * Messages are listed one by one, and anything not listed is a protocol error. Nothing is copied:
 * forwarded messages leave as views of the read buffer; COPY data and large Binds leave in pieces.
 *
 * Spec: PostgreSQL "Message Flow" (protocol-flow) and "Message Formats" (protocol-message-formats).
 */
import { ProtocolError, type ProtocolErrorCode } from '../errors.ts'
import { FRONTEND, type FrameTable, frameTable, HEADER_BYTES, typeName } from '../frames.ts'
import { BIND_INSPECTED_BYTES_MAX, STREAMED_BIND_BYTES_MIN } from '../limits.ts'
import { ClientRequests } from './client-requests.ts'
import { mustAwaitCopy, mustAwaitLimit, mustMakeRoom } from './parking.ts'
import { SKIPPED_TYPES } from './requests.ts'
import type { RelayState } from './state.ts'

/** What the server answers, and goes on: the end of such a message is known. Thrown before anything of it is acted on. */
const ANSWERED: ReadonlySet<ProtocolErrorCode> = new Set<ProtocolErrorCode>([
  'truncated',
  'trailing-bytes',
  'unterminated-string',
  'bad-length',
  'bad-value',
])

/** A kibibyte that every session would have the same of. */
let shared = { statementBytesMax: Number.NaN, caps: frameTable('frontend') }

function capsFor(statementBytesMax: number): FrameTable {
  if (shared.statementBytesMax !== statementBytesMax) {
    const caps = frameTable('frontend')
    caps[FRONTEND.PASSWORD] = 0
    // Not streamed: it must be whole before it is passed on.
    caps[FRONTEND.FUNCTION_CALL] = statementBytesMax
    shared = { statementBytesMax, caps }
  }
  return shared.caps
}

export class ClientLeg {
  readonly #state: RelayState
  readonly #requests: ClientRequests
  readonly #statementBytesMax: number
  readonly #caps: FrameTable
  /** Bytes of a frame whose head has been handled: forwarded or discarded unseen. */
  #passing = 0
  #passingForward = true
  /** They are a COPY's data that the gatekeeper is told of. */
  #passingData = false
  /** Whole length wanted of the frame at the returned offset, bytes; 0 when not known yet. */
  wanted = 0
  /** The client said Terminate. */
  terminated = false

  constructor(state: RelayState, statementBytesMax: number) {
    this.#state = state
    this.#requests = new ClientRequests(state)
    this.#statementBytesMax = statementBytesMax
    this.#caps = capsFor(statementBytesMax)
  }

  /** Takes frames from [start, end); returns where it stopped: incomplete, parked or terminated. */
  receive(buf: Buffer, start: number, end: number): number {
    const state = this.#state
    let at = start
    this.wanted = 0
    while (at < end && !this.terminated) {
      if (this.#passing > 0) {
        const take = Math.min(this.#passing, end - at)
        if (this.#passingForward) state.toUpstream.forward(buf, at, at + take)
        if (this.#passingData) state.gatekeeper.clientData(buf, at, at + take)
        this.#passing -= take
        at += take
        if (this.#passing === 0) this.#passingData = false
        continue
      }
      if (state.parked.kind !== 'no' || end - at < HEADER_BYTES) break
      const type = buf[at] as number
      const length = buf.readUInt32BE(at + 1)
      this.#checkLength(type, length)
      if (this.#isTooLong(type, length)) {
        if (!this.#refuseLong(type, length)) break
        this.#passing = 1 + length
        this.#passingForward = false
        continue
      }
      const frameEnd = at + 1 + length
      if (frameEnd > end) {
        if (this.#stream(type, buf, at, end, frameEnd)) {
          at = end
          continue
        }
        break
      }
      if (!this.#request(type, buf, at, frameEnd)) break
      at = frameEnd
    }
    return at
  }

  #checkLength(type: number, length: number): void {
    const max = this.#caps[type] as number
    if (max === 0) {
      throw new ProtocolError('unknown-message', 'remote', `client message \`${typeName(type)}\``)
    }
    if (length < 4 || length > max) {
      throw new ProtocolError(
        'message-length',
        'remote',
        `message length ${length} not in 4..${max}`,
      )
    }
  }

  #isTooLong(type: number, length: number): boolean {
    return (
      (type === FRONTEND.QUERY || type === FRONTEND.PARSE) && length - 4 > this.#statementBytesMax
    )
  }

  /** Refuses a statement by its length word; its bytes are discarded unseen. False: parked. */
  #refuseLong(type: number, length: number): boolean {
    const state = this.#state
    if (state.copyIn) throw duringCopy(type)
    if (state.skipping) return true
    if (mustMakeRoom(state) || mustAwaitLimit(state, false)) return false
    this.#requests.tooLong(type === FRONTEND.QUERY ? 'query' : 'parse', length)
    return true
  }

  /** A frame longer than what is there. True: its head has been handled and the rest passes in pieces. */
  #stream(type: number, buf: Buffer, at: number, end: number, frameEnd: number): boolean {
    const state = this.#state
    if (type === FRONTEND.COPY_DATA) {
      if (!state.copyIn && !state.skipping && mustAwaitCopy(state)) return false
      this.#passingForward = state.copyIn
    } else if (state.skipping && SKIPPED_TYPES.has(type)) this.#passingForward = false
    else if (type === FRONTEND.BIND && frameEnd - at >= STREAMED_BIND_BYTES_MIN && !state.copyIn) {
      return this.#streamBind(buf, at, end, frameEnd)
    } else {
      this.wanted = frameEnd - at
      return false
    }
    if (this.#passingForward) state.toUpstream.forward(buf, at, end)
    this.#passing = frameEnd - end
    this.#passingData = type === FRONTEND.COPY_DATA && state.copyIn && state.copyInTold
    if (this.#passingData) state.gatekeeper.clientData(buf, at + HEADER_BYTES, end)
    return true
  }

  #streamBind(buf: Buffer, at: number, end: number, frameEnd: number): boolean {
    const state = this.#state
    if (mustMakeRoom(state) || mustAwaitLimit(state, false)) return false
    switch (this.#requests.bindHead(buf, at, end)) {
      case 'more':
        return false
      case 'whole':
        if (frameEnd - at > BIND_INSPECTED_BYTES_MAX) {
          this.#requests.tooLong('bind', frameEnd - at)
          this.#passingForward = false
          this.#passing = frameEnd - end
          return true
        }
        this.wanted = frameEnd - at
        return false
      case 'parked':
        return false
      case 'handled':
        this.#passingForward = !state.skipping
        this.#passing = frameEnd - end
        return true
    }
  }

  /** One whole frame. False: not consumed, the leg is parked. */
  #request(type: number, buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const requests = this.#requests
    if (type === FRONTEND.TERMINATE) {
      this.terminated = true
      return true
    }
    if (state.copyIn) return this.#duringCopyIn(type, buf, at, frameEnd)
    if (state.skipping && type !== FRONTEND.SYNC) return true
    if (mustMakeRoom(state)) return false
    try {
      return this.#whole(type, buf, at, frameEnd)
    } catch (error) {
      if (!(error instanceof ProtocolError) || !ANSWERED.has(error.code)) throw error
      if (error.side === 'local') throw error
      requests.malformed(type, error)
      return true
    }
  }

  #whole(type: number, buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const requests = this.#requests
    switch (type) {
      case FRONTEND.COPY_DATA:
      case FRONTEND.COPY_DONE:
      case FRONTEND.COPY_FAIL:
        // §protocol-flow, COPY: left over from a COPY the server has given up; it ignores them too.
        return !mustAwaitCopy(state)
      case FRONTEND.SYNC:
        return !mustAwaitLimit(state, true) && requests.sync(buf, at, frameEnd)
      case FRONTEND.FLUSH:
        if (frameEnd - at > HEADER_BYTES) {
          throw new ProtocolError('trailing-bytes', 'remote', 'Flush with trailing bytes')
        }
        state.toUpstream.forward(buf, at, frameEnd)
        return true
    }
    if (mustAwaitLimit(state, false)) return false
    switch (type) {
      case FRONTEND.QUERY:
        return requests.query(buf, at, frameEnd)
      case FRONTEND.PARSE:
        return requests.parse(buf, at, frameEnd)
      case FRONTEND.BIND:
        return requests.bind(buf, at, frameEnd)
      case FRONTEND.DESCRIBE:
        return requests.describe(buf, at, frameEnd)
      case FRONTEND.EXECUTE:
        return requests.execute(buf, at, frameEnd)
      case FRONTEND.CLOSE:
        return requests.close(buf, at, frameEnd)
      case FRONTEND.FUNCTION_CALL:
        return requests.functionCall(buf, at, frameEnd)
      default:
        throw new ProtocolError('unknown-message', 'remote', `client message \`${typeName(type)}\``)
    }
  }

  #duringCopyIn(type: number, buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    switch (type) {
      case FRONTEND.COPY_DONE:
      case FRONTEND.COPY_FAIL:
        state.copyIn = false
        break
      case FRONTEND.COPY_DATA:
        if (state.copyInTold) state.gatekeeper.clientData(buf, at + HEADER_BYTES, frameEnd)
        break
      case FRONTEND.FLUSH:
        break
      case FRONTEND.SYNC:
        // The server ignores it while it reads COPY data: no reply is owed, unless the COPY has failed.
        state.spareSyncs++
        break
      default:
        throw duringCopy(type)
    }
    state.toUpstream.forward(buf, at, frameEnd)
    return true
  }
}

function duringCopy(type: number): ProtocolError {
  const what = `message \`${typeName(type)}\` during COPY`
  return new ProtocolError('unexpected-message', 'remote', what)
}
