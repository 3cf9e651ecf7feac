/**
 * `hash` and `tokenize`: HMAC-SHA-256 of the value's canonical form, shaped as the type needs. Equal values give
 * equal results in text and binary format, so joins on the client's side survive.
 *
 * hash
 *   text    32 hex digits: 12 bytes of digest, 4 of checksum (see placeholder.ts)
 *   bytea   the same 16 bytes; uuid: the same with version 8 and the variant set before the checksum
 *   int*    negative, as many bits as fit; UNSIGNED: the upper half of the range
 *   numeric a negative integer of 48 bits
 *   json    a string of the hex digits
 * tokenize
 *   text    digits → digits, letters → letters of the same case, the rest unchanged
 *   int*, numeric  as many digits, same sign
 *   uuid    as hash
 */

import type { KeyObject } from 'node:crypto'
import type { CellMask } from '@sallyport/protocol-wire'
import { checksum } from './checksum.ts'
import { digest } from './hmac.ts'
import { type IntegerCodec, integerCodec } from './integer.ts'
import { canonicalDecimal, decimalText, numericText, writeNumeric } from './numeric.ts'
import { writeBytes, writeText } from './sink.ts'
import type { TypeInfo } from './type-info.ts'
import type { CellType } from './types.ts'

export interface Keyed {
  readonly key: KeyObject
  readonly label: Buffer
  /** The constant for this type and format, for what cannot be read. */
  readonly redacted: Buffer
}

/** Digest, checked: 12 bytes of HMAC and the checksum of those 12. */
function hash16(keyed: Keyed, value: Buffer): Buffer {
  const bytes = digest(keyed.key, keyed.label, value).subarray(0, 16)
  bytes.writeUInt32BE(checksum(bytes, 0, 12), 12)
  return bytes
}

const HEX = Buffer.from('0123456789abcdef')

export function hashText(keyed: Keyed, isPadded: boolean): CellMask {
  return (src, start, end, out) => {
    let to = end
    // char(n): trailing blanks are not part of the value.
    if (isPadded) while (to > start && src[to - 1] === 0x20) to--
    return writeHex(hash16(keyed, src.subarray(start, to)), out)
  }
}

function writeHex(bytes: Buffer, out: Parameters<CellMask>[3]): number {
  const length = bytes.length * 2
  out.ensure(length)
  let { at } = out
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    out.buf[at++] = HEX[byte >> 4] as number
    out.buf[at++] = HEX[byte & 15] as number
  }
  out.at = at
  return length
}

/** bytea in text format is `\x…` or the old escape form; both decode to the same bytes. */
export function hashBytea(keyed: Keyed, format: CellType['format']): CellMask {
  if (format === 'binary')
    return (src, start, end, out) => writeBytes(hash16(keyed, src.subarray(start, end)), out)
  return (src, start, end, out) => {
    const value = byteaOf(src, start, end)
    if (value === null) return writeBytes(keyed.redacted, out)
    return writeText(`\\x${hash16(keyed, value).toString('hex')}`, out)
  }
}

function byteaOf(src: Buffer, start: number, end: number): Buffer | null {
  if (src[start] === 0x5c && src[start + 1] === 0x78) {
    const hex = src.toString('latin1', start + 2, end)
    return hex.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(hex) ? Buffer.from(hex, 'hex') : null
  }
  const value: number[] = []
  for (let i = start; i < end; i++) {
    const byte = src[i] as number
    if (byte !== 0x5c) value.push(byte)
    else if (src[i + 1] === 0x5c && i + 1 < end) value.push(src[++i] as number)
    else {
      const octal = src.toString('latin1', i + 1, Math.min(i + 4, end))
      if (!/^[0-3][0-7]{2}$/.test(octal)) return null
      value.push(Number.parseInt(octal, 8))
      i += 3
    }
  }
  return Buffer.from(value)
}

export function hashUuid(keyed: Keyed, format: CellType['format']): CellMask {
  return (src, start, end, out) => {
    const value = format === 'binary' ? src.subarray(start, end) : uuidOf(src, start, end)
    if (value === null || value.length !== 16) return writeBytes(keyed.redacted, out)
    const bytes = digest(keyed.key, keyed.label, value).subarray(0, 16)
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
    bytes.writeUInt32BE(checksum(bytes, 0, 12), 12)
    if (format === 'binary') return writeBytes(bytes, out)
    const hex = bytes.toString('hex')
    return writeText(
      `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
      out,
    )
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function uuidOf(src: Buffer, start: number, end: number): Buffer | null {
  if (end - start !== 36) return null
  const text = src.toString('latin1', start, end)
  return UUID.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : null
}

/** -1 … -(2^(bits-1)-1); unsigned: the upper half. */
function hashNumber(
  keyed: Keyed,
  canonical: string,
  codec: { bits: number; unsigned: boolean },
): bigint {
  const bits = digest(keyed.key, keyed.label, Buffer.from(canonical, 'latin1')).readBigUInt64BE(0)
  const half = 1n << BigInt(codec.bits - 1)
  const value = bits % (half - 1n)
  return codec.unsigned ? half + value : -1n - value
}

export function hashInteger(keyed: Keyed, codec: IntegerCodec): CellMask {
  return (src, start, end, out) => {
    const value = codec.read(src, start, end)
    if (value === null) return writeBytes(keyed.redacted, out)
    return codec.write(hashNumber(keyed, String(value), codec), out)
  }
}

/** Decimal text of a numeric cell in either format; null when it cannot be read. */
export function readDecimal(
  cell: CellType,
  src: Buffer,
  start: number,
  end: number,
): string | null {
  const isBinary = cell.engine === 'postgres' && cell.format === 'binary'
  return isBinary ? numericText(src, start, end) : decimalText(src, start, end)
}

export function writeDecimal(cell: CellType, text: string, out: Parameters<CellMask>[3]): number {
  const isBinary = cell.engine === 'postgres' && cell.format === 'binary'
  return isBinary ? writeNumeric(text, out) : writeText(text, out)
}

export function hashNumeric(keyed: Keyed, cell: CellType): CellMask {
  return (src, start, end, out) => {
    const text = readDecimal(cell, src, start, end)
    if (text === null) return writeBytes(keyed.redacted, out)
    const value = hashNumber(keyed, canonicalDecimal(text), { bits: 48, unsigned: false })
    return writeDecimal(cell, String(value), out)
  }
}

/** A JSON string; jsonb's binary form carries a version byte in front. */
export function hashJson(keyed: Keyed, isVersioned: boolean): CellMask {
  return (src, start, end, out) => {
    const value = src.subarray(isVersioned ? Math.min(start + 1, end) : start, end)
    return writeText(`${isVersioned ? '\u0001' : ''}"${hash16(keyed, value).toString('hex')}"`, out)
  }
}

/** The hash mask of a type; null where a hash has no type-correct form. */
export function hashMask(keyed: Keyed, cell: CellType, info: TypeInfo): CellMask | null {
  const codec = integerCodec(info, cell.format)
  if (codec !== null) return hashInteger(keyed, codec)
  switch (info.shape) {
    case 'text':
      return hashText(keyed, false)
    case 'bpchar':
      return hashText(keyed, true)
    case 'bytea':
      return hashBytea(keyed, cell.format)
    case 'uuid':
      return hashUuid(keyed, cell.format)
    case 'numeric':
      return hashNumeric(keyed, cell)
    case 'json':
      return hashJson(keyed, false)
    case 'jsonb':
      return hashJson(keyed, cell.format === 'binary')
    default:
      return null
  }
}
