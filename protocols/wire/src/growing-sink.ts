import type { ByteSink } from './cell-mask.ts'

const NOTHING = Buffer.alloc(0)

/**
 * A growable ByteSink; growth keeps what was written, so views taken earlier stay valid on the old buffer.
 * It has no buffer until something is written: most sessions never mask a row.
 */
export class GrowingSink implements ByteSink {
  buf: Buffer = NOTHING
  at = 0
  readonly #initialBytes: number
  /** The next buffer's; as much as was written lately, so that a slow reader does not make it grow each time. */
  #nextBytes: number

  constructor(initialBytes: number) {
    this.#initialBytes = initialBytes
    this.#nextBytes = initialBytes
  }

  ensure(extra: number): void {
    const wanted = this.at + extra
    if (wanted <= this.buf.length) return
    let size = Math.max(this.#nextBytes, this.buf.length * 2)
    while (size < wanted) size *= 2
    const grown = Buffer.allocUnsafeSlow(size)
    this.buf.copy(grown, 0, 0, this.at)
    this.buf = grown
  }

  /** Starts over. `inUse`: a socket still holds views of the buffer, so it is given up. */
  reset(inUse: boolean): void {
    const most = this.#initialBytes * 16
    if (inUse || this.buf.length > most) {
      this.#nextBytes = Math.min(Math.max(this.buf.length, this.#initialBytes), most)
      this.buf = NOTHING
    }
    this.at = 0
  }

  /** Keeps no buffer that is larger than the first, after `reset`: nothing is expected to come soon. */
  shrink(): void {
    if (this.buf.length > this.#initialBytes) this.buf = NOTHING
    this.#nextBytes = this.#initialBytes
  }
}
