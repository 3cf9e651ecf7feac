/**
 * What a machine wants written to one socket, as views in order; adjacent views of one buffer become one.
 *
 * Ownership: views point into the caller's read buffer or into a sink; they are valid until `clear()`.
 * The pump writes them, and must not reuse the read buffer before the socket has taken every byte.
 */
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
      at = copy(
        this.buffers[i] as Buffer,
        this.starts[i] as number,
        this.ends[i] as number,
        kept,
        at,
      )
    }
    this.clear()
    this.give(kept)
    this.#kept = kept
  }

  clear(): void {
    this.#kept = null
    // Not `length = 0`, which gives the arrays' memory back: they are filled again at once.
    for (let i = this.buffers.length; i > 0; i--) {
      this.buffers.pop()
      this.starts.pop()
      this.ends.pop()
    }
    this.bytes = 0
  }
}

/** Up to this, a loop beats the call into native code. */
const LOOP_BYTES_MAX = 128

/** Copies [start, end) of `from`; where it ends in `to`. */
function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > LOOP_BYTES_MAX) from.copy(to, at, start, end)
  // Safe: within both.
  else for (let i = start; i < end; i++) to[at + i - start] = from[i] as number
  return at + end - start
}
