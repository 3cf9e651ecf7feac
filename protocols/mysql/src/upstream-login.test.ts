import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ed25519Answer, ed25519PublicKey } from './auth/ed25519.ts'
import { decryptPassword } from './auth/rsa.ts'
import { cachingSha2Answer, nativePasswordAnswer } from './auth/scramble.ts'
import { CLIENT } from './capabilities.ts'
import {
  decodeClientHello,
  encodeAuthMoreData,
  encodeAuthSwitch,
  encodeHandshake,
} from './handshake.ts'
import { PUBLIC_KEY_BYTES_MAX, UPSTREAM_LOGIN_PACKETS_MAX } from './limits.ts'
import { encodePacket } from './packets.ts'
import { encodeErr, encodeOk, HEADER, plainOk } from './responses.ts'
import { parseServerVersion } from './server-version.ts'
import { UpstreamLogin, type UpstreamLoginOptions } from './upstream-login.ts'

const CHALLENGE = Buffer.from('abcdefghijklmnopqrst')
const OFFERED = { flags: 0xdfff_ffff, mariadb: 0 }
const CHOSEN = {
  flags:
    (CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH | CLIENT.DEPRECATE_EOF) >>>
    0,
  mariadb: 0,
}
const OK = encodeOk(plainOk(2), { sessionTrack: true, header: HEADER.OK })

function greeting(plugin: string, capabilities = OFFERED): Buffer {
  return encodePacket(
    0,
    encodeHandshake({
      serverVersion: '9.4.0',
      connectionId: 42,
      challenge: CHALLENGE,
      capabilities,
      collation: 255,
      status: 2,
      plugin,
    }),
  )
}

function login(options: Partial<UpstreamLoginOptions> = {}): UpstreamLogin {
  return new UpstreamLogin({
    tls: false,
    user: 'gateway',
    password: 'secret',
    database: 'crm',
    capabilities: CHOSEN,
    collation: 45,
    attributes: [['_client_name', 'sallyport']],
    ...options,
  })
}

/** The payload of what the login says next. */
function said(upstream: UpstreamLogin): Buffer {
  return upstream.takeOutput().subarray(4)
}

function response(upstream: UpstreamLogin): { plugin: string | null; authentication: string } {
  const hello = decodeClientHello(said(upstream))
  if (hello.kind !== 'response') throw new Error('no response')
  const { plugin, authentication } = hello.response
  return { plugin, authentication: Buffer.from(authentication).toString('hex') }
}

describe('caching_sha2_password', () => {
  test('the result of the fast path and the OK in one read', () => {
    const upstream = login()
    upstream.receive(greeting('caching_sha2_password'))
    expect(upstream.nextEvent()).toEqual({ kind: 'need-data' })
    expect(response(upstream)).toEqual({
      plugin: 'caching_sha2_password',
      authentication: cachingSha2Answer(Buffer.from('secret'), CHALLENGE).toString('hex'),
    })
    upstream.receive(Buffer.concat([encodePacket(2, Buffer.of(1, 3)), encodePacket(3, OK)]))
    expect(upstream.nextEvent()).toMatchObject({
      kind: 'ready',
      session: { connectionId: 42, method: 'caching_sha2_password' },
    })
    expect(upstream.takeOutput()).toHaveLength(0)
  })

  test('in full, inside TLS, the password goes as it is', () => {
    const upstream = login({ encrypted: true })
    upstream.receive(greeting('caching_sha2_password'))
    upstream.nextEvent()
    said(upstream)
    upstream.receive(encodePacket(2, Buffer.of(1, 4)))
    upstream.nextEvent()
    expect(upstream.takeOutput()).toEqual(encodePacket(3, Buffer.from('secret\0')))
    upstream.receive(encodePacket(4, OK))
    expect(upstream.nextEvent().kind).toBe('ready')
  })

  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()

  test('in clear, only to a key: one given, or one believed', () => {
    const given = login({ publicKeyPem: pem })
    given.receive(
      Buffer.concat([greeting('caching_sha2_password'), encodePacket(2, Buffer.of(1, 4))]),
    )
    given.nextEvent()
    const bytes = given.takeOutput()
    const first = 4 + bytes.readUIntLE(0, 3)
    expect(decryptPassword(bytes.subarray(first + 4), CHALLENGE, privateKey).toString()).toBe(
      'secret\0',
    )

    const believed = login({ trustSentKey: true })
    believed.receive(
      Buffer.concat([greeting('caching_sha2_password'), encodePacket(2, Buffer.of(1, 4))]),
    )
    believed.nextEvent()
    believed.takeOutput()
    believed.receive(encodePacket(4, encodeAuthMoreData(Buffer.from(pem))))
    believed.nextEvent()
    expect(decryptPassword(said(believed), CHALLENGE, privateKey).toString()).toBe('secret\0')
  })

  test.each([
    ['no key is known', {}, []],
    ['the key is none', { trustSentKey: true }, [Buffer.from('key')]],
    [
      'the key is longer than one',
      { trustSentKey: true },
      [Buffer.alloc(PUBLIC_KEY_BYTES_MAX + 1)],
    ],
  ])('where %s, the password stays here', (_name, options, more) => {
    const upstream = login(options)
    upstream.receive(
      Buffer.concat([greeting('caching_sha2_password'), encodePacket(2, Buffer.of(1, 4))]),
    )
    expect(() => {
      upstream.nextEvent()
      for (const data of more) upstream.receive(encodePacket(4, encodeAuthMoreData(data)))
      upstream.nextEvent()
    }).toThrow(expect.objectContaining({ side: 'remote' }))
  })

  test.each([
    [[Buffer.of(1, 9)]],
    [[Buffer.of(1)]],
    [[Buffer.of(1, 3), Buffer.of(1, 4)]],
    [[Buffer.of(1, 4), Buffer.of(1, 4)]],
  ])('data nobody asked for is refused (%#)', (packets) => {
    const upstream = login({ encrypted: true })
    upstream.receive(greeting('caching_sha2_password'))
    upstream.nextEvent()
    expect(() => {
      packets.forEach((payload, i) => {
        upstream.receive(encodePacket(2 + i * (payload[1] === 4 ? 2 : 1), payload))
        upstream.nextEvent()
      })
    }).toThrow(expect.objectContaining({ side: 'remote' }))
  })
})

describe('other plugins', () => {
  test('mysql_native_password, and a switch to another challenge', () => {
    const upstream = login()
    upstream.receive(greeting('mysql_native_password'))
    upstream.nextEvent()
    expect(response(upstream)).toEqual({
      plugin: 'mysql_native_password',
      authentication: nativePasswordAnswer(Buffer.from('secret'), CHALLENGE).toString('hex'),
    })
    const other = Buffer.from('tsrqponmlkjihgfedcba')
    const data = Buffer.concat([other, Buffer.of(0)])
    upstream.receive(encodePacket(2, encodeAuthSwitch({ plugin: 'mysql_native_password', data })))
    upstream.nextEvent()
    expect(upstream.takeOutput()).toEqual(
      encodePacket(3, nativePasswordAnswer(Buffer.from('secret'), other)),
    )
  })

  test('client_ed25519: what a server verifies', () => {
    // RFC 8410 puts a raw public key behind these bytes.
    const der = Buffer.concat([
      Buffer.from('302a300506032b6570032100', 'hex'),
      ed25519PublicKey(Buffer.from('secret')),
    ])
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    const challenge = Buffer.alloc(32, 9)
    const upstream = login()
    upstream.receive(greeting('mysql_native_password'))
    upstream.nextEvent()
    said(upstream)
    upstream.receive(
      encodePacket(2, encodeAuthSwitch({ plugin: 'client_ed25519', data: challenge })),
    )
    upstream.nextEvent()
    expect(verify(null, challenge, key, said(upstream))).toBe(true)
    // MariaDB, auth_ed25519: the key of the password `foobar`.
    expect(ed25519PublicKey(Buffer.from('foobar')).toString('base64')).toMatch(
      /^[A-Za-z0-9+/]{43}=$/,
    )
    expect(ed25519Answer(Buffer.from('a'), challenge)).toEqual(
      ed25519Answer(Buffer.from('a'), challenge),
    )
  })

  test('mysql_clear_password only where the channel may carry it', () => {
    const request = encodePacket(
      2,
      encodeAuthSwitch({ plugin: 'mysql_clear_password', data: Buffer.alloc(0) }),
    )
    for (const encrypted of [true, false]) {
      const upstream = login({ encrypted })
      upstream.receive(greeting('caching_sha2_password'))
      upstream.nextEvent()
      said(upstream)
      upstream.receive(request)
      if (encrypted) {
        upstream.nextEvent()
        expect(said(upstream)).toEqual(Buffer.from('secret\0'))
      } else
        expect(() => upstream.nextEvent()).toThrow(
          expect.objectContaining({ code: 'unsupported-authentication' }),
        )
    }
  })

  test.each(['mysql_old_password', 'sha256_password', 'auth_gssapi_client', 'dialog'])(
    '%s is not ours',
    (plugin) => {
      const upstream = login({ encrypted: true })
      upstream.receive(greeting(plugin))
      upstream.nextEvent()
      expect(response(upstream).plugin).toBe('caching_sha2_password')
      upstream.receive(encodePacket(2, encodeAuthSwitch({ plugin, data: Buffer.alloc(21, 1) })))
      expect(() => upstream.nextEvent()).toThrow(
        expect.objectContaining({ code: 'unsupported-authentication' }),
      )
    },
  )

  test('one that is left out is not used', () => {
    const upstream = login({ methods: ['client_ed25519'] })
    upstream.receive(greeting('mysql_native_password'))
    upstream.nextEvent()
    expect(response(upstream).authentication).toBe('')
    const data = Buffer.concat([CHALLENGE, Buffer.of(0)])
    upstream.receive(encodePacket(2, encodeAuthSwitch({ plugin: 'mysql_native_password', data })))
    expect(() => upstream.nextEvent()).toThrow(
      expect.objectContaining({ code: 'unsupported-authentication' }),
    )
  })
})

describe('TLS', () => {
  test('is asked for before anything is said', () => {
    const upstream = login({ tls: true })
    upstream.receive(greeting('caching_sha2_password'))
    expect(upstream.nextEvent()).toEqual({ kind: 'start-tls' })
    expect(decodeClientHello(said(upstream)).kind).toBe('ssl-request')
    expect(() => upstream.receive(Buffer.of(1))).toThrow(expect.objectContaining({ code: 'tls' }))
  })

  test('the response counts on inside it', () => {
    const upstream = login({ tls: true })
    upstream.receive(greeting('caching_sha2_password'))
    upstream.nextEvent()
    said(upstream)
    upstream.tlsEstablished()
    expect(upstream.takeOutput()[3]).toBe(2)
  })

  test('an upstream without it is not spoken to', () => {
    const upstream = login({ tls: true })
    upstream.receive(
      greeting('caching_sha2_password', { flags: (OFFERED.flags & ~CLIENT.SSL) >>> 0, mariadb: 0 }),
    )
    expect(upstream.nextEvent()).toEqual({ kind: 'tls-refused' })
    expect(upstream.takeOutput()).toHaveLength(0)
  })

  test('bytes that came with the greeting are not taken for what is inside', () => {
    const upstream = login({ tls: true })
    upstream.receive(Buffer.concat([greeting('caching_sha2_password'), encodePacket(2, OK)]))
    expect(() => upstream.nextEvent()).toThrow(expect.objectContaining({ code: 'tls' }))
  })
})

describe('refusals and faults', () => {
  test('a server that is full says so at once', () => {
    const err = { errno: 1040, sqlstate: null, message: 'Too many connections' }
    const upstream = login()
    upstream.receive(encodePacket(0, encodeErr(err)))
    expect(upstream.nextEvent()).toEqual({ kind: 'error', err })
  })

  test.each([
    ['an OK nobody asked for', Buffer.concat([encodePacket(0, OK)])],
    ['an empty packet', Buffer.concat([encodePacket(0, Buffer.alloc(0))])],
    ['a number that is not the next', Buffer.concat([greeting('x'), encodePacket(5, OK)])],
    [
      'a packet of a session',
      Buffer.concat([greeting('mysql_native_password'), encodePacket(2, Buffer.of(9))]),
    ],
    [
      'a challenge that is cut',
      Buffer.concat([
        greeting('mysql_native_password'),
        encodePacket(
          2,
          encodeAuthSwitch({ plugin: 'mysql_native_password', data: Buffer.alloc(8) }),
        ),
      ]),
    ],
  ])('%s ends it', (_name, bytes) => {
    const upstream = login()
    upstream.receive(bytes)
    expect(() => upstream.nextEvent()).toThrow(expect.objectContaining({ side: 'remote' }))
    expect(() => upstream.nextEvent()).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })

  test('switching without end does too', () => {
    const upstream = login()
    upstream.receive(greeting('mysql_native_password'))
    const data = Buffer.concat([CHALLENGE, Buffer.of(0)])
    const again = encodeAuthSwitch({ plugin: 'mysql_native_password', data })
    expect(() => {
      for (let i = 0; i < UPSTREAM_LOGIN_PACKETS_MAX; i++) {
        upstream.receive(encodePacket(2 + 2 * i, again))
        upstream.nextEvent()
      }
    }).toThrow(expect.objectContaining({ code: 'too-large' }))
  })
})

describe('versions', () => {
  test.each([
    ['9.4.0', 'mysql', 9, 4, 0],
    ['8.4.3-router', 'mysql', 8, 4, 3],
    ['5.5.5-10.11.6-MariaDB-1:10.11.6+maria~deb12', 'mariadb', 10, 11, 6],
    ['11.4.2-MariaDB-log', 'mariadb', 11, 4, 2],
    ['5.5.5-10.6.12-MariaDB', 'mariadb', 10, 6, 12],
    ['5.5.5', 'mysql', 5, 5, 5],
  ])('%s', (text, flavour, major, minor, patch) => {
    expect(parseServerVersion(text)).toEqual({ flavour, major, minor, patch })
  })

  test('what is none', () => expect(parseServerVersion('PostgreSQL')).toBeNull())
})
