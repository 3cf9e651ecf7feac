import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from './errors.ts'
import { decodeBearer, encodeBearerFailure } from './oauth-bearer.ts'

const bearer = (text: string): string | null => decodeBearer(Buffer.from(text))

describe('an OAUTHBEARER response', () => {
  test.each([
    ['n,,\x01auth=Bearer abc.DEF-1_~+/==\x01\x01', 'abc.DEF-1_~+/=='],
    ['y,,\x01auth=bEARER x\x01\x01', 'x'],
    ['n,,\x01host=h\x01auth=Bearer x\x01port=1\x01\x01', 'x'],
    ['n,,\x01auth=\x01\x01', null],
  ])('%j holds %s', (text, token) => {
    expect(bearer(text)).toBe(token)
  })

  test.each([
    ['nothing', ''],
    ['channel binding', 'p=tls-server-end-point,,\x01auth=Bearer x\x01\x01'],
    ['an authorization identity', 'n,a=me,\x01auth=Bearer x\x01\x01'],
    ['no credential', 'n,,\x01host=h\x01\x01'],
    ['two credentials', 'n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01'],
    ['no end', 'n,,\x01auth=Bearer x\x01'],
    ['bytes after the end', 'n,,\x01auth=Bearer x\x01\x01z'],
    ['another scheme', 'n,,\x01auth=Basic x\x01\x01'],
    ['a scheme without a token', 'n,,\x01auth=Bearer\x01\x01'],
    ['a token with a blank', 'n,,\x01auth=Bearer x y\x01\x01'],
    ['a pair without a key', 'n,,\x01=v\x01auth=Bearer x\x01\x01'],
  ])('is refused with %s', (_name, text) => {
    expect(() => bearer(text)).toThrow(expect.objectContaining({ code: 'bad-authentication' }))
  })

  test('is a token or a ProtocolError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeBearer(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
  })
})

test('a failure is the JSON of RFC 7628', () => {
  const failure = encodeBearerFailure({
    status: 'invalid_token',
    scope: 'db',
    openidConfiguration: 'https://issuer.example/.well-known/openid-configuration',
  })
  expect(JSON.parse(failure.toString())).toEqual({
    status: 'invalid_token',
    scope: 'db',
    'openid-configuration': 'https://issuer.example/.well-known/openid-configuration',
  })
})
