/** A certificate and its key as files: the pair, the dates, the names, who can read the key. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import process from 'node:process'
import { formatDuration, formatMoment } from '../duration.ts'
import type { Area } from './findings.ts'

/** Less than this left is a warning, milliseconds (14 days). */
export const EXPIRY_WARNING_MS = 14 * 86_400_000
/** OpenSSL's default security level refuses less. */
const RSA_BITS_MIN = 2048
const OTHERS_READ = 0o004
const OTHERS_WRITE = 0o022

/** Checks the pair and returns the certificate's SHA-256 (`AB:CD:…`); null when it cannot be used. */
export async function checkPair(
  area: Area,
  files: { readonly certificate: string; readonly key: string },
  now: number,
): Promise<string | null> {
  const chain = await readChain(area, files.certificate)
  const key = await readKey(area, files.key)
  const [leaf] = chain
  if (leaf === undefined || key === null) return null
  if (!leaf.checkPrivateKey(key)) {
    area.fail(
      `\`${files.key}\` is not the key of \`${files.certificate}\``,
      'Put the certificate and the key of one request together.',
    )
    return null
  }
  checkDates(area, leaf, now)
  checkNames(area, leaf)
  checkStrength(area, key)
  checkOrder(area, chain)
  return leaf.fingerprint256
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

async function readChain(area: Area, path: string): Promise<readonly X509Certificate[]> {
  try {
    const blocks = (await readFile(path, 'utf8')).match(PEM) ?? []
    const chain = blocks.map((pem) => new X509Certificate(pem))
    if (chain.length === 0) {
      area.fail(
        `\`${path}\` holds no certificate in PEM`,
        'Name a file that begins with -----BEGIN CERTIFICATE-----.',
      )
    }
    return chain
  } catch (error) {
    area.fail(
      `certificate \`${path}\`: ${reason(error)}`,
      'Correct the path, the permissions or the file.',
    )
    return []
  }
}

async function readKey(area: Area, path: string): Promise<KeyObject | null> {
  try {
    const key = createPrivateKey(await readFile(path))
    await checkKeyFile(area, path)
    return key
  } catch (error) {
    // The key parser's own message may show what it read.
    const isFile = error instanceof Error && 'errno' in error
    area.fail(
      isFile
        ? `key \`${path}\`: ${reason(error)}`
        : `\`${path}\` is not an unencrypted private key in PEM`,
      'Correct the path, the permissions or the file.',
    )
    return null
  }
}

async function checkKeyFile(area: Area, path: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await stat(path)
  if ((mode & (OTHERS_READ | OTHERS_WRITE)) !== 0) {
    area.warn(
      `the key \`${path}\` is open to other accounts (mode ${(mode & 0o777).toString(8)})`,
      `chmod 600 ${path}`,
    )
  }
}

export function checkDates(area: Area, certificate: X509Certificate, now: number): void {
  const [from, to] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()]
  if (from > now) {
    area.fail(
      `the certificate is valid only from ${formatMoment(from)}`,
      'Check the clock, or wait.',
    )
  } else if (to <= now) {
    area.fail(
      `the certificate expired ${formatDuration(now - to)} ago (${formatMoment(to)})`,
      'Renew it; a running gateway takes the new files by itself.',
    )
  } else if (to - now < EXPIRY_WARNING_MS) {
    area.warn(
      `the certificate expires in ${formatDuration(to - now)} (${formatMoment(to)})`,
      'Renew it; a running gateway takes the new files by itself.',
    )
  } else area.ok(`certificate valid until ${formatMoment(to)} (${formatDuration(to - now)})`)
}

function checkNames(area: Area, certificate: X509Certificate): void {
  const names = certificate.subjectAltName
  if (names === undefined) {
    area.warn(
      'the certificate has no subjectAltName: clients that verify names refuse it',
      'Issue it with the names and addresses that clients connect to.',
    )
  } else area.ok(`for ${names}`)
}

function checkStrength(area: Area, key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (key.asymmetricKeyType === 'rsa' && bits !== undefined && bits < RSA_BITS_MIN) {
    area.fail(
      `the RSA key has ${bits} bits`,
      `Make one with at least ${RSA_BITS_MIN}, or an EC key.`,
    )
  }
}

function checkOrder(area: Area, chain: readonly X509Certificate[]): void {
  for (const [index, certificate] of chain.entries()) {
    const next = chain[index + 1]
    if (next !== undefined && !certificate.checkIssued(next)) {
      area.warn(
        `certificate ${index + 2} of the file did not issue certificate ${index + 1}`,
        'Put the server’s certificate first, then its issuer, then that one’s issuer.',
      )
    }
  }
}

function reason(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'cannot be parsed'
}
