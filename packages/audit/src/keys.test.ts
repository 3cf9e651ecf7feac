import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkHead, decodeHead, encodeHead, signHead, type UnsignedHead } from './heads.ts'
import { generateSigningKey, loadSigningKey, parsePublicKey, publicKeyPem } from './keys.ts'
import { temporaryDirectory } from './testing.ts'

const HEAD: UnsignedHead = {
  at: 1,
  segment: 1,
  seq: 3,
  head: 'ab'.repeat(32),
  records: 3,
  root: 'cd'.repeat(32),
  heads: 4,
  previous: 'ef'.repeat(32),
}

describe('the signing key', () => {
  test('is made once, for its owner only, and kept', () => {
    const file = join(temporaryDirectory(), 'key.pem')
    const made = loadSigningKey({ file, create: true })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(existsSync(`${file}.new`)).toBe(false)
    expect(loadSigningKey({ file, create: true }).keyId).toBe(made.keyId)
  })

  test('is never overwritten', () => {
    const file = join(temporaryDirectory(), 'key.pem')
    generateSigningKey(file)
    const before = readFileSync(file)
    expect(() => generateSigningKey(file)).toThrow(expect.objectContaining({ code: 'EEXIST' }))
    expect(readFileSync(file)).toEqual(before)
  })

  test.each([
    ['is no key', () => 'secret'],
    [
      'is of another kind',
      () => generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ],
  ])('is refused when it %s', (_name, content) => {
    const file = join(temporaryDirectory(), 'key.pem')
    writeFileSync(file, content(), { mode: 0o600 })
    expect(() => loadSigningKey({ file, create: false })).toThrow(
      expect.objectContaining({ code: 'key-unsafe' }),
    )
  })

  test('has one id on both its halves', () => {
    const file = join(temporaryDirectory(), 'key.pem')
    const key = loadSigningKey({ file, create: true })
    expect(parsePublicKey(publicKeyPem(key)).keyId).toBe(key.keyId)
    expect(() => parsePublicKey('x')).toThrow(expect.objectContaining({ code: 'key-unsafe' }))
  })
})

describe('a signed head', () => {
  test('is valid for its key as it was signed, and not with any member changed', () => {
    const file = join(temporaryDirectory(), 'key.pem')
    const key = loadSigningKey({ file, create: true })
    const keys = [{ keyId: key.keyId, key: key.publicKey }]
    const head = signHead(HEAD, key)
    expect(checkHead(head, keys)).toBe('valid')
    for (const member of ['at', 'segment', 'seq', 'records', 'heads'] as const) {
      expect(checkHead({ ...head, [member]: HEAD[member] + 1 }, keys)).toBe('bad-signature')
    }
    expect(checkHead({ ...head, root: head.head }, keys)).toBe('bad-signature')
    expect(checkHead({ ...head, head: head.root }, keys)).toBe('bad-signature')
    expect(checkHead({ ...head, ...{ previous: HEAD.root } }, keys)).toBe('bad-signature')
    expect(checkHead(head, [])).toBe('unknown-key')
  })

  test('is read back from its line, and from no other text of it', () => {
    const file = join(temporaryDirectory(), 'key.pem')
    const head = signHead(HEAD, loadSigningKey({ file, create: true }))
    const line = encodeHead(head).trimEnd()
    expect(decodeHead(line)).toEqual(head)
    expect(decodeHead(` ${line}`)).toBeNull()
    expect(decodeHead(line.replace('"v":2', '"v":2,"x":1'))).toBeNull()
    for (const v of ['1', '3', '"2"']) {
      expect(decodeHead(line.replace('"v":2', `"v":${v}`))).toBeNull()
    }
    expect(decodeHead(line.replace('"seq":3', '"seq":-3'))).toBeNull()
  })
})
