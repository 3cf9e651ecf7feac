/** What writes the masked form of one value; the masks themselves are made elsewhere. */
import type { ByteSink } from './bytes.ts'

/**
 * Writes the masked form of the value `src[start, end)` to `out` at `out.at` (after `out.ensure`), advances
 * `out.at`, and returns the bytes written, or -1 for NULL (nothing written). The value has no length in front
 * of it, and nor has what is written: text in a text row, what `values.ts` draws in a binary row. A value of
 * fixed width must stay that wide. NULL values are passed (as an empty range) only where `masksNull`.
 * `src` is only to be read, and not to be kept.
 */
export interface CellMask {
  (src: Buffer, start: number, end: number, out: ByteSink): number
  /** What it writes is the same for every value and for NULL: that there is none must not show. */
  readonly masksNull?: boolean
}
