/**
 * The rows of results on their way to the client: passed as they lie, or masked; counted, and stopped at the
 * limit of the admission.
 *
 * INVARIANT: a row of a masked admission passes only through masks compiled from the server's own description
 * of it; without one it does not pass.
 */
import { uint24At } from '../bytes.ts'
import { MASKED_ROW_BYTES_MAX, PACKET_PAYLOAD_BYTES_MAX } from '../limits.ts'
import { writeMaskedBinaryRow, writeMaskedTextRow } from '../masked-row.ts'
import { closePacket, HEADER_BYTES, openPacket, outOfOrder, PayloadCursor } from '../packets.ts'
import { HEADER } from '../responses.ts'
import { type Described, Descriptions, type MaskPlan, undescribed } from './descriptions.ts'
import { type Expected, isRefused, REPLY } from './expected.ts'
import { type Admission, type ResultLimit, WAIT } from './gatekeeper.ts'
import type { Cursor } from './prepared-statement.ts'
import type { RelayState } from './state.ts'

export class Results {
  readonly #state: RelayState
  readonly #cursor = new PayloadCursor(MASKED_ROW_BYTES_MAX)
  readonly #descriptions: Descriptions
  /** The result being sent, null: nobody asked, and it passes as it is; undefined: its rows have not begun. */
  #described: Described | null | undefined
  /** Bytes left of a packet that passes (or does not) as it comes, and whether its payload goes on. */
  #passing = 0
  #passes = false
  #continues = false
  /** Column definitions that `columns` has passed. */
  passed = 0
  /** `rows` stopped at a whole header of a packet that is no row; else more bytes are needed. */
  atEnd = false
  /** Whole length wanted of the row at the returned offset, bytes; 0 when not known yet. */
  wanted = 0

  constructor(state: RelayState) {
    this.#state = state
    this.#descriptions = new Descriptions(state)
  }

  /** The client has got part of a packet and not the rest. */
  get midFrame(): boolean {
    return this.#passes && (this.#passing > 0 || this.#continues)
  }

  /** No result is being sent any more. */
  reset(): void {
    this.#described = undefined
    this.#descriptions.clear()
  }

  /**
   * Passes up to `most` whole column definitions of `entry` from [start, end); returns where it stopped, and
   * says in `passed` how many they were. They are looked at only where somebody asks.
   */
  columns(entry: Expected, buf: Buffer, start: number, end: number, most: number): number {
    const state = this.#state
    this.passed = 0
    let at = start
    while (this.passed < most && end - at > HEADER_BYTES) {
      const length = uint24At(buf, at)
      const next = at + HEADER_BYTES + length
      if (next > end || length === PACKET_PAYLOAD_BYTES_MAX || !isRow(buf, at, length)) break
      if (buf[at + 3] !== state.upstreamSequence) throw outOfOrder(buf[at + 3]!)
      buf[at + 3] = state.clientSequence
      state.upstreamSequence = (state.upstreamSequence + 1) & 0xff
      state.clientSequence = (state.clientSequence + 1) & 0xff
      this.passed++
      at = next
    }
    if (this.passed > 0) {
      if (isAskedFor(entry.admission)) this.#descriptions.add(buf, start, at)
      state.toClient.forward(buf, start, at)
    }
    return at
  }

  /** All columns are known: what becomes of the rows is fixed for the result. */
  begin(entry: Expected): void {
    const { admission } = entry
    if (entry.told || entry.fate !== 'forward') this.#described = null
    else if (entry.kind === REPLY.fetch) this.#described = this.#ofCursor(entry)
    else if (admission === null || !isAskedFor(admission)) this.#described = null
    else {
      const format = entry.kind === REPLY.query ? 'text' : 'binary'
      this.#described = this.#descriptions.of(admission, entry.result, format)
    }
  }

  /** What is queued next are its rows. */
  announce(entry: Expected): void {
    const cursor = cursorOf(entry)
    const admission = cursor?.admission ?? entry.admission
    const described = this.#described ?? null
    if (described === null || admission?.described !== true) return
    const { columns, format } = described
    const earlier = cursor === null ? NONE_SENT : { rows: cursor.rows, bytes: cursor.bytes }
    this.#state.gatekeeper.resultBegins(admission, columns, format, earlier)
  }

  #ofCursor(entry: Expected): Described | null {
    const cursor = cursorOf(entry)
    if (cursor !== null) {
      entry.over = cursor.over
      entry.spent = cursor.spent
      return cursor.described
    }
    // COM_STMT_RESET or a new execution came in between: the server has no rows to send for it.
    if (isAskedFor(entry.admission)) throw undescribed()
    return null
  }

  /** A cursor of `entry` is open: its rows will come by fetching. */
  openCursor(entry: Expected, admission: Admission): void {
    const described = this.#described
    if (entry.statement === null || described === undefined) return
    entry.statement.cursor = {
      admission,
      described,
      rows: 0,
      bytes: 0,
      over: false,
      spent: false,
      lifted: false,
    }
  }

  /**
   * Takes rows of `entry` from [start, end); returns where it stopped: at a packet that is no row, or at an
   * incomplete one. This is the loop that bulk goes through: what passes is not touched but for its header.
   */
  rows(entry: Expected, buf: Buffer, start: number, end: number): number {
    this.wanted = 0
    this.atEnd = false
    const described = this.#described
    if (described === undefined) throw undescribed()
    const plan = described?.plan ?? null
    let at = start
    for (;;) {
      if (this.#passing > 0 || this.#continues) {
        const to = this.#rest(entry, buf, at, end)
        if (to === at) return at
        at = to
        continue
      }
      if (end - at <= HEADER_BYTES) return at
      const length = uint24At(buf, at)
      if (!isRow(buf, at, length)) {
        this.atEnd = true
        return at
      }
      if (this.#isHeld(entry, HEADER_BYTES + length)) return at
      if (entry.over || entry.told) at = this.#open(entry, buf, at, false)
      else if (plan === null) at = this.#plain(entry, buf, at, end)
      else {
        const to = this.#masked(entry, plan, buf, at, end)
        if (to === at) return at
        at = to
      }
    }
  }

  /** A run of rows without masks from the row at `at` on; ends at its limit, or at what is no whole row. */
  #plain(entry: Expected, buf: Buffer, start: number, end: number): number {
    const state = this.#state
    const [rowsLeft, bytesLeft] = roomOf(entry)
    let { upstreamSequence, clientSequence } = state
    let at = start
    let rows = 0
    while (end - at > HEADER_BYTES) {
      const length = uint24At(buf, at)
      const next = at + HEADER_BYTES + length
      if (next > end || length === PACKET_PAYLOAD_BYTES_MAX || !isRow(buf, at, length)) break
      if (rows === rowsLeft || next - start > bytesLeft) break
      if (buf[at + 3] !== upstreamSequence) throw outOfOrder(buf[at + 3]!)
      if (clientSequence !== upstreamSequence) buf[at + 3] = clientSequence
      upstreamSequence = (upstreamSequence + 1) & 0xff
      clientSequence = (clientSequence + 1) & 0xff
      rows++
      at = next
    }
    state.upstreamSequence = upstreamSequence
    state.clientSequence = clientSequence
    state.toClient.forward(buf, start, at)
    count(entry, rows, at - start)
    if (rows > 0) return at
    // It is over the limit, or not all there: then it passes in pieces.
    const bytes = HEADER_BYTES + uint24At(buf, at)
    const passes = !this.#isOver(entry, bytes)
    if (passes) count(entry, 1, bytes)
    return this.#open(entry, buf, at, passes)
  }

  /** The packet at `at` passes, or does not, as its bytes come; returns the end of its header. */
  #open(entry: Expected, buf: Buffer, at: number, passes: boolean): number {
    const state = this.#state
    if (buf[at + 3] !== state.upstreamSequence) throw outOfOrder(buf[at + 3]!)
    state.upstreamSequence = (state.upstreamSequence + 1) & 0xff
    this.#passing = uint24At(buf, at)
    this.#continues = this.#passing === PACKET_PAYLOAD_BYTES_MAX
    this.#passes = passes && !entry.told
    if (this.#passes) {
      buf[at + 3] = state.clientSequence
      state.clientSequence = (state.clientSequence + 1) & 0xff
      state.toClient.forward(buf, at, at + HEADER_BYTES)
    }
    return at + HEADER_BYTES
  }

  /** More of the packet that was opened, or the header of its continuation. */
  #rest(entry: Expected, buf: Buffer, at: number, end: number): number {
    if (this.#passing > 0) {
      const to = Math.min(at + this.#passing, end)
      if (this.#passes) this.#state.toClient.forward(buf, at, to)
      this.#passing -= to - at
      return to
    }
    if (end - at < HEADER_BYTES) return at
    if (this.#passes) count(entry, 0, HEADER_BYTES + uint24At(buf, at))
    return this.#open(entry, buf, at, this.#passes)
  }

  #masked(entry: Expected, plan: MaskPlan, buf: Buffer, at: number, end: number): number {
    const state = this.#state
    const cursor = this.#cursor
    if (cursor.next(buf, at, end) !== 'payload') {
      this.wanted = cursor.wanted
      return at
    }
    if (cursor.sequence !== state.upstreamSequence) throw outOfOrder(cursor.sequence)
    state.upstreamSequence = (state.upstreamSequence + cursor.packets) & 0xff
    if (this.#isOver(entry, cursor.end - at)) return cursor.end
    const { sink } = state
    const { bytes, payloadStart, payloadEnd } = cursor
    const from = openPacket(sink)
    if (entry.kind === REPLY.query) {
      writeMaskedTextRow(bytes, payloadStart, payloadEnd, plan.masks, sink)
    } else writeMaskedBinaryRow(bytes, payloadStart, payloadEnd, plan, sink)
    state.clientSequence = closePacket(sink, from, state.clientSequence)
    state.toClient.forward(sink.buf, from, sink.at)
    count(entry, 1, sink.at - from)
    return cursor.end
  }

  /** Would this row go over the limit? Nothing of the result passes from then on. */
  #isOver(entry: Expected, bytes: number): boolean {
    const limit = entry.admission?.limit ?? null
    if (limit === null) return false
    const cursor = cursorOf(entry)
    const sent = cursor ?? entry
    if (sent.lifted || isWithin(limit, sent, bytes)) return false
    this.#stop(entry)
    return true
  }

  #stop(entry: Expected): void {
    const cursor = cursorOf(entry)
    entry.over = true
    if (cursor !== null) {
      cursor.over = true
      cursor.spent = entry.spent
    }
    // What a cursor still has is not computed for nobody: a fetch is short.
    if (isRefused(entry) && cursor === null) {
      this.#state.cancelling = true
      this.#state.gatekeeper.cancel()
    }
  }

  /** This row waits: for leave to pass the limit, or for more of a budget. */
  #isHeld(entry: Expected, bytes: number): boolean {
    const { admission, execution, result } = entry
    const limit = admission?.limit ?? null
    if (admission === null || limit === null || entry.over || entry.told) return false
    const sent = cursorOf(entry) ?? entry
    if (sent.lifted || isWithin(limit, sent, bytes)) {
      return limit.metered && this.#awaitsBudget(entry, admission, bytes)
    }
    if (limit.exceeded !== 'hold') return false
    const answer = this.#state.gatekeeper.beyondLimit(admission, execution, result)
    this.#state.holding = answer === WAIT
    if (answer === 'refuse') this.#stop(entry)
    sent.lifted = answer === 'go-on'
    return sent.lifted ? this.#isHeld(entry, bytes) : answer === WAIT
  }

  #awaitsBudget(entry: Expected, admission: Admission, bytes: number): boolean {
    const wanted = { rows: entry.rows + 1, bytes: entry.bytes + bytes }
    const { metered } = entry
    if (wanted.rows <= metered.rows && wanted.bytes <= metered.bytes) return false
    const most = this.#state.gatekeeper.meter(admission, wanted)
    this.#state.holding = most === WAIT
    if (most === WAIT) return true
    entry.spent = most === 'refuse'
    if (most === 'refuse') this.#stop(entry)
    else entry.metered = most
    return false
  }
}

function isWithin(
  limit: ResultLimit,
  sent: { readonly rows: number; readonly bytes: number },
  bytes: number,
): boolean {
  return (
    (limit.rows === null || sent.rows < limit.rows) &&
    (limit.bytes === null || sent.bytes + bytes <= limit.bytes)
  )
}

/** Its results are masked, or recorded. */
function isAskedFor(admission: Admission | null): admission is Admission {
  return admission !== null && (admission.masked || admission.described)
}

/** A row, not the packet that ends rows. A text row that starts with 0xfe has a value over 16 MiB in it. */
function isRow(buf: Buffer, at: number, length: number): boolean {
  const first = buf[at + HEADER_BYTES]!
  if (first < HEADER.EOF) return length > 0
  return first === HEADER.EOF && length === PACKET_PAYLOAD_BYTES_MAX
}

function cursorOf(entry: Expected): Cursor | null {
  return entry.kind === REPLY.fetch ? (entry.statement?.cursor ?? null) : null
}

/** Rows and bytes that may still be sent of the result. */
function roomOf(entry: Expected): [number, number] {
  const limit = entry.admission?.limit ?? null
  if (limit === null) return UNLIMITED
  const { rows, bytes, lifted } = cursorOf(entry) ?? entry
  const [rowsLeft, bytesLeft] = lifted
    ? UNLIMITED
    : [(limit.rows ?? Infinity) - rows, (limit.bytes ?? Infinity) - bytes]
  if (!limit.metered) return [rowsLeft, bytesLeft]
  const { metered } = entry
  return [
    Math.min(rowsLeft, metered.rows - entry.rows),
    Math.min(bytesLeft, metered.bytes - entry.bytes),
  ]
}

const UNLIMITED: [number, number] = [Infinity, Infinity]
const NONE_SENT = { rows: 0, bytes: 0 } as const

function count(entry: Expected, rows: number, bytes: number): void {
  entry.rows += rows
  entry.bytes += bytes
  const cursor = cursorOf(entry)
  if (cursor === null) return
  cursor.rows += rows
  cursor.bytes += bytes
}
