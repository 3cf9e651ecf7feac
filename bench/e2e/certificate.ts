/** A self-signed certificate for the client legs; clients here encrypt and verify nothing. */
import { chownSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './processes.ts'
import { type Account, findProgram } from './programs.ts'

export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

/** Null without openssl. An ECDSA key, as certificate authorities give them out today. */
export async function makeCertificate(
  directory: string,
  account: Account | undefined,
): Promise<Certificate | null> {
  const openssl = findProgram('openssl')
  if (openssl === null) return null
  const certFile = join(directory, 'server.crt')
  const keyFile = join(directory, 'server.key')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  await run(
    openssl,
    ['req', '-x509', '-nodes', ...curve, '-days', '2', '-keyout', keyFile, '-out', certFile].concat(
      subject,
    ),
    { timeoutMs: 30_000 },
  )
  // Who may not be root must read it too; root may read everything.
  if (account !== undefined) chownSync(keyFile, account.uid, account.gid)
  const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')]
  return { cert, key, certFile, keyFile }
}
