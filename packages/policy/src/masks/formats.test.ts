import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalDecimal, numericText, writeNumeric } from './numeric.ts'
import { Scratch } from './sink.ts'
import type { MaskSpec } from './spec.ts'
import { maskBinary, maskText } from './testing.ts'

const HASH: MaskSpec = { kind: 'hash', domain: '', salt: 'none' }
const TOKEN: MaskSpec = { kind: 'tokenize', domain: '', salt: 'none' }
const BUCKET: MaskSpec = { kind: 'bucket', width: 25 }

function encodeInt(value: bigint, bytes: number): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigInt64BE(value)
  return buffer.subarray(8 - bytes)
}
const decodeInt = (buffer: Buffer | null, bytes: number): string =>
  String(BigInt.asIntN(bytes * 8, BigInt(`0x${buffer?.toString('hex')}`)))

function encodeNumeric(text: string): Buffer {
  const out = new Scratch()
  writeNumeric(text, out)
  return Buffer.from(out.buf.subarray(0, out.at))
}

const integers = [
  [21, 2, 15n],
  [23, 4, 31n],
  [20, 8, 63n],
] as const

describe('text and binary cells of one value', () => {
  test.each(integers)('agree for integers (type %i)', (typeId, bytes, bits) => {
    const value = fc.bigInt({ min: -(1n << bits), max: (1n << bits) - 1n })
    fc.assert(
      fc.property(value, fc.constantFrom(HASH, TOKEN, BUCKET), (number, spec) => {
        const text = maskText(spec, String(number), typeId)
        const binary = maskBinary(spec, encodeInt(number, bytes), typeId)
        expect(decodeInt(binary, bytes)).toBe(text)
        if (spec !== BUCKET) expect(text).not.toBe(String(number))
      }),
    )
  })

  const decimal = fc
    .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.stringMatching(/^\d{0,12}$/))
    .map(([isNegative, whole, fraction]) => {
      const text = fraction === '' ? String(whole) : `${whole}.${fraction}`
      return isNegative && /[1-9]/.test(text) ? `-${text}` : text
    })

  test('agree for numeric', () => {
    fc.assert(
      fc.property(decimal, fc.constantFrom(HASH, TOKEN, BUCKET), (number, spec) => {
        const text = maskText(spec, number, 1700) ?? ''
        const binary = maskBinary(spec, encodeNumeric(number), 1700) ?? Buffer.alloc(0)
        expect(canonicalDecimal(numericText(binary, 0, binary.length) ?? 'NaN')).toBe(
          canonicalDecimal(text),
        )
      }),
    )
  })

  test('numeric survives a round trip through its binary form', () => {
    fc.assert(
      fc.property(decimal, (number) => {
        const binary = encodeNumeric(number)
        expect(numericText(binary, 0, binary.length)).toBe(number)
      }),
    )
  })

  test('a numeric captured from PostgreSQL reads as it prints', () => {
    // select numeric_send(-12345.678), numeric_send(0.00012), numeric_send('NaN')
    const cases = [
      ['0003000140000003000109291a7c', '-12345.678'],
      ['0001ffff0000000504b0', '0.12000'],
      ['00000000c0000000', null],
    ] as const
    for (const [hex, text] of cases) {
      const bytes = Buffer.from(hex, 'hex')
      expect(numericText(bytes, 0, bytes.length)).toBe(text)
    }
  })

  test('agree for uuid, and the result is a version 8 uuid', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom(HASH, TOKEN), (uuid, spec) => {
        const text = maskText(spec, uuid, 2950) ?? ''
        const binary = maskBinary(spec, Buffer.from(uuid.replaceAll('-', ''), 'hex'), 2950)
        expect(text.replaceAll('-', '')).toBe(binary?.toString('hex'))
        expect(text).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        )
      }),
    )
  })

  test('agree for bytea, in hex and escape output', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        const bytes = Buffer.from(value)
        const escaped = [...bytes]
          .map((b) =>
            b === 0x5c
              ? '\\\\'
              : b < 0x20 || b > 0x7e
                ? `\\${b.toString(8).padStart(3, '0')}`
                : String.fromCharCode(b),
          )
          .join('')
        const hashed = maskBinary(HASH, bytes, 17)?.toString('hex')
        expect(maskText(HASH, `\\x${bytes.toString('hex')}`, 17)).toBe(`\\x${hashed}`)
        if (!escaped.startsWith('\\x')) expect(maskText(HASH, escaped, 17)).toBe(`\\x${hashed}`)
      }),
    )
  })

  test('agree for jsonb, whose binary form has a version byte', () => {
    const json: MaskSpec = { kind: 'json', paths: ['$.a', '$..phone'], mask: { kind: 'redact' } }
    const text = '{"a": [1, {"b": 2}], "c": {"phone": "+49 30 1"}, "d": 1.50}'
    const binary = maskBinary(json, Buffer.from(`\u0001${text}`), 3802)
    expect(binary?.toString()).toBe(`\u0001${maskText(json, text, 3802)}`)
    expect(maskText(json, text, 3802)).toBe(
      '{"a": "[redacted]", "c": {"phone": "[redacted]"}, "d": 1.50}',
    )
  })
})

describe('truncate-date', () => {
  const ts = (iso: string): Buffer => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64BE(BigInt(Date.parse(iso)) * 1000n - 946_684_800_000_000n)
    return buffer
  }
  test.each([
    ['year', '2024-01-01 00:00:00+00'],
    ['month', '2024-05-01 00:00:00+00'],
    ['day', '2024-05-05 00:00:00+00'],
    ['hour', '2024-05-05 22:00:00+00'],
  ] as const)('cuts a timestamptz to the %s in UTC', (unit, expected) => {
    const spec: MaskSpec = { kind: 'truncate-date', unit }
    expect(maskText(spec, '2024-05-06 00:08:09.123456+02', 1184)).toBe(expected)
    const binary = maskBinary(spec, ts('2024-05-05T22:08:09.123Z'), 1184)
    expect(binary).toEqual(ts(expected.replace(' ', 'T').replace('+00', 'Z')))
  })

  test('agrees in both formats for any day', () => {
    fc.assert(
      fc.property(
        fc.date({
          min: new Date('0001-01-01T00:00:00Z'),
          max: new Date('9999-12-31T23:59:59Z'),
          noInvalidDate: true,
        }),
        fc.constantFrom('year', 'month', 'day', 'hour' as const),
        (date, unit) => {
          const spec = { kind: 'truncate-date', unit } as MaskSpec
          const iso = date.toISOString()
          const text = maskText(spec, iso.replace('T', ' ').replace('Z', ''), 1114) ?? ''
          expect(maskBinary(spec, ts(iso), 1114)).toEqual(ts(`${text.replace(' ', 'T')}Z`))
          const day = Buffer.alloc(4)
          day.writeInt32BE(Math.floor(date.getTime() / 86_400_000) - 10_957)
          const cut = Buffer.alloc(4)
          cut.writeInt32BE(
            Math.floor(Date.parse(`${text.slice(0, 10)}T00:00:00Z`) / 86_400_000) - 10_957,
          )
          expect(maskBinary(spec, day, 1082)).toEqual(unit === 'hour' ? day : cut)
        },
      ),
    )
  })

  test.each([
    ['infinity', 1114],
    ['-infinity', 1082],
    ['0044-03-15 BC', 1082],
    ['05/06/2024', 1082],
    ['2024-13-01', 1082],
    ['2024-05-06 07:08:09', 1184],
  ])('redacts %s', (value, typeId) => {
    const masked = maskText({ kind: 'truncate-date', unit: 'year' }, value, typeId)
    expect(masked).toMatch(/^1900-01-01/)
  })

  test('redacts binary infinities', () => {
    const spec: MaskSpec = { kind: 'truncate-date', unit: 'year' }
    const constant = maskBinary({ kind: 'redact' }, Buffer.alloc(8), 1114)
    expect(maskBinary(spec, Buffer.from('7fffffffffffffff', 'hex'), 1114)).toEqual(constant)
    expect(maskBinary(spec, Buffer.from('8000000000000000', 'hex'), 1114)).toEqual(constant)
  })
})

describe('bucket', () => {
  test.each([
    ['57', 23, '50'],
    ['-1', 23, '-25'],
    ['-32768', 21, '0'],
    ['74.9', 1700, '50'],
    ['-0.5', 1700, '-25'],
    ['99.99', 701, '75'],
    ['NaN', 701, '0'],
  ])('%s (type %i) becomes %s', (value, typeId, expected) => {
    expect(maskText(BUCKET, value, typeId)).toBe(expected)
  })
})

describe('arrays', () => {
  const PARTIAL: MaskSpec = {
    kind: 'partial',
    keepFirst: 0,
    keepLast: 2,
    char: '*',
    sameLength: true,
  }
  test.each([
    ['{}', '{}'],
    ['{abcdef,"g\\"h,i}",NULL,"NULL"}', '{"****ef","****i}",NULL,"**LL"}'],
    ['{{a,b},{c,d}}', '{{"*","*"},{"*","*"}}'],
    ['[0:1]={abcd,efgh}', '[0:1]={"**cd","**gh"}'],
    ['{abcdef', '{}'],
    ['{abcdef}x', '{}'],
    ['abcdef', '{}'],
  ])('text %s becomes %s', (value, expected) => {
    expect(maskText(PARTIAL, value, 1009)).toBe(expected)
  })

  const int32 = (...values: number[]) => {
    const buffer = Buffer.alloc(values.length * 4)
    values.forEach((value, i) => {
      buffer.writeInt32BE(value, i * 4)
    })
    return buffer
  }
  test('binary elements are masked one by one and NULL stays NULL', () => {
    const value = Buffer.concat([int32(1, 1, 25, 2, 1, 6), Buffer.from('abcdef'), int32(-1)])
    const expected = Buffer.concat([int32(1, 1, 25, 2, 1, 6), Buffer.from('****ef'), int32(-1)])
    expect(maskBinary(PARTIAL, value, 1009)).toEqual(expected)
  })

  test('a binary array that says another element type than its own becomes empty', () => {
    const value = Buffer.concat([int32(1, 0, 23, 1, 1, 4), int32(7)])
    expect(maskBinary(PARTIAL, value, 1009)).toEqual(int32(0, 0, 25))
  })

  test.each([
    [{ kind: 'redact' }, '{a,b,c}', 1009],
    [PARTIAL, '{1,2,3}', 1007],
  ] as [MaskSpec, string, number][])(
    'a constant does not tell how many elements there are',
    (mask, value, typeId) => {
      expect(maskText(mask, value, typeId)).toBe('{}')
      expect(maskText(mask, value.slice(0, -2) + '}', typeId)).toBe('{}')
    },
  )

  test('a null mask makes the whole array NULL', () => {
    expect(maskText({ kind: 'null' }, '{a,b}', 1009)).toBeNull()
  })
})
