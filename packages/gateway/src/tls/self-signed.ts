/**
 * A certificate for a first run without one: it signs itself, so clients pin it (its file as
 * `sslrootcert`, or its fingerprint) or don't verify. Made once; later starts find it.
 */
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { TlsError } from './errors.ts'
import { readPem } from './files.ts'

/** How long a generated certificate is valid, days: what strict clients accept at most. */
export const SELF_SIGNED_DAYS = 825
const DAY_MS = 86_400_000

export interface SelfSigned {
  readonly certFile: string
  readonly keyFile: string
  /** SHA-256, as `AB:CD:…`. */
  readonly fingerprint: string
  /** False when it was there already. */
  readonly created: boolean
}

/**
 * Makes `server.crt` and `server.key` (EC P-256, mode 0600) in `directory`, unless both are there.
 * Throws TlsError: host-invalid, pair-incomplete, file-unreadable.
 */
export async function generateSelfSigned(options: {
  readonly hosts: readonly string[]
  readonly directory: string
  readonly now: () => number
}): Promise<SelfSigned> {
  const certFile = join(options.directory, 'server.crt')
  const keyFile = join(options.directory, 'server.key')
  const [hasCert, hasKey] = [existsSync(certFile), existsSync(keyFile)]
  if (hasCert !== hasKey) {
    const [there, missing] = hasCert ? [certFile, keyFile] : [keyFile, certFile]
    throw new TlsError('pair-incomplete', `\`${there}\` is there but \`${missing}\` is not`)
  }
  if (!hasCert) await create(options, { certFile, keyFile })
  const { fingerprint256 } = new X509Certificate(await readPem(certFile))
  return { certFile, keyFile, fingerprint: fingerprint256, created: !hasCert }
}

async function create(
  options: { hosts: readonly string[]; directory: string; now: () => number },
  { certFile, keyFile }: { certFile: string; keyFile: string },
): Promise<void> {
  if (options.hosts.length === 0) throw new TlsError('host-invalid', 'a certificate needs a host')
  const altNames = options.hosts.map(altName)
  const made = await generate([{ name: 'commonName', value: 'Sallyport gateway' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // A day back, for clients whose clock is behind.
    notBeforeDate: new Date(options.now() - DAY_MS),
    notAfterDate: new Date(options.now() + SELF_SIGNED_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  })
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  // The certificate's rename comes last: a crash in between leaves a pair that is said to be incomplete.
  await writeFile(`${keyFile}.new`, made.private, { mode: 0o600 })
  await chmod(`${keyFile}.new`, 0o600)
  await writeFile(`${certFile}.new`, made.cert, { mode: 0o644 })
  await rename(`${keyFile}.new`, keyFile)
  await rename(`${certFile}.new`, certFile)
}

function altName(host: string): { type: 2; value: string } | { type: 7; ip: string } {
  if (isIP(host) !== 0) return { type: 7, ip: host }
  if (!/^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host)) {
    throw new TlsError('host-invalid', `\`${host}\` is not a host name or address`)
  }
  return { type: 2, value: host }
}
