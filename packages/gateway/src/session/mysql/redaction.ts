/**
 * The server's errors as a principal under masks may read them: number, SQLSTATE and the names of objects stay,
 * what can hold a value goes.
 * https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html
 */
import { decodeErr, type ErrPacket, encodeErr } from '@sallyport/protocol-mysql'

const WITHHELD = '…'

/** Errors whose messages are made of names and words, never of data; numbers of MySQL and MariaDB alike. */
const NAMES_ONLY: ReadonlySet<number> = new Set([
  1007, 1008, 1036, 1040, 1044, 1045, 1046, 1047, 1048, 1049, 1050, 1051, 1052, 1054, 1055, 1056,
  1058, 1059, 1060, 1061, 1063, 1066, 1068, 1069, 1070, 1071, 1072, 1075, 1091, 1094, 1095, 1099,
  1100, 1101, 1109, 1110, 1111, 1113, 1115, 1136, 1137, 1140, 1142, 1143, 1146, 1147, 1148, 1149,
  1153, 1158, 1159, 1160, 1161, 1165, 1166, 1193, 1203, 1205, 1207, 1213, 1215, 1222, 1226, 1227,
  1231, 1234, 1235, 1238, 1239, 1241, 1242, 1243, 1248, 1250, 1267, 1270, 1271, 1273, 1288, 1290,
  1295, 1305, 1317, 1318, 1329, 1347, 1348, 1356, 1364, 1370, 1382, 1393, 1394, 1412, 1421, 1422,
  1442, 1443, 1451, 1452, 1461, 1471, 1406, 1264, 1568, 1583, 1586, 1615, 1792, 1836, 1969, 3024,
  3065, 3094, 3105, 3554, 3572, 3636, 3819, 3948, 4025, 4031,
])
/** Messages that repeat part of the statement: what is in it the client knows. */
const REPEATS_STATEMENT: ReadonlySet<number> = new Set([1064, 1149])
/** SIGNAL, RESIGNAL, and what user-defined functions and the audit plugins say. */
const RAISED: ReadonlySet<number> = new Set([1643, 1644, 1645, 1641, 1642])

const QUOTED = /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"/g
const NUMBER = /[-+]?\d[\d.,:/-]*/g

/** The payload [start, end) of an ERR packet as it may be read. */
export function redactError(buf: Buffer, start: number, end: number): Buffer {
  return encodeErr(redactErr(decodeErr(buf.subarray(start, end))))
}

export function redactErr(err: ErrPacket): ErrPacket {
  return { ...err, message: messageOf(err) }
}

function messageOf({ errno, sqlstate, message }: ErrPacket): string {
  if (RAISED.has(errno) || sqlstate?.startsWith('45') === true) {
    return 'a routine of the database raised this error; its text is withheld: it may hold masked values'
  }
  if (REPEATS_STATEMENT.has(errno)) return message
  // Of these, only the number of a row is not the schema's.
  if (NAMES_ONLY.has(errno)) return message.replace(/\b(at )?row \d+/g, `$1row ${WITHHELD}`)
  return redactText(message)
}

/** A message of which it is not known what kind it is. */
export function redactText(message: string): string {
  return message.replace(QUOTED, `'${WITHHELD}'`).replace(NUMBER, WITHHELD)
}
