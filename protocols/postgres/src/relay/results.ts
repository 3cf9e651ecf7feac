/**
 * The data of results on its way to the client: rows and COPY data, masked, counted, and stopped at the
 * limit of the admission.
 *
 * INVARIANT: a DataRow or CopyData of a masked admission passes only through masks compiled from the
 * server's own description of it; without one the session ends.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import type { FieldDescription } from '../backend.ts'
import type { CopyRowsRewriter } from '../copy-rows.ts'
import { rewriteDataRow } from '../data-row.ts'
import { ProtocolError } from '../errors.ts'
import { BACKEND, HEADER_BYTES } from '../frames.ts'
import { type Expected, isRefused } from './expected.ts'
import { type Admission, WAIT } from './gatekeeper.ts'
import type { RelayState } from './state.ts'

/** What becomes of a frame: pass it on as it is, drop it, wait for all of it or for leave, or it has been dealt with. */
export type Passage = 'pass' | 'drop' | 'more' | 'done' | 'held'

export class Results {
  readonly #state: RelayState
  /** Masks of the result being sent; undefined: not known yet. */
  #masks: readonly (CellMask | null)[] | null | undefined
  #copy: CopyRowsRewriter | null = null

  constructor(state: RelayState) {
    this.#state = state
  }

  /** No result is being sent any more. */
  reset(): void {
    this.#masks = undefined
    this.#copy = null
  }

  /** A DataRow of `entry`, [at, frameEnd), of which bytes before `end` are there. */
  row(entry: Expected, buf: Buffer, at: number, frameEnd: number, end: number): Passage {
    if (this.#masks === undefined) this.#masks = this.#masksOf(entry)
    const standing = this.#standing(entry, frameEnd - at)
    if (standing !== 'within') return standing
    if (this.#masks === null) {
      this.#count(entry, frameEnd - at)
      return 'pass'
    }
    if (frameEnd > end) return 'more'
    const { sink, toClient } = this.#state
    const from = sink.at
    rewriteDataRow(buf, at, frameEnd, this.#masks, sink)
    this.#count(entry, sink.at - from)
    toClient.forward(sink.buf, from, sink.at)
    return 'done'
  }

  #masksOf(entry: Expected): readonly (CellMask | null)[] | null {
    const { admission, portal } = entry
    if (admission === null)
      throw new ProtocolError('out-of-sync', 'local', 'rows without an admission')
    this.#state.gatekeeper.resultBegins(admission, portal)
    if (!admission.masked) return null
    const fields = portal?.fields ?? portal?.statement?.fields
    if (portal === null || fields === undefined || fields === null) {
      throw new ProtocolError('undescribed-rows', 'local', 'rows to be masked came undescribed')
    }
    if (portal.masks === undefined) {
      // A cursor's formats are the server's choice (BINARY); a bound portal's are the Bind's.
      const formats = portal.statement === null ? formatsOf(fields) : portal.formats
      portal.masks = this.#state.gatekeeper.masksFor(admission, 0, fields, formats)
    }
    return portal.masks
  }

  /** The RowDescription of a simple Query's result. */
  described(entry: Expected, buf: Buffer, at: number, frameEnd: number): void {
    const { admission } = entry
    if (admission === null)
      throw new ProtocolError('out-of-sync', 'local', 'rows without an admission')
    this.#state.gatekeeper.resultBegins(admission, null)
    this.#masks = null
    if (!admission.masked) return
    const { gatekeeper, descriptions } = this.#state
    const fields = descriptions.decode(buf, at + HEADER_BYTES, frameEnd)
    this.#masks = gatekeeper.masksFor(admission, entry.result, fields, formatsOf(fields))
  }

  /** A CopyOutResponse. */
  copyOut(entry: Expected, buf: Buffer, at: number, frameEnd: number): void {
    const { admission } = entry
    if (admission === null || frameEnd - at < HEADER_BYTES + 3)
      throw new ProtocolError('malformed', 'remote', 'CopyOutResponse')
    this.#copy = null
    this.#state.gatekeeper.resultBegins(admission, null)
    if (!admission.masked) return
    const format = buf[at + HEADER_BYTES] === 0 ? 'text' : 'binary'
    const columns = buf.readUInt16BE(at + HEADER_BYTES + 1)
    this.#copy = this.#state.gatekeeper.copyOut(admission, entry.result, format, columns)
  }

  /** A CopyData of `entry`; see `row`. The server sends a row in each. */
  copyData(entry: Expected, buf: Buffer, at: number, frameEnd: number, end: number): Passage {
    if (this.#copy !== null && frameEnd > end) return 'more'
    const standing = this.#standing(entry, frameEnd - at)
    if (standing !== 'within') return standing
    if (this.#copy === null) {
      this.#count(entry, frameEnd - at)
      return 'pass'
    }
    const from = this.#openCopyData()
    this.#copy.write(buf, at + HEADER_BYTES, frameEnd, this.#state.sink)
    this.#count(entry, this.#closeCopyData(from))
    return 'done'
  }

  /** A CopyDone of `entry`: what the rewriter still holds goes out first. */
  copyDone(entry: Expected): void {
    if (this.#copy === null) return
    if (!entry.over) {
      const from = this.#openCopyData()
      this.#copy.end(this.#state.sink)
      entry.bytes += this.#closeCopyData(from)
    }
    this.#copy = null
  }

  #openCopyData(): number {
    const { sink } = this.#state
    sink.ensure(HEADER_BYTES)
    const from = sink.at
    sink.at += HEADER_BYTES
    return from
  }

  /** Completes the CopyData frame begun at `from`; an empty one is taken back. Its length. */
  #closeCopyData(from: number): number {
    const { sink, toClient } = this.#state
    const length = sink.at - from
    if (length === HEADER_BYTES) {
      sink.at = from
      return 0
    }
    sink.buf[from] = BACKEND.COPY_DATA
    sink.buf.writeUInt32BE(length - 1, from + 1)
    toClient.forward(sink.buf, from, sink.at)
    return length
  }

  #count(entry: Expected, bytes: number): void {
    entry.rows++
    entry.bytes += bytes
    if (entry.portal !== null) {
      entry.portal.rows++
      entry.portal.bytes += bytes
    }
  }

  /** Would this row go over the limit? Nothing of the result passes from then on, or not before there is leave. */
  #standing(entry: Expected, bytes: number): 'within' | 'drop' | 'held' {
    const { admission, execution, result } = entry
    const limit = admission?.limit ?? null
    if (entry.over || entry.told) return 'drop'
    const sent = entry.portal ?? entry
    if (admission === null || limit === null) return 'within'
    const within =
      sent.lifted ||
      ((limit.rows === null || sent.rows < limit.rows) &&
        (limit.bytes === null || sent.bytes + bytes <= limit.bytes))
    if (within) return limit.metered ? this.#metered(entry, admission, bytes) : 'within'
    const state = this.#state
    if (limit.exceeded === 'hold') {
      const answer = state.gatekeeper.beyondLimit(admission, execution, result)
      if (answer === WAIT) return this.#hold()
      sent.lifted = answer === 'go-on'
      if (sent.lifted) return this.#standing(entry, bytes)
    }
    return this.#stop(entry)
  }

  #metered(entry: Expected, admission: Admission, bytes: number): 'within' | 'drop' | 'held' {
    const wanted = { rows: entry.rows + 1, bytes: entry.bytes + bytes }
    const { metered } = entry
    if (wanted.rows <= metered.rows && wanted.bytes <= metered.bytes) return 'within'
    const most = this.#state.gatekeeper.meter(admission, wanted)
    if (most === WAIT) return this.#hold()
    entry.spent = most === 'refuse'
    if (most === 'refuse') return this.#stop(entry)
    entry.metered = most
    return 'within'
  }

  #hold(): 'held' {
    this.#state.holding = true
    return 'held'
  }

  #stop(entry: Expected): 'drop' {
    const state = this.#state
    entry.over = true
    if (isRefused(entry)) {
      state.cancelling = true
      state.gatekeeper.cancel()
    }
    return 'drop'
  }
}

function formatsOf(fields: readonly FieldDescription[]): number[] {
  return fields.map((field) => field.format)
}
