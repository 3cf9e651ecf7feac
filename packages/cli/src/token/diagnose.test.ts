import { IDENTITY_ERROR_CODES, type IdentityConfig, IdentityError } from '@sallyport/identity'
import { expect, test } from 'vitest'
import { diagnose } from './diagnose.ts'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const identity: IdentityConfig = {
  issuers: [{ issuer: 'https://login.example', audience: 'sallyport', algorithms: ['RS256'] }],
  roles: {},
  clockSkewSeconds: 30,
  sessionTokens: { maxLifetimeSeconds: 3600, defaultLifetimeSeconds: 900 },
}

function said(
  code: (typeof IDENTITY_ERROR_CODES)[number],
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  const decoded = { kind: 'jwt', header, claims } as const
  const error = new IdentityError(code, 'the verifier’s words')
  return diagnose(error, { decoded, identity, now: NOW }).message
}

test.each([
  ['expired' as const, { exp: NOW / 1000 - 180 }, 'it expired 3 min ago'],
  ['not-yet-valid' as const, { nbf: NOW / 1000 + 300 }, 'it is valid only in 5 min'],
  [
    'wrong-audience' as const,
    { iss: 'https://login.example', aud: ['a', 'b'] },
    'its audience (aud) is `a`, `b`, expected `sallyport`',
  ],
  [
    'wrong-issuer' as const,
    { iss: 'https://login.example/' },
    'its issuer (iss) is `https://login.example/`, accepted here: `https://login.example`',
  ],
])('says what was there and what was expected: %s', (code, claims, words) => {
  expect(said(code, claims)).toContain(words)
})

test('names the key and the algorithm', () => {
  expect(said('unknown-key', {}, { kid: 'k7' })).toContain('the key `k7`')
  expect(said('algorithm', { iss: 'https://login.example' }, { alg: 'HS256' })).toBe(
    'it is signed with `HS256`, accepted: RS256',
  )
})

test('a token whose expiry says otherwise keeps the verifier’s words', () => {
  expect(said('expired', { exp: NOW / 1000 + 10 })).toBe('the verifier’s words')
})

test.each(IDENTITY_ERROR_CODES)('has something to do for %s', (code) => {
  const context = { decoded: { kind: 'session' }, identity, now: NOW } as const
  expect(diagnose(new IdentityError(code, 'x'), context).fix).not.toBe('')
})
