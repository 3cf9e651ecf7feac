/**
 * The one error of this package, and the SQLSTATEs its users need by name.
 *
 * A ProtocolError means "these bytes (or this call) are not legal here": whoever catches it ends the
 * connection. It never carries a value from the wire beyond numbers, so its message may be logged.
 *
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */

/** SQLSTATEs by condition name (PostgreSQL 18, Appendix A), plus `HELD` of class SP, which is ours. */
export const SQLSTATE = {
  SUCCESSFUL_COMPLETION: '00000',
  CONNECTION_EXCEPTION: '08000',
  CONNECTION_DOES_NOT_EXIST: '08003',
  CONNECTION_FAILURE: '08006',
  CANNOT_CONNECT: '08001',
  CONNECTION_REJECTED: '08004',
  PROTOCOL_VIOLATION: '08P01',
  FEATURE_NOT_SUPPORTED: '0A000',
  INVALID_PARAMETER_VALUE: '22023',
  CHARACTER_NOT_IN_REPERTOIRE: '22021',
  IN_FAILED_SQL_TRANSACTION: '25P02',
  READ_ONLY_SQL_TRANSACTION: '25006',
  IDLE_SESSION_TIMEOUT: '57P05',
  INVALID_SQL_STATEMENT_NAME: '26000',
  INVALID_AUTHORIZATION: '28000',
  INVALID_PASSWORD: '28P01',
  INVALID_CURSOR_NAME: '34000',
  INVALID_CATALOG_NAME: '3D000',
  DEADLOCK_DETECTED: '40P01',
  INSUFFICIENT_PRIVILEGE: '42501',
  SYNTAX_ERROR: '42601',
  UNDEFINED_COLUMN: '42703',
  UNDEFINED_FUNCTION: '42883',
  UNDEFINED_TABLE: '42P01',
  DUPLICATE_PREPARED_STATEMENT: '42P05',
  NAME_TOO_LONG: '42622',
  INSUFFICIENT_RESOURCES: '53000',
  OUT_OF_MEMORY: '53200',
  TOO_MANY_CONNECTIONS: '53300',
  CONFIGURATION_LIMIT_EXCEEDED: '53400',
  PROGRAM_LIMIT_EXCEEDED: '54000',
  STATEMENT_TOO_COMPLEX: '54001',
  OBJECT_NOT_IN_PREREQUISITE_STATE: '55000',
  QUERY_CANCELED: '57014',
  ADMIN_SHUTDOWN: '57P01',
  CRASH_SHUTDOWN: '57P02',
  CANNOT_CONNECT_NOW: '57P03',
  SYSTEM_ERROR: '58000',
  INTERNAL_ERROR: 'XX000',
  DATA_CORRUPTED: 'XX001',
  HELD: 'SP001',
  APPROVAL_DENIED: 'SP002',
  APPROVAL_EXPIRED: 'SP003',
} as const

/** What went wrong, stable across releases; match on this, never on the message. */
export type ProtocolErrorCode =
  /** a type byte not listed for that direction */
  | 'unknown-message'
  /** a listed message that is not legal in the present state */
  | 'unexpected-message'
  /** a length word below its minimum, or one that contradicts the content */
  | 'bad-length'
  /** a length, count or text over a named cap of `limits.ts` */
  | 'too-large'
  /** the body ends inside a field */
  | 'truncated'
  /** the body goes on after its last field */
  | 'trailing-bytes'
  /** no NUL before the end of the body */
  | 'unterminated-string'
  /** text that is not UTF-8 */
  | 'invalid-utf8'
  /** a field whose value is not one the protocol lists */
  | 'bad-value'
  /** a count of columns, formats or parameters that contradicts another */
  | 'bad-count'
  /** the first bytes of a connection are nothing we know */
  | 'bad-startup'
  /** a protocol major version other than 3 */
  | 'unsupported-protocol'
  /** the same start-up parameter twice */
  | 'duplicate-parameter'
  /** the `options` parameter is not what the server's command line accepts */
  | 'bad-options'
  /** bytes in clear before, or together with, the TLS handshake (CVE-2021-23222, CVE-2021-23214) */
  | 'bytes-before-tls'
  /** TLS refused, asked for twice, or established without the protocol name */
  | 'tls'
  /** the peer asks for an authentication we don't do, or don't do on this channel */
  | 'unsupported-authentication'
  /** an authentication exchange whose content is wrong */
  | 'bad-authentication'
  /** SCRAM: the other side could not prove that it knows the password */
  | 'authentication-proof'
  /** a COPY row that the server's own writer would not have produced */
  | 'malformed-copy'
  /** a mask wrote something other than what it reported */
  | 'mask-contract'
  /** a method called in a state that does not allow it */
  | 'illegal-call'
  /** relay: a length word out of its range */
  | 'message-length'
  /** relay: a body that is not laid out as its message is */
  | 'malformed'
  /** relay: a reply that answers nothing, or not what was asked */
  | 'out-of-sync'
  /** relay: more unanswered requests than EXPECTED_REPLIES_MAX */
  | 'too-many-requests'
  /** relay: rows under masks whose columns were never described */
  | 'undescribed-rows'

const SQLSTATE_FOR: Partial<Record<ProtocolErrorCode, string>> = {
  'too-large': SQLSTATE.PROGRAM_LIMIT_EXCEEDED,
  'invalid-utf8': SQLSTATE.CHARACTER_NOT_IN_REPERTOIRE,
  'unsupported-protocol': SQLSTATE.FEATURE_NOT_SUPPORTED,
  'bad-options': SQLSTATE.SYNTAX_ERROR,
  'unsupported-authentication': SQLSTATE.FEATURE_NOT_SUPPORTED,
  'bad-authentication': SQLSTATE.INVALID_AUTHORIZATION,
  'authentication-proof': SQLSTATE.INVALID_AUTHORIZATION,
  'mask-contract': SQLSTATE.INTERNAL_ERROR,
  'illegal-call': SQLSTATE.INTERNAL_ERROR,
  'too-many-requests': SQLSTATE.PROGRAM_LIMIT_EXCEEDED,
  'undescribed-rows': SQLSTATE.INTERNAL_ERROR,
}

/** Who is at fault: the peer (`remote`: close the connection) or this program (`local`: a bug). */
export type ProtocolErrorSide = 'local' | 'remote'

/**
 * Bytes or a call that the protocol does not allow. Fatal to the connection it happened on.
 * The message holds numbers, message types and field names; never text that came over the wire.
 */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode
  readonly side: ProtocolErrorSide
  /** The SQLSTATE to tell the client, if it is told anything. */
  readonly sqlstate: string

  constructor(
    code: ProtocolErrorCode,
    side: ProtocolErrorSide,
    message: string,
    options: { sqlstate?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ProtocolError'
    this.code = code
    this.side = side
    this.sqlstate = options.sqlstate ?? SQLSTATE_FOR[code] ?? SQLSTATE.PROTOCOL_VIOLATION
  }
}

/** The end of every `switch` over a union: a new case fails to compile, a foreign value throws. */
export function assertNever(x: never): never {
  throw new ProtocolError('illegal-call', 'local', `unexpected case \`${String(x)}\``)
}
