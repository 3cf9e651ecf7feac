import type { CellMask } from '@sallyport/protocol-wire'
import { describe, expect, test } from 'vitest'
import { COPIES } from '../fixtures/copies.ts'
import { PASSWORDS } from '../fixtures/passwords.ts'
import { FIXTURES, type Line, readFixture } from '../fixtures/read.ts'
import { decodeBackend, encodeBackend } from './backend.ts'
import { ByteWriter } from './bytes.ts'
import { CopyRowsRewriter } from './copy-rows.ts'
import { rewriteDataRow } from './data-row.ts'
import { BACKEND, FrameCursor, frameTable } from './frames.ts'
import { decodeFrontend, encodeFrontend } from './frontend.ts'
import { encodeScramVerifier, parseScramVerifier, scramVerifierFor } from './scram.ts'
import { UpstreamLogin, type UpstreamLoginEvent } from './upstream-login.ts'

/** Fixtures whose first bytes are outside any frame. */
const UNFRAMED = new Set(['ssl-refused'])

function framesOf(from: Line['from']): { name: string; bytes: Buffer }[] {
  const frames: { name: string; bytes: Buffer }[] = []
  for (const name of FIXTURES.filter((fixture) => !UNFRAMED.has(fixture))) {
    const lines = readFixture(name).flatMap((section) => section.lines)
    for (const line of lines) {
      // A start-up packet has no type byte, and its length begins with a zero byte.
      if (line.from === from && line.bytes[0] !== 0) frames.push({ name, bytes: line.bytes })
    }
  }
  return frames
}

describe('frames captured from PostgreSQL 18', () => {
  test('every server frame decodes, and encodes to the same bytes', () => {
    const frames = framesOf('server')
    const kinds = new Set<string>()
    for (const { bytes } of frames) {
      const message = decodeBackend(bytes[0]!, bytes, 5, bytes.length)
      kinds.add(message.kind)
      expect(encodeBackend(message).toString('hex')).toBe(bytes.toString('hex'))
    }
    expect(frames.length).toBeGreaterThan(400)
    expect([...kinds].sort()).toMatchInlineSnapshot(`
      [
        "AuthenticationCleartextPassword",
        "AuthenticationMD5Password",
        "AuthenticationOk",
        "AuthenticationSASL",
        "AuthenticationSASLContinue",
        "AuthenticationSASLFinal",
        "BackendKeyData",
        "BindComplete",
        "CloseComplete",
        "CommandComplete",
        "CopyBothResponse",
        "CopyData",
        "CopyDone",
        "CopyInResponse",
        "CopyOutResponse",
        "DataRow",
        "EmptyQueryResponse",
        "ErrorResponse",
        "FunctionCallResponse",
        "NegotiateProtocolVersion",
        "NoData",
        "NoticeResponse",
        "NotificationResponse",
        "ParameterDescription",
        "ParameterStatus",
        "ParseComplete",
        "PortalSuspended",
        "ReadyForQuery",
        "RowDescription",
      ]
    `)
  })

  test('every client frame the server understood decodes, and encodes to the same bytes', () => {
    const frames = framesOf('client')
    for (const { bytes } of frames) {
      const message = decodeFrontend(bytes[0]!, bytes, 5, bytes.length)
      expect(encodeFrontend(message).toString('hex')).toBe(bytes.toString('hex'))
    }
    expect(frames.length).toBeGreaterThan(60)
  })

  test('a cursor walks a whole conversation in one buffer', () => {
    const frames = framesOf('server').map(({ bytes }) => bytes)
    const all = Buffer.concat(frames)
    const cursor = new FrameCursor(frameTable('backend'))
    let at = 0
    let count = 0
    while (at < all.length) {
      expect(cursor.next(all, at, all.length)).toBe('frame')
      at = cursor.frameEnd
      count++
    }
    expect(count).toBe(frames.length)
  })

  test('no mask changes no DataRow', () => {
    for (const { bytes } of framesOf('server')) {
      if (bytes[0] !== BACKEND.DATA_ROW) continue
      const out = new ByteWriter()
      const columns = bytes.readInt16BE(5)
      rewriteDataRow(bytes, 0, bytes.length, new Array(columns).fill(null), out)
      expect(out.view().equals(bytes)).toBe(true)
    }
  })
})

/** Feeds a login what the server said, and expects it to say what was recorded. */
function replay(name: string, login: UpstreamLogin): UpstreamLoginEvent {
  let event: UpstreamLoginEvent = { kind: 'need-data' }
  for (const { from, bytes } of readFixture(name)[0]!.lines) {
    if (from === 'client') expect(login.takeOutput().toString('hex')).toBe(bytes.toString('hex'))
    else {
      login.receive(bytes)
      event = login.nextEvent()
    }
  }
  return event
}

const NONCE = 'sallyport-fixture-nonce-0001'
const logins = (['trust', 'cleartext', 'md5', 'scram'] as const).flatMap((user) =>
  ([0, 2] as const).map((minor) => ({ user, minor })),
)

function loginAs(user: string, minor: 0 | 2, password = 'sally'): UpstreamLogin {
  return new UpstreamLogin({
    tls: false,
    minor,
    parameters: [
      ['user', user],
      ['database', 'postgres'],
      ['client_encoding', 'UTF8'],
    ],
    password,
    nonce: NONCE,
    cleartextInClear: true,
  })
}

describe('logins captured from PostgreSQL 18', () => {
  test.each(logins)(
    'logs $user in with protocol minor $minor, saying what was recorded',
    ({ user, minor }) => {
      const event = replay(`login-${user}-3.${minor}`, loginAs(user, minor))
      expect(event.kind).toBe('ready')
      if (event.kind !== 'ready') return
      expect(event.session.method).toBe(user === 'scram' ? 'scram-sha-256' : user)
      expect(event.session.minor).toBe(minor)
      expect(event.session.parameters.get('server_version')).toMatch(/^18/)
      expect(event.session.key?.secret.length).toBe(minor === 2 ? 32 : 4)
    },
  )

  test('surfaces a wrong password as the server words it', () => {
    const event = replay('login-wrong-password', loginAs('scram', 0, 'wrong'))
    expect(event).toMatchObject({
      kind: 'error',
      fields: { severity: 'FATAL', sqlstate: '28P01', routine: 'auth_failed' },
    })
  })

  test('the server answers a newer minor with the version and the options it does not know', () => {
    const answer = readFixture('login-negotiated')[0]!.lines[1]!.bytes
    expect(decodeBackend(answer[0]!, answer, 5, answer.length)).toEqual({
      kind: 'NegotiateProtocolVersion',
      version: (3 << 16) | 2,
      unrecognized: ['_pq_.sallyport'],
    })
  })
})

describe('passwords stored by PostgreSQL 18', () => {
  const stored = readFixture('verifiers').flatMap(({ note, lines }) => {
    const row = lines.find(({ bytes }) => bytes[0] === BACKEND.DATA_ROW)?.bytes
    return row === undefined ? [] : [{ note, text: row.subarray(11).toString() }]
  })

  test('are all there', () => {
    expect(stored.map(({ note }) => JSON.parse(note))).toEqual(PASSWORDS)
  })

  test.each(stored)('$note gives the same SCRAM verifier here', ({ note, text }) => {
    const { salt, iterations } = parseScramVerifier(text)
    const password: string = JSON.parse(note)
    expect(encodeScramVerifier(scramVerifierFor({ password, salt, iterations }))).toBe(text)
  })
})

/** Upper case in ASCII, empty to NULL: what the masked statements have the server do. */
const upper: CellMask = (src, start, end, out) => {
  if (start === end) return -1
  out.ensure(end - start)
  for (let at = start; at < end; at++) {
    const byte = src[at]!
    out.buf[out.at++] = byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte
  }
  return end - start
}

const copySections = new Map(readFixture('copies').map((section) => [section.note, section.lines]))

function payload(note: string): Buffer[] {
  return copySections
    .get(note)!
    .filter(({ from, bytes }) => from === 'server' && bytes[0] === BACKEND.COPY_DATA)
    .map(({ bytes }) => bytes.subarray(5))
}

describe.each(COPIES)('COPY TO STDOUT as $name', ({ name, rewriter, single }) => {
  const plain = payload(`${name} plain`)
  const masked = Buffer.concat(payload(`${name} masked`))
  const columns = single === true ? [upper] : [null, upper, null]

  const run = (chunks: readonly Buffer[], masks: readonly (CellMask | null)[]): string => {
    const copy = new CopyRowsRewriter({ ...rewriter, columns: masks })
    const out = new ByteWriter()
    for (const chunk of chunks) copy.write(chunk, 0, chunk.length, out)
    copy.end(out)
    return out.view().toString('latin1')
  }

  test('rewrites it to what the server writes when it masks the column itself', () => {
    expect(plain.length).toBeGreaterThan(20)
    expect(run(plain, columns)).toBe(masked.toString('latin1'))
  })

  test('without masks changes nothing', () => {
    const none = columns.map(() => null)
    expect(run(plain, none)).toBe(Buffer.concat(plain).toString('latin1'))
  })

  test('does not care how the stream is cut', () => {
    const all = Buffer.concat(plain)
    for (const size of [1, 2, 3, 7, 100, all.length]) {
      const chunks: Buffer[] = []
      for (let at = 0; at < all.length; at += size) chunks.push(all.subarray(at, at + size))
      expect(run(chunks, columns)).toBe(masked.toString('latin1'))
    }
  })
})
