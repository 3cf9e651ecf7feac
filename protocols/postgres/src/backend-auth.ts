/**
 * Server messages of the start-up phase: Authentication*, BackendKeyData, NegotiateProtocolVersion.
 * Decoders take a body `buf[start, end)`; views they return are valid as long as `buf` is.
 *
 * https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

import type { ByteSink } from '@sallyport/protocol-wire'
import {
  ByteReader,
  closeFrame,
  openFrame,
  writeBytes,
  writeCString,
  writeInt32,
  writeUint8,
} from './bytes.ts'
import { assertNever, ProtocolError } from './errors.ts'
import { BACKEND } from './frames.ts'
import { CANCEL_KEY_BYTES_MAX, CANCEL_KEY_BYTES_MIN, SASL_MECHANISMS_MAX } from './limits.ts'

/** What follows `R`, by the Int32 after it. */
export type AuthenticationMessage =
  | { readonly kind: 'AuthenticationOk' }
  | { readonly kind: 'AuthenticationCleartextPassword' }
  /** Four bytes. */
  | { readonly kind: 'AuthenticationMD5Password'; readonly salt: Uint8Array }
  | { readonly kind: 'AuthenticationSASL'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'AuthenticationSASLContinue'; readonly data: Uint8Array }
  | { readonly kind: 'AuthenticationSASLFinal'; readonly data: Uint8Array }
  /** Kerberos V5 (2), GSSAPI (7), its continuation (8), SSPI (9): recognised, not spoken. */
  | {
      readonly kind: 'AuthenticationUnsupported'
      readonly method: 2 | 7 | 8 | 9
      readonly data: Uint8Array
    }

/** Whether a message is one of the Authentication* family. */
export function isAuthentication(message: {
  readonly kind: string
}): message is AuthenticationMessage {
  return message.kind.startsWith('Authentication')
}

export interface BackendKeyData {
  readonly kind: 'BackendKeyData'
  /** The server's process id, signed. */
  readonly pid: number
  /** Four bytes in protocol 3.0, 4 to 256 in 3.2. */
  readonly secret: Uint8Array
}

export interface NegotiateProtocolVersion {
  readonly kind: 'NegotiateProtocolVersion'
  /** As on the wire: major in the high 16 bits, newest supported minor in the low 16. */
  readonly version: number
  /** `_pq_.*` options the server does not know. */
  readonly unrecognized: readonly string[]
}

const METHOD = {
  OK: 0,
  KERBEROS: 2,
  CLEARTEXT: 3,
  MD5: 5,
  GSS: 7,
  GSS_CONTINUE: 8,
  SSPI: 9,
} as const
const SASL = { START: 10, CONTINUE: 11, FINAL: 12 } as const

/** Throws 'unsupported-authentication' on a method number that is not listed. */
export function decodeAuthentication(
  buf: Uint8Array,
  start: number,
  end: number,
): AuthenticationMessage {
  const reader = new ByteReader(buf, start, end)
  const method = reader.int32()
  const message = authenticationOf(method, reader)
  reader.expectEnd()
  return message
}

function authenticationOf(method: number, reader: ByteReader): AuthenticationMessage {
  switch (method) {
    case METHOD.OK:
      return { kind: 'AuthenticationOk' }
    case METHOD.CLEARTEXT:
      return { kind: 'AuthenticationCleartextPassword' }
    case METHOD.MD5:
      return { kind: 'AuthenticationMD5Password', salt: reader.bytes(4) }
    case SASL.START:
      return { kind: 'AuthenticationSASL', mechanisms: mechanisms(reader) }
    case SASL.CONTINUE:
      return { kind: 'AuthenticationSASLContinue', data: reader.rest() }
    case SASL.FINAL:
      return { kind: 'AuthenticationSASLFinal', data: reader.rest() }
    case METHOD.KERBEROS:
    case METHOD.GSS:
    case METHOD.GSS_CONTINUE:
    case METHOD.SSPI:
      return { kind: 'AuthenticationUnsupported', method, data: reader.rest() }
    default:
      throw new ProtocolError(
        'unsupported-authentication',
        'remote',
        `authentication method ${method} is not listed`,
      )
  }
}

/** Names, each with its NUL, and one more NUL. */
function mechanisms(reader: ByteReader): string[] {
  const names: string[] = []
  for (let name = reader.cString(); name !== ''; name = reader.cString()) {
    if (names.length === SASL_MECHANISMS_MAX) {
      throw new ProtocolError('too-large', 'remote', `more than ${SASL_MECHANISMS_MAX} mechanisms`)
    }
    names.push(name)
  }
  return names
}

/** Appends an Authentication* frame. Throws 'bad-value' (local) where a salt is not four bytes. */
export function writeAuthentication(out: ByteSink, message: AuthenticationMessage): void {
  const frame = openFrame(out, BACKEND.AUTHENTICATION)
  switch (message.kind) {
    case 'AuthenticationOk':
      writeInt32(out, METHOD.OK)
      break
    case 'AuthenticationCleartextPassword':
      writeInt32(out, METHOD.CLEARTEXT)
      break
    case 'AuthenticationMD5Password':
      if (message.salt.length !== 4) {
        throw new ProtocolError('bad-value', 'local', `an md5 salt of ${message.salt.length} bytes`)
      }
      writeInt32(out, METHOD.MD5)
      writeBytes(out, message.salt)
      break
    case 'AuthenticationSASL':
      writeInt32(out, SASL.START)
      for (const name of message.mechanisms) writeCString(out, name)
      writeUint8(out, 0)
      break
    case 'AuthenticationSASLContinue':
      writeInt32(out, SASL.CONTINUE)
      writeBytes(out, message.data)
      break
    case 'AuthenticationSASLFinal':
      writeInt32(out, SASL.FINAL)
      writeBytes(out, message.data)
      break
    case 'AuthenticationUnsupported':
      writeInt32(out, message.method)
      writeBytes(out, message.data)
      break
    default:
      return assertNever(message)
  }
  closeFrame(out, frame)
}

/** Throws 'bad-length' where the secret is not 4 to 256 bytes. The secret is a view. */
export function decodeBackendKeyData(buf: Uint8Array, start: number, end: number): BackendKeyData {
  const reader = new ByteReader(buf, start, end)
  const pid = reader.int32()
  const secret = reader.rest()
  checkSecret(secret, 'remote')
  return { kind: 'BackendKeyData', pid, secret }
}

export function writeBackendKeyData(
  out: ByteSink,
  key: { readonly pid: number; readonly secret: Uint8Array },
): void {
  checkSecret(key.secret, 'local')
  const frame = openFrame(out, BACKEND.BACKEND_KEY_DATA)
  writeInt32(out, key.pid)
  writeBytes(out, key.secret)
  closeFrame(out, frame)
}

/** Throws 'bad-length' where a cancel secret is shorter than 4 bytes or longer than 256. */
export function checkSecret(secret: Uint8Array, side: 'local' | 'remote'): void {
  if (secret.length < CANCEL_KEY_BYTES_MIN || secret.length > CANCEL_KEY_BYTES_MAX) {
    throw new ProtocolError('bad-length', side, `a cancel secret of ${secret.length} bytes`)
  }
}

export function decodeNegotiateProtocolVersion(
  buf: Uint8Array,
  start: number,
  end: number,
): NegotiateProtocolVersion {
  const reader = new ByteReader(buf, start, end)
  const version = reader.int32()
  const count = reader.int32()
  // A name takes at least its NUL, so the count cannot make this loop longer than the body.
  if (count < 0 || count > reader.remaining) {
    throw new ProtocolError('bad-count', 'remote', `${count} unrecognized protocol options`)
  }
  const unrecognized = Array.from({ length: count }, () => reader.cString())
  reader.expectEnd()
  return { kind: 'NegotiateProtocolVersion', version, unrecognized }
}

export function writeNegotiateProtocolVersion(
  out: ByteSink,
  message: { readonly version: number; readonly unrecognized: readonly string[] },
): void {
  const frame = openFrame(out, BACKEND.NEGOTIATE_PROTOCOL_VERSION)
  writeInt32(out, message.version)
  writeInt32(out, message.unrecognized.length)
  for (const name of message.unrecognized) writeCString(out, name)
  closeFrame(out, frame)
}
