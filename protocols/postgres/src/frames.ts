/**
 * Message framing after start-up: a type byte, then an Int32 length that counts itself, then the body.
 * Which types exist in which direction and how long each may be is here; what they mean is not.
 * Nothing is allocated per frame.
 *
 *     0      1         5              1 + length
 *     | type | length  | body ...     |
 *     start            bodyStart      frameEnd
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

import { int32At } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { MESSAGE_BYTES_MAX, SHORT_REPLY_BYTES_MAX, SMALL_MESSAGE_BYTES_MAX } from './limits.ts'

/** Type bytes of messages a client sends. `p` is four messages; the login state tells them apart. */
export const FRONTEND = {
  BIND: 0x42, // B
  CLOSE: 0x43, // C
  COPY_DATA: 0x64, // d
  COPY_DONE: 0x63, // c
  COPY_FAIL: 0x66, // f
  DESCRIBE: 0x44, // D
  EXECUTE: 0x45, // E
  FLUSH: 0x48, // H
  FUNCTION_CALL: 0x46, // F
  PARSE: 0x50, // P
  PASSWORD: 0x70, // p
  QUERY: 0x51, // Q
  SYNC: 0x53, // S
  TERMINATE: 0x58, // X
} as const

/** Type bytes of messages the database sends. */
export const BACKEND = {
  AUTHENTICATION: 0x52, // R
  BACKEND_KEY_DATA: 0x4b, // K
  BIND_COMPLETE: 0x32, // 2
  CLOSE_COMPLETE: 0x33, // 3
  COMMAND_COMPLETE: 0x43, // C
  COPY_BOTH_RESPONSE: 0x57, // W
  COPY_DATA: 0x64, // d
  COPY_DONE: 0x63, // c
  COPY_IN_RESPONSE: 0x47, // G
  COPY_OUT_RESPONSE: 0x48, // H
  DATA_ROW: 0x44, // D
  EMPTY_QUERY_RESPONSE: 0x49, // I
  ERROR_RESPONSE: 0x45, // E
  FUNCTION_CALL_RESPONSE: 0x56, // V
  NEGOTIATE_PROTOCOL_VERSION: 0x76, // v
  NO_DATA: 0x6e, // n
  NOTICE_RESPONSE: 0x4e, // N
  NOTIFICATION_RESPONSE: 0x41, // A
  PARAMETER_DESCRIPTION: 0x74, // t
  PARAMETER_STATUS: 0x53, // S
  PARSE_COMPLETE: 0x31, // 1
  PORTAL_SUSPENDED: 0x73, // s
  READY_FOR_QUERY: 0x5a, // Z
  ROW_DESCRIPTION: 0x54, // T
} as const

/** Type byte plus length word. */
export const HEADER_BYTES = 5

export type Direction = 'frontend' | 'backend'

/** Per type byte the most the length word may say; 0 is a type that does not exist. */
export type FrameTable = Uint32Array

const FRONTEND_LONG: readonly number[] = [
  FRONTEND.QUERY,
  FRONTEND.PARSE,
  FRONTEND.BIND,
  FRONTEND.FUNCTION_CALL,
  FRONTEND.COPY_DATA,
  FRONTEND.PASSWORD,
]

// libpq's list, and three more whose content has no bound of its own: the ParameterDescription of a
// statement with 65,535 parameters, a setting's value, and the list of a NegotiateProtocolVersion.
const BACKEND_LONG: readonly number[] = [
  BACKEND.ROW_DESCRIPTION,
  BACKEND.DATA_ROW,
  BACKEND.COPY_DATA,
  BACKEND.FUNCTION_CALL_RESPONSE,
  BACKEND.ERROR_RESPONSE,
  BACKEND.NOTICE_RESPONSE,
  BACKEND.NOTIFICATION_RESPONSE,
  BACKEND.PARAMETER_DESCRIPTION,
  BACKEND.PARAMETER_STATUS,
  BACKEND.NEGOTIATE_PROTOCOL_VERSION,
]

/**
 * Caps per type byte for one direction. `messageBytesMax` (length word included) bounds the long
 * messages; the short ones keep SMALL_MESSAGE_BYTES_MAX or SHORT_REPLY_BYTES_MAX.
 */
export function frameTable(
  direction: Direction,
  messageBytesMax: number = MESSAGE_BYTES_MAX,
): FrameTable {
  const frontend = direction === 'frontend'
  const long = frontend ? FRONTEND_LONG : BACKEND_LONG
  const short = frontend ? SMALL_MESSAGE_BYTES_MAX : SHORT_REPLY_BYTES_MAX
  const table = new Uint32Array(256)
  for (const type of Object.values(frontend ? FRONTEND : BACKEND)) {
    table[type] = Math.min(messageBytesMax, long.includes(type) ? MESSAGE_BYTES_MAX : short)
  }
  return table
}

/** Type byte of the frame at `at`; the caller has at least one byte. */
export function frameType(buf: Uint8Array, at: number): number {
  return buf[at]!
}

/** Length word of the frame at `at` (counts itself, not the type byte); the caller has five bytes. */
export function frameLength(buf: Uint8Array, at: number): number {
  return int32At(buf, at + 1)
}

/**
 * What `FrameCursor.next` found: `frame` a whole frame; `partial` a valid header whose body is not
 * all there (`type`, `bodyStart`, `frameEnd`, `wanted` are set); `short` fewer than five bytes.
 */
export type FrameFound = 'frame' | 'partial' | 'short'

/**
 * Walks frames in place. The fields describe the frame last found and change with the next call, so
 * one cursor serves a connection for its whole life.
 */
export class FrameCursor {
  /** Type byte, or 0 after `short` with nothing there. */
  type = 0
  /** Index of the type byte. */
  start = 0
  /** Index of the first body byte. */
  bodyStart = 0
  /** Index after the last body byte; past `end` after `partial`. */
  frameEnd = 0
  /** Bytes from `start` needed for a whole frame, as far as known: HEADER_BYTES after `short`. */
  wanted = 0
  readonly #table: FrameTable

  constructor(table: FrameTable) {
    this.#table = table
  }

  /**
   * Looks at `buf[start, end)`. Throws 'unknown-message' at the first byte of a type not in the
   * table, 'bad-length' below 4, 'too-large' over the type's cap: before any of the body arrives.
   */
  next(buf: Uint8Array, start: number, end: number): FrameFound {
    this.start = start
    this.bodyStart = start + HEADER_BYTES
    this.frameEnd = start + HEADER_BYTES
    this.wanted = HEADER_BYTES
    if (start >= end) {
      this.type = 0
      return 'short'
    }
    const type = buf[start]!
    const cap = this.#table[type]!
    this.type = type
    if (cap === 0) throw unknownType(type)
    if (end - start < HEADER_BYTES) return 'short'
    const length = int32At(buf, start + 1)
    if (length < 4 || length > cap) throw badLength(type, length, cap)
    this.frameEnd = start + 1 + length
    this.wanted = 1 + length
    return this.frameEnd <= end ? 'frame' : 'partial'
  }
}

/** The type byte as people write it, for messages: a letter, or hex where it is not printable ASCII. */
export function typeName(type: number): string {
  return type > 0x20 && type < 0x7f
    ? String.fromCharCode(type)
    : `0x${type.toString(16).padStart(2, '0')}`
}

function unknownType(type: number): ProtocolError {
  return new ProtocolError(
    'unknown-message',
    'remote',
    `message type \`${typeName(type)}\` is not listed`,
  )
}

function badLength(type: number, length: number, cap: number): ProtocolError {
  return length < 4
    ? new ProtocolError('bad-length', 'remote', `message \`${typeName(type)}\` of length ${length}`)
    : new ProtocolError(
        'too-large',
        'remote',
        `message \`${typeName(type)}\` of ${length} bytes, the cap is ${cap}`,
      )
}
