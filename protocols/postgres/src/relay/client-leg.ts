/**
 * The client's requests: framed, decided, and forwarded with one owed reply queued for each.
 *
 * A request is forwarded only after the gatekeeper admitted it; messages that carry no statement are
 * listed one by one, and anything not listed is a protocol error. Nothing is copied: forwarded messages
 * leave as views of the read buffer.
 *
 * Refusing. Where the server is idle and owes nothing, the refusal is written at once. Otherwise a request
 * that is certain to fail takes the refused one's place (a Describe of a portal that never exists, or a
 * Query that never parses), so that the server itself enters the state an error would leave: the
 * transaction is aborted, earlier work of an implicit transaction does not commit, the rest of the
 * pipeline is skipped to Sync. Its error is replaced by ours on the way back.
 *
 * Waiting. A name (statement, portal) or a meaning (search_path, ...) changed by a request whose outcome
 * is not known yet must not be relied on. Inside one segment it may be: if the change fails, the server
 * skips the user of it too. Across segments the leg parks until the outcome is in.
 *
 * Spec: PostgreSQL "Message Flow" (protocol-flow) and "Message Formats" (protocol-message-formats).
 */
import { ProtocolError } from '../errors.ts'
import {
  BIND_INSPECTED_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  NAMED_PORTALS_MAX,
  NAMED_STATEMENTS_MAX,
  STREAMED_BIND_BYTES_MIN,
} from '../limits.ts'
import { type ExpectedInit, expect, REPLY, type ReplyKind } from './expected.ts'
import { type Admission, type Refusal, WAIT } from './gatekeeper.ts'
import type { Portal, PreparedStatement } from './named.ts'
import { readBindFormats, readCString } from './peek.ts'
import * as request from './requests.ts'
import { type RelayState, TX_BLOCK } from './state.ts'

export type Parked =
  | { readonly kind: 'no' }
  /** The gatekeeper said WAIT. */
  | { readonly kind: 'decision' }
  /** Until segment `segment` is settled and no barrier is outstanding. */
  | { readonly kind: 'settlement'; readonly segment: number }

const NOT_PARKED: Parked = { kind: 'no' }
const DECISION: Parked = { kind: 'decision' }

const HEADER_BYTES = 5

export class ClientLeg {
  readonly #state: RelayState
  readonly #statementBytesMax: number
  /** Bytes of a frame whose head has been handled: forwarded or discarded unseen. */
  #passing = 0
  #passingForward = true
  parked: Parked = NOT_PARKED
  /** Whole length wanted of the frame at the returned offset, bytes; 0 when its header is not there yet. */
  wanted = 0
  /** The client said Terminate. */
  terminated = false

  constructor(state: RelayState, statementBytesMax: number) {
    this.#state = state
    this.#statementBytesMax = statementBytesMax
  }

  /** Takes frames from [start, end); returns where it stopped: incomplete, parked or terminated. */
  receive(buf: Buffer, start: number, end: number): number {
    let at = start
    this.wanted = 0
    while (at < end && !this.terminated) {
      if (this.#passing > 0) {
        const take = Math.min(this.#passing, end - at)
        if (this.#passingForward) this.#state.toUpstream.forward(buf, at, at + take)
        this.#passing -= take
        at += take
        continue
      }
      if (this.parked.kind !== 'no' || end - at < HEADER_BYTES) break
      const type = buf[at] as number
      const length = buf.readUInt32BE(at + 1)
      this.#checkLength(type, length)
      const frameEnd = at + 1 + length
      if (frameEnd > end) {
        if (this.#stream(type, buf, at, end, frameEnd)) {
          at = end
          continue
        }
        if (this.parked.kind === 'no') this.wanted = 1 + length
        break
      }
      if (!this.#request(type, buf, at, frameEnd)) break
      at = frameEnd
    }
    return at
  }

  resume(): void {
    this.parked = NOT_PARKED
  }

  #checkLength(type: number, length: number): void {
    const max =
      type === request.QUERY || type === request.PARSE
        ? this.#statementBytesMax
        : type === request.COPY_DATA || type === request.BIND
          ? MESSAGE_BYTES_MAX
          : request.SMALL_MESSAGE_BYTES_MAX
    if (length < 4 || length > max) {
      throw new ProtocolError(
        'message-length',
        'remote',
        `message length ${length} not in 4..${max}`,
      )
    }
  }

  /** A frame longer than what is there: COPY data and large unmasked Binds pass in pieces. */
  #stream(type: number, buf: Buffer, at: number, end: number, frameEnd: number): boolean {
    const state = this.#state
    if (type === request.COPY_DATA) this.#passingForward = state.copyIn
    else if (state.skipping && request.SKIPPED_TYPES.has(type)) this.#passingForward = false
    else if (type === request.BIND && frameEnd - at >= STREAMED_BIND_BYTES_MIN) {
      if (!this.#streamBind(buf, at, end, frameEnd)) return false
      this.#passingForward = !state.skipping
      this.#passing = frameEnd - end
      return true
    } else return false
    if (this.#passingForward) state.toUpstream.forward(buf, at, end)
    this.#passing = frameEnd - end
    return true
  }

  /** Handles the head of a large Bind; false: more of it is needed, or the leg is parked. */
  #streamBind(buf: Buffer, at: number, end: number, frameEnd: number): boolean {
    const names = this.#peekBindNames(buf, at, end)
    if (names === null) return false
    const statement = this.#statementNamed(names.statement)
    if (statement === undefined || statement.admission.masked) {
      if (frameEnd - at > BIND_INSPECTED_BYTES_MAX) {
        throw new ProtocolError('message-length', 'remote', 'Bind too large to be inspected')
      }
      return false
    }
    return this.#bind(buf, at, end, true)
  }

  #peekBindNames(buf: Buffer, at: number, end: number): { statement: string } | null {
    const portalEnd = buf.indexOf(0, at + HEADER_BYTES)
    if (portalEnd < 0 || portalEnd >= end) return null
    const statementEnd = buf.indexOf(0, portalEnd + 1)
    if (statementEnd < 0 || statementEnd >= end) return null
    return { statement: buf.toString('utf8', portalEnd + 1, statementEnd) }
  }

  /** One whole frame. False: not consumed, the leg is parked. */
  #request(type: number, buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (type === request.TERMINATE) {
      this.terminated = true
      return true
    }
    if (state.copyIn) return this.#duringCopyIn(type, buf, at, frameEnd)
    if (state.skipping && type !== request.SYNC) return this.#skipped(type)
    switch (type) {
      case request.QUERY:
        return this.#query(buf, at, frameEnd)
      case request.PARSE:
        return this.#parse(buf, at, frameEnd)
      case request.BIND:
        return this.#bind(buf, at, frameEnd, false)
      case request.DESCRIBE:
        return this.#describe(buf, at, frameEnd)
      case request.EXECUTE:
        return this.#execute(buf, at, frameEnd)
      case request.CLOSE:
        return this.#close(buf, at, frameEnd)
      case request.FLUSH:
        state.toUpstream.forward(buf, at, frameEnd)
        return true
      case request.SYNC:
        state.skipping = false
        this.#send(REPLY.sync, buf, at, frameEnd, {})
        state.endSegment()
        return true
      case request.FUNCTION_CALL:
        return this.#functionCall(buf, at, frameEnd)
      case request.COPY_DATA:
      case request.COPY_DONE:
      case request.COPY_FAIL:
        // §protocol-flow, COPY: left over from a COPY the server has given up; it ignores them too.
        return true
      default:
        throw new ProtocolError('unknown-message', 'remote', `client message type ${type}`)
    }
  }

  #skipped(type: number): boolean {
    if (!request.CLIENT_TYPES.has(type)) {
      throw new ProtocolError('unknown-message', 'remote', `client message type ${type}`)
    }
    return true
  }

  #duringCopyIn(type: number, buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    switch (type) {
      case request.COPY_DONE:
      case request.COPY_FAIL:
        state.copyIn = false
        break
      case request.COPY_DATA:
      // The server ignores Flush and Sync while it reads COPY data: no reply is owed for them.
      case request.FLUSH:
      case request.SYNC:
        break
      default:
        throw new ProtocolError('unexpected-message', 'remote', `message ${type} during COPY`)
    }
    state.toUpstream.forward(buf, at, frameEnd)
    return true
  }

  #query(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (this.#mustSettle(state.segment)) return false
    const text = readCString(buf, at + HEADER_BYTES, frameEnd)
    if (text !== frameEnd - 1)
      throw new ProtocolError('malformed', 'remote', 'Query not one string')
    const verdict = state.gatekeeper.decideText('query', '', buf, at + HEADER_BYTES, text)
    if (verdict === WAIT) return this.#park(DECISION)
    if (verdict.kind === 'refusal') return this.#refuseQuery(verdict)
    const execution = state.gatekeeper.execution(verdict)
    if (typeof execution !== 'number') return this.#refuseQuery(execution)
    if (verdict.barrier) state.barriers++
    this.#send(REPLY.query, buf, at, frameEnd, { admission: verdict, execution })
    state.endSegment()
    return true
  }

  #parse(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (this.#mustSettle(state.segment)) return false
    const nameEnd = readCString(buf, at + HEADER_BYTES, frameEnd)
    const textEnd = readCString(buf, nameEnd + 1, frameEnd)
    const name = buf.toString('utf8', at + HEADER_BYTES, nameEnd)
    const verdict = state.gatekeeper.decideText('parse', name, buf, nameEnd + 1, textEnd)
    if (verdict === WAIT) return this.#park(DECISION)
    if (verdict.kind === 'refusal') return this.#refuse(verdict)
    const previous = state.statements.get(name)
    if (previous === undefined && state.statements.size >= NAMED_STATEMENTS_MAX) {
      return this.#refuse(state.gatekeeper.tooManyNames('prepared statements'))
    }
    const statement: PreparedStatement = {
      name,
      admission: verdict,
      segment: state.segment,
      fields: undefined,
    }
    state.statements.set(name, statement)
    this.#send(REPLY.parse, buf, at, frameEnd, {
      statement,
      admission: verdict,
      previousStatement: previous,
    })
    if (verdict.masked) this.#describeOurselves(statement)
    return true
  }

  /** Row shapes must be known before any row passes under masks: ask, and keep the answer. */
  #describeOurselves(statement: PreparedStatement): void {
    const state = this.#state
    statement.fields = undefined
    state.toUpstream.give(request.encodeDescribe('S', statement.name))
    state.expected.push(
      expect(REPLY.describeStatement, state.segment, {
        fate: 'drop',
        statement,
        admission: statement.admission,
      }),
    )
  }

  /** `partial`: [at, end) is the head of a longer frame of an unmasked statement. */
  #bind(buf: Buffer, at: number, end: number, partial: boolean): boolean {
    const state = this.#state
    if (this.#mustSettle(state.segment)) return false
    const portalEnd = readCString(buf, at + HEADER_BYTES, end)
    const statementEnd = readCString(buf, portalEnd + 1, end)
    const portalName = buf.toString('utf8', at + HEADER_BYTES, portalEnd)
    const statementName = buf.toString('utf8', portalEnd + 1, statementEnd)
    const statement = this.#statementNamed(statementName)
    if (statement === undefined)
      return this.#refuse(state.gatekeeper.noSuchStatement(statementName))
    if (this.#mustSettle(statement.segment)) return false
    const body = statementEnd + 1
    // Before anybody reads the parameters: the whole body is laid out as it must be.
    const formats = partial ? [] : readBindFormats(buf, body, end)
    const verdict = state.gatekeeper.decideBind(statement, portalName, buf, body, end)
    if (verdict === WAIT) return this.#park(DECISION)
    if (verdict.kind === 'refusal') return this.#refuse(verdict)
    const previous = state.portals.get(portalName)
    if (previous === undefined && state.portals.size >= NAMED_PORTALS_MAX) {
      return this.#refuse(state.gatekeeper.tooManyNames('portals'))
    }
    const moved = verdict.epoch !== statement.admission.epoch
    statement.admission = verdict
    if (verdict.masked && (moved || statement.fields === undefined)) {
      if (moved || !this.#describePending(statement)) this.#describeOurselves(statement)
    }
    const portal: Portal = {
      name: portalName,
      statement,
      formats,
      segment: state.segment,
      admission: verdict,
      held: false,
      fields: undefined,
      masks: undefined,
    }
    state.portals.set(portalName, portal)
    this.#send(REPLY.bind, buf, at, end, { portal, previousPortal: previous })
    return true
  }

  #describePending(statement: PreparedStatement): boolean {
    const { expected } = this.#state
    for (let i = 0; i < expected.size; i++) {
      const entry = expected.at(i)
      if (entry.kind === REPLY.describeStatement && entry.statement === statement) return true
    }
    return false
  }

  #describe(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const { target, name } = this.#target(buf, at, frameEnd)
    if (target === request.TARGET_STATEMENT) {
      const statement = this.#statementNamed(name)
      if (statement === undefined) return this.#refuse(state.gatekeeper.noSuchStatement(name))
      if (this.#mustSettle(statement.segment)) return false
      return this.#send(REPLY.describeStatement, buf, at, frameEnd, {
        statement,
        admission: statement.admission,
      })
    }
    const portal = this.#portalNamed(name)
    if (portal === undefined) return this.#refuse(state.gatekeeper.noSuchPortal(name))
    if (this.#mustSettle(portal.segment)) return false
    return this.#send(REPLY.describePortal, buf, at, frameEnd, {
      portal,
      admission: portal.admission,
    })
  }

  #execute(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const nameEnd = readCString(buf, at + HEADER_BYTES, frameEnd)
    const name = buf.toString('utf8', at + HEADER_BYTES, nameEnd)
    const portal = this.#portalNamed(name)
    if (portal === undefined) return this.#refuse(state.gatekeeper.noSuchPortal(name))
    if (this.#mustSettle(portal.segment)) return false
    const execution = state.gatekeeper.decideExecute(portal)
    if (execution === WAIT) return this.#park(DECISION)
    if (typeof execution !== 'number') return this.#refuse(execution)
    if (portal.admission.masked && portal.statement === null && portal.fields === undefined) {
      state.toUpstream.give(request.encodeDescribe('P', name))
      state.expected.push(
        expect(REPLY.describePortal, state.segment, {
          fate: 'drop',
          portal,
          admission: portal.admission,
        }),
      )
    }
    if (portal.admission.barrier) state.barriers++
    return this.#send(REPLY.execute, buf, at, frameEnd, {
      portal,
      admission: portal.admission,
      execution,
    })
  }

  #close(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const { target, name } = this.#target(buf, at, frameEnd)
    if (target === request.TARGET_STATEMENT) {
      const previousStatement = state.statements.get(name)
      state.statements.delete(name)
      return this.#send(REPLY.close, buf, at, frameEnd, { previousStatement })
    }
    const previousPortal = state.portals.get(name)
    state.portals.delete(name)
    return this.#send(REPLY.close, buf, at, frameEnd, { previousPortal })
  }

  #functionCall(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (this.#mustSettle(state.segment)) return false
    if (frameEnd - at < HEADER_BYTES + 4)
      throw new ProtocolError('malformed', 'remote', 'FunctionCall')
    const verdict = state.gatekeeper.decideFunctionCall(buf.readUInt32BE(at + HEADER_BYTES))
    if (verdict === WAIT) return this.#park(DECISION)
    if (verdict.kind === 'refusal') return this.#refuseQuery(verdict)
    const execution = state.gatekeeper.execution(verdict)
    if (typeof execution !== 'number') return this.#refuseQuery(execution)
    if (verdict.barrier) state.barriers++
    this.#send(REPLY.functionCall, buf, at, frameEnd, { admission: verdict, execution })
    state.endSegment()
    return true
  }

  #target(buf: Buffer, at: number, frameEnd: number): { target: number; name: string } {
    const target = buf[at + HEADER_BYTES] as number
    const nameEnd = readCString(buf, at + HEADER_BYTES + 1, frameEnd)
    const known = target === request.TARGET_STATEMENT || target === request.TARGET_PORTAL
    if (!known || nameEnd !== frameEnd - 1) {
      throw new ProtocolError('malformed', 'remote', 'Describe or Close target')
    }
    return { target, name: buf.toString('utf8', at + HEADER_BYTES + 1, nameEnd) }
  }

  #statementNamed(name: string): PreparedStatement | undefined {
    const known = this.#state.statements.get(name)
    if (known !== undefined || name === '') return known
    const admission = this.#state.gatekeeper.preparedBySql(name)
    if (admission === undefined) return undefined
    // Not kept: SQL DEALLOCATE may remove it behind our back, and asking again is cheap.
    return { name, admission, segment: 0, fields: undefined }
  }

  #portalNamed(name: string): Portal | undefined {
    const known = this.#state.portals.get(name)
    if (known !== undefined || name === '') return known
    const admission = this.#state.gatekeeper.declaredBySql(name)
    return admission === undefined ? undefined : cursorPortal(name, admission)
  }

  #send(kind: ReplyKind, buf: Buffer, at: number, end: number, init: ExpectedInit): true {
    const state = this.#state
    state.toUpstream.forward(buf, at, end)
    state.expected.push(expect(kind, state.segment, init))
    state.openSegment = true
    return true
  }

  /** Refuses a request of the extended protocol; the client's messages are skipped to its Sync. */
  #refuse(refusal: Refusal): true {
    const state = this.#state
    if (state.quiescent && state.transaction !== TX_BLOCK) {
      state.toClient.give(refusal.error)
    } else {
      state.toUpstream.give(request.encodeDescribe('P', state.refusedPortal))
      this.#expectRefused(REPLY.describePortal, refusal)
      state.openSegment = true
    }
    state.skipping = true
    return true
  }

  #refuseQuery(refusal: Refusal): true {
    const state = this.#state
    if (state.quiescent && state.transaction !== TX_BLOCK) {
      state.toClient.give(refusal.error)
      state.toClient.give(request.encodeReadyForQuery(state.transaction))
    } else {
      state.toUpstream.give(request.encodeQuery(request.REFUSED_QUERY))
      this.#expectRefused(REPLY.query, refusal)
      state.endSegment()
    }
    return true
  }

  #expectRefused(kind: ReplyKind, refusal: Refusal): void {
    const { expected, segment } = this.#state
    expected.push(expect(kind, segment, { fate: 'substitute', error: refusal.error }))
  }

  #park(parked: Parked): false {
    this.parked = parked
    return false
  }

  /** Parks when `segment`'s names, or any barrier's outcome, are not known yet. */
  #mustSettle(segment: number): boolean {
    const state = this.#state
    const earlier = segment > state.settled && segment < state.segment
    if (!earlier && state.barriers === 0) return false
    if (state.openSegment) state.toUpstream.give(request.encodeFlush())
    this.#park({ kind: 'settlement', segment })
    return true
  }
}

function cursorPortal(name: string, admission: Admission): Portal {
  return {
    name,
    statement: null,
    formats: [],
    segment: 0,
    admission,
    held: true,
    fields: undefined,
    masks: undefined,
  }
}
