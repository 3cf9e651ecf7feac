import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { encryptPassword } from './auth/rsa.ts'
import { agreed, CLIENT, has, MARIADB_CLIENT, offerTo, requestFor } from './capabilities.ts'
import { clientCharset } from './charsets.ts'
import { ClientLogin, type ClientLoginOptions } from './client-login.ts'
import { ER } from './errors.ts'
import {
  decodeAuthSwitch,
  decodeHandshake,
  encodeHandshakeResponse,
  encodeSslRequest,
  type HandshakeResponse,
} from './handshake.ts'
import { LOGIN_INPUT_BYTES_MAX, PASSWORD_BYTES_MAX } from './limits.ts'
import { encodePacket, HEADER_BYTES } from './packets.ts'
import { decodeErr, plainOk } from './responses.ts'
import { UpstreamLogin } from './upstream-login.ts'

const UPSTREAM = { flags: 0xdfff_ffff, mariadb: 0 }
const CHALLENGE = Buffer.from('abcdefghijklmnopqrst')
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const RSA = {
  privateKey,
  publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
}

const GREETING = {
  serverVersion: '9.4.0',
  connectionId: 7,
  challenge: CHALLENGE,
  capabilities: offerTo([UPSTREAM], { tls: true, localInfile: false }),
  collation: 45,
  status: 2,
}

const CHOSEN =
  (CLIENT.PROTOCOL_41 |
    CLIENT.SECURE_CONNECTION |
    CLIENT.PLUGIN_AUTH |
    CLIENT.PLUGIN_AUTH_LENENC |
    CLIENT.CONNECT_WITH_DB |
    CLIENT.CONNECT_ATTRS |
    CLIENT.SESSION_TRACK |
    CLIENT.DEPRECATE_EOF |
    CLIENT.LONG_PASSWORD) >>>
  0

const RESPONSE: HandshakeResponse = {
  capabilities: { flags: CHOSEN, mariadb: 0 },
  packetBytesMax: 1 << 24,
  collation: 45,
  user: 'analyst',
  authentication: Buffer.alloc(32, 1),
  database: 'crm',
  plugin: 'caching_sha2_password',
  attributes: [['program_name', 'agent']],
}

/** A login whose client has got the greeting. */
function greeted(options: Partial<ClientLoginOptions> = {}): ClientLogin {
  const login = new ClientLogin({ greeting: GREETING, encrypted: true, ...options })
  login.takeOutput()
  return login
}

function respond(login: ClientLogin, changes: Partial<HandshakeResponse> = {}): ClientLogin {
  login.receive(encodePacket(1, encodeHandshakeResponse({ ...RESPONSE, ...changes })))
  return login
}

/** What was said, packet by packet: sequence id and payload. */
function said(login: ClientLogin): { id: number; payload: Buffer }[] {
  const bytes = login.takeOutput()
  const packets: { id: number; payload: Buffer }[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER_BYTES + bytes.readUIntLE(at, 3)
    packets.push({ id: bytes[at + 3]!, payload: bytes.subarray(at + HEADER_BYTES, end) })
    at = end
  }
  return packets
}

describe('the token', () => {
  test('arrives whole from a client whose password the server does not know', () => {
    const login = greeted()
    expect(respond(login).nextEvent()).toMatchObject({
      kind: 'startup',
      encrypted: true,
      startup: {
        user: 'analyst',
        database: 'crm',
        charset: 'utf8mb4',
        attributes: [['program_name', 'agent']],
      },
    })
    login.askPassword()
    expect(said(login)).toEqual([{ id: 2, payload: Buffer.of(1, 4) }])
    expect(login.nextEvent()).toEqual({ kind: 'need-data' })
    const token = 't'.repeat(1100)
    login.receive(encodePacket(3, Buffer.from(`${token}\0`)))
    expect(login.nextEvent()).toEqual({ kind: 'password', password: token })
    login.accept(plainOk(2))
    expect(said(login)[0]).toMatchObject({ id: 4 })
  })

  test('byte by byte too, and what comes behind belongs to the session', () => {
    const login = greeted()
    for (const byte of encodePacket(1, encodeHandshakeResponse(RESPONSE))) {
      expect(login.nextEvent()).toEqual({ kind: 'need-data' })
      login.receive(Buffer.of(byte))
    }
    login.nextEvent()
    login.askPassword()
    const ping = encodePacket(0, Buffer.of(0x0e))
    login.receive(Buffer.concat([encodePacket(3, Buffer.from('t\0')), ping]))
    expect(login.nextEvent()).toEqual({ kind: 'password', password: 't' })
    login.accept(plainOk(2))
    expect(login.takeRemaining()).toEqual(ping)
  })

  test('a client that names another plugin is switched, and goes on from there', () => {
    const login = greeted()
    respond(login, {
      plugin: 'mysql_native_password',
      authentication: Buffer.alloc(20, 1),
    }).nextEvent()
    login.askPassword()
    const [request] = said(login)
    expect(request?.id).toBe(2)
    expect(decodeAuthSwitch(request?.payload ?? Buffer.alloc(0))).toEqual({
      plugin: 'caching_sha2_password',
      data: Buffer.concat([CHALLENGE, Buffer.of(0)]),
    })
    login.receive(encodePacket(3, Buffer.alloc(32, 1)))
    expect(login.nextEvent()).toEqual({ kind: 'need-data' })
    expect(said(login)).toEqual([{ id: 4, payload: Buffer.of(1, 4) }])
    login.receive(encodePacket(5, Buffer.from('token\0')))
    expect(login.nextEvent()).toEqual({ kind: 'password', password: 'token' })
  })

  test('mysql_clear_password brings it at once', () => {
    const login = greeted()
    respond(login, {
      plugin: 'mysql_clear_password',
      authentication: Buffer.from('token\0'),
    }).nextEvent()
    login.askPassword()
    expect(login.nextEvent()).toEqual({ kind: 'password', password: 'token' })
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one NUL', Buffer.of(0)],
  ])('%s is no password', (_name, authentication) => {
    const login = greeted()
    respond(login, { authentication }).nextEvent()
    login.askPassword()
    expect(login.nextEvent()).toEqual({ kind: 'password', password: '' })
  })

  test('a longer one than the cap is none', () => {
    for (const extra of [0, 1]) {
      const login = greeted()
      respond(login).nextEvent()
      login.askPassword()
      login.receive(encodePacket(3, Buffer.from(`${'t'.repeat(PASSWORD_BYTES_MAX + extra)}\0`)))
      if (extra === 0) expect(login.nextEvent().kind).toBe('password')
      else expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'too-large' }))
    }
  })

  test.each([
    ['a NUL inside', Buffer.from('a\0b\0')],
    ['no UTF-8', Buffer.of(0xc3, 0x28, 0)],
  ])('with %s it is a wrong password, not broken text', (_name, bytes) => {
    const login = greeted()
    respond(login).nextEvent()
    login.askPassword()
    login.receive(encodePacket(3, bytes))
    expect(() => login.nextEvent()).toThrow(
      expect.objectContaining({ code: 'bad-authentication', serverError: ER.ACCESS_DENIED_ERROR }),
    )
  })
})

describe('a login inside a session', () => {
  const previous = {
    user: 'analyst',
    database: 'crm',
    capabilities: RESPONSE.capabilities,
    collation: 45,
    charset: 'utf8mb4',
    packetBytesMax: 1 << 24,
    attributes: [],
  } as const
  const command = {
    user: 'bob',
    authentication: Buffer.alloc(32, 1),
    database: 'shop',
    collation: null,
    plugin: 'caching_sha2_password',
    attributes: [],
  }

  test('is asked with a challenge of its own, numbered behind the command', () => {
    const login = new ClientLogin({
      greeting: GREETING,
      encrypted: true,
      change: { command, previous },
    })
    expect(login.nextEvent()).toEqual({
      kind: 'startup',
      encrypted: true,
      startup: { ...previous, user: 'bob', database: 'shop' },
    })
    login.askPassword()
    const [asked] = said(login)
    expect(asked?.id).toBe(1)
    expect(decodeAuthSwitch(asked?.payload ?? Buffer.alloc(0))).toMatchObject({
      plugin: 'caching_sha2_password',
    })
    login.receive(encodePacket(2, Buffer.alloc(32, 2)))
    expect(login.nextEvent()).toEqual({ kind: 'need-data' })
    expect(said(login)[0]).toMatchObject({ id: 3 })
    login.receive(encodePacket(4, Buffer.from('token\0')))
    expect(login.nextEvent()).toEqual({ kind: 'password', password: 'token' })
    login.accept(plainOk(2))
    expect(said(login)[0]).toMatchObject({ id: 5 })
  })

  test.each([
    ['of the session before where it says none', null, 'utf8mb4', 45],
    ['it says', 8, 'latin1', 8],
    ['of a collation that a login has no room for', 309, 'utf8mb4', 45],
    ['that cannot be read', 28, null, 28],
  ])('has the character set %s', (_name, collation, charset, told) => {
    const change = { command: { ...command, collation }, previous }
    const login = new ClientLogin({ greeting: GREETING, encrypted: true, change })
    expect(login.nextEvent()).toMatchObject({ startup: { charset, collation: told } })
  })
})

describe('without TLS', () => {
  test('a short one comes encrypted for our key', () => {
    const login = greeted({ encrypted: false, rsa: RSA })
    respond(login).nextEvent()
    login.askPassword()
    said(login)
    login.receive(encodePacket(3, Buffer.of(2)))
    expect(login.nextEvent()).toEqual({ kind: 'need-data' })
    const [key] = said(login)
    expect([key?.id, key?.payload[0], key?.payload.toString('latin1', 1)]).toEqual([
      4,
      1,
      RSA.publicKeyPem,
    ])
    login.receive(
      encodePacket(5, encryptPassword(Buffer.from('spt_x'), CHALLENGE, RSA.publicKeyPem)),
    )
    expect(login.nextEvent()).toEqual({ kind: 'password', password: 'spt_x' })
  })

  test.each([false, true])(
    'one comes encrypted from who has the key (clear taken: %s)',
    (passwordInClear) => {
      const login = greeted({ encrypted: false, rsa: RSA, passwordInClear })
      respond(login).nextEvent()
      login.askPassword()
      login.receive(
        encodePacket(3, encryptPassword(Buffer.from('spt_x'), CHALLENGE, RSA.publicKeyPem)),
      )
      expect(login.nextEvent()).toEqual({ kind: 'password', password: 'spt_x' })
    },
  )

  test('one in clear that is as long as what is encrypted is read as it is', () => {
    const login = greeted({ encrypted: false, rsa: RSA, passwordInClear: true })
    respond(login).nextEvent()
    login.askPassword()
    const password = 'x'.repeat(255)
    login.receive(encodePacket(3, Buffer.from(`${password}\0`)))
    expect(login.nextEvent()).toEqual({ kind: 'password', password })
  })

  test('what was not encrypted for it is refused', () => {
    const login = greeted({ encrypted: false, rsa: RSA })
    respond(login).nextEvent()
    login.askPassword()
    login.receive(encodePacket(3, Buffer.of(2)))
    login.nextEvent()
    login.receive(encodePacket(5, Buffer.alloc(256, 3)))
    // OpenSSL answers a padding that does not fit with random bytes: no UTF-8, no token.
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'bad-authentication' }))
  })

  test.each([
    ['in clear', { rsa: RSA }, Buffer.from('token\0')],
    ['for a key we do not have', {}, Buffer.of(2)],
  ])('one %s is not taken', (_name, options, bytes) => {
    const login = greeted({ encrypted: false, ...options })
    respond(login).nextEvent()
    expect(() => {
      login.askPassword()
      login.receive(encodePacket(3, bytes))
      login.nextEvent()
    }).toThrow(expect.objectContaining({ code: 'unsupported-authentication' }))
    login.refuse({ errno: 1045, sqlstate: '28000', message: 'use TLS' })
    expect(decodeErr(said(login).at(-1)?.payload ?? Buffer.alloc(0)).message).toBe('use TLS')
  })

  test('one in clear is taken where the caller says that the channel is good enough', () => {
    const asked = greeted({ encrypted: false, passwordInClear: true })
    respond(asked).nextEvent()
    asked.askPassword()
    asked.receive(encodePacket(3, Buffer.from('token\0')))
    expect(asked.nextEvent()).toEqual({ kind: 'password', password: 'token' })
    const first = greeted({ encrypted: false, passwordInClear: true })
    const authentication = Buffer.from('token\0')
    respond(first, { plugin: 'mysql_clear_password', authentication }).nextEvent()
    first.askPassword()
    expect(first.nextEvent()).toEqual({ kind: 'password', password: 'token' })
  })

  test('one in the first packet is asked for again, by key', () => {
    const login = greeted({ encrypted: false, rsa: RSA })
    respond(login, {
      plugin: 'mysql_clear_password',
      authentication: Buffer.from('token\0'),
    }).nextEvent()
    login.askPassword()
    expect(said(login)[0]?.payload[0]).toBe(0xfe)
  })
})

describe('TLS', () => {
  const ssl = { ...RESPONSE, capabilities: { flags: (CHOSEN | CLIENT.SSL) >>> 0, mariadb: 0 } }

  test('what comes behind the request is the handshake', () => {
    const login = greeted({ encrypted: false })
    const hello = Buffer.from('1603010200', 'hex')
    login.receive(Buffer.concat([encodePacket(1, encodeSslRequest(ssl)), hello]))
    expect(login.nextEvent()).toEqual({ kind: 'tls-requested', bytes: hello })
    expect(() => login.receive(Buffer.of(1))).toThrow(
      expect.objectContaining({ code: 'illegal-call' }),
    )
  })

  test('the login goes on counting inside it', () => {
    const login = greeted({ encrypted: false })
    login.receive(encodePacket(1, encodeSslRequest(ssl)))
    login.nextEvent()
    login.tlsEstablished()
    login.receive(encodePacket(2, encodeHandshakeResponse(RESPONSE)))
    expect(login.nextEvent()).toMatchObject({ kind: 'startup', encrypted: true })
    login.askPassword()
    expect(said(login)[0]?.id).toBe(3)
  })

  test.each([
    ['where it is already', true, true],
    ['where it is not offered', false, false],
  ])('%s it cannot be asked for', (_name, encrypted, tls) => {
    const capabilities = offerTo([UPSTREAM], { tls, localInfile: false })
    const login = greeted({ greeting: { ...GREETING, capabilities }, encrypted })
    login.receive(encodePacket(1, encodeSslRequest(ssl)))
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'tls' }))
  })
})

describe('who is no client of ours', () => {
  test.each([
    ['nc', Buffer.from('hello\n')],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['PostgreSQL', Buffer.from('0000000804d2162f', 'hex')],
    ['zeros', Buffer.alloc(64)],
    [
      'a client before 4.1',
      encodePacket(1, Buffer.concat([Buffer.of(5, 0, 0, 0, 0), Buffer.from('user\0')])),
    ],
  ])('%s is told so', (_name, bytes) => {
    const login = greeted()
    login.receive(bytes)
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ side: 'remote' }))
    login.refuse({ ...ER.HANDSHAKE_ERROR, message: 'Bad handshake' })
    expect(decodeErr(said(login)[0]?.payload ?? Buffer.alloc(0)).errno).toBe(1043)
    expect(() => login.nextEvent()).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })

  test('and so is who sends too much', () => {
    const login = greeted()
    expect(() => login.receive(Buffer.alloc(LOGIN_INPUT_BYTES_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test.each([
    [28, 'gbk_chinese_ci'],
    [1, 'big5_chinese_ci'],
    [13, 'sjis_japanese_ci'],
    [95, 'cp932_japanese_ci'],
    [248, 'gb18030_chinese_ci'],
    [249, 'gb18030_bin'],
    [24, 'gb2312_chinese_ci'],
    [12, 'ujis_japanese_ci'],
    [19, 'euckr_korean_ci'],
    [35, 'ucs2_general_ci'],
    [54, 'utf16_general_ci'],
    [60, 'utf32_general_ci'],
  ])('collation %i (%s) is read by nobody', (collation) => {
    const login = greeted()
    expect(respond(login, { collation }).nextEvent()).toMatchObject({ startup: { charset: null } })
    expect(() => login.askPassword()).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })

  test.each([
    [8, 'latin1'],
    [51, 'cp1251'],
    [1074, 'cp1251'],
    [11, 'ascii'],
    [33, 'utf8mb3'],
    [45, 'utf8mb4'],
    [224, 'utf8mb4'],
    [255, 'utf8mb4'],
    [309, 'utf8mb4'],
    [2304, 'utf8mb4'],
  ])('collation %i is %s', (collation, charset) => expect(clientCharset(collation)).toBe(charset))
})

describe('capabilities', () => {
  const bits = { tls: true, localInfile: false }

  test('what shapes packets is offered only where every upstream has it', () => {
    const maria = { flags: 0x81ff_fffe, mariadb: 29 }
    const both = offerTo([UPSTREAM, maria], bits)
    expect(has(both, CLIENT.QUERY_ATTRIBUTES)).toBe(false)
    expect(has(offerTo([UPSTREAM], bits), CLIENT.QUERY_ATTRIBUTES)).toBe(true)
    const extended = MARIADB_CLIENT.EXTENDED_METADATA | MARIADB_CLIENT.STMT_BULK_OPERATIONS
    expect(offerTo([maria], bits).mariadb).toBe(extended)
    expect(both.mariadb).toBe(0)
    expect(has(offerTo([], bits), CLIENT.DEPRECATE_EOF)).toBe(true)
    expect(has(offerTo([], bits), CLIENT.QUERY_ATTRIBUTES)).toBe(false)
  })

  test('compression, files and other factors are not', () => {
    const offer = offerTo([UPSTREAM], bits)
    for (const bit of [
      CLIENT.COMPRESS,
      CLIENT.ZSTD_COMPRESSION,
      CLIENT.LOCAL_FILES,
      CLIENT.MULTI_FACTOR_AUTHENTICATION,
      CLIENT.CAN_HANDLE_EXPIRED_PASSWORDS,
    ]) {
      expect(has(offer, bit)).toBe(false)
    }
    expect(has(offerTo([UPSTREAM], { ...bits, localInfile: true }), CLIENT.LOCAL_FILES)).toBe(true)
  })

  test('what a client takes without an offer is not in force', () => {
    const chosen = { flags: (CHOSEN | CLIENT.COMPRESS | CLIENT.LOCAL_FILES) >>> 0, mariadb: 31 }
    const capabilities = agreed(offerTo([UPSTREAM], bits), chosen)
    expect([
      has(capabilities, CLIENT.COMPRESS),
      has(capabilities, CLIENT.LOCAL_FILES),
      capabilities.mariadb,
    ]).toEqual([false, false, 0])
    expect(() => agreed(offerTo([], bits), { flags: CLIENT.PROTOCOL_41, mariadb: 0 })).toThrow(
      expect.objectContaining({ code: 'capabilities' }),
    )
  })

  test('an upstream that lacks what the client was offered is refused', () => {
    const client = { flags: CHOSEN, mariadb: 0 }
    const old = { flags: (0xdfff_ffff & ~CLIENT.DEPRECATE_EOF) >>> 0, mariadb: 0 }
    expect(() => requestFor(old, client, { tls: false, database: false })).toThrow(
      expect.objectContaining({ code: 'capabilities' }),
    )
    const asked = requestFor(UPSTREAM, client, { tls: true, database: true })
    expect(has(asked, CLIENT.SSL | CLIENT.CONNECT_WITH_DB | CLIENT.SESSION_TRACK)).toBe(true)
    expect(has(asked, CLIENT.LOCAL_FILES)).toBe(false)
  })
})

test('both logins of ours understand each other', () => {
  const server = new ClientLogin({ greeting: GREETING, rsa: RSA })
  const client = new UpstreamLogin({
    tls: false,
    user: 'analyst',
    password: 'spt_token',
    database: 'crm',
    capabilities: { flags: CHOSEN, mariadb: 0 },
    collation: 45,
    attributes: [],
    trustSentKey: true,
  })
  let password = ''
  for (let turn = 0; turn < 6; turn++) {
    client.receive(server.takeOutput())
    const event = client.nextEvent()
    if (event.kind === 'ready') {
      expect(event.session).toMatchObject({ method: 'caching_sha2_password', connectionId: 7 })
      break
    }
    server.receive(client.takeOutput())
    const asked = server.nextEvent()
    if (asked.kind === 'startup') server.askPassword()
    if (asked.kind === 'password') {
      password = asked.password
      server.accept(plainOk(2))
    }
  }
  expect(password).toBe('spt_token')
  expect(
    decodeHandshake(new ClientLogin({ greeting: GREETING }).takeOutput().subarray(4)).plugin,
  ).toBe('caching_sha2_password')
})
