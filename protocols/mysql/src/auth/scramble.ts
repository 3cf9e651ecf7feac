/**
 * How a password answers a challenge of 20 bytes: mysql_native_password and caching_sha2_password, and the
 * XOR under which a password travels to an RSA key. Pure functions of their arguments.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods.html
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
 */

import { createHash } from 'node:crypto'

/** Authentication plugins by the names they have on the wire. */
export const PLUGIN = {
  CACHING_SHA2: 'caching_sha2_password',
  NATIVE: 'mysql_native_password',
  CLEAR: 'mysql_clear_password',
  ED25519: 'client_ed25519',
} as const

/** Single bytes inside AuthMoreData of caching_sha2_password. */
export const CACHING_SHA2 = {
  /** Client: send me the server's public key. */
  REQUEST_PUBLIC_KEY: 0x02,
  /** Server: the cache knew the password; an OK follows. */
  FAST_AUTH_SUCCESS: 0x03,
  /** Server: send the password itself. */
  FULL_AUTHENTICATION: 0x04,
} as const

/** SHA1(password) XOR SHA1(challenge, SHA1(SHA1(password))); empty for an empty password. */
export function nativePasswordAnswer(password: Uint8Array, challenge: Uint8Array): Buffer {
  if (password.length === 0) return Buffer.alloc(0)
  const once = digest('sha1', password)
  return xor(once, digest('sha1', challenge, digest('sha1', once)))
}

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)), challenge); empty for an empty password. */
export function cachingSha2Answer(password: Uint8Array, challenge: Uint8Array): Buffer {
  if (password.length === 0) return Buffer.alloc(0)
  const once = digest('sha256', password)
  return xor(once, digest('sha256', digest('sha256', once), challenge))
}

/** The password with its NUL, XOR the challenge over and over: what is encrypted for the server's key. */
export function maskedPassword(password: Uint8Array, challenge: Uint8Array): Buffer {
  return xor(Buffer.concat([password, Buffer.of(0)]), challenge)
}

/** `bytes` XOR `key`, which is repeated. */
export function xor(bytes: Uint8Array, key: Uint8Array): Buffer {
  const out = Buffer.from(bytes)
  for (let i = 0; i < out.length; i++) out[i]! ^= key[i % key.length]!
  return out
}

function digest(algorithm: 'sha1' | 'sha256', ...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest()
}
