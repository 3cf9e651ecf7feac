/**
 * What becomes of each request: decided, then forwarded with one owed reply queued for it, or refused.
 *
 * Methods return false when the request was not consumed because the leg is parked; it is then offered
 * again. A request is forwarded only after the gatekeeper admitted it.
 */
import { ownCopy } from '@sallyport/protocol-wire'
import { cStringEnd, latin1At } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { FRONTEND, HEADER_BYTES } from '../frames.ts'
import { NAMED_PORTALS_MAX, NAMED_STATEMENTS_MAX, SESSION_NAME_BYTES_MAX } from '../limits.ts'
import { type Expected, expect, expectDropped, REPLY, type ReplyKind } from './expected.ts'
import { type Admission, ALONE, type NotYet, SETTLE, WAIT } from './gatekeeper.ts'
import { type Portal, type PreparedStatement, sqlName } from './named.ts'
import { DECISION } from './parked.ts'
import { beAlone, mustSettle, park, settleEarlier } from './parking.ts'
import { readBindFormats } from './peek.ts'
import { refuse, refuseCall, refuseParse, refuseQuery } from './refusing.ts'
import {
  encodeDescribe,
  encodeQuery,
  TARGET_PORTAL,
  TARGET_STATEMENT,
  withText,
} from './requests.ts'
import { type RelayState, TX_FAILED, TX_IDLE } from './state.ts'

export class ClientRequests {
  readonly #state: RelayState
  /** The Bind at hand turned out to need inspection: it is not to be passed on in pieces. */
  #wholeBind = false
  /** The last name read that was one. */
  #lastName = ''

  constructor(state: RelayState) {
    this.#state = state
  }

  query(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (mustSettle(state, state.segment)) return false
    const text = cStringEnd(buf, at + HEADER_BYTES, frameEnd)
    if (text !== frameEnd - 1) throw trailing('Query')
    const verdict = state.gatekeeper.decideText('query', '', buf, at + HEADER_BYTES, text)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind === 'refusal') return refuseQuery(state, verdict)
    const execution = state.gatekeeper.execution(verdict)
    if (typeof execution !== 'number') return refuseQuery(state, execution)
    const entry = this.#expect(REPLY.query)
    entry.execution = execution
    if (verdict.sent === undefined) return this.#run(entry, verdict, buf, at, frameEnd)
    const frame = encodeQuery(verdict.sent)
    return this.#run(entry, verdict, frame, 0, frame.length)
  }

  parse(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (mustSettle(state, state.segment)) return false
    const nameEnd = cStringEnd(buf, at + HEADER_BYTES, frameEnd)
    const textEnd = cStringEnd(buf, nameEnd + 1, frameEnd)
    const types = parameterTypes(buf, textEnd + 1, frameEnd)
    const name = this.#name(buf, at + HEADER_BYTES, nameEnd)
    if (name === null) return refuse(state, state.gatekeeper.nameTooLong())
    const { gatekeeper } = state
    const verdict = gatekeeper.decideText('parse', sqlName(name), buf, nameEnd + 1, textEnd)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind === 'refusal') return refuseParse(state, verdict, name)
    const previous = state.statements.get(name)
    if (previous === undefined && state.statements.size >= NAMED_STATEMENTS_MAX) {
      return refuse(state, gatekeeper.tooManyNames('prepared statements'))
    }
    const statement: PreparedStatement = {
      name,
      admission: verdict,
      segment: state.segment,
      types,
      asked: 0,
      fields: undefined,
    }
    state.statements.set(statement)
    gatekeeper.nameTaken('statement', sqlName(name))
    const entry = this.#expect(REPLY.parse)
    entry.statement = statement
    entry.admission = verdict
    entry.name = name
    entry.previousStatement = previous
    if (verdict.sent === undefined) this.#send(entry, buf, at, frameEnd)
    else {
      const frame = withText(buf.subarray(at, frameEnd), nameEnd + 1 - at, verdict.sent)
      this.#send(entry, frame, 0, frame.length)
    }
    if (verdict.masked && verdict.returnsRows) this.#describeOurselves(statement)
    return true
  }

  /**
   * The head [at, end) of a Bind that goes on past `end`. `more`: its names are not there yet; `whole`:
   * it must be complete to be decided, or its rows to be read; `handled`: forwarded or refused, the rest follows.
   */
  bindHead(buf: Buffer, at: number, end: number): 'more' | 'whole' | 'parked' | 'handled' {
    const bodyStart = at + HEADER_BYTES
    const portalEnd = buf.subarray(0, end).indexOf(0, bodyStart)
    const nameEnd = portalEnd < 0 ? -1 : buf.subarray(0, end).indexOf(0, portalEnd + 1)
    if (nameEnd < 0) {
      if (end - bodyStart > 2 * (SESSION_NAME_BYTES_MAX + 1)) return 'whole'
      return 'more'
    }
    const name = this.#name(buf, portalEnd + 1, nameEnd)
    const statement = name === null ? undefined : this.#statementNamed(name)
    if (isNotYet(statement)) {
      this.#notYet(statement)
      return 'parked'
    }
    if (this.#wholeBind || statement === undefined) return 'whole'
    const { masked, whole, described, returnsRows } = statement.admission
    // Who reads the rows has to know their formats, which are the last of it.
    if (masked || whole || (described && returnsRows)) return 'whole'
    if (this.#bind(buf, at, end, true)) return 'handled'
    return this.#wholeBind ? 'whole' : 'parked'
  }

  bind(buf: Buffer, at: number, frameEnd: number): boolean {
    const done = this.#bind(buf, at, frameEnd, false)
    if (done) this.#wholeBind = false
    return done
  }

  /** `partial`: [at, end) is the head of a longer frame of an unmasked statement. */
  #bind(buf: Buffer, at: number, end: number, partial: boolean): boolean {
    const state = this.#state
    const { gatekeeper } = state
    if (mustSettle(state, state.segment)) return false
    const portalEnd = cStringEnd(buf, at + HEADER_BYTES, end)
    const statementEnd = cStringEnd(buf, portalEnd + 1, end)
    const portalName = this.#name(buf, at + HEADER_BYTES, portalEnd)
    const statementName = this.#name(buf, portalEnd + 1, statementEnd)
    if (portalName === null || statementName === null)
      return refuse(state, gatekeeper.nameTooLong())
    const statement = this.#statementNamed(statementName)
    if (isNotYet(statement)) return this.#notYet(statement)
    if (statement === undefined)
      return refuse(state, gatekeeper.noSuchStatement(sqlName(statementName)))
    if (mustSettle(state, statement.segment)) return false
    const body = statementEnd + 1
    // Before anybody reads the parameters: the whole body is laid out as it must be.
    const formats = partial ? [] : readBindFormats(buf, body, end)
    const verdict = gatekeeper.decideBind(statement, sqlName(portalName), buf, body, end, partial)
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind === 'refusal') return refuse(state, verdict)
    if (partial && (verdict.masked || verdict.whole)) {
      this.#wholeBind = true
      return false
    }
    const previous = state.portals.get(portalName)
    if (previous === undefined && state.portals.size >= NAMED_PORTALS_MAX) {
      return refuse(state, gatekeeper.tooManyNames('portals'))
    }
    this.#renew(statement, verdict)
    const portal = newPortal(portalName, statement, formats, state.segment, verdict)
    state.portals.set(portal)
    if (portalName !== '') gatekeeper.nameTaken('portal', sqlName(portalName))
    const entry = this.#expect(REPLY.bind)
    entry.portal = portal
    entry.name = portalName
    entry.previousPortal = previous
    return this.#send(entry, buf, at, end)
  }

  /** What the statement means may have moved: its rows are described anew before any of them comes. */
  #renew(statement: PreparedStatement, verdict: Admission): void {
    const moved = verdict.epoch !== statement.admission.epoch
    statement.admission = verdict
    if (!verdict.masked || !verdict.returnsRows) return
    if (moved || (statement.fields === undefined && statement.asked === 0)) {
      this.#describeOurselves(statement)
    }
  }

  /** Row shapes must be known before any row passes under masks: ask, and keep the answer. */
  #describeOurselves(statement: PreparedStatement): void {
    const state = this.#state
    statement.fields = undefined
    state.toUpstream.give(encodeDescribe(TARGET_STATEMENT, statement.name))
    const entry = expectDropped(REPLY.describeStatement, state.segment)
    entry.statement = statement
    entry.admission = statement.admission
    this.#owe(entry)
  }

  describe(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const { target, name } = this.#target(buf, at, frameEnd)
    if (name === null) return refuse(state, state.gatekeeper.nameTooLong())
    if (target === TARGET_STATEMENT) {
      const statement = this.#statementNamed(name)
      if (isNotYet(statement)) return this.#notYet(statement)
      if (statement === undefined)
        return refuse(state, state.gatekeeper.noSuchStatement(sqlName(name)))
      if (mustSettle(state, statement.segment)) return false
      const entry = this.#expect(REPLY.describeStatement)
      entry.statement = statement
      entry.admission = statement.admission
      return this.#send(entry, buf, at, frameEnd)
    }
    const portal = this.#portalNamed(name)
    if (isNotYet(portal)) return this.#notYet(portal)
    if (portal === undefined) {
      return this.#unknownPortal(name, REPLY.describePortal, buf, at, frameEnd)
    }
    if (mustSettle(state, portal.segment)) return false
    const entry = this.#expect(REPLY.describePortal)
    entry.portal = portal
    entry.admission = portal.admission
    return this.#send(entry, buf, at, frameEnd)
  }

  execute(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const nameEnd = cStringEnd(buf, at + HEADER_BYTES, frameEnd)
    if (nameEnd + 5 > frameEnd) throw cutShort('Execute')
    if (nameEnd + 5 < frameEnd) throw trailing('Execute')
    const name = this.#name(buf, at + HEADER_BYTES, nameEnd)
    if (name === null) return refuse(state, state.gatekeeper.nameTooLong())
    const portal = this.#portalNamed(name)
    if (isNotYet(portal)) return this.#notYet(portal)
    if (portal === undefined) return this.#unknownPortal(name, REPLY.execute, buf, at, frameEnd)
    if (mustSettle(state, portal.segment)) return false
    const execution = state.gatekeeper.decideExecute(portal)
    if (isNotYet(execution)) return this.#notYet(execution)
    if (typeof execution !== 'number') return refuse(state, execution)
    const { admission } = portal
    if (admission.masked && portal.statement === null && portal.fields === undefined) {
      state.toUpstream.give(encodeDescribe(TARGET_PORTAL, name))
      const described = expectDropped(REPLY.describePortal, state.segment)
      described.portal = portal
      described.admission = admission
      this.#owe(described)
    }
    const entry = this.#expect(REPLY.execute)
    entry.portal = portal
    entry.execution = execution
    return this.#run(entry, admission, buf, at, frameEnd)
  }

  /**
   * A Query or Bind that fails in a transaction leaves its portal behind at the server until the transaction ends:
   * it can be described, as nothing, and not be run. Which there are, the server says.
   */
  #unknownPortal(name: string, kind: ReplyKind, buf: Buffer, at: number, frameEnd: number): true {
    const state = this.#state
    if (state.transaction !== TX_FAILED) {
      return refuse(state, state.gatekeeper.noSuchPortal(sqlName(name)))
    }
    const entry = this.#expect(kind)
    entry.fate = 'barren'
    return this.#send(entry, buf, at, frameEnd)
  }

  close(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    const { target, name } = this.#target(buf, at, frameEnd)
    if (name === null) return refuse(state, state.gatekeeper.nameTooLong())
    const ofStatement = target === TARGET_STATEMENT
    const entry = this.#expect(ofStatement ? REPLY.closeStatement : REPLY.closePortal)
    entry.name = name
    if (ofStatement) {
      entry.previousStatement = state.statements.get(name)
      state.statements.delete(name)
      state.gatekeeper.nameTaken('statement', sqlName(name))
    } else {
      entry.previousPortal = state.portals.get(name)
      state.portals.delete(name)
      state.gatekeeper.nameTaken('portal', sqlName(name))
    }
    return this.#send(entry, buf, at, frameEnd)
  }

  sync(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    state.skipping = false
    this.#send(this.#expect(REPLY.sync), buf, at, frameEnd)
    state.endSegment()
    return true
  }

  functionCall(buf: Buffer, at: number, frameEnd: number): boolean {
    const state = this.#state
    if (mustSettle(state, state.segment)) return false
    if (frameEnd - at < HEADER_BYTES + 4) throw cutShort('FunctionCall')
    const verdict = state.gatekeeper.decideFunctionCall(buf.readUInt32BE(at + HEADER_BYTES))
    if (isNotYet(verdict)) return this.#notYet(verdict)
    if (verdict.kind === 'refusal') return refuseCall(state, verdict)
    const execution = state.gatekeeper.execution(verdict)
    if (typeof execution !== 'number') return refuseCall(state, execution)
    const entry = this.#expect(REPLY.functionCall)
    entry.execution = execution
    return this.#run(entry, verdict, buf, at, frameEnd)
  }

  tooLong(via: 'query' | 'parse' | 'bind', bytes: number): void {
    const state = this.#state
    const refusal = state.gatekeeper.tooLong(via, bytes)
    if (via === 'query') refuseQuery(state, refusal)
    else refuse(state, refusal)
  }

  /** Answers a message that is not laid out as its type is. Nothing of it has been acted on. */
  malformed(type: number, error: ProtocolError): void {
    const refusal = this.#state.gatekeeper.malformed(error)
    if (type === FRONTEND.QUERY || type === FRONTEND.FUNCTION_CALL) refuseCall(this.#state, refusal)
    else refuse(this.#state, refusal)
  }

  /** Forwards what executes a statement. */
  #run(entry: Expected, admission: Admission, buf: Buffer, at: number, frameEnd: number): true {
    const state = this.#state
    const { limit } = admission
    entry.admission = admission
    entry.barrier = admission.barrier
    entry.limited = limit !== null && (limit.metered || limit.exceeded !== 'truncate')
    if (limit !== null && entry.limited) {
      const alone = state.executions === 0 && state.settledBefore
      state.limitedHarmless = limit.readOnly && alone && state.transaction === TX_IDLE
    }
    state.executions++
    this.#send(entry, buf, at, frameEnd)
    if (entry.kind !== REPLY.execute) state.endSegment()
    return true
  }

  #expect(kind: ReplyKind): Expected {
    return expect(kind, this.#state.segment)
  }

  #send(entry: Expected, buf: Buffer, at: number, end: number): true {
    this.#state.toUpstream.forward(buf, at, end)
    this.#owe(entry)
    return true
  }

  #owe(entry: Expected): void {
    const state = this.#state
    state.owe(entry)
    state.openSegment = true
  }

  #notYet(verdict: NotYet): false {
    if (verdict === WAIT) return park(this.#state, DECISION)
    return verdict === ALONE ? beAlone(this.#state) : settleEarlier(this.#state)
  }

  /** A name as the relay keeps it; null: longer than the server tells names apart. */
  #name(buf: Buffer, start: number, end: number): string | null {
    if (end === start) return ''
    if (end - start > SESSION_NAME_BYTES_MAX) return null
    this.#lastName = latin1At(buf, start, end, this.#lastName)
    return this.#lastName
  }

  #target(buf: Buffer, at: number, frameEnd: number): { target: number; name: string | null } {
    if (at + HEADER_BYTES === frameEnd) {
      throw new ProtocolError('bad-value', 'remote', 'no data left in message')
    }
    const target = buf[at + HEADER_BYTES] as number
    const nameEnd = cStringEnd(buf, at + HEADER_BYTES + 1, frameEnd)
    if (nameEnd !== frameEnd - 1) throw trailing('Describe or Close')
    if (target !== TARGET_STATEMENT && target !== TARGET_PORTAL) {
      const what = buf[at] === FRONTEND.CLOSE ? 'CLOSE' : 'DESCRIBE'
      const message = `invalid ${what} message subtype ${target}`
      throw new ProtocolError('bad-value', 'remote', message)
    }
    return { target, name: this.#name(buf, at + HEADER_BYTES + 1, nameEnd) }
  }

  #statementNamed(name: string): PreparedStatement | NotYet | undefined {
    const known = this.#state.statements.get(name)
    if (known !== undefined) return known
    // A Close on its way may turn out to have been skipped.
    if (!this.#state.settledBefore) return SETTLE
    if (name === '') return undefined
    const admission = this.#state.gatekeeper.preparedBySql(sqlName(name))
    if (admission === undefined || isNotYet(admission)) return admission
    // Not kept: SQL DEALLOCATE may remove it behind our back, and asking again is cheap.
    return { name, admission, segment: 0, types: null, asked: 0, fields: undefined }
  }

  #portalNamed(name: string): Portal | NotYet | undefined {
    const known = this.#state.portals.get(name)
    if (known !== undefined) return known
    if (!this.#state.settledBefore) return SETTLE
    if (name === '') return undefined
    const admission = this.#state.gatekeeper.declaredBySql(sqlName(name))
    if (admission === undefined || isNotYet(admission)) return admission
    return newPortal(name, null, [], 0, admission)
  }
}

function isNotYet(verdict: unknown): verdict is NotYet {
  return verdict === WAIT || verdict === SETTLE || verdict === ALONE
}

/** Behind a Parse's text: int16 n, n × int32. A copy; null where there are none. */
function parameterTypes(buf: Buffer, start: number, end: number): Buffer | null {
  const needed = end - start < 2 ? 2 : 2 + buf.readUInt16BE(start) * 4
  if (end - start < needed) throw cutShort('Parse')
  if (end - start > needed) throw trailing('Parse')
  return end - start === 2 ? null : ownCopy(buf.subarray(start + 2, end))
}

/** `statement` null: a cursor that SQL declared. */
function newPortal(
  name: string,
  statement: PreparedStatement | null,
  formats: readonly number[],
  segment: number,
  admission: Admission,
): Portal {
  return {
    name,
    statement,
    formats,
    segment,
    admission,
    held: statement === null,
    fields: undefined,
    masks: undefined,
    rows: 0,
    bytes: 0,
    lifted: false,
  }
}

function cutShort(what: string): ProtocolError {
  return new ProtocolError('truncated', 'remote', `${what} cut short`)
}

function trailing(what: string): ProtocolError {
  return new ProtocolError('trailing-bytes', 'remote', `${what} with trailing bytes`)
}
