/**
 * The packets that end things: OK, ERR and EOF, with the session state an OK may carry. Payloads only.
 *
 *     OK   0x00 or 0xfe | lenenc affected rows | lenenc insert id | status | warnings | lenenc info | lenenc state
 *     ERR  0xff | errno | '#' sqlstate | message
 *     EOF  0xfe | warnings | status                                        (without CLIENT_DEPRECATE_EOF)
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html
 */

import {
  ByteReader,
  ByteWriter,
  writeBytes,
  writeLenenc,
  writeLenencBytes,
  writeUint8,
  writeUint16,
} from './bytes.ts'
import { ProtocolError, type ServerError } from './errors.ts'
import { MASKED_ROW_BYTES_MAX } from './limits.ts'

/** First byte of a payload. */
export const HEADER = { OK: 0x00, LOCAL_INFILE: 0xfb, EOF: 0xfe, ERR: 0xff } as const

/** SERVER_STATUS bits of OK and EOF. */
export const STATUS = {
  IN_TRANS: 0x0001,
  AUTOCOMMIT: 0x0002,
  MORE_RESULTS_EXISTS: 0x0008,
  NO_GOOD_INDEX_USED: 0x0010,
  NO_INDEX_USED: 0x0020,
  CURSOR_EXISTS: 0x0040,
  LAST_ROW_SENT: 0x0080,
  DB_DROPPED: 0x0100,
  NO_BACKSLASH_ESCAPES: 0x0200,
  METADATA_CHANGED: 0x0400,
  QUERY_WAS_SLOW: 0x0800,
  PS_OUT_PARAMS: 0x1000,
  IN_TRANS_READONLY: 0x2000,
  SESSION_STATE_CHANGED: 0x4000,
  /** MariaDB only. */
  ANSI_QUOTES: 0x8000,
} as const

/** Types of session state (enum_session_state_type). */
export const SESSION_TRACK = {
  SYSTEM_VARIABLES: 0,
  SCHEMA: 1,
  STATE_CHANGE: 2,
  GTIDS: 3,
  TRANSACTION_CHARACTERISTICS: 4,
  TRANSACTION_STATE: 5,
} as const

export interface OkPacket {
  readonly affectedRows: bigint
  readonly insertId: bigint
  readonly status: number
  readonly warnings: number
  /** Views, as they came; in what character set is the session's affair. */
  readonly info: Uint8Array
  /** The session state, undecoded: see `decodeSessionState`; empty where there is none. */
  readonly sessionState: Uint8Array
}

/** `sessionTrack`: CLIENT_SESSION_TRACK is in force. `header`: 0x00, or 0xfe at the end of rows. */
export interface OkLayout {
  readonly sessionTrack: boolean
  readonly header: number
}

const NOTHING: Uint8Array = Buffer.alloc(0)

/** Of `payload[start, end)`. Throws ProtocolError where it is not an OK packet laid out so. */
export function decodeOk(
  payload: Uint8Array,
  layout: OkLayout,
  start = 0,
  end: number = payload.length,
): OkPacket {
  const reader = new ByteReader(payload, start, end)
  if (reader.uint8() !== layout.header) {
    throw new ProtocolError('bad-value', 'remote', 'not an OK packet')
  }
  const affectedRows = reader.lenencBig()
  const insertId = reader.lenencBig()
  const status = reader.uint16()
  const warnings = reader.uint16()
  let info = NOTHING
  let sessionState = NOTHING
  // The documents have the text run to the end without session tracking; both servers write its length.
  if (reader.remaining > 0) info = reader.lenencBytes()
  const changed = layout.sessionTrack && (status & STATUS.SESSION_STATE_CHANGED) !== 0
  if (changed && reader.remaining > 0) sessionState = reader.lenencBytes()
  reader.expectEnd()
  return { affectedRows, insertId, status, warnings, info, sessionState }
}

/** The payload of an OK packet. Without `sessionTrack` the session state and its flag are left out. */
export function encodeOk(ok: OkPacket, layout: OkLayout): Buffer {
  const out = new ByteWriter({ bytesMax: MASKED_ROW_BYTES_MAX })
  const { sessionTrack, header } = layout
  const changed = (ok.status & STATUS.SESSION_STATE_CHANGED) !== 0
  const tracked = sessionTrack && (changed || ok.sessionState.length > 0)
  const flags = ok.status & ~STATUS.SESSION_STATE_CHANGED
  writeUint8(out, header)
  writeLenenc(out, ok.affectedRows)
  writeLenenc(out, ok.insertId)
  writeUint16(out, tracked ? flags | STATUS.SESSION_STATE_CHANGED : flags)
  writeUint16(out, ok.warnings)
  if (tracked || ok.info.length > 0) writeLenencBytes(out, ok.info)
  if (tracked) writeLenencBytes(out, ok.sessionState)
  return out.take()
}

/** An OK that says nothing but the status. */
export function plainOk(status: number, warnings = 0): OkPacket {
  return {
    affectedRows: 0n,
    insertId: 0n,
    status,
    warnings,
    info: NOTHING,
    sessionState: NOTHING,
  }
}

export interface EofPacket {
  readonly warnings: number
  readonly status: number
}

/** Of `payload[start, end)`. Throws ProtocolError where it is not an EOF packet of protocol 4.1. */
export function decodeEof(payload: Uint8Array, start = 0, end: number = payload.length): EofPacket {
  const reader = new ByteReader(payload, start, end)
  if (reader.uint8() !== HEADER.EOF) {
    throw new ProtocolError('bad-value', 'remote', 'not an EOF packet')
  }
  const warnings = reader.uint16()
  const status = reader.uint16()
  reader.expectEnd()
  return { warnings, status }
}

export function encodeEof(eof: EofPacket): Buffer {
  const out = new ByteWriter()
  writeUint8(out, HEADER.EOF)
  writeUint16(out, eof.warnings)
  writeUint16(out, eof.status)
  return out.take()
}

export interface ErrPacket {
  readonly errno: number
  /** Null in the packets a server sends before it knows its client, or to one before 4.1. */
  readonly sqlstate: string | null
  readonly message: string
}

/** Text that is not UTF-8 has U+FFFD in it. Throws ProtocolError where it is not an ERR packet. */
export function decodeErr(payload: Uint8Array): ErrPacket {
  const reader = new ByteReader(payload)
  if (reader.uint8() !== HEADER.ERR) {
    throw new ProtocolError('bad-value', 'remote', 'not an ERR packet')
  }
  const errno = reader.uint16()
  let sqlstate: string | null = null
  if (reader.peek() === 0x23 && reader.remaining >= 6) {
    reader.skip(1)
    sqlstate = reader.bytes(5).toString('latin1')
  }
  return { errno, sqlstate, message: reader.rest().toString('utf8') }
}

export function encodeErr(err: ErrPacket): Buffer {
  const out = new ByteWriter()
  writeUint8(out, HEADER.ERR)
  writeUint16(out, err.errno)
  if (err.sqlstate !== null) {
    if (!/^[0-9A-Z]{5}$/.test(err.sqlstate)) {
      throw new ProtocolError('bad-value', 'local', 'not an SQLSTATE')
    }
    writeBytes(out, Buffer.from(`#${err.sqlstate}`, 'latin1'))
  }
  writeBytes(out, Buffer.from(err.message, 'utf8'))
  return out.take()
}

/** The payload of an ERR for one of the errors of `ER`. */
export function errorPayload(error: ServerError, message: string): Buffer {
  return encodeErr({ errno: error.errno, sqlstate: error.sqlstate, message })
}
