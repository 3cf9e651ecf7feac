/** The gateway's admin address: how it is written, whom it is trusted as, what is said when it does not answer. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Cli } from '../context.ts'
import { CliError, systemCodeOf } from '../errors.ts'

const CA_VARIABLE = 'SALLYPORT_CA'

export function endpoint(base: string, path: string): URL {
  const url = URL.parse(`${base.replace(/\/+$/, '')}${path}`)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new CliError('usage', '--url takes an address such as http://127.0.0.1:9090')
  }
  if (url.username !== '' || url.password !== '') {
    throw new CliError('usage', '--url takes no user name or password')
  }
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'http:' && !isLoopback) {
    throw new CliError('usage', 'a token goes to another machine over https only')
  }
  return url
}

/**
 * Also trusts the authority in a PEM file, from here on: that of --ca, else of SALLYPORT_CA, else `kept` (by login).
 * Null: none is given, and those of the system are all. Returns the file's absolute path. @throws CliError usage
 */
export async function trust(
  given: string | undefined,
  cli: Cli,
  kept: string | null = null,
): Promise<string | null> {
  const file = given ?? (cli.env[CA_VARIABLE] || kept)
  if (file === null || file === undefined) return null
  const pem = await readFile(file, 'utf8')
  try {
    setDefaultCACertificates([...getCACertificates('default'), pem])
  } catch (cause) {
    throw new CliError('usage', `\`${file}\` is no PEM file of certificates`, { cause })
  }
  return resolve(file)
}

/** Certificates that nobody here vouches for, as OpenSSL calls them. */
const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

export function unreachable(base: string, cause: unknown): CliError {
  const code = systemCodeOf(cause)
  if (code !== null && UNTRUSTED.has(code)) {
    const words = `the certificate of \`${base}\` is from nobody this machine trusts: give --ca FILE`
    return new CliError('usage', words, { cause })
  }
  const why = code ?? (cause instanceof Error ? cause.name : 'failed')
  return new CliError('unavailable', `\`${base}\` cannot be reached: ${why}`, { cause })
}
