/** Integers as cells hold them: decimal text, or 1, 2, 4 or 8 bytes of either byte order. */

import type { ByteSink } from '@sallyport/protocol-wire'
import { writeText } from './sink.ts'
import type { Shape, TypeInfo } from './type-info.ts'
import type { CellType } from './types.ts'

const BITS: Partial<Record<Shape, number>> = { int1: 8, int2: 16, int4: 32, int8: 64 }

export interface IntegerCodec {
  readonly bits: number
  readonly unsigned: boolean
  readonly min: bigint
  readonly max: bigint
  /** Null: the bytes are not such an integer. */
  readonly read: (src: Buffer, start: number, end: number) => bigint | null
  readonly write: (value: bigint, out: ByteSink) => number
}

const INTEGER = /^-?\d{1,20}$/

/** Null for types that are not integers. */
export function integerCodec(info: TypeInfo, format: CellType['format']): IntegerCodec | null {
  const bits = BITS[info.shape]
  if (bits === undefined) return null
  const { unsigned } = info
  const limits = {
    bits,
    unsigned,
    min: unsigned ? 0n : -(1n << BigInt(bits - 1)),
    max: (1n << BigInt(unsigned ? bits : bits - 1)) - 1n,
  }
  if (format === 'text')
    return {
      ...limits,
      read: (src, start, end) => {
        if (end - start > 20) return null
        const text = src.toString('latin1', start, end)
        if (!INTEGER.test(text)) return null
        const value = BigInt(text)
        return value < limits.min || value > limits.max ? null : value
      },
      write: (value, out) => writeText(String(value), out),
    }
  const size = bits / 8
  return {
    ...limits,
    read: (src, start, end) => (end - start === size ? readInteger(src, start, size, info) : null),
    write: (value, out) => {
      out.ensure(size)
      writeInteger(value, out.buf, out.at, size, info.littleEndian)
      out.at += size
      return size
    },
  }
}

function readInteger(src: Buffer, start: number, size: number, info: TypeInfo): bigint {
  let value = 0n
  for (let i = 0; i < size; i++) {
    const byte = src[info.littleEndian ? start + size - 1 - i : start + i] as number
    value = (value << 8n) | BigInt(byte)
  }
  return info.unsigned ? BigInt.asUintN(size * 8, value) : BigInt.asIntN(size * 8, value)
}

function writeInteger(
  value: bigint,
  to: Buffer,
  at: number,
  size: number,
  isLittle: boolean,
): void {
  let rest = BigInt.asUintN(size * 8, value)
  for (let i = 0; i < size; i++) {
    to[isLittle ? at + i : at + size - 1 - i] = Number(rest & 0xffn)
    rest >>= 8n
  }
}
