import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readFixture } from '../fixtures/read.ts'
import { ByteWriter } from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { STARTUP_BYTES_MAX, STARTUP_OPTIONS_MAX, STARTUP_PARAMETERS_MAX } from './limits.ts'
import {
  decodeOpening,
  encodeCancelRequest,
  encodeSslRequest,
  type Startup,
  settingFor,
  writeStartupMessage,
} from './startup.ts'
import { parseStartupOptions, splitOptions } from './startup-options.ts'

function packet(version: number, body: string | Uint8Array): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body)
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + bytes.length, 0)
  head.writeInt32BE(version, 4)
  return Buffer.concat([head, bytes])
}

const V3 = 3 << 16

function startupOf(bytes: Uint8Array): Startup {
  const opening = decodeOpening(bytes)
  if (opening.kind !== 'startup') throw new Error(opening.kind)
  return opening.startup
}

const startup = (body: string, version = V3): Startup => startupOf(packet(version, body))

describe('the first bytes of a connection', () => {
  test('are SSLRequest, GSSENCRequest or a TLS handshake', () => {
    expect(decodeOpening(encodeSslRequest())).toEqual({ kind: 'ssl-request', bytes: 8 })
    expect(decodeOpening(packet(80_877_104, ''))).toEqual({ kind: 'gssenc-request', bytes: 8 })
    expect(decodeOpening(Buffer.of(0x16))).toEqual({ kind: 'direct-tls' })
  })

  test.each([4, 32, 256])('are a CancelRequest with a secret of %i bytes', (length) => {
    const secret = Buffer.alloc(length, 0xab)
    const bytes = encodeCancelRequest({ pid: -5, secret })
    expect(decodeOpening(bytes)).toEqual({
      kind: 'cancel',
      bytes: 12 + length,
      request: { kind: 'cancel', pid: -5, secret },
    })
  })

  test.each([0, 3, 257])('are no CancelRequest with a secret of %i bytes', (length) => {
    const bytes = packet(80_877_102, Buffer.alloc(4 + length))
    expect(() => decodeOpening(bytes)).toThrow(expect.objectContaining({ code: 'bad-length' }))
  })

  test('are a StartupMessage, as a server was sent it', () => {
    const bytes = readFixture('login-scram-3.2')[0]!.lines[0]!.bytes
    expect(startupOf(bytes)).toMatchObject({
      requestedMinor: 2,
      minor: 2,
      user: 'scram',
      database: 'postgres',
      replication: 'none',
      negotiate: false,
      settings: [{ name: 'client_encoding', value: 'UTF8' }],
    })
  })

  test('are waited for one byte at a time', () => {
    const bytes = packet(V3, 'user\0u\0\0')
    for (let end = 0; end < bytes.length; end++) {
      expect(decodeOpening(bytes.subarray(0, end)).kind).toBe('need-data')
    }
    expect(decodeOpening(bytes).kind).toBe('startup')
  })

  test('do not take what follows them', () => {
    const bytes = packet(V3, 'user\0u\0\0')
    expect(decodeOpening(Buffer.concat([bytes, Buffer.from('more')]))).toMatchObject({
      bytes: bytes.length,
    })
  })

  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'bad-startup', '08P01'],
    ['SSH', Buffer.from('SSH-2.0'), 'bad-startup', '08P01'],
    ['a length of 7', Buffer.from([0, 0, 0, 7]), 'bad-startup', '08P01'],
    ['protocol 2', packet(2 << 16, ''), 'unsupported-protocol', '0A000'],
    ['protocol 4', packet(4 << 16, ''), 'unsupported-protocol', '0A000'],
    ['an unknown request code', packet(80_877_105, ''), 'bad-startup', '08P01'],
    ['an SSLRequest with a body', packet(80_877_103, 'x'), 'bad-startup', '08P01'],
    ['no user', packet(V3, 'database\0d\0\0'), 'bad-startup', '28000'],
    ['an empty user', packet(V3, 'user\0\0\0'), 'bad-startup', '28000'],
    ['no terminator', packet(V3, 'user\0u\0'), 'bad-startup', '08P01'],
    ['bytes after the terminator', packet(V3, 'user\0u\0\0x'), 'bad-startup', '08P01'],
    ['a name without a value', packet(V3, 'user\0u\0database\0'), 'bad-startup', '08P01'],
    ['a user twice', packet(V3, 'user\0a\0user\0b\0\0'), 'duplicate-parameter', '08P01'],
    [
      'a setting twice in two cases',
      packet(V3, 'user\0a\0Role\0b\0ROLE\0c\0\0'),
      'duplicate-parameter',
      '08P01',
    ],
    [
      'a user that is not utf-8',
      packet(V3, Buffer.from('user\0\xff\0\0', 'latin1')),
      'invalid-utf8',
      '22021',
    ],
    ['replication=maybe', packet(V3, 'user\0u\0replication\0maybe\0\0'), 'bad-value', '22023'],
    ['replication=o', packet(V3, 'user\0u\0replication\0o\0\0'), 'bad-value', '22023'],
    ['options that are none', packet(V3, 'user\0u\0options\0x\0\0'), 'bad-options', '42601'],
  ])('refuse %s', (_name, bytes, code, sqlstate) => {
    expect(() => decodeOpening(bytes)).toThrow(expect.objectContaining({ code, sqlstate }))
  })

  test('are refused as soon as they can only be wrong', () => {
    expect(() => decodeOpening(Buffer.from('G'))).toThrow(ProtocolError)
    expect(() => decodeOpening(Buffer.of(0, 0x10))).toThrow(ProtocolError)
    expect(() => decodeOpening(packet(2 << 16, 'x'.repeat(50)).subarray(0, 8))).toThrow(
      ProtocolError,
    )
  })

  test('are taken at the cap and refused one byte over', () => {
    const fill = (length: number): Buffer =>
      packet(V3, `user\0u\0x\0${'y'.repeat(length - 8 - 11)}\0\0`)
    expect(fill(STARTUP_BYTES_MAX)).toHaveLength(STARTUP_BYTES_MAX)
    expect(decodeOpening(fill(STARTUP_BYTES_MAX)).kind).toBe('startup')
    expect(() => decodeOpening(fill(STARTUP_BYTES_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'bad-startup' }),
    )
  })

  test('hold parameters up to their cap', () => {
    const many = (count: number): string =>
      `user\0u\0${Array.from({ length: count - 1 }, (_, i) => `p${i}\0v\0`).join('')}\0`
    expect(startup(many(STARTUP_PARAMETERS_MAX)).parameters.size).toBe(STARTUP_PARAMETERS_MAX)
    expect(() => startup(many(STARTUP_PARAMETERS_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('are an opening or a ProtocolError, whatever they are', () => {
    const likely = fc
      .tuple(fc.constantFrom(V3, V3 + 2, 80_877_102, 80_877_103), fc.uint8Array({ maxLength: 60 }))
      .map(([version, body]) => packet(version, body))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), likely), (bytes) => {
        try {
          decodeOpening(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a StartupMessage', () => {
  test('comes back from its bytes', () => {
    const out = new ByteWriter()
    const parameters = [
      ['user', 'é'],
      ['database', 'd'],
      ['Search_Path', 'a, b'],
    ] as const
    writeStartupMessage(out, { minor: 2, parameters })
    const read = startupOf(out.take())
    expect([...read.parameters]).toEqual(parameters)
    expect(settingFor(read, 'SEARCH_PATH')).toBe('a, b')
  })

  test('names the user as database where it names none', () => {
    expect(startup('user\0u\0\0').database).toBe('u')
    expect(startup('user\0u\0database\0\0\0').database).toBe('u')
  })

  test.each([
    ['true', 'physical'],
    ['on', 'physical'],
    ['1', 'physical'],
    ['YES', 'physical'],
    ['t', 'physical'],
    ['database', 'logical'],
    ['false', 'none'],
    ['of', 'none'],
    ['0', 'none'],
    ['n', 'none'],
  ])('with replication=%s asks for %s', (value, expected) => {
    expect(startup(`user\0u\0replication\0${value}\0\0`).replication).toBe(expected)
  })

  test('of a newer minor or with options of the protocol is to be negotiated', () => {
    expect(startup('user\0u\0\0', V3 + 9999)).toMatchObject({ minor: 2, negotiate: true })
    expect(startup('user\0u\0_pq_.x\0y\0\0')).toMatchObject({
      minor: 0,
      negotiate: true,
      protocolOptions: ['_pq_.x'],
    })
    expect(startup('user\0u\0_pq_.x\0y\0\0').parameters.has('_pq_.x')).toBe(false)
  })

  test('applies its options first and its own parameters over them', () => {
    const read = startup('search_path\0b\0user\0u\0options\0-c Search-Path=a --work_mem=1MB\0\0')
    expect(read.settings).toEqual([
      { name: 'search_path', value: 'a' },
      { name: 'work_mem', value: '1MB' },
      { name: 'search_path', value: 'b' },
    ])
    expect(settingFor(read, 'search_path')).toBe('b')
    expect(settingFor(read, 'role')).toBeUndefined()
  })

  test('is not written over the cap', () => {
    const out = new ByteWriter({ bytesMax: 100_000 })
    const parameters = [['user', 'x'.repeat(STARTUP_BYTES_MAX)]] as const
    expect(() => writeStartupMessage(out, { minor: 0, parameters })).toThrow(
      expect.objectContaining({ code: 'too-large', side: 'local' }),
    )
    expect(out.at).toBe(0)
  })
})

describe('the options parameter', () => {
  test.each([
    ['', []],
    ['  a\t b\n', ['a', 'b']],
    ['a\\ b c', ['a b', 'c']],
    ['a\\\\b', ['a\\b']],
    ['\\', ['']],
    ['a\\', ['a']],
    ['\\a', ['a']],
    [`'a b'`, [`'a`, `b'`]],
  ])('%j is split as pg_split_opts splits it', (text, words) => {
    expect(splitOptions(text)).toEqual(words)
  })

  const setting = (name: string, value: string) => ({ kind: 'setting', name, value })
  const flag = (letter: string, value: string | null = null) => ({
    kind: 'switch',
    flag: letter,
    value,
  })
  test.each([
    ['-c a=b', [setting('a', 'b')]],
    ['-ca=b', [setting('a', 'b')]],
    ['--a=b', [setting('a', 'b')]],
    ['--a-b=c-d', [setting('a_b', 'c-d')]],
    ['-c a=', [setting('a', '')]],
    ['-c a=b=c', [setting('a', 'b=c')]],
    ['-c search_path=a\\ b', [setting('search_path', 'a b')]],
    ['-e', [flag('e')]],
    ['-es', [flag('e'), flag('s')]],
    ['-ec a=b', [flag('e'), setting('a', 'b')]],
    ['-S 4096', [flag('S', '4096')]],
    ['-fs -c a=b', [flag('f', 's'), setting('a', 'b')]],
    ['-c a=b --', [setting('a', 'b')]],
    ['-c --', null],
    ['-c a', null],
    ['--a', null],
    ['-c', null],
    ['-Z', null],
    ['-:', null],
    ['-', null],
    ['a=b', null],
    ['-- a', null],
    ['-e a', null],
  ])('%j is read as the command line of the server is', (text, expected) => {
    if (expected !== null) expect(parseStartupOptions(text)).toEqual(expected)
    else {
      expect(() => parseStartupOptions(text)).toThrow(
        expect.objectContaining({ code: 'bad-options', sqlstate: '42601' }),
      )
    }
  })

  test('has a cap of words', () => {
    expect(parseStartupOptions('-e '.repeat(STARTUP_OPTIONS_MAX))).toHaveLength(STARTUP_OPTIONS_MAX)
    expect(() => parseStartupOptions('-e '.repeat(STARTUP_OPTIONS_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })
})
