import type { ByteSink, CellMask } from '@sallyport/protocol-wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cells } from '../fixtures/arbitraries.ts'
import { ByteWriter } from './bytes.ts'
import { TYPE } from './columns.ts'
import { ProtocolError } from './errors.ts'
import { writeMaskedBinaryRow, writeMaskedTextRow } from './masked-row.ts'
import { decodeBinaryRow, decodeTextRow, encodeBinaryRow, encodeTextRow } from './rows.ts'

const write = (text: string): CellMask => {
  const bytes = Buffer.from(text)
  return (_src, _start, _end, out: ByteSink) => {
    out.ensure(bytes.length)
    bytes.copy(out.buf, out.at)
    out.at += bytes.length
    return bytes.length
  }
}
const toNull: CellMask = () => -1
const always: CellMask = Object.assign(write('***').bind(null), { masksNull: true })
/** Reads what it masks, and writes it reversed: as wide as it was. */
const reversed: CellMask = (src, start, end, out) => {
  const bytes = Buffer.from(src.subarray(start, end)).reverse()
  out.ensure(bytes.length)
  bytes.copy(out.buf, out.at)
  out.at += bytes.length
  return bytes.length
}

const maskText = (
  values: readonly (Buffer | null)[],
  masks: readonly (CellMask | null)[],
): string[] => {
  const src = Buffer.concat([Buffer.from('before'), encodeTextRow(values), Buffer.from('after')])
  const out = new ByteWriter({ initialBytes: 4 })
  writeMaskedTextRow(src, 6, src.length - 5, masks, out)
  return decodeTextRow(out.view(), values.length).map(String)
}

describe('text rows', () => {
  const row = [Buffer.from('a'), Buffer.from('secret'), null, Buffer.from('d')]

  test.each([
    ['a constant', [null, write('***'), null, null], ['a', '***', 'null', 'd']],
    ['NULL', [null, toNull, null, null], ['a', 'null', 'null', 'd']],
    [
      'nothing where there is nothing',
      [null, null, write('x'), null],
      ['a', 'secret', 'null', 'd'],
    ],
    ['always', [null, null, always, null], ['a', 'secret', '***', 'd']],
    ['the first and the last', [write(''), null, null, write('z')], ['', 'secret', 'null', 'z']],
  ] as const)('%s', (_name, masks, expected) => {
    expect(maskText(row, masks)).toEqual(expected)
  })

  test.each([250, 251, 65_535, 65_536, 16_777_215, 16_777_216])(
    'a mask of %i bytes has its length',
    (length) => {
      const [, masked, , last] = maskText(row, [null, write('m'.repeat(length)), null, null])
      expect([masked?.length, last]).toEqual([length, 'd'])
    },
  )

  test('what has no mask is the same, what has one shows what it wrote', () => {
    fc.assert(
      fc.property(
        cells,
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        (row, hidden) => {
          const values = row.map(({ value }) => value)
          const masks = values.map((_, i) => (hidden[i] === true ? write('***') : null))
          const expected = values.map((value, i) =>
            String(value !== null && hidden[i] === true ? '***' : value),
          )
          expect(maskText(values, masks)).toEqual(expected)
        },
      ),
    )
  })

  test('one that is cut, goes on or breaks the contract of masks leaves nothing', () => {
    const payload = encodeTextRow(row)
    const out = new ByteWriter()
    const attempt = (bytes: Buffer, masks: readonly (CellMask | null)[]) => () =>
      writeMaskedTextRow(bytes, 0, bytes.length, masks, out)
    const plain = [null, write('***'), null, null]
    for (let end = 0; end < payload.length; end++) {
      expect(attempt(payload.subarray(0, end), plain)).toThrow(ProtocolError)
    }
    expect(attempt(Buffer.concat([payload, Buffer.of(1)]), plain)).toThrow(ProtocolError)
    expect(attempt(payload, [...plain, null])).toThrow(ProtocolError)
    const lies: CellMask = (_src, _start, _end, sink) => {
      sink.ensure(2)
      sink.at += 2
      return 1
    }
    expect(attempt(payload, [null, lies, null, null])).toThrow(
      expect.objectContaining({ code: 'mask-contract' }),
    )
    const throws: CellMask = () => {
      throw new Error('mask')
    }
    expect(attempt(payload, [null, write('x'), null, throws])).toThrow('mask')
    expect(out.at).toBe(0)
  })

  test('lengths that no row has are refused', () => {
    const out = new ByteWriter()
    for (const hex of ['ff', 'feffffffffffffffff', 'fe0000000001000000', 'fdffffff61']) {
      const bytes = Buffer.from(hex, 'hex')
      expect(() => writeMaskedTextRow(bytes, 0, bytes.length, [null], out)).toThrow(ProtocolError)
    }
  })
})

describe('binary rows', () => {
  const mask = (
    row: readonly { type: number; value: Buffer | null }[],
    masks: readonly (CellMask | null)[],
  ): string[] => {
    const types = row.map(({ type }) => type)
    const payload = encodeBinaryRow(
      row.map(({ value }) => value),
      types,
    )
    const src = Buffer.concat([Buffer.from('before'), payload, Buffer.from('after')])
    const out = new ByteWriter({ initialBytes: 4 })
    writeMaskedBinaryRow(src, 6, src.length - 5, { masks, types: Uint8Array.from(types) }, out)
    return decodeBinaryRow(out.view(), types).map((value) =>
      value === null ? 'null' : Buffer.from(value).toString('hex'),
    )
  }

  test('every type keeps its layout under a mask as wide as it', () => {
    fc.assert(
      fc.property(
        cells,
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        (row, hidden) => {
          const masks = row.map((_, i) => (hidden[i] === true ? reversed : null))
          const expected = row.map(({ value }, i) => {
            if (value === null) return 'null'
            return (hidden[i] === true ? Buffer.from(value).reverse() : value).toString('hex')
          })
          expect(mask(row, masks)).toEqual(expected)
        },
      ),
    )
  })

  test('to NULL and from NULL moves the bit', () => {
    fc.assert(
      fc.property(cells, (row) => {
        expect(
          mask(
            row,
            row.map(() => toNull),
          ),
        ).toEqual(row.map(() => 'null'))
      }),
    )
    const zero: CellMask = Object.assign(
      (_src: Buffer, _start: number, _end: number, out: ByteSink) => {
        out.ensure(4)
        out.buf.fill(0, out.at, out.at + 4)
        out.at += 4
        return 4
      },
      { masksNull: true },
    )
    const row = Array.from({ length: 9 }, () => ({ type: TYPE.LONG as number, value: null }))
    expect(
      mask(
        row,
        row.map(() => zero),
      ),
    ).toEqual(row.map(() => '00000000'))
  })

  test.each([
    ['a number of another width', TYPE.LONG, Buffer.alloc(4)],
    ['a date of a length no date has', TYPE.DATETIME, Buffer.alloc(7)],
  ])('%s breaks the contract', (_name, type, value) => {
    expect(() => mask([{ type, value }], [write('***')])).toThrow(
      expect.objectContaining({ code: 'mask-contract' }),
    )
  })

  test('a date may become none, or a shorter one', () => {
    expect(mask([{ type: TYPE.DATETIME, value: Buffer.alloc(7, 1) }], [write('')])).toEqual([''])
    expect(mask([{ type: TYPE.DATETIME, value: Buffer.alloc(7, 1) }], [write('abcd')])).toEqual([
      '61626364',
    ])
  })

  test('one that is cut, goes on or is of other types leaves nothing', () => {
    const types = [TYPE.LONG, TYPE.VAR_STRING, TYPE.TIME]
    const payload = encodeBinaryRow(
      [Buffer.alloc(4), Buffer.from('secret'), Buffer.alloc(8)],
      types,
    )
    const out = new ByteWriter()
    const attempt =
      (bytes: Buffer, of: readonly number[] = types) =>
      () =>
        writeMaskedBinaryRow(
          bytes,
          0,
          bytes.length,
          { masks: of.map(() => null), types: Uint8Array.from(of) },
          out,
        )
    for (let end = 0; end < payload.length; end++) {
      expect(attempt(payload.subarray(0, end))).toThrow(ProtocolError)
    }
    expect(attempt(Buffer.concat([payload, Buffer.of(1)]))).toThrow(ProtocolError)
    expect(attempt(payload, [TYPE.LONG, TYPE.VAR_STRING])).toThrow(ProtocolError)
    expect(attempt(payload, [TYPE.LONG, 0x80, TYPE.TIME])).toThrow(ProtocolError)
    expect(attempt(Buffer.concat([Buffer.of(1), payload.subarray(1)]))).toThrow(ProtocolError)
    expect(out.at).toBe(0)
  })
})
