/** A clock held against the machine's own: what a clock that jumps makes old must not be destroyed, it cannot be brought back. */

/** A clock that has gone on this much more or less than the machine has run is not believed, ms. */
const CLOCK_JUMP_MS = 3_600_000

export class SteadyClock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly #monotonic: () => number
  /** The clocks at the start. */
  readonly #began: { readonly now: number; readonly monotonic: number }

  constructor(clocks: { readonly now: () => number; readonly monotonic: () => number }) {
    this.now = clocks.now
    this.#monotonic = clocks.monotonic
    this.#began = { now: clocks.now(), monotonic: clocks.monotonic() }
  }

  /** By how much the clock has jumped since the start, where that is too much to believe it; else null. */
  get jumped(): number | null {
    const jumped = this.now() - this.#began.now - (this.#monotonic() - this.#began.monotonic)
    return Math.abs(jumped) > CLOCK_JUMP_MS ? jumped : null
  }
}
