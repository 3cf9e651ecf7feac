/** A client's texts between bytes and characters, in the character sets a session may use. */
import { isUtf8 } from 'node:buffer'
import type { ClientCharset } from '@sallyport/protocol-mysql'

/** Null: not a text of that character set, or of one that cannot be read by its bytes. */
export function decodeText(
  buf: Buffer,
  start: number,
  end: number,
  charset: ClientCharset | null,
): string | null {
  switch (charset) {
    case null:
      return null
    case 'utf8mb4':
    case 'utf8mb3': {
      const bytes = buf.subarray(start, end)
      return isUtf8(bytes) ? bytes.toString('utf8') : null
    }
    case 'ascii':
      return isAscii(buf, start, end) ? buf.toString('latin1', start, end) : null
    case 'latin1':
      return buf.toString('latin1', start, end)
    default:
      return unexpected(charset)
  }
}

/** The bytes again of what `decodeText` gave; null: it was not readable. */
export function encodeText(text: string, charset: ClientCharset | null): Buffer | null {
  if (charset === null) return null
  return Buffer.from(text, charset === 'latin1' || charset === 'ascii' ? 'latin1' : 'utf8')
}

function isAscii(buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((buf[i] ?? 0) > 0x7f) return false
  return true
}

function unexpected(charset: never): never {
  throw new Error(`unexpected character set ${String(charset)}`)
}
