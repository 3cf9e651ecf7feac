/**
 * Rows of MySQL as the text the server would have sent; `0x` and hex for what is no text. For showing to
 * people and comparing with what another server says, not for computing with.
 */
import { isUtf8 } from 'node:buffer'
import type { ResultShape } from '@sallyport/audit'
import {
  type BinaryValue,
  ByteReader,
  COLUMN_FLAG,
  clientCharset,
  decodeBinaryRow,
  decodeValue,
  ProtocolError,
  TYPE,
} from '@sallyport/protocol-mysql'

type Column = ResultShape['columns'][number]

/** The collation that says: bytes, not text. */
const BINARY_COLLATION = 63
/** `decimals` of a FLOAT or DOUBLE that was declared without. */
const UNDECLARED = 31
/** Digits of a FLOAT that mean something. */
const FLOAT_DIGITS = 6
const FRACTIONS: ReadonlySet<number> = new Set([TYPE.TIME, TYPE.DATETIME, TYPE.TIMESTAMP])
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is what it is for
const CONTROL = /[\u0000-\u0008\u000e-\u001f\u007f]/

/** The cells of a row's payload; what is not laid out as its columns say is one cell of hex. */
export function mysqlRow(payload: Buffer, columns: readonly Column[]): (string | null)[] {
  try {
    return columns[0]?.format === 'binary' ? binaryRow(payload, columns) : textRow(payload, columns)
  } catch (error) {
    if (!(error instanceof ProtocolError || error instanceof RangeError)) throw error
    return [hex(payload)]
  }
}

function textRow(payload: Buffer, columns: readonly Column[]): (string | null)[] {
  const reader = new ByteReader(payload)
  const cells: (string | null)[] = []
  while (reader.remaining > 0) {
    const value = reader.nullableBytes()
    cells.push(value === null ? null : mysqlText(value, columns[cells.length]))
  }
  return cells
}

function binaryRow(payload: Buffer, columns: readonly Column[]): (string | null)[] {
  const types = columns.map(({ type }) => type)
  return decodeBinaryRow(payload, types).map((value, i) => {
    const column = columns[i]
    if (value === null || column === undefined) return null
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
    const unsigned = ((column.flags ?? 0) & COLUMN_FLAG.UNSIGNED) !== 0
    return valueText(decodeValue(bytes, 0, bytes.length, { type: column.type, unsigned }), column)
  })
}

function valueText(value: BinaryValue, column: Column): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return numberText(value, column)
  if (typeof value === 'string') return temporalText(value, column)
  return mysqlText(value, column)
}

function numberText(value: number, { type, decimals = UNDECLARED }: Column): string {
  const isFraction = type === TYPE.FLOAT || type === TYPE.DOUBLE
  if (isFraction && decimals < UNDECLARED) return value.toFixed(decimals)
  return String(type === TYPE.FLOAT ? Number(value.toPrecision(FLOAT_DIGITS)) : value)
}

/** The binary form leaves microseconds out where they are zero, and has six digits where it has them. */
function temporalText(value: string, { type, decimals = 0 }: Column): string {
  if (!FRACTIONS.has(type)) return value
  const [whole = '', fraction = ''] = value.split('.')
  const digits = Math.min(decimals, 6)
  return digits === 0 ? whole : `${whole}.${fraction.padEnd(6, '0').slice(0, digits)}`
}

/** A value as the text protocol sends it; `column`: undefined where nothing is known of it. */
export function mysqlText(
  value: Uint8Array,
  column: Pick<Column, 'type' | 'collation'> | undefined,
): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
  const collation = column?.collation ?? BINARY_COLLATION
  if (column?.type === TYPE.BIT || column?.type === TYPE.GEOMETRY) return hex(bytes)
  if (clientCharset(collation) === 'latin1') return bytes.toString('latin1')
  if (!isUtf8(bytes)) return hex(bytes)
  const text = bytes.toString('utf8')
  // What is declared as bytes is shown as text only where it can be read.
  return collation === BINARY_COLLATION && CONTROL.test(text) ? hex(bytes) : text
}

function hex(bytes: Buffer): string {
  return `0x${bytes.toString('hex')}`
}
