/**
 * What the COPY formats share: putting one value through its mask into a scratch sink, comparing byte
 * ranges, and checking the single characters of COPY's options. Not public.
 */

import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import { ByteWriter } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { MASKED_ROW_BYTES_MAX } from './limits.ts'

/** A sink for one value, reused from cell to cell. */
export function cellSink(): ByteWriter {
  return new ByteWriter({ initialBytes: 256, bytesMax: MASKED_ROW_BYTES_MAX })
}

/**
 * Runs `mask` over `src[start, end)` into `cell`, from its beginning; returns the length written or -1.
 * Throws 'mask-contract' (local) where the mask wrote something other than it says.
 */
export function maskCell(
  mask: CellMask,
  src: Buffer,
  start: number,
  end: number,
  cell: ByteSink,
): number {
  cell.at = 0
  const written = mask(src, start, end, cell)
  if (written === -1 ? cell.at !== 0 : written < 0 || cell.at !== written) {
    throw new ProtocolError('mask-contract', 'local', 'a mask did not write the length it returned')
  }
  return written
}

/** Whether `buf[start, end)` is exactly `bytes`. */
export function equalsRange(buf: Buffer, start: number, end: number, bytes: Buffer): boolean {
  if (end - start !== bytes.length) return false
  for (let i = 0; i < bytes.length; i++) if (buf[start + i] !== bytes[i]) return false
  return true
}

/** The byte of a one-character COPY option. Throws 'illegal-call' where COPY would not allow it. */
export function singleByte(option: string, text: string, forbidden: string): number {
  const code = text.charCodeAt(0)
  if (text.length !== 1 || code > 0x7f || code === 0 || forbidden.includes(text)) {
    throw new ProtocolError('illegal-call', 'local', `COPY ${option} is not one it allows`)
  }
  return code
}

/** NULL's text as bytes. Throws 'illegal-call' where it holds a forbidden character. */
export function nullBytes(text: string, forbidden: string): Buffer {
  for (const char of forbidden) {
    if (text.includes(char)) {
      throw new ProtocolError('illegal-call', 'local', 'COPY NULL text is not one it allows')
    }
  }
  return Buffer.from(text, 'utf8')
}

/** Throws 'bad-count': a row has `found` fields, or at least that many. */
export function wrongCount(found: number, columns: number): ProtocolError {
  return new ProtocolError(
    'bad-count',
    'remote',
    `a copy row ends at field ${found}, ${columns} columns were expected`,
  )
}

/** 'malformed-copy': `what` is not something the server writes. */
export function malformed(what: string): ProtocolError {
  return new ProtocolError('malformed-copy', 'remote', what)
}
