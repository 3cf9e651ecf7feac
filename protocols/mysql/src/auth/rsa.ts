/**
 * The RSA exchange of caching_sha2_password, for a password on a channel that is not TLS: OAEP with SHA-1
 * over the password XOR the challenge. The padding's randomness is OpenSSL's own; nothing else depends on it.
 */

import {
  constants,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto'
import { ProtocolError } from '../errors.ts'
import { maskedPassword, xor } from './scramble.ts'

const PADDING = constants.RSA_PKCS1_OAEP_PADDING

/** What a client sends. Throws 'bad-authentication' where the key is none, or too short for the password. */
export function encryptPassword(
  password: Uint8Array,
  challenge: Uint8Array,
  publicKeyPem: string | Uint8Array,
): Buffer {
  try {
    const key = createPublicKey(Buffer.from(publicKeyPem))
    return publicEncrypt({ key, padding: PADDING }, maskedPassword(password, challenge))
  } catch (cause) {
    const what = 'the password cannot be encrypted for this public key'
    throw new ProtocolError('bad-authentication', 'remote', what, { cause })
  }
}

/** The password in what a client sent, with its NUL. Throws 'bad-authentication'. */
export function decryptPassword(
  encrypted: Uint8Array,
  challenge: Uint8Array,
  privateKey: KeyObject,
): Buffer {
  try {
    return xor(privateDecrypt({ key: privateKey, padding: PADDING }, encrypted), challenge)
  } catch (cause) {
    const what = 'the password was not encrypted for our key'
    throw new ProtocolError('bad-authentication', 'remote', what, { cause })
  }
}
