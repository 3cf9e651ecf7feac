/**
 * Long byte-stream fuzzing of the MySQL codec: 10,000 random or damaged streams per decoder. A decoder may
 * give a value or a ProtocolError that blames the peer; nothing else, and quickly.
 */

import {
  BulkParameters,
  type BulkValue,
  ByteWriter,
  type Capabilities,
  CLIENT,
  ClientLogin,
  type ColumnDefinition,
  decodeAuthSwitch,
  decodeBinaryRow,
  decodeBulkHead,
  decodeChangeUser,
  decodeClientHello,
  decodeColumn,
  decodeColumnCount,
  decodeEof,
  decodeErr,
  decodeExecuteHead,
  decodeHandshake,
  decodeOk,
  decodePrepareOk,
  decodeSessionState,
  decodeTextRow,
  encodeAuthSwitch,
  encodeBinaryRow,
  encodeColumn,
  encodeColumnCount,
  encodeEof,
  encodeErr,
  encodeHandshake,
  encodeHandshakeResponse,
  encodeOk,
  encodePacket,
  encodePrepareOk,
  encodeSessionState,
  encodeSslRequest,
  encodeTextRow,
  type HandshakeResponse,
  HEADER,
  MARIADB_CLIENT,
  offerTo,
  type ParameterInit,
  Parameters,
  PayloadCursor,
  ProtocolError,
  parseServerVersion,
  plainOk,
  TYPE,
  UpstreamLogin,
  writeBulkExecute,
  writeExecute,
  writeMaskedBinaryRow,
  writeMaskedTextRow,
  writeParameters,
} from '@sallyport/protocol-mysql'
import type { CellMask } from '@sallyport/protocol-wire'
import { describe, expect, test } from 'vitest'
import { damaged, fuzzer, pieces, SEED } from './streams.ts'

const { fuzz } = fuzzer(ProtocolError)

const FULL: Capabilities = {
  flags:
    (CLIENT.PROTOCOL_41 |
      CLIENT.SECURE_CONNECTION |
      CLIENT.PLUGIN_AUTH |
      CLIENT.PLUGIN_AUTH_LENENC |
      CLIENT.CONNECT_WITH_DB |
      CLIENT.CONNECT_ATTRS |
      CLIENT.SESSION_TRACK |
      CLIENT.OPTIONAL_RESULTSET_METADATA) >>>
    0,
  mariadb: MARIADB_CLIENT.EXTENDED_METADATA,
}
const CHALLENGE = Buffer.from('abcdefghijklmnopqrst')
const GREETING = {
  serverVersion: '5.5.5-10.11.6-MariaDB',
  connectionId: 9,
  challenge: CHALLENGE,
  capabilities: FULL,
  collation: 45,
  status: 2,
}
const greeting = encodeHandshake({ ...GREETING, plugin: 'caching_sha2_password' })
const HELLO: HandshakeResponse = {
  capabilities: FULL,
  packetBytesMax: 1 << 24,
  collation: 45,
  user: 'analyst',
  authentication: Buffer.alloc(32, 7),
  database: 'crm',
  plugin: 'caching_sha2_password',
  attributes: [
    ['program_name', 'agent'],
    ['_os', 'Linux'],
  ],
}
const hello = encodeHandshakeResponse(HELLO)
const column: ColumnDefinition = {
  catalog: 'def',
  schema: 'crm',
  table: 'people',
  orgTable: 'people',
  name: 'näme',
  orgName: 'name',
  collation: 45,
  length: 255,
  type: TYPE.VAR_STRING,
  flags: 1,
  decimals: 0,
  extended: Buffer.from('\0\x04json', 'latin1'),
}
const sessionState = encodeSessionState([
  { kind: 'schema', name: 'crm' },
  { kind: 'variable', name: 'sql_mode', value: 'ANSI' },
  { kind: 'transaction-state', state: 'T_______' },
])
const tracked = { sessionTrack: true, header: HEADER.OK }
const ok = { ...plainOk(2), affectedRows: 3n, info: Buffer.from('Rows matched: 3'), sessionState }

const TYPES = [TYPE.LONG, TYPE.VAR_STRING, TYPE.DATETIME, TYPE.TIME, TYPE.LONGLONG, TYPE.BLOB]
const VALUES = [
  Buffer.alloc(4, 1),
  Buffer.from('SECRET-SECRET'),
  Buffer.alloc(11, 2),
  Buffer.alloc(8, 1),
  null,
  Buffer.alloc(300, 0x61),
]
const textRow = encodeTextRow(VALUES)
const binaryRow = encodeBinaryRow(VALUES, TYPES)
const parameters: ParameterInit[] = TYPES.map((type, i) => ({
  type,
  unsigned: i % 2 === 0,
  name: `p${i}`,
  bytes: VALUES[i] ?? null,
}))

function executePayload(named: boolean): Buffer {
  const out = new ByteWriter()
  const execute = { statementId: 1, flags: named ? 8 : 0, parameters }
  writeExecute(out, execute, { named, types: true })
  return out.take()
}

function attributesPayload(): Buffer {
  const out = new ByteWriter()
  writeParameters(out, parameters, { named: true, types: true })
  return Buffer.concat([Buffer.of(parameters.length, 1), out.view(), Buffer.from('select 1')])
}

/** Decoding what was encoded anew gives the same again. */
function settles<T>(decode: (bytes: Buffer) => T, encode: (value: T) => Buffer) {
  return (bytes: Buffer): void => {
    const value = decode(bytes)
    expect(decode(encode(value))).toEqual(value)
  }
}

describe(`bytes of a peer (seed ${SEED})`, () => {
  test('packets: the same payloads, however the stream is cut', () => {
    const stream = Buffer.concat(
      [greeting, hello, textRow].map((payload, i) => encodePacket(i, payload)),
    )
    fuzz([stream], (bytes, random) => {
      const whole = payloadsOf([bytes])
      expect(payloadsOf(pieces(random, bytes))).toEqual(whole)
      if (whole.length === 0) throw new ProtocolError('truncated', 'remote', 'as found')
    })
  })

  const decoders: Record<string, (bytes: Buffer) => void> = {
    HandshakeV10: (bytes) => decodeHandshake(bytes),
    'SSLRequest and HandshakeResponse41': (bytes) => decodeClientHello(bytes),
    COM_CHANGE_USER: (bytes) =>
      decodeChangeUser(bytes, 0, bytes.length, { flags: 0xffff_ffff, mariadb: 0 }),
    AuthSwitchRequest: settles(
      (bytes) => {
        if (bytes[0] !== 0xfe) throw new ProtocolError('bad-value', 'remote', 'another packet')
        return decodeAuthSwitch(bytes)
      },
      (request) => encodeAuthSwitch(request),
    ),
    OK: settles(
      (bytes) => decodeOk(bytes, tracked),
      (value) => encodeOk(value, tracked),
    ),
    EOF: settles(decodeEof, encodeEof),
    ERR: (bytes) => decodeErr(bytes),
    'session state': settles(decodeSessionState, encodeSessionState),
    'column definition': (bytes) => decodeColumn(bytes, FULL),
    'column count': settles(
      (bytes) => decodeColumnCount(bytes, FULL),
      (value) => encodeColumnCount(value, FULL),
    ),
    'COM_STMT_PREPARE response': (bytes) => decodePrepareOk(bytes, FULL),
    'text row': settles((bytes) => decodeTextRow(bytes, VALUES.length), encodeTextRow),
    'binary row': (bytes) => decodeBinaryRow(bytes, TYPES),
  }
  const seeds = [
    greeting,
    hello,
    encodeSslRequest({
      ...HELLO,
      capabilities: { ...FULL, flags: (FULL.flags | CLIENT.SSL) >>> 0 },
    }),
    encodeAuthSwitch({ plugin: 'client_ed25519', data: Buffer.alloc(32, 1) }),
    encodeOk(ok, tracked),
    encodeEof({ warnings: 0, status: 2 }),
    encodeErr({ errno: 1064, sqlstate: '42000', message: 'You have an error' }),
    sessionState,
    encodeColumn(column, FULL),
    encodeColumnCount({ count: 7, metadata: true }, FULL),
    encodePrepareOk(
      { statementId: 1, columns: 2, parameters: 1, warnings: 0, metadata: true },
      FULL,
    ),
    textRow,
    binaryRow,
  ]
  test.each(Object.entries(decoders))('%s', (_name, decode) => fuzz(seeds, decode))

  test('COM_STMT_EXECUTE: whatever is taken can be read', () => {
    const decoded = new Parameters()
    fuzz([executePayload(true), executePayload(false)], (bytes, random) => {
      const named = random.below(2) === 0
      const head = decodeExecuteHead(bytes, Math.min(1, bytes.length), bytes.length)
      decoded.decodeExecute(bytes, head.bodyStart, bytes.length, {
        markers: random.pick([0, TYPES.length]),
        attributes: named,
        counted: (head.flags & 8) !== 0,
        known: random.below(2) === 0 ? null : parameters,
        long: null,
      })
      for (let i = 0; i < decoded.count; i++) decoded.text(i)
    })
  })

  test('batches', () => {
    const out = new ByteWriter()
    const all = parameters.map(({ type, unsigned, name }) => ({ type, unsigned, name }))
    const row = parameters.map(({ bytes }): BulkValue => bytes ?? 'null')
    writeBulkExecute(out, 1, { sent: true, all }, [row, row.map((): BulkValue => 'default'), row])
    fuzz([out.take()], (bytes, random) => {
      const head = decodeBulkHead(bytes, Math.min(1, bytes.length), bytes.length)
      const rows = new BulkParameters(bytes, head.bodyStart, bytes.length, {
        markers: random.pick([0, all.length]),
        sendsTypes: head.sendsTypes,
        known: random.below(2) === 0 ? null : all,
      })
      for (const one of rows) for (let i = 0; i < one.count; i++) one.text(i)
    })
  })

  test('query attributes: the text is behind them, never inside', () => {
    const decoded = new Parameters()
    fuzz([attributesPayload()], (bytes) => {
      const text = decoded.decodeAttributes(bytes, 0, bytes.length)
      expect(text).toBeLessThanOrEqual(bytes.length)
      for (let i = 0; i < decoded.count; i++) decoded.text(i)
    })
  })

  test('server versions', () => {
    fuzz([Buffer.from('5.5.5-10.11.6-MariaDB'), Buffer.from('9.4.0')], (bytes) => {
      const version = parseServerVersion(bytes.toString('latin1'))
      if (version === null) throw new ProtocolError('bad-value', 'remote', 'none')
    })
  })
})

/** Payloads found in pieces fed one after the other, in hex, with `refused` where the cursor throws. */
function payloadsOf(chunks: readonly Buffer[]): string[] {
  const cursor = new PayloadCursor()
  const found: string[] = []
  let input = Buffer.alloc(0)
  try {
    for (const chunk of chunks) {
      input = Buffer.concat([input, chunk])
      let at = 0
      while (cursor.next(input, at, input.length) === 'payload') {
        found.push(cursor.bytes.toString('hex', cursor.payloadStart, cursor.payloadEnd))
        at = cursor.end
      }
      input = input.subarray(at)
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    found.push('refused')
  }
  return found
}

/** As wide as what it hides. */
const zeros: CellMask = (_src, start, end, out) => {
  out.ensure(end - start)
  out.buf.fill(0, out.at, out.at + end - start)
  out.at += end - start
  return end - start
}
const MASKS = [null, zeros, null, zeros, null, null]

describe(`masks (seed ${SEED})`, () => {
  test('text rows: exactly those that decode, and no masked value survives', () => {
    fuzz([textRow], (bytes) => {
      const out = new ByteWriter()
      const read = (): (Uint8Array | null)[] => decodeTextRow(bytes, MASKS.length)
      compare(read, () => writeMaskedTextRow(bytes, 0, bytes.length, MASKS, out), out)
      const made = decodeTextRow(out.view(), MASKS.length)
      expect(shown(made)).toEqual(hidden(read()))
    })
  })

  test('binary rows: exactly those that decode, and no masked value survives', () => {
    const plan = { masks: MASKS, types: Uint8Array.from(TYPES) }
    fuzz([binaryRow], (bytes) => {
      const out = new ByteWriter()
      const read = (): (Uint8Array | null)[] => decodeBinaryRow(bytes, TYPES)
      compare(read, () => writeMaskedBinaryRow(bytes, 0, bytes.length, plan, out), out)
      expect(shown(decodeBinaryRow(out.view(), TYPES))).toEqual(hidden(read()))
    })
  })
})

/** `write` throws where `read` does, and then leaves nothing. */
function compare(read: () => unknown, write: () => void, out: ByteWriter): void {
  try {
    read()
  } catch (error) {
    expect(write).toThrow(ProtocolError)
    expect(out.at).toBe(0)
    throw error
  }
  write()
}

function shown(values: readonly (Uint8Array | null)[]): string[] {
  return values.map((value) => (value === null ? 'NULL' : Buffer.from(value).toString('hex')))
}

function hidden(values: readonly (Uint8Array | null)[]): string[] {
  return shown(
    values.map((value, i) =>
      value !== null && MASKS[i] !== null ? Buffer.alloc(value.length) : value,
    ),
  )
}

describe(`logins (seed ${SEED})`, () => {
  test('a client: asked about before it is let in, whatever it sends', () => {
    const clear = encodeHandshakeResponse({
      ...HELLO,
      plugin: 'mysql_clear_password',
      authentication: Buffer.from('token\0'),
    })
    const seeds = [hello, clear].map((first) =>
      Buffer.concat([encodePacket(1, first), encodePacket(3, Buffer.from('token\0'))]),
    )
    fuzz(seeds, (bytes, random) => {
      const capabilities = offerTo([], { tls: true, localInfile: false })
      const login = new ClientLogin({
        greeting: { ...GREETING, capabilities },
        encrypted: random.below(2) === 0,
      })
      let asked = false
      for (const piece of pieces(random, bytes)) {
        login.receive(piece)
        for (let event = login.nextEvent(); event.kind !== 'need-data'; event = login.nextEvent()) {
          if (event.kind === 'tls-requested') return
          if (event.kind === 'startup') {
            if (event.startup.charset === null) return
            login.askPassword()
            asked = true
          } else {
            expect(asked).toBe(true)
            login.accept(plainOk(2))
            return
          }
        }
      }
      throw new ProtocolError('truncated', 'remote', 'not logged in')
    })
  })

  test('an upstream: gets no password on a channel in clear, whatever it sends', () => {
    const upstreamGreeting = encodeHandshake({
      ...GREETING,
      capabilities: { flags: 0xdfff_ffff, mariadb: 0 },
      plugin: 'caching_sha2_password',
    })
    const script = [
      encodePacket(0, upstreamGreeting),
      encodePacket(2, Buffer.of(1, 3)),
      encodePacket(3, encodeOk(plainOk(2), tracked)),
    ]
    fuzz([Buffer.from([0])], (_bytes, random) => {
      const login = new UpstreamLogin({
        tls: false,
        user: 'gateway',
        password: 'hunter2',
        database: null,
        capabilities: FULL_CLIENT,
        collation: 45,
        attributes: [],
      })
      const broken = random.below(script.length + 1)
      for (const [i, packet] of script.entries()) {
        login.receive(i === broken ? damaged(random, packet) : packet)
        const event = login.nextEvent()
        expect(login.takeOutput().includes('hunter2')).toBe(false)
        if (event.kind === 'error') throw new ProtocolError('bad-value', 'remote', 'refused')
        if (event.kind === 'ready') return
      }
      throw new ProtocolError('truncated', 'remote', 'not logged in')
    })
  })
})

const FULL_CLIENT: Capabilities = {
  flags: (FULL.flags & ~CLIENT.OPTIONAL_RESULTSET_METADATA) >>> 0,
  mariadb: 0,
}
