/** The few requests the relay makes itself, and what it calls the client's. */
import { FRONTEND } from '../frames.ts'
import { encodeFrontend, type FrontendMessage } from '../frontend.ts'

/** What the server, and so the relay, discards between an error and the client's Sync. */
export const SKIPPED_TYPES: ReadonlySet<number> = new Set<number>(
  Object.values(FRONTEND).filter(
    (type) => type !== FRONTEND.SYNC && type !== FRONTEND.TERMINATE && type !== FRONTEND.PASSWORD,
  ),
)

export const TARGET_STATEMENT = 0x53 // 'S'
export const TARGET_PORTAL = 0x50 // 'P'

export const FLUSH_FRAME = encodeFrontend({ kind: 'Flush' })
export const SYNC_FRAME = encodeFrontend({ kind: 'Sync' })

export const COPY_REFUSED = encodeFrontend({ kind: 'CopyFail', message: 'refused by sallyport' })

/** Never parses, in any server version; what the server's log shows where a statement was refused. */
const REFUSED_TEXT = 'statement refused by sallyport'
export const REFUSED_QUERY = encodeFrontend({ kind: 'Query', text: REFUSED_TEXT })
export const REFUSED_PARSE = encodeFrontend({
  kind: 'Parse',
  statement: '',
  text: REFUSED_TEXT,
  parameterTypes: [],
})

/** One question in the extended protocol under a name of our own: the client's unnamed ones stay untouched. */
export function encodeProbe(sql: string, name: string): Buffer {
  const messages: FrontendMessage[] = [
    { kind: 'Parse', statement: name, text: sql, parameterTypes: [] },
    {
      kind: 'Bind',
      portal: name,
      statement: name,
      parameterFormats: [],
      values: [],
      resultFormats: [],
    },
    { kind: 'Execute', portal: name, maxRows: 0 },
    { kind: 'Close', target: 'portal', name },
    { kind: 'Close', target: 'statement', name },
  ]
  return encodeFrontend(...messages)
}

/** `name` as the relay keeps names: one character a byte. */
export function encodeDescribe(target: number, name: string): Buffer {
  const buf = Buffer.allocUnsafe(7 + name.length)
  buf[0] = FRONTEND.DESCRIBE
  buf.writeUInt32BE(6 + name.length, 1)
  buf[5] = target
  buf.write(name, 6, 'latin1')
  buf[6 + name.length] = 0
  return buf
}
