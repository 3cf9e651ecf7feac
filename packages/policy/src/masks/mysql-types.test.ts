import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cellMaskNote, compileCellMask } from './cell.ts'
import { hasBinaryForm, MYSQL_TYPE_NAMES, MYSQL_TYPES } from './mysql-types.ts'
import type { MaskSpec } from './spec.ts'
import { columnMask, KEYS, run } from './testing.ts'
import type { CellType } from './types.ts'

const REDACT: MaskSpec = { kind: 'redact' }
const HASH: MaskSpec = { kind: 'hash', domain: '', salt: 'none' }
const TOKEN: MaskSpec = { kind: 'tokenize', domain: '', salt: 'none' }
const PARTIAL: MaskSpec = {
  kind: 'partial',
  keepFirst: 0,
  keepLast: 2,
  char: '*',
  sameLength: true,
}
const bucket = (width: number): MaskSpec => ({ kind: 'bucket', width })
const month: MaskSpec = { kind: 'truncate-date', unit: 'month' }
const hour: MaskSpec = { kind: 'truncate-date', unit: 'hour' }

const text = (typeId: number, more: Partial<CellType> = {}): CellType => ({
  engine: 'mysql',
  typeId,
  format: 'text',
  ...more,
})
const binary = (typeId: number, more: Partial<CellType> = {}): CellType =>
  text(typeId, { format: 'binary', ...more })
const mask = (spec: MaskSpec, cell: CellType, value: Buffer | string): Buffer | null =>
  run(compileCellMask(columnMask(spec), cell, KEYS), Buffer.from(value as string))
const le = (size: number, value: bigint): Buffer => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigInt64LE(BigInt.asIntN(64, value))
  return buffer.subarray(0, size)
}
/** Fixed widths of binary rows. */
const WIDTHS: readonly (readonly [code: number, width: number])[] = [
  [1, 1], [2, 2], [3, 4], [4, 4], [5, 8], [8, 8], [9, 4], [13, 2],
] // biome-ignore format: a table of pairs

describe('cells of MySQL and MariaDB', () => {
  test.each(WIDTHS)(
    'type %i keeps its %i bytes in a binary row, whatever the mask',
    (code, width) => {
      const specs = [REDACT, HASH, TOKEN, PARTIAL, bucket(10), month]
      fc.assert(
        fc.property(
          fc.constantFrom(...specs),
          fc.boolean(),
          fc.uint8Array({ minLength: width, maxLength: width }),
          (spec, unsigned, bytes) => {
            expect(mask(spec, binary(code, { unsigned }), Buffer.from(bytes))?.length).toBe(width)
          },
        ),
      )
    },
  )

  test.each([7, 10, 12])('type %i has 4 or 7 bytes in a binary row when it is masked', (code) => {
    // 2024-05-06 07:08:09.000123
    const value = Buffer.from([0xe8, 0x07, 5, 6, 7, 8, 9, 123, 0, 0, 0])
    expect(mask(REDACT, binary(code), value)?.toString('hex')).toBe('6c070101')
    expect(mask(month, binary(code), value)?.toString('hex')).toBe('e8070501')
    expect(mask(hour, binary(code), value)?.toString('hex')).toBe('e8070506070000')
    expect(mask(month, binary(code), Buffer.alloc(0))?.toString('hex')).toBe('6c070101')
  })

  test.each([
    ['a date', 10, '2024-05-06', '2024-05-01'],
    ['a date that is none', 10, '0000-00-00', '1900-01-01'],
    ['a time with microseconds', 12, '2024-05-06 07:08:09.123456', '2024-05-01 00:00:00'],
  ])('truncates %s in a text row', (_what, code, value, expected) => {
    expect(mask(month, text(code), value)?.toString()).toBe(expected)
  })

  test.each([
    ['TINYINT UNSIGNED', 1, 1, 201n, 200n],
    ['SMALLINT UNSIGNED', 2, 2, 65_535n, 65_530n],
    ['INT UNSIGNED', 3, 4, 4_294_967_295n, 4_294_967_290n],
    ['BIGINT UNSIGNED', 8, 8, 18_446_744_073_709_551_615n, 18_446_744_073_709_551_610n],
  ])('reads %s as it is, in either kind of row', (_what, code, size, value, expected) => {
    const unsigned = { unsigned: true }
    expect(mask(bucket(10), binary(code, unsigned), le(size, value))).toEqual(le(size, expected))
    expect(mask(bucket(10), text(code, unsigned), String(value))?.toString()).toBe(String(expected))
  })

  test.each([
    ['ZEROFILL', 3, '0000001234', '1230'],
    ['DECIMAL', 246, '-12.34', '-20'],
    ['DECIMAL ZEROFILL', 246, '00012.34', '10'],
    ['DOUBLE', 5, '1.5e3', '1500'],
  ])('buckets %s in a text row', (_what, code, value, expected) => {
    expect(mask(bucket(10), text(code, { unsigned: true }), value)?.toString()).toBe(expected)
  })

  test.each([
    ['integers', text(3), binary(3), '1234', le(4, 1234n), (b: Buffer) => String(b.readInt32LE())],
    ['decimals', text(246), binary(246), '12.30', Buffer.from('12.3'), String],
    [
      'strings',
      text(253),
      binary(253),
      'jane@example.com',
      Buffer.from('jane@example.com'),
      String,
    ],
    ['documents', text(245), binary(245), '{"a": 1}', Buffer.from('{"a": 1}'), String],
  ])('hashes equal %s equally in text and binary rows', (_what, one, other, value, bytes, read) => {
    const hashed = mask(HASH, other, bytes)
    expect(mask(HASH, one, value)?.toString()).toBe(read(hashed ?? Buffer.alloc(0)))
  })

  test.each([
    ['decimal', binary(246), '0'],
    ['bit', binary(16), '\0'],
    ['json', binary(245), '"[redacted]"'],
    ['json under a text type', text(252, { typeName: 'json' }), '"[redacted]"'],
    ['enum', text(254, { typeName: 'enum' }), ''],
    ['set', binary(254, { typeName: 'set' }), ''],
    ['uuid', binary(254, { typeName: 'uuid' }), '00000000-0000-0000-0000-000000000000'],
    ['inet6', text(254, { typeName: 'inet6' }), '::'],
    ['year', text(13), '1901'],
    ['time', text(11), '00:00:00'],
    ['blob', binary(252), '[redacted]'],
    ['geometry', text(255), `\0\0\0\0\u0001\u0001\0\0\0${'\0'.repeat(16)}`],
    ['polygon', binary(255, { typeName: 'polygon' }), '\0\0\0\0\u0001\u0003\0\0\0\0\0\0\0'],
  ])('%s has a constant that its readers understand', (_what, cell, expected) => {
    expect(mask(REDACT, cell, 'secret')?.toString('latin1')).toBe(expected)
  })

  test('a name that does not go with the type code is not believed', () => {
    const date = text(10, { typeName: 'json' })
    expect(mask(REDACT, date, 'secret')?.toString()).toBe('1900-01-01')
    const place = binary(255, { typeName: 'uuid' })
    expect(mask(REDACT, place, 'secret')?.length).toBe(25)
  })

  test('a type that nobody has listed becomes NULL', () => {
    expect(mask(REDACT, text(200), 'secret')).toBeNull()
    expect(mask(HASH, binary(200), 'secret')).toBeNull()
  })

  test('hash gives a UUID that is one, also in a binary row, where it is text', () => {
    const cell = binary(254, { typeName: 'uuid' })
    const shown = mask(HASH, cell, '6f9619ff-8b86-d011-b42d-00cf4fc964ff')?.toString()
    expect(shown).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  test('a note says what is masked harder than written', () => {
    expect(cellMaskNote(columnMask(TOKEN), text(1))).toMatch(/redact/)
    expect(cellMaskNote(columnMask(bucket(10)), text(1))).toBeNull()
    expect(cellMaskNote(columnMask(HASH), text(254, { typeName: 'enum' }))).toMatch(/redact/)
  })

  test('only numbers and times are written differently in binary rows', () => {
    expect(MYSQL_TYPES.filter(hasBinaryForm)).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13])
    expect(MYSQL_TYPE_NAMES).toContain('multipolygon')
  })
})
