import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BackendMessage, decodeBackend } from './backend.ts'
import { ByteWriter } from './bytes.ts'
import { ClientLogin } from './client-login.ts'
import type { ClientLoginEvent } from './client-login-events.ts'
import { ProtocolError } from './errors.ts'
import { encodeFrontend } from './frontend.ts'
import { LOGIN_INPUT_BYTES_MAX, PASSWORD_BYTES_MAX } from './limits.ts'
import {
  writePasswordMessage,
  writeSaslInitialResponse,
  writeSaslResponse,
} from './sasl-messages.ts'
import { encodeCancelRequest, encodeSslRequest, writeStartupMessage } from './startup.ts'

const SSL_REQUEST = encodeSslRequest()
const GSS_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30])

function written(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter({ bytesMax: 1_000_000 })
  write(out)
  return out.take()
}

const STARTUP = written((out) =>
  writeStartupMessage(out, { minor: 0, parameters: [['user', 'sally']] }),
)
const STARTUP_32 = written((out) =>
  writeStartupMessage(out, { minor: 2, parameters: [['user', 'sally']] }),
)
const passwordMessage = (password: string): Buffer =>
  written((out) => writePasswordMessage(out, password))

function messagesIn(bytes: Buffer): BackendMessage[] {
  const messages: BackendMessage[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    messages.push(decodeBackend(bytes[at]!, bytes, at + 5, end))
    at = end
  }
  return messages
}

function give(login: ClientLogin, ...chunks: Uint8Array[]): ClientLoginEvent {
  for (const chunk of chunks) login.receive(chunk)
  return login.nextEvent()
}

/** A login whose client has sent its StartupMessage over TLS. */
function started(startup: Buffer = STARTUP): ClientLogin {
  const login = new ClientLogin({ encrypted: true })
  expect(give(login, startup).kind).toBe('startup')
  return login
}

const ERROR = { severity: 'FATAL', sqlstate: '28P01', message: 'no' } as const

describe('a client that asks for TLS', () => {
  test('is answered S, and starts over inside it', () => {
    const login = new ClientLogin()
    expect(give(login, SSL_REQUEST)).toMatchObject({ kind: 'tls-requested', direct: false })
    login.acceptTls()
    expect(login.takeOutput().toString()).toBe('S')
    login.tlsEstablished({ alpn: null })
    expect(give(login, STARTUP)).toMatchObject({
      kind: 'startup',
      encrypted: true,
      startup: { user: 'sally' },
    })
  })

  test('may be answered N, and go on in clear', () => {
    const login = new ClientLogin()
    give(login, SSL_REQUEST)
    login.refuseTls()
    expect(login.takeOutput().toString()).toBe('N')
    expect(give(login, STARTUP)).toMatchObject({ kind: 'startup', encrypted: false })
  })

  test('in its first byte has the whole of it handed back', () => {
    const login = new ClientLogin()
    const hello = Buffer.concat([Buffer.of(0x16, 3, 1), Buffer.alloc(300)])
    expect(give(login, hello)).toEqual({ kind: 'tls-requested', direct: true, bytes: hello })
    login.acceptTls()
    expect(login.takeOutput()).toHaveLength(0)
    login.tlsEstablished({ alpn: 'postgresql' })
    expect(give(login, STARTUP)).toMatchObject({ kind: 'startup', encrypted: true })
  })

  test.each([
    ['directly without ALPN', true, null],
    ['directly for another protocol', true, 'h2'],
    ['for another protocol', false, 'h2'],
  ])('is refused %s', (_name, direct, alpn) => {
    const login = new ClientLogin()
    give(login, direct ? Buffer.of(0x16) : SSL_REQUEST)
    login.acceptTls()
    expect(() => login.tlsEstablished({ alpn })).toThrow(expect.objectContaining({ code: 'tls' }))
  })

  test('and sends anything with it is refused before it can be taken for encrypted', () => {
    const login = new ClientLogin()
    login.receive(Buffer.concat([SSL_REQUEST, STARTUP]))
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'bytes-before-tls' }))
    expect(login.takeOutput()).toHaveLength(0)
  })

  test('and sends anything before the handshake is refused', () => {
    const asked = new ClientLogin()
    give(asked, SSL_REQUEST)
    expect(() => asked.receive(STARTUP)).toThrow(
      expect.objectContaining({ code: 'bytes-before-tls' }),
    )
    const accepted = new ClientLogin()
    give(accepted, SSL_REQUEST)
    accepted.acceptTls()
    expect(() => accepted.receive(STARTUP)).toThrow(
      expect.objectContaining({ code: 'bytes-before-tls' }),
    )
  })

  test.each([
    ['again after N', [SSL_REQUEST]],
    ['directly after N', [Buffer.of(0x16)]],
  ])('%s is refused', (_name, chunks) => {
    const login = new ClientLogin()
    give(login, SSL_REQUEST)
    login.refuseTls()
    expect(() => give(login, ...chunks)).toThrow(expect.objectContaining({ code: 'tls' }))
  })

  test.each([
    ['SSLRequest', SSL_REQUEST],
    ['GSSENCRequest', GSS_REQUEST],
    ['a handshake', Buffer.of(0x16)],
  ])('inside TLS, with %s, is refused', (_name, bytes) => {
    const login = new ClientLogin({ encrypted: true })
    expect(() => give(login, bytes)).toThrow(expect.objectContaining({ code: 'tls' }))
  })
})

describe('a client that asks for GSSAPI encryption', () => {
  test('is answered N and may ask for TLS', () => {
    const login = new ClientLogin()
    expect(give(login, GSS_REQUEST).kind).toBe('need-data')
    expect(login.takeOutput().toString()).toBe('N')
    expect(give(login, SSL_REQUEST).kind).toBe('tls-requested')
    login.refuseTls()
    expect(() => give(login, GSS_REQUEST)).toThrow(expect.objectContaining({ code: 'tls' }))
  })
})

describe('a cancel request', () => {
  test('is handed over and ends the connection', () => {
    const login = new ClientLogin()
    const secret = Buffer.from('0123456789')
    expect(give(login, encodeCancelRequest({ pid: 9, secret }))).toEqual({
      kind: 'cancel',
      request: { kind: 'cancel', pid: 9, secret },
    })
    expect(() => login.receive(STARTUP)).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })
})

describe('a password', () => {
  test('is asked for, handed over, and lets the client in', () => {
    const login = started()
    login.askPassword()
    expect(messagesIn(login.takeOutput())).toEqual([{ kind: 'AuthenticationCleartextPassword' }])
    expect(give(login, passwordMessage('tökén'))).toEqual({ kind: 'password', password: 'tökén' })
    const secret = Buffer.alloc(4, 1)
    login.accept({
      parameters: [['server_version', '18.4']],
      pid: 7,
      secret,
      notices: [{ severity: 'NOTICE', sqlstate: '00000', message: 'hello' }],
    })
    expect(messagesIn(login.takeOutput())).toEqual([
      { kind: 'AuthenticationOk' },
      { kind: 'ParameterStatus', name: 'server_version', value: '18.4' },
      { kind: 'BackendKeyData', pid: 7, secret },
      {
        kind: 'NoticeResponse',
        fields: { severity: 'NOTICE', sqlstate: '00000', message: 'hello' },
      },
      { kind: 'ReadyForQuery', status: 'I' },
    ])
  })

  test('may come one byte at a time, and what follows is kept for the session', () => {
    const login = started()
    login.askPassword()
    const query = encodeFrontend({ kind: 'Query', text: 'SELECT 1' })
    for (const byte of passwordMessage('secret').subarray(0, -1)) {
      expect(give(login, Buffer.of(byte)).kind).toBe('need-data')
    }
    expect(give(login, Buffer.of(0), query)).toEqual({ kind: 'password', password: 'secret' })
    login.accept({ parameters: [], pid: 1, secret: Buffer.alloc(4) })
    expect(login.takeRemaining().equals(query)).toBe(true)
  })

  test('is taken at the cap and refused one byte over', () => {
    const longest = 'x'.repeat(PASSWORD_BYTES_MAX - 5)
    const login = started()
    login.askPassword()
    expect(give(login, passwordMessage(longest))).toMatchObject({ kind: 'password' })
    const over = started()
    over.askPassword()
    expect(() => give(over, passwordMessage(`${longest}x`))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test.each([
    ['empty', Buffer.from('p\0\0\0\x05\0', 'latin1')],
    ['not utf-8', Buffer.from('p\0\0\0\x06\xff\0', 'latin1')],
  ])('that is %s is a wrong password', (_name, bytes) => {
    const login = started()
    login.askPassword()
    expect(() => give(login, bytes)).toThrow(expect.objectContaining({ sqlstate: '28P01' }))
  })

  test.each([
    ['a NUL inside', Buffer.from('p\0\0\0\x08a\0b\0', 'latin1')],
    ['no NUL', Buffer.from('p\0\0\0\x05a', 'latin1')],
    ['a Query in its place', encodeFrontend({ kind: 'Query', text: 'SELECT 1' })],
    ['the beginning of a Query in its place', Buffer.from('Q\0\0', 'latin1')],
  ])('with %s is refused', (_name, bytes) => {
    const login = started()
    login.askPassword()
    expect(() => give(login, bytes)).toThrow(ProtocolError)
  })

  test('may not come: the client may end instead', () => {
    const login = started()
    login.askPassword()
    expect(give(login, encodeFrontend({ kind: 'Terminate' })).kind).toBe('terminated')
  })
})

describe('a bearer token', () => {
  const initial = (data: string): Buffer =>
    written((out) => writeSaslInitialResponse(out, 'OAUTHBEARER', Buffer.from(data)))

  test('is asked for, handed over, and lets the client in', () => {
    const login = started()
    login.askToken()
    expect(messagesIn(login.takeOutput())).toEqual([
      { kind: 'AuthenticationSASL', mechanisms: ['OAUTHBEARER'] },
    ])
    const token = { kind: 'token', token: 'ey.J' }
    expect(give(login, initial('n,,\x01auth=Bearer ey.J\x01\x01'))).toEqual(token)
    login.accept({ parameters: [], pid: 1, secret: Buffer.alloc(4) })
    expect(messagesIn(login.takeOutput())[0]).toEqual({ kind: 'AuthenticationOk' })
  })

  test('that is missing is answered with where to get one, and then refused', () => {
    const login = started()
    login.askToken()
    login.takeOutput()
    const none = { kind: 'token', token: null }
    expect(give(login, initial('n,,\x01auth=\x01\x01'))).toEqual(none)
    login.refuseToken({ status: 'invalid_token', scope: 'db' })
    const [challenge] = messagesIn(login.takeOutput())
    expect(challenge).toMatchObject({ kind: 'AuthenticationSASLContinue' })
    const dummy = written((out) => writeSaslResponse(out, Buffer.of(1)))
    expect(give(login, dummy).kind).toBe('token-refused')
    login.refuse(ERROR)
    expect(messagesIn(login.takeOutput())).toEqual([{ kind: 'ErrorResponse', fields: ERROR }])
  })

  test.each([
    [
      'another mechanism',
      written((out) => writeSaslInitialResponse(out, 'PLAIN', Buffer.from('x'))),
    ],
    ['no data', written((out) => writeSaslInitialResponse(out, 'OAUTHBEARER', null))],
    ['a password message', passwordMessage('secret')],
  ])('with %s is refused', (_name, bytes) => {
    const login = started()
    login.askToken()
    expect(() => give(login, bytes)).toThrow(ProtocolError)
  })
})

describe('protocol versions', () => {
  test('an agreed 3.2 takes a long cancel secret, 3.0 does not', () => {
    const acceptance = { parameters: [], pid: 1, secret: Buffer.alloc(32) }
    const newer = started(STARTUP_32)
    newer.accept(acceptance)
    expect(newer.protocolMinor).toBe(2)
    expect(() => started().accept(acceptance)).toThrow(
      expect.objectContaining({ code: 'bad-length', side: 'local' }),
    )
  })

  test('a newer minor or an unknown option is negotiated before anything else is said', () => {
    const newer = Buffer.from(STARTUP)
    newer.writeInt32BE((3 << 16) | 9999, 4)
    const login = started(newer)
    login.askPassword()
    expect(messagesIn(login.takeOutput())).toEqual([
      { kind: 'NegotiateProtocolVersion', version: (3 << 16) | 2, unrecognized: [] },
      { kind: 'AuthenticationCleartextPassword' },
    ])
    const option = written((out) =>
      writeStartupMessage(out, {
        minor: 0,
        parameters: [
          ['user', 's'],
          ['_pq_.x', 'y'],
        ],
      }),
    )
    expect(messagesIn(started(option).takeOutput())).toEqual([
      { kind: 'NegotiateProtocolVersion', version: 3 << 16, unrecognized: ['_pq_.x'] },
    ])
  })
})

describe('the machine', () => {
  test('can refuse at any time after the StartupMessage', () => {
    const asked = started()
    asked.askPassword()
    for (const login of [started(), asked]) {
      login.refuse(ERROR)
      expect(messagesIn(login.takeOutput()).at(-1)).toEqual({
        kind: 'ErrorResponse',
        fields: ERROR,
      })
      expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'illegal-call' }))
    }
  })

  test.each([
    ['acceptTls', (login: ClientLogin) => login.acceptTls()],
    ['refuseTls', (login: ClientLogin) => login.refuseTls()],
    ['tlsEstablished', (login: ClientLogin) => login.tlsEstablished({ alpn: null })],
    ['askPassword', (login: ClientLogin) => login.askPassword()],
    ['askToken', (login: ClientLogin) => login.askToken()],
    ['accept', (login: ClientLogin) => login.accept({ parameters: [], pid: 1, secret: STARTUP })],
    ['refuse', (login: ClientLogin) => login.refuse(ERROR)],
    ['refuseToken', (login: ClientLogin) => login.refuseToken({ status: 'invalid_token' })],
    ['takeRemaining', (login: ClientLogin) => login.takeRemaining()],
  ])('does not let %s be called before its time, and is dead after', (_name, call) => {
    const login = new ClientLogin()
    expect(() => call(login)).toThrow(
      expect.objectContaining({ code: 'illegal-call', side: 'local' }),
    )
    expect(login.takeOutput()).toHaveLength(0)
  })

  test('never lets a client in that has not been asked about', () => {
    const login = started()
    login.askPassword()
    expect(() => login.accept({ parameters: [], pid: 1, secret: Buffer.alloc(4) })).toThrow(
      expect.objectContaining({ code: 'illegal-call' }),
    )
  })

  test('holds no more than one packet of each kind', () => {
    const login = started()
    login.receive(Buffer.alloc(LOGIN_INPUT_BYTES_MAX))
    expect(() => login.receive(Buffer.alloc(1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('gives events or a ProtocolError on any bytes', () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom(SSL_REQUEST, GSS_REQUEST, STARTUP, passwordMessage('x')),
    )
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        const login = new ClientLogin()
        try {
          for (const bytes of chunks) {
            login.receive(bytes)
            const event = login.nextEvent()
            if (event.kind === 'tls-requested' && !event.direct) login.refuseTls()
            if (event.kind === 'startup') login.askPassword()
            if (event.kind === 'password') login.refuse(ERROR)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
