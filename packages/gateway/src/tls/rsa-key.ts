/** A key pair for one run of the gateway: MySQL clients encrypt short tokens for it where there is no TLS. */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { RsaKey } from '@sallyport/protocol-mysql'

const BITS = 2048

export async function generateRsaKey(): Promise<RsaKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: BITS })
  return { privateKey, publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}
