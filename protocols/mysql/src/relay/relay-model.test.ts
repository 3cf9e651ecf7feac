/** The relay answers any pipeline as a server that refuses, masks and limits by itself. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '../bytes.ts'
import { TYPE } from '../columns.ts'
import { COM } from '../commands.ts'
import { encodePacket } from '../packets.ts'
import { EXECUTE_FLAG, writeExecute } from '../parameters.ts'
import { Bench, command, query, tell, uint32 } from './testing.ts'
import { ModelServer, SECRET } from './testing-server.ts'

const texts = fc.constantFrom(
  'ok',
  'rows 3',
  'rows 0',
  'mask rows 4',
  'refuse rows 1',
  'limited rows 2',
  'limited rows 5',
  'fail',
  'barrier',
  'answer',
  'rows 1;mask rows 2;ok',
  'ok;refuse;ok',
  'ok;fail;rows 1',
)
const ids = fc.integer({ min: 1, max: 4 })

function execute(
  id: number,
  value: string | null,
  options: { types: boolean; cursor: boolean },
): Buffer {
  const out = new ByteWriter()
  const bytes = value === null ? null : Buffer.from(value)
  const flags = options.cursor ? EXECUTE_FLAG.CURSOR_READ_ONLY : 0
  const parameters = [{ type: TYPE.VAR_STRING, unsigned: false, name: '', bytes }]
  writeExecute(out, { statementId: id, flags, parameters }, { named: false, types: options.types })
  return encodePacket(0, out.take())
}

const step: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: texts.filter((text) => text !== 'answer').map(query) },
  {
    weight: 3,
    arbitrary: texts
      .filter((text) => !text.includes(';') && text !== 'answer')
      .map((text) => command(COM.STMT_PREPARE, text)),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(ids, fc.constantFrom('yes', 'no', null), fc.boolean(), fc.boolean())
      .map(([id, value, types, cursor]) => execute(id, value, { types, cursor })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(ids, fc.integer({ min: 1, max: 3 }))
      .map(([id, rows]) => command(COM.STMT_FETCH, Buffer.concat([uint32(id), uint32(rows)]))),
  },
  { weight: 1, arbitrary: ids.map((id) => command(COM.STMT_RESET, uint32(id))) },
  { weight: 1, arbitrary: ids.map((id) => command(COM.STMT_CLOSE, uint32(id))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(ids, fc.constantFrom('yes', 'no'))
      .map(([id, value]) =>
        command(
          COM.STMT_SEND_LONG_DATA,
          Buffer.concat([uint32(id), Buffer.of(0, 0), Buffer.from(value)]),
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      command(COM.PING),
      command(COM.INIT_DB, 'refused'),
      command(COM.INIT_DB, 'crm'),
      command(COM.PROCESS_KILL, uint32(3)),
      command(COM.RESET_CONNECTION),
      command(0x05, 'x'),
      command(0xfe),
    ),
  },
)

/** What a client reads through the relay; `moves`: how many bytes go which way at a time. */
function through(stream: Buffer, moves: readonly number[]): { read: Buffer; server: ModelServer } {
  const bench = new Bench()
  bench.gatekeeper.answersKill = true
  bench.gatekeeper.forbidden = 'no'
  const server = new ModelServer({ refuses: false })
  const read: Buffer[] = []
  let sent = 0
  let toServer = Buffer.alloc(0)
  let fromServer = Buffer.alloc(0)
  for (let turn = 0, idle = 0; idle < 4; turn++) {
    const size = turn < moves.length ? moves[turn]! : 1 << 20
    idle++
    if (turn % 3 === 0 && sent < stream.length) {
      bench.client(stream.subarray(sent, sent + size))
      sent = Math.min(stream.length, sent + size)
      idle = 0
    }
    toServer = Buffer.concat([toServer, bench.toUpstream()])
    if (turn % 3 === 1 && toServer.length > 0) {
      server.receive(toServer.subarray(0, size))
      toServer = toServer.subarray(size)
      idle = 0
    }
    fromServer = Buffer.concat([fromServer, server.takeOutput()])
    if (turn % 3 === 2 && fromServer.length > 0) {
      bench.upstream(fromServer.subarray(0, size))
      fromServer = fromServer.subarray(size)
      idle = 0
    }
    if (bench.gatekeeper.cancels > 0) {
      bench.gatekeeper.cancels = 0
      bench.cancelled()
      idle = 0
    }
    read.push(bench.toClient())
  }
  expect([bench.unread, bench.unreadUpstream, bench.relay.quiescent]).toEqual([0, 0, true])
  return { read: Buffer.concat(read), server }
}

test('whatever is sent, in whatever pieces', () => {
  const moves = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), moves, (steps, sizes) => {
      const stream = Buffer.concat(steps)
      const model = new ModelServer({ refuses: true })
      model.receive(stream)
      const expected = model.takeOutput()
      const { read, server } = through(stream, sizes)
      expect(tell(read)).toEqual(tell(expected))
      expect(read.equals(expected)).toBe(true)
      expect(server.ran).toEqual(model.ran)
      expect(read.includes(SECRET)).toBe(false)
    }),
    { numRuns: 500 },
  )
})
