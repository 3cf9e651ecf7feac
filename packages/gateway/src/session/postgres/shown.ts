/**
 * A PostgreSQL session's output into its recording: all of it, but
 *  - of each result no more rows than policy keeps, and none where they show values that are masked for
 *    somebody; rows that are left out are counted, and the client gets them all the same;
 *  - reports of the server without what they quote, and notifications not at all, where anybody is masked.
 *
 * Reads frame heads only. The relay forwards a head whole, so one never lies across two views.
 */
import type { SessionRecording } from '@sallyport/audit'
import type { RecordingPolicy } from '@sallyport/policy'
import { formatOf, HEADER_BYTES, type Portal } from '@sallyport/protocol-postgres'
import type { Output } from '../../sockets/leg.ts'
import type { Shown } from '../shown.ts'
import { redactReport } from './redaction.ts'

const DATA_ROW = 0x44
const COPY_DATA = 0x64
const ERROR_RESPONSE = 0x45
const NOTICE_RESPONSE = 0x4e
const NOTIFICATION_RESPONSE = 0x41
const FUNCTION_CALL_RESPONSE = 0x56

export interface ShownOptions extends RecordingPolicy {
  /** Somebody is under masks here: reports lose what they quote, notifications are left out. */
  readonly redacts: boolean
}

/** What happens behind the first `queued` bytes of the queue. */
type Mark = { readonly queued: number } & (
  | { readonly kind: 'answered'; readonly statement: number }
  | { readonly kind: 'begins'; readonly hides: boolean; readonly shape: number | null }
)

export class PostgresShown implements Shown {
  readonly #recording: SessionRecording
  readonly #options: ShownOptions
  readonly #rowsMax: number
  readonly #bytesMax: number
  readonly #marks: Mark[] = []
  /** Shapes said already: by the fields the server described, then by formats. */
  readonly #shapes = new WeakMap<object, Map<string, number>>()
  #shapeCount = 0
  /** Of the result being sent: its rows are not kept; how much of it was kept, and left out. */
  #hides = false
  #rows = 0
  #bytes = 0
  #omittedRows = 0
  #omittedBytes = 0
  /** Bytes of the frame at hand that are still to come, and whether they are kept. */
  #rest = 0
  #keeps = true

  constructor(recording: SessionRecording, options: ShownOptions) {
    this.#recording = recording
    this.#options = options
    this.#rowsMax = options.rows ?? Number.POSITIVE_INFINITY
    this.#bytesMax = options.bytes ?? Number.POSITIVE_INFINITY
  }

  /** A result begins behind the first `queued` bytes of the queue; `hides`: its rows are not to be kept. */
  begins(what: { queued: number; hides: boolean; portal: Portal | null }): void {
    const { queued, hides, portal } = what
    this.#marks.push({ queued, kind: 'begins', hides, shape: this.#shapeOf(portal) })
  }

  /** What the queue holds, up to its first `queued` bytes, ends the answer to `statement`. */
  answered(statement: number, queued: number): void {
    this.#marks.push({ queued, kind: 'answered', statement })
  }

  take(out: Output, skip: number): void {
    let from = 0
    for (let i = 0; i < out.buffers.length; i++) {
      // Safe: the three arrays have one length.
      const start = out.starts[i] as number
      const end = out.ends[i] as number
      const to = from + end - start
      if (to > skip) this.#view(out.buffers[i] as Buffer, start + Math.max(skip - from, 0), end, to)
      from = to
    }
    this.#passMarks(from)
  }

  last(message: Buffer): void {
    this.#recording.output(message, 0, message.length)
  }

  ended(reason: string): void {
    this.#recording.end(reason)
  }

  /** `queued`: bytes of the queue up to `end`. */
  #view(buf: Buffer, start: number, end: number, queued: number): void {
    /** Bytes [run, at) are kept and not yet in the recording; -1: there are none. */
    let run = this.#rest > 0 && this.#keeps ? start : -1
    const put = (to: number): void => {
      if (run >= 0 && to > run) this.#recording.output(buf, run, to)
      run = -1
    }
    let at = start
    /** Where in `buf` the next mark stands. */
    let mark = end - queued + this.#nextMark()
    while (at < end) {
      if (this.#rest === 0) {
        if (mark <= at) {
          put(at)
          this.#passMarks(queued - (end - at))
          mark = end - queued + this.#nextMark()
        }
        if (this.#omittedRows > 0) at = this.#skipRows(buf, at, Math.min(mark, end))
        if (at >= end) break
        if (mark <= at) continue
        const type = buf[at] as number
        this.#rest = 1 + buf.readUInt32BE(at + 1)
        this.#keeps = isRow(type) ? this.#keepsRow(this.#rest) : this.#endsRows()
        if (this.#options.redacts && this.#keeps) {
          this.#keeps = this.#keepsWord(type, buf, at, () => put(at))
        }
        if (!this.#keeps) put(at)
        else if (run < 0) run = at
      }
      const step = Math.min(this.#rest, end - at)
      this.#rest -= step
      at += step
    }
    put(end)
  }

  #nextMark(): number {
    return this.#marks[0]?.queued ?? Number.POSITIVE_INFINITY
  }

  /** Past whole rows of a result of which no more is kept: most of the bytes of a large one. */
  #skipRows(buf: Buffer, from: number, to: number): number {
    let at = from
    while (to - at >= HEADER_BYTES) {
      const type = buf[at] as number
      if (type !== DATA_ROW && type !== COPY_DATA) break
      const length =
        1 +
        (((buf[at + 1] as number) << 24) |
          ((buf[at + 2] as number) << 16) |
          ((buf[at + 3] as number) << 8) |
          (buf[at + 4] as number))
      if (length > to - at) break
      this.#omittedRows++
      this.#omittedBytes += length
      at += length
    }
    return at
  }

  #keepsRow(length: number): boolean {
    const fits =
      !this.#hides && this.#rows < this.#rowsMax && this.#bytes + length <= this.#bytesMax
    if (fits && this.#omittedRows === 0) {
      this.#rows++
      this.#bytes += length
      return true
    }
    this.#omittedRows++
    this.#omittedBytes += length
    return false
  }

  /** A frame that is no row: with it, rows that were left out are told. */
  #endsRows(): true {
    if (this.#omittedRows > 0) {
      this.#recording.omitted({ rows: this.#omittedRows, bytes: this.#omittedBytes })
    }
    this.#rows = 0
    this.#bytes = 0
    this.#omittedRows = 0
    this.#omittedBytes = 0
    return true
  }

  /** Whether a frame is kept as it is where somebody is under masks; `before`: what precedes it goes first. */
  #keepsWord(type: number, buf: Buffer, at: number, before: () => void): boolean {
    switch (type) {
      case ERROR_RESPONSE:
      case NOTICE_RESPONSE: {
        // The relay passes reports on whole.
        const redacted = redactReport(buf, at, at + this.#rest, null)
        if (redacted === null) return true
        before()
        this.#recording.output(redacted, 0, redacted.length)
        return false
      }
      case NOTIFICATION_RESPONSE:
      case FUNCTION_CALL_RESPONSE:
        before()
        this.#recording.omitted({ rows: 0, bytes: this.#rest })
        return false
      default:
        return true
    }
  }

  #passMarks(queued: number): void {
    for (let mark = this.#marks[0]; mark !== undefined; mark = this.#marks[0]) {
      if (mark.queued > queued) return
      this.#marks.shift()
      if (mark.kind === 'answered') this.#recording.answered(mark.statement)
      else {
        this.#hides = mark.hides
        if (mark.shape !== null) this.#recording.result(mark.shape)
      }
    }
  }

  /** The number of a portal's shape, said to the recording the first time; null when nothing is known of it. */
  #shapeOf(portal: Portal | null): number | null {
    const fields = portal?.fields ?? portal?.statement?.fields
    if (portal === null || fields === undefined || fields === null) return null
    const formats = portal.formats.join()
    let known = this.#shapes.get(fields)
    if (known === undefined) {
      known = new Map()
      this.#shapes.set(fields, known)
    }
    let id = known.get(formats)
    if (id === undefined) {
      id = ++this.#shapeCount
      known.set(formats, id)
      const isBound = portal.statement !== null
      const columns = fields.map(
        ({ name, typeOid, format }, i) =>
          ({
            name,
            type: typeOid,
            format: isBound ? formatOf(portal.formats, i) : format === 1 ? 'binary' : 'text',
          }) as const,
      )
      this.#recording.shape({ id, columns })
    }
    return id
  }
}

function isRow(type: number): boolean {
  return type === DATA_ROW || type === COPY_DATA
}
