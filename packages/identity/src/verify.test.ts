import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { type CryptoKey, exportSPKI, importJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IdentityError, type IdentityErrorCode } from './errors.ts'
import { TOKEN_BYTES_MAX } from './limits.ts'
import type { TestIssuer } from './testing/issuer.ts'
import {
  configFor,
  makeKey,
  type Rig,
  rigFor,
  START_MS,
  startTestIssuer,
} from './testing/issuer.ts'

const NOW_S = START_MS / 1000
let issuer: TestIssuer
let rig: Rig

beforeAll(async () => {
  issuer = await startTestIssuer()
  rig = rigFor(configFor([issuer]))
})
afterAll(() => issuer[Symbol.asyncDispose]())

function refusal(token: string | Promise<string>, of: Rig = rig): Promise<IdentityError> {
  return Promise.resolve(token)
    .then((text) => of.verifier.verify(text))
    .then(
      () => {
        throw new Error('was accepted')
      },
      (error: IdentityError) => error,
    )
}

/** A compact JWS of exactly these JSON texts, signed with the issuer's key over them. */
async function rawToken(header: string, payload: string): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`
  const signature = await crypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    issuer.keys[0]!.privateKey,
    Buffer.from(input),
  )
  return `${input}.${Buffer.from(signature).toString('base64url')}`
}
const encode = (text: string): string => Buffer.from(text).toString('base64url')

describe('an accepted token', () => {
  test('gives a frozen principal with every field from verified claims', async () => {
    const principal = await rig.verifier.verify(await issuer.token({ extra: { a: [1] } }))
    expect(principal).toEqual({
      subject: 'alice',
      issuer: issuer.url,
      kind: 'machine',
      groups: ['analysts'],
      allGroups: ['analysts'],
      roles: [],
      claims: {
        iss: issuer.url,
        sub: 'alice',
        aud: 'sallyport',
        groups: ['analysts'],
        jti: 'j1',
        iat: NOW_S,
        exp: NOW_S + 300,
        extra: { a: [1] },
      },
      graph: null,
      node: null,
      run: null,
      narrowed: { connections: null, roles: null, graph: null, node: null, run: null },
      tokenId: 'j1',
      tokenKind: 'jwt',
      expiresAt: START_MS + 300_000,
      issuedAt: START_MS,
      parentTokenId: null,
      ancestorTokenIds: [],
    })
    expect(Object.isFrozen(principal)).toBe(true)
    expect(Object.isFrozen(principal.claims['extra'])).toBe(true)
  })

  test.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('may be signed with %s', async (alg) => {
    await using other = await startTestIssuer()
    other.keys = [await makeKey({ kid: 'x', alg })]
    const principal = await rigFor(configFor([other])).verifier.verify(await other.token())
    expect(principal.subject).toBe('alice')
  })

  test('with a jti that is not printable gets an id from a hash of what is signed', async () => {
    const principal = await rig.verifier.verify(await issuer.token({ jti: 'a\nb' }))
    expect(principal.tokenId).toMatch(/^jwt_[A-Za-z0-9_-]{16}$/)
  })

  test('keeps its hash-derived id when its ECDSA signature is changed into another valid one', async () => {
    const token = await issuer.token({ jti: undefined })
    const twin = malleated(token)
    expect(twin).not.toBe(token)
    const principals = await Promise.all([token, twin].map((one) => rig.verifier.verify(one)))
    expect(principals[1]!.tokenId).toBe(principals[0]!.tokenId)
  })
})

/** (r, s) → (r, n − s): valid for the same message and key. */
function malleated(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const [header, payload, signature] = token.split('.')
  const bytes = Buffer.from(signature!, 'base64url')
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  Buffer.from(s.toString(16).padStart(64, '0'), 'hex').copy(bytes, 32)
  return `${header}.${payload}.${bytes.toString('base64url')}`
}

describe('claims of a signed token', () => {
  const cases: [string, Record<string, unknown>, IdentityErrorCode, RegExp][] = [
    ['expired a while ago', { exp: NOW_S - 600 }, 'expired', /expired 10 minutes ago/],
    ['expiring this instant', { exp: NOW_S }, 'expired', /expired 0 seconds ago/],
    ['valid only later', { nbf: NOW_S + 180 }, 'not-yet-valid', /valid only in 3 minutes/],
    ['issued in the future', { iat: NOW_S + 60 }, 'not-yet-valid', /issued in the future/],
    ['without exp', { exp: undefined }, 'claims', /`exp` is missing/],
    ['with exp as text', { exp: '9999999999' }, 'claims', /`exp` is not acceptable/],
    ['with exp beyond any date', { exp: 1e300 }, 'claims', /`exp` is not a point in time/],
    [
      'for another audience',
      { aud: 'other' },
      'wrong-audience',
      /another audience than `sallyport`/,
    ],
    ['for a longer audience', { aud: 'sallyport2' }, 'wrong-audience', /sallyport/],
    ['without audience', { aud: undefined }, 'wrong-audience', /sallyport/],
    ['for several others', { aud: ['a', 'b'] }, 'wrong-audience', /sallyport/],
    ['from another issuer', { iss: 'https://evil.example' }, 'wrong-issuer', /not accepted here/],
    ['from the issuer with a slash', { iss: 'SLASH' }, 'wrong-issuer', /not accepted here/],
    ['without issuer', { iss: undefined }, 'wrong-issuer', /not accepted here/],
    ['with a list as issuer', { iss: ['LIST'] }, 'wrong-issuer', /not accepted here/],
    ['without subject', { sub: undefined }, 'claims', /`sub` is missing/],
    ['with an empty subject', { sub: '' }, 'claims', /`sub` is not a short/],
    ['with a number as subject', { sub: 1 }, 'claims', /`sub` is not a short/],
    ['with a line break in the subject', { sub: 'a\nb' }, 'claims', /`sub` is not a short/],
    ['with groups of another shape', { groups: { a: 1 } }, 'claims', /`groups` is not a list/],
    ['with a number among the groups', { groups: ['a', 1] }, 'claims', /`groups` is not a list/],
    ['with too many groups', { groups: Array(1001).fill('g') }, 'claims', /more than 1000/],
    [
      'with groups kept elsewhere',
      { groups: undefined, _claim_names: { groups: 'src1' } },
      'claims',
      /too many groups/,
    ],
  ]
  test.each(cases)('are refused: %s', async (_, claims, code, message) => {
    const slash = claims['iss'] === 'SLASH' ? { iss: `${issuer.url}/` } : {}
    const error = await refusal(issuer.token({ ...claims, ...slash }))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(error).toBeInstanceOf(IdentityError)
  })

  test('are accepted within the clock skew, and expiresAt says until when', async () => {
    const skewed = rigFor(configFor([issuer], { config: { clockSkewSeconds: 30 } }))
    const late = await skewed.verifier.verify(await issuer.token({ exp: NOW_S - 29 }))
    expect(late.expiresAt).toBe(START_MS + 1_000)
    await skewed.verifier.verify(await issuer.token({ nbf: NOW_S + 30, iat: NOW_S + 30 }))
    expect((await refusal(issuer.token({ exp: NOW_S - 30 }), skewed)).code).toBe('expired')
    expect((await refusal(issuer.token({ nbf: NOW_S + 31 }), skewed)).code).toBe('not-yet-valid')
  })

  test('are refused past the greatest age, which also bounds expiresAt', async () => {
    const young = rigFor(configFor([issuer], { issuer: { maxTokenAgeSeconds: 60 } }))
    const principal = await young.verifier.verify(await issuer.token({ iat: NOW_S - 20 }))
    expect(principal.expiresAt).toBe(START_MS + 40_000)
    const old = await refusal(issuer.token({ iat: NOW_S - 61 }), young)
    expect([old.code, old.message]).toEqual([
      'expired',
      'the token is older than 60 seconds; get a new one',
    ])
    expect((await refusal(issuer.token({ iat: undefined }), young)).code).toBe('claims')
  })
})

describe('forgeries', () => {
  const payload = (): string =>
    JSON.stringify({ iss: issuer.url, sub: 'eve', aud: 'sallyport', iat: NOW_S, exp: NOW_S + 300 })

  test('alg none is refused, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'NONE']) {
      const unsigned = `${encode(`{"alg":"${alg}"}`)}.${encode(payload())}.`
      expect((await refusal(unsigned)).code).toBe('algorithm')
      expect((await refusal(`${unsigned}AAAA`)).code).toBe('algorithm')
    }
  })

  test('HS256 with the public key as the secret is refused', async () => {
    await using other = await startTestIssuer()
    other.keys = [await makeKey({ kid: 'r', alg: 'RS256' })]
    // Safe: a JWK with kty RSA imports as a CryptoKey.
    const spki = await exportSPKI((await importJWK(other.keys[0]!.jwk)) as CryptoKey)
    const claims = JSON.stringify({ iss: other.url, sub: 'eve', aud: 'sallyport', exp: NOW_S + 9 })
    const input = `${encode('{"alg":"HS256","kid":"r"}')}.${encode(claims)}`
    for (const secret of [spki, spki.trim(), JSON.stringify(other.keys[0]!.jwk)]) {
      const signature = createHmac('sha256', secret).update(input).digest('base64url')
      const error = await refusal(`${input}.${signature}`, rigFor(configFor([other])))
      expect(error.code).toBe('algorithm')
    }
  })

  test('HS256 with a secret the issuer publishes by mistake is refused', async () => {
    await using other = await startTestIssuer()
    const secret = Buffer.alloc(32, 7)
    const jwk = { kty: 'oct', k: secret.toString('base64url'), kid: 'k1', alg: 'HS256' }
    other.keys = [{ ...other.keys[0]!, jwk }]
    const token = await new SignJWT({
      sub: 'eve',
      iss: other.url,
      aud: 'sallyport',
      exp: NOW_S + 9,
    })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(secret)
    expect((await refusal(token, rigFor(configFor([other])))).code).toBe('algorithm')
  })

  test('a key in the header (jwk, jku, x5u, x5c) is never used', async () => {
    const eve = await makeKey({ kid: 'k1' })
    const jku = 'https://evil.example/jwks'
    for (const header of [{ jwk: eve.jwk }, { jku }, { x5u: jku }, { x5c: ['AAAA'] }]) {
      expect((await refusal(issuer.token({}, { key: eve, header }))).code).toBe('signature')
    }
  })

  test.each(['../../dev/null', "' OR 1=1 --", 'k1\u0000', '__proto__', ''])(
    'kid %j finds no key',
    async (kid) => {
      expect((await refusal(issuer.token({}, { header: { kid } }))).code).toBe('unknown-key')
    },
  )

  test('a kid of another type or of great length is refused', async () => {
    for (const kid of ['["k1"]', '1', 'null', JSON.stringify('k'.repeat(257))]) {
      const token = await rawToken(`{"alg":"ES256","kid":${kid}}`, payload())
      expect((await refusal(token)).code).toBe('malformed')
    }
  })

  test('crit is refused even when it names what jose knows', async () => {
    for (const header of [
      '{"alg":"ES256","crit":["b64"],"b64":true}',
      '{"alg":"ES256","crit":[]}',
    ]) {
      expect((await refusal(rawToken(header, payload()))).code).toBe('malformed')
    }
  })

  test('duplicate members are refused in claims, nested claims and header, however escaped', async () => {
    const head = '{"alg":"ES256"}'
    const dup = payload().replace('{', '{"sub":"admin",')
    const escaped = payload().replace('{', '{"s\\u0075b":"admin",')
    const nested = payload().replace('{', '{"x":[{"a":1,"a":2}],')
    for (const claims of [dup, escaped, nested]) {
      expect((await refusal(rawToken(head, claims))).code).toBe('malformed')
    }
    const twice = await rawToken('{"alg":"none","alg":"ES256"}', payload())
    expect((await refusal(twice)).code).toBe('malformed')
    const fine = payload().replace('{', '{"x":[{"a":1},{"a":"sub"}],"y":"a","z":["a","a"],')
    await rig.verifier.verify(await rawToken(head, fine))
  })

  test('claims nested 17 deep are refused, 16 deep accepted', async () => {
    const nested = (depth: number): string =>
      payload().replace('{', `{"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)},`)
    await rig.verifier.verify(await rawToken('{"alg":"ES256"}', nested(16)))
    expect((await refusal(rawToken('{"alg":"ES256"}', nested(17)))).code).toBe('malformed')
  })

  test('an altered payload, a stripped signature and a foreign signature are refused', async () => {
    const [header, , signature] = (await issuer.token()).split('.')
    expect((await refusal(`${header}.${encode(payload())}.${signature}`)).code).toBe('signature')
    expect((await refusal(`${header}.${encode(payload())}.`)).code).toBe('signature')
    const other = await issuer.token({}, { key: await makeKey({ kid: 'k1' }) })
    expect((await refusal(other)).code).toBe('signature')
  })

  test('base64url with stray bits is refused before the signature is looked at', async () => {
    // 26 bytes of header: the last of 35 characters has two bits that decoders ignore.
    const [header, body, signature] = (await issuer.token()).split('.')
    expect(header).toHaveLength(35)
    const stray = `${header!.slice(0, -1)}${String.fromCharCode(header!.charCodeAt(34) + 1)}`
    const decoded = [header!, stray].map((text) => Buffer.from(text, 'base64url').toString())
    expect(decoded[1]).toBe(decoded[0])
    expect((await refusal(`${stray}.${body}.${signature}`)).code).toBe('malformed')
  })

  test('an algorithm outside the configured list is refused before any key is fetched', async () => {
    await using other = await startTestIssuer()
    const strict = rigFor(configFor([other], { issuer: { algorithms: ['RS256'] } }))
    const error = await refusal(other.token(), strict)
    expect([error.code, error.message]).toEqual([
      'algorithm',
      'the token is signed with an algorithm that is not accepted; accepted: RS256',
    ])
    expect(other.requests).toEqual({ discovery: 0, jwks: 0 })
  })

  test('an RSA key under 2048 bits is refused', async () => {
    await using other = await startTestIssuer()
    const { generateKeyPairSync, sign } = await import('node:crypto')
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const jwk = { ...weak.publicKey.export({ format: 'jwk' }), alg: 'RS256', kid: 'w' }
    other.keys = [{ ...other.keys[0]!, jwk }]
    const claims = JSON.stringify({ iss: other.url, sub: 'eve', aud: 'sallyport', exp: NOW_S + 9 })
    const input = `${encode('{"alg":"RS256","kid":"w"}')}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(input), weak.privateKey).toString('base64url')
    expect((await refusal(`${input}.${signature}`, rigFor(configFor([other])))).code).toBe(
      'signature',
    )
  })
})

describe('the typ header', () => {
  const typed = (typ: string): Promise<string> => issuer.token({}, { header: { typ } })
  test.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt'])(
    '%s is accepted by default',
    async (typ) => {
      await rig.verifier.verify(await typed(typ))
    },
  )
  test.each(['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JWE'])('%s is refused', async (typ) => {
    expect((await refusal(typed(typ))).code).toBe('token-type')
  })
  test('at+jwt can be required', async () => {
    const strict = rigFor(configFor([issuer], { issuer: { typ: 'at+jwt' } }))
    await strict.verifier.verify(await typed('at+jwt'))
    expect((await refusal(typed('JWT'), strict)).code).toBe('token-type')
    expect((await refusal(issuer.token(), strict)).code).toBe('token-type')
  })
})

describe('the shape of the token', () => {
  test.each<[string, string, IdentityErrorCode]>([
    ['nothing', '', 'missing'],
    ['a password', 'hunter2', 'malformed'],
    ['two parts', 'e30.e30', 'malformed'],
    ['four parts', 'e30.e30.e30.e30', 'malformed'],
    ['five parts (JWE)', 'e30.e30.e30.e30.e30', 'malformed'],
    ['an array header', 'W10.e30.', 'malformed'],
    ['a header without alg', 'e30.e30.', 'malformed'],
    ['Bearer in front', 'Bearer e30.e30.e30', 'malformed'],
    ['a line break at the end', 'e30.e30.e30\n', 'malformed'],
    ['the cap and one more', 'a'.repeat(TOKEN_BYTES_MAX + 1), 'malformed'],
  ])('%s is refused', async (_, token, code) => {
    expect((await refusal(token)).code).toBe(code)
  })

  test('at the cap is looked at, one byte more is not', async () => {
    const base = (await issuer.token({ pad: '' })).length
    let pad = Math.floor(((TOKEN_BYTES_MAX - base) * 3) / 4) - 2
    let token = await issuer.token({ pad: 'x'.repeat(pad) })
    while (token.length < TOKEN_BYTES_MAX - 1)
      token = await issuer.token({ pad: 'x'.repeat(++pad) })
    expect(token.length).toBeLessThanOrEqual(TOKEN_BYTES_MAX)
    expect((await rig.verifier.verify(token)).subject).toBe('alice')
    expect((await refusal(issuer.token({ pad: 'x'.repeat(pad + 3) }))).message).toMatch(
      /longer than/,
    )
  })
})

describe('any input', () => {
  const header = fc.oneof(
    fc.constant('{"alg":"ES256","kid":"k1"}'),
    fc.json(),
    fc.record({ alg: fc.string(), kid: fc.string() }).map((value) => JSON.stringify(value)),
  )
  const body = fc.oneof(
    fc.json(),
    fc
      .record({ sub: fc.jsonValue(), aud: fc.jsonValue(), exp: fc.jsonValue() })
      .map((claims) => JSON.stringify({ iss: issuer.url, ...claims })),
  )
  const anyToken = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string().map((text) => `spt_${text}`),
    fc.tuple(header, body, fc.string()).map((parts) => parts.map(encode).join('.')),
  )

  test('is refused with an IdentityError that repeats none of it', async () => {
    await fc.assert(
      fc.asyncProperty(anyToken, async (token) => {
        const error = await refusal(token)
        expect(error).toBeInstanceOf(IdentityError)
        expect(error.code).not.toBe('internal')
        if (token.length >= 12) {
          expect(error.message).not.toContain(token)
          expect(error.diagnostic).not.toContain(token)
        }
      }),
      { numRuns: 400 },
    )
  })

  test('that is validly signed gives a principal or an IdentityError, never another error', async () => {
    const claims = fc.record(
      {
        sub: fc.oneof(fc.string(), fc.jsonValue()),
        groups: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
        exp: fc.oneof(fc.constant(NOW_S + 60), fc.double(), fc.jsonValue()),
        iat: fc.oneof(fc.constant(NOW_S), fc.double(), fc.jsonValue()),
        nbf: fc.jsonValue(),
        jti: fc.oneof(fc.string(), fc.jsonValue()),
      },
      { requiredKeys: ['sub', 'exp'] },
    )
    await fc.assert(
      fc.asyncProperty(claims, async (some) => {
        const text = JSON.stringify({ iss: issuer.url, aud: 'sallyport', ...some })
        const token = await rawToken('{"alg":"ES256"}', text)
        const result = await rig.verifier.verify(token).catch((error: unknown) => error)
        if (result instanceof IdentityError) expect(result.code).not.toBe('internal')
        else
          expect(result).toMatchObject({ issuer: issuer.url, tokenKind: 'jwt', subject: some.sub })
      }),
      { numRuns: 300 },
    )
  })
})

test('a token that expires while its revocation is looked up is refused', async () => {
  const revocations = { revoke() {}, subscribe: () => () => {} }
  const slow: Rig = rigFor(configFor([issuer]), {
    revocations: {
      ...revocations,
      isRevoked() {
        slow.clock.now += 300_000
        return false
      },
    },
  })
  expect((await refusal(issuer.token(), slow)).code).toBe('expired')
})

test('a store that fails or gives no clear answer refuses', async () => {
  const revocations = { revoke() {}, subscribe: () => () => {} }
  const broken = (isRevoked: () => never): Rig =>
    rigFor(configFor([issuer]), { revocations: { ...revocations, isRevoked } })
  const throws = broken(() => {
    throw new TypeError('boom')
  })
  expect((await refusal(issuer.token(), throws)).code).toBe('store-unavailable')
  const vague = broken(() => undefined as never)
  expect((await refusal(issuer.token(), vague)).code).toBe('revoked')
})
