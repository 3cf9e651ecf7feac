/** The one contract between what makes masks and what writes rows; neither knows the other. */

/**
 * A growing output buffer. `ensure(extra)` makes room for `extra` bytes at `at`, possibly replacing `buf`: read
 * `buf` again after calling it.
 */
export interface ByteSink {
  buf: Buffer
  at: number
  ensure(extra: number): void
}

/**
 * Writes the masked form of the value `src[start, end)` to `out` at `out.at` (after `out.ensure`), advances
 * `out.at`, and returns the bytes written, or -1 for NULL (nothing written). The value has no length in front of
 * it, is in its column's text or binary representation, and what is written must be in the same; a value of fixed
 * width stays that wide. `src` is only to be read, and not to be kept. Masks of ours never throw, whatever the bytes.
 */
export interface CellMask {
  (src: Buffer, start: number, end: number, out: ByteSink): number
  /**
   * Called for NULL too, with an empty range: what it writes is the same for every value and for NULL, so that it
   * does not show that there is none. Without it NULL stays NULL.
   */
  readonly masksNull?: boolean
}
