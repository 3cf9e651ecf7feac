/**
 * RowDescriptions as decoded, remembered by their bytes: a statement run again is described again in the same
 * words. Equal bytes give the same array, so that what was made for one (its masks) is found by identity.
 * Sessions of one process share them, and each looks first at those it met last.
 */

import { ownCopy } from '@sallyport/protocol-wire'
import { decodeRowDescription, type FieldDescription } from '../backend.ts'

/** Descriptions a session remembers, latest first. */
const DESCRIPTIONS_MAX = 4
/** Descriptions all sessions remember; beyond it they begin anew. */
const SHARED_DESCRIPTIONS_MAX = 1024
/** Longer ones are decoded each time, bytes. */
const REMEMBERED_BYTES_MAX = 4096

interface Known {
  readonly bytes: Buffer
  readonly fields: readonly FieldDescription[]
}

/** By their bytes, one character a byte. */
const SHARED = new Map<string, Known>()

export class Descriptions {
  readonly #known: Known[] = []

  /** Fields of a RowDescription body [start, end). Throws ProtocolError when it is malformed. */
  decode(buf: Buffer, start: number, end: number): readonly FieldDescription[] {
    const length = end - start
    for (const { bytes, fields } of this.#known) {
      if (bytes.length === length && bytes.compare(buf, start, end) === 0) return fields
    }
    if (length > REMEMBERED_BYTES_MAX) return decodeRowDescription(buf, start, end)
    const known = shared(buf, start, end)
    if (this.#known.length >= DESCRIPTIONS_MAX) this.#known.pop()
    this.#known.unshift(known)
    return known.fields
  }
}

function shared(buf: Buffer, start: number, end: number): Known {
  const key = buf.toString('latin1', start, end)
  const known = SHARED.get(key)
  if (known !== undefined) return known
  const fields = decodeRowDescription(buf, start, end)
  if (SHARED.size >= SHARED_DESCRIPTIONS_MAX) SHARED.clear()
  const made = { bytes: ownCopy(buf.subarray(start, end)), fields }
  SHARED.set(key, made)
  return made
}
