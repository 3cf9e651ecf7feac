/**
 * A MySQL session's output into its recording, and data the client sends: all of it, but
 *  - of each result no more rows than policy keeps, and none where they show values that are masked for
 *    somebody; rows that are left out are counted, and the client gets them all the same;
 *  - errors of the server without what they quote, where anybody is masked.
 *
 * Reads packet heads only. Which packets are rows no packet says: they are those behind the place where the
 * relay announced a result, up to the one that ends it. Heads, and packets that are no rows, lie in one view.
 */
import type { SessionRecording } from '@sallyport/audit'
import {
  type ColumnDefinition,
  encodePacket,
  HEADER,
  HEADER_BYTES,
  limits,
  packetLength,
  sequenceId,
} from '@sallyport/protocol-mysql'
import type { Output } from '../../sockets/writer.ts'
import { SentData } from '../sent.ts'
import { eachView, type Sent, type Shown, type ShownOptions, ShownResults } from '../shown.ts'
import { redactError } from './redaction.ts'

const { PACKET_PAYLOAD_BYTES_MAX } = limits

export class MysqlShown implements Shown {
  readonly #recording: SessionRecording
  readonly #redacts: boolean
  readonly #results: ShownResults
  /** What the client sends as data. */
  readonly sent: SentData
  /** Shapes said already: columns come as the same array where they are described alike. */
  readonly #shapes = { text: new WeakMap<object, number>(), binary: new WeakMap<object, number>() }
  #shapeCount = 0
  /** The next packet is a row, or ends the rows. */
  #amongRows = false
  /** Bytes of the packet at hand that are still to come, whether they are kept, and whether another continues it. */
  #rest = 0
  #keeps = true
  #continues = false

  constructor(recording: SessionRecording, options: ShownOptions) {
    this.#recording = recording
    this.#redacts = options.redacts
    this.#results = new ShownResults(recording, options)
    this.sent = new SentData(recording, options)
  }

  /** Rows begin behind the first `queued` bytes of the queue; `hides`: they are not to be kept. */
  begins(what: {
    queued: number
    hides: boolean
    columns: readonly ColumnDefinition[]
    format: 'text' | 'binary'
    earlier: Sent
  }): void {
    const { queued, hides, columns, format, earlier } = what
    this.#results.begins({ queued, hides, shape: this.#shapeOf(columns, format), earlier })
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
    if (this.#results.passMarks(out.bytes)) this.#amongRows = true
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
          if (results.passMarks(queued - (end - at))) this.#amongRows = true
          mark = end - queued + results.nextMark
        }
        this.#keeps = this.#keepsPacket(buf, at, end, () => put(at))
        if (!this.#keeps) put(at)
        else if (run < 0) run = at
      }
      const step = Math.min(this.#rest, end - at)
      this.#rest -= step
      at += step
    }
    put(end)
  }

  /** Whether the packet at `at` is kept as it is; `before`: what precedes it goes first. */
  #keepsPacket(buf: Buffer, at: number, end: number, before: () => void): boolean {
    const length = packetLength(buf, at)
    const bytes = HEADER_BYTES + length
    const isContinuation = this.#continues
    this.#rest = bytes
    this.#continues = length === PACKET_PAYLOAD_BYTES_MAX
    if (isContinuation) {
      if (!this.#keeps) this.#results.omit(0, bytes)
      return this.#keeps
    }
    const first = at + HEADER_BYTES < end ? buf[at + HEADER_BYTES] : undefined
    if (this.#amongRows) {
      if (!endsRows(first, length)) return this.#results.keepsRow(bytes)
      this.#amongRows = false
      this.#results.endRows()
    }
    if (!this.#redacts || first !== HEADER.ERR) return true
    before()
    const redacted = redactError(buf, at + HEADER_BYTES, at + bytes)
    const packet = encodePacket(sequenceId(buf, at), redacted)
    this.#recording.output(packet, 0, packet.length)
    return false
  }

  /** The number of a result's shape, said to the recording the first time. */
  #shapeOf(columns: readonly ColumnDefinition[], format: 'text' | 'binary'): number {
    const shapes = this.#shapes[format]
    const known = shapes.get(columns)
    if (known !== undefined) return known
    const id = ++this.#shapeCount
    shapes.set(columns, id)
    this.#recording.shape({
      id,
      columns: columns.map(({ name, type, collation, flags, decimals }) => {
        return { name, type, format, collation, flags, decimals }
      }),
    })
    return id
  }
}

/** `first`: of the payload; undefined: it is not there yet, which only rows are passed without. */
function endsRows(first: number | undefined, length: number): boolean {
  if (first === HEADER.ERR) return true
  return first === HEADER.EOF && length < PACKET_PAYLOAD_BYTES_MAX
}
