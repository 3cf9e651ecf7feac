import { describe, expect, test } from 'vitest'
import { readFixture } from '../fixtures/read.ts'
import { ByteWriter } from './bytes.ts'
import { decodeErrorFields, rewriteErrorResponse, sqlstateOf, writeReport } from './error-fields.ts'

const errors = readFixture('errors')
  .flatMap(({ lines }) => lines)
  .filter(({ from, bytes }) => from === 'server' && (bytes[0] === 0x45 || bytes[0] === 0x4e))
  .map(({ bytes }) => bytes)

describe('reports captured from a server', () => {
  test('hold every field of every kind', () => {
    const names = new Set(errors.flatMap((bytes) => Object.keys(decodeErrorFields(bytes, 5))))
    expect([...names].sort()).toEqual(
      [
        'column',
        'constraint',
        'dataType',
        'detail',
        'file',
        'hint',
        'internalPosition',
        'internalQuery',
        'line',
        'message',
        'position',
        'routine',
        'schema',
        'severity',
        'severityUntranslated',
        'sqlstate',
        'table',
        'where',
      ].sort(),
    )
  })

  test('tell their SQLSTATE without being decoded', () => {
    for (const bytes of errors) {
      expect(sqlstateOf(bytes, 5, bytes.length)).toBe(decodeErrorFields(bytes, 5).sqlstate)
    }
  })

  test('come out of a rewrite that changes nothing as they were, at any place in a buffer', () => {
    for (const bytes of errors) {
      const out = new ByteWriter()
      const buf = Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')])
      rewriteErrorResponse(buf, 2, 2 + bytes.length, (fields) => fields, out)
      expect(out.view().equals(bytes)).toBe(true)
    }
  })
})

describe('rewriteErrorResponse', () => {
  test('writes what it is given, and a notice stays one', () => {
    const source = new ByteWriter()
    const report = { severity: 'WARNING', sqlstate: '01000', message: 'ssn 123', detail: 'more' }
    writeReport(source, 'notice', report)
    const out = new ByteWriter()
    rewriteErrorResponse(
      source.view(),
      0,
      source.at,
      ({ severity, sqlstate }) => ({ severity, sqlstate, message: 'redacted' }),
      out,
    )
    expect(out.buf[0]).toBe(0x4e)
    expect(out.view().toString()).not.toContain('123')
    expect(decodeErrorFields(out.view(), 5)).toEqual({
      severity: 'WARNING',
      sqlstate: '01000',
      message: 'redacted',
    })
  })

  test('refuses a frame that is no report', () => {
    const frame = Buffer.from('Z\0\0\0\x05I', 'latin1')
    expect(() => rewriteErrorResponse(frame, 0, 6, (fields) => fields, new ByteWriter())).toThrow(
      expect.objectContaining({ code: 'unexpected-message' }),
    )
  })
})

test('a report without a code has no SQLSTATE', () => {
  expect(sqlstateOf(Buffer.from('SE\0Mx\0\0'), 0, 7)).toBeUndefined()
})
