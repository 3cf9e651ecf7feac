/**
 * Column types and the packets that describe columns: the count before a result, ColumnDefinition41 with
 * MariaDB's extension, and the head of a COM_STMT_PREPARE response.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html
 * https://mariadb.com/docs/server/reference/clientserver-protocol/4-server-response-packets/result-set-packets
 */

import {
  ByteReader,
  ByteWriter,
  writeLenenc,
  writeLenencBytes,
  writeUint8,
  writeUint16,
  writeUint32,
} from './bytes.ts'
import { type Capabilities, CLIENT, has, MARIADB_CLIENT } from './capabilities.ts'
import { ProtocolError } from './errors.ts'
import { COLUMNS_MAX } from './limits.ts'
import { HEADER } from './responses.ts'

/** Types of columns and parameters (enum_field_types; 0x10 to 0x13 and 0xf1 never reach a client). */
export const TYPE = {
  DECIMAL: 0x00,
  TINY: 0x01,
  SHORT: 0x02,
  LONG: 0x03,
  FLOAT: 0x04,
  DOUBLE: 0x05,
  NULL: 0x06,
  TIMESTAMP: 0x07,
  LONGLONG: 0x08,
  INT24: 0x09,
  DATE: 0x0a,
  TIME: 0x0b,
  DATETIME: 0x0c,
  YEAR: 0x0d,
  NEWDATE: 0x0e,
  VARCHAR: 0x0f,
  BIT: 0x10,
  VECTOR: 0xf2,
  JSON: 0xf5,
  NEWDECIMAL: 0xf6,
  ENUM: 0xf7,
  SET: 0xf8,
  TINY_BLOB: 0xf9,
  MEDIUM_BLOB: 0xfa,
  LONG_BLOB: 0xfb,
  BLOB: 0xfc,
  VAR_STRING: 0xfd,
  STRING: 0xfe,
  GEOMETRY: 0xff,
} as const

/** Flags of a column definition. */
export const COLUMN_FLAG = {
  NOT_NULL: 0x0001,
  PRIMARY_KEY: 0x0002,
  UNIQUE_KEY: 0x0004,
  MULTIPLE_KEY: 0x0008,
  BLOB: 0x0010,
  UNSIGNED: 0x0020,
  ZEROFILL: 0x0040,
  BINARY: 0x0080,
  ENUM: 0x0100,
  AUTO_INCREMENT: 0x0200,
  TIMESTAMP: 0x0400,
  SET: 0x0800,
  NO_DEFAULT_VALUE: 0x1000,
  ON_UPDATE_NOW: 0x2000,
  NUM: 0x8000,
} as const

export interface ColumnDefinition {
  readonly catalog: string
  readonly schema: string
  /** The alias in the statement; empty for an expression. */
  readonly table: string
  readonly orgTable: string
  readonly name: string
  readonly orgName: string
  /** The collation id of its text; 63 is binary. */
  readonly collation: number
  readonly length: number
  /** One of TYPE. */
  readonly type: number
  /** COLUMN_FLAG bits. */
  readonly flags: number
  readonly decimals: number
  /** MariaDB's extension (data type name, format), undecoded; empty without it. */
  readonly extended: Uint8Array
  /** Only in the answer to COM_FIELD_LIST: the default value; undefined elsewhere. */
  readonly defaultValue?: Uint8Array | null
}

const FIXED_BYTES = 12

/** Text that is not UTF-8 has U+FFFD in it. Throws ProtocolError where the payload is laid out otherwise. */
export function decodeColumn(payload: Uint8Array, capabilities: Capabilities): ColumnDefinition {
  const reader = new ByteReader(payload)
  const text = (): string => reader.lenencBytes().toString('utf8')
  const names = {
    catalog: text(),
    schema: text(),
    table: text(),
    orgTable: text(),
    name: text(),
    orgName: text(),
  }
  const extended = isExtended(capabilities) ? reader.lenencBytes() : Buffer.alloc(0)
  if (reader.lenenc() !== FIXED_BYTES) {
    throw new ProtocolError('bad-value', 'remote', 'a column definition of another length')
  }
  const collation = reader.uint16()
  const length = reader.uint32()
  const type = reader.uint8()
  const flags = reader.uint16()
  const decimals = reader.uint8()
  reader.skip(2)
  const column = { ...names, collation, length, type, flags, decimals, extended }
  if (reader.remaining === 0) return column
  const defaultValue = reader.nullableBytes()
  reader.expectEnd()
  return { ...column, defaultValue }
}

function isExtended(capabilities: Capabilities): boolean {
  return (capabilities.mariadb & MARIADB_CLIENT.EXTENDED_METADATA) !== 0
}

export function encodeColumn(column: ColumnDefinition, capabilities: Capabilities): Buffer {
  const out = new ByteWriter()
  const { catalog, schema, table, orgTable, name, orgName } = column
  for (const text of [catalog, schema, table, orgTable, name, orgName]) {
    writeLenencBytes(out, Buffer.from(text, 'utf8'))
  }
  if (isExtended(capabilities)) writeLenencBytes(out, column.extended)
  writeLenenc(out, FIXED_BYTES)
  writeUint16(out, column.collation)
  writeUint32(out, column.length)
  writeUint8(out, column.type)
  writeUint16(out, column.flags)
  writeUint8(out, column.decimals)
  writeUint16(out, 0)
  if (column.defaultValue === null) writeUint8(out, 0xfb)
  else if (column.defaultValue !== undefined) writeLenencBytes(out, column.defaultValue)
  return out.take()
}

/** The packet before a result. `metadata`: column definitions follow. */
export interface ColumnCount {
  readonly count: number
  readonly metadata: boolean
}

/** Of `payload[start, end)`. Throws 'too-large' over COLUMNS_MAX. */
export function decodeColumnCount(
  payload: Uint8Array,
  capabilities: Capabilities,
  start = 0,
  end: number = payload.length,
): ColumnCount {
  const reader = new ByteReader(payload, start, end)
  const count = reader.lenenc()
  if (count === 0) throw new ProtocolError('bad-value', 'remote', 'a result without columns')
  checkColumns(count)
  const metadata = metadataFollows(reader, capabilities)
  reader.expectEnd()
  return { count, metadata }
}

export function encodeColumnCount(columns: ColumnCount, capabilities: Capabilities): Buffer {
  const out = new ByteWriter()
  writeLenenc(out, columns.count)
  if (has(capabilities, CLIENT.OPTIONAL_RESULTSET_METADATA)) {
    writeUint8(out, columns.metadata ? 1 : 0)
  }
  return out.take()
}

function checkColumns(count: number): void {
  if (count <= COLUMNS_MAX) return
  throw new ProtocolError('too-large', 'remote', `${count} columns, the cap is ${COLUMNS_MAX}`)
}

function metadataFollows(reader: ByteReader, capabilities: Capabilities): boolean {
  if (!has(capabilities, CLIENT.OPTIONAL_RESULTSET_METADATA)) return true
  const follows = reader.uint8()
  if (follows > 1) throw new ProtocolError('bad-value', 'remote', `metadata follows: ${follows}`)
  return follows === 1
}

/** The first packet of a COM_STMT_PREPARE response. */
export interface PrepareOk {
  readonly statementId: number
  readonly columns: number
  readonly parameters: number
  readonly warnings: number
  /** The definitions of parameters and columns follow. */
  readonly metadata: boolean
}

/** Throws ProtocolError where the payload is laid out otherwise. */
export function decodePrepareOk(payload: Uint8Array, capabilities: Capabilities): PrepareOk {
  const reader = new ByteReader(payload)
  if (reader.uint8() !== HEADER.OK) {
    throw new ProtocolError('bad-value', 'remote', 'not a COM_STMT_PREPARE response')
  }
  const statementId = reader.uint32()
  const columns = reader.uint16()
  const parameters = reader.uint16()
  checkColumns(columns)
  reader.skip(1)
  const warnings = reader.remaining >= 2 ? reader.uint16() : 0
  const metadata = reader.remaining > 0 ? metadataFollows(reader, capabilities) : true
  reader.expectEnd()
  return { statementId, columns, parameters, warnings, metadata }
}

export function encodePrepareOk(response: PrepareOk, capabilities: Capabilities): Buffer {
  const out = new ByteWriter()
  writeUint8(out, HEADER.OK)
  writeUint32(out, response.statementId)
  writeUint16(out, response.columns)
  writeUint16(out, response.parameters)
  writeUint8(out, 0)
  writeUint16(out, response.warnings)
  if (has(capabilities, CLIENT.OPTIONAL_RESULTSET_METADATA)) {
    writeUint8(out, response.metadata ? 1 : 0)
  }
  return out.take()
}
