/**
 * The upstream's replies: matched with what is owed, rows masked, and passed to the client.
 *
 * A reply that is not owed is out of sync and ends the session; it is never guessed at. Runs of bytes
 * that pass unchanged leave as views of the read buffer; masked rows are rewritten into the shared sink.
 * INVARIANT: a DataRow or CopyData of a masked admission passes only through masks compiled from the
 * server's own description of it; without one the session ends.
 */
import { decodeRowDescription, type FieldDescription } from '../backend.ts'
import type { CopyRowsRewriter } from '../copy-rows.ts'
import { type CellMask, rewriteDataRow } from '../data-row.ts'
import { ProtocolError } from '../errors.ts'
import { MASKED_ROW_BYTES_MAX, MESSAGE_BYTES_MAX } from '../limits.ts'
import { type Expected, REPLY, type ReplyKind } from './expected.ts'
import * as reply from './replies.ts'
import { type RelayState, TX_BLOCK, TX_FAILED, TX_IDLE } from './state.ts'

const HEADER_BYTES = 5

export class UpstreamLeg {
  readonly #state: RelayState
  #passing = 0
  /** Masks of the result the head entry is sending; undefined: not known yet. */
  #masks: readonly (CellMask | null)[] | null | undefined
  #copy: CopyRowsRewriter | null = null
  /** Whole length wanted of the frame at the returned offset, bytes; 0 when its header is not there yet. */
  wanted = 0

  constructor(state: RelayState) {
    this.#state = state
  }

  /** Takes frames from [start, end); returns where it stopped (an incomplete frame). */
  receive(buf: Buffer, start: number, end: number): number {
    const out = this.#state.toClient
    let at = start
    this.wanted = 0
    while (at < end) {
      if (this.#passing > 0) {
        const take = Math.min(this.#passing, end - at)
        out.forward(buf, at, at + take)
        this.#passing -= take
        at += take
        continue
      }
      if (end - at < HEADER_BYTES) break
      const type = buf[at] as number
      const length = buf.readUInt32BE(at + 1)
      if (length < 4 || length > MESSAGE_BYTES_MAX) {
        throw new ProtocolError('message-length', 'remote', `upstream message length ${length}`)
      }
      const frameEnd = at + 1 + length
      if (type === reply.DATA_ROW) {
        const taken = this.#dataRow(buf, at, frameEnd, end)
        if (taken < 0) break
        at = taken
      } else if (frameEnd > end) {
        if (type === reply.COPY_DATA && this.#copy === null) {
          this.#countData(frameEnd - at)
          this.#passing = frameEnd - at
          continue
        }
        this.#want(length)
        break
      } else {
        this.#reply(type, buf, at, frameEnd)
        at = frameEnd
      }
    }
    return at
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

  /** Returns the offset after it, or -1 when the rest of a row to be masked is still to come. */
  #dataRow(buf: Buffer, at: number, frameEnd: number, end: number): number {
    const entry = this.#head(REPLY.execute, REPLY.query, 'DataRow')
    if (entry.fate !== 'forward') return this.#probeRow(entry, buf, at, frameEnd, end)
    if (this.#masks === undefined) this.#masks = this.#masksOf(entry)
    entry.rows++
    if (this.#masks === null) {
      entry.bytes += frameEnd - at
      if (frameEnd > end) {
        this.#passing = frameEnd - at
        return at
      }
      this.#state.toClient.forward(buf, at, frameEnd)
      return frameEnd
    }
    if (frameEnd > end) {
      entry.rows--
      this.#want(frameEnd - at - 1)
      return -1
    }
    const { sink, toClient } = this.#state
    const from = sink.at
    rewriteDataRow(buf, at, frameEnd, this.#masks, sink)
    entry.bytes += sink.at - from
    toClient.forward(sink.buf, from, sink.at)
    return frameEnd
  }

  #masksOf(entry: Expected): readonly (CellMask | null)[] | null {
    const admission = entry.admission
    if (admission === null)
      throw new ProtocolError('out-of-sync', 'local', 'rows without an admission')
    if (!admission.masked) return null
    const { portal } = entry
    const fields = portal?.fields ?? portal?.statement?.fields
    if (portal === null || fields === undefined || fields === null) {
      throw new ProtocolError('undescribed-rows', 'local', 'rows to be masked came undescribed')
    }
    portal.masks ??= this.#state.gatekeeper.masksFor(admission, 0, fields, portal.formats)
    return portal.masks
  }

  #probeRow(entry: Expected, buf: Buffer, at: number, frameEnd: number, end: number): number {
    const { probe } = this.#state
    if (entry.fate !== 'drop' || probe === null) throw outOfSync('DataRow')
    if (frameEnd > end) {
      this.#want(frameEnd - at - 1)
      return -1
    }
    const cell = at + HEADER_BYTES + 2
    const length = cell + 4 <= frameEnd ? buf.readInt32BE(cell) : -1
    probe.answers.push(length < 0 ? '' : buf.toString('utf8', cell + 4, cell + 4 + length))
    return frameEnd
  }

  #reply(type: number, buf: Buffer, at: number, frameEnd: number): void {
    switch (type) {
      case reply.COMMAND_COMPLETE:
      case reply.EMPTY_QUERY:
      case reply.PORTAL_SUSPENDED:
        return this.#complete(type, buf, at, frameEnd)
      case reply.READY:
        return this.#ready(buf, at, frameEnd)
      case reply.ROW_DESCRIPTION:
        return this.#rowDescription(buf, at, frameEnd)
      case reply.PARSE_COMPLETE:
        return this.#acknowledge(REPLY.parse, buf, at, frameEnd)
      case reply.BIND_COMPLETE:
        return this.#acknowledge(REPLY.bind, buf, at, frameEnd)
      case reply.CLOSE_COMPLETE:
        return this.#acknowledge(REPLY.close, buf, at, frameEnd)
      case reply.NO_DATA:
        return this.#described(null, buf, at, frameEnd)
      case reply.PARAMETER_DESCRIPTION:
        return this.#pass(this.#head(REPLY.describeStatement, null, 't'), buf, at, frameEnd)
      case reply.ERROR:
        return this.#error(buf, at, frameEnd)
      case reply.NOTICE:
        return this.#notice(buf, at, frameEnd)
      case reply.PARAMETER_STATUS:
        return this.#parameterStatus(buf, at, frameEnd)
      case reply.NOTIFICATION:
        return this.#notification(buf, at, frameEnd)
      case reply.COPY_IN:
        return this.#copyIn(buf, at, frameEnd)
      case reply.COPY_OUT:
        return this.#copyOut(buf, at, frameEnd)
      case reply.COPY_DATA:
        return this.#copyData(buf, at, frameEnd)
      case reply.COPY_DONE:
        return this.#copyDone(buf, at, frameEnd)
      case reply.FUNCTION_RESULT:
        return this.#pass(this.#head(REPLY.functionCall, null, 'V'), buf, at, frameEnd)
      default:
        throw new ProtocolError('unknown-message', 'remote', `upstream message type ${type}`)
    }
  }

  /** The entry owed next, which must be of `kind` (or `other`). */
  #head(kind: ReplyKind, other: ReplyKind | null, what: string): Expected {
    const entry = this.#state.expected.head()
    if (entry === undefined || (entry.kind !== kind && entry.kind !== other)) throw outOfSync(what)
    if (entry.fate === 'substitute') throw outOfSync(`${what} where a refusal was due`)
    return entry
  }

  #pass(entry: Expected, buf: Buffer, at: number, frameEnd: number): void {
    if (entry.fate === 'forward') this.#state.toClient.forward(buf, at, frameEnd)
  }

  #acknowledge(kind: ReplyKind, buf: Buffer, at: number, frameEnd: number): void {
    this.#pass(this.#head(kind, null, 'acknowledgement'), buf, at, frameEnd)
    this.#state.expected.pop()
  }

  #rowDescription(buf: Buffer, at: number, frameEnd: number): void {
    const entry = this.#state.expected.head()
    if (entry?.kind === REPLY.query && entry.fate === 'forward') {
      const { admission } = entry
      this.#masks = null
      if (admission === null) throw outOfSync('RowDescription')
      if (admission.masked) {
        const fields = decodeRowDescription(buf, at + HEADER_BYTES, frameEnd)
        this.#masks = this.#state.gatekeeper.masksFor(admission, entry.result, fields, [])
      }
      return this.#pass(entry, buf, at, frameEnd)
    }
    const masked = entry?.admission?.masked === true
    const fields = masked ? decodeRowDescription(buf, at + HEADER_BYTES, frameEnd) : undefined
    this.#described(fields, buf, at, frameEnd)
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
    this.#pass(entry, buf, at, frameEnd)
    this.#state.expected.pop()
  }

  #complete(type: number, buf: Buffer, at: number, frameEnd: number): void {
    const entry = this.#head(REPLY.execute, REPLY.query, 'completion')
    this.#pass(entry, buf, at, frameEnd)
    if (entry.fate === 'forward') {
      const tag =
        type === reply.COMMAND_COMPLETE
          ? buf.toString('latin1', at + HEADER_BYTES, frameEnd - 1)
          : ''
      this.#outcome(entry, COMPLETION[type] ?? 'complete', tag, '')
    }
    this.#masks = undefined
    if (entry.kind === REPLY.query) {
      entry.result++
      entry.rows = 0
      entry.bytes = 0
      return
    }
    if (entry.admission?.barrier === true) this.#state.barriers--
    this.#state.expected.pop()
  }

  #outcome(
    entry: Expected,
    status: 'complete' | 'empty' | 'suspended' | 'error' | 'skipped',
    tag: string,
    sqlstate: string,
  ): void {
    const { admission, execution, result, rows, bytes } = entry
    if (admission === null) return
    this.#state.gatekeeper.outcome({
      admission,
      execution,
      result,
      status,
      tag,
      sqlstate,
      rows,
      bytes,
    })
  }

  #ready(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = state.expected.head()
    if (entry === undefined || frameEnd - at !== HEADER_BYTES + 1) throw outOfSync('ReadyForQuery')
    const { kind } = entry
    if (kind !== REPLY.sync && kind !== REPLY.query && kind !== REPLY.functionCall) {
      throw outOfSync('ReadyForQuery')
    }
    if (entry.fate === 'substitute' && !entry.failed) throw outOfSync('a refused Query that ran')
    const status = buf[at + HEADER_BYTES] as number
    if (status !== TX_IDLE && status !== TX_BLOCK && status !== TX_FAILED) {
      throw new ProtocolError('malformed', 'remote', `transaction status ${status}`)
    }
    state.expected.pop()
    if (entry.admission?.barrier === true) state.barriers--
    if (kind === REPLY.functionCall && !entry.failed) this.#outcome(entry, 'complete', '', '')
    state.transaction = status
    state.settled = entry.segment
    if (status === TX_IDLE) this.#endOfTransaction()
    state.gatekeeper.ready(status)
    if (entry.fate === 'drop') return this.#probeDone()
    state.toClient.forward(buf, at, frameEnd)
  }

  #endOfTransaction(): void {
    const { portals, settled } = this.#state
    if (portals.size === 0) return
    for (const portal of portals.values()) {
      if (!portal.held && portal.segment <= settled) portals.delete(portal.name)
    }
  }

  #probeDone(): void {
    const { probe } = this.#state
    this.#state.probe = null
    probe?.done(probe.failed ? null : probe.answers)
  }

  /** §protocol-flow: after an error the server skips what follows, to the next Sync (extended) or at once (Query). */
  #error(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = state.expected.head()
    this.#copy = null
    this.#masks = undefined
    if (entry?.fate === 'substitute' && entry.error !== null) {
      state.toClient.give(entry.error)
    } else if (state.probe !== null && entry?.fate === 'drop') {
      state.probe.failed = true
    } else {
      const admission = entry?.admission ?? null
      const redacted = state.gatekeeper.redactReport('error', admission, buf, at, frameEnd)
      if (redacted !== null) state.toClient.give(redacted)
      else state.toClient.forward(buf, at, frameEnd)
    }
    if (entry === undefined) return
    state.copyIn = false
    const sqlstate = reply.sqlstateOf(buf, at, frameEnd)
    if (entry.kind === REPLY.query || entry.kind === REPLY.functionCall) {
      if (entry.fate === 'forward') this.#outcome(entry, 'error', '', sqlstate)
      entry.failed = true
      return
    }
    if (entry.kind === REPLY.sync) return
    this.#skipToSync(sqlstate)
  }

  #skipToSync(sqlstate: string): void {
    const state = this.#state
    const { expected } = state
    let skipped = 0
    while (skipped < expected.size && expected.at(skipped).kind !== REPLY.sync) skipped++
    for (let i = skipped - 1; i >= 0; i--) {
      const entry = expected.at(i)
      state.undo(entry)
      const runs = entry.kind === REPLY.execute || entry.kind === REPLY.query
      if (runs && entry.admission?.barrier === true) state.barriers--
    }
    const none = skipped === expected.size
    for (let i = 0; i < skipped; i++) {
      const entry = expected.pop()
      if (entry.execution === 0) continue
      if (i === 0) this.#outcome(entry, 'error', '', sqlstate)
      else this.#outcome(entry, 'skipped', '', '')
    }
    if (none) state.skipping = true
  }

  #notice(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const admission = state.expected.head()?.admission ?? null
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

  /** The server will read CopyData now; a Sync it was sent meanwhile is ignored, so nothing is owed for it. */
  #copyIn(buf: Buffer, at: number, frameEnd: number): void {
    const state = this.#state
    const entry = this.#head(REPLY.execute, REPLY.query, 'CopyInResponse')
    if (entry.kind === REPLY.execute) {
      while (state.expected.size > 1 && state.expected.at(1).kind === REPLY.sync) {
        state.expected.removeAt(1)
      }
    }
    state.copyIn = true
    this.#pass(entry, buf, at, frameEnd)
  }

  #copyOut(buf: Buffer, at: number, frameEnd: number): void {
    const entry = this.#head(REPLY.execute, REPLY.query, 'CopyOutResponse')
    const { admission } = entry
    if (admission === null || frameEnd - at < HEADER_BYTES + 3) throw outOfSync('CopyOutResponse')
    if (admission.masked) {
      const format = buf[at + HEADER_BYTES] === 0 ? 'text' : 'binary'
      const columns = buf.readUInt16BE(at + HEADER_BYTES + 1)
      this.#copy = this.#state.gatekeeper.copyOut(admission, entry.result, format, columns)
    }
    this.#pass(entry, buf, at, frameEnd)
  }

  #copyData(buf: Buffer, at: number, frameEnd: number): void {
    if (this.#copy === null) {
      this.#countData(frameEnd - at)
      this.#state.toClient.forward(buf, at, frameEnd)
      return
    }
    const { sink } = this.#state
    const from = this.#openCopyData()
    this.#copy.write(buf, at + HEADER_BYTES, frameEnd, sink)
    this.#closeCopyData(from)
  }

  #copyDone(buf: Buffer, at: number, frameEnd: number): void {
    const entry = this.#head(REPLY.execute, REPLY.query, 'CopyDone')
    if (this.#copy !== null) {
      const from = this.#openCopyData()
      this.#copy.end(this.#state.sink)
      this.#closeCopyData(from)
      this.#copy = null
    }
    this.#pass(entry, buf, at, frameEnd)
  }

  #openCopyData(): number {
    const { sink } = this.#state
    sink.ensure(HEADER_BYTES)
    const from = sink.at
    sink.at += HEADER_BYTES
    return from
  }

  /** Completes the CopyData frame begun at `from`; an empty one is taken back. */
  #closeCopyData(from: number): void {
    const { sink, toClient } = this.#state
    const length = sink.at - from - 1
    if (length === 4) {
      sink.at = from
      return
    }
    sink.buf[from] = reply.COPY_DATA
    sink.buf.writeUInt32BE(length, from + 1)
    this.#countData(length + 1)
    toClient.forward(sink.buf, from, sink.at)
  }

  #countData(bytes: number): void {
    const entry = this.#head(REPLY.execute, REPLY.query, 'CopyData')
    entry.rows++
    entry.bytes += bytes
  }
}

const COMPLETION: Readonly<Record<number, 'complete' | 'empty' | 'suspended'>> = {
  [reply.COMMAND_COMPLETE]: 'complete',
  [reply.EMPTY_QUERY]: 'empty',
  [reply.PORTAL_SUSPENDED]: 'suspended',
}

function outOfSync(what: string): ProtocolError {
  return new ProtocolError('out-of-sync', 'remote', `${what} is not what the upstream owes`)
}
