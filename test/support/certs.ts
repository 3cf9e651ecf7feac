/**
 * A throw-away certificate authority for tests: one CA, and server and client certificates under it.
 * Elliptic keys (P-256) by default because they are made in a millisecond; RSA where a test is about it.
 */
import { generate } from 'selfsigned'

/** PEM texts; `key` is PKCS #8. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateAuthority {
  /** PEM of the CA certificate: what peers are told to trust. */
  readonly cert: string
  /** A server certificate. Hosts that are IP addresses become IP entries of subjectAltName. */
  server(hosts: readonly string[], options?: CertificateOptions): Promise<Certificate>
  /** A client certificate whose common name is `name` (PostgreSQL's `cert` method maps it to the role). */
  client(name: string, options?: CertificateOptions): Promise<Certificate>
}

export interface CertificateOptions {
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly algorithm?: 'sha256' | 'sha384' | 'sha512'
}

const KEY = { keyType: 'ec', curve: 'P-256' } as const
const DAY_MS = 86_400_000

/** Makes a CA with its own key; every call is another CA. */
export async function createCertificateAuthority(
  name = 'Sallyport test CA',
): Promise<CertificateAuthority> {
  const ca = await generate([{ name: 'commonName', value: name }], {
    ...KEY,
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const signer = { key: ca.private, cert: ca.cert }
  return {
    cert: ca.cert,
    server: (hosts, options) =>
      issue(signer, hosts[0] ?? 'localhost', { serverAuth: true }, hosts, options),
    client: (clientName, options) => issue(signer, clientName, { clientAuth: true }, [], options),
  }
}

/** A certificate that signs itself: what a stock server has before anybody configures one. */
export async function createSelfSigned(
  hosts: readonly string[],
  options: CertificateOptions & { readonly keyType?: 'ec' | 'rsa' } = {},
): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: hosts[0] ?? 'localhost' }], {
    ...(options.keyType === 'rsa' ? { keyType: 'rsa' as const, keySize: 2048 } : KEY),
    algorithm: options.algorithm ?? 'sha256',
    ...validity(options),
    extensions: [{ name: 'subjectAltName', altNames: hosts.map(altName) }],
  })
  return { cert: made.cert, key: made.private }
}

async function issue(
  signer: { readonly key: string; readonly cert: string },
  commonName: string,
  usage: { readonly serverAuth?: boolean; readonly clientAuth?: boolean },
  hosts: readonly string[],
  options: CertificateOptions = {},
): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: commonName }], {
    ...KEY,
    algorithm: options.algorithm ?? 'sha256',
    ...validity(options),
    ca: signer,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', ...usage },
      ...(hosts.length > 0
        ? [{ name: 'subjectAltName' as const, altNames: hosts.map(altName) }]
        : []),
    ],
  })
  return { cert: made.cert, key: made.private }
}

function altName(host: string): { type: 2; value: string } | { type: 7; ip: string } {
  return /^[0-9.]+$|:/.test(host) ? { type: 7, ip: host } : { type: 2, value: host }
}

function validity(options: CertificateOptions): { notBeforeDate: Date; notAfterDate: Date } {
  return {
    notBeforeDate: options.notBefore ?? new Date(Date.now() - DAY_MS),
    notAfterDate: options.notAfter ?? new Date(Date.now() + 30 * DAY_MS),
  }
}
