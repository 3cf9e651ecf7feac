/**
 * The bytes a leg has read and not consumed yet, and where its next read goes.
 *
 *     store  |........|==== unconsumed ====|.... room for the next read ....|
 *                     from                 to = target
 *
 * A frame that is not whole stays where it is and the next read lands right behind it, so nothing is
 * concatenated; a frame longer than the store gets a store of its own size. A read that fills the store makes
 * the next one larger, and many that would have fitted a smaller one make it smaller. Views of it are given away: whoever asks for the next
 * target says whether any are still out, and then the store is left to them. Whoever sees them all come
 * back says so, and the store last left is taken again: a slow reader costs two stores, not one a read.
 */

/**
 * Bytes of a store: the first fits requests and short replies and is what an idle connection costs; the last is
 * for results.
 */
const SIZES = [512, 4 * 1024, 64 * 1024] as const
const LARGEST = SIZES.length - 1
/** A read must have at least this much room, bytes. */
const ROOM_BYTES_MIN = 256
/** Reads in a row that a smaller store would have held before it is taken again. */
const CALM_READS = 64
const NOTHING = Buffer.alloc(0)

export class InputBuffer {
  store: Buffer = NOTHING
  from = 0
  to = 0
  /** Set while `store` is ours to write into; a socket's chunk is not. */
  #own = false
  #target: Buffer = NOTHING
  #targetAt = 0
  #calm = 0
  /** Of SIZES. */
  #size = 0
  /** Left to views of it. */
  #lent: Buffer | null = null
  /** Was lent; nobody looks at it. */
  #free: Buffer | null = null

  /** A store was left to its views; ask for `viewsReturned`. */
  get hasLent(): boolean {
    return this.#lent !== null
  }

  get length(): number {
    return this.to - this.from
  }

  /** A chunk that is the caller's own buffer, never reused by it. `wanted`: length of the frame begun. */
  chunk(chunk: Buffer, wanted: number): void {
    const left = this.length
    if (left === 0) {
      this.store = chunk
      this.#own = false
      this.from = 0
      this.to = chunk.length
      return
    }
    if (!this.#own || this.store.length - this.to < chunk.length) {
      this.#moveTo(Buffer.allocUnsafeSlow(Math.max(left + chunk.length, wanted)))
    }
    chunk.copy(this.store, this.to)
    this.to += chunk.length
  }

  /** Where the next direct read goes. */
  target(viewsHeld: boolean, wanted: number): Buffer {
    const left = this.length
    const size = Math.max(SIZES[this.#size] ?? 0, wanted, left + ROOM_BYTES_MIN)
    const fits = this.#own && this.store.length >= size && this.store.length <= size * 4
    if (!viewsHeld) {
      // The reader keeps up: one store is enough.
      this.#lent = null
      this.#free = null
    }
    if (viewsHeld || !fits) {
      if (viewsHeld && this.#own) this.#lent = this.store
      this.#moveTo(this.#spare(size))
    } else if (this.from > 0) {
      this.store.copyWithin(0, this.from, this.to)
      this.from = 0
      this.to = left
    }
    if (this.#targetAt !== this.to || this.#target.buffer !== this.store.buffer) {
      this.#targetAt = this.to
      this.#target = this.to === 0 ? this.store : this.store.subarray(this.to)
    }
    return this.#target
  }

  /** A direct read has put `bytes` at the target. */
  arrived(bytes: number): void {
    if (this.from === this.to) {
      this.from = this.#targetAt
      this.to = this.#targetAt
    }
    this.to += bytes
    if (bytes === this.#target.length) {
      this.#size = Math.min(this.#size + 1, LARGEST)
      this.#calm = 0
    } else if (bytes > (SIZES[this.#size - 1] ?? 0)) {
      this.#calm = 0
    } else if (++this.#calm >= CALM_READS) {
      this.#size--
      this.#calm = 0
    }
  }

  /** Consumed up to `at`. */
  consumed(at: number): void {
    this.from = at
    if (this.from === this.to && !this.#own) {
      this.store = NOTHING
      this.from = 0
      this.to = 0
    }
  }

  /** No view of any store but the present one is held any more. */
  viewsReturned(): void {
    if (this.#lent === null) return
    this.#free = this.#lent
    this.#lent = null
  }

  /** A store of `size` bytes that nobody looks at. */
  #spare(size: number): Buffer {
    const free = this.#free
    this.#free = null
    return free !== null && free.length === size ? free : Buffer.allocUnsafeSlow(size)
  }

  #moveTo(store: Buffer): void {
    const left = this.length
    this.store.copy(store, 0, this.from, this.to)
    this.store = store
    this.#own = true
    this.from = 0
    this.to = left
  }
}
