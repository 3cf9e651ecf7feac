import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  areUnitColumns,
  BulkParameters,
  type BulkValue,
  decodeBulkHead,
  writeBulkExecute,
} from './bulk.ts'
import { ByteWriter } from './bytes.ts'
import { type ColumnDefinition, TYPE } from './columns.ts'
import { ProtocolError } from './errors.ts'
import type { ParameterType } from './parameters.ts'

const type = (number: number): ParameterType => ({ type: number, unsigned: false, name: '' })
const TYPES = [type(TYPE.LONG), type(TYPE.VAR_STRING)]

const nothing = fc.constantFrom<BulkValue>('null', 'default', 'ignore')
const int = fc.integer({ min: 0, max: 0x7fff_ffff }).map((n): BulkValue => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(n)
  return bytes
})
const text = fc.string({ maxLength: 300 }).map((one): BulkValue => Buffer.from(one))
const row = fc.tuple(fc.oneof(nothing, int), fc.oneof(nothing, text))
const rows = fc.array(row, { minLength: 1, maxLength: 20 })

function encode(all: readonly (readonly BulkValue[])[], sent = true): Buffer {
  const out = new ByteWriter()
  writeBulkExecute(out, 7, { sent, all: TYPES }, all)
  return out.take()
}

function decode(payload: Buffer, known: readonly ParameterType[] | null = null): BulkParameters {
  const { bodyStart, sendsTypes } = decodeBulkHead(payload, 1, payload.length)
  return new BulkParameters(payload, bodyStart, payload.length, { markers: 2, sendsTypes, known })
}

/** As text: `Parameters` is the same object for every row. */
function told(bulk: BulkParameters): (string | null)[][] {
  return Array.from(bulk, (one) => [one.text(0), one.text(1)])
}

const told1 = (value: BulkValue, isInt: boolean): string | null => {
  if (typeof value === 'string') return null
  const bytes = Buffer.from(value)
  return isInt ? String(bytes.readInt32LE()) : bytes.toString()
}

describe('COM_STMT_BULK_EXECUTE', () => {
  test('its rows come back, with types of its own or those of the last execute', () => {
    fc.assert(
      fc.property(rows, fc.boolean(), (all, sent) => {
        const payload = encode(all, sent)
        expect(decodeBulkHead(payload, 1, payload.length)).toMatchObject({ statementId: 7 })
        const bulk = decode(payload, sent ? null : TYPES)
        expect(bulk.rows).toBe(all.length)
        expect(bulk.types).toEqual(TYPES)
        const expected = all.map(([n, t]) => [told1(n, true), told1(t, false)])
        expect(told(bulk)).toEqual(expected)
        expect(told(bulk)).toEqual(expected)
      }),
    )
  })

  test('each of its flags is read, and another refused', () => {
    const payload = encode([['null', 'null']])
    for (const [flags, expected] of [
      [0, { sendsTypes: false, unitResults: false }],
      [0x40, { sendsTypes: false, unitResults: true }],
      [0xc0, { sendsTypes: true, unitResults: true }],
    ] as const) {
      payload[5] = flags
      expect(decodeBulkHead(payload, 1, payload.length)).toMatchObject(expected)
    }
    payload[5] = 0x20
    expect(() => decodeBulkHead(payload, 1, payload.length)).toThrow(ProtocolError)
  })

  test('cut anywhere but between two rows, or with a byte behind it, it is refused', () => {
    const all: BulkValue[][] = [
      [Buffer.alloc(4), Buffer.from('one')],
      ['null', 'default'],
    ]
    const payload = encode(all)
    const whole = encode(all.slice(0, 1)).length
    for (let length = 1; length < payload.length; length++) {
      if (length === whole) continue
      expect(() => decode(payload.subarray(0, length))).toThrow(ProtocolError)
    }
    expect(() => decode(Buffer.concat([payload, Buffer.of(0)]))).toThrow(ProtocolError)
  })

  test.each([
    [
      'without types nobody knows',
      Buffer.concat([Buffer.of(0xfa, 7, 0, 0, 0, 0, 0), Buffer.of(1, 1)]),
    ],
    ['of a flag that was not offered', Buffer.of(0xfa, 7, 0, 0, 0, 0xc0, 0)],
    ['of an unknown indicator', Buffer.of(0xfa, 7, 0, 0, 0, 0x80, 0, 3, 0, 253, 0, 1, 4)],
    ['of an unknown type', Buffer.of(0xfa, 7, 0, 0, 0, 0x80, 0, 3, 0, 99, 0, 1, 1)],
    ['of no row', Buffer.of(0xfa, 7, 0, 0, 0, 0x80, 0, 3, 0, 253, 0)],
  ])('one %s is refused', (_, payload) => {
    expect(() => decode(payload)).toThrow(ProtocolError)
  })

  test('of a statement without parameters there is none', () => {
    const payload = Buffer.of(0xfa, 7, 0, 0, 0, 0x80, 0)
    const layout = { markers: 0, sendsTypes: true, known: null }
    expect(() => new BulkParameters(payload, 7, 7, layout)).toThrow(ProtocolError)
  })

  test('any bytes are rows or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const payload = Buffer.concat([Buffer.of(0xfa, 7, 0, 0, 0, 0x80, 0, 3, 0, 253, 0), bytes])
        try {
          expect(told(decode(payload)).length).toBeGreaterThan(0)
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
        }
      }),
      { numRuns: 5000 },
    )
  })
})

test.each([
  [['Id', 'Affected_rows'], '', true],
  [['Id', 'Affected_rows'], 'people', false],
  [['Id', 'ssn'], '', false],
  [['Id'], '', false],
])('columns %j of table `%s` are those of what each row did: %s', (names, orgTable, expected) => {
  // Safe: nothing else of a definition is looked at.
  const columns = names.map((name) => ({ name, orgTable }) as ColumnDefinition)
  expect(areUnitColumns(columns)).toBe(expected)
})
