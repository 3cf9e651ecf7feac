/**
 * How values of each type lie in the binary protocol (rows of prepared statements, parameters), and what they
 * say. In the text protocol every value is a length-encoded string and nothing of this applies.
 *
 *     integers, FLOAT, DOUBLE   1, 2, 4 or 8 bytes, little-endian
 *     DATE, DATETIME, TIMESTAMP 1 byte length 0, 4, 7 or 11 | year 2 | month | day | h | m | s | µs 4
 *     TIME                      1 byte length 0, 8 or 12    | negative | days 4 | h | m | s | µs 4
 *     all others                lenenc length | bytes
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
 */

import { uint16At, uint32At } from './bytes.ts'
import { TYPE } from './columns.ts'
import { ProtocolError } from './errors.ts'

/** What `widthOf` says of values that bring their length: as a lenenc integer, or in one byte. */
export const WIDTH = { LENENC: -1, TEMPORAL: -2, UNLISTED: -3 } as const

const WIDTHS = new Int8Array(256).fill(WIDTH.UNLISTED)
WIDTHS[TYPE.NULL] = 0
WIDTHS[TYPE.TINY] = 1
for (const type of [TYPE.SHORT, TYPE.YEAR]) WIDTHS[type] = 2
for (const type of [TYPE.LONG, TYPE.INT24, TYPE.FLOAT]) WIDTHS[type] = 4
for (const type of [TYPE.LONGLONG, TYPE.DOUBLE]) WIDTHS[type] = 8
for (const type of [TYPE.DATE, TYPE.NEWDATE, TYPE.TIME, TYPE.DATETIME, TYPE.TIMESTAMP]) {
  WIDTHS[type] = WIDTH.TEMPORAL
}
const STRINGS = [TYPE.DECIMAL, TYPE.NEWDECIMAL, TYPE.VARCHAR, TYPE.VAR_STRING, TYPE.STRING]
const BYTES = [TYPE.TINY_BLOB, TYPE.MEDIUM_BLOB, TYPE.LONG_BLOB, TYPE.BLOB, TYPE.GEOMETRY]
const OTHERS = [TYPE.BIT, TYPE.ENUM, TYPE.SET, TYPE.JSON, TYPE.VECTOR]
for (const type of [...STRINGS, ...BYTES, ...OTHERS]) WIDTHS[type] = WIDTH.LENENC

/** Bytes of a value of `type`, or one of WIDTH. Throws 'bad-value' on a type not listed. */
export function widthOf(type: number): number {
  const width = WIDTHS[type] ?? WIDTH.UNLISTED
  if (width === WIDTH.UNLISTED) {
    throw new ProtocolError('bad-value', 'remote', `column or parameter type ${type}`)
  }
  return width
}

/** Are these the lengths a temporal value of `type` can have? */
export function isTemporalLength(type: number, length: number): boolean {
  if (type === TYPE.TIME) return length === 0 || length === 8 || length === 12
  return length === 0 || length === 4 || length === 7 || length === 11
}

/** An integer is a bigint where its type has 64 bits; a temporal value is text as SQL writes it. */
export type BinaryValue = number | bigint | string | Uint8Array

/** The value `buf[start, end)` (without its length) of `type`; strings and decimals are views. */
export function decodeValue(
  buf: Buffer,
  start: number,
  end: number,
  type: { readonly type: number; readonly unsigned: boolean },
): BinaryValue {
  const { unsigned } = type
  switch (type.type) {
    case TYPE.TINY:
      return unsigned ? buf.readUInt8(start) : buf.readInt8(start)
    case TYPE.SHORT:
    case TYPE.YEAR:
      return unsigned ? buf.readUInt16LE(start) : buf.readInt16LE(start)
    case TYPE.LONG:
    case TYPE.INT24:
      return unsigned ? buf.readUInt32LE(start) : buf.readInt32LE(start)
    case TYPE.LONGLONG:
      return unsigned ? buf.readBigUInt64LE(start) : buf.readBigInt64LE(start)
    case TYPE.FLOAT:
      return buf.readFloatLE(start)
    case TYPE.DOUBLE:
      return buf.readDoubleLE(start)
    case TYPE.DATE:
    case TYPE.NEWDATE:
      return dateText(buf, start, end)
    case TYPE.DATETIME:
    case TYPE.TIMESTAMP:
      return `${dateText(buf, start, end)} ${clockText(buf, start + 4, end)}`
    case TYPE.TIME:
      return timeText(buf, start, end)
    default:
      return buf.subarray(start, end)
  }
}

function dateText(buf: Buffer, start: number, end: number): string {
  if (end - start < 4) return '0000-00-00'
  return `${pad(uint16At(buf, start), 4)}-${pad(buf[start + 2]!, 2)}-${pad(buf[start + 3]!, 2)}`
}

/** Hours, minutes, seconds and, where there, microseconds from `at` on. */
function clockText(buf: Buffer, at: number, end: number): string {
  if (end - at < 3) return '00:00:00'
  const clock = `${pad(buf[at]!, 2)}:${pad(buf[at + 1]!, 2)}:${pad(buf[at + 2]!, 2)}`
  return end - at < 7 ? clock : `${clock}.${pad(uint32At(buf, at + 3), 6)}`
}

function timeText(buf: Buffer, start: number, end: number): string {
  if (end - start < 8) return '00:00:00'
  const hours = uint32At(buf, start + 1) * 24 + buf[start + 5]!
  const rest = clockText(buf, start + 5, end).slice(2)
  return `${buf[start] === 0 ? '' : '-'}${pad(hours, 2)}${rest}`
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}
