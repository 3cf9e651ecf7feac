/**
 * The Ed25519 key that signs heads: made on the first run, kept in a file only its owner can read.
 * The key id is the start of the SHA-256 of the public key (SPKI, DER), so it follows from the key.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { AuditError } from './errors.ts'

const KEY_ID_CHARS = 16
const OTHERS_BITS = 0o077

export interface SigningKey {
  readonly keyId: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export interface PublicKey {
  readonly keyId: string
  readonly key: KeyObject
}

/**
 * The signing key in `file` (PKCS #8 PEM), made first when `create` and there is none.
 * @throws AuditError key-missing | key-unsafe
 */
export function loadSigningKey(options: { file: string; create: boolean }): SigningKey {
  if (!existsSync(options.file)) {
    if (!options.create) {
      throw new AuditError('key-missing', `signing key file \`${options.file}\` does not exist`)
    }
    generateSigningKey(options.file)
  }
  if (process.platform !== 'win32' && (statSync(options.file).mode & OTHERS_BITS) !== 0) {
    throw new AuditError('key-unsafe', `signing key file \`${options.file}\` is open to others`)
  }
  const privateKey = readPrivateKey(options.file)
  const publicKey = createPublicKey(privateKey)
  return { keyId: keyIdOf(publicKey), privateKey, publicKey }
}

/** Writes a new private key to a file that must not exist yet, mode 0600; whole or not at all. */
export function generateSigningKey(file: string): void {
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${file}.new`
  rmSync(draft, { force: true })
  const fd = openSync(draft, 'wx', 0o600)
  try {
    writeFileSync(fd, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  // Unlike a rename, a link does not replace a key that is there.
  linkSync(draft, file)
  rmSync(draft)
}

/** A public key from SPKI PEM. @throws AuditError key-unsafe when it is not an Ed25519 key */
export function parsePublicKey(pem: string): PublicKey {
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (cause) {
    throw new AuditError('key-unsafe', 'not a public key in PEM', { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new AuditError('key-unsafe', `expected an ed25519 key, got \`${key.asymmetricKeyType}\``)
  }
  return { keyId: keyIdOf(key), key }
}

/** A copy for convenience; a verifier takes the key from where it trusts it. */
export function keepPublicKey(directory: string, key: SigningKey): void {
  writeFileSync(join(directory, `public-key-${key.keyId}.pem`), publicKeyPem(key))
}

/** The public half as SPKI PEM: what a verifier needs, and all it needs. */
export function publicKeyPem(key: SigningKey): string {
  return key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

function readPrivateKey(file: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(file))
  } catch (cause) {
    throw new AuditError('key-unsafe', `\`${file}\` is not a private key in PEM`, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new AuditError('key-unsafe', `\`${file}\` is not an ed25519 key`)
  }
  return key
}

function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return hash('sha256', der, 'hex').slice(0, KEY_ID_CHARS)
}
