/**
 * Readers for the few fields of a client message that the relay needs, without decoding the rest: names,
 * and where a statement's text lies. What they skip is not checked; `decodeFrontend` checks everything.
 * Bodies are `buf[bodyStart, bodyEnd)`.
 */

import { ByteReader, cStringEnd, decodeUtf8, uint16At } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { objectName, type Target } from './frontend.ts'
import { NAME_BYTES_MAX } from './limits.ts'

/** A range of the buffer that was read, without its NUL. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The text of a Query as bytes. Throws 'unterminated-string', 'trailing-bytes'. */
export function queryText(buf: Buffer, bodyStart: number, bodyEnd: number): ByteRange {
  const end = cStringEnd(buf, bodyStart, bodyEnd)
  if (end !== bodyEnd - 1) {
    throw new ProtocolError(
      'trailing-bytes',
      'remote',
      `${bodyEnd - 1 - end} bytes after the text of a Query`,
    )
  }
  return { start: bodyStart, end }
}

/** A Parse's statement name, the range of its text, and how many parameter types follow. */
export function parseHead(
  buf: Buffer,
  bodyStart: number,
  bodyEnd: number,
): { readonly statement: string; readonly text: ByteRange; readonly parameterTypes: number } {
  const nameEnd = cStringEnd(buf, bodyStart, bodyEnd)
  const statement = boundedName(buf, bodyStart, nameEnd)
  const start = nameEnd + 1
  const end = cStringEnd(buf, start, bodyEnd)
  const count = bodyEnd - end - 1 < 2 ? -1 : uint16At(buf, end + 1)
  if (count < 0 || end + 3 + count * 4 !== bodyEnd) {
    throw new ProtocolError('bad-length', 'remote', 'the parameter types of a Parse')
  }
  return { statement, text: { start, end }, parameterTypes: count }
}

/** A Bind's portal and statement names. */
export function bindNames(
  buf: Buffer,
  bodyStart: number,
  bodyEnd: number,
): { readonly portal: string; readonly statement: string } {
  const portalEnd = cStringEnd(buf, bodyStart, bodyEnd)
  const statementEnd = cStringEnd(buf, portalEnd + 1, bodyEnd)
  return {
    portal: boundedName(buf, bodyStart, portalEnd),
    statement: boundedName(buf, portalEnd + 1, statementEnd),
  }
}

/** An Execute's portal and row limit (0 is none). */
export function executeTarget(
  buf: Buffer,
  bodyStart: number,
  bodyEnd: number,
): { readonly portal: string; readonly maxRows: number } {
  const reader = new ByteReader(buf, bodyStart, bodyEnd)
  const portal = objectName(reader)
  const maxRows = Math.max(0, reader.int32())
  reader.expectEnd()
  return { portal, maxRows }
}

/** What a Describe points at. Throws 'bad-value' unless it is `S` or `P`. */
export function describeTarget(buf: Buffer, bodyStart: number, bodyEnd: number): Target {
  if (bodyStart >= bodyEnd)
    throw new ProtocolError('truncated', 'remote', 'a target without a kind')
  const kind = buf[bodyStart]
  if (kind !== 0x53 && kind !== 0x50) {
    throw new ProtocolError('bad-value', 'remote', `a target of kind ${kind}`)
  }
  const nameEnd = cStringEnd(buf, bodyStart + 1, bodyEnd)
  if (nameEnd !== bodyEnd - 1) {
    throw new ProtocolError('trailing-bytes', 'remote', 'bytes after the name of a target')
  }
  return {
    target: kind === 0x53 ? 'statement' : 'portal',
    name: boundedName(buf, bodyStart + 1, nameEnd),
  }
}

/** What a Close points at; laid out as Describe. */
export const closeTarget = describeTarget

function boundedName(buf: Buffer, start: number, end: number): string {
  if (end - start > NAME_BYTES_MAX) {
    throw new ProtocolError('too-large', 'remote', `a name over ${NAME_BYTES_MAX} bytes`)
  }
  return decodeUtf8(buf, start, end)
}
