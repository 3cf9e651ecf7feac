/**
 * A PostgreSQL session's output into its recording, and data the client sends: all of it, but
 *  - of each result no more rows than policy keeps, and none where they show values that are masked for
 *    somebody; rows that are left out are counted, and the client gets them all the same;
 *  - reports of the server without what they quote, and notifications not at all, where anybody is masked.
 *
 * Reads frame heads only. The relay forwards a head whole, so one never lies across two views.
 */
import type { SessionRecording } from '@sallyport/audit'
import { formatOf, HEADER_BYTES, type Portal } from '@sallyport/protocol-postgres'
import type { Output } from '../../sockets/writer.ts'
import { SentData } from '../sent.ts'
import { eachView, NONE_SENT, type Shown, type ShownOptions, ShownResults } from '../shown.ts'
import { sameFormats } from './masking.ts'
import { redactReport } from './redaction.ts'

const DATA_ROW = 0x44
const COPY_DATA = 0x64
const ERROR_RESPONSE = 0x45
const NOTICE_RESPONSE = 0x4e
const NOTIFICATION_RESPONSE = 0x41
const FUNCTION_CALL_RESPONSE = 0x56

export class PostgresShown implements Shown {
  readonly #recording: SessionRecording
  readonly #redacts: boolean
  readonly #results: ShownResults
  /** What the client sends as data. */
  readonly sent: SentData
  /** Shapes said already: by the fields the server described, then by formats; and the newest. */
  readonly #shapes = new WeakMap<object, Map<string, number>>()
  #shape: { fields: object; formats: readonly number[]; id: number } | null = null
  #shapeCount = 0
  /** Bytes of the frame at hand that are still to come, and whether they are kept. */
  #rest = 0
  #keeps = true

  constructor(recording: SessionRecording, options: ShownOptions) {
    this.#recording = recording
    this.#redacts = options.redacts
    this.#results = new ShownResults(recording, options)
    this.sent = new SentData(recording, options)
  }

  /** A result begins behind the first `queued` bytes of the queue; `hides`: its rows are not to be kept. */
  begins(what: { queued: number; hides: boolean; portal: Portal | null }): void {
    const { queued, hides, portal } = what
    // Not the portal itself: by the time it is looked at, more of it has been sent.
    const earlier = portal === null ? NONE_SENT : { rows: portal.rows, bytes: portal.bytes }
    this.#results.begins({ queued, hides, shape: this.#shapeOf(portal), earlier })
  }

  /** What the queue holds, up to its first `queued` bytes, ends the answer to `statement`. */
  answered(statement: number, queued: number): void {
    this.sent.ends()
    this.#results.answered(statement, queued)
  }

  get pending(): boolean {
    return this.#recording.pending
  }

  mustWait(goOn: () => void): boolean {
    return this.#recording.mustWait(goOn)
  }

  take(out: Output, skip: number): void {
    eachView(out, skip, (buf, start, end, queued) => this.#view(buf, start, end, queued))
    this.#results.passMarks(out.bytes)
  }

  last(message: Buffer): void {
    this.#recording.output(message, 0, message.length)
  }

  ended(reason: string): void {
    this.#recording.end(reason)
  }

  /** `queued`: bytes of the queue up to `end`. */
  #view(buf: Buffer, start: number, end: number, queued: number): void {
    const results = this.#results
    /** Bytes [run, at) are kept and not yet in the recording; -1: there are none. */
    let run = this.#rest > 0 && this.#keeps ? start : -1
    const put = (to: number): void => {
      if (run >= 0 && to > run) this.#recording.output(buf, run, to)
      run = -1
    }
    let at = start
    /** Where in `buf` the next mark stands. */
    let mark = end - queued + results.nextMark
    while (at < end) {
      if (this.#rest === 0) {
        if (mark <= at) {
          put(at)
          results.passMarks(queued - (end - at))
          mark = end - queued + results.nextMark
        }
        if (results.omits) at = this.#skipRows(buf, at, Math.min(mark, end))
        if (at >= end) break
        if (mark <= at) continue
        const type = buf[at] as number
        this.#rest = frameLength(buf, at)
        this.#keeps = isRow(type) ? results.keepsRow(this.#rest) : true
        if (!isRow(type)) results.endRows()
        if (this.#redacts && this.#keeps) {
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

  /** Past whole rows of a result of which no more is kept: most of the bytes of a large one. */
  #skipRows(buf: Buffer, from: number, to: number): number {
    let at = from
    let rows = 0
    while (to - at >= HEADER_BYTES) {
      const type = buf[at] as number
      if (type !== DATA_ROW && type !== COPY_DATA) break
      const length = frameLength(buf, at)
      if (length > to - at) break
      rows++
      at += length
    }
    this.#results.omit(rows, at - from)
    return at
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

  /** The number of a portal's shape, said to the recording the first time; null when nothing is known of it. */
  #shapeOf(portal: Portal | null): number | null {
    const fields = portal?.fields ?? portal?.statement?.fields
    if (portal === null || fields === undefined || fields === null) return null
    const newest = this.#shape
    if (newest?.fields === fields && sameFormats(newest.formats, portal.formats)) return newest.id
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
    this.#shape = { fields, formats: portal.formats, id }
    return id
  }
}

/** Of the frame whose head is at `at`: the relay passes heads on whole, with lengths that it has checked. */
function frameLength(buf: Buffer, at: number): number {
  return (
    1 +
    (((buf[at + 1] as number) << 24) |
      ((buf[at + 2] as number) << 16) |
      ((buf[at + 3] as number) << 8) |
      (buf[at + 4] as number))
  )
}

function isRow(type: number): boolean {
  return type === DATA_ROW || type === COPY_DATA
}
