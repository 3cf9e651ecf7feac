/**
 * RowDescriptions as decoded, the latest few of a session remembered by their bytes: a statement run again
 * is described again in the same words. Equal bytes give the same array, so that what was made for one (its
 * masks) is found by identity.
 */
import { decodeRowDescription, type FieldDescription } from '../backend.ts'

/** Descriptions remembered per session, latest first. */
const DESCRIPTIONS_MAX = 4
/** Longer ones are decoded each time, bytes. */
const REMEMBERED_BYTES_MAX = 4096

interface Known {
  readonly bytes: Buffer
  readonly fields: readonly FieldDescription[]
}

export class Descriptions {
  readonly #known: Known[] = []

  /** Fields of a RowDescription body [start, end). Throws ProtocolError when it is malformed. */
  decode(buf: Buffer, start: number, end: number): readonly FieldDescription[] {
    const length = end - start
    for (const { bytes, fields } of this.#known) {
      if (bytes.length === length && bytes.compare(buf, start, end) === 0) return fields
    }
    const fields = decodeRowDescription(buf, start, end)
    if (length <= REMEMBERED_BYTES_MAX) {
      if (this.#known.length >= DESCRIPTIONS_MAX) this.#known.pop()
      this.#known.unshift({ bytes: Buffer.from(buf.subarray(start, end)), fields })
    }
    return fields
  }
}
