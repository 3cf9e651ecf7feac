import { cpSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canonicalJson } from './canonical.ts'
import { encodeHead, HEADS_FILE, newestHead, signHead } from './heads.ts'
import {
  appendKeyChange,
  isKeyChange,
  KEYS_FILE,
  readKeyChanges,
  signKeyChange,
} from './key-changes.ts'
import { generateSigningKey, loadSigningKey, publicKeyPem, type SigningKey } from './keys.ts'
import type { AuditLog } from './log.ts'
import { openAuditLog } from './open.ts'
import { clockAt, publicKeyIn, temporaryDirectory, unsigned } from './testing.ts'
import { statement } from './testing-events.ts'
import { type VerifyReport, verifyLog } from './verify.ts'

const open = (directory: string): Promise<AuditLog> =>
  openAuditLog({ directory, now: clockAt().now, index: false, segmentBytes: 900 })

function say(log: AuditLog): void {
  for (let n = 0; n < 4; n++) {
    log.append(statement())
    log.flush()
  }
}

function keyOf(file: string): SigningKey {
  generateSigningKey(file)
  return loadSigningKey({ file, create: false })
}

/** A log over two changes of keys, over several segments; and its first public key. */
async function rotatedLog(directory: string): Promise<string> {
  const log = await open(directory)
  const first = publicKeyIn(directory)
  say(log)
  await log.rotateKey()
  say(log)
  await log.rotateKey()
  say(log)
  await log.close()
  return first
}

const codesOf = ({ findings }: VerifyReport): string[] => [
  ...new Set(findings.map(({ code }) => code)),
]

test('the first public key alone proves a log whose key was changed while it was written', async () => {
  const directory = temporaryDirectory()
  const first = await rotatedLog(directory)
  const report = await verifyLog(directory, { publicKeys: [first] })
  expect(report.findings).toEqual([])
  expect(report.provenTo).toBe(report.lastSeq)
  // It goes on with the key it has by then.
  const log = await open(directory)
  say(log)
  await log.close()
  expect((await verifyLog(directory, { publicKeys: [first] })).ok).toBe(true)
})

test('the old private key is gone, and the change is on record', async () => {
  const directory = temporaryDirectory()
  const log = await open(directory)
  const file = join(directory, 'signing-key.pem')
  const before = readFileSync(file, 'utf8')
  const change = await log.rotateKey()
  expect(readFileSync(file, 'utf8')).not.toBe(before)
  expect(loadSigningKey({ file, create: false }).keyId).toBe(change.to)
  await log.close()
  const text = readFileSync(join(directory, '00000001.jsonl'), 'utf8')
  expect(text).toContain(`"seq":${change.seq}}`)
  expect(text).toContain('"type":"key-rotated"')
})

test('a key that nobody vouches for is no key of this log', async () => {
  const directory = temporaryDirectory()
  const first = await rotatedLog(directory)
  const forger = keyOf(join(directory, 'forger.pem'))
  const file = join(directory, HEADS_FILE)
  const head = unsigned(newestHead(file))
  writeFileSync(file, readFileSync(file, 'utf8') + encodeHead(signHead(head, forger)))
  expect(codesOf(await verifyLog(directory, { publicKeys: [first] }))).toEqual(['unknown-key'])
  // Nor when it vouches for itself, nor under the name of one that is trusted.
  const seq = 3
  appendKeyChange(directory, signKeyChange({ at: 1, seq }, { old: forger, next: forger }))
  expect(codesOf(await verifyLog(directory, { publicKeys: [first] }))).toContain('unknown-key')
  const trusted = readKeyChanges(directory)[0]?.from ?? ''
  const named = { ...forger, keyId: trusted }
  appendKeyChange(directory, signKeyChange({ at: 1, seq }, { old: named, next: forger }))
  expect(codesOf(await verifyLog(directory, { publicKeys: [first] }))).toContain('bad-signature')
})

test('a key that was replaced signs nothing later', async () => {
  const directory = temporaryDirectory()
  const log = await open(directory)
  const first = publicKeyIn(directory)
  const file = join(directory, 'signing-key.pem')
  cpSync(file, join(directory, 'stolen.pem'))
  await log.rotateKey()
  say(log)
  await log.close()
  const stolen = loadSigningKey({ file: join(directory, 'stolen.pem'), create: false })
  const heads = join(directory, HEADS_FILE)
  const head = unsigned(newestHead(heads))
  writeFileSync(heads, readFileSync(heads, 'utf8') + encodeHead(signHead(head, stolen)))
  expect(codesOf(await verifyLog(directory, { publicKeys: [first] }))).toEqual(['retired-key'])
})

test('a change that the log does not speak of is found, even well signed', async () => {
  const directory = temporaryDirectory()
  const log = await open(directory)
  const first = publicKeyIn(directory)
  const file = join(directory, 'signing-key.pem')
  const old = loadSigningKey({ file, create: false })
  say(log)
  await log.close()
  const next = keyOf(join(directory, 'next.pem'))
  appendKeyChange(directory, signKeyChange({ at: 1, seq: 4 }, { old, next }))
  const codes = codesOf(await verifyLog(directory, { publicKeys: [first] }))
  expect(codes).toContain('key-change-unrecorded')
})

test('a change of any single byte of keys.jsonl is found', async () => {
  const directory = temporaryDirectory()
  const first = await rotatedLog(directory)
  const file = join(directory, KEYS_FILE)
  const whole = readFileSync(file)
  for (let at = 0; at < whole.length; at++) {
    const bytes = Buffer.from(whole)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(file, bytes)
    const report = await verifyLog(directory, { publicKeys: [first] })
    expect(report.ok, `byte ${at}`).toBe(false)
  }
}, 120_000)

test('a signature has one text: another that decodes alike is none', async () => {
  const directory = temporaryDirectory()
  await rotatedLog(directory)
  const [change] = readKeyChanges(directory)
  const { signature = '' } = change ?? {}
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const bytes = Buffer.from(signature, 'base64url')
  const others = [...alphabet]
    .map((last) => signature.slice(0, -1) + last)
    .filter((other) => other !== signature && Buffer.from(other, 'base64url').equals(bytes))
  expect(others).toHaveLength(15)
  expect(others.filter((other) => isKeyChange({ ...change, signature: other }))).toEqual([])
  expect(isKeyChange(change)).toBe(true)
})

test('keys that are given need nobody to vouch for them', async () => {
  const directory = temporaryDirectory()
  await rotatedLog(directory)
  const changes = readKeyChanges(directory)
  const keys = [changes[0]?.from, changes[0]?.to, changes[1]?.to].map((id) =>
    readFileSync(join(directory, `public-key-${id}.pem`), 'utf8'),
  )
  expect((await verifyLog(directory, { publicKeys: keys })).ok).toBe(true)
})

test('a process that dies over the change leaves one that is finished or never was', async () => {
  const directory = temporaryDirectory()
  const log = await open(directory)
  const first = publicKeyIn(directory)
  await log.close()
  const file = join(directory, 'signing-key.pem')
  const old = loadSigningKey({ file, create: false })
  // Before anybody vouched for it.
  generateSigningKey(`${file}.next`)
  await (await open(directory)).close()
  expect(existsSync(`${file}.next`)).toBe(false)
  expect(loadSigningKey({ file, create: false }).keyId).toBe(old.keyId)
  // After: as if the last step, the renaming, had not come about.
  const again = await open(directory)
  const change = await again.rotateKey()
  await again.close()
  renameSync(file, `${file}.next`)
  cpSync(join(directory, `public-key-${change.to}.pem`), join(directory, 'spare.pem'))
  writeFileSync(file, old.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await (await open(directory)).close()
  expect(loadSigningKey({ file, create: false }).keyId).toBe(change.to)
  expect((await verifyLog(directory, { publicKeys: [first] })).findings).toEqual([])
  expect(publicKeyPem(old)).toBe(first)
  expect(canonicalJson(readKeyChanges(directory)[0] ?? {})).toBe(canonicalJson(change))
})
