/** Client message types the relay lists, and the few requests it makes itself. */

export const QUERY = 0x51 // 'Q'
export const PARSE = 0x50 // 'P'
export const BIND = 0x42 // 'B'
export const DESCRIBE = 0x44 // 'D'
export const EXECUTE = 0x45 // 'E'
export const CLOSE = 0x43 // 'C'
export const FLUSH = 0x48 // 'H'
export const SYNC = 0x53 // 'S'
export const FUNCTION_CALL = 0x46 // 'F'
export const COPY_DATA = 0x64 // 'd'
export const COPY_DONE = 0x63 // 'c'
export const COPY_FAIL = 0x66 // 'f'
export const TERMINATE = 0x58 // 'X'

export const CLIENT_TYPES: ReadonlySet<number> = new Set([
  QUERY,
  PARSE,
  BIND,
  DESCRIBE,
  EXECUTE,
  CLOSE,
  FLUSH,
  SYNC,
  FUNCTION_CALL,
  COPY_DATA,
  COPY_DONE,
  COPY_FAIL,
  TERMINATE,
])

/** What the server, and so the relay, discards between an error and the client's Sync. */
export const SKIPPED_TYPES: ReadonlySet<number> = new Set(
  [...CLIENT_TYPES].filter((type) => type !== SYNC && type !== TERMINATE),
)

export const TARGET_STATEMENT = 0x53 // 'S'
export const TARGET_PORTAL = 0x50 // 'P'

/** Cap of every message that carries no statement, parameters or data: names only (bytes). The server's own is 10 000. */
export const SMALL_MESSAGE_BYTES_MAX = 1024 * 1024

/** Never parses, in any server version; what the server's log shows where a statement was refused. */
export const REFUSED_QUERY = 'statement refused by sallyport'

const FLUSH_FRAME = Buffer.from([FLUSH, 0, 0, 0, 4])
const SYNC_FRAME = Buffer.from([SYNC, 0, 0, 0, 4])

export const encodeFlush = (): Buffer => FLUSH_FRAME
export const encodeSync = (): Buffer => SYNC_FRAME

export function encodeQuery(text: string): Buffer {
  return frame(QUERY, `${text}\0`)
}

export function encodeDescribe(target: 'S' | 'P', name: string): Buffer {
  return frame(DESCRIBE, `${target}${name}\0`)
}

export function encodeReadyForQuery(status: number): Buffer {
  return Buffer.from([0x5a, 0, 0, 0, 5, status])
}

const PROBE_NAME = 'sallyport_probe'

/** One question in the extended protocol under names of our own: the client's unnamed ones stay untouched. */
export function encodeProbe(sql: string): Buffer {
  return Buffer.concat([
    frame(PARSE, `${PROBE_NAME}\0${sql}\0\0\0`),
    frame(BIND, `${PROBE_NAME}\0${PROBE_NAME}\0\0\0\0\0\0\0`),
    frame(EXECUTE, `${PROBE_NAME}\0\0\0\0\0`),
    frame(CLOSE, `P${PROBE_NAME}\0`),
    frame(CLOSE, `S${PROBE_NAME}\0`),
  ])
}

function frame(type: number, body: string): Buffer {
  const bytes = Buffer.byteLength(body)
  const buf = Buffer.allocUnsafe(5 + bytes)
  buf[0] = type
  buf.writeUInt32BE(4 + bytes, 1)
  buf.write(body, 5, 'utf8')
  return buf
}
