import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IdentityError } from './errors.ts'
import { OAUTH_BEARER_BYTES_MAX } from './limits.ts'
import { oauthBearerFailure, parseOauthBearer } from './oauth-bearer.ts'
import { configFor } from './testing/issuer.ts'

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll('^A', '\x01'), 'latin1')
const parse = (text: string) => parseOauthBearer(bytes(text))

describe('an OAUTHBEARER message', () => {
  test.each([
    // RFC 7628 §4.1, and what libpq 18 sends.
    [
      'n,a=user@example.com,^Ahost=server.example.com^Aport=143^Aauth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==^A^A',
      {
        kind: 'token',
        token: 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==',
        authzid: 'user@example.com',
      },
    ],
    ['n,,^Aauth=Bearer a.b-c_d~e^A^A', { kind: 'token', token: 'a.b-c_d~e', authzid: null }],
    ['y,,^Aauth=bearer x^A^A', { kind: 'token', token: 'x', authzid: null }],
    ['n,a=a=2Cb=3Dc,^Aauth=Bearer x^A^A', { kind: 'token', token: 'x', authzid: 'a,b=c' }],
    ['n,,^Aauth=^A^A', { kind: 'discovery', authzid: null }],
    ['^A', { kind: 'abort' }],
  ])('%s', (text, message) => {
    expect(parse(text)).toEqual(message)
  })

  test.each([
    '',
    'n,,',
    'n,,^A',
    'n,,^A^A',
    '^A^A',
    'auth=Bearer x^A^A',
    'p=tls-unique,,^Aauth=Bearer x^A^A',
    'n,a=,^Aauth=Bearer x^A^A',
    'n,a=b=2c,^Aauth=Bearer x^A^A',
    'n,u=x,^Aauth=Bearer x^A^A',
    'n,,^Aauth=Bearer x^A',
    'n,,^Aauth=Bearer x',
    'n,,^Aauth=Bearer x^A^A^A',
    'n,,^Aauth=Bearer x^A^Atrailing',
    'n,,^A^Aauth=Bearer x^A^A',
    'n,,^Aauth=Bearer^A^A',
    'n,,^Aauth=Bearer ^A^A',
    'n,,^Aauth=Bearer x y^A^A',
    'n,,^Aauth=Basic x^A^A',
    'n,,^Aauth=Bearer x\u00e9^A^A',
    'n,,^Aauth=Bearer x^Aauth=Bearer y^A^A',
    'n,,^Ahost=x^A^A',
    'n,,^A1=x^Aauth=Bearer x^A^A',
    'n,,^Anovalue^Aauth=Bearer x^A^A',
  ])('%j is malformed', (text) => {
    expect(() => parse(text)).toThrow(IdentityError)
  })

  test('cut at any place is malformed, or is the lone abort', () => {
    const whole = bytes('n,,^Aauth=Bearer abc^A^A')
    for (let end = 0; end < whole.length; end++) {
      expect(() => parseOauthBearer(whole.subarray(0, end))).toThrow(IdentityError)
    }
  })

  test('is looked at up to the cap and no further', () => {
    const overhead = bytes('n,,^Aauth=Bearer ^A^A').length
    const atCap = 'x'.repeat(OAUTH_BEARER_BYTES_MAX - overhead)
    expect(parse(`n,,^Aauth=Bearer ${atCap}^A^A`)).toMatchObject({ kind: 'token', token: atCap })
    expect(() => parse(`n,,^Aauth=Bearer ${atCap}x^A^A`)).toThrow(/not well formed/)
  })

  test('of any bytes gives a message or an IdentityError', () => {
    const piece = fc.constantFrom(
      'n',
      'y',
      ',',
      'a=',
      '\x01',
      'auth=',
      'Bearer ',
      'x',
      '=',
      'host=',
      '\0',
    )
    const arbitrary = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(piece, { maxLength: 14 }).map((pieces) => bytes(pieces.join(''))),
    )
    fc.assert(
      fc.property(arbitrary, (input) => {
        try {
          expect(['token', 'discovery', 'abort']).toContain(parseOauthBearer(input).kind)
        } catch (error) {
          expect(error).toBeInstanceOf(IdentityError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

test('the failure answer tells where to get a token', () => {
  const config = {
    ...configFor([]),
    issuers: [
      { issuer: 'https://id.example/realms/a/', audience: 'x' },
      { issuer: 'https://b.example', audience: 'x' },
    ],
  }
  expect(JSON.parse(oauthBearerFailure(config))).toEqual({
    status: 'invalid_token',
    'openid-configuration': 'https://id.example/realms/a/.well-known/openid-configuration',
  })
  expect(
    JSON.parse(oauthBearerFailure(config, { issuer: 'https://b.example', scope: 'db' })),
  ).toEqual({
    status: 'invalid_token',
    'openid-configuration': 'https://b.example/.well-known/openid-configuration',
    scope: 'db',
  })
  expect(JSON.parse(oauthBearerFailure(configFor([])))).toEqual({ status: 'invalid_token' })
})
