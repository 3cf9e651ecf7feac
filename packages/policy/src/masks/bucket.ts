/** `bucket`: the largest multiple of the width that is not above the value. */

import type { CellMask } from '@sallyport/protocol-wire'
import { integerCodec } from './integer.ts'
import { readDecimal, writeDecimal } from './keyed.ts'
import { writeBytes, writeText } from './sink.ts'
import type { TypeInfo } from './type-info.ts'
import type { CellType } from './types.ts'

const floorTo = (value: bigint, width: bigint): bigint => {
  const rest = value % width
  return rest < 0n ? value - rest - width : value - rest
}

/** Null where buckets mean nothing. */
export function bucketMask(
  width: number,
  cell: CellType,
  info: TypeInfo,
  redacted: Buffer,
): CellMask | null {
  const step = BigInt(width)
  const codec = integerCodec(info, cell.format)
  if (codec !== null)
    return (src, start, end, out) => {
      const value = codec.read(src, start, end)
      const bucket = value === null ? null : floorTo(value, step)
      // Below the type's range: the lowest bucket has no name.
      return bucket === null || bucket < codec.min
        ? writeBytes(redacted, out)
        : codec.write(bucket, out)
    }
  if (info.shape === 'numeric')
    return (src, start, end, out) => {
      const text = readDecimal(cell, src, start, end)
      return text === null
        ? writeBytes(redacted, out)
        : writeDecimal(cell, String(floorDecimal(text, step)), out)
    }
  if (info.shape === 'float4' || info.shape === 'float8')
    return floatBucket(width, cell, info, redacted)
  return null
}

function floorDecimal(text: string, width: bigint): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  // -1.5 lies below -1: the whole part alone would round towards zero.
  const isBelow = whole.startsWith('-') && /[1-9]/.test(fraction)
  return floorTo(BigInt(whole) - (isBelow ? 1n : 0n), width)
}

const FLOAT = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i

function floatBucket(width: number, cell: CellType, info: TypeInfo, redacted: Buffer): CellMask {
  const size = info.shape === 'float4' ? 4 : 8
  const narrow = (value: number): number => (size === 4 ? Math.fround(value) : value)
  return (src, start, end, out) => {
    const value =
      cell.format === 'text'
        ? readText(src, start, end)
        : end - start === size
          ? readFloat(src, start, size, info.littleEndian)
          : null
    if (value === null || !Number.isFinite(value)) return writeBytes(redacted, out)
    const bucket = narrow(Math.floor(narrow(value) / width) * width) + 0
    if (!Number.isFinite(bucket)) return writeBytes(redacted, out)
    if (cell.format === 'text') return writeText(String(bucket), out)
    out.ensure(size)
    writeFloat(bucket, out.buf, out.at, size, info.littleEndian)
    out.at += size
    return size
  }
}

function readText(src: Buffer, start: number, end: number): number | null {
  if (end - start > 64) return null
  const text = src.toString('latin1', start, end)
  return FLOAT.test(text) ? Number(text) : null
}

function readFloat(src: Buffer, at: number, size: number, isLittle: boolean): number {
  if (size === 4) return isLittle ? src.readFloatLE(at) : src.readFloatBE(at)
  return isLittle ? src.readDoubleLE(at) : src.readDoubleBE(at)
}

function writeFloat(value: number, to: Buffer, at: number, size: number, isLittle: boolean): void {
  if (size === 4) isLittle ? to.writeFloatLE(value, at) : to.writeFloatBE(value, at)
  else isLittle ? to.writeDoubleLE(value, at) : to.writeDoubleBE(value, at)
}
