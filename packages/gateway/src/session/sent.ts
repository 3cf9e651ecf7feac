/**
 * Data that a client sends (COPY FROM STDIN, LOAD DATA LOCAL) on its way into the session's recording: as many
 * lines and bytes of it as policy keeps, what goes into protected columns masked; the rest is counted.
 */
import type { SessionRecording } from '@sallyport/audit'
import type { RecordingPolicy } from '@sallyport/policy'

const LF = 0x0a

/** Gives data on as it may be kept; throws where it cannot tell. */
export type SentMask = (
  buf: Buffer,
  start: number,
  end: number,
  put: (buf: Buffer, start: number, end: number) => void,
) => void

/** How one stream of data is kept; null: it is only counted. */
export type SentPlan = {
  readonly mask: SentMask | null
  /** It has no lines: each piece counts as one row. */
  readonly binary: boolean
} | null

export class SentData {
  readonly #recording: SessionRecording
  readonly #policy: RecordingPolicy
  #plan: SentPlan = null
  /** Of the present stream: kept, and left out. */
  #rows = 0
  #bytes = 0
  #omittedRows = 0
  #omittedBytes = 0

  constructor(recording: SessionRecording, policy: RecordingPolicy) {
    this.#recording = recording
    this.#policy = policy
  }

  begins(plan: SentPlan): void {
    this.ends()
    this.#plan = plan
  }

  take(buf: Buffer, start: number, end: number): void {
    if (this.#plan === null || this.#omittedBytes > 0) return this.#omit(buf, start, end)
    if (this.#plan.mask === null) return this.#keep(buf, start, end)
    try {
      this.#plan.mask(buf, start, end, (masked, from, to) => this.#keep(masked, from, to))
    } catch {
      // Where its fields begin and end is not certain: no more of it is kept.
      this.#plan = null
      this.#omit(buf, start, end)
    }
  }

  /** What was left out is told; nothing is being sent any more. */
  ends(): void {
    if (this.#omittedBytes > 0) {
      this.#recording.omitted({ rows: this.#omittedRows, bytes: this.#omittedBytes })
    }
    this.#plan = null
    this.#rows = 0
    this.#bytes = 0
    this.#omittedRows = 0
    this.#omittedBytes = 0
  }

  #keep(buf: Buffer, start: number, end: number): void {
    const { rows, bytes } = this.#policy
    const rowsLeft = (rows ?? Number.POSITIVE_INFINITY) - this.#rows
    const bytesLeft = (bytes ?? Number.POSITIVE_INFINITY) - this.#bytes
    let to = start
    let lines = 0
    while (to < end && lines < rowsLeft) {
      const next = this.#plan?.binary === true ? end : lineEnd(buf, to, end)
      if (next - start > bytesLeft) break
      if (this.#plan?.binary === true || buf[next - 1] === LF) lines++
      to = next
    }
    if (to > start) this.#recording.input(buf, start, to)
    this.#rows += lines
    this.#bytes += to - start
    if (to < end) this.#omit(buf, to, end)
  }

  #omit(buf: Buffer, start: number, end: number): void {
    this.#omittedBytes += end - start
    for (let at = start; at < end; ) {
      at = lineEnd(buf, at, end)
      if (buf[at - 1] === LF) this.#omittedRows++
    }
  }
}

/** Behind the line that `at` is in, or where the bytes end. */
function lineEnd(buf: Buffer, at: number, end: number): number {
  const found = buf.indexOf(LF, at)
  return found < 0 || found >= end ? end : found + 1
}
