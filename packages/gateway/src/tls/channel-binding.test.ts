import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tlsServerEndPoint } from './channel-binding.ts'

const der = (name: string): Buffer =>
  new X509Certificate(readFileSync(new URL(`fixtures/${name}.pem`, import.meta.url))).raw

describe('tls-server-end-point', () => {
  test.each([
    ['rsa-sha512', 'sha512'],
    ['rsa-pss-sha384', 'sha384'],
    ['rsa-pss-sha1', 'sha256'],
    ['ecdsa-sha1', 'sha256'],
    ['ecdsa-sha256', 'sha256'],
  ])('hashes a certificate signed with %s under %s', (name, hash) => {
    const expected = createHash(hash).update(der(name)).digest('hex')
    expect(Buffer.from(tlsServerEndPoint(der(name)) ?? []).toString('hex')).toBe(expected)
  })

  test('has none for a signature without a hash of its own', () => {
    expect(tlsServerEndPoint(der('ed25519'))).toBeUndefined()
  })

  test('has none for a certificate that is cut before its signature algorithm ends', () => {
    const whole = der('ecdsa-sha256')
    for (let length = 0; length < whole.length; length += 1) {
      expect(tlsServerEndPoint(whole.subarray(0, length))).toBeUndefined()
    }
  })

  test('any bytes give a hash or nothing, never an exception', () => {
    const whole = der('rsa-pss-sha384')
    const mutated = fc
      .tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }))
      .map(([at, byte]) => {
        const copy = Uint8Array.from(whole)
        copy[at] = byte
        return copy
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
        expect([undefined, 32, 48, 64, 28]).toContain(tlsServerEndPoint(bytes)?.length)
      }),
    )
  })
})
