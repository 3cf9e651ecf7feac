import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { IssuerKeys } from './issuer-keys.ts'
import {
  ISSUER_RETRY_MS,
  KEYS_FRESH_MS_MAX,
  KEYS_REFRESH_MS,
  KEYS_STALE_MS_MAX,
  UNKNOWN_KEY_COOLDOWN_MS,
  VERIFIED_TOKENS_MAX,
} from './limits.ts'
import {
  type Answer,
  claimsAt,
  configFor,
  makeKey,
  type Rig,
  rigFor,
  START_MS,
  startTestIssuer,
  type TestIssuer,
} from './testing/issuer.ts'

/** Long enough for an issuer that answers on a busy machine; a hanging one costs a test this long. */
const fetchTimeoutMs = 1_500

let issuer: TestIssuer
let rig: Rig
beforeEach(async () => {
  issuer = await startTestIssuer()
  rig = rigFor(configFor([issuer]), { fetchTimeoutMs })
})
afterEach(() => issuer[Symbol.asyncDispose]())

/** A token that is good at the rig's present time. */
function fresh(of: Rig = rig): Promise<string> {
  return issuer.token(claimsAt(of.clock.now))
}
async function codeOf(token: string | Promise<string>, of: Rig = rig): Promise<string> {
  const result = await of.verifier.verify(await token).catch((error: unknown) => error)
  return result instanceof Error && 'code' in result ? String(result.code) : 'accepted'
}

describe('loading keys', () => {
  test('happens once for many tokens at the same time', async () => {
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, n) => issuer.token({ jti: `j${n}` })),
    )
    await Promise.all(tokens.map((token) => rig.verifier.verify(token)))
    expect(issuer.requests).toEqual({ discovery: 1, jwks: 1 })
  })

  test('skips discovery when the URI is configured', async () => {
    const direct = rigFor(configFor([issuer], { issuer: { jwksUri: `${issuer.url}/jwks` } }))
    expect(await codeOf(issuer.token(), direct)).toBe('accepted')
    expect(issuer.requests).toEqual({ discovery: 0, jwks: 1 })
  })

  test('refuses a discovery document that names another issuer', async () => {
    issuer.discovery = { issuer: 'https://accounts.example' }
    expect(await codeOf(fresh())).toBe('issuer-unavailable')
    expect(rig.verifier.status()[0]).toMatchObject({
      keys: 'none',
      ready: false,
      lastFailure: { at: START_MS, kind: 'issuer-mismatch' },
    })
    expect(issuer.requests.jwks).toBe(0)
  })

  test.each(['http://keys.example/jwks', 'file:///etc/passwd', 7, undefined])(
    'refuses jwks_uri %s',
    async (uri) => {
      issuer.discovery = { jwks_uri: uri }
      expect(await codeOf(fresh())).toBe('issuer-unavailable')
      expect(rig.verifier.status()[0]?.lastFailure?.kind).toBe('document')
    },
  )

  test.each<[Answer, string]>([
    ['error', 'http'],
    ['redirect', 'http'],
    ['not-json', 'document'],
    ['huge', 'document'],
    ['hang', 'timeout'],
    ['drip', 'timeout'],
  ])('fails safely when the issuer answers with %s', async (answer, kind) => {
    issuer.answer = answer
    const error = await rig.verifier.verify(await fresh()).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'issuer-unavailable', retryable: true })
    expect(rig.verifier.status()[0]?.lastFailure?.kind).toBe(kind)
  })

  test('fails safely when the port is closed or the injected fetch ignores its signal', async () => {
    const { url } = issuer
    const token = await fresh()
    await issuer[Symbol.asyncDispose]()
    expect(await codeOf(token)).toBe('issuer-unavailable')
    expect(rig.verifier.status()[0]?.lastFailure).toMatchObject({
      kind: 'network',
      detail: 'discovery document: ECONNREFUSED',
    })
    const deaf = rigFor(configFor([issuer]), {
      fetchTimeoutMs: 30,
      fetch: () => new Promise(() => {}),
    })
    expect(await codeOf(token, deaf)).toBe('issuer-unavailable')
    expect(url).toContain('127.0.0.1')
  })

  test('refuses more keys than the cap', async () => {
    const key = issuer.keys[0]!
    issuer.keys = Array.from({ length: 101 }, (_, n) => ({
      ...key,
      jwk: { ...key.jwk, kid: `k${n}` },
    }))
    expect(await codeOf(fresh())).toBe('issuer-unavailable')
  })

  test('does not ask a failing issuer again at once', async () => {
    issuer.answer = 'error'
    expect(await codeOf(fresh())).toBe('issuer-unavailable')
    issuer.answer = 'ok'
    rig.clock.now += ISSUER_RETRY_MS - 1
    expect(await codeOf(fresh())).toBe('issuer-unavailable')
    expect(issuer.requests.discovery).toBe(1)
    rig.clock.now += 1
    expect(await codeOf(fresh())).toBe('accepted')
  })

  test('warm reports each issuer and never throws', async () => {
    await using second = await startTestIssuer()
    second.answer = 'error'
    const two = rigFor(configFor([issuer, second]))
    expect(await two.verifier.warm()).toMatchObject([
      { issuer: issuer.url, keys: 'fresh', keyCount: 1, ready: true, lastFailure: null },
      { issuer: second.url, keys: 'none', ready: false, lastFailure: { kind: 'http' } },
    ])
  })
})

describe('rotation', () => {
  test('a new key is fetched for the first token that names it', async () => {
    expect(await codeOf(fresh())).toBe('accepted')
    issuer.keys = [await makeKey({ kid: 'k2' }), ...issuer.keys]
    rig.clock.now += 1_000
    expect(await codeOf(fresh())).toBe('accepted')
    expect(issuer.requests.jwks).toBe(2)
  })

  test('unknown kids cost at most one fetch per cool-down', async () => {
    await codeOf(fresh())
    const stranger = await makeKey({ kid: 'stranger' })
    for (let n = 0; n < 5; n++) {
      expect(await codeOf(issuer.token({ jti: `j${n}` }, { key: stranger }))).toBe('unknown-key')
    }
    expect(issuer.requests.jwks).toBe(2)
    rig.clock.now += UNKNOWN_KEY_COOLDOWN_MS
    expect(await codeOf(issuer.token({}, { key: stranger }))).toBe('unknown-key')
    expect(issuer.requests.jwks).toBe(3)
  })

  test('a withdrawn key stops verifying at the next refresh, also for remembered tokens', async () => {
    const token = await issuer.token({ exp: START_MS / 1000 + 3600 })
    expect(await codeOf(token)).toBe('accepted')
    issuer.keys = [await makeKey({ kid: 'k2' })]
    rig.clock.now += KEYS_FRESH_MS_MAX
    expect(await codeOf(token)).toBe('unknown-key')
  })

  test('an empty key set withdraws every key', async () => {
    expect(await codeOf(fresh())).toBe('accepted')
    issuer.keys = []
    rig.clock.now += KEYS_FRESH_MS_MAX
    expect(
      await codeOf(issuer.token(claimsAt(rig.clock.now), { key: await makeKey({ kid: 'k1' }) })),
    ).toBe('unknown-key')
    expect(rig.verifier.status()[0]).toMatchObject({ keyCount: 0, ready: false })
  })

  test('keys are refreshed in the background before they must be', async () => {
    const key = issuer.keys[0]!
    await codeOf(fresh())
    rig.clock.now += KEYS_REFRESH_MS
    issuer.answer = 'hang'
    expect(await codeOf(issuer.token(claimsAt(rig.clock.now), { key }))).toBe('accepted')
    await vi.waitFor(() => expect(issuer.requests.discovery).toBe(2), 20_000)
    await vi.waitFor(() => expect(rig.verifier.status()[0]?.keys).toBe('stale'), 20_000)
  })

  test('tokens without kid are tried against each fitting key', async () => {
    const [first, second] = [await makeKey(), await makeKey()]
    issuer.keys = [first, second]
    expect(await codeOf(issuer.token({}, { key: second }))).toBe('accepted')
    expect(await codeOf(issuer.token({}, { key: await makeKey() }))).toBe('signature')
  })

  test('tokens without kid are tried against four keys, not more', async () => {
    issuer.keys = await Promise.all(Array.from({ length: 5 }, () => makeKey()))
    expect(await codeOf(issuer.token({}, { key: issuer.keys[3]! }))).toBe('accepted')
    expect(await codeOf(issuer.token({}, { key: issuer.keys[4]! }))).toBe('signature')
  })
})

describe('an issuer that is down', () => {
  test('leaves its last good keys serving up to the bound, then nothing', async () => {
    await codeOf(fresh())
    issuer.answer = 'error'
    rig.clock.now = START_MS + KEYS_STALE_MS_MAX - 1
    expect(await codeOf(fresh())).toBe('accepted')
    expect(rig.verifier.status()[0]).toMatchObject({ keys: 'stale', ready: true })
    rig.clock.now = START_MS + KEYS_STALE_MS_MAX
    expect(await codeOf(fresh())).toBe('issuer-unavailable')
    expect(rig.verifier.status()[0]).toMatchObject({ keys: 'dropped', ready: false })
    issuer.answer = 'ok'
    rig.clock.now += ISSUER_RETRY_MS
    expect(await codeOf(fresh())).toBe('accepted')
  })

  test('refuses remembered tokens as well once its keys are dropped', async () => {
    const token = await issuer.token({ exp: START_MS / 1000 + KEYS_STALE_MS_MAX })
    expect(await codeOf(token)).toBe('accepted')
    issuer.answer = 'error'
    rig.clock.now = START_MS + KEYS_STALE_MS_MAX
    expect(await codeOf(token)).toBe('issuer-unavailable')
  })

  test('costs one wait per retry interval, not one per connection', async () => {
    await codeOf(fresh())
    issuer.answer = 'hang'
    rig.clock.now += KEYS_FRESH_MS_MAX
    expect(await codeOf(fresh())).toBe('accepted')
    const before = issuer.requests.discovery
    for (let n = 0; n < 5; n++) expect(await codeOf(fresh())).toBe('accepted')
    expect(issuer.requests.discovery).toBe(before)
  })

  test('does not touch another issuer', async () => {
    await using second = await startTestIssuer()
    const two = rigFor(configFor([issuer, second]), { fetchTimeoutMs })
    issuer.answer = 'hang'
    expect(await codeOf(second.token(), two)).toBe('accepted')
    expect(await codeOf(issuer.token(), two)).toBe('issuer-unavailable')
  })
})

test('a clock set back fetches again rather than trusting keys from the future', async () => {
  const clock = { now: START_MS }
  const keys = new IssuerKeys(configFor([issuer]).issuers[0]!, { now: () => clock.now, fetch })
  await keys.current()
  clock.now -= 1_000
  await keys.current()
  expect(issuer.requests.jwks).toBe(2)
})

describe('two issuers', () => {
  test('one cannot sign for the other', async () => {
    await using second = await startTestIssuer()
    const two = rigFor(configFor([issuer, second]))
    const forged = issuer.token({ iss: second.url })
    expect(await codeOf(forged, two)).toBe('signature')
  })
})

describe('the cache of verified tokens', () => {
  test('saves the signature check, and only that', async () => {
    const verify = vi.spyOn(crypto.subtle, 'verify')
    const token = await fresh()
    for (let n = 0; n < 10; n++) await rig.verifier.verify(token)
    expect(verify).toHaveBeenCalledTimes(1)
    rig.revocations.revoke({
      kind: 'token',
      tokenId: 'j1',
      at: START_MS,
      until: null,
      reason: null,
    })
    expect(await codeOf(token)).toBe('revoked')
    verify.mockRestore()
  })

  test('does not outlive the token', async () => {
    const token = await fresh()
    await rig.verifier.verify(token)
    rig.clock.now += 300_000
    expect(await codeOf(token)).toBe('expired')
  })

  test('keeps no more than its cap, dropping what was used longest ago', async () => {
    expect(VERIFIED_TOKENS_MAX).toBe(10_000)
    const small = rigFor(configFor([issuer]), { verifiedTokensMax: 2 })
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((jti) => issuer.token({ jti })))
    const verify = vi.spyOn(crypto.subtle, 'verify')
    for (const token of [a!, b!, a!, c!]) await small.verifier.verify(token)
    expect(verify).toHaveBeenCalledTimes(3)
    await small.verifier.verify(a!)
    expect(verify).toHaveBeenCalledTimes(3)
    await small.verifier.verify(b!)
    expect(verify).toHaveBeenCalledTimes(4)
    verify.mockRestore()
  })
})
