/**
 * Passwords as servers have them salted for SCRAM, kept as long as the secret they are made of: a login costs
 * milliseconds of a thread of the pool the first time, and nothing after it.
 */
import { type ScramChallenge, saltPassword } from '@sallyport/protocol-postgres'
import type { Secret } from '../secrets/secret.ts'

interface Salted {
  readonly challenge: ScramChallenge
  readonly bytes: Promise<Uint8Array>
}

/** The latest of each secret: a role has one salt until its password is set again. */
const LATEST = new WeakMap<Secret, Salted>()

export function saltedPassword(secret: Secret, challenge: ScramChallenge): Promise<Uint8Array> {
  const known = LATEST.get(secret)
  if (known !== undefined && isSame(known.challenge, challenge)) return known.bytes
  const bytes = saltPassword(secret.reveal(), challenge)
  LATEST.set(secret, { challenge, bytes })
  return bytes
}

function isSame(a: ScramChallenge, b: ScramChallenge): boolean {
  return a.iterations === b.iterations && Buffer.from(a.salt).equals(b.salt)
}
