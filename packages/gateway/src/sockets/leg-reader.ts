/** Chunks of a leg one at a time, for a login between two sessions; as ChunkReader is for a socket. */
import type { Leg, LegOwner } from './leg.ts'

const NOTHING = Buffer.alloc(0)

export class LegReader {
  readonly #leg: Leg
  #wanted: ((chunk: Buffer | null) => void) | null = null

  /** Owns the leg until somebody else is handed it. */
  constructor(leg: Leg) {
    this.#leg = leg
    leg.handTo(this.#owner(), NOTHING)
  }

  /** The next chunk, copied; null when the peer has closed or the socket failed. One at a time. */
  next(): Promise<Buffer | null> {
    if (this.#leg.closed) return Promise.resolve(null)
    return new Promise((resolve) => {
      this.#wanted = resolve
      this.#leg.resume()
    })
  }

  #owner(): LegOwner {
    return {
      take: (buf, start, end) => {
        if (this.#wanted === null || start === end) return start
        this.#give(Buffer.from(buf.subarray(start, end)))
        return end
      },
      wanted: () => 0,
      heldBack: () => this.#wanted === null,
      viewsHeld: () => false,
      drained: () => undefined,
      closed: () => this.#give(null),
    }
  }

  #give(chunk: Buffer | null): void {
    const wanted = this.#wanted
    this.#wanted = null
    wanted?.(chunk)
  }
}
