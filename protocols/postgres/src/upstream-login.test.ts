import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BackendMessage, encodeBackend } from './backend.ts'
import { ClientLogin } from './client-login.ts'
import { ProtocolError } from './errors.ts'
import { LOGIN_MESSAGE_BYTES_MAX, LOGIN_MESSAGES_MAX } from './limits.ts'
import { decodeSaslInitialResponse, decodeSaslResponse } from './sasl-messages.ts'
import {
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramServer,
  saltPassword,
  scramVerifierFor,
} from './scram.ts'
import { encodeSslRequest } from './startup.ts'
import type { UpstreamMethod } from './upstream-authentication.ts'
import {
  UpstreamLogin,
  type UpstreamLoginEvent,
  type UpstreamLoginOptions,
} from './upstream-login.ts'

const NONCE = 'a-nonce-of-the-client-side'
const OK: BackendMessage = { kind: 'AuthenticationOk' }
const READY: BackendMessage = { kind: 'ReadyForQuery', status: 'I' }
const CLEARTEXT: BackendMessage = { kind: 'AuthenticationCleartextPassword' }
const MD5: BackendMessage = { kind: 'AuthenticationMD5Password', salt: Buffer.from([1, 2, 3, 4]) }
const sasl = (...mechanisms: string[]): BackendMessage => ({
  kind: 'AuthenticationSASL',
  mechanisms,
})

function loginWith(options: Partial<UpstreamLoginOptions> = {}): UpstreamLogin {
  return new UpstreamLogin({
    tls: false,
    encrypted: true,
    minor: 0,
    parameters: [['user', 'sally']],
    password: 'secret',
    nonce: NONCE,
    ...options,
  })
}

function hear(login: UpstreamLogin, ...messages: BackendMessage[]): UpstreamLoginEvent {
  login.receive(encodeBackend(...messages))
  return login.nextEvent()
}

describe('TLS', () => {
  test('is asked for first, and nothing else is said until it is there', () => {
    const login = loginWith({ tls: true, encrypted: false })
    expect(login.takeOutput().equals(encodeSslRequest())).toBe(true)
    login.receive(Buffer.from('S'))
    expect(login.nextEvent().kind).toBe('start-tls')
    expect(login.takeOutput()).toHaveLength(0)
    login.tlsEstablished({ endPoint: null })
    expect(login.takeOutput().toString('latin1')).toContain('sally')
    expect(hear(login, CLEARTEXT).kind).toBe('need-data')
    expect(login.takeOutput().toString()).toContain('secret')
  })

  test('that the upstream has not is a choice of the caller, and no cover for a password', () => {
    const login = loginWith({ tls: true, encrypted: false })
    login.takeOutput()
    login.receive(Buffer.from('N'))
    expect(login.nextEvent().kind).toBe('tls-refused')
    expect(login.takeOutput()).toHaveLength(0)
    login.continueInClear()
    expect(() => hear(login, CLEARTEXT)).toThrow(
      expect.objectContaining({ code: 'unsupported-authentication' }),
    )
    expect(login.takeOutput().toString()).not.toContain('secret')
  })

  test.each(['S', 'N'])('refuses bytes in clear after %s', (answer) => {
    const together = loginWith({ tls: true })
    together.receive(Buffer.from(`${answer}x`))
    expect(() => together.nextEvent()).toThrow(
      expect.objectContaining({ code: 'bytes-before-tls' }),
    )
    const after = loginWith({ tls: true })
    after.receive(Buffer.from(answer))
    after.nextEvent()
    expect(() => after.receive(encodeBackend(OK))).toThrow(
      expect.objectContaining({ code: 'bytes-before-tls' }),
    )
  })

  test('refuses an answer that is neither, an error too', () => {
    const login = loginWith({ tls: true })
    login.receive(Buffer.from('E\0\0\0\x10'))
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'tls' }))
  })
})

describe('authentication', () => {
  test('by trust, password or md5 ends at ReadyForQuery with what the upstream said', () => {
    const login = loginWith({ minor: 2 })
    const secret = Buffer.alloc(32, 3)
    const event = hear(
      login,
      OK,
      { kind: 'ParameterStatus', name: 'server_version', value: '18.4' },
      { kind: 'BackendKeyData', pid: 4, secret },
      READY,
    )
    expect(event).toMatchObject({
      kind: 'ready',
      session: { key: { pid: 4, secret }, minor: 2, method: 'trust', unrecognized: [] },
    })
  })

  test('with md5 sends a digest and not the password', () => {
    const login = loginWith()
    login.takeOutput()
    hear(login, MD5)
    // That it is the right digest is shown by the login captured from a server.
    expect(login.takeOutput().toString()).toMatch(/^p\0\0\0\x28md5[0-9a-f]{32}\0$/)
  })

  test('takes a notice on the way, and surfaces an error', () => {
    const fields = { severity: 'NOTICE', sqlstate: '00000', message: 'hm' }
    const login = loginWith()
    expect(hear(login, { kind: 'NoticeResponse', fields })).toEqual({ kind: 'notice', fields })
    expect(hear(login, { kind: 'ErrorResponse', fields })).toEqual({ kind: 'error', fields })
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })

  test('reads an error whose text is not utf-8', () => {
    const login = loginWith()
    login.receive(Buffer.from('E\0\0\0\x13SFATAL\0C28000\0M\xe9\0\0', 'latin1').fill(0x16, 4, 5))
    expect(login.nextEvent()).toMatchObject({ kind: 'error', fields: { message: '\ufffd' } })
  })

  test.each([
    ['trust', OK],
    ['cleartext', CLEARTEXT],
    ['md5', MD5],
    ['scram-sha-256', sasl(SCRAM_SHA_256)],
  ] as const)('refuses %s where it is not allowed', (method, message) => {
    const all: UpstreamMethod[] = ['trust', 'cleartext', 'md5', 'scram-sha-256']
    const login = loginWith({ methods: all.filter((other) => other !== method) })
    login.takeOutput()
    expect(() => hear(login, message)).toThrow(
      expect.objectContaining({ code: 'unsupported-authentication' }),
    )
    expect(login.takeOutput()).toHaveLength(0)
  })

  test.each([
    ['cleartext', CLEARTEXT],
    ['md5', MD5],
    ['SCRAM', sasl(SCRAM_SHA_256)],
  ])('refuses %s where there is no password', (_name, message) => {
    expect(() => hear(loginWith({ password: null }), message)).toThrow(
      expect.objectContaining({ code: 'unsupported-authentication' }),
    )
  })

  test.each([
    ['Kerberos', { kind: 'AuthenticationUnsupported', method: 2, data: Buffer.alloc(0) }],
    ['GSSAPI', { kind: 'AuthenticationUnsupported', method: 7, data: Buffer.alloc(0) }],
    ['SSPI', { kind: 'AuthenticationUnsupported', method: 9, data: Buffer.alloc(0) }],
    ['an unknown mechanism', sasl('SCRAM-SHA-512')],
    ['no mechanism', sasl()],
    ['-PLUS without a certificate to bind to', sasl(SCRAM_SHA_256_PLUS)],
  ] as const)('refuses %s', (_name, message) => {
    expect(() => hear(loginWith(), message)).toThrow(
      expect.objectContaining({ code: 'unsupported-authentication' }),
    )
  })

  test('never answers twice', () => {
    const login = loginWith()
    hear(login, MD5)
    expect(() => hear(login, CLEARTEXT)).toThrow(
      expect.objectContaining({ code: 'unexpected-message' }),
    )
  })
})

const endPoint = Buffer.alloc(32, 5)

/**
 * Runs SCRAM against our own server's side; `last` is what the upstream says in the end. `salted`: what a login
 * that asks for it is given.
 */
function scram(options: {
  salted?: Uint8Array
  login: UpstreamLogin
  offered: readonly string[]
  endPoint: Uint8Array | null
  last: (serverFinal: string) => readonly BackendMessage[]
}): UpstreamLoginEvent {
  const { login } = options
  login.takeOutput()
  hear(login, sasl(...options.offered))
  const initial = login.takeOutput()
  const { mechanism, data } = decodeSaslInitialResponse(initial, 5, initial.length)
  const server = new ScramServer({
    verifier: scramVerifierFor({ password: 'secret', salt: Buffer.from('salt'), iterations: 2 }),
    nonce: 'a-nonce-of-the-server-side',
    mechanism,
    endPoint: options.endPoint,
  })
  const first = server.first(Buffer.from(data!).toString())
  const challenged = hear(login, { kind: 'AuthenticationSASLContinue', data: Buffer.from(first) })
  if (options.salted !== undefined) {
    const challenge = { salt: Buffer.from('salt'), iterations: 2 }
    expect(challenged).toEqual({ kind: 'salt-password', challenge })
    expect(login.takeOutput()).toHaveLength(0)
    login.passwordSalted(options.salted)
  }
  const response = login.takeOutput()
  const final = server.final(
    Buffer.from(decodeSaslResponse(response, 5, response.length)).toString(),
  )
  return hear(login, ...options.last(final))
}

const proof = (text: string): BackendMessage => ({
  kind: 'AuthenticationSASLFinal',
  data: Buffer.from(text),
})

describe('SCRAM', () => {
  test.each([
    ['without TLS data', [SCRAM_SHA_256], null, null, 'scram-sha-256'],
    ['with -PLUS', [SCRAM_SHA_256_PLUS, SCRAM_SHA_256], endPoint, endPoint, 'scram-sha-256-plus'],
    ['where -PLUS is not offered', [SCRAM_SHA_256], endPoint, null, 'scram-sha-256'],
    ['where only we can not bind', [SCRAM_SHA_256], null, null, 'scram-sha-256'],
  ] as const)('%s logs in', (_name, offered, ours, theirs, method) => {
    const event = scram({
      login: loginWith({ endPoint: ours }),
      offered,
      endPoint: theirs,
      last: (final) => [proof(final), OK, READY],
    })
    expect(event).toMatchObject({ kind: 'ready', session: { method } })
  })

  test('logs in with a password that the caller salts', async () => {
    const event = scram({
      login: loginWith({ saltsItself: true }),
      offered: [SCRAM_SHA_256],
      endPoint: null,
      salted: await saltPassword('secret', { salt: Buffer.from('salt'), iterations: 2 }),
      last: (final) => [proof(final), OK, READY],
    })
    expect(event).toMatchObject({ kind: 'ready', session: { method: 'scram-sha-256' } })
  })

  test('does not believe AuthenticationOk while the caller salts the password', () => {
    const login = loginWith({ saltsItself: true })
    hear(login, sasl(SCRAM_SHA_256))
    const first = `r=${NONCE}more,s=${Buffer.from('salt').toString('base64')},i=2`
    hear(login, { kind: 'AuthenticationSASLContinue', data: Buffer.from(first) })
    expect(() => hear(login, OK)).toThrow(expect.objectContaining({ code: 'authentication-proof' }))
  })

  test('takes no salted password unasked', () => {
    expect(() => loginWith({ saltsItself: true }).passwordSalted(Buffer.alloc(32))).toThrow(
      expect.objectContaining({ code: 'illegal-call' }),
    )
  })

  test('does not believe AuthenticationOk without the proof', () => {
    expect(() =>
      scram({ login: loginWith(), offered: [SCRAM_SHA_256], endPoint: null, last: () => [OK] }),
    ).toThrow(expect.objectContaining({ code: 'authentication-proof' }))
  })

  test('does not believe a wrong proof', () => {
    const wrong = `v=${Buffer.alloc(32).toString('base64')}`
    expect(() =>
      scram({
        login: loginWith(),
        offered: [SCRAM_SHA_256],
        endPoint: null,
        last: () => [proof(wrong), OK, READY],
      }),
    ).toThrow(expect.objectContaining({ code: 'authentication-proof' }))
  })

  test('does not believe AuthenticationOk in the place of the first answer', () => {
    const login = loginWith()
    hear(login, sasl(SCRAM_SHA_256))
    expect(() => hear(login, OK)).toThrow(expect.objectContaining({ code: 'authentication-proof' }))
  })

  test('can be required with channel binding', () => {
    const login = loginWith({ endPoint, methods: ['scram-sha-256-plus'] })
    expect(() => hear(login, sasl(SCRAM_SHA_256))).toThrow(
      expect.objectContaining({ code: 'unsupported-authentication' }),
    )
  })

  test('notices when someone took the offer of channel binding away', () => {
    expect(() =>
      scram({
        login: loginWith({ endPoint }),
        offered: [SCRAM_SHA_256],
        endPoint,
        last: (final) => [proof(final), OK, READY],
      }),
    ).toThrow(/offer of channel binding/)
  })

  test('does not bind to a certificate on a channel that is not encrypted', () => {
    const login = loginWith({ encrypted: false, endPoint })
    hear(login, sasl(SCRAM_SHA_256, SCRAM_SHA_256_PLUS))
    expect(login.takeOutput().toString()).toContain('n,,n=,r=')
  })
})

describe('version negotiation', () => {
  const negotiated = (version: number, ...unrecognized: string[]): BackendMessage => ({
    kind: 'NegotiateProtocolVersion',
    version,
    unrecognized,
  })

  test.each([(3 << 16) | 0, 0])('takes a lower minor, said as %i', (version) => {
    expect(hear(loginWith({ minor: 2 }), negotiated(version, '_pq_.x'), OK, READY)).toMatchObject({
      session: { minor: 0, unrecognized: ['_pq_.x'] },
    })
  })

  test.each([
    ['a higher minor', [negotiated((3 << 16) | 3)], 'unsupported-protocol'],
    ['another major', [negotiated(2 << 16)], 'unsupported-protocol'],
    ['two', [negotiated(3 << 16), negotiated(3 << 16)], 'unexpected-message'],
    ['one after the password', [CLEARTEXT, negotiated(3 << 16)], 'unexpected-message'],
    ['one after the login', [OK, negotiated(3 << 16)], 'unexpected-message'],
  ] as const)('refuses %s', (_name, messages, code) => {
    expect(() => hear(loginWith({ minor: 2 }), ...messages)).toThrow(
      expect.objectContaining({ code }),
    )
  })

  test('refuses a long cancel secret in protocol 3.0', () => {
    const key: BackendMessage = { kind: 'BackendKeyData', pid: 1, secret: Buffer.alloc(32) }
    expect(() => hear(loginWith(), OK, key)).toThrow(
      expect.objectContaining({ code: 'bad-length' }),
    )
  })
})

describe('the machine', () => {
  const KEY: BackendMessage = { kind: 'BackendKeyData', pid: 1, secret: Buffer.alloc(4) }
  test.each([
    ['a row before the login', [{ kind: 'DataRow', values: [] }]],
    ['a parameter before AuthenticationOk', [{ kind: 'ParameterStatus', name: 'a', value: 'b' }]],
    ['ReadyForQuery before AuthenticationOk', [READY]],
    ['a row after AuthenticationOk', [OK, { kind: 'DataRow', values: [] }]],
    ['AuthenticationOk twice', [OK, OK]],
    ['two cancel secrets', [OK, KEY, KEY]],
    ['a session that begins in a transaction', [OK, { kind: 'ReadyForQuery', status: 'T' }]],
    ['the end of SCRAM without its beginning', [proof('v=')]],
    [
      'a challenge nobody asked for',
      [{ kind: 'AuthenticationSASLContinue', data: Buffer.alloc(0) }],
    ],
  ] as const)('refuses %s', (_name, messages) => {
    expect(() => hear(loginWith(), ...messages)).toThrow(
      expect.objectContaining({ code: 'unexpected-message' }),
    )
  })

  test('takes the upstream one byte at a time and keeps what follows for the session', () => {
    const login = loginWith()
    const more = encodeBackend({ kind: 'ParameterStatus', name: 'a', value: 'b' })
    const bytes = encodeBackend(OK, KEY, READY)
    for (const byte of bytes.subarray(0, -1)) {
      login.receive(Buffer.of(byte))
      expect(login.nextEvent().kind).toBe('need-data')
    }
    login.receive(Buffer.concat([bytes.subarray(-1), more]))
    expect(login.nextEvent().kind).toBe('ready')
    expect(login.takeRemaining().equals(more)).toBe(true)
  })

  test('hears out only so many messages, and none that is too long', () => {
    const status: BackendMessage = { kind: 'ParameterStatus', name: 'a', value: 'b' }
    const chatty = loginWith()
    expect(hear(chatty, OK, ...new Array(LOGIN_MESSAGES_MAX - 1).fill(status)).kind).toBe(
      'need-data',
    )
    expect(() => hear(chatty, status)).toThrow(expect.objectContaining({ code: 'too-large' }))
    const long = loginWith()
    const head = Buffer.from([0x45, 0, 0, 0, 0])
    head.writeInt32BE(LOGIN_MESSAGE_BYTES_MAX + 1, 1)
    long.receive(head)
    expect(() => long.nextEvent()).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => loginWith().receive(Buffer.alloc(2 * LOGIN_MESSAGE_BYTES_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('gives events or a ProtocolError on any bytes', () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom(
        ...[OK, CLEARTEXT, MD5, READY, sasl(SCRAM_SHA_256)].map((m) => encodeBackend(m)),
      ),
    )
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 6 }), fc.boolean(), (chunks, tls) => {
        const login = loginWith({ tls })
        try {
          for (const bytes of chunks) {
            login.receive(bytes)
            login.nextEvent()
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('our client and our server', () => {
  test('log in with each other over TLS, byte by byte', () => {
    const client = new UpstreamLogin({
      tls: true,
      minor: 2,
      parameters: [
        ['user', 'sally'],
        ['database', 'crm'],
      ],
      password: 'token',
      nonce: NONCE,
    })
    const server = new ClientLogin()
    const seen: string[] = []
    const secret = Buffer.alloc(20, 9)
    let session: unknown
    for (let round = 0; round < 8; round++) {
      for (const byte of client.takeOutput()) {
        server.receive(Buffer.of(byte))
        const event = server.nextEvent()
        if (event.kind === 'need-data') continue
        seen.push(event.kind)
        if (event.kind === 'tls-requested') server.acceptTls()
        if (event.kind === 'startup') server.askPassword()
        if (event.kind === 'password') {
          expect(event.password).toBe('token')
          server.accept({ parameters: [['server_version', '18']], pid: 3, secret })
        }
      }
      for (const byte of server.takeOutput()) {
        client.receive(Buffer.of(byte))
        const event = client.nextEvent()
        if (event.kind === 'start-tls') {
          client.tlsEstablished({ endPoint: null })
          server.tlsEstablished({ alpn: 'postgresql' })
        }
        if (event.kind === 'ready') session = event.session
      }
    }
    expect(seen).toEqual(['tls-requested', 'startup', 'password'])
    expect(session).toMatchObject({ key: { pid: 3, secret }, minor: 2, method: 'cleartext' })
  })
})
