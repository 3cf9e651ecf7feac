/**
 * Writes canonical JSON straight into a preallocated buffer, for the two events of every statement: no
 * intermediate strings, no objects. What it writes is byte for byte what canonical.ts gives.
 *
 * Anything over a cap sets `overflow` and writes nothing more of use: the caller starts again on the slow
 * path (shorten.ts), which knows how to cut.
 */

import { AuditError } from './errors.ts'

/** Above this, JSON.stringify and one native copy beat the loop. */
const LOOP_CHARS_MAX = 400
/** Above this, a native copy beats the loop. */
const LOOP_BYTES_MAX = 32
const INT32_MAX = 0x7fffffff
/** A UTF-16 code unit becomes at most `\u0000`. */
const UNIT_BYTES_MAX = 6
/** Digits of the largest safe integer, plus room for a comma. */
const INTEGER_BYTES_MAX = 17

const QUOTE = 0x22
const BACKSLASH = 0x5c
const HEX = Buffer.from('0123456789abcdef', 'latin1')

/** For each ASCII code: 0 written as is, 1 written as \u00xx, else the letter after the backslash. */
const ESCAPES = new Uint8Array(128)
ESCAPES.fill(1, 0, 0x20)
for (const [code, letter] of [
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [QUOTE, '"'],
  [BACKSLASH, '\\'],
] as const) {
  ESCAPES[code] = letter.charCodeAt(0)
}

export class JsonWriter {
  readonly bytes: Buffer
  /** Next byte to write. */
  at = 0
  /** First byte that may not be written. */
  limit = 0
  /** Something did not fit or was over its cap: what was written since `begin` is void. */
  overflow = false

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  begin(span: { from: number; to: number }): void {
    this.at = span.from
    this.limit = span.to
    this.overflow = false
  }

  /** Text of this package's own: short, ASCII, needing no escape. */
  raw(text: string): void {
    const length = text.length
    if (this.at + length > this.limit) {
      this.overflow = true
      return
    }
    const { bytes } = this
    let at = this.at
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i)
    this.at = at
  }

  /** The same, encoded already. */
  piece(piece: Uint8Array): void {
    const length = piece.length
    if (this.at + length > this.limit) {
      this.overflow = true
      return
    }
    const { bytes } = this
    let at = this.at
    if (length > LOOP_BYTES_MAX) bytes.set(piece, at)
    else for (let i = 0; i < length; i++) bytes[at + i] = piece[i] as number
    at += length
    this.at = at
  }

  /** Bytes as hexadecimal digits, without quotes. */
  hex(from: Uint8Array): void {
    const length = from.length
    if (this.at + 2 * length > this.limit) {
      this.overflow = true
      return
    }
    const { bytes } = this
    let at = this.at
    for (let i = 0; i < length; i++) {
      const byte = from[i] as number
      bytes[at++] = HEX[byte >> 4] as number
      bytes[at++] = HEX[byte & 15] as number
    }
    this.at = at
  }

  /** Canonical JSON made elsewhere. */
  json(text: string): void {
    // A UTF-16 code unit is at most three bytes of UTF-8.
    if (this.at + text.length * 3 > this.limit) {
      this.overflow = true
      return
    }
    this.at += this.bytes.write(text, this.at, 'utf8')
  }

  /** A string with its quotes; over `charsMax` it overflows. */
  string(text: string, charsMax: number): void {
    const length = text.length
    if (length > charsMax || this.at + length * UNIT_BYTES_MAX + 2 > this.limit) {
      this.overflow = true
      return
    }
    if (length > LOOP_CHARS_MAX) {
      this.at += this.bytes.write(JSON.stringify(text), this.at, 'utf8')
      return
    }
    const { bytes } = this
    let at = this.at
    bytes[at++] = QUOTE
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit < 0x80) {
        const letter = ESCAPES[unit]
        if (letter === 0) bytes[at++] = unit
        else at = writeEscape(bytes, at, unit)
      } else {
        at = writeWide(bytes, at, text, i)
        if (isPair(text, i)) i++
      }
    }
    bytes[at++] = QUOTE
    this.at = at
  }

  /** A whole number from 0 to 2^53 - 1. @throws AuditError invalid-event */
  integer(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new AuditError('invalid-event', `\`${value}\` is not a count`)
    }
    if (this.at + INTEGER_BYTES_MAX > this.limit) {
      this.overflow = true
      return
    }
    let digits = 1
    for (let bound = 10; value >= bound; bound *= 10) digits++
    const { bytes } = this
    let rest = value
    let at = this.at + digits - 1
    // Divisions of 32-bit integers are a fraction of the cost of others.
    for (; rest > INT32_MAX; at--) {
      const tens = Math.floor(rest / 10)
      bytes[at] = 0x30 + (rest - tens * 10)
      rest = tens
    }
    for (; at >= this.at; at--) {
      const tens = ((rest | 0) / 10) | 0
      bytes[at] = 0x30 + ((rest | 0) - tens * 10)
      rest = tens
    }
    this.at += digits
  }
}

function writeEscape(bytes: Buffer, from: number, unit: number): number {
  const letter = ESCAPES[unit] ?? 1
  let at = from
  bytes[at++] = BACKSLASH
  if (letter !== 1) {
    bytes[at++] = letter
    return at
  }
  return writeHex(bytes, at, unit)
}

/** `uxxxx` after a backslash already written. */
function writeHex(bytes: Buffer, from: number, unit: number): number {
  let at = from
  bytes[at++] = 0x75
  for (let shift = 12; shift >= 0; shift -= 4) bytes[at++] = HEX[(unit >> shift) & 15] ?? 0
  return at
}

/** One code point beyond ASCII as UTF-8; a lone surrogate as its escape. */
function writeWide(bytes: Buffer, from: number, text: string, i: number): number {
  let at = from
  const unit = text.charCodeAt(i)
  if (unit < 0x800) {
    bytes[at++] = 0xc0 | (unit >> 6)
    bytes[at++] = 0x80 | (unit & 0x3f)
    return at
  }
  if (isPair(text, i)) {
    const point = 0x10000 + ((unit - 0xd800) << 10) + (text.charCodeAt(i + 1) - 0xdc00)
    bytes[at++] = 0xf0 | (point >> 18)
    bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
    bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
    bytes[at++] = 0x80 | (point & 0x3f)
    return at
  }
  if (unit >= 0xd800 && unit <= 0xdfff) {
    bytes[at++] = BACKSLASH
    return writeHex(bytes, at, unit)
  }
  bytes[at++] = 0xe0 | (unit >> 12)
  bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
  bytes[at++] = 0x80 | (unit & 0x3f)
  return at
}

function isPair(text: string, i: number): boolean {
  const high = text.charCodeAt(i)
  if (high < 0xd800 || high > 0xdbff) return false
  const low = text.charCodeAt(i + 1)
  return low >= 0xdc00 && low <= 0xdfff
}
