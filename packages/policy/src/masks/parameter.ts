/** A bound parameter as text, to compare with what masks show. Binary values are read by type, or by length. */

import { numericText } from './numeric.ts'
import { typeInfo } from './types.ts'

interface Parameter {
  readonly format: 'text' | 'binary'
  readonly value: Uint8Array | null
  readonly typeId: number
  readonly engine?: 'postgres' | 'mysql' | 'mariadb'
}

/** Every text the value could stand for; several when its type is not known. */
export function parameterText(parameter: Parameter): readonly (string | null)[] {
  const { value, format, typeId, engine = 'postgres' } = parameter
  if (value === null) return [null]
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (format === 'text') return [bytes.toString('utf8')]
  const info = typeInfo({ engine, typeId, format })
  if (bytes.equals(info.binary) && bytes.length > 0) return [info.text]
  const known = decode(info.shape, bytes, info.littleEndian)
  return known === null ? guesses(bytes) : [known]
}

const DAYS_1970_TO_2000 = 10_957
const dateText = (days: number): string | null => {
  const ms = (days + DAYS_1970_TO_2000) * 86_400_000
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString().slice(0, 10) : null
}

function decode(shape: string, bytes: Buffer, isLittle: boolean): string | null {
  switch (shape) {
    case 'int2':
      return bytes.length === 2
        ? String(isLittle ? bytes.readInt16LE() : bytes.readInt16BE())
        : null
    case 'int4':
      return bytes.length === 4
        ? String(isLittle ? bytes.readInt32LE() : bytes.readInt32BE())
        : null
    case 'int8':
      return bytes.length === 8
        ? String(isLittle ? bytes.readBigInt64LE() : bytes.readBigInt64BE())
        : null
    case 'float4':
      return bytes.length === 4
        ? String(isLittle ? bytes.readFloatLE() : bytes.readFloatBE())
        : null
    case 'float8':
      return bytes.length === 8
        ? String(isLittle ? bytes.readDoubleLE() : bytes.readDoubleBE())
        : null
    case 'numeric':
      return isLittle ? bytes.toString('latin1') : numericText(bytes, 0, bytes.length)
    case 'uuid':
    case 'bytea':
      return bytes.length === 16
        ? bytes.toString('hex')
        : shape === 'bytea'
          ? bytes.toString('utf8')
          : null
    case 'date':
      return isLittle || bytes.length !== 4 ? null : dateText(bytes.readInt32BE())
    case 'timestamp':
    case 'timestamptz':
      return isLittle || bytes.length !== 8 ? null : timestampText(bytes.readBigInt64BE())
    case 'jsonb':
      return bytes.toString('utf8', 1)
    case 'text':
    case 'bpchar':
    case 'char':
    case 'json':
      return bytes.toString('utf8')
    default:
      return null
  }
}

function timestampText(micros: bigint): string | null {
  const ms = Number(micros / 1000n) + DAYS_1970_TO_2000 * 86_400_000
  return Math.abs(ms) < 8.64e15
    ? new Date(ms)
        .toISOString()
        .replace('T', ' ')
        .replace(/\.?0*Z$/, '')
    : null
}

/** The type is open: whatever the length allows. */
function guesses(bytes: Buffer): readonly string[] {
  const all = [bytes.toString('utf8')]
  for (const shape of [
    'int2',
    'int4',
    'int8',
    'float4',
    'float8',
    'uuid',
    'numeric',
    'date',
    'timestamp',
  ]) {
    const text = decode(shape, bytes, false)
    if (text !== null) all.push(text)
  }
  return all
}
