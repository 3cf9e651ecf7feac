import type { CellMask } from '@sallyport/protocol-wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBackend, encodeBackend } from './backend.ts'
import { decodeDataRow } from './backend-results.ts'
import { ByteWriter } from './bytes.ts'
import { rewriteDataRow } from './data-row.ts'
import { ProtocolError } from './errors.ts'

const row = (...values: (string | null)[]): Buffer =>
  encodeBackend({
    kind: 'DataRow',
    values: values.map((value) => (value === null ? null : Buffer.from(value))),
  })

/** A mask that writes `text` whatever it is given. */
function constant(text: string): CellMask {
  const bytes = Buffer.from(text)
  return (_src, _start, _end, out) => {
    out.ensure(bytes.length)
    bytes.copy(out.buf, out.at)
    out.at += bytes.length
    return bytes.length
  }
}

const toNull: CellMask = () => -1
const doubled: CellMask = (src, start, end, out) => {
  for (let twice = 0; twice < 2; twice++) {
    out.ensure(end - start)
    src.copy(out.buf, out.at, start, end)
    out.at += end - start
  }
  return 2 * (end - start)
}

function rewritten(frame: Buffer, ...masks: (CellMask | null)[]): (string | null)[] {
  const out = new ByteWriter({ initialBytes: 0 })
  rewriteDataRow(frame, 0, frame.length, masks, out)
  const bytes = out.view()
  expect(bytes.readInt32BE(1)).toBe(bytes.length - 1)
  return decodeDataRow(bytes, 5, bytes.length).map((value) =>
    value === null ? null : Buffer.from(value).toString(),
  )
}

test('NULL is masked only where the mask says so', () => {
  const hidden: CellMask = Object.assign(constant('same'), { masksNull: true })
  expect(rewritten(row(null, 'a', null), hidden, hidden, constant('x'))).toEqual([
    'same',
    'same',
    null,
  ])
})

describe('rewriteDataRow', () => {
  test('replaces values by shorter, longer, empty and null ones, and keeps the rest', () => {
    expect(
      rewritten(
        row('a', 'secret', 'b', 'secret', 'secret', 'secret', 'c'),
        null,
        constant('x'),
        null,
        constant('much longer than it was'),
        constant(''),
        toNull,
        null,
      ),
    ).toEqual(['a', 'x', 'b', 'much longer than it was', '', null, 'c'])
  })

  test('never shows NULL to a mask', () => {
    expect(rewritten(row(null, 'a', null), constant('x'), constant('y'), null)).toEqual([
      null,
      'y',
      null,
    ])
  })

  test('takes a row of no columns', () => {
    expect(rewritten(row())).toEqual([])
  })

  test.each([7, 8, 9, 63, 127, 128, 129, 1000, 70_000])(
    'copies %i unmasked bytes on either side of a masked value',
    (length) => {
      const long = Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 26))).join('')
      expect(rewritten(row(long, 'secret', long), null, constant('x'), null)).toEqual([
        long,
        'x',
        long,
      ])
    },
  )

  test('appends to what the sink holds, row after row, and from the middle of a buffer', () => {
    const frames = [row('a', 'b'), row('c', 'd')]
    const buf = Buffer.concat([Buffer.from('junk'), ...frames, Buffer.from('junk')])
    const out = new ByteWriter({ initialBytes: 1 })
    let at = 4
    for (const frame of frames) {
      rewriteDataRow(buf, at, at + frame.length, [null, doubled], out)
      at += frame.length
    }
    expect(out.view().equals(Buffer.concat([row('a', 'bb'), row('c', 'dd')]))).toBe(true)
  })

  test('agrees with decoding, masking and encoding, on any row', () => {
    const cell = fc.option(fc.string({ unit: 'grapheme', maxLength: 200 }))
    const mask = fc.constantFrom(null, toNull, doubled, constant('****'))
    const column = fc.record({ cell, mask })
    fc.assert(
      fc.property(fc.array(column, { maxLength: 12 }), (columns) => {
        const expected = columns.map((one) => {
          if (one.cell === null || one.mask === null) return one.cell
          if (one.mask === toNull) return null
          return one.mask === doubled ? one.cell + one.cell : '****'
        })
        const frame = row(...columns.map((one) => one.cell))
        expect(rewritten(frame, ...columns.map((one) => one.mask))).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })
})

describe('rewriteDataRow fails closed', () => {
  /** Runs it, expecting an error and a sink as it was. */
  function refused(frame: Buffer, ...masks: (CellMask | null)[]): unknown {
    const out = new ByteWriter()
    out.at = 3
    try {
      rewriteDataRow(frame, 0, frame.length, masks, out)
    } catch (error) {
      expect(out.at).toBe(3)
      return error
    }
    return undefined
  }

  const patched = (frame: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(frame)
    copy.writeInt32BE(value, at)
    return copy
  }

  test.each([
    ['fewer columns than masks', row('a'), [null, constant('x')], 'bad-count'],
    ['more columns than masks', row('a', 'b'), [constant('x')], 'bad-count'],
    ['a value of length -2', patched(row('a'), 7, -2), [constant('x')], 'bad-length'],
    ['a value longer than the row', patched(row('a'), 7, 2), [null], 'truncated'],
    ['a value of the largest length', patched(row('a'), 7, 0x7fffffff), [null], 'truncated'],
    ['a value shorter than the row', patched(row('ab'), 7, 1), [null], 'trailing-bytes'],
    ['a length that is not its frame', patched(row('ab'), 1, 9), [null], 'bad-length'],
    ['another message', encodeBackend({ kind: 'NoData' }), [], 'truncated'],
    [
      'a message of the same size',
      Buffer.from('T\0\0\0\x06\0\0', 'latin1'),
      [],
      'unexpected-message',
    ],
  ] as const)('on %s', (_name, frame, masks, code) => {
    expect(refused(frame, ...masks)).toMatchObject({ code })
  })

  test('on a row cut at any offset', () => {
    const frame = row('abc', null, 'def')
    for (let end = 0; end < frame.length; end++) {
      expect(refused(frame.subarray(0, end), null, null, null)).toBeInstanceOf(ProtocolError)
    }
  })

  test.each([
    ['says more than it wrote', () => 1],
    ['says -2', () => -2],
    [
      'writes and says null',
      ((_s, _a, _e, out) => {
        out.ensure(1)
        out.at++
        return -1
      }) as CellMask,
    ],
  ])('on a mask that %s', (_name, mask) => {
    expect(refused(row('a', 'b'), null, mask)).toMatchObject({
      code: 'mask-contract',
      side: 'local',
    })
  })

  test('on a mask that throws', () => {
    const error = new Error('no key')
    const throwing: CellMask = () => {
      throw error
    }
    expect(refused(row('a', 'b'), constant('x'), throwing)).toBe(error)
  })

  test('on any bytes: a row that decodes, or a ProtocolError', () => {
    const body = fc.uint8Array({ maxLength: 40 })
    fc.assert(
      fc.property(
        body,
        fc.array(fc.constantFrom(null, doubled), { maxLength: 4 }),
        (bytes, masks) => {
          const head = Buffer.from([0x44, 0, 0, 0, 0, 0, masks.length])
          const frame = Buffer.concat([head, bytes])
          frame.writeInt32BE(frame.length - 1, 1)
          const out = new ByteWriter()
          try {
            rewriteDataRow(frame, 0, frame.length, masks, out)
            const made = out.view()
            expect(decodeBackend(0x44, made, 5, made.length).kind).toBe('DataRow')
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
            expect(out.at).toBe(0)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
