/** @sallyport/identity against a real OpenID provider: discovery, JWKS, issued tokens, rotation. */
import { randomBytes } from 'node:crypto'
import {
  createVerifier,
  type IdentityConfig,
  type IssuerConfig,
  MemoryRevocationStore,
  MemorySessionTokenStore,
  processTokenExchange,
  type Verifier,
} from '@sallyport/identity'
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningIssuer, startIssuer } from './support/issuer.ts'

const AUDIENCE = 'sallyport'
const clock = { offsetMs: 0 }
const now = (): number => Date.now() + clock.offsetMs
const sessionTokens = new MemorySessionTokenStore()
const revocations = new MemoryRevocationStore()
let real: RunningIssuer

function configOf(issuer: Partial<IssuerConfig> = {}): IdentityConfig {
  return {
    issuers: [{ issuer: real.issuer, audience: AUDIENCE, typ: 'at+jwt', ...issuer }],
    roles: { analyst: { groups: ['analysts'] } },
    clockSkewSeconds: 5,
    sessionTokens: { maxLifetimeSeconds: 3600, defaultLifetimeSeconds: 600 },
  }
}
function verifierOf(issuer: Partial<IssuerConfig> = {}): Verifier {
  return createVerifier(configOf(issuer), { now, sessionTokens, revocations })
}

beforeAll(async () => {
  real = await startIssuer({
    audience: AUDIENCE,
    users: [
      { sub: 'alice', groups: ['analysts', 'dba'], claims: { email_verified: true } },
      { sub: 'support-bot', groups: ['agents'], kind: 'machine', claims: { graph: 'support' } },
    ],
  })
})
afterAll(() => real.close())

describe('a token of the provider', () => {
  test('for a person becomes a human principal', async () => {
    const token = await real.token('alice')
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
    expect(await verifierOf().verify(token)).toMatchObject({
      subject: 'alice',
      issuer: real.issuer,
      kind: 'human',
      groups: ['analysts', 'dba'],
      roles: ['analyst'],
      tokenKind: 'jwt',
    })
  })

  test('by client credentials becomes a machine with the graph the claims name', async () => {
    const verifier = verifierOf({ claims: { graph: 'graph', node: 'node' } })
    const token = await real.token('support-bot', { node: 'research' })
    expect(await verifier.verify(token)).toMatchObject({
      subject: 'support-bot',
      kind: 'machine',
      groups: ['agents'],
      graph: 'support',
      node: 'research',
      run: null,
    })
  })

  test.each([
    [{ audience: 'elsewhere' }, 'wrong-audience'],
    [{ expiresInSeconds: -60 }, 'expired'],
    [{ claims: { nbf: 4e9 } }, 'not-yet-valid'],
    [{ claims: { iss: 'https://elsewhere.example' } }, 'wrong-issuer'],
    [{ claims: { email_verified: false } }, 'claims'],
  ])('changed by %j is refused as %s', async (overrides, code) => {
    const verifier = verifierOf({ require: { email_verified: true } })
    const token = await real.token('alice', overrides)
    await expect(verifier.verify(token)).rejects.toMatchObject({ code })
  })

  test('that is expired by now says since when', async () => {
    const token = await real.token('alice', { expiresInSeconds: -600 })
    await expect(verifierOf().verify(token)).rejects.toThrow(/expired 10 minutes ago/)
  })

  test('can be exchanged for a narrower session token', async () => {
    const verifier = verifierOf()
    const params = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await real.token('alice'),
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'connection:crm role:analyst',
    })
    const deps = { verifier, now, sessionTokens, config: verifier.config, randomBytes }
    const result = await processTokenExchange(params, deps)
    if (result.kind !== 'issued') throw new Error(result.body.error_description)
    expect(await verifier.verify(result.body.access_token)).toMatchObject({
      subject: 'alice',
      kind: 'human',
      groups: ['analysts'],
      tokenKind: 'session',
    })
  })
})

describe('key rotation at the provider', () => {
  test('is followed by the first token of the new key; old tokens go on while their key is published', async () => {
    const verifier = verifierOf()
    const old = await real.token('alice')
    await verifier.verify(old)
    await real.rotateKeys()
    const renewed = await real.token('alice')
    expect(decodeProtectedHeader(renewed).kid).not.toBe(decodeProtectedHeader(old).kid)
    expect((await verifier.verify(renewed)).subject).toBe('alice')
    expect((await verifier.verify(old)).subject).toBe('alice')
  })

  test('that retires the old key ends its tokens once keys are fetched again', async () => {
    const verifier = verifierOf()
    const old = await real.token('alice')
    await verifier.verify(old)
    await real.rotateKeys({ retireOld: true })
    await verifier.verify(await real.token('alice'))
    await expect(verifier.verify(old)).rejects.toMatchObject({ code: 'unknown-key' })
  })
})

test('warm tells whether the provider is there', async () => {
  expect(await verifierOf().warm()).toMatchObject([
    { issuer: real.issuer, keys: 'fresh', ready: true },
  ])
  const gone = await startIssuer({ audience: AUDIENCE, users: [] })
  await gone.close()
  const status = await verifierOf({ issuer: gone.issuer }).warm()
  expect(status).toMatchObject([{ keys: 'none', ready: false, lastFailure: { kind: 'network' } }])
})
