/**
 * How a log gets another signing key: the old one signs the new one's public half and the record from which it counts.
 * Changes stand in keys.jsonl, one a line, and each in a `key-rotated` record of the log. A verifier that trusts the first
 * key trusts the next by its signature; a key that has been replaced signs nothing later.
 *
 * Signed bytes: `sallyport-audit-key-v1` newline, then the canonical JSON of the change without `signature`.
 */

import { createPublicKey, sign, verify } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { canonicalJson } from './canonical.ts'
import type { KeyChange } from './event.ts'
import type { Findings } from './findings.ts'
import { isSignature } from './heads.ts'
import { loadSigningKey, type PublicKey, type SigningKey } from './keys.ts'
import { isCount, isMap } from './record.ts'
import { endOfLines } from './segments.ts'

export const KEYS_FILE = 'keys.jsonl'

const CONTEXT = 'sallyport-audit-key-v1\n'
const MEMBERS = 'at from publicKey seq signature to v'
const NEXT = '.next'

/** A key with the records it may sign heads over; both ends included. */
export interface TrustedKey extends PublicKey {
  readonly from: number
  until: number
}

export function signKeyChange(
  place: { readonly at: number; readonly seq: number },
  { old, next }: { readonly old: SigningKey; readonly next: SigningKey },
): KeyChange {
  const publicKey = next.publicKey.export({ type: 'spki', format: 'der' }).toString('base64url')
  const unsigned = { ...place, v: 1 as const, from: old.keyId, to: next.keyId, publicKey }
  const signature = sign(null, signedBytes(unsigned), old.privateKey).toString('base64url')
  return { ...unsigned, signature }
}

function signedBytes(unsigned: Omit<KeyChange, 'signature'>): Buffer {
  return Buffer.from(CONTEXT + canonicalJson(unsigned))
}

/** Durable when it returns; whole or not at all. */
export function appendKeyChange(directory: string, change: KeyChange): void {
  const fd = openSync(join(directory, KEYS_FILE), 'a', 0o600)
  const { size } = fstatSync(fd)
  try {
    writeFileSync(fd, `${canonicalJson(change)}\n`)
    fdatasyncSync(fd)
  } catch (error) {
    ftruncateSync(fd, size)
    throw error
  } finally {
    closeSync(fd)
  }
}

/** In order; null for a line that is none. What follows the last newline was being written by a dying process. */
export function readKeyChanges(directory: string): readonly (KeyChange | null)[] {
  const file = join(directory, KEYS_FILE)
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').slice(0, -1).map(decodeKeyChange)
}

function decodeKeyChange(line: string): KeyChange | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  return isKeyChange(value) && canonicalJson(value) === line ? value : null
}

export function isKeyChange(value: unknown): value is KeyChange {
  return (
    isMap(value) &&
    Object.keys(value).sort().join(' ') === MEMBERS &&
    value['v'] === 1 &&
    isCount(value['at']) &&
    isCount(value['seq']) &&
    ['from', 'to', 'publicKey'].every((name) => typeof value[name] === 'string') &&
    isSignature(value['signature'])
  )
}

/** The keys given and those they vouch for, each with its time; what does not fit is a finding. */
export function trustedKeys(
  given: readonly PublicKey[],
  changes: readonly (KeyChange | null)[],
  findings: Findings,
): readonly TrustedKey[] {
  const keys: TrustedKey[] = given.map((key) => ({
    ...key,
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
  }))
  let newest = 0
  for (const [at, change] of changes.entries()) {
    const add = (
      code: 'head-unreadable' | 'head-order' | 'bad-signature' | 'unknown-key',
      message: string,
    ): void =>
      findings.add({ code, message, file: KEYS_FILE, line: at + 1, seq: change?.seq ?? null })
    if (change === null) {
      add('head-unreadable', 'this line is no change of keys')
      continue
    }
    const old = keys.find(({ keyId }) => keyId === change.from)
    const isGiven = keys.some(({ keyId }) => keyId === change.to)
    if (old === undefined) {
      if (!isGiven)
        add('unknown-key', `key ${change.to} is vouched for by the unknown key ${change.from}`)
      continue
    }
    const key = keyOf(change)
    const { signature, ...unsigned } = change
    const bytes = Buffer.from(signature, 'base64url')
    if (key === null || !verify(null, signedBytes(unsigned), old.key, bytes)) {
      add('bad-signature', `key ${change.to} is not vouched for by key ${change.from}`)
      continue
    }
    if (change.seq <= newest) {
      add('head-order', `the change of record ${change.seq} stands behind that of record ${newest}`)
      continue
    }
    newest = change.seq
    old.until = Math.min(old.until, change.seq)
    if (!isGiven) keys.push({ ...key, from: change.seq, until: Number.MAX_SAFE_INTEGER })
  }
  return keys
}

function keyOf({ publicKey, to }: KeyChange): PublicKey | null {
  try {
    const der = Buffer.from(publicKey, 'base64url')
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    return key.asymmetricKeyType === 'ed25519' ? { keyId: to, key } : null
  } catch {
    return null
  }
}

/** A new key beside the one in `file`, for takeNextKey. @throws AuditError key-unsafe */
export function makeNextKey(file: string): SigningKey {
  rmSync(file + NEXT, { force: true })
  return loadSigningKey({ file: file + NEXT, create: true })
}

/** Puts it in the other's place; the old private key is gone. */
export function takeNextKey(file: string): void {
  renameSync(file + NEXT, file)
}

/** Finishes, or takes back, what a process that died over a change of keys left. */
export function settleKeyChange(directory: string, file: string): void {
  const path = join(directory, KEYS_FILE)
  const last = readKeyChanges(directory).at(-1)
  if (existsSync(path)) truncateSync(path, endOfLines(path))
  if (!existsSync(file + NEXT)) return
  const next = loadSigningKey({ file: file + NEXT, create: false })
  if (last?.to === next.keyId) takeNextKey(file)
  else rmSync(file + NEXT)
}
