import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from './canonical.ts'
import { AuditError } from './errors.ts'
import type { AuditEvent, Statement } from './event.ts'
import {
  FORM_BYTES_MAX,
  LIST_ITEMS_MAX,
  RECORD_BYTES_MAX,
  SQL_CHARS_MAX,
  STRING_CHARS_MAX,
} from './limits.ts'
import { leafHash, MerkleFrontier, merkleRoot, NO_HASH } from './merkle.ts'
import { decodeRecord } from './record.ts'
import { NEW_CHAIN, RecordWriter } from './record-writer.ts'
import { StatementForm } from './statement-form.ts'
import { outcome, statement } from './testing-events.ts'

function newWriter(bufferBytes = 65_536): RecordWriter {
  return new RecordWriter({ bufferBytes, chain: NEW_CHAIN, frontier: new MerkleFrontier() })
}

function linesOf(writer: RecordWriter): string[] {
  return writer.pending().toString('utf8').split('\n').slice(0, -1)
}

/** The line an event must become, by way of the plain canonical encoder. */
function lineFor(event: AuditEvent, place: { at: number; prev: string; seq: number }): string {
  return canonicalJson({ at: place.at, event, prev: place.prev, seq: place.seq })
}

const text = fc.string({ unit: 'binary', maxLength: 60 })
const longText = fc.string({ unit: 'binary', minLength: 380, maxLength: 500 })
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const count = fc.maxSafeNat()

const statements = fc.record({
  type: fc.constant('statement' as const),
  v: fc.constant(1 as const),
  session: text,
  ordinal: count,
  via: fc.constantFrom('simple', 'parse', 'bind', 'execute', 'copy', 'function'),
  sql: fc.oneof(text, longText),
  fingerprint: optional(text),
  verdict: fc.constantFrom('allow', 'deny', 'approve'),
  rule: fc.option(text),
  code: optional(text),
  reason: optional(text),
  relations: fc.array(fc.record({ access: fc.constantFrom('read', 'write'), name: text })),
  effects: fc.array(text),
  masks: fc.array(text),
  parameters: optional(fc.array(fc.option(text))),
  tags: optional(fc.dictionary(text, text)),
})

const outcomes = fc.record({
  type: fc.constant('outcome' as const),
  v: fc.constant(1 as const),
  session: text,
  statement: count,
  status: fc.constantFrom('ok', 'error', 'cancelled', 'refused'),
  rows: count,
  bytes: count,
  micros: count,
  sqlstate: optional(text),
  commandTag: optional(text),
})

/** exactOptionalPropertyTypes: an absent member, not an undefined one. */
function compact<T extends object>(event: T): AuditEvent {
  const entries = Object.entries(event).filter(([, value]) => value !== undefined)
  // Safe: the arbitraries above are those of the event types.
  return Object.fromEntries(entries) as unknown as AuditEvent
}

describe('RecordWriter', () => {
  test('writes any statement or outcome as the canonical JSON of its record', () => {
    fc.assert(
      fc.property(fc.oneof(statements, outcomes).map(compact), count, (event, at) => {
        const writer = newWriter()
        const seq = writer.append(event, at)
        expect(linesOf(writer)).toEqual([lineFor(event, { at, prev: NO_HASH, seq })])
      }),
      { numRuns: 500 },
    )
  })

  test('writes a statement whose form is kept as one that is encoded each time', () => {
    // Texts that come again: at once, and after another.
    const texts = fc.array(fc.oneof(text, longText, fc.constantFrom('a', 'b', 'ü')), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(statements.map(compact), texts, count, (event, others, at) => {
        const { session, ordinal, sql, parameters, cut: _, ...fields } = event as Statement
        const bound = parameters === undefined ? {} : { parameters }
        const form = StatementForm.of(fields)
        expect(form).not.toBeNull()
        if (form === null) return
        const writer = newWriter()
        for (const one of [sql, sql, sql, ...others, ...others, sql]) {
          const prev = writer.chain.head
          const seq = writer.appendForm(form, { session, ordinal, sql: one, ...bound }, at)
          const whole = { ...fields, session, ordinal, sql: one, ...bound }
          expect(linesOf(writer)).toEqual([lineFor(whole, { at, prev, seq })])
          writer.clear()
        }
      }),
    )
  })

  test('keeps no form of a statement that is over a cap', () => {
    const {
      session: _s,
      ordinal: _o,
      sql: _t,
      ...rest
    } = statement({
      rule: 'r'.repeat(STRING_CHARS_MAX + 1),
    })
    expect(StatementForm.of(rest)).toBeNull()
  })

  test.each([FORM_BYTES_MAX, SQL_CHARS_MAX, SQL_CHARS_MAX + 1])(
    'writes a text of %i characters with a form as without',
    (length) => {
      const event = statement({ sql: 'x'.repeat(length) })
      const { session, ordinal, sql, ...fields } = event
      const form = StatementForm.of(fields)
      if (form === null) throw new Error('no form')
      const [plain, formed] = [newWriter(1_000_000), newWriter(1_000_000)]
      plain.append(event, 1)
      plain.append(event, 1)
      formed.appendForm(form, { session, ordinal, sql }, 1)
      formed.appendForm(form, { session, ordinal, sql }, 1)
      expect(linesOf(formed)).toEqual(linesOf(plain))
    },
  )

  test.each([
    ['a long value', ['x'.repeat(STRING_CHARS_MAX + 1)]],
    ['many values', Array.from({ length: LIST_ITEMS_MAX + 1 }, (_, i) => `${i}`)],
    [
      'values that fill a record',
      Array.from({ length: LIST_ITEMS_MAX }, () => 'x'.repeat(STRING_CHARS_MAX)),
    ],
  ])('writes %s with a form as without', (_name, parameters) => {
    const event = statement({ parameters })
    const { session, ordinal, sql, parameters: _p, ...fields } = event
    const form = StatementForm.of(fields)
    if (form === null) throw new Error('no form')
    const [plain, formed] = [newWriter(1_000_000), newWriter(1_000_000)]
    plain.append(event, 1)
    formed.appendForm(form, { session, ordinal, sql, parameters }, 1)
    expect(linesOf(formed)).toEqual(linesOf(plain))
  })

  test('refuses a session that does not fit, and changes nothing', () => {
    const { session: _s, ordinal, sql, ...fields } = statement()
    const form = StatementForm.of(fields)
    const writer = newWriter()
    const session = 's'.repeat(STRING_CHARS_MAX + 1)
    if (form === null) throw new Error('no form')
    expect(() => writer.appendForm(form, { session, ordinal, sql }, 1)).toThrow(AuditError)
    expect(writer.chain).toEqual(NEW_CHAIN)
  })

  test('reads back what was written', () => {
    fc.assert(
      fc.property(fc.oneof(statements, outcomes).map(compact), (event) => {
        const writer = newWriter()
        writer.append(event, 7)
        const record = decodeRecord(writer.pending().subarray(0, -1))
        expect(record).toEqual({ at: 7, event, prev: NO_HASH, seq: 1 })
      }),
    )
  })

  test('chains each record to the one before and counts it into the tree', () => {
    const writer = newWriter()
    for (let i = 1; i <= 5; i++) writer.append(statement({ ordinal: i }), i)
    const lines = linesOf(writer).map((line) => Buffer.from(line))
    const hashes = lines.map(leafHash)
    expect(lines.map((line) => decodeRecord(line)?.prev)).toEqual([NO_HASH, ...hashes.slice(0, -1)])
    expect(writer.chain).toEqual({ seq: 5, at: 5, head: hashes.at(-1) })
    expect(writer.frontier.root()).toBe(merkleRoot(hashes))
  })

  test('goes on with the chain after the buffer was written out', () => {
    const writer = newWriter()
    writer.append(statement(), 1)
    const { head } = writer.chain
    writer.clear()
    writer.append(statement(), 2)
    expect(decodeRecord(writer.pending().subarray(0, -1))).toMatchObject({ seq: 2, prev: head })
  })

  test('cuts statement text over its cap and keeps its length and hash', () => {
    const writer = newWriter()
    const sql = `SELECT '${'é'.repeat(SQL_CHARS_MAX)}'`
    writer.append(statement({ sql }), 1)
    const event = decodeRecord(writer.pending().subarray(0, -1))?.event
    expect(event?.['sql']).toBe(sql.slice(0, SQL_CHARS_MAX))
    expect(event?.['cut']).toEqual([
      {
        field: 'sql',
        bytes: Buffer.byteLength(sql),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
  })

  test('keeps statement text that is exactly at its cap', () => {
    const writer = newWriter()
    const sql = 'x'.repeat(SQL_CHARS_MAX)
    writer.append(statement({ sql }), 1)
    expect(decodeRecord(writer.pending().subarray(0, -1))?.event).toEqual(statement({ sql }))
  })

  test('never cuts a code point in two', () => {
    const writer = newWriter()
    writer.append(statement({ sql: `a${'\u{1f600}'.repeat(SQL_CHARS_MAX / 2)}` }), 1)
    const sql = String(decodeRecord(writer.pending().subarray(0, -1))?.event['sql'])
    expect(sql.length).toBe(SQL_CHARS_MAX - 1)
    expect(sql.isWellFormed()).toBe(true)
  })

  test.each([
    ['a long name', { rule: 'r'.repeat(STRING_CHARS_MAX + 1) }, 'rule'],
    ['many masks', { masks: Array.from({ length: LIST_ITEMS_MAX + 1 }, () => 'm') }, 'masks'],
    ['a long parameter', { parameters: ['p'.repeat(STRING_CHARS_MAX + 1)] }, 'parameters'],
    ['a long tag', { tags: { node: 't'.repeat(STRING_CHARS_MAX + 1) } }, 'tags'],
    [
      'many relations',
      {
        relations: Array.from({ length: LIST_ITEMS_MAX + 1 }, () => ({
          access: 'read' as const,
          name: 'r',
        })),
      },
      'relations',
    ],
  ])('cuts %s and says so', (_name, fields, field) => {
    const writer = newWriter()
    writer.append(statement(fields), 1)
    const event = decodeRecord(writer.pending().subarray(0, -1))?.event
    expect(event?.['cut']).toMatchObject([{ field }])
  })

  test('cuts events of every other type too', () => {
    const writer = newWriter()
    const reason = 'r'.repeat(STRING_CHARS_MAX * 2)
    writer.append({ type: 'session-ended', v: 1, session: 's', reason }, 1)
    const event = decodeRecord(writer.pending().subarray(0, -1))?.event
    expect(event?.['reason']).toBe(reason.slice(0, STRING_CHARS_MAX))
  })

  test('fits the worst event into a record', () => {
    const worst = '\u0000'.repeat(SQL_CHARS_MAX * 2)
    const list = Array.from({ length: LIST_ITEMS_MAX * 2 }, () => worst.slice(0, STRING_CHARS_MAX))
    const event = statement({
      sql: worst,
      session: worst,
      rule: worst,
      reason: worst,
      masks: list,
      effects: list,
      parameters: list,
      relations: list.map((name) => ({ access: 'read' as const, name })),
      tags: Object.fromEntries(list.map((value, i) => [`${i}${value}`, value])),
    })
    const writer = newWriter()
    writer.append(event, 1)
    const line = writer.pending().subarray(0, -1)
    expect(line.length).toBeLessThanOrEqual(RECORD_BYTES_MAX)
    expect(decodeRecord(line)?.event['cut']).toHaveLength(9)
  })

  test.each([
    ['a negative count', { ordinal: -1 }],
    ['a fraction', { ordinal: 1.5 }],
    ['a count that is not a number', { ordinal: Number.NaN }],
  ])('refuses %s and changes nothing', (_name, fields) => {
    const writer = newWriter()
    writer.append(statement(), 1)
    const before = { chain: writer.chain, bytes: writer.pending().toString() }
    expect(() => writer.append(statement(fields), 2)).toThrow(AuditError)
    expect({ chain: writer.chain, bytes: writer.pending().toString() }).toEqual(before)
    writer.append(outcome({ statement: 1 }), 3)
    expect(writer.chain.seq).toBe(2)
  })

  test('refuses when the buffer is at its cap, with a whole record over it at most', () => {
    const writer = newWriter(1_000)
    writer.append(statement({ sql: 'x'.repeat(50_000) }), 1)
    expect(writer.isFull).toBe(true)
    expect(() => writer.append(statement(), 2)).toThrow(
      expect.objectContaining({ code: 'unavailable' }),
    )
    expect(linesOf(writer)).toHaveLength(1)
  })
})
