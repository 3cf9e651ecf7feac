/**
 * The one error of this package, and the server errors its users need by symbol.
 *
 * A ProtocolError means "these bytes (or this call) are not legal here": whoever catches it ends the
 * connection. It never carries a value from the wire beyond numbers, so its message may be logged.
 *
 * https://dev.mysql.com/doc/mysql-errors/9.4/en/server-error-reference.html
 */

/** A server error: its number and the SQLSTATE that goes with it. */
export interface ServerError {
  readonly errno: number
  readonly sqlstate: string
}

/** Server errors by symbol (MySQL 9; numbers and states are MariaDB's too). */
export const ER = {
  CON_COUNT_ERROR: { errno: 1040, sqlstate: '08004' },
  OUT_OF_RESOURCES: { errno: 1041, sqlstate: 'HY000' },
  HANDSHAKE_ERROR: { errno: 1043, sqlstate: '08S01' },
  DBACCESS_DENIED_ERROR: { errno: 1044, sqlstate: '42000' },
  ACCESS_DENIED_ERROR: { errno: 1045, sqlstate: '28000' },
  NO_DB_ERROR: { errno: 1046, sqlstate: '3D000' },
  UNKNOWN_COM_ERROR: { errno: 1047, sqlstate: '08S01' },
  BAD_DB_ERROR: { errno: 1049, sqlstate: '42000' },
  SERVER_SHUTDOWN: { errno: 1053, sqlstate: '08S01' },
  PARSE_ERROR: { errno: 1064, sqlstate: '42000' },
  NO_SUCH_THREAD: { errno: 1094, sqlstate: 'HY000' },
  KILL_DENIED_ERROR: { errno: 1095, sqlstate: 'HY000' },
  UNKNOWN_ERROR: { errno: 1105, sqlstate: 'HY000' },
  UNKNOWN_CHARACTER_SET: { errno: 1115, sqlstate: '42000' },
  TABLEACCESS_DENIED_ERROR: { errno: 1142, sqlstate: '42000' },
  NOT_ALLOWED_COMMAND: { errno: 1148, sqlstate: '42000' },
  NET_PACKET_TOO_LARGE: { errno: 1153, sqlstate: '08S01' },
  NET_PACKETS_OUT_OF_ORDER: { errno: 1156, sqlstate: '08S01' },
  NET_READ_INTERRUPTED: { errno: 1159, sqlstate: '08S01' },
  SPECIFIC_ACCESS_DENIED_ERROR: { errno: 1227, sqlstate: '42000' },
  NOT_SUPPORTED_YET: { errno: 1235, sqlstate: '42000' },
  UNKNOWN_STMT_HANDLER: { errno: 1243, sqlstate: 'HY000' },
  SECURE_TRANSPORT_REQUIRED: { errno: 3159, sqlstate: 'HY000' },
  QUERY_INTERRUPTED: { errno: 1317, sqlstate: '70100' },
  STMT_HAS_NO_OPEN_CURSOR: { errno: 1421, sqlstate: 'HY000' },
  MAX_PREPARED_STMT_COUNT_REACHED: { errno: 1461, sqlstate: '42000' },
  NEED_REPREPARE: { errno: 1615, sqlstate: 'HY000' },
  MALFORMED_PACKET: { errno: 1835, sqlstate: 'HY000' },
  CLIENT_LOCAL_FILES_DISABLED: { errno: 3948, sqlstate: '42000' },
} as const satisfies Readonly<Record<string, ServerError>>

/** What went wrong, stable across releases; match on this, never on the message. */
export type ProtocolErrorCode =
  /** a packet, count or text over a named cap of `limits.ts` */
  | 'too-large'
  /** the payload ends inside a field */
  | 'truncated'
  /** the payload goes on after its last field */
  | 'trailing-bytes'
  /** no NUL before the end of the payload */
  | 'unterminated-string'
  /** text that is not UTF-8 */
  | 'invalid-utf8'
  /** a field whose value is not one the protocol lists */
  | 'bad-value'
  /** a sequence id that is not the next one */
  | 'packets-out-of-order'
  /** the first packet of a connection is none of this protocol, or of its version before 4.1 */
  | 'bad-handshake'
  /** the peer's capabilities leave out what cannot be done without */
  | 'capabilities'
  /** bytes in clear where TLS was to come, or TLS where it is not offered */
  | 'tls'
  /** the peer asks for an authentication we don't do, or don't do on this channel */
  | 'unsupported-authentication'
  /** an authentication exchange whose content is wrong */
  | 'bad-authentication'
  /** a mask wrote something other than what it reported, or than its column's type can hold */
  | 'mask-contract'
  /** a method called in a state that does not allow it */
  | 'illegal-call'
  /** relay: a reply that answers nothing, or not what was asked */
  | 'out-of-sync'
  /** relay: more unanswered commands than EXPECTED_REPLIES_MAX */
  | 'too-many-requests'
  /** relay: rows under masks whose columns were never described */
  | 'undescribed-rows'

const SERVER_ERROR_FOR: Partial<Record<ProtocolErrorCode, ServerError>> = {
  'too-large': ER.NET_PACKET_TOO_LARGE,
  'packets-out-of-order': ER.NET_PACKETS_OUT_OF_ORDER,
  'bad-handshake': ER.HANDSHAKE_ERROR,
  capabilities: ER.HANDSHAKE_ERROR,
  tls: ER.HANDSHAKE_ERROR,
  'unsupported-authentication': ER.ACCESS_DENIED_ERROR,
  'bad-authentication': ER.ACCESS_DENIED_ERROR,
  'mask-contract': ER.UNKNOWN_ERROR,
  'illegal-call': ER.UNKNOWN_ERROR,
  'out-of-sync': ER.UNKNOWN_ERROR,
  'undescribed-rows': ER.UNKNOWN_ERROR,
  'too-many-requests': ER.OUT_OF_RESOURCES,
}

/** Who is at fault: the peer (`remote`: close the connection) or this program (`local`: a bug). */
export type ProtocolErrorSide = 'local' | 'remote'

/**
 * Bytes or a call that the protocol does not allow. Fatal to the connection it happened on.
 * The message holds numbers, field and packet names; never text that came over the wire.
 */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode
  readonly side: ProtocolErrorSide
  /** What to tell the client, if it is told anything. */
  readonly serverError: ServerError

  constructor(
    code: ProtocolErrorCode,
    side: ProtocolErrorSide,
    message: string,
    options: { serverError?: ServerError; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ProtocolError'
    this.code = code
    this.side = side
    this.serverError = options.serverError ?? SERVER_ERROR_FOR[code] ?? ER.MALFORMED_PACKET
  }
}

/** The end of every `switch` over a union: a new case fails to compile, a foreign value throws. */
export function assertNever(x: never): never {
  throw new ProtocolError('illegal-call', 'local', `unexpected case \`${String(x)}\``)
}
