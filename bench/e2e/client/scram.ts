/** The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677), for a test client. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

export interface Scram {
  readonly first: string
  /** Answers the server's first message. */
  final(serverFirst: string): string
}

/** `password`: ASCII, so that SASLprep changes nothing. */
export function scram(password: string): Scram {
  const nonce = randomBytes(18).toString('base64')
  const bare = `n=,r=${nonce}`
  return {
    first: `n,,${bare}`,
    final(serverFirst) {
      const field = (name: string): string =>
        serverFirst
          .split(',')
          .find((part) => part.startsWith(`${name}=`))
          ?.slice(2) ?? ''
      const salt = Buffer.from(field('s'), 'base64')
      const salted = pbkdf2Sync(password, salt, Number(field('i')), 32, 'sha256')
      const clientKey = hmac(salted, 'Client Key')
      const storedKey = createHash('sha256').update(clientKey).digest()
      const withoutProof = `c=biws,r=${field('r')}`
      const signature = hmac(storedKey, `${bare},${serverFirst},${withoutProof}`)
      const proof = clientKey.map((byte, i) => byte ^ (signature[i] as number))
      return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`
    },
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
