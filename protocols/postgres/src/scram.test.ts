import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SCRAM_ITERATIONS_MAX } from './limits.ts'
import {
  type ChannelBinding,
  encodeScramVerifier,
  parseScramVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramClient,
  ScramServer,
  scramVerifierFor,
} from './scram.ts'

const NONCE = 'rOprNGfwEbeRWgbNEkqO-client'
const SERVER_NONCE = 'hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const verifier = scramVerifierFor({ password: 'pencil', salt, iterations: 4096 })

function clientOf(options: { password?: string; binding?: ChannelBinding } = {}): ScramClient {
  return new ScramClient({
    password: options.password ?? 'pencil',
    nonce: NONCE,
    binding: options.binding ?? { kind: 'none' },
  })
}

function serverOf(options: { mechanism?: string; endPoint?: Uint8Array | null } = {}): ScramServer {
  return new ScramServer({
    verifier,
    nonce: SERVER_NONCE,
    mechanism: options.mechanism ?? SCRAM_SHA_256,
    endPoint: options.endPoint ?? null,
  })
}

describe('an exchange', () => {
  const endPoint = Buffer.alloc(32, 7)
  test.each([
    ['without channel binding', { kind: 'none' }, null],
    ['whose client could bind and was not offered it', { kind: 'unused' }, null],
    ['bound to the certificate', { kind: 'tls-server-end-point', data: endPoint }, endPoint],
  ] as const)('%s convinces both sides', (_name, binding, offered) => {
    const client = clientOf({ binding })
    const server = serverOf({ mechanism: client.mechanism, endPoint: offered })
    const serverFirst = server.first(client.first())
    client.verify(server.final(client.final(serverFirst)))
    expect(client.verified).toBe(true)
  })

  test('convinces for any password', () => {
    const passwords = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(passwords, (password) => {
        const own = scramVerifierFor({ password, salt, iterations: 1 })
        const server = new ScramServer({
          verifier: own,
          nonce: SERVER_NONCE,
          mechanism: SCRAM_SHA_256,
          endPoint: null,
        })
        const client = clientOf({ password })
        client.verify(server.final(client.final(server.first(client.first()))))
        expect(client.verified).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  test('with the wrong password fails at the server with 28P01', () => {
    const client = clientOf({ password: 'pen' })
    const server = serverOf()
    const final = client.final(server.first(client.first()))
    expect(() => server.final(final)).toThrow(
      expect.objectContaining({ code: 'authentication-proof', sqlstate: '28P01' }),
    )
  })

  test('with a server that does not know the password fails at the client', () => {
    const client = clientOf({ password: 'pen' })
    const server = serverOf()
    client.final(server.first(client.first()))
    const lie = `v=${Buffer.alloc(32).toString('base64')}`
    expect(() => client.verify(lie)).toThrow(
      expect.objectContaining({ code: 'authentication-proof' }),
    )
    expect(client.verified).toBe(false)
  })

  test('from whose offer someone removed channel binding fails', () => {
    const client = clientOf({ binding: { kind: 'unused' } })
    const server = serverOf({ endPoint })
    expect(() => server.first(client.first())).toThrow(/offer of channel binding/)
  })

  test('bound to another certificate fails', () => {
    const other = Buffer.alloc(32, 8)
    const client = clientOf({ binding: { kind: 'tls-server-end-point', data: other } })
    const server = serverOf({ mechanism: SCRAM_SHA_256_PLUS, endPoint })
    const final = client.final(server.first(client.first()))
    expect(() => server.final(final)).toThrow(/channel binding check failed/)
  })
})

describe('RFC 7677 example', () => {
  // The RFC's client names its user in the first message; ours leaves it to the StartupMessage, so
  // only the server's side can play it, from the verifier the password gives.
  test('the server answers as printed', () => {
    const server = new ScramServer({
      verifier,
      nonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      mechanism: SCRAM_SHA_256,
      endPoint: null,
    })
    expect(server.first('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    expect(
      server.final(
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      ),
    ).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  })
})

describe('a client', () => {
  const nonce = `${NONCE}server`
  test.each([
    ['a nonce that is not an extension of ours', 'r=other,s=AAAA,i=1', 'bad-authentication'],
    ['our own nonce back', `r=${NONCE},s=AAAA,i=1`, 'bad-authentication'],
    ['a salt that is not base64', `r=${nonce},s=AAA,i=1`, 'bad-authentication'],
    ['an empty salt', `r=${nonce},s=,i=1`, 'bad-authentication'],
    ['zero rounds', `r=${nonce},s=AAAA,i=0`, 'bad-authentication'],
    ['negative rounds', `r=${nonce},s=AAAA,i=-1`, 'bad-authentication'],
    ['rounds that are no number', `r=${nonce},s=AAAA,i=1x`, 'bad-authentication'],
    ['too many rounds', `r=${nonce},s=AAAA,i=${SCRAM_ITERATIONS_MAX + 1}`, 'too-large'],
    ['fields in another order', `s=AAAA,r=${nonce},i=1`, 'bad-authentication'],
    ['a mandatory extension', `m=x,r=${nonce},s=AAAA,i=1`, 'bad-authentication'],
    ['an empty message', '', 'bad-authentication'],
  ])('refuses %s', (_name, serverFirst, code) => {
    const client = clientOf()
    client.first()
    expect(() => client.final(serverFirst)).toThrow(expect.objectContaining({ code }))
  })

  test.each([['e=invalid-proof'], ['v=AAAA'], ['v='], ['x=y'], ['']])(
    'refuses `%s` as the last word',
    (serverFinal) => {
      const client = clientOf()
      client.final(serverOf().first(client.first()))
      expect(() => client.verify(serverFinal)).toThrow()
      expect(client.verified).toBe(false)
      expect(() => client.verify(serverFinal)).toThrow(
        expect.objectContaining({ code: 'illegal-call' }),
      )
    },
  )

  test('says its messages in order and once', () => {
    const client = clientOf()
    expect(() => client.final('')).toThrow(expect.objectContaining({ code: 'illegal-call' }))
    client.first()
    expect(() => client.first()).toThrow(expect.objectContaining({ code: 'illegal-call' }))
    expect(() => client.verify('')).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })

  test.each(['short', `${NONCE},`, `${NONCE} `])('refuses the nonce `%s`', (bad) => {
    expect(() => new ScramClient({ password: 'p', nonce: bad, binding: { kind: 'none' } })).toThrow(
      expect.objectContaining({ code: 'bad-value', side: 'local' }),
    )
  })
})

describe('a server', () => {
  test.each([
    ['an authorization identity', 'n,a=other,n=,r=abc'],
    ['a gs2 flag it does not know', 'x,,n=,r=abc'],
    ['channel binding without -PLUS', 'p=tls-server-end-point,,n=,r=abc'],
    ['no nonce', 'n,,n='],
    ['a nonce with a blank', 'n,,n=,r=a b'],
    ['nothing', ''],
  ])('refuses %s', (_name, clientFirst) => {
    expect(() => serverOf().first(clientFirst)).toThrow(
      expect.objectContaining({ code: 'bad-authentication' }),
    )
  })

  test('refuses a type of channel binding it does not know', () => {
    const server = serverOf({ mechanism: SCRAM_SHA_256_PLUS, endPoint: Buffer.alloc(32) })
    expect(() => server.first('p=tls-unique,,n=,r=abc')).toThrow(/type of channel binding/)
  })

  test('refuses a mechanism that was not offered', () => {
    expect(() => serverOf({ mechanism: SCRAM_SHA_256_PLUS })).toThrow(/not offered/)
    expect(() => serverOf({ mechanism: 'PLAIN' })).toThrow(/not offered/)
  })

  test.each([
    ['a changed nonce', (final: string) => final.replace(',r=', ',r=x')],
    ['another gs2 header', (final: string) => final.replace('c=biws', 'c=eSws')],
    ['no proof', (final: string) => final.replace(/,p=.*/, '')],
    ['a short proof', (final: string) => final.replace(/,p=.*/, ',p=AAAA')],
    [
      'an extension that the proof does not cover',
      (final: string) => final.replace(',p=', ',x=y,p='),
    ],
  ])('refuses %s', (_name, change) => {
    const client = clientOf()
    const server = serverOf()
    const final = client.final(server.first(client.first()))
    expect(() => server.final(change(final))).toThrow()
  })
})

describe('a verifier', () => {
  test('comes back from its text', () => {
    const text = encodeScramVerifier(verifier)
    expect(encodeScramVerifier(parseScramVerifier(text))).toBe(text)
  })

  test.each([
    '',
    'md5abc',
    'SCRAM-SHA-256$0:AAAA$AAAA:AAAA',
    'SCRAM-SHA-256$4096:AAAA$AAAA:AAAA',
    'SCRAM-SHA-256$4096$AAAA$AAAA',
  ])('`%s` is refused', (text) => {
    expect(() => parseScramVerifier(text)).toThrow(
      expect.objectContaining({ code: 'bad-authentication' }),
    )
  })
})
