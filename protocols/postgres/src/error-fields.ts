/**
 * The fields of ErrorResponse and NoticeResponse: one shape, decoded, encoded, rewritten in a frame.
 * A field type that PostgreSQL 18 does not list is dropped on decoding, as §54.8 tells a client to.
 *
 *     | E or N | length | (Byte1 field type, String value)* | 0 |
 *
 * https://www.postgresql.org/docs/18/protocol-error-fields.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import {
  ByteReader,
  closeFrame,
  cStringEnd,
  decodeUtf8,
  openFrame,
  writeCString,
  writeUint8,
} from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { BACKEND, HEADER_BYTES, typeName } from './frames.ts'

/** An error or notice as it is on the wire; numbers (`position`, `line`) are decimal text there. */
export interface ErrorFields {
  /** S: `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, `DEBUG`, `INFO`, `LOG`, or a translation. */
  readonly severity: string
  /** V: the same, never translated; absent from servers before 9.6. */
  readonly severityUntranslated?: string
  /** C */
  readonly sqlstate: string
  /** M */
  readonly message: string
  /** D */
  readonly detail?: string
  /** H */
  readonly hint?: string
  /** P: characters into the statement, from 1. */
  readonly position?: string
  /** p: characters into `internalQuery`. */
  readonly internalPosition?: string
  /** q */
  readonly internalQuery?: string
  /** W */
  readonly where?: string
  /** s */
  readonly schema?: string
  /** t */
  readonly table?: string
  /** c */
  readonly column?: string
  /** d */
  readonly dataType?: string
  /** n */
  readonly constraint?: string
  /** F */
  readonly file?: string
  /** L */
  readonly line?: string
  /** R */
  readonly routine?: string
}

/** Name of each field type, in the order the server writes them. */
const FIELD_NAMES = [
  ['S', 'severity'],
  ['V', 'severityUntranslated'],
  ['C', 'sqlstate'],
  ['M', 'message'],
  ['D', 'detail'],
  ['H', 'hint'],
  ['W', 'where'],
  ['s', 'schema'],
  ['t', 'table'],
  ['c', 'column'],
  ['d', 'dataType'],
  ['n', 'constraint'],
  ['P', 'position'],
  ['p', 'internalPosition'],
  ['q', 'internalQuery'],
  ['F', 'file'],
  ['L', 'line'],
  ['R', 'routine'],
] as const satisfies readonly (readonly [string, keyof ErrorFields])[]

const NAME_OF: ReadonlyMap<number, keyof ErrorFields> = new Map(
  FIELD_NAMES.map(([type, name]) => [type.charCodeAt(0), name]),
)

/**
 * Reads the body `bytes[start, end)`. Throws 'bad-value' where severity, SQLSTATE or message is
 * missing or a field comes twice, and what the reader throws. With `lossy`, text that is not UTF-8
 * (an error before client_encoding is in force) has U+FFFD for what cannot be read.
 */
export function decodeErrorFields(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  options: { lossy?: boolean } = {},
): ErrorFields {
  const reader = new ByteReader(bytes, start, end)
  const fields: Partial<Record<keyof ErrorFields, string>> = {}
  for (;;) {
    const type = reader.uint8()
    if (type === 0) break
    const value = reader.cStringBytes()
    const name = NAME_OF.get(type)
    if (name === undefined) continue
    if (fields[name] !== undefined) {
      throw new ProtocolError('bad-value', 'remote', `field \`${typeName(type)}\` comes twice`)
    }
    fields[name] =
      options.lossy === true ? value.toString('utf8') : decodeUtf8(value, 0, value.length)
  }
  reader.expectEnd()
  const { severity, sqlstate, message } = fields
  if (severity === undefined || sqlstate === undefined || message === undefined) {
    throw new ProtocolError('bad-value', 'remote', 'a report without severity, code or message')
  }
  return { ...fields, severity, sqlstate, message }
}

/** Appends an ErrorResponse ('error') or NoticeResponse ('notice') frame. */
export function writeReport(out: ByteSink, type: 'error' | 'notice', fields: ErrorFields): void {
  const frame = openFrame(out, type === 'error' ? BACKEND.ERROR_RESPONSE : BACKEND.NOTICE_RESPONSE)
  for (const [code, name] of FIELD_NAMES) {
    const value = fields[name]
    if (value === undefined) continue
    writeUint8(out, code.charCodeAt(0))
    writeCString(out, value)
  }
  writeUint8(out, 0)
  closeFrame(out, frame)
}

/**
 * The ErrorResponse or NoticeResponse frame `buf[start, end)` with its fields put through `rewrite`,
 * appended to `out`. Throws ProtocolError where the frame is neither.
 */
export function rewriteErrorResponse(
  buf: Buffer,
  start: number,
  end: number,
  rewrite: (fields: ErrorFields) => ErrorFields,
  out: ByteSink,
): void {
  const type = buf[start]
  if (type !== BACKEND.ERROR_RESPONSE && type !== BACKEND.NOTICE_RESPONSE) {
    throw new ProtocolError('unexpected-message', 'local', 'the frame is no error and no notice')
  }
  const fields = decodeErrorFields(buf, start + HEADER_BYTES, end)
  writeReport(out, type === BACKEND.ERROR_RESPONSE ? 'error' : 'notice', rewrite(fields))
}

/**
 * SQLSTATE of an ErrorResponse or NoticeResponse body, without decoding the rest; undefined where it
 * has none. Throws 'unterminated-string'.
 */
export function sqlstateOf(buf: Buffer, bodyStart: number, bodyEnd: number): string | undefined {
  let at = bodyStart
  while (at < bodyEnd && buf[at] !== 0) {
    const nul = cStringEnd(buf, at + 1, bodyEnd)
    if (buf[at] === 0x43) return buf.toString('latin1', at + 1, nul)
    at = nul + 1
  }
  return undefined
}
