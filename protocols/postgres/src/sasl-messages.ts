/**
 * The messages that share the type byte `p`: PasswordMessage, SASLInitialResponse, SASLResponse. Only
 * the state of the login tells which one a `p` is, so each has its own decoder.
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import { ByteReader, closeFrame, openFrame, writeBytes, writeCString, writeInt32 } from './bytes.ts'
import { ProtocolError, SQLSTATE } from './errors.ts'
import { FRONTEND } from './frames.ts'

export interface SaslInitialResponse {
  readonly mechanism: string
  /** Null where the client sends none (length -1). */
  readonly data: Uint8Array | null
}

/**
 * The password as a view, without its NUL. Throws 'bad-authentication' where it is empty (as the
 * server: 28P01) or has a NUL inside.
 */
export function decodePasswordMessage(buf: Uint8Array, start: number, end: number): Uint8Array {
  const reader = new ByteReader(buf, start, end)
  const password = reader.cStringBytes()
  reader.expectEnd()
  if (password.length === 0) {
    throw new ProtocolError('bad-authentication', 'remote', 'empty password returned by client', {
      sqlstate: SQLSTATE.INVALID_PASSWORD,
    })
  }
  return password
}

export function writePasswordMessage(out: ByteSink, password: string): void {
  const frame = openFrame(out, FRONTEND.PASSWORD)
  writeCString(out, password)
  closeFrame(out, frame)
}

/** Mechanism and data; the data is a view. */
export function decodeSaslInitialResponse(
  buf: Uint8Array,
  start: number,
  end: number,
): SaslInitialResponse {
  const reader = new ByteReader(buf, start, end)
  const mechanism = reader.cString()
  const data = reader.nullableBytes()
  reader.expectEnd()
  return { mechanism, data }
}

export function writeSaslInitialResponse(
  out: ByteSink,
  mechanism: string,
  data: Uint8Array | null,
): void {
  const frame = openFrame(out, FRONTEND.PASSWORD)
  writeCString(out, mechanism)
  writeInt32(out, data === null ? -1 : data.length)
  if (data !== null) writeBytes(out, data)
  closeFrame(out, frame)
}

/** The whole body, as a view. */
export function decodeSaslResponse(buf: Uint8Array, start: number, end: number): Uint8Array {
  return new ByteReader(buf, start, end).rest()
}

export function writeSaslResponse(out: ByteSink, data: Uint8Array): void {
  const frame = openFrame(out, FRONTEND.PASSWORD)
  writeBytes(out, data)
  closeFrame(out, frame)
}
