/** The few requests the relay makes itself, and what it calls the client's. */
import { FRONTEND } from '../frames.ts'
import { encodeFrontend, type FrontendMessage } from '../frontend.ts'
import { bindParametersEnd } from './peek.ts'

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

/** It ends before it names its function. */
export const REFUSED_CALL = frame(FRONTEND.FUNCTION_CALL)

/** A question of ours: its text, and for one with parameters those of a client's Parse and Bind. */
export interface Question {
  readonly text: string
  /** See PreparedStatement.types. */
  readonly types: Buffer | null
  /** The Bind's body behind its names; null: without parameters. */
  readonly bind: Buffer | null
}

/** One question in the extended protocol under a name of our own: the client's unnamed ones stay untouched. */
export function encodeProbe({ text, types, bind }: Question, name: string): Buffer {
  const gone: FrontendMessage[] = [
    { kind: 'Close', target: 'portal', name },
    { kind: 'Close', target: 'statement', name },
  ]
  const count = Buffer.alloc(2)
  count.writeUInt16BE((types?.length ?? 0) / 4)
  return Buffer.concat([
    // One that failed as it ran is still there: what came after the error was skipped.
    encodeFrontend(...gone),
    frame(FRONTEND.PARSE, cString(name), cString(text), count, types ?? NOTHING),
    frame(FRONTEND.BIND, cString(name), cString(name), bindBody(bind)),
    encodeFrontend({ kind: 'Execute', portal: name, maxRows: 0 }, ...gone),
  ])
}

const NOTHING = Buffer.alloc(0)
/** Formats of results: none, which is text for each. */
const ALL_TEXT = Buffer.alloc(2)

/** The client's parameters; the answer in text, however many columns the client's own would have. */
function bindBody(bind: Buffer | null): Buffer {
  if (bind === null) return Buffer.alloc(6)
  return Buffer.concat([bind.subarray(0, bindParametersEnd(bind, 0, bind.length)), ALL_TEXT])
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf8')
}

function frame(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head[0] = type
  head.writeUInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

/** A Query of this text, UTF-8. */
export function encodeQuery(text: Buffer): Buffer {
  const buf = Buffer.allocUnsafe(6 + text.length)
  buf[0] = FRONTEND.QUERY
  buf.writeUInt32BE(5 + text.length, 1)
  text.copy(buf, 5)
  buf[5 + text.length] = 0
  return buf
}

/** A Parse frame with another text in place of the one that begins at `textStart`. */
export function withText(frame: Buffer, textStart: number, text: Buffer): Buffer {
  const types = frame.subarray(frame.indexOf(0, textStart))
  const made = Buffer.concat([frame.subarray(0, textStart), text, types])
  made.writeUInt32BE(made.length - 1, 1)
  return made
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
