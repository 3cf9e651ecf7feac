/** Round trips of everything that is decoded, and what decoders do with what is cut or goes on. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cells, changes, columns, oks, responses } from '../fixtures/arbitraries.ts'
import { ByteWriter } from './bytes.ts'
import { type Capabilities, CLIENT, MARIADB_CLIENT } from './capabilities.ts'
import {
  type ColumnDefinition,
  decodeColumn,
  decodeColumnCount,
  decodePrepareOk,
  encodeColumn,
  encodeColumnCount,
  encodePrepareOk,
  TYPE,
} from './columns.ts'
import { ProtocolError } from './errors.ts'
import {
  decodeAuthSwitch,
  decodeClientHello,
  decodeHandshake,
  encodeAuthSwitch,
  encodeHandshake,
  encodeHandshakeResponse,
  encodeSslRequest,
} from './handshake.ts'
import {
  COLUMNS_MAX,
  CONNECTION_ATTRIBUTES_MAX,
  LOGIN_NAME_BYTES_MAX,
  QUERY_ATTRIBUTES_MAX,
  SESSION_CHANGES_MAX,
} from './limits.ts'
import {
  decodeExecuteHead,
  type ParameterInit,
  Parameters,
  type ParameterType,
  writeExecute,
  writeParameters,
} from './parameters.ts'
import {
  decodeEof,
  decodeErr,
  decodeOk,
  encodeEof,
  encodeErr,
  encodeOk,
  HEADER,
} from './responses.ts'
import { decodeBinaryRow, decodeTextRow, encodeBinaryRow, encodeTextRow } from './rows.ts'
import { decodeSessionState, encodeSessionState } from './session-state.ts'
import { decodeValue } from './values.ts'

const PLAIN: Capabilities = { flags: (CLIENT.PROTOCOL_41 | CLIENT.LONG_PASSWORD) >>> 0, mariadb: 0 }
const FULL: Capabilities = {
  flags:
    (CLIENT.PROTOCOL_41 |
      CLIENT.SECURE_CONNECTION |
      CLIENT.PLUGIN_AUTH |
      CLIENT.PLUGIN_AUTH_LENENC |
      CLIENT.CONNECT_WITH_DB |
      CLIENT.CONNECT_ATTRS |
      CLIENT.OPTIONAL_RESULTSET_METADATA) >>>
    0,
  mariadb: MARIADB_CLIENT.EXTENDED_METADATA,
}

/** Every prefix of the payload is refused by a ProtocolError that blames the peer, and so is a byte more. */
function strict(
  payload: Buffer,
  decode: (bytes: Buffer) => unknown,
  options: { open?: boolean } = {},
): void {
  for (let end = 0; end < payload.length; end++) {
    try {
      decode(payload.subarray(0, end))
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError)
      expect((error as ProtocolError).side).toBe('remote')
      continue
    }
    if (options.open !== true) throw new Error(`a payload cut at ${end} was taken`)
  }
  if (options.open !== true) {
    expect(() => decode(Buffer.concat([payload, Buffer.of(1)]))).toThrow(ProtocolError)
  }
}

describe('handshakes', () => {
  test('a response says what was meant', () => {
    fc.assert(
      fc.property(responses, (response) => {
        const whole = { ...response, capabilities: FULL }
        const decoded = decodeClientHello(encodeHandshakeResponse(whole))
        expect(decoded).toEqual({ kind: 'response', response: whole })
      }),
    )
  })

  test('a greeting too', () => {
    const handshake = {
      serverVersion: '5.5.5-10.11.6-MariaDB',
      connectionId: 0xffff_ffff,
      challenge: Buffer.from('abcdefghijklmnopqrst'),
      capabilities: FULL,
      collation: 45,
      status: 2,
      plugin: 'caching_sha2_password',
    }
    expect(decodeHandshake(encodeHandshake(handshake))).toEqual(handshake)
    // Some servers leave out the last NUL.
    expect(decodeHandshake(encodeHandshake(handshake).subarray(0, -1))).toEqual(handshake)
    expect(() => decodeHandshake(Buffer.of(9))).toThrow(
      expect.objectContaining({ code: 'bad-handshake' }),
    )
    expect(() => encodeHandshake({ ...handshake, challenge: Buffer.alloc(20) })).toThrow(
      ProtocolError,
    )
  })

  test('an SSLRequest is told from a response', () => {
    const capabilities = { ...FULL, flags: (FULL.flags | CLIENT.SSL) >>> 0 }
    const head = { capabilities, packetBytesMax: 1 << 24, collation: 45 }
    expect(decodeClientHello(encodeSslRequest(head))).toEqual({ kind: 'ssl-request', head })
    expect(() => decodeClientHello(encodeSslRequest({ ...head, capabilities: FULL }))).toThrow(
      expect.objectContaining({ code: 'bad-handshake' }),
    )
  })

  test('names and attributes have caps', () => {
    const response = {
      capabilities: FULL,
      packetBytesMax: 0,
      collation: 45,
      user: 'u',
      authentication: Buffer.alloc(0),
      database: null,
      plugin: 'p',
      attributes: [] as [string, string][],
    }
    const decode = (changed: Partial<typeof response>) => () =>
      decodeClientHello(encodeHandshakeResponse({ ...response, ...changed }))
    const attributes = Array.from(
      { length: CONNECTION_ATTRIBUTES_MAX + 1 },
      () => ['a', 'b'] as [string, string],
    )
    expect(decode({ user: 'u'.repeat(LOGIN_NAME_BYTES_MAX) })).not.toThrow()
    expect(decode({ user: 'u'.repeat(LOGIN_NAME_BYTES_MAX + 1) })).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
    expect(decode({ attributes: attributes.slice(1) })).not.toThrow()
    expect(decode({ attributes })).toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('attributes that grow over the cap, because they were no UTF-8, are left out', () => {
    const response = {
      capabilities: FULL,
      packetBytesMax: 0,
      collation: 45,
      user: 'u',
      authentication: Buffer.alloc(0),
      database: null,
      plugin: 'p',
      attributes: [
        ['a', 'kept'],
        ['b', '\ufffd'.repeat(30_000)],
      ] as [string, string][],
    }
    const decoded = decodeClientHello(encodeHandshakeResponse(response))
    expect(decoded).toMatchObject({ response: { attributes: [['a', 'kept']] } })
  })

  test('a switch of plugins', () => {
    const request = { plugin: 'client_ed25519', data: Buffer.alloc(32, 7) }
    expect(decodeAuthSwitch(encodeAuthSwitch(request))).toEqual(request)
    expect(decodeAuthSwitch(Buffer.of(0xfe)).plugin).toBe('mysql_old_password')
  })
})

describe('replies', () => {
  test('OK, with and without session tracking', () => {
    fc.assert(
      fc.property(oks, changes, fc.constantFrom(HEADER.OK, HEADER.EOF), (ok, list, header) => {
        const plain = { sessionTrack: false, header }
        expect(decodeOk(encodeOk(ok, plain), plain)).toEqual(ok)
        const layout = { sessionTrack: true, header }
        const sessionState = encodeSessionState(list)
        const tracked = decodeOk(encodeOk({ ...ok, sessionState }, layout), layout)
        expect(tracked.sessionState).toEqual(sessionState)
        expect(decodeSessionState(tracked.sessionState)).toEqual(list)
      }),
    )
  })

  test.each([
    ['MySQL', [2, 2, 1, 0x31]],
    ['MariaDB', [2, 1, 0x31]],
  ])('a change of state is read as %s writes it', (_server, bytes) => {
    expect(decodeSessionState(Buffer.from(bytes))).toEqual([{ kind: 'state', changed: true }])
  })

  test('session state is told of in full or not at all', () => {
    const state = encodeSessionState([{ kind: 'variable', name: 'sql_mode', value: 'ANSI' }])
    strict(state.subarray(0), (bytes) => {
      if (bytes.length === 0) throw new ProtocolError('truncated', 'remote', 'nothing')
      return decodeSessionState(bytes)
    })
    const many = Array.from(
      { length: SESSION_CHANGES_MAX + 1 },
      () => ({ kind: 'schema', name: '' }) as const,
    )
    expect(() => decodeSessionState(encodeSessionState(many))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('MariaDB puts several variables in one entry', () => {
    const entry = Buffer.from('\0\x08\x01a\x011\x01b\x012', 'latin1')
    expect(decodeSessionState(entry)).toEqual([
      { kind: 'variable', name: 'a', value: '1' },
      { kind: 'variable', name: 'b', value: '2' },
    ])
  })

  test('EOF and ERR', () => {
    const eof = { warnings: 3, status: 0x22 }
    expect(decodeEof(encodeEof(eof))).toEqual(eof)
    strict(encodeEof(eof), decodeEof)
    const err = { errno: 1064, sqlstate: '42000', message: 'You have an error – żółw' }
    expect(decodeErr(encodeErr(err))).toEqual(err)
    const early = { errno: 1040, sqlstate: null, message: 'Too many connections' }
    expect(decodeErr(encodeErr(early))).toEqual(early)
    expect(() => encodeErr({ ...err, sqlstate: 'oops' })).toThrow(ProtocolError)
  })
})

describe('columns', () => {
  test.each([
    ['plain', PLAIN],
    ['extended', FULL],
  ] as const)('%s', (_name, capabilities) => {
    fc.assert(
      fc.property(columns, (column) => {
        const extended = capabilities === FULL ? column.extended : Buffer.alloc(0)
        const whole: ColumnDefinition = { ...column, extended }
        expect(decodeColumn(encodeColumn(whole, capabilities), capabilities)).toEqual(whole)
      }),
    )
  })

  test('with a default value', () => {
    fc.assert(
      fc.property(columns, fc.option(fc.uint8Array()), (column, value) => {
        const defaultValue = value === null ? null : Buffer.from(value)
        const whole = { ...column, extended: Buffer.alloc(0), defaultValue }
        expect(decodeColumn(encodeColumn(whole, PLAIN), PLAIN)).toEqual(whole)
      }),
    )
  })

  test('counts', () => {
    for (const metadata of [true, false]) {
      const count = { count: COLUMNS_MAX, metadata }
      expect(decodeColumnCount(encodeColumnCount(count, FULL), FULL)).toEqual(count)
      strict(encodeColumnCount(count, FULL), (bytes) => decodeColumnCount(bytes, FULL))
    }
    expect(() =>
      decodeColumnCount(
        encodeColumnCount({ count: COLUMNS_MAX + 1, metadata: true }, PLAIN),
        PLAIN,
      ),
    ).toThrow(expect.objectContaining({ code: 'too-large' }))
    const prepared = { statementId: 9, columns: 2, parameters: 300, warnings: 1, metadata: true }
    expect(decodePrepareOk(encodePrepareOk(prepared, PLAIN), PLAIN)).toEqual(prepared)
    expect(
      decodePrepareOk(encodePrepareOk({ ...prepared, metadata: false }, FULL), FULL).metadata,
    ).toBe(false)
  })
})

describe('rows', () => {
  test('text', () => {
    fc.assert(
      fc.property(cells, (row) => {
        const values = row.map(({ value }) => value)
        const payload = encodeTextRow(values)
        expect(decodeTextRow(payload, values.length)).toEqual(values)
      }),
    )
    strict(encodeTextRow([Buffer.from('abc'), null, Buffer.alloc(300)]), (bytes) =>
      decodeTextRow(bytes, 3),
    )
  })

  test('binary, of every type', () => {
    fc.assert(
      fc.property(cells, (row) => {
        const values = row.map(({ value }) => value)
        const types = row.map(({ type }) => type)
        expect(decodeBinaryRow(encodeBinaryRow(values, types), types)).toEqual(values)
      }),
    )
    const types = [TYPE.LONGLONG, TYPE.DATETIME, TYPE.BLOB, TYPE.TIME]
    const values = [Buffer.alloc(8), Buffer.alloc(7), null, Buffer.alloc(12)]
    strict(encodeBinaryRow(values, types), (bytes) => decodeBinaryRow(bytes, types))
  })

  test.each([
    [TYPE.TINY, 'ff', false, -1],
    [TYPE.TINY, 'ff', true, 255],
    [TYPE.SHORT, 'feff', false, -2],
    [TYPE.YEAR, 'ea07', true, 2026],
    [TYPE.INT24, '90eefeff', false, -70000],
    [TYPE.LONG, 'ffffffff', true, 4294967295],
    [TYPE.LONGLONG, 'ffffffffffffffff', true, 18446744073709551615n],
    [TYPE.LONGLONG, 'ffffffffffffffff', false, -1n],
    [TYPE.FLOAT, '0000c03f', false, 1.5],
    [TYPE.DOUBLE, '0000000000000240', false, 2.25],
    [TYPE.DATE, 'ea070203', false, '2026-02-03'],
    [TYPE.DATE, '', false, '0000-00-00'],
    [TYPE.DATETIME, 'ea070203040506', false, '2026-02-03 04:05:06'],
    [TYPE.DATETIME, 'ea070203', false, '2026-02-03 00:00:00'],
    [TYPE.TIMESTAMP, 'ea07020304050685140100', false, '2026-02-03 04:05:06.070789'],
    [TYPE.TIME, '0104000000030a0b', false, '-99:10:11'],
    [TYPE.TIME, '0000000000010203 90d00300'.replace(' ', ''), false, '01:02:03.250000'],
    [TYPE.TIME, '', false, '00:00:00'],
  ])('type %i, bytes %s, unsigned %s: %s', (type, hex, unsigned, value) => {
    const bytes = Buffer.from(hex, 'hex')
    expect(decodeValue(bytes, 0, bytes.length, { type, unsigned })).toBe(value)
  })
})

describe('parameters', () => {
  const attributes: ParameterInit[] = [
    { type: TYPE.STRING, unsigned: false, name: 'traceparent', bytes: Buffer.from('00-4b') },
    { type: TYPE.LONGLONG, unsigned: true, name: 'run', bytes: Buffer.alloc(8, 0xff) },
    { type: TYPE.NULL, unsigned: false, name: 'none', bytes: null },
  ]

  test('query attributes: names, types, values, and where the text starts', () => {
    const out = new ByteWriter()
    out.buf.set([3, 1])
    out.at = 2
    writeParameters(out, attributes, { named: true, types: true })
    const payload = Buffer.concat([out.view(), Buffer.from('select 1')])
    const parameters = new Parameters()
    const text = parameters.decodeAttributes(payload, 0, payload.length)
    expect(payload.toString('utf8', text)).toBe('select 1')
    expect([0, 1, 2].map((i) => [parameters.typeOf(i).name, parameters.text(i)])).toEqual([
      ['traceparent', '00-4b'],
      ['run', '18446744073709551615'],
      ['none', null],
    ])
    strict(out.take(), (bytes) => parameters.decodeAttributes(bytes, 0, bytes.length), {
      open: true,
    })
    const many = Buffer.of(QUERY_ATTRIBUTES_MAX + 1, 1)
    expect(() => parameters.decodeAttributes(many, 0, 2)).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    )
  })

  test('executions of every type', () => {
    fc.assert(
      fc.property(cells, fc.boolean(), (row, named) => {
        const sent = row.map(({ type, value }) => ({
          type,
          unsigned: true,
          name: '',
          bytes: value,
        }))
        const out = new ByteWriter()
        writeExecute(
          out,
          { statementId: 7, flags: named ? 8 : 0, parameters: sent },
          { named, types: true },
        )
        const payload = out.take()
        const head = decodeExecuteHead(payload, 1, payload.length)
        const parameters = new Parameters()
        const layout = {
          markers: sent.length,
          attributes: named,
          counted: named,
          known: null,
          long: null,
        }
        parameters.decodeExecute(payload, head.bodyStart, payload.length, layout)
        expect(parameters.types).toEqual(
          sent.map(({ type, unsigned, name }) => ({ type, unsigned, name })),
        )
        sent.forEach(({ type, bytes }, i) => {
          const value =
            bytes === null ? null : decodeValue(bytes, 0, bytes.length, { type, unsigned: true })
          expect(parameters.value(i)).toEqual(value)
        })
      }),
    )
  })

  test('an execution without types needs those of the last', () => {
    const out = new ByteWriter()
    const parameters = new Parameters()
    const sent = [
      { type: TYPE.LONG, unsigned: false, name: '', bytes: Buffer.from('01000000', 'hex') },
    ]
    writeExecute(
      out,
      { statementId: 1, flags: 0, parameters: sent },
      { named: false, types: false },
    )
    const payload = out.take()
    const layout = { markers: 1, attributes: false, counted: false, known: null, long: null }
    const decode = (known: typeof sent | null) => () =>
      parameters.decodeExecute(payload, 10, payload.length, { ...layout, known })
    expect(decode(null)).toThrow(expect.objectContaining({ code: 'bad-value' }))
    expect(decode([...sent, ...sent])).toThrow(expect.objectContaining({ code: 'bad-value' }))
    decode(sent)()
    expect(parameters.text(0)).toBe('1')
    expect(() => parameters.value(1)).toThrow(expect.objectContaining({ code: 'illegal-call' }))
  })

  test.each([true, false])(
    'types sent again are the ones of the last only where none is another (names: %s)',
    (named) => {
      const own = { type: TYPE.LONG, unsigned: true, name: '' }
      const out = new ByteWriter()
      const bytes = Buffer.from('ffffffff', 'hex')
      writeExecute(
        out,
        { statementId: 1, flags: named ? 8 : 0, parameters: [{ ...own, bytes }] },
        { named, types: true },
      )
      const payload = out.take()
      const { bodyStart } = decodeExecuteHead(payload, 1, payload.length)
      const parameters = new Parameters()
      const typesAfter = (known: readonly ParameterType[]) => {
        const layout = { markers: 1, attributes: named, counted: named, known, long: null }
        parameters.decodeExecute(payload, bodyStart, payload.length, layout)
        expect(parameters.value(0)).toBe(0xffff_ffff)
        return parameters.types
      }
      const same = [own]
      expect(typesAfter(same)).toBe(same)
      for (const other of [{ unsigned: false }, { type: TYPE.FLOAT }, { name: 'run' }]) {
        expect(typesAfter([{ ...own, ...other }])).toEqual(same)
      }
      expect(typesAfter([own, own])).toEqual(same)
    },
  )

  test('fewer parameters than markers are refused', () => {
    const parameters = new Parameters()
    const layout = { markers: 2, attributes: true, counted: true, known: null, long: null }
    expect(() => parameters.decodeExecute(Buffer.of(1), 0, 1, layout)).toThrow(ProtocolError)
  })
})
