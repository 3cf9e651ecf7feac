/**
 * MariaDB's client_ed25519: an Ed25519 signature over a challenge of 32 bytes, whose key is made of the
 * password. It is RFC 8032 but for the seed: SHA-512 is taken of the password itself, however long, where
 * RFC 8032 has 32 bytes; so no library's `sign` can be asked, only its curve.
 *
 * https://mariadb.com/docs/server/reference/plugins/authentication-plugins/authentication-plugin-ed25519
 * RFC 8032 §5.1.6
 */

import { createHash } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'

const { Point } = ed25519
const ORDER = Point.Fn.ORDER

/** Bytes of the challenge. */
export const ED25519_CHALLENGE_BYTES = 32

/** The signature over `challenge`, 64 bytes. */
export function ed25519Answer(password: Uint8Array, challenge: Uint8Array): Buffer {
  const key = sha512(password)
  const prefix = key.subarray(32)
  const secret = secretScalar(key)
  const publicKey = Point.BASE.multiply(secret).toBytes()
  const nonce = scalarOf(sha512(prefix, challenge))
  const commitment = Point.BASE.multiply(nonce).toBytes()
  const challengeScalar = scalarOf(sha512(commitment, publicKey, challenge))
  const response = (nonce + challengeScalar * secret) % ORDER
  return Buffer.concat([commitment, littleEndian(response)])
}

/** The public key of a password: what the server keeps. */
export function ed25519PublicKey(password: Uint8Array): Buffer {
  return Buffer.from(Point.BASE.multiply(secretScalar(sha512(password))).toBytes())
}

/** The clamped first half, modulo the order of the curve: the base point's multiples are the same. */
function secretScalar(key: Buffer): bigint {
  const half = Buffer.from(key.subarray(0, 32))
  half[0]! &= 248
  half[31]! &= 127
  half[31]! |= 64
  return scalarOf(half)
}

function scalarOf(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % ORDER
}

function littleEndian(scalar: bigint): Buffer {
  return Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse()
}

function sha512(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
