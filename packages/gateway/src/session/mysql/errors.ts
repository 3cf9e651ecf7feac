/**
 * The gateway's own reports as MySQL errors: a number drivers know, its SQLSTATE, and one text, because the
 * protocol has no room for detail and hint.
 * https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html
 */
import { type ErrPacket, encodeErr } from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { Report } from '../reports.ts'

/** As clients of MySQL and MariaDB see it. */
export interface MysqlCode {
  readonly errno: number
  readonly sqlstate: string
}

/** ER_UNKNOWN_ERROR: what the gateway says has no number of its own. */
const UNKNOWN: MysqlCode = { errno: 1105, sqlstate: 'HY000' }
/** ER_ACCESS_DENIED_ERROR. */
const ACCESS_DENIED: MysqlCode = { errno: 1045, sqlstate: '28000' }
/** ER_PARSE_ERROR. */
const PARSE_ERROR: MysqlCode = { errno: 1064, sqlstate: '42000' }
/** ER_SERVER_SHUTDOWN. */
const SHUTDOWN: MysqlCode = { errno: 1053, sqlstate: '08S01' }

const CODES: Readonly<Record<string, MysqlCode>> = {
  // ER_SPECIFIC_ACCESS_DENIED_ERROR
  [SQLSTATE.INSUFFICIENT_PRIVILEGE]: { errno: 1227, sqlstate: '42000' },
  // ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR, ER_SP_DOES_NOT_EXIST
  [SQLSTATE.UNDEFINED_TABLE]: { errno: 1146, sqlstate: '42S02' },
  [SQLSTATE.UNDEFINED_COLUMN]: { errno: 1054, sqlstate: '42S22' },
  [SQLSTATE.UNDEFINED_FUNCTION]: { errno: 1305, sqlstate: '42000' },
  [SQLSTATE.INVALID_PASSWORD]: ACCESS_DENIED,
  [SQLSTATE.INVALID_AUTHORIZATION]: ACCESS_DENIED,
  // ER_BAD_DB_ERROR
  [SQLSTATE.INVALID_CATALOG_NAME]: { errno: 1049, sqlstate: '42000' },
  // ER_CON_COUNT_ERROR
  [SQLSTATE.TOO_MANY_CONNECTIONS]: { errno: 1040, sqlstate: '08004' },
  // ER_USER_LIMIT_REACHED
  [SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED]: { errno: 1226, sqlstate: '42000' },
  [SQLSTATE.SYNTAX_ERROR]: PARSE_ERROR,
  // What the reader of MySQL texts says of one that is none.
  '42000': PARSE_ERROR,
  // ER_NOT_SUPPORTED_YET
  [SQLSTATE.FEATURE_NOT_SUPPORTED]: { errno: 1235, sqlstate: '42000' },
  // ER_CONNECT_TO_FOREIGN_DATA_SOURCE
  [SQLSTATE.CONNECTION_FAILURE]: { errno: 1429, sqlstate: 'HY000' },
  [SQLSTATE.CONNECTION_REJECTED]: { errno: 1429, sqlstate: 'HY000' },
  // ER_CLIENT_INTERACTION_TIMEOUT
  [SQLSTATE.IDLE_SESSION_TIMEOUT]: { errno: 4031, sqlstate: 'HY000' },
  [SQLSTATE.ADMIN_SHUTDOWN]: SHUTDOWN,
  [SQLSTATE.CANNOT_CONNECT_NOW]: SHUTDOWN,
  // ER_LOCK_DEADLOCK
  [SQLSTATE.DEADLOCK_DETECTED]: { errno: 1213, sqlstate: '40001' },
  // ER_QUERY_INTERRUPTED
  [SQLSTATE.QUERY_CANCELED]: { errno: 1317, sqlstate: '70100' },
  // Machine-readable: whoever waits for an approval looks for it.
  [SQLSTATE.HELD]: { errno: UNKNOWN.errno, sqlstate: SQLSTATE.HELD },
  [SQLSTATE.APPROVAL_DENIED]: { errno: UNKNOWN.errno, sqlstate: SQLSTATE.APPROVAL_DENIED },
  [SQLSTATE.APPROVAL_EXPIRED]: { errno: UNKNOWN.errno, sqlstate: SQLSTATE.APPROVAL_EXPIRED },
}

/** What clients see in place of a SQLSTATE of PostgreSQL's, which is what verdicts and reports are in. */
export function mysqlCodeOf(sqlstate: string): MysqlCode {
  return CODES[sqlstate] ?? UNKNOWN
}

export function errPacketOf(report: Report): ErrPacket {
  const { errno, sqlstate } = mysqlCodeOf(report.sqlstate)
  const { message, detail, hint } = report
  const parts = [message, detail, hint].filter((part) => part !== undefined && part !== '')
  return { errno, sqlstate, message: parts.map(sentence).join(' ') }
}

/** The payload of an ERR packet. */
export function errorPayloadOf(report: Report): Buffer {
  return encodeErr(errPacketOf(report))
}

/** One text of several: each ends where the next begins. */
function sentence(part: string | undefined, index: number, all: readonly unknown[]): string {
  const text = part ?? ''
  return index === all.length - 1 || /[.!?:;]$/.test(text) ? text : `${text}.`
}
