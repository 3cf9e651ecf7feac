/**
 * The session token as text: `spt_` + 32 characters (192 random bits) + 6 characters (CRC-32 of what
 * comes before). 42 characters fit the shortest password fields; the prefix and checksum let
 * scanners recognise a leaked one and tell a typo from a wrong token without a look-up.
 *
 *   spt_ R R R … R C C C C C C        R: base64url of random bytes   C: base64url of the checksum
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { IdentityError } from './errors.ts'
import { SESSION_TOKEN_RANDOM_BYTES } from './limits.ts'

export const SESSION_TOKEN_PREFIX = 'spt_'
/** What scanners may look for. */
export const SESSION_TOKEN_PATTERN = /^spt_[A-Za-z0-9_-]{38}$/

const CHECKSUM_CHARS = 6

/** Injected randomness: exactly `count` unpredictable bytes. */
export type RandomBytes = (count: number) => Uint8Array

/** Draws a new token. Throws `internal` when the randomness is not of the length asked for. */
export function drawSessionToken(randomBytes: RandomBytes): string {
  const random = randomBytes(SESSION_TOKEN_RANDOM_BYTES)
  if (random.byteLength !== SESSION_TOKEN_RANDOM_BYTES) {
    throw new IdentityError('internal', 'internal error', 'randomness of the wrong length')
  }
  const body = SESSION_TOKEN_PREFIX + Buffer.from(random).toString('base64url')
  return body + checksum(body)
}

/** Is it a session token that was not mistyped or cut? Throws `malformed` when it is not. */
export function assertSessionToken(token: string): void {
  const body = token.slice(0, -CHECKSUM_CHARS)
  if (!SESSION_TOKEN_PATTERN.test(token) || checksum(body) !== token.slice(-CHECKSUM_CHARS)) {
    throw new IdentityError('malformed', 'the session token is mistyped or cut short')
  }
}

/** SHA-256 in lower-case hex: what is stored instead of the token. */
export function sessionTokenHash(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('hex')
}

/** The record id for a hash: `st_` and 96 bits of it. */
export function sessionTokenId(hash: string): string {
  return `st_${Buffer.from(hash.slice(0, 24), 'hex').toString('base64url')}`
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return bytes.toString('base64url')
}
