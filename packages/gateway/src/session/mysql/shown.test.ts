import type { RecordingFrame, RecordingOpen, SessionRecording } from '@sallyport/audit'
import {
  type ColumnDefinition,
  encodeBinaryRow,
  encodeEof,
  encodeErr,
  encodeOk,
  encodePacket,
  encodeTextRow,
  HEADER,
  limits,
  plainOk,
  TYPE,
} from '@sallyport/protocol-mysql'
import { OutputQueue } from '@sallyport/protocol-wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { replayFrames, type ShownItem } from '../../recordings/replay.ts'
import { NONE_SENT, type Sent, type ShownOptions } from '../shown.ts'
import { MysqlShown } from './shown.ts'

const ALL: ShownOptions = { rows: null, bytes: null, parameters: true, redacts: false }
const NAME = column('name', TYPE.VAR_STRING)
const AGE = column('age', TYPE.LONG)

function column(name: string, type: number): ColumnDefinition {
  const names = { catalog: 'def', schema: 's', table: 't', orgTable: 't', name, orgName: name }
  const extended = Buffer.alloc(0)
  return { ...names, collation: 45, length: 9, type, flags: 0, decimals: 0, extended }
}

const OPEN: RecordingOpen = {
  session: 's1',
  protocol: 'mysql',
  connection: 'crm',
  database: 'crm',
  subject: 'ann',
}

/** What a recording is told, as its frames, and what they show. */
function recorder() {
  const frames: RecordingFrame[] = []
  const recording: SessionRecording = {
    pending: true,
    mustWait: () => false,
    output: (buf, start, end) =>
      frames.push({ kind: 'output', at: 1, bytes: Buffer.from(buf.subarray(start, end)) }),
    input: () => {},
    answered: (statement) => frames.push({ kind: 'answered', at: 1, statement }),
    shape: (shape) => frames.push({ kind: 'shape', at: 1, shape }),
    result: (shape) => frames.push({ kind: 'result', at: 1, shape }),
    omitted: (what) => frames.push({ kind: 'omitted', at: 1, ...what }),
    end: () => {},
  }
  const shown = (): ShownItem[] => [
    ...replayFrames([{ kind: 'open', at: 1, open: OPEN }, ...frames]),
  ]
  return { recording, shown, told: () => shown().map(words) }
}

function words(item: ShownItem): string {
  switch (item.kind) {
    case 'columns':
      return `columns ${item.columns.map(({ name }) => name).join()}`
    case 'row':
      return `row ${item.cells.join()}`
    case 'complete':
      return `complete ${item.tag}`
    case 'error':
      return `${item.report.severity} ${item.report.message}`
    case 'omitted':
      return `omitted ${item.rows}`
    case 'answered':
      return `answered ${item.statement}`
    default:
      return item.kind
  }
}

const text = (...cells: readonly string[]) => encodeTextRow(cells.map((cell) => Buffer.from(cell)))
const OK = encodeOk(
  { ...plainOk(2), affectedRows: 3n, warnings: 1 },
  { sessionTrack: false, header: HEADER.OK },
)
const EOF = encodeEof({ warnings: 0, status: 2 })
const TWO = [NAME, AGE]
/** Stand for a column count and a definition, at which nobody looks, and what ends them. */
const HEAD = [Buffer.of(1), Buffer.from('\x03def'), EOF]

/** Packets as they come, or where rows begin, or what has been answered. */
type Act =
  | Buffer
  | { begins: 'text' | 'binary'; hides?: boolean; earlier?: Sent }
  | { answers: number }

/** Has them queued and taken, whole or in pieces of such sizes. */
function play(acts: readonly Act[], options: ShownOptions, sizes: readonly number[] | null) {
  const { recording, told } = recorder()
  const shown = new MysqlShown(recording, options)
  const pieces = [...(sizes ?? [])]
  let out = new OutputQueue()
  let sequence = 0
  let amongRows = false
  for (const act of acts) {
    if ('begins' in act) {
      const { begins: format, hides = false, earlier = NONE_SENT } = act
      shown.begins({ queued: out.bytes, hides, columns: TWO, format, earlier })
      amongRows = true
    } else if ('answers' in act) shown.answered(act.answers, out.bytes)
    else {
      const packet = encodePacket(sequence++ & 0xff, act)
      const isRow: boolean = amongRows && act[0] !== HEADER.EOF && act[0] !== HEADER.ERR
      amongRows = isRow
      if (sizes === null || !isRow) out.give(packet)
      else {
        // As the relay passes a long row on: its head, then the rest as it comes.
        for (let at = 0; at < packet.length; ) {
          const to = at === 0 ? 4 : Math.min(packet.length, at + (pieces.shift() ?? 9))
          out.forward(packet, at, to)
          at = to
          if (at % 2 === 0) {
            shown.take(out, 0)
            out = new OutputQueue()
          }
        }
      }
    }
    if (sizes !== null && (pieces.shift() ?? 0) % 2 === 0) {
      shown.take(out, 0)
      out = new OutputQueue()
    }
  }
  shown.take(out, 0)
  return told()
}

const SESSION: readonly Act[] = [
  OK,
  { answers: 1 },
  ...HEAD,
  { begins: 'text' },
  text('', 'empty first'),
  text('Ann', '7'),
  text('x'.repeat(300), '8'),
  EOF,
  { answers: 2 },
  // What a fetch of a cursor sends.
  { begins: 'binary' },
  encodeBinaryRow([Buffer.from('Bob'), Buffer.of(42, 0, 0, 0)], [TYPE.VAR_STRING, TYPE.LONG]),
  EOF,
  { answers: 3 },
  ...HEAD,
  { begins: 'text' },
  text('cut', '1'),
  encodeErr({ errno: 1062, sqlstate: '23000', message: "Duplicate entry 'secret'" }),
  { answers: 4 },
]

describe('the output of a MySQL session', () => {
  test('is kept whole, and says what it showed', () => {
    expect(play(SESSION, ALL, null)).toEqual([
      'complete OK, 3 rows affected, 1 warning',
      'answered 1',
      'columns name,age',
      'row ,empty first',
      'row Ann,7',
      `row ${'x'.repeat(300)},8`,
      'complete 3 rows',
      'answered 2',
      'columns name,age',
      'row Bob,42',
      'complete 1 row',
      'answered 3',
      'columns name,age',
      'row cut,1',
      "ERROR 1062 Duplicate entry 'secret'",
      'answered 4',
    ])
  })

  test('keeps the first rows of each result and counts the others', () => {
    const told = play(SESSION, { ...ALL, rows: 1 }, null)
    expect(told.slice(2, 7)).toEqual([
      'columns name,age',
      'row ,empty first',
      'omitted 2',
      'complete 3 rows',
      'answered 2',
    ])
    expect(told).toContain('row Bob,42')
  })

  test('loses the rows of a result that shows protected values, and what errors quote', () => {
    const hidden = SESSION.map((act) => ('begins' in act ? { ...act, hides: true } : act))
    const told = play(hidden, { ...ALL, redacts: true }, null)
    expect(told.filter((one) => one.startsWith('row'))).toEqual([])
    expect(told.filter((one) => one.startsWith('omitted'))).toEqual([
      'omitted 3',
      'omitted 1',
      'omitted 1',
    ])
    expect(told.join()).not.toContain('secret')
    expect(told.join()).toContain('ERROR 1062')
  })

  test('is the same however it is cut into reads', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })
    const bounds = fc.constantFrom(ALL, { ...ALL, rows: 1 }, { ...ALL, bytes: 30 })
    fc.assert(
      fc.property(sizes, bounds, (cuts, options) => {
        expect(play(SESSION, options, cuts)).toEqual(play(SESSION, options, null))
      }),
    )
  })

  test('of a value over 16 MiB is one row, kept or left out', () => {
    const long = encodeTextRow([
      Buffer.alloc(limits.PACKET_PAYLOAD_BYTES_MAX, 0x61),
      Buffer.of(0x62),
    ])
    const acts: Act[] = [{ begins: 'text' }, long, text('a', 'b'), EOF, { answers: 1 }]
    expect(play(acts, ALL, null).at(-2)).toBe('complete 2 rows')
    const told = play(acts, { ...ALL, bytes: 1000 }, null)
    expect(told).toEqual(['columns name,age', 'omitted 2', 'complete 2 rows', 'answered 1'])
  })
})
