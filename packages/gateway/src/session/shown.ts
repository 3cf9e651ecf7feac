/**
 * What a recorded session shows its client, on the way into its recording. Each protocol has its own, since
 * only it knows where a row begins (`postgres/shown.ts`, `mysql/shown.ts`); what they have in common is here.
 */
import type { SessionRecording } from '@sallyport/audit'
import type { RecordingPolicy } from '@sallyport/policy'
import type { Output } from '../sockets/writer.ts'

export interface Shown {
  /** Some of what it took is not in the recording yet. */
  readonly pending: boolean
  /** True: what is long had better wait; `goOn` is called when it need not. */
  mustWait(goOn: () => void): boolean
  /** The bytes of `out` behind its first `skip` are about to be sent. Throws AuditError `unavailable`. */
  take(out: Output, skip: number): void
  /** The whole of `message` is about to be sent, the last before the end. Throws likewise. */
  last(message: Buffer): void
  ended(reason: string): void
}

export interface ShownOptions extends RecordingPolicy {
  /** Somebody is under masks here: the server's words lose what they quote. */
  readonly redacts: boolean
}

/** Calls with each view of `out` that goes beyond its first `skip` bytes; `queued`: bytes up to its end. */
export function eachView(
  out: Output,
  skip: number,
  take: (buf: Buffer, start: number, end: number, queued: number) => void,
): void {
  let from = 0
  for (let i = 0; i < out.buffers.length; i++) {
    // Safe: the three arrays have one length.
    const start = out.starts[i] as number
    const end = out.ends[i] as number
    const to = from + end - start
    if (to > skip) take(out.buffers[i] as Buffer, start + Math.max(skip - from, 0), end, to)
    from = to
  }
}

/** What happens behind the first `queued` bytes of the queue. */
type Mark = { readonly queued: number } & (
  | { readonly kind: 'answered'; readonly statement: number }
  | ({ readonly kind: 'begins' } & Beginning)
)

/** A result, or more of one that is read piece by piece. */
interface Beginning {
  /** Its rows are not to be kept. */
  readonly hides: boolean
  readonly shape: number | null
  /** Rows of it, and their bytes, that the client got before. */
  readonly earlier: Sent
}

/** How much of a result was sent. */
export interface Sent {
  readonly rows: number
  readonly bytes: number
}

export const NONE_SENT: Sent = { rows: 0, bytes: 0 }

/** Where results begin and what is answered, and how much of each result policy keeps. */
export class ShownResults {
  readonly #recording: SessionRecording
  readonly #rowsMax: number
  readonly #bytesMax: number
  readonly #marks: Mark[] = []
  /** Of the result being sent: its rows are not kept; how much was sent before, was kept, and left out. */
  #hides = false
  #earlier = NONE_SENT
  #rows = 0
  #bytes = 0
  #omittedRows = 0
  #omittedBytes = 0

  constructor(recording: SessionRecording, { rows, bytes }: RecordingPolicy) {
    this.#recording = recording
    this.#rowsMax = rows ?? Number.POSITIVE_INFINITY
    this.#bytesMax = bytes ?? Number.POSITIVE_INFINITY
  }

  /** A result begins behind the first `queued` bytes of the queue. */
  begins(what: Beginning & { queued: number }): void {
    this.#marks.push({ kind: 'begins', ...what })
  }

  /** What the queue holds, up to its first `queued` bytes, ends the answer to `statement`. */
  answered(statement: number, queued: number): void {
    this.#marks.push({ kind: 'answered', statement, queued })
  }

  /** Bytes of the queue in front of the next mark. */
  get nextMark(): number {
    return this.#marks[0]?.queued ?? Number.POSITIVE_INFINITY
  }

  /** What stands within the first `queued` bytes has happened. True: a result began. */
  passMarks(queued: number): boolean {
    let began = false
    for (let mark = this.#marks[0]; mark !== undefined; mark = this.#marks[0]) {
      if (mark.queued > queued) break
      this.#marks.shift()
      if (mark.kind === 'answered') this.#recording.answered(mark.statement)
      else {
        began = true
        this.#hides = mark.hides
        this.#earlier = mark.earlier
        if (mark.shape !== null) this.#recording.result(mark.shape)
      }
    }
    return began
  }

  /** Rows of the present result were left out: with one, so are those behind it. */
  get omits(): boolean {
    return this.#omittedRows > 0
  }

  /** Whether a row of `length` bytes is kept. */
  keepsRow(length: number): boolean {
    const { rows, bytes } = this.#earlier
    const fits =
      !this.#hides &&
      rows + this.#rows < this.#rowsMax &&
      bytes + this.#bytes + length <= this.#bytesMax
    if (fits && this.#omittedRows === 0) {
      this.#rows++
      this.#bytes += length
      return true
    }
    this.omit(1, length)
    return false
  }

  omit(rows: number, bytes: number): void {
    this.#omittedRows += rows
    this.#omittedBytes += bytes
  }

  /** What comes is no row: with it, rows that were left out are told. */
  endRows(): void {
    if (this.#omittedRows > 0) {
      this.#recording.omitted({ rows: this.#omittedRows, bytes: this.#omittedBytes })
    }
    this.#rows = 0
    this.#bytes = 0
    this.#omittedRows = 0
    this.#omittedBytes = 0
  }
}
