import { describe, expect, test } from 'vitest'
import { writeBulkExecute } from '../bulk.ts'
import { ByteWriter } from '../bytes.ts'
import { CLIENT, MARIADB_CLIENT } from '../capabilities.ts'
import { encodeColumn, encodeColumnCount, encodePrepareOk, TYPE } from '../columns.ts'
import { COM } from '../commands.ts'
import { ProtocolError } from '../errors.ts'
import { EXPECTED_REPLIES_MAX, LONG_DATA_KEPT_BYTES_MAX } from '../limits.ts'
import { encodePacket } from '../packets.ts'
import { EXECUTE_FLAG, type ParameterInit, writeExecute, writeParameters } from '../parameters.ts'
import { encodeOk, HEADER, plainOk, STATUS } from '../responses.ts'
import { encodeBinaryRow, encodeTextRow } from '../rows.ts'
import { encodeSessionState } from '../session-state.ts'
import {
  Bench,
  CLASSIC,
  column,
  command,
  EOF,
  ERR,
  MODERN,
  OK,
  packets,
  query,
  result,
  tell,
  uint32,
} from './testing.ts'

const SELECT_ONE = packets(result(['a'], [['1']]))

describe('texts', () => {
  test('an admitted one and its result pass', () => {
    const bench = new Bench().client(query('select 1'))
    expect(bench.toUpstream()).toEqual(query('select 1'))
    bench.upstream(SELECT_ONE)
    expect(bench.toClient()).toEqual(SELECT_ONE)
    expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'complete', rows: 1, bytes: 6 }])
    expect(bench.relay.quiescent).toBe(true)
  })

  test('a refused one never leaves, and the connection goes on', () => {
    const bench = new Bench().client(query('refuse this'))
    expect(bench.toUpstream()).toHaveLength(0)
    expect(tell(bench.toClient())).toEqual(['1:ERR 1142 refused'])
    bench.client(query('select 1')).upstream(SELECT_ONE)
    expect(bench.toClient()).toEqual(SELECT_ONE)
  })

  test('what is forwarded is what was admitted', () => {
    const bench = new Bench().client(query('select rewrite 1'))
    expect(bench.toUpstream()).toEqual(query('select 1'))
  })

  test('a rewritten one of fewer packets is answered with the numbers the client counts by', () => {
    const long = query(`rewrite ${'x'.repeat(0xff_ffff - 9)}`)
    expect(long.readUIntLE(0, 3)).toBe(0xff_ffff)
    const bench = new Bench({ statementBytesMax: 0x200_0000 }).client(long)
    expect(bench.toUpstream().readUIntLE(0, 3)).toBe(0xff_ffff - 8)
    bench.upstream(packets(result(['a'], [['1']])))
    expect(tell(bench.toClient()).map((word) => word.split(':')[0])).toEqual([
      '2',
      '3',
      '4',
      '5',
      '6',
    ])
  })

  test('an answer of the gatekeeper stands for the reply', () => {
    const bench = new Bench().client(query('answer me'))
    expect(tell(bench.toClient())).toEqual(['1:OK'])
    expect(bench.toUpstream()).toHaveLength(0)
  })

  test('a parked one waits, and what follows it waits behind it', () => {
    const bench = new Bench().client(Buffer.concat([query('wait'), query('select 1')]))
    expect(bench.relay.parked).toBe(true)
    expect(bench.toUpstream()).toHaveLength(0)
    bench.gatekeeper.open = true
    bench.resume()
    expect(bench.toUpstream()).toEqual(Buffer.concat([query('wait'), query('select 1')]))
  })

  test('over the cap it is discarded as it comes, refused at its end, and nothing is kept', () => {
    const bench = new Bench({ statementBytesMax: 100 })
    const long = query('x'.repeat(200_000))
    for (let at = 0; at < long.length; at += 1000) {
      bench.client(long.subarray(at, at + 1000))
      expect(bench.unread).toBeLessThan(6)
    }
    expect(tell(bench.toClient())).toEqual([
      '1:ERR 1153 The statement has 200001 bytes, which is over the limit',
    ])
    expect(bench.gatekeeper.asked).toEqual([])
    bench.client(query('y'.repeat(101)))
    expect(tell(bench.toClient())).toEqual([
      '1:ERR 1153 The statement has 101 bytes, which is over the limit',
    ])
    bench.client(query('y'.repeat(100)))
    expect(bench.gatekeeper.asked).toHaveLength(1)
  })

  test('over the cap in packets of 16 MiB, the refusal is numbered behind the last', () => {
    const bench = new Bench()
    bench.client(query('x'.repeat(0xff_ffff * 2 - 1)))
    expect(tell(bench.toClient())[0]).toMatch(/^3:ERR 1153/)
    bench.client(query('select 1'))
    expect(bench.toUpstream()).toEqual(query('select 1'))
  })

  test('query attributes in front of it do not hide it', () => {
    const attributes: ParameterInit[] = [
      { type: TYPE.STRING, unsigned: false, name: 'node', bytes: Buffer.from('research') },
    ]
    const out = new ByteWriter()
    out.buf.set([COM.QUERY, 1, 1])
    out.at = 3
    writeParameters(out, attributes, { named: true, types: true })
    const head = out.take()
    const upstream = { flags: (CLASSIC.flags | CLIENT.QUERY_ATTRIBUTES) >>> 0, mariadb: 0 }
    const bench = new Bench({ client: upstream, upstream })
    const send = (text: string): Buffer => encodePacket(0, Buffer.concat([head, Buffer.from(text)]))
    bench.client(send('refuse drop'))
    expect(bench.gatekeeper.asked).toEqual(['query refuse drop'])
    expect(bench.gatekeeper.executed).toEqual([['research']])
    expect(bench.toUpstream()).toHaveLength(0)
    bench.client(send('rewrite select 1'))
    expect(bench.toUpstream()).toEqual(send('select 1'))
  })

  test('attributes that are cut short are answered, not died of', () => {
    const upstream = { flags: (CLASSIC.flags | CLIENT.QUERY_ATTRIBUTES) >>> 0, mariadb: 0 }
    const bench = new Bench({ client: upstream, upstream })
    bench.client(command(COM.QUERY, Buffer.of(5, 1, 0)))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1835 Malformed communication packet.'])
    expect(bench.gatekeeper.asked).toEqual([])
  })
})

describe('pipelines', () => {
  test('a refusal waits for the replies before it', () => {
    const bench = new Bench()
    bench.client(Buffer.concat([query('select 1'), query('refuse'), query('select 2')]))
    expect(bench.toUpstream()).toEqual(Buffer.concat([query('select 1'), query('select 2')]))
    expect(bench.toClient()).toHaveLength(0)
    bench.upstream(Buffer.concat([packets([OK()]), packets([OK()])]))
    expect(tell(bench.toClient())).toEqual(['1:OK', '1:ERR 1142 refused', '1:OK'])
  })

  test('what changes the meaning of later texts is answered before they are asked about', () => {
    const bench = new Bench().client(Buffer.concat([query('barrier'), query('select 1')]))
    expect(bench.gatekeeper.asked).toEqual(['query barrier'])
    bench.upstream(packets([OK()]))
    expect(bench.gatekeeper.asked).toEqual(['query barrier', 'query select 1'])
  })

  test('so is COM_INIT_DB', () => {
    const bench = new Bench()
    bench.client(Buffer.concat([command(COM.INIT_DB, 'crm'), query('select 1')]))
    expect(bench.gatekeeper.asked).toEqual([])
    bench.upstream(packets([ERR('no such database')]))
    expect(bench.gatekeeper.asked).toEqual(['query select 1'])
  })

  test('nothing is sent behind a result that may have to be cancelled', () => {
    const bench = new Bench().client(Buffer.concat([query('limited'), query('select 2')]))
    expect(bench.toUpstream()).toEqual(query('limited'))
    bench.upstream(packets([OK()]))
    expect(bench.toUpstream()).toEqual(query('select 2'))
  })

  test('more unanswered commands than the cap wait', () => {
    const bench = new Bench()
    const many = Buffer.concat(
      Array.from({ length: EXPECTED_REPLIES_MAX }, () => command(COM.PING)),
    )
    bench.client(many)
    expect(bench.relay.parked).toBe(true)
    expect(bench.unread).toBe(4 * 5)
  })
})

describe('masks', () => {
  test('text rows leave masked, NULL stays NULL', () => {
    const bench = new Bench()
      .client(query('mask'))
      .upstream(packets(result(['a', 'b'], [['secret', null]])))
    expect(tell(bench.toClient())).toEqual(
      ['1:..', '2:column', '3:column', '4:EOF', '5:.***.', '6:EOF'].map((word) =>
        word.replace('1:..', '1:.'),
      ),
    )
  })

  test('a masked text that describes its rows differently is described anew', () => {
    const bench = new Bench()
    for (const names of [['a'], ['a'], ['a', 'b'], ['c', 'b']]) {
      bench.client(query('mask')).upstream(packets(result(names, [names.map(() => 'secret')])))
    }
    expect(bench.gatekeeper.described.map((columns) => columns.map(({ name }) => name))).toEqual([
      ['a'],
      ['a', 'b'],
      ['c', 'b'],
    ])
    expect(bench.toClient().includes('secret')).toBe(false)
  })

  test('every result of a multi-statement is masked', () => {
    const bench = new Bench()
      .client(query('mask; mask'))
      .upstream(
        Buffer.concat([
          packets(result(['a'], [['secret']], STATUS.MORE_RESULTS_EXISTS)),
          packets([OK(STATUS.MORE_RESULTS_EXISTS)], 6),
          packets(result(['b'], [['secret']]), 7),
        ]),
      )
    expect(bench.toClient().includes('secret')).toBe(false)
    expect(bench.gatekeeper.outcomes.map(({ result: index, rows }) => [index, rows])).toEqual([
      [0, 1],
      [1, 0],
      [2, 1],
    ])
  })

  test('a row longer than 16 MiB is masked whole, and shorter numbers follow', () => {
    const bench = new Bench().client(query('mask'))
    const payloads = result(['a', 'b'], [['x'.repeat(0x100_0000), 'secret']])
    const [count, a, b, eof, row, end] = payloads as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ]
    bench.upstream(Buffer.concat([packets([count, a, b, eof]), encodePacket(5, row)]))
    bench.upstream(encodePacket(7, end))
    expect(tell(bench.toClient()).slice(4)).toEqual(['5:.***.***', '6:EOF'])
  })

  test('an unmasked row longer than 16 MiB passes in pieces', () => {
    const bench = new Bench().client(query('select'))
    const payloads = result(['a'], [['x'.repeat(0x100_0000)], ['y']])
    const [count, a, eof, row, next, end] = payloads as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ]
    const bytes = Buffer.concat([
      packets([count, a, eof]),
      encodePacket(4, row),
      encodePacket(6, next),
      encodePacket(7, end),
    ])
    for (let at = 0; at < bytes.length; at += 1_000_003) {
      bench.upstream(bytes.subarray(at, at + 1_000_003))
      expect(bench.unreadUpstream).toBeLessThan(5)
    }
    expect(bench.toClient().equals(bytes)).toBe(true)
    expect(bench.gatekeeper.outcomes[0]).toMatchObject({ rows: 2 })
  })

  test('rows without metadata do not pass masks: the client is told so, and the connection goes on', () => {
    const both = { flags: (MODERN.flags | CLIENT.OPTIONAL_RESULTSET_METADATA) >>> 0, mariadb: 0 }
    const bench = new Bench({ client: both, upstream: both }).client(query('mask'))
    const end = encodeOk(plainOk(2), { sessionTrack: true, header: HEADER.EOF })
    const count = encodeColumnCount({ count: 1, metadata: false }, both)
    bench.upstream(packets([count, Buffer.from('\x06secret'), end]))
    expect(tell(bench.toClient())).toEqual([
      '1:ERR 1235 Rows that are masked or recorded cannot be sent without metadata',
    ])
    bench.client(query('select 1'))
    expect(bench.toUpstream().includes('select 1')).toBe(true)
  })

  test('a row that is not what was described ends the session, and no part of it leaves', () => {
    const bench = new Bench().client(query('mask'))
    const [count, a, eof] = result(['a'], []) as [Buffer, Buffer, Buffer]
    const row = Buffer.from('\x06secret\x05extra')
    expect(() => bench.upstream(packets([count, a, eof, row]))).toThrow(ProtocolError)
    expect(bench.toClient().includes('secret')).toBe(false)
  })
})

describe('limits', () => {
  const rows = [['1'], ['2'], ['3'], ['4']]

  test('a result over its limit ends in an error, and the upstream is told to stop', () => {
    const bench = new Bench()
      .client(query('limited'))
      .upstream(packets(result(['a'], rows).slice(0, -1)))
    expect(bench.gatekeeper.cancels).toBe(1)
    bench.client(query('select 2'))
    bench.upstream(packets([ERR('Query execution was interrupted')], 8))
    expect(tell(bench.toClient()).slice(3)).toEqual(['4:.1', '5:.2', '6:ERR 1142 over the limit'])
    // A cancel on its way could hit the next one.
    expect(bench.toUpstream()).toEqual(query('limited'))
    bench.cancelled()
    expect(bench.toUpstream()).toEqual(query('select 2'))
    expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'error', rows: 2, errno: 1142 }])
  })

  test('one that completed before it could be cancelled says so', () => {
    const bench = new Bench().client(query('limited')).upstream(packets(result(['a'], rows)))
    expect(tell(bench.toClient()).at(-1)).toBe('6:ERR 1142 over the limit, stands')
  })

  test('a truncated result ends in order', () => {
    const bench = new Bench().client(query('cut')).upstream(packets(result(['a'], rows)))
    expect(tell(bench.toClient()).slice(3)).toEqual(['4:.1', '5:.2', '6:EOF'])
    expect(bench.gatekeeper.cancels).toBe(0)
    expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'complete', rows: 2 }])
  })

  test('what follows a truncated result of a multi-statement keeps the count', () => {
    const bench = new Bench()
      .client(query('cut; more'))
      .upstream(
        Buffer.concat([
          packets(result(['a'], rows, STATUS.MORE_RESULTS_EXISTS)),
          packets(result(['b'], [['5']]), 9),
        ]),
      )
    const numbers = tell(bench.toClient()).map((word) => Number(word.split(':')[0]))
    expect(numbers).toEqual(Array.from({ length: 11 }, (_, i) => i + 1))
  })

  test('masked rows count as they leave', () => {
    const bench = new Bench().client(query('mask limited')).upstream(packets(result(['a'], rows)))
    expect(tell(bench.toClient()).slice(3, 5)).toEqual(['4:.***', '5:.***'])
  })
})

/** COM_STMT_PREPARE of `text` with one parameter and one column, answered as statement `id`. */
function prepared(bench: Bench, text: string, id = 1): Bench {
  bench.client(command(COM.STMT_PREPARE, text))
  const head = { statementId: id, columns: 1, parameters: 1, warnings: 0, metadata: true }
  bench.upstream(
    packets([
      encodePrepareOk(head, CLASSIC),
      encodeColumn(column('?'), CLASSIC),
      EOF(),
      encodeColumn(column('a', TYPE.LONG), CLASSIC),
      EOF(),
    ]),
  )
  bench.toClient()
  bench.toUpstream()
  return bench
}

const TEXT_PARAMETER = { type: TYPE.VAR_STRING, unsigned: false, name: '' }

function execute(
  id: number,
  value: string | null,
  options: { types?: boolean; flags?: number } = {},
): Buffer {
  const out = new ByteWriter()
  const bytes = value === null ? null : Buffer.from(value)
  writeExecute(
    out,
    { statementId: id, flags: options.flags ?? 0, parameters: [{ ...TEXT_PARAMETER, bytes }] },
    { named: false, types: options.types ?? true },
  )
  return encodePacket(0, out.take())
}

function binaryResult(values: readonly number[], status = 2): Buffer[] {
  return [
    encodeColumnCount({ count: 1, metadata: true }, CLASSIC),
    encodeColumn(column('a', TYPE.LONG), CLASSIC),
    EOF(),
    ...values.map((value) => encodeBinaryRow([uint32(value)], [TYPE.LONG])),
    EOF(status),
  ]
}

describe('prepared statements', () => {
  test('an execution is decided with its parameters, with and without their types', () => {
    const bench = prepared(new Bench(), 'select')
    bench.client(execute(1, 'first')).upstream(packets(binaryResult([7])))
    bench.client(execute(1, 'again', { types: false }))
    expect(bench.gatekeeper.executed).toEqual([['first'], ['again']])
    expect(bench.toUpstream()).toEqual(
      Buffer.concat([execute(1, 'first'), execute(1, 'again', { types: false })]),
    )
  })

  test('types of a refused execution are not those of the next', () => {
    const bench = prepared(new Bench(), 'select')
    bench.gatekeeper.forbidden = 'no'
    bench.client(execute(1, 'no'))
    bench.client(execute(1, 'yes', { types: false }))
    expect(tell(bench.toClient())).toEqual([
      '1:ERR 1142 refused value',
      '1:ERR 1835 Malformed communication packet.',
    ])
    expect(bench.toUpstream()).toHaveLength(0)
  })

  test('binary rows leave masked', () => {
    const bench = prepared(new Bench(), 'mask').client(execute(1, 'x'))
    bench.upstream(packets(binaryResult([0x41424344])))
    expect(bench.toClient().includes('DCBA')).toBe(false)
    expect(bench.gatekeeper.outcomes).toMatchObject([{ rows: 1 }])
  })

  test('the OK of a CALL comes behind its OUT parameters, though their EOF promises nothing', () => {
    const bench = prepared(new Bench(), 'mask')
    const described = EOF(2 | STATUS.PS_OUT_PARAMS | STATUS.MORE_RESULTS_EXISTS)
    const [count, a, , ...rows] = binaryResult([7]) as [Buffer, Buffer, Buffer, ...Buffer[]]
    bench.client(execute(1, 'x')).upstream(packets([count, a, described, ...rows, OK()]))
    expect(bench.gatekeeper.outcomes.map(({ rows: sent }) => sent)).toEqual([1, 0])
    bench.client(query('select 1')).upstream(packets(result(['a'], [['1']])))
    expect(bench.gatekeeper.outcomes).toHaveLength(3)
  })

  test('rows leave masked under the flag of a cursor that the client did not ask for', () => {
    const bench = prepared(new Bench(), 'mask').client(execute(1, 'x'))
    const described = binaryResult([]).slice(0, 2)
    const row = encodeBinaryRow([Buffer.from('SECR')], [TYPE.LONG])
    const over = EOF(2 | STATUS.CURSOR_EXISTS)
    bench.upstream(packets([...described, over, row, over]))
    expect(bench.toClient().includes('SECR')).toBe(false)
    expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'complete', rows: 1 }])
    expect(bench.relay.quiescent).toBe(true)
  })

  test('rows of a cursor leave masked too, fetch by fetch', () => {
    const bench = prepared(new Bench(), 'mask')
    bench.client(execute(1, 'x', { flags: EXECUTE_FLAG.CURSOR_READ_ONLY }))
    const described = binaryResult([]).slice(0, 2)
    bench.upstream(packets([...described, EOF(2 | STATUS.CURSOR_EXISTS)]))
    const fetch = command(COM.STMT_FETCH, Buffer.concat([uint32(1), uint32(1)]))
    for (const status of [STATUS.CURSOR_EXISTS, STATUS.LAST_ROW_SENT]) {
      bench.client(fetch)
      const row = encodeBinaryRow([Buffer.from('SECR')], [TYPE.LONG])
      bench.upstream(packets([row, EOF(2 | status)]))
    }
    expect(bench.toClient().includes('SECR')).toBe(false)
    expect(bench.gatekeeper.outcomes.map(({ status, rows }) => [status, rows])).toEqual([
      ['cursor', 0],
      ['cursor', 1],
      ['complete', 1],
    ])
    expect(bench.gatekeeper.described).toHaveLength(1)
  })

  test('a limit holds over all fetches of a cursor', () => {
    const bench = prepared(new Bench(), 'limited')
    bench.client(execute(1, 'x', { flags: EXECUTE_FLAG.CURSOR_READ_ONLY }))
    const described = binaryResult([]).slice(0, 2)
    bench.upstream(packets([...described, EOF(2 | STATUS.CURSOR_EXISTS)]))
    bench.toClient()
    const row = encodeBinaryRow([uint32(5)], [TYPE.LONG])
    const fetch = command(COM.STMT_FETCH, Buffer.concat([uint32(1), uint32(2)]))
    bench.client(fetch).upstream(packets([row, row, EOF(2 | STATUS.CURSOR_EXISTS)]))
    expect(tell(bench.toClient())).toHaveLength(3)
    bench.client(fetch).upstream(packets([row, EOF(2 | STATUS.LAST_ROW_SENT)]))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1142 over the limit'])
    expect(bench.gatekeeper.cancels).toBe(0)
  })

  test.each(['metered', 'metered mask', 'metered cut'])(
    '%s: rows wait for their part of a budget',
    (text) => {
      const bench = new Bench().client(query(text))
      const rows = Array.from({ length: 5 }, (_, i) => [String(i)])
      bench.upstream(packets(result(['a'], text.endsWith('cut') ? rows.slice(0, 2) : rows)))
      const head = tell(bench.toClient())
      expect(bench.gatekeeper.metered).toEqual([1])
      expect(bench.relay.holdsBack).toBe(true)
      bench.gatekeeper.open = true
      bench.resume().upstream(Buffer.alloc(0))
      const told = tell(bench.toClient())
      if (text.endsWith('cut')) {
        expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'complete', rows: 2 }])
        return
      }
      expect(bench.gatekeeper.metered).toEqual([1, 1, 2, 3, 4])
      expect(bench.gatekeeper.cancels).toBe(1)
      bench.cancelled()
      expect([...told, ...tell(bench.toClient())].at(-1)).toMatch(/over the limit/)
      expect(head.length).toBeGreaterThan(0)
      expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'error', rows: 3 }])
    },
  )

  test('a recorded result is announced where its rows begin, with its columns', () => {
    const bench = new Bench().client(query('recorded'))
    const packed = packets(result(['a', 'b'], [['1', '2']]))
    const rows = packets([encodeTextRow(['1', '2'].map((one) => Buffer.from(one))), EOF()], 5)
    bench.upstream(packed)
    expect(bench.gatekeeper.begun).toEqual([
      { names: 'a,b', format: 'text', queued: packed.length - rows.length },
    ])
    expect(bench.toClient()).toEqual(packed)
    const modern = new Bench({ client: MODERN, upstream: MODERN }).client(query('recorded'))
    const [count, column, , row] = result(['a'], [['1']])
    const head = packets([count, column] as Buffer[])
    modern.upstream(Buffer.concat([head, packets([row] as Buffer[], 3)]))
    expect(modern.gatekeeper.begun).toMatchObject([{ names: 'a', queued: head.length }])
  })

  test('a recorded cursor is announced with every fetch', () => {
    const bench = prepared(new Bench(), 'recorded')
    bench.client(execute(1, 'x', { flags: EXECUTE_FLAG.CURSOR_READ_ONLY }))
    bench.upstream(packets([...binaryResult([]).slice(0, 2), EOF(2 | STATUS.CURSOR_EXISTS)]))
    const fetch = command(COM.STMT_FETCH, Buffer.concat([uint32(1), uint32(1)]))
    for (const status of [STATUS.CURSOR_EXISTS, STATUS.LAST_ROW_SENT]) {
      const row = encodeBinaryRow([uint32(5)], [TYPE.LONG])
      bench.client(fetch).upstream(packets([row, EOF(2 | status)]))
    }
    expect(bench.gatekeeper.begun).toMatchObject([
      { format: 'binary', queued: 0 },
      { format: 'binary', queued: 0 },
    ])
  })

  test('a fetch without a cursor is refused here', () => {
    const bench = prepared(new Bench(), 'select')
    bench.client(command(COM.STMT_FETCH, Buffer.concat([uint32(1), uint32(1)])))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1421 The statement (1) has no open cursor.'])
  })

  test('an unknown id is refused as the server does', () => {
    const bench = new Bench().client(execute(9, 'x'))
    expect(tell(bench.toClient())).toEqual([
      '1:ERR 1243 Unknown prepared statement handler (9) given to mysqld_stmt_execute',
    ])
  })

  test('long data is looked at where it is executed, and gone after a refusal', () => {
    const bench = prepared(new Bench(), 'select')
    const long = command(
      COM.STMT_SEND_LONG_DATA,
      Buffer.concat([uint32(1), Buffer.of(0, 0), Buffer.from('no')]),
    )
    bench.gatekeeper.forbidden = 'no'
    bench.client(long)
    expect(bench.toUpstream()).toEqual(long)
    bench.client(execute(1, null))
    expect(bench.gatekeeper.executed).toEqual([['no']])
    expect(tell(bench.toClient())).toEqual([])
    expect(bench.toUpstream()).toEqual(command(COM.STMT_RESET, uint32(1)))
    bench.upstream(packets([OK()]))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1142 refused value'])
    bench.client(execute(1, 'yes'))
    expect(bench.gatekeeper.executed.at(-1)).toEqual(['yes'])
  })

  test('long data is kept up to its cap, and said to be cut', () => {
    const bench = prepared(new Bench(), 'select')
    const piece = Buffer.alloc(LONG_DATA_KEPT_BYTES_MAX - 10, 'a')
    const send = (bytes: Buffer): Buffer =>
      command(COM.STMT_SEND_LONG_DATA, Buffer.concat([uint32(1), Buffer.of(0, 0), bytes]))
    bench.client(send(piece)).client(send(Buffer.alloc(10, 'b')))
    const { long } = bench.relay.statement(1)!
    expect([long?.get(0)?.bytes.length, long?.get(0)?.cut]).toEqual([
      LONG_DATA_KEPT_BYTES_MAX,
      false,
    ])
    bench.client(send(Buffer.from('c')))
    expect([long?.get(0)?.bytes.length, long?.get(0)?.cut]).toEqual([
      LONG_DATA_KEPT_BYTES_MAX,
      true,
    ])
  })

  test('long data in packets of 16 MiB passes as it comes', () => {
    const bench = prepared(new Bench(), 'select')
    const long = command(
      COM.STMT_SEND_LONG_DATA,
      Buffer.concat([uint32(1), Buffer.of(0, 0), Buffer.alloc(0xff_ffff * 2 - 7)]),
    )
    for (let at = 0; at < long.length; at += 3_000_000)
      bench.client(long.subarray(at, at + 3_000_000))
    expect(bench.toUpstream().equals(long)).toBe(true)
    expect(bench.relay.quiescent).toBe(true)
  })

  test('long data for nobody is dropped', () => {
    const bench = new Bench()
    bench.client(command(COM.STMT_SEND_LONG_DATA, Buffer.concat([uint32(4), Buffer.alloc(20)])))
    bench.client(command(COM.STMT_SEND_LONG_DATA, Buffer.of(1)))
    expect([bench.toUpstream().length, bench.toClient().length, bench.unread]).toEqual([0, 0, 0])
  })

  test("the last prepared one answers to MariaDB's id for it, but never after a refused PREPARE", () => {
    const last = 0xffff_ffff
    const bench = prepared(new Bench(), 'select')
    bench.client(execute(last, 'x')).upstream(packets([OK()]))
    expect(bench.toUpstream()).toEqual(execute(last, 'x'))
    bench.toClient()
    bench.client(Buffer.concat([command(COM.STMT_PREPARE, 'refuse'), execute(last, 'x')]))
    expect(tell(bench.toClient()).map((word) => word.slice(0, 10))).toEqual([
      '1:ERR 1142',
      '1:ERR 1243',
    ])
    expect(bench.toUpstream()).toHaveLength(0)
  })

  test('an execution sent right behind its PREPARE waits for the id', () => {
    const bench = new Bench()
    bench.client(Buffer.concat([command(COM.STMT_PREPARE, 'select'), execute(0xffff_ffff, 'x')]))
    expect(bench.toUpstream()).toEqual(command(COM.STMT_PREPARE, 'select'))
    const head = { statementId: 5, columns: 0, parameters: 1, warnings: 0, metadata: true }
    bench.upstream(
      packets([encodePrepareOk(head, CLASSIC), encodeColumn(column('?'), CLASSIC), EOF()]),
    )
    expect(bench.toUpstream()).toEqual(execute(0xffff_ffff, 'x'))
  })

  test('COM_STMT_CLOSE and COM_RESET_CONNECTION forget', () => {
    const bench = prepared(prepared(new Bench(), 'select', 1), 'select', 2)
    bench.client(command(COM.STMT_CLOSE, uint32(1)))
    bench.client(command(COM.RESET_CONNECTION)).upstream(packets([OK()]))
    expect(bench.gatekeeper.closedIds).toEqual([1, 2])
    expect(bench.relay.statement(2)).toBeUndefined()
  })

  test('the prepared text is the admitted one', () => {
    const bench = new Bench().client(command(COM.STMT_PREPARE, 'rewrite select ?'))
    expect(bench.toUpstream()).toEqual(command(COM.STMT_PREPARE, 'select ?'))
  })
})

describe('batches', () => {
  const capabilities = { ...CLASSIC, mariadb: MARIADB_CLIENT.STMT_BULK_OPERATIONS }
  const bulk = (...values: string[]): Buffer => {
    const out = new ByteWriter()
    const types = { sent: true, all: [{ type: TYPE.VAR_STRING, unsigned: false, name: '' }] }
    writeBulkExecute(
      out,
      1,
      types,
      values.map((value) => [Buffer.from(value)]),
    )
    return encodePacket(0, out.view())
  }
  const bench = (): Bench =>
    prepared(new Bench({ client: capabilities, upstream: capabilities }), 'insert')

  test('a batch is decided row by row, runs as one, and passes as it came', () => {
    const at = bench().client(bulk('a', 'b', 'c'))
    expect(at.gatekeeper.executed).toEqual([['a'], ['b'], ['c']])
    expect(at.toUpstream()).toEqual(bulk('a', 'b', 'c'))
    at.upstream(packets([OK()]))
    expect(tell(at.toClient())).toEqual(['1:OK'])
    expect(at.gatekeeper.outcomes).toHaveLength(1)
  })

  test('one refused row refuses all of them', () => {
    const at = bench()
    at.gatekeeper.forbidden = 'b'
    at.client(bulk('a', 'b', 'c'))
    expect(at.toUpstream()).toHaveLength(0)
    expect(tell(at.toClient())).toEqual(['1:ERR 1142 refused value'])
    expect(at.relay.quiescent).toBe(true)
  })

  test('its types are those of the next execution without', () => {
    const at = bench()
      .client(bulk('a'))
      .upstream(packets([OK()]))
    at.toUpstream()
    at.client(execute(1, 'x', { types: false })).upstream(packets([OK()]))
    expect(at.gatekeeper.executed).toEqual([['a'], ['x']])
  })

  test('one that is malformed, of an unknown statement, or behind long data never leaves', () => {
    const at = bench().client(bulk('a').fill(9, 13, 14))
    at.client(encodePacket(0, Buffer.of(COM.STMT_BULK_EXECUTE, 9, 0, 0, 0, 0x80, 0)))
    expect(at.toUpstream()).toHaveLength(0)
    const said = tell(at.toClient()).map((word) => word.slice(0, 10))
    expect(said).toEqual(['1:ERR 1835', '1:ERR 1243'])
    const piece = Buffer.concat([uint32(1), Buffer.of(0, 0), Buffer.from('piece')])
    at.client(command(COM.STMT_SEND_LONG_DATA, piece))
    at.toUpstream()
    at.client(bulk('a'))
    expect(at.toUpstream()).toEqual(command(COM.STMT_RESET, uint32(1)))
    at.upstream(packets([OK()]))
    expect(tell(at.toClient()).map((word) => word.slice(0, 10))).toEqual(['1:ERR 1835'])
  })

  test('without the capability there are none', () => {
    const at = prepared(new Bench(), 'insert').client(bulk('a'))
    expect(tell(at.toClient())).toEqual(['1:ERR 1047 Unknown command'])
    expect(at.toUpstream()).toHaveLength(0)
  })
})

describe('commands', () => {
  test.each([
    ['COM_SLEEP', 0x00],
    ['COM_CREATE_DB', 0x05],
    ['COM_REFRESH', 0x07],
    ['COM_SHUTDOWN', 0x08],
    ['COM_PROCESS_INFO', 0x0a],
    ['COM_DEBUG', 0x0d],
    ['COM_BINLOG_DUMP', 0x12],
    ['COM_REGISTER_SLAVE', 0x15],
    ['COM_DAEMON', 0x1d],
    ['COM_CLONE', 0x20],
    ['COM_SUBSCRIBE_GROUP_REPLICATION_STREAM', 0x21],
    ['COM_STMT_BULK_EXECUTE of MariaDB', 0xfa],
    ['COM_MULTI of MariaDB', 0xfe],
  ])('%s is refused in-band', (_name, code) => {
    const bench = new Bench().client(command(code, 'anything'))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1047 Unknown command'])
    expect(bench.toUpstream()).toHaveLength(0)
    bench.client(command(COM.PING)).upstream(packets([OK()]))
    expect(tell(bench.toClient())).toEqual(['1:OK'])
  })

  test('a packet without a byte is no command', () => {
    const bench = new Bench().client(Buffer.alloc(4))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1047 Unknown command'])
  })

  test('every other one is decided, but COM_PING', () => {
    const bench = new Bench()
    bench.gatekeeper.answersKill = true
    bench.client(command(COM.PING)).upstream(packets([OK()]))
    bench.client(command(COM.INIT_DB, 'refused'))
    bench.client(command(COM.PROCESS_KILL, uint32(7)))
    bench.client(command(COM.STATISTICS)).upstream(packets([Buffer.from('Uptime: 1')]))
    bench.client(command(COM.FIELD_LIST, 'people\0na%'))
    bench.upstream(packets([encodeColumn(column('name'), CLASSIC), EOF()]))
    expect(bench.gatekeeper.commands).toEqual([
      { kind: 'init-db', database: 'refused' },
      { kind: 'process-kill', connectionId: 7 },
      { kind: 'statistics' },
      { kind: 'field-list', table: 'people', wildcard: 'na%' },
    ])
    expect(tell(bench.toClient())).toEqual([
      '1:OK',
      '1:ERR 1142 no such door',
      '1:OK',
      '1:Uptime: 1',
      '1:column',
      '2:EOF',
    ])
    expect(bench.relay.quiescent).toBe(true)
  })

  test('COM_SET_OPTION changes what a text may be once it is answered', () => {
    const bench = new Bench()
    bench.client(Buffer.concat([command(COM.SET_OPTION, Buffer.of(1, 0)), query('select')]))
    expect([bench.relay.multiStatements, bench.gatekeeper.asked]).toEqual([true, []])
    bench.upstream(packets([EOF()]))
    expect([bench.relay.multiStatements, bench.gatekeeper.asked]).toEqual([false, ['query select']])
  })

  test('COM_CHANGE_USER ends it once everything before is answered; what follows is nobody’s yet', () => {
    const change = command(COM.CHANGE_USER, 'bob\0\x03abccrm\0\x2d\0')
    const behind = Buffer.concat([change, query('select 2')])
    const bench = new Bench().client(Buffer.concat([query('select 1'), behind]))
    expect([bench.relay.terminated, bench.relay.changeUser]).toEqual([false, null])
    bench.upstream(SELECT_ONE)
    expect(bench.relay.terminated).toBe(true)
    expect(bench.relay.changeUser).toEqual({
      user: 'bob',
      authentication: Buffer.from('abc'),
      database: 'crm',
      collation: 45,
      plugin: null,
      attributes: [],
    })
    expect(bench.gatekeeper.asked).toEqual(['query select 1'])
    expect(bench.toUpstream()).toEqual(query('select 1'))
  })

  test('a COM_CHANGE_USER that is cut short is malformed', () => {
    const bench = new Bench().client(command(COM.CHANGE_USER, 'bob\0\x09abc'))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1835 Malformed communication packet.'])
    expect(bench.relay.terminated).toBe(false)
  })

  test('COM_QUIT ends it', () => {
    const bench = new Bench().client(Buffer.concat([command(COM.QUIT), query('select')]))
    expect(bench.relay.terminated).toBe(true)
    expect(bench.gatekeeper.asked).toEqual([])
  })

  test('a command that is not numbered 0 is out of order', () => {
    expect(() => new Bench().client(encodePacket(1, Buffer.of(COM.PING)))).toThrow(
      expect.objectContaining({ code: 'packets-out-of-order' }),
    )
  })
})

describe('the upstream', () => {
  test('is not believed when it answers what nobody asked', () => {
    expect(() => new Bench().upstream(packets([OK()]))).toThrow(
      expect.objectContaining({ code: 'out-of-sync' }),
    )
  })

  test('may say why it closes', () => {
    const bench = new Bench().upstream(encodePacket(0, ERR('The client was disconnected')))
    expect(bench.relay.farewell).toBe(true)
    expect(bench.toClient()).toHaveLength(4 + ERR('The client was disconnected').length)
  })

  test('must count on', () => {
    const bench = new Bench().client(query('select'))
    expect(() => bench.upstream(packets([OK()], 2))).toThrow(
      expect.objectContaining({ code: 'packets-out-of-order' }),
    )
  })

  test('has its errors redacted where they say too much', () => {
    const bench = new Bench().client(query('select')).upstream(packets([ERR('leak: 4111')]))
    expect(tell(bench.toClient())).toEqual(['1:ERR 1105 redacted'])
    expect(bench.gatekeeper.outcomes).toMatchObject([{ status: 'error', errno: 1105 }])
  })

  test('an error among rows ends the result', () => {
    const bench = new Bench().client(query('select'))
    bench.upstream(packets([...result(['a'], [['1']]).slice(0, -1), ERR('lost')]))
    expect(tell(bench.toClient()).at(-1)).toBe('5:ERR 1105 lost')
    expect(bench.relay.quiescent).toBe(true)
  })

  test('tells of the session: the gatekeeper hears it, a client that did not ask does not', () => {
    const bench = new Bench({
      client: { ...MODERN, flags: (MODERN.flags & ~CLIENT.SESSION_TRACK) >>> 0 },
      upstream: MODERN,
    })
    bench.client(query('use crm'))
    const sessionState = encodeSessionState([{ kind: 'schema', name: 'crm' }])
    const ok = { ...plainOk(2), info: Buffer.from('done'), sessionState }
    bench.upstream(packets([encodeOk(ok, { sessionTrack: true, header: HEADER.OK })]))
    expect(bench.gatekeeper.changes).toEqual([{ kind: 'schema', name: 'crm' }])
    expect(bench.toClient()).toEqual(
      packets([
        encodeOk(
          { ...plainOk(2), info: Buffer.from('done') },
          { sessionTrack: false, header: HEADER.OK },
        ),
      ]),
    )
  })

  test.each([
    ['no file was admitted', 'load'],
    ['another one was', 'infile'],
  ])('gets an empty file and the client an error where %s', (_name, text) => {
    const bench = new Bench()
      .client(query(text))
      .upstream(packets([Buffer.from('\xfb/etc/passwd', 'latin1')]))
    expect(tell(bench.toClient())).toEqual(['1:ERR 3948 Loading local data is disabled'])
    expect(bench.toUpstream().subarray(-4)).toEqual(encodePacket(2, Buffer.alloc(0)))
    bench.upstream(packets([OK()], 3))
    expect(bench.toClient()).toHaveLength(0)
    expect(bench.relay.quiescent).toBe(true)
  })

  test('gets a file of which the recording is told', () => {
    const bench = new Bench()
      .client(query('infile recorded'))
      .upstream(packets([Buffer.from('\xfbx', 'latin1')]))
    const file = packets([Buffer.from('one\n'), Buffer.from('two'), Buffer.alloc(0)], 2)
    for (const byte of file) bench.client(Buffer.of(byte))
    expect(bench.gatekeeper.sent.join('')).toBe('file:one\ntwo')
  })

  test('gets the file where it was admitted', () => {
    const bench = new Bench()
      .client(query('infile'))
      .upstream(packets([Buffer.from('\xfbx', 'latin1')]))
    const file = packets([Buffer.from('one\n'), Buffer.alloc(0)], 2)
    bench.toUpstream()
    bench.client(Buffer.concat([file, query('select')]))
    expect(bench.toUpstream()).toEqual(file)
    expect(bench.gatekeeper.sent).toEqual([])
    bench.upstream(packets([OK()], 4))
    expect(tell(bench.toClient())).toEqual(['1:.x', '4:OK'])
    expect(bench.toUpstream()).toEqual(query('select'))
  })
})

describe('a file of the client', () => {
  const asked = (): Bench => {
    const bench = new Bench()
      .client(query('infile'))
      .upstream(packets([Buffer.from('\xfbx', 'latin1')]))
    bench.toClient()
    bench.toUpstream()
    return bench
  }

  test('goes on behind a packet that is full', () => {
    const bench = asked()
    const full = Buffer.concat([Buffer.of(0xff, 0xff, 0xff, 2), Buffer.alloc(0xffffff, 1)])
    const file = Buffer.concat([full, packets([Buffer.alloc(0), Buffer.of(9), Buffer.alloc(0)], 3)])
    bench.client(Buffer.concat([file, query('select')]))
    expect(bench.toUpstream().equals(file)).toBe(true)
    bench.upstream(packets([OK()], 6))
    expect(tell(bench.toClient())).toEqual(['6:OK'])
    expect(bench.toUpstream()).toEqual(query('select'))
  })

  test('is all there can be of the client: who had sent commands behind it is read on, and they are not', () => {
    const bench = new Bench().client(query('infile')).client(query('select'))
    expect(bench.relay.parked).toBe(true)
    const ask = packets([Buffer.from('\xfbx', 'latin1')])
    bench.relay.fromUpstream(ask, 0, ask.length)
    expect(bench.relay.parked).toBe(false)
    expect(() => bench.client(Buffer.alloc(0))).toThrow(expect.objectContaining({ side: 'remote' }))
  })

  test('is read to its end: a reply before that ends the session', () => {
    const bench = asked()
    bench.client(packets([Buffer.from('one\n')], 2))
    expect(() => bench.upstream(packets([OK()], 3))).toThrow(
      expect.objectContaining({ code: 'out-of-sync' }),
    )
  })
})

describe('questions of ours', () => {
  test('are answered to us alone', () => {
    const bench = new Bench()
    const answers: unknown[] = []
    bench.relay.probe(['select @@sql_mode', 'do 0'], (got) => answers.push(got))
    bench.client(query('select'))
    expect(bench.gatekeeper.asked).toEqual([])
    bench.upstream(
      Buffer.concat([
        packets(
          result(
            ['a', 'b'],
            [
              ['ANSI', null],
              ['x', 'y'],
            ],
          ),
        ),
        packets([OK()]),
      ]),
    )
    expect(answers).toEqual([
      [
        [
          ['ANSI', null],
          ['x', 'y'],
        ],
        [],
      ],
    ])
    expect(bench.toClient()).toHaveLength(0)
    expect(bench.gatekeeper.asked).toEqual(['query select'])
  })

  test('that fail give nothing', () => {
    const bench = new Bench()
    const answers: unknown[] = []
    bench.relay.probe(['a', 'b'], (got) => answers.push(got))
    bench.upstream(Buffer.concat([packets([ERR('no')]), packets([OK()])]))
    expect(answers).toEqual([null])
  })

  test('are asked only in between', () => {
    const bench = new Bench().client(query('select'))
    expect(() => bench.relay.probe(['a'], () => undefined)).toThrow(ProtocolError)
  })
})

describe('last words', () => {
  test('are numbered so that the client reads them', () => {
    const error = ERR('bye')
    const bench = new Bench()
    expect(bench.relay.lastWords(error)).toEqual(encodePacket(1, error))
    bench.client(query('select'))
    expect(bench.relay.lastWords(error)).toEqual(encodePacket(1, error))
    bench.upstream(packets(result(['a'], [['1']]).slice(0, -1)))
    expect(bench.relay.lastWords(error)).toEqual(encodePacket(5, error))
  })
})
