/** The codec and the relay against traffic of MySQL 9 and MariaDB 10.11, recorded by fixtures/capture.ts. */

import { describe, expect, test } from 'vitest'
import { FIXTURES, type Line, readFixture } from '../fixtures/read.ts'
import { type Capabilities, CLIENT } from './capabilities.ts'
import { decodeColumn, encodeColumn } from './columns.ts'
import { COM } from './commands.ts'
import {
  decodeClientHello,
  decodeHandshake,
  encodeHandshake,
  encodeHandshakeResponse,
} from './handshake.ts'
import { HEADER_BYTES } from './packets.ts'
import { Bench } from './relay/testing.ts'
import {
  decodeEof,
  decodeErr,
  decodeOk,
  encodeEof,
  encodeErr,
  encodeOk,
  HEADER,
} from './responses.ts'
import { UpstreamLogin } from './upstream-login.ts'

const LOGINS = FIXTURES.filter((name) => name.endsWith('-logins'))
const SESSIONS = FIXTURES.filter((name) => !name.endsWith('-logins'))

function payloads(lines: readonly Line[], from: Line['from']): Buffer[] {
  return lines.filter((line) => line.from === from).map((line) => line.bytes.subarray(HEADER_BYTES))
}

/** What was agreed at the login a session begins with. */
function capabilitiesOf(lines: readonly Line[]): Capabilities {
  const hello = decodeClientHello(payloads(lines, 'client')[0]!)
  if (hello.kind !== 'response') throw new Error('not a handshake response')
  return hello.response.capabilities
}

test('there is something of both servers', () => {
  expect(LOGINS).toEqual(['mariadb-10.11-logins', 'mysql-9-logins'])
  expect(SESSIONS.length).toBeGreaterThanOrEqual(14)
})

describe.each(LOGINS)('%s', (name) => {
  const sections = readFixture(name).map(({ note, lines }) => [note, lines] as const)

  test.each(sections)('%s: greeting and response are what they were', (_note, lines) => {
    const greeting = payloads(lines, 'server')[0]!
    const decoded = decodeHandshake(greeting)
    expect(encodeHandshake(decoded).toString('hex')).toBe(greeting.toString('hex'))
    const response = payloads(lines, 'client')[0]!
    const hello = decodeClientHello(response)
    if (hello.kind !== 'response') throw new Error('not a handshake response')
    expect(encodeHandshakeResponse(hello.response).toString('hex')).toBe(response.toString('hex'))
  })

  test.each(sections)('%s: ends as it did, also when packets come in one read', (note, lines) => {
    const user = note.split(',')[0]!
    const make = (): UpstreamLogin =>
      new UpstreamLogin({
        tls: false,
        user,
        password: user === 'fixture_empty' ? '' : 'fixture-password',
        database: null,
        capabilities: capabilitiesOf(lines),
        collation: 45,
        attributes: [],
        trustSentKey: true,
      })
    const server = lines.filter(({ from }) => from === 'server')
    const last = user === 'nobody' ? 'error' : 'ready'
    const slow = make()
    const events = server.map(({ bytes }) => {
      slow.receive(bytes)
      return slow.nextEvent().kind
    })
    expect(events.slice(0, -1).every((kind) => kind === 'need-data')).toBe(true)
    expect(events.at(-1)).toBe(last)
    // The result of the fast path and the OK behind it arrive together on every fast network.
    const fast = make()
    fast.receive(Buffer.concat(server.map(({ bytes }) => bytes)))
    expect(fast.nextEvent().kind).toBe(last)
  })
})

describe.each(SESSIONS)('%s', (name) => {
  const sections = readFixture(name)
  const capabilities = capabilitiesOf(sections[0]!.lines)
  const steps = sections.slice(1)
  const sessionTrack = (capabilities.flags & CLIENT.SESSION_TRACK) !== 0

  const play = (chunk: number): void => {
    const bench = new Bench({ client: capabilities, upstream: capabilities })
    for (const { note, lines } of steps) {
      if (note === 'execute what is closed') {
        // Refused without the upstream, with the error it would have given.
        bench.client(lines[0]!.bytes)
        expect(bench.toUpstream()).toHaveLength(0)
        const [mine, theirs] = [bench.toClient(), lines[1]!.bytes]
        expect(mine.subarray(0, 60).toString('latin1').slice(4)).toBe(
          theirs.subarray(0, 60).toString('latin1').slice(4),
        )
        continue
      }
      for (const { from, bytes } of lines) {
        for (let at = 0; at < bytes.length; at += chunk) {
          const piece = bytes.subarray(at, at + chunk)
          if (from === 'client') bench.client(piece)
          else bench.upstream(piece)
        }
      }
      const said = (who: Line['from']): string =>
        Buffer.concat(lines.filter(({ from }) => from === who).map(({ bytes }) => bytes)).toString(
          'hex',
        )
      expect([note, bench.toUpstream().toString('hex')]).toEqual([note, said('client')])
      expect([note, bench.toClient().toString('hex')]).toEqual([note, said('server')])
      expect([bench.unread, bench.unreadUpstream]).toEqual([0, 0])
    }
    expect(bench.relay.quiescent).toBe(true)
  }

  test('passes through the relay as it is', () => play(1 << 20))
  test('byte by byte too', () => play(1))
  test('and in pieces of three', () => play(3))

  test('every column definition, OK, EOF and ERR says itself again', () => {
    for (const { lines } of steps) {
      if (lines[0]?.bytes[HEADER_BYTES] === COM.STATISTICS) continue
      for (const payload of payloads(lines, 'server')) {
        const again = sayAgain(payload, capabilities, sessionTrack)
        if (again !== null) expect(again.toString('hex')).toBe(payload.toString('hex'))
      }
    }
  })
})

function sayAgain(
  payload: Buffer,
  capabilities: Capabilities,
  sessionTrack: boolean,
): Buffer | null {
  if (payload.subarray(0, 4).toString('latin1') === '\x03def') {
    return encodeColumn(decodeColumn(payload, capabilities), capabilities)
  }
  if (payload[0] === HEADER.ERR) return encodeErr(decodeErr(payload))
  if (payload[0] !== HEADER.EOF) return null
  if (payload.length === 5) return encodeEof(decodeEof(payload))
  const layout = { sessionTrack, header: HEADER.EOF }
  return encodeOk(decodeOk(payload, layout), layout)
}
