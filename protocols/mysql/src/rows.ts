/**
 * Rows of both protocols, decoded to the bytes of their values and back. For tests, probes and everything
 * that is not the hot path, which is `masked-row.ts`.
 *
 *     text     n times: lenenc length | bytes, or 0xfb for NULL
 *     binary   0x00 | null bitmap, its first two bits unused | values that are not NULL, see `values.ts`
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_row.html
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html
 */

import {
  ByteReader,
  ByteWriter,
  LENENC,
  writeBytes,
  writeLenenc,
  writeLenencBytes,
  writeUint8,
} from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { PAYLOAD_BYTES_MAX } from './limits.ts'
import { isTemporalLength, WIDTH, widthOf } from './values.ts'

/** Bits of the null bitmap of a binary row that stand for no column. */
export const NULL_BITMAP_OFFSET = 2

/** Bytes of the null bitmap of a binary row. */
export function nullBitmapBytes(columns: number): number {
  return (columns + NULL_BITMAP_OFFSET + 7) >> 3
}

/** Views of the values; null for NULL. Throws ProtocolError unless it is a row of `columns` columns. */
export function decodeTextRow(payload: Uint8Array, columns: number): (Uint8Array | null)[] {
  const reader = new ByteReader(payload)
  const values = Array.from({ length: columns }, () => reader.nullableBytes())
  reader.expectEnd()
  return values
}

export function encodeTextRow(values: readonly (Uint8Array | null)[]): Buffer {
  const out = new ByteWriter({ bytesMax: PAYLOAD_BYTES_MAX })
  for (const value of values) {
    if (value === null) writeUint8(out, LENENC.NULL)
    else writeLenencBytes(out, value)
  }
  return out.take()
}

/** Views of the values without their lengths; null for NULL. `types`: one of TYPE per column. */
export function decodeBinaryRow(
  payload: Uint8Array,
  types: readonly number[],
): (Uint8Array | null)[] {
  const reader = new ByteReader(payload)
  if (reader.uint8() !== 0) throw new ProtocolError('bad-value', 'remote', 'not a binary row')
  const nulls = reader.bytes(nullBitmapBytes(types.length))
  const values = types.map((type, i) => (isNull(nulls, i) ? null : cellOf(reader, type)))
  reader.expectEnd()
  return values
}

function isNull(bitmap: Buffer, column: number): boolean {
  const bit = column + NULL_BITMAP_OFFSET
  return (bitmap[bit >> 3]! & (1 << (bit & 7))) !== 0
}

function cellOf(reader: ByteReader, type: number): Uint8Array {
  const width = widthOf(type)
  if (width === WIDTH.LENENC) return reader.lenencBytes()
  if (width !== WIDTH.TEMPORAL) return reader.bytes(width)
  const length = reader.uint8()
  if (!isTemporalLength(type, length)) {
    throw new ProtocolError('bad-value', 'remote', `a temporal value of ${length} bytes`)
  }
  return reader.bytes(length)
}

export function encodeBinaryRow(
  values: readonly (Uint8Array | null)[],
  types: readonly number[],
): Buffer {
  const out = new ByteWriter({ bytesMax: PAYLOAD_BYTES_MAX })
  writeUint8(out, 0)
  const bitmap = Buffer.alloc(nullBitmapBytes(values.length))
  values.forEach((value, i) => {
    const bit = i + NULL_BITMAP_OFFSET
    if (value === null) bitmap[bit >> 3]! |= 1 << (bit & 7)
  })
  writeBytes(out, bitmap)
  values.forEach((value, i) => {
    if (value === null) return
    const width = widthOf(types[i]!)
    if (width === WIDTH.LENENC) writeLenenc(out, value.length)
    else if (width === WIDTH.TEMPORAL) writeUint8(out, value.length)
    writeBytes(out, value)
  })
  return out.take()
}
