import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../canonical.ts'
import type { AuditEvent } from '../event.ts'
import { decodeRecord } from '../record.ts'
import { outcome, statement } from '../testing-events.ts'
import { LineReader } from './lines.ts'
import { addToTotals } from './session-row.ts'
import { recordTermsOf } from './terms.ts'

const text = fc.oneof(
  fc.constantFrom('s1', 's2', '', ',"session":"s9"', '","seq":', 'tab\t', 'ü', '\ud800', '\\'),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 10, 2 ** 53 - 1))
const events: fc.Arbitrary<AuditEvent> = fc.oneof(
  fc
    .record({
      session: text,
      ordinal: count,
      sql: text,
      rule: fc.option(text),
      verdict: fc.constantFrom('allow', 'deny'),
      masks: fc.array(text, { maxLength: 2 }),
      relations: fc.array(fc.record({ access: fc.constant('read' as const), name: text }), {
        maxLength: 2,
      }),
      parameters: fc.array(fc.option(text), { maxLength: 3 }),
      tags: fc.dictionary(fc.constantFrom('session', 'ordinal', 'run'), text),
    })
    .map((fields) => statement(fields)),
  fc
    .record({
      session: text,
      statement: count,
      status: fc.constantFrom('ok', 'error', 'refused'),
      rows: count,
      bytes: count,
      micros: count,
    })
    .map((fields) => outcome(fields)),
  fc
    .record({ session: text, statement: count, sqlstate: text, commandTag: text })
    .map((fields) => outcome(fields)),
)

function line(event: AuditEvent, seq: number, at: number): Buffer {
  const prev = 'ab'.repeat(32)
  return Buffer.from(`${canonicalJson({ at, event, prev, seq })}\n`)
}

/** What the index takes from a line, whichever way it was read. */
function expected(bytes: Buffer): object | null {
  const record = decodeRecord(bytes.subarray(0, -1))
  if (record === null) return null
  const { seq, at, event } = record
  const { session, statement: refers } = event
  return {
    seq,
    at,
    session: typeof session === 'string' ? session : null,
    refers: typeof refers === 'number' ? refers : null,
    terms: recordTermsOf(event),
    sql: event['sql'],
    totals: totalsOf(event as unknown as AuditEvent),
  }
}

function totalsOf(event: AuditEvent): object {
  const totals = { statements: 0, refused: 0, rows: 0, bytes: 0 }
  addToTotals(totals, event)
  return totals
}

function read(reader: LineReader, bytes: Buffer): (object | null)[] {
  return reader.read(bytes).map(({ record }) => {
    if (record === null) return null
    const { seq, at, session, refers, terms, event } = record
    const totals = totalsOf(event as unknown as AuditEvent)
    return { seq, at, session, refers, terms, sql: event['sql'], totals }
  })
}

describe('lines of a segment', () => {
  test('say the same read by their places as parsed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(events, count, count), { maxLength: 12 }), (records) => {
        const lines = records.map(([event, seq, at]) => line(event, seq, at))
        const reader = new LineReader()
        // Twice: what it remembers of the first time is used the second.
        for (let time = 0; time < 2; time++) {
          expect(read(reader, Buffer.concat(lines))).toEqual(lines.map(expected))
        }
      }),
    )
  })

  test('say the same when they differ in session, ordinal, parameters and text alone', () => {
    const parameters = fc.array(fc.option(text), { maxLength: 3 })
    const fields = fc.record({ session: text, ordinal: count, sql: text, parameters })
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 12 }), (statements) => {
        const lines = statements.map((one, i) => line(statement(one), i + 1, i))
        expect(read(new LineReader(), Buffer.concat(lines))).toEqual(lines.map(expected))
      }),
    )
  })

  test('say the same when a byte of them has been changed', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) })
    fc.assert(
      fc.property(events, fc.array(change, { minLength: 1, maxLength: 3 }), (event, changes) => {
        const bytes = line(event, 7, 1_767_225_600_000)
        const reader = new LineReader()
        read(reader, bytes)
        for (const { at, byte } of changes) {
          if (byte !== 0x0a) bytes[at % (bytes.length - 1)] = byte
        }
        expect(read(reader, bytes)).toEqual([expected(bytes)])
      }),
      { numRuns: 500 },
    )
  })

  test('say the same while statements are not looked for, as many have been new', () => {
    const lines = Array.from({ length: 3000 }, (_, i) =>
      line(statement({ ordinal: i, rule: `rule ${i < 200 || i > 2900 ? i : 'x'}` }), i + 1, 1),
    )
    expect(read(new LineReader(), Buffer.concat(lines))).toEqual(lines.map(expected))
  })

  test('are known again whatever their session, ordinal, parameters and text are', () => {
    const reader = new LineReader()
    const bytes = Buffer.concat([
      line(statement({ session: 'one', ordinal: 1 }), 1, 1),
      line(statement({ session: 'two', ordinal: 20 }), 2, 1),
      line(statement({ sql: 'SELECT 1' }), 3, 1),
      line(statement({ rule: 'another' }), 4, 1),
      line(statement({ parameters: ['4711', null] }), 5, 1),
    ])
    const [first, second, third, other, bound] = reader.read(bytes).map(({ record }) => record)
    expect(second?.terms).toBe(first?.terms)
    expect(third?.terms).toBe(first?.terms)
    expect(other?.terms).not.toBe(first?.terms)
    expect(bound?.terms).toBe(first?.terms)
    expect(second?.session).toBe('two')
    expect(third?.event['sql']).toBe('SELECT 1')
  })
})
