import { describe, expect, test } from 'vitest'
import { type IdentityConfig, type IssuerConfig, OPERATOR_ISSUER } from './config.ts'
import { identityConfigProblems, isIssuerUrl } from './config-check.ts'
import { IdentityError } from './errors.ts'
import { rigFor } from './testing/issuer.ts'

const GOOD: IdentityConfig = {
  issuers: [{ issuer: 'https://id.example', audience: 'sallyport' }],
  roles: { analyst: { groups: ['analysts'] } },
  clockSkewSeconds: 30,
  sessionTokens: { maxLifetimeSeconds: 3600, defaultLifetimeSeconds: 900 },
}
const withIssuer = (options: Partial<IssuerConfig>): IdentityConfig => ({
  ...GOOD,
  issuers: [{ ...GOOD.issuers[0]!, ...options }],
})
const TWO = [GOOD.issuers[0]!, { issuer: 'https://b.example', audience: 'x', groupPrefix: 'b:' }]

test('a good configuration has no problems', () => {
  expect(identityConfigProblems(GOOD)).toEqual([])
})

test.each<[string, IdentityConfig, string]>([
  ['http', withIssuer({ issuer: 'http://id.example' }), 'issuers[0].issuer'],
  ['no URL', withIssuer({ issuer: 'id.example' }), 'issuers[0].issuer'],
  ['query', withIssuer({ issuer: 'https://id.example?x' }), 'issuers[0].issuer'],
  ['jwksUri over http', withIssuer({ jwksUri: 'http://id.example/k' }), 'issuers[0].jwksUri'],
  ['no audience', withIssuer({ audience: [] }), 'issuers[0].audience'],
  ['empty audience', withIssuer({ audience: '' }), 'issuers[0].audience'],
  ['no algorithms', withIssuer({ algorithms: [] }), 'issuers[0].algorithms'],
  ['HS256', withIssuer({ algorithms: ['HS256' as 'RS256'] }), 'issuers[0].algorithms'],
  ['none', withIssuer({ algorithms: ['none' as 'RS256'] }), 'issuers[0].algorithms'],
  ['claim path', withIssuer({ claims: { groups: 'a..b' } }), 'issuers[0].claims.groups'],
  ['required path', withIssuer({ require: { '': true } }), 'issuers[0].require'],
  ['stale too long', withIssuer({ keysStaleSecondsMax: 99_999 }), 'issuers[0].keysStaleSecondsMax'],
  ['stale too short', withIssuer({ keysStaleSecondsMax: 899 }), 'issuers[0].keysStaleSecondsMax'],
  ['age', withIssuer({ maxTokenAgeSeconds: 0 }), 'issuers[0].maxTokenAgeSeconds'],
  ['twice', { ...GOOD, issuers: [GOOD.issuers[0]!, GOOD.issuers[0]!] }, 'issuers[1].issuer'],
  ['skew', { ...GOOD, clockSkewSeconds: 301 }, 'clockSkewSeconds'],
  ['skew NaN', { ...GOOD, clockSkewSeconds: Number.NaN }, 'clockSkewSeconds'],
  ['nameless role', { ...GOOD, roles: { '': {} } }, 'roles'],
  ['foreign issuer', { ...GOOD, roles: { a: { issuers: ['https://x.example'] } } }, 'roles.a'],
  ['subjects of two', { ...GOOD, issuers: TWO, roles: { a: { subjects: ['alice'] } } }, 'roles.a'],
  [
    'default over max',
    { ...GOOD, sessionTokens: { maxLifetimeSeconds: 60, defaultLifetimeSeconds: 61 } },
    'sessionTokens.defaultLifetimeSeconds',
  ],
  [
    'a day and more',
    { ...GOOD, sessionTokens: { maxLifetimeSeconds: 86_401, defaultLifetimeSeconds: 1 } },
    'sessionTokens.maxLifetimeSeconds',
  ],
])('is refused: %s', (_, config, path) => {
  const errors = identityConfigProblems(config).filter(({ level }) => level === 'error')
  expect(errors).toMatchObject([{ path }])
  expect(() => rigFor(config)).toThrow(IdentityError)
})

describe('several issuers', () => {
  test('with their own prefixes are fine, and subjects with issuers too', () => {
    const roles = { ops: { subjects: ['alice'], issuers: ['https://b.example', OPERATOR_ISSUER] } }
    expect(identityConfigProblems({ ...GOOD, issuers: TWO, roles })).toEqual([])
  })
  test('without prefixes are warned about, not refused', () => {
    const issuers = [TWO[0]!, { ...TWO[1]!, groupPrefix: '' }]
    const { verifier } = rigFor({ ...GOOD, issuers })
    expect(verifier.warnings).toMatchObject([{ level: 'warning', path: 'issuers' }])
  })
})

test.each([
  ['https://id.example/realms/a', true],
  ['http://localhost:9000', true],
  ['http://127.0.0.53:9000', true],
  ['http://[::1]:9000', true],
  ['http://localhost.example', false],
  ['http://127.0.0.1.example', false],
  ['http://10.0.0.1', false],
  ['https://user:pw@id.example', false],
  ['https://id.example#x', false],
  ['ftp://localhost', false],
])('%s may be an issuer: %s', (url, accepted) => {
  expect(isIssuerUrl(url)).toBe(accepted)
})

test('editing the configuration object afterwards changes nothing', () => {
  const config = structuredClone(GOOD)
  const { verifier } = rigFor(config)
  Object.assign(config.roles, { root: { groups: ['analysts'] } })
  expect(verifier.config.roles).toEqual(GOOD.roles)
})
