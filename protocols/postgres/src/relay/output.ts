/**
 * What a machine wants written to one socket, as views in order; adjacent views of one buffer become one.
 *
 * Ownership: views point into the caller's read buffer or into a sink; they are valid until `clear()`.
 * The pump writes them, and must not reuse the read buffer before the socket has taken every byte.
 */
import type { ByteSink } from '../data-row.ts'

export class OutputQueue {
  readonly buffers: Buffer[] = []
  readonly starts: number[] = []
  readonly ends: number[] = []
  /** Bytes queued since the last `clear()`. */
  bytes = 0
  #kept: Buffer | null = null

  get empty(): boolean {
    return this.buffers.length === 0
  }

  /** Some of it looks at buffers of others. */
  get holdsViews(): boolean {
    return this.buffers.length > 1 || (this.buffers.length === 1 && this.#kept === null)
  }

  /** Queues bytes [start, end) of `buf`; merged with the previous view when they touch. */
  forward(buf: Buffer, start: number, end: number): void {
    if (end <= start) return
    const last = this.buffers.length - 1
    this.bytes += end - start
    if (last >= 0 && this.buffers[last] === buf && this.ends[last] === start) {
      this.ends[last] = end
      return
    }
    this.buffers.push(buf)
    this.starts.push(start)
    this.ends.push(end)
  }

  /** Queues a whole buffer the caller gives away. */
  give(buf: Buffer): void {
    this.forward(buf, 0, buf.length)
  }

  /** Replaces the views by one copy: the buffers they look at are free again. */
  keep(): void {
    const only = this.buffers.length === 1 ? this.buffers[0] : undefined
    if (this.buffers.length === 0 || (only !== undefined && only === this.#kept)) return
    const kept = Buffer.allocUnsafe(this.bytes)
    let at = 0
    for (let i = 0; i < this.buffers.length; i++) {
      // Safe: the three arrays have one length.
      at += (this.buffers[i] as Buffer).copy(kept, at, this.starts[i], this.ends[i])
    }
    this.clear()
    this.give(kept)
    this.#kept = kept
  }

  clear(): void {
    this.#kept = null
    this.buffers.length = 0
    this.starts.length = 0
    this.ends.length = 0
    this.bytes = 0
  }
}

/** A growable ByteSink; growth keeps what was written, so views taken earlier stay valid on the old buffer. */
export class GrowingSink implements ByteSink {
  buf: Buffer
  at = 0
  readonly #initialBytes: number

  constructor(initialBytes: number) {
    this.#initialBytes = initialBytes
    this.buf = Buffer.allocUnsafeSlow(initialBytes)
  }

  ensure(extra: number): void {
    const wanted = this.at + extra
    if (wanted <= this.buf.length) return
    let size = this.buf.length * 2
    while (size < wanted) size *= 2
    const grown = Buffer.allocUnsafeSlow(size)
    this.buf.copy(grown, 0, 0, this.at)
    this.buf = grown
  }

  /** Starts over. `inUse`: a socket still holds views of the buffer, so it is given up. */
  reset(inUse: boolean): void {
    if (inUse || this.buf.length > this.#initialBytes * 16) {
      this.buf = Buffer.allocUnsafeSlow(this.#initialBytes)
    }
    this.at = 0
  }
}
