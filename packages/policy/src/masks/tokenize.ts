/**
 * `tokenize`: every digit becomes a digit and every letter a letter of the same case, chosen by a keyed digest of
 * the whole value. Deterministic, not reversible, no table. Different values may share a token (as many as the
 * format allows: two of 10^6 six-digit numbers surely do); use `hash` where that matters.
 */

import type { CellMask } from '@sallyport/protocol-wire'
import { digest } from './hmac.ts'
import { type IntegerCodec, integerCodec } from './integer.ts'
import { hashUuid, type Keyed, readDecimal, writeDecimal } from './keyed.ts'
import { canonicalDecimal } from './numeric.ts'
import { writeBytes } from './sink.ts'
import type { TypeInfo } from './type-info.ts'
import type { CellType } from './types.ts'

/** Bytes of digest as they are needed: block n is the digest of (n, block 0). */
class Stream {
  readonly #keyed: Keyed
  readonly #first: Buffer
  #block: Buffer
  #count = 0
  #at = 0

  constructor(keyed: Keyed, value: Buffer) {
    this.#keyed = keyed
    this.#first = digest(keyed.key, keyed.label, value)
    this.#block = this.#first
  }

  /** 0 … n-1 from two bytes: the bias is below n / 65,536. */
  next(n: number): number {
    if (this.#at + 2 > this.#block.length) {
      this.#count++
      const counter = Buffer.from(`\0block ${this.#count}\0`)
      this.#block = digest(
        this.#keyed.key,
        this.#keyed.label,
        Buffer.concat([counter, this.#first]),
      )
      this.#at = 0
    }
    const value = this.#block.readUInt16BE(this.#at)
    this.#at += 2
    return value % n
  }
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
const isUpper = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a
const isLower = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a

/** Longest cell tokenised; longer ones become the constant. */
const TOKEN_BYTES_MAX = 4096

export function tokenizeText(keyed: Keyed): CellMask {
  return (src, start, end, out) => {
    if (end - start > TOKEN_BYTES_MAX) return writeBytes(keyed.redacted, out)
    const token = tokenOf(keyed, src.subarray(start, end))
    return writeBytes(token ?? keyed.redacted, out)
  }
}

/** Null: nothing in it can be replaced. A character outside ASCII becomes one small letter. */
function tokenOf(keyed: Keyed, value: Buffer): Buffer | null {
  const stream = new Stream(keyed, value)
  const token = Buffer.allocUnsafe(value.length)
  let length = 0
  let last = -1
  for (const byte of value) {
    if (byte >= 0x80 && byte < 0xc0) continue
    if (isDigit(byte)) token[length] = 0x30 + stream.next(10)
    else if (isUpper(byte)) token[length] = 0x41 + stream.next(26)
    else if (isLower(byte) || byte >= 0x80) token[length] = 0x61 + stream.next(26)
    else token[length] = byte
    if (byte >= 0x80 || isDigit(byte) || isUpper(byte) || isLower(byte)) last = length
    length++
  }
  if (last < 0) return null
  const result = token.subarray(0, length)
  if (result.equals(value)) result[last] = following(result[last] as number)
  return result
}

/** The next digit or letter, round the end: a token never equals its value. */
function following(byte: number): number {
  if (byte === 0x39) return 0x30
  if (byte === 0x5a) return 0x41
  if (byte === 0x7a) return 0x61
  return byte + 1
}

/** As many digits as the value, the first not 0, within the type's range, never the value itself. */
function tokenDigits(keyed: Keyed, digits: string, digitsMax: number): string {
  const stream = new Stream(keyed, Buffer.from(digits, 'latin1'))
  let token = ''
  for (let i = 0; i < digits.length; i++) {
    if (i > 0) token += String(stream.next(10))
    else token += digits.length >= digitsMax ? '1' : String(1 + stream.next(9))
  }
  if (token !== digits) return token
  const end = token.length - 1
  if (end === 0) return token === '9' ? '1' : String(Number(token) + 1)
  return token.slice(0, end) + String((Number(token[end]) + 1) % 10)
}

function tokenizeInteger(keyed: Keyed, codec: IntegerCodec): CellMask {
  const digitsMax = String(codec.max).length
  return (src, start, end, out) => {
    const value = codec.read(src, start, end)
    if (value === null) return writeBytes(keyed.redacted, out)
    const isNegative = value < 0n
    const token = BigInt(tokenDigits(keyed, String(isNegative ? -value : value), digitsMax))
    return codec.write(isNegative ? -token : token, out)
  }
}

function tokenizeNumeric(keyed: Keyed, cell: CellType): CellMask {
  return (src, start, end, out) => {
    const text = readDecimal(cell, src, start, end)
    if (text === null) return writeBytes(keyed.redacted, out)
    const canonical = canonicalDecimal(text)
    const isNegative = canonical.startsWith('-')
    const [whole = '0', fraction = ''] = (isNegative ? canonical.slice(1) : canonical).split('.')
    const token = tokenDigits(keyed, whole + fraction, Number.POSITIVE_INFINITY)
    const body =
      fraction === '' ? token : `${token.slice(0, whole.length)}.${token.slice(whole.length)}`
    return writeDecimal(cell, isNegative ? `-${body}` : body, out)
  }
}

/** Null where a token has no type-correct form. */
export function tokenizeMask(keyed: Keyed, cell: CellType, info: TypeInfo): CellMask | null {
  const codec = integerCodec(info, cell.format)
  // Three digits of 127: there is nothing to choose among.
  if (codec !== null) return codec.bits === 8 ? null : tokenizeInteger(keyed, codec)
  switch (info.shape) {
    case 'text':
    case 'bpchar':
      return tokenizeText(keyed)
    case 'numeric':
      return tokenizeNumeric(keyed, cell)
    case 'uuid':
      return hashUuid(keyed, cell.format)
    default:
      return null
  }
}
