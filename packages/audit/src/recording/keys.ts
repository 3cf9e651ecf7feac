/**
 * Keys of recordings at rest: AES-256-GCM with a data key per recording, which is itself kept encrypted by a
 * key from outside. Whoever deletes a recording's key file has erased the recording, wherever copies are.
 */

import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hash,
  type KeyObject,
  randomBytes,
  randomFillSync,
} from 'node:crypto'
import { AuditError } from '../errors.ts'
import { isMap } from '../record.ts'

export const KEY_BYTES = 32
export const NONCE_BYTES = 12
export const TAG_BYTES = 16
const CIPHER = 'aes-256-gcm'

/** The key that encrypts data keys. */
export interface WrappingKey {
  /** Follows from the key: tells which one a data key needs. */
  readonly id: string
  readonly key: KeyObject
}

/** @throws AuditError key-unsafe unless it is 32 bytes */
export function wrappingKey(bytes: Uint8Array): WrappingKey {
  if (bytes.length !== KEY_BYTES) {
    throw new AuditError(
      'key-unsafe',
      `a recording key has ${KEY_BYTES} bytes, not ${bytes.length}`,
    )
  }
  const id = hash('sha256', Buffer.concat([Buffer.from('sallyport-recording-key'), bytes]), 'hex')
  return { id: id.slice(0, 16), key: createSecretKey(bytes) }
}

export function newDataKey(): KeyObject {
  return createSecretKey(randomBytes(KEY_BYTES))
}

/** Random bytes for so many nonces are drawn at once: drawing a few takes as long as drawing them all. */
const NONCES = Buffer.alloc(NONCE_BYTES * 512)
let drawn = NONCES.length

/** Used up before the next is asked for. */
function nextNonce(): Buffer {
  if (drawn === NONCES.length) {
    randomFillSync(NONCES)
    drawn = 0
  }
  drawn += NONCE_BYTES
  return NONCES.subarray(drawn - NONCE_BYTES, drawn)
}

/** Nonce, ciphertext and tag; `about` is bound to it and not in it. */
export function seal(key: KeyObject, plain: readonly Uint8Array[], about: string): Buffer {
  const nonce = nextNonce()
  const cipher = createCipheriv(CIPHER, key, nonce)
  cipher.setAAD(Buffer.from(about))
  const body = plain.map((part) => cipher.update(part))
  cipher.final()
  return Buffer.concat([nonce, ...body, cipher.getAuthTag()])
}

/** @throws AuditError corrupt: changed, or sealed by another key or about something else */
export function unseal(key: KeyObject, sealed: Buffer, about: string): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw unreadable()
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES))
  decipher.setAAD(Buffer.from(about))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plain = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES))
  try {
    decipher.final()
  } catch (cause) {
    throw new AuditError('corrupt', 'an encrypted block does not decrypt', { cause })
  }
  return plain
}

function unreadable(): AuditError {
  return new AuditError('corrupt', 'an encrypted block is too short')
}

/** A data key as it is kept: JSON of the wrapping key's id and the sealed key. */
export function wrapKey(data: KeyObject, wrapping: WrappingKey, about: string): string {
  const key = seal(wrapping.key, [data.export()], about).toString('base64')
  return JSON.stringify({ v: 1, wrappedBy: wrapping.id, key })
}

/** The id of the key that a data key is wrapped by; '' where the text is no wrapped key. */
export function wrappedBy(text: string): string {
  return wrapped(text)?.by ?? ''
}

/** @throws AuditError key-missing for another wrapping key; corrupt */
export function unwrapKey(
  text: string,
  wrapping: readonly WrappingKey[],
  about: string,
): KeyObject {
  const value = wrapped(text)
  if (value === null) throw new AuditError('corrupt', 'a recording’s key file is not one')
  const by = wrapping.find(({ id }) => id === value.by)
  if (by === undefined) {
    throw new AuditError('key-missing', `the recording needs key \`${value.by}\``)
  }
  return createSecretKey(unseal(by.key, Buffer.from(value.key, 'base64'), about))
}

function wrapped(text: string): { readonly by: string; readonly key: string } | null {
  try {
    const value: unknown = JSON.parse(text)
    if (!isMap(value)) return null
    const { wrappedBy: by, key } = value
    return typeof by === 'string' && typeof key === 'string' ? { by, key } : null
  } catch {
    return null
  }
}
