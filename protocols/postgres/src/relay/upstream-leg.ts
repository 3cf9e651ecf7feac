/**
 * The upstream's replies: matched with what is owed and passed to the client.
 *
 * A reply that is not owed is out of sync and ends the session; it is never guessed at. Runs of bytes
 * that pass unchanged leave as views of the read buffer. Data of results goes through Results.
 */
import { encodeBackend, type FieldDescription } from '../backend.ts'
import { ByteWriter, latin1At } from '../bytes.ts'
import { type ErrorFields, rewriteErrorResponse, sqlstateOf } from '../error-fields.ts'
import { ProtocolError } from '../errors.ts'
import { BACKEND, HEADER_BYTES, typeName } from '../frames.ts'
import { MASKED_ROW_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.ts'
import { type Expected, isRefused, NOTHING_SENT, REPLY, type ReplyKind } from './expected.ts'
import { failExtended, failQuery } from './refusing.ts'
import { COPY_REFUSED } from './requests.ts'
import { type Passage, Results } from './results.ts'
import { type RelayState, TX_BLOCK, TX_FAILED, TX_IDLE } from './state.ts'

type Status = 'complete' | 'empty' | 'suspended' | 'error' | 'skipped'

export class UpstreamLeg {
  readonly #state: RelayState
  readonly #results: Results
  /** Bytes of a frame whose head has been handled: passed on or dropped unseen. */
  #passing = 0
  #passingForward = true
  /** What the server said of the last statement that was done. */
  #lastTag = ''
  /** Whole length wanted of the frame at the returned offset, bytes; 0 when its header is not there yet. */
  wanted = 0

  constructor(state: RelayState) {
    this.#state = state
    this.#results = new Results(state)
  }

  /** The client has got part of a frame and not the rest. */
  get midFrame(): boolean {
    return this.#passing > 0 && this.#passingForward
  }

  /** Takes frames from [start, end); returns where it stopped (an incomplete frame). */
  receive(buf: Buffer, start: number, end: number): number {
    let at = start
    this.wanted = 0
    while (at < end) {
      if (this.#passing > 0) {
        at = this.#pass(buf, at, Math.min(at + this.#passing, end))
        continue
      }
      if (end - at < HEADER_BYTES) break
      const type = buf[at] as number
      const length = buf.readUInt32BE(at + 1)
      if (length < 4 || length > MESSAGE_BYTES_MAX) {
        throw new ProtocolError('message-length', 'remote', `upstream message length ${length}`)
      }
      const frameEnd = at + 1 + length
      if (type === BACKEND.DATA_ROW || type === BACKEND.COPY_DATA) {
        const passage = this.#data(type, buf, at, frameEnd, end)
        if (passage === 'held') break
        if (passage === 'more') {
          this.#want(length)
          break
        }
        if (passage === 'done') at = frameEnd
        else {
          this.#passing = frameEnd - at
          this.#passingForward = passage === 'pass'
        }
      } else if (frameEnd > end) {
        this.#want(length)
        break
      } else {
        this.#reply(type, buf, at, frameEnd)
        at = frameEnd
      }
    }
    return at
  }

  #pass(buf: Buffer, at: number, to: number): number {
    if (this.#passingForward) this.#state.toClient.forward(buf, at, to)
    this.#passing -= to - at
    return to
  }

  #want(length: number): void {
    if (length > MASKED_ROW_BYTES_MAX) {
      throw new ProtocolError(
        'message-length',
        'remote',
        `message of ${length} bytes to be inspected`,
      )
    }
    this.wanted = 1 + length
  }

  #data(type: number, buf: Buffer, at: number, frameEnd: number, end: number): Passage {
    const entry = this.#head(REPLY.execute, REPLY.query, typeName(type))
    if (type === BACKEND.DATA_ROW) {
      if (entry.fate !== 'forward') return this.#probeRow(entry, buf, at, frameEnd, end)
      return this.#results.row(entry, buf, at, frameEnd, end)
    }
    if (entry.fate !== 'forward') throw outOfSync('CopyData')
    return this.#results.copyData(entry, buf, at, frameEnd, end)
  }

  #probeRow(entry: Expected, buf: Buffer, at: number, frameEnd: number, end: number): Passage {
    const { probe } = this.#state
    if (entry.fate !== 'drop' || probe === null) throw outOfSync('DataRow')
    if (frameEnd > end) return 'more'
    const cell = at + HEADER_BYTES + 2
    const length = cell + 4 <= frameEnd ? buf.readInt32BE(cell) : -1
    probe.answers.push(length < 0 ? '' : buf.toString('utf8', cell + 4, cell + 4 + length))
    return 'done'
  }

  #reply(type: number, buf: Buffer, at: number, frameEnd: number): void {
    switch (type) {
      case BACKEND.COMMAND_COMPLETE:
        return this.#complete('complete', buf, at, frameEnd)
      case BACKEND.EMPTY_QUERY_RESPONSE:
        return this.#complete('empty', buf, at, frameEnd)
      case BACKEND.PORTAL_SUSPENDED:
        return this.#complete('suspended', buf, at, frameEnd)
      case BACKEND.READY_FOR_QUERY:
        return this.#ready(buf, at, frameEnd)
      case BACKEND.ROW_DESCRIPTION:
        return this.#rowDescription(buf, at, frameEnd)
      case BACKEND.PARSE_COMPLETE:
        return this.#acknowledge(REPLY.parse, null, buf, at, frameEnd)
      case BACKEND.BIND_COMPLETE:
        return this.#acknowledge(REPLY.bind, null, buf, at, frameEnd)
      case BACKEND.CLOSE_COMPLETE:
        return this.#acknowledge(REPLY.closeStatement, REPLY.closePortal, buf, at, frameEnd)
      case BACKEND.NO_DATA:
        return this.#noData(buf, at, frameEnd)
      case BACKEND.PARAMETER_DESCRIPTION:
        return this.#give(this.#head(REPLY.describeStatement, null, 't'), buf, at, frameEnd)
      case BACKEND.ERROR_RESPONSE:
        return this.#error(buf, at, frameEnd)
      case BACKEND.NOTICE_RESPONSE:
        return this.#notice(buf, at, frameEnd)
      case BACKEND.PARAMETER_STATUS:
        return this.#parameterStatus(buf, at, frameEnd)
      case BACKEND.NOTIFICATION_RESPONSE:
        return this.#notification(buf, at, frameEnd)
      case BACKEND.COPY_IN_RESPONSE:
        return this.#copyIn(buf, at, frameEnd)
      case BACKEND.COPY_OUT_RESPONSE: {
        const entry = this.#head(REPLY.execute, REPLY.query, 'CopyOutResponse')
        this.#results.copyOut(entry, buf, at, frameEnd)
        return this.#give(entry, buf, at, frameEnd)
      }
      case BACKEND.COPY_DONE: {
        const entry = this.#head(REPLY.execute, REPLY.query, 'CopyDone')
        this.#results.copyDone(entry)
        return this.#give(entry, buf, at, frameEnd)
      }
      case BACKEND.FUNCTION_CALL_RESPONSE:
        return this.#give(this.#head(REPLY.functionCall, null, 'V'), buf, at, frameEnd)
      default:
        throw new ProtocolError('unknown-message', 'remote', `upstream message ${typeName(type)}`)
    }
  }

  /** The entry owed next, which must be of `kind` (or `other`). */
  #head(kind: ReplyKind, other: ReplyKind | null, what: string): Expected {
    const entry = this.#state.expected.head()
    if (entry === undefined || (entry.kind !== kind && entry.kind !== other)) throw outOfSync(what)
    if (entry.fate === 'substitute' || entry.fate === 'barren') {
      throw outOfSync(`${what} where an error was due`)
    }
    return entry
  }

  /** Passes a reply on as it is, unless it is not for the client. */
  #give(entry: Expected, buf: Buffer, at: number, frameEnd: number): void {
    const withheld = entry.told || (entry.over && isRefused(entry))
    if (entry.fate === 'forward' && !withheld) this.#state.toClient.forward(buf, at, frameEnd)
  }

  #acknowledge(
    kind: ReplyKind,
    other: ReplyKind | null,
    buf: Buffer,
    at: number,
    frameEnd: number,
  ): void {
    const state = this.#state
    this.#give(this.#head(kind, other, 'acknowledgement'), buf, at, frameEnd)
    state.pop()
    if (state.probe?.inside && state.answered) this.#probeDone()
  }

  #rowDescription(buf: Buffer, at: number, frameEnd: number): void {
    const entry = this.#state.expected.head()
    if (entry?.kind === REPLY.query && entry.fate === 'forward') {
      this.#results.described(entry, buf, at, frameEnd)
      return this.#give(entry, buf, at, frameEnd)
    }
    const admission = entry?.admission ?? null
    const fields =
      admission?.masked || admission?.described
        ? this.#state.descriptions.decode(buf, at + HEADER_BYTES, frameEnd)
        : undefined
    this.#described(fields, buf, at, frameEnd)
  }

  #noData(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = state.expected.head()
    if (entry?.fate !== 'barren' || entry.kind !== REPLY.describePortal) {
      return this.#described(null, buf, at, frameEnd)
    }
    state.toClient.forward(buf, at, frameEnd)
    state.pop()
  }

  #described(
    fields: readonly FieldDescription[] | null | undefined,
    buf: Buffer,
    at: number,
    frameEnd: number,
  ): void {
    const entry = this.#head(REPLY.describeStatement, REPLY.describePortal, 'description')
    if (fields !== undefined) {
      if (entry.statement !== null) entry.statement.fields = fields
      if (entry.portal !== null) entry.portal.fields = fields
    }
    this.#give(entry, buf, at, frameEnd)
    this.#state.pop()
  }

  #complete(
    status: 'complete' | 'empty' | 'suspended',
    buf: Buffer,
    at: number,
    frameEnd: number,
  ): void {
    const state = this.#state
    const entry = this.#head(REPLY.execute, REPLY.query, 'completion')
    state.spareSyncs = 0
    if (entry.fate === 'forward') {
      const tag = status === 'complete' ? this.#tag(buf, at + HEADER_BYTES, frameEnd - 1) : ''
      if (entry.over || entry.told) this.#completeOver(entry, status, tag)
      else {
        state.toClient.forward(buf, at, frameEnd)
        this.#outcome(entry, status, tag, '')
      }
    }
    this.#results.reset()
    if (entry.kind === REPLY.query) {
      if (status === 'complete') state.forgetUnnamedPortal(entry.segment)
      entry.result++
      entry.rows = 0
      entry.bytes = 0
      entry.over = false
      entry.lifted = false
      entry.metered = NOTHING_SENT
      entry.spent = false
      return
    }
    state.pop()
    // Nothing follows it but, where that does no harm, its Sync: the rest waits for this moment.
    if (entry.told && state.expected.size === 0) failExtended(state, null)
  }

  #tag(buf: Buffer, start: number, end: number): string {
    this.#lastTag = latin1At(buf, start, end, this.#lastTag)
    return this.#lastTag
  }

  /** A result that was stopped at its limit came to its end. */
  #completeOver(entry: Expected, status: Status, tag: string): void {
    const { toClient, gatekeeper } = this.#state
    if (isRefused(entry)) return this.#tell(entry, status === 'complete')
    if (entry.admission === null) throw outOfSync('completion')
    toClient.give(gatekeeper.resultCut(entry.admission, entry.rows))
    const cut = /^(SELECT|FETCH|COPY) \d+$/.exec(tag)
    const told = cut === null && tag !== '' ? tag : `${cut?.[1] ?? 'SELECT'} ${entry.rows}`
    toClient.give(encodeBackend({ kind: 'CommandComplete', tag: told }))
    this.#outcome(entry, 'complete', told, '')
  }

  /** The client gets the refusal of an exceeded limit, once. `completed`: the statement ran to its end. */
  #tell(entry: Expected, completed: boolean): void {
    if (entry.told || entry.admission === null) return
    const state = this.#state
    const stands =
      completed &&
      entry.kind === REPLY.query &&
      state.transaction === TX_IDLE &&
      entry.admission.limit?.readOnly === false
    const { error } = state.gatekeeper.limitExceeded(entry.admission, stands)
    state.toClient.give(error)
    entry.told = true
    this.#outcome(entry, 'error', '', sqlstateOf(error, HEADER_BYTES, error.length) ?? '')
  }

  #outcome(entry: Expected, status: Status, tag: string, sqlstate: string): void {
    const { admission, execution, result, rows, bytes } = entry
    if (admission === null) return
    const { gatekeeper } = this.#state
    gatekeeper.outcome({ admission, execution, result, status, tag, sqlstate, rows, bytes })
  }

  #ready(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    if (frameEnd - at !== HEADER_BYTES + 1) throw outOfSync('ReadyForQuery')
    const status = buf[at + HEADER_BYTES] as number
    if (status !== TX_IDLE && status !== TX_BLOCK && status !== TX_FAILED) {
      throw new ProtocolError('malformed', 'remote', `transaction status ${status}`)
    }
    if (this.#isSpare()) this.#spareReady()
    else {
      const entry = this.#readyEntry()
      state.pop()
      state.settled = entry.segment
      if (entry.kind === REPLY.functionCall && !entry.failed)
        this.#outcome(entry, 'complete', '', '')
      if (entry.kind === REPLY.query) state.forgetUnnamedStatement(entry.segment)
      if (entry.fate === 'drop') {
        this.#settle(status)
        return this.#probeDone()
      }
      if (entry.told && status === TX_BLOCK) {
        // The block goes on as if nothing had happened: make it fail as the client has been told.
        return failQuery(state, null)
      }
    }
    this.#settle(status)
    state.toClient.forward(buf, at, frameEnd)
  }

  /** The COPY had failed before the server read that Sync: it was the one to skip to. */
  #spareReady(): void {
    const state = this.#state
    state.spareSyncs--
    if (!state.skipping || state.expected.size > 0) return
    state.skipping = false
    state.settled = state.segment
    state.endSegment()
  }

  #settle(status: number): void {
    const state = this.#state
    state.transaction = status
    this.#results.reset()
    if (status === TX_IDLE) this.#endOfTransaction()
    state.gatekeeper.ready(status)
  }

  /** A ReadyForQuery of a Sync that no reply was owed for; see RelayState.spareSyncs. */
  #isSpare(): boolean {
    const { expected, spareSyncs } = this.#state
    if (spareSyncs === 0) return false
    const entry = expected.head()
    if (entry === undefined) return true
    if (entry.kind === REPLY.query) return entry.result === 0 && !entry.failed
    return entry.kind !== REPLY.sync && entry.kind !== REPLY.functionCall
  }

  #readyEntry(): Expected {
    const entry = this.#state.expected.head()
    if (entry === undefined) throw outOfSync('ReadyForQuery')
    const { kind } = entry
    if (kind !== REPLY.sync && kind !== REPLY.query && kind !== REPLY.functionCall) {
      throw outOfSync('ReadyForQuery')
    }
    if (entry.fate === 'substitute' && !entry.failed) throw outOfSync('a refused Query that ran')
    return entry
  }

  #endOfTransaction(): void {
    const { portals, settled } = this.#state
    portals.deleteWhere(({ held, segment }) => !held && segment <= settled)
  }

  #probeDone(): void {
    const { probe } = this.#state
    this.#state.probe = null
    if (probe === null) return
    const { answers, refused, done } = probe
    done(refused ?? { kind: 'answers', answers })
  }

  /** §protocol-flow: after an error the server skips what follows, to the next Sync (extended) or at once (Query). */
  #error(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = state.expected.head()
    this.#results.reset()
    state.gatekeeper.failed()
    this.#reportError(entry, buf, at, frameEnd)
    if (isFatal(buf, at, frameEnd)) state.farewell = true
    if (entry === undefined) return
    state.copyIn = false
    const sqlstate = sqlstateOf(buf, at + HEADER_BYTES, frameEnd) ?? 'XX000'
    if (entry.kind === REPLY.query || entry.kind === REPLY.functionCall) {
      if (entry.fate === 'forward' && !entry.told) this.#outcome(entry, 'error', '', sqlstate)
      entry.failed = true
      return
    }
    if (entry.kind === REPLY.sync) return
    this.#skipToSync(sqlstate)
    if (state.probe?.inside) this.#probeDone()
  }

  /** What the client reads of an error that answers `entry`, or nothing it asked. */
  #reportError(entry: Expected | undefined, buf: Buffer, at: number, frameEnd: number): void {
    const { toClient, gatekeeper, probe } = this.#state
    if (entry?.fate === 'substitute') {
      if (entry.error !== null) toClient.give(entry.error)
    } else if (entry?.fate === 'drop' && probe !== null) {
      const error = withoutPlaces(buf, at, frameEnd)
      const sqlstate = sqlstateOf(buf, at + HEADER_BYTES, frameEnd) ?? 'XX000'
      probe.refused ??= { kind: 'refused', sqlstate, error }
      if (!probe.inside) return
      // The server skips what is behind it: an error of the client's pipeline like any other.
      toClient.give(gatekeeper.redactReport('error', null, error, 0, error.length) ?? error)
    } else if (entry !== undefined && (entry.told || (entry.over && isRefused(entry)))) {
      this.#tell(entry, false)
    } else {
      const admission = entry?.admission ?? null
      const redacted = gatekeeper.redactReport('error', admission, buf, at, frameEnd)
      if (redacted !== null) toClient.give(redacted)
      else toClient.forward(buf, at, frameEnd)
    }
  }

  #skipToSync(sqlstate: string): void {
    const state = this.#state
    const { expected } = state
    let skipped = 0
    while (skipped < expected.size && expected.at(skipped).kind !== REPLY.sync) skipped++
    state.undo(skipped)
    // A Sync of ours ended the segment early (see parking.ts): the client's own is still to come.
    const early = skipped < expected.size && expected.at(skipped).fate === 'drop'
    const none = skipped === expected.size || (early && state.probe === null)
    for (let i = 0; i < skipped; i++) {
      const entry = state.pop()
      if (entry.execution === 0 || entry.told) continue
      if (i === 0) this.#outcome(entry, 'error', '', sqlstate)
      else this.#outcome(entry, 'skipped', '', '')
    }
    if (none) state.skipping = true
  }

  #notice(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = state.expected.head()
    // About a question of ours: the client has not asked anything.
    if (entry?.fate === 'drop' && state.probe !== null) return
    const admission = entry?.admission ?? null
    const redacted = state.gatekeeper.redactReport('notice', admission, buf, at, frameEnd)
    if (redacted !== null) state.toClient.give(redacted)
    else state.toClient.forward(buf, at, frameEnd)
  }

  #parameterStatus(buf: Buffer, at: number, frameEnd: number): void {
    const nameEnd = buf.indexOf(0, at + HEADER_BYTES)
    const valueEnd = nameEnd < 0 ? -1 : buf.indexOf(0, nameEnd + 1)
    if (valueEnd !== frameEnd - 1) throw new ProtocolError('malformed', 'remote', 'ParameterStatus')
    const name = buf.toString('utf8', at + HEADER_BYTES, nameEnd)
    this.#state.gatekeeper.parameterStatus(name, buf.toString('utf8', nameEnd + 1, valueEnd))
    this.#state.toClient.forward(buf, at, frameEnd)
  }

  #notification(buf: Buffer, at: number, frameEnd: number): void {
    const replacement = this.#state.gatekeeper.notification(buf, at, frameEnd)
    if (replacement === 'drop') return
    if (replacement !== null) this.#state.toClient.give(replacement)
    else this.#state.toClient.forward(buf, at, frameEnd)
  }

  /** The server will read CopyData now; Syncs it was sent meanwhile it ignores, so nothing is owed for them. */
  #copyIn(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = this.#head(REPLY.execute, REPLY.query, 'CopyInResponse')
    let syncs = 0
    while (syncs + 1 < state.expected.size && state.expected.at(syncs + 1).kind === REPLY.sync)
      syncs++
    if (syncs > 0) {
      state.expected.removeBehindHead(syncs)
      state.spareSyncs += syncs
      // The segment has not ended after all.
      if (entry.kind === REPLY.execute) state.reopen(entry.segment)
    }
    if (entry.told) {
      // The client has been refused and will send nothing; the server must not wait for it.
      state.toUpstream.give(COPY_REFUSED)
      return
    }
    state.copyIn = true
    state.copyInTold = entry.admission?.described === true
    if (entry.admission !== null && state.copyInTold) {
      if (frameEnd - at < HEADER_BYTES + 3)
        throw new ProtocolError('malformed', 'remote', 'CopyInResponse')
      const format = buf[at + HEADER_BYTES] === 0 ? 'text' : 'binary'
      const columns = buf.readUInt16BE(at + HEADER_BYTES + 1)
      state.gatekeeper.clientDataBegins(entry.admission, entry.result, format, columns)
    }
    this.#give(entry, buf, at, frameEnd)
  }
}

/** An error about a question of ours: it points into our text, and names our portal. */
function withoutPlaces(buf: Buffer, at: number, frameEnd: number): Buffer {
  const out = new ByteWriter()
  const kept = ({ where: _, position: __, ...rest }: ErrorFields): ErrorFields => rest
  rewriteErrorResponse(buf, at, frameEnd, kept, out)
  return out.take()
}

/** §protocol-error-fields, V: the severity in English. */
function isFatal(buf: Buffer, at: number, frameEnd: number): boolean {
  const field = buf.indexOf('\0V', at, 'latin1')
  if (field < 0 || field + 8 > frameEnd) return false
  const severity = buf.toString('latin1', field + 2, field + 7)
  return severity === 'FATAL' || severity === 'PANIC'
}

function outOfSync(what: string): ProtocolError {
  return new ProtocolError('out-of-sync', 'remote', `${what} is not what the upstream owes`)
}
