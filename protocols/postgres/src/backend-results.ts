/**
 * Server messages that describe or carry results: RowDescription, DataRow, ParameterDescription,
 * CopyIn/Out/BothResponse. Decoders take a body `buf[start, end)`; views are valid as long as `buf` is.
 * Rows on the hot path do not come through here: see `data-row.ts`.
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import {
  ByteReader,
  closeFrame,
  openFrame,
  writeCString,
  writeInt16,
  writeInt32,
  writeNullableBytes,
  writeUint8,
} from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { BACKEND } from './frames.ts'
import { COLUMNS_MAX } from './limits.ts'

/** 0 text, 1 binary. */
export type Format = 0 | 1

/** One column of a RowDescription. */
export interface FieldDescription {
  readonly name: string
  /** OID of the table it is a column of, 0 for an expression. */
  readonly tableOid: number
  /** Attribute number in that table, 0 for an expression; negative for system columns. */
  readonly columnAttribute: number
  readonly typeOid: number
  /** pg_type.typlen: -1 variable, -2 C string. */
  readonly typeLength: number
  /** pg_attribute.atttypmod, -1 for none. */
  readonly typeModifier: number
  /** 0 from Describe of a statement, where it is not known yet. */
  readonly format: Format
}

export interface CopyResponse {
  readonly kind: 'CopyInResponse' | 'CopyOutResponse' | 'CopyBothResponse'
  readonly format: Format
  readonly columnFormats: readonly Format[]
}

/** Reads an Int16 format code. Throws 'bad-value' on anything but 0 and 1. */
export function readFormat(reader: ByteReader): Format {
  const code = reader.uint16()
  if (code !== 0 && code !== 1) {
    throw new ProtocolError('bad-value', 'remote', `format code ${code}`)
  }
  return code
}

function readColumnCount(reader: ByteReader): number {
  const count = reader.uint16()
  if (count > COLUMNS_MAX) {
    throw new ProtocolError('too-large', 'remote', `${count} columns, the cap is ${COLUMNS_MAX}`)
  }
  return count
}

/** The columns of a RowDescription body. */
export function decodeRowDescription(
  buf: Uint8Array,
  start: number,
  end: number,
): FieldDescription[] {
  const reader = new ByteReader(buf, start, end)
  const count = readColumnCount(reader)
  const fields: FieldDescription[] = []
  for (let i = 0; i < count; i++) {
    fields.push({
      name: reader.cString(),
      tableOid: reader.uint32(),
      columnAttribute: reader.int16(),
      typeOid: reader.uint32(),
      typeLength: reader.int16(),
      typeModifier: reader.int32(),
      format: readFormat(reader),
    })
  }
  reader.expectEnd()
  return fields
}

export function writeRowDescription(out: ByteSink, fields: readonly FieldDescription[]): void {
  const frame = openFrame(out, BACKEND.ROW_DESCRIPTION)
  writeInt16(out, fields.length)
  for (const field of fields) {
    writeCString(out, field.name)
    writeInt32(out, field.tableOid)
    writeInt16(out, field.columnAttribute)
    writeInt32(out, field.typeOid)
    writeInt16(out, field.typeLength)
    writeInt32(out, field.typeModifier)
    writeInt16(out, field.format)
  }
  closeFrame(out, frame)
}

/** The values of a DataRow body as views, null for NULL. */
export function decodeDataRow(buf: Uint8Array, start: number, end: number): (Uint8Array | null)[] {
  const reader = new ByteReader(buf, start, end)
  const count = readColumnCount(reader)
  const values: (Uint8Array | null)[] = []
  for (let i = 0; i < count; i++) values.push(reader.nullableBytes())
  reader.expectEnd()
  return values
}

export function writeDataRow(out: ByteSink, values: readonly (Uint8Array | null)[]): void {
  const frame = openFrame(out, BACKEND.DATA_ROW)
  writeInt16(out, values.length)
  for (const value of values) writeNullableBytes(out, value)
  closeFrame(out, frame)
}

/** Type OIDs of a statement's parameters. */
export function decodeParameterDescription(buf: Uint8Array, start: number, end: number): number[] {
  const reader = new ByteReader(buf, start, end)
  const count = reader.uint16()
  const typeOids: number[] = []
  for (let i = 0; i < count; i++) typeOids.push(reader.uint32())
  reader.expectEnd()
  return typeOids
}

export function writeParameterDescription(out: ByteSink, typeOids: readonly number[]): void {
  const frame = openFrame(out, BACKEND.PARAMETER_DESCRIPTION)
  writeInt16(out, typeOids.length)
  for (const oid of typeOids) writeInt32(out, oid)
  closeFrame(out, frame)
}

const COPY_TYPE = {
  CopyInResponse: BACKEND.COPY_IN_RESPONSE,
  CopyOutResponse: BACKEND.COPY_OUT_RESPONSE,
  CopyBothResponse: BACKEND.COPY_BOTH_RESPONSE,
} as const

/** Throws 'bad-value' where a textual COPY has a binary column: §54.7 rules it out. */
export function decodeCopyResponse(
  kind: CopyResponse['kind'],
  buf: Uint8Array,
  start: number,
  end: number,
): CopyResponse {
  const reader = new ByteReader(buf, start, end)
  const format = reader.uint8()
  if (format !== 0 && format !== 1) {
    throw new ProtocolError('bad-value', 'remote', `copy format ${format}`)
  }
  const count = readColumnCount(reader)
  const columnFormats: Format[] = []
  for (let i = 0; i < count; i++) {
    const column = readFormat(reader)
    if (column > format) {
      throw new ProtocolError('bad-value', 'remote', 'a binary column in a textual copy')
    }
    columnFormats.push(column)
  }
  reader.expectEnd()
  return { kind, format, columnFormats }
}

export function writeCopyResponse(out: ByteSink, message: CopyResponse): void {
  const frame = openFrame(out, COPY_TYPE[message.kind])
  writeUint8(out, message.format)
  writeInt16(out, message.columnFormats.length)
  for (const format of message.columnFormats) writeInt16(out, format)
  closeFrame(out, frame)
}
