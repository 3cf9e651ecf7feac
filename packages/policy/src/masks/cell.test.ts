import fc from 'fast-check'
import types from 'pg-types'
import { describe, expect, test } from 'vitest'
import { cellMaskNote, compileCellMask } from './cell.ts'
import { MYSQL_TYPE_NAMES, MYSQL_TYPES } from './mysql-types.ts'
import { placeholderOf } from './placeholder.ts'
import { DETECTORS, MASK_KINDS, type MaskSpec } from './spec.ts'
import { columnMask, KEYS, maskBinary, maskText, postgres, run } from './testing.ts'
import { type CellType, POSTGRES_TYPES, typeInfo } from './types.ts'

const SPECS: Readonly<Record<MaskSpec['kind'], MaskSpec>> = {
  null: { kind: 'null' },
  redact: { kind: 'redact' },
  partial: { kind: 'partial', keepFirst: 1, keepLast: 4, char: '*', sameLength: true },
  email: { kind: 'email' },
  hash: { kind: 'hash', domain: '', salt: 'none' },
  tokenize: { kind: 'tokenize', domain: '', salt: 'none' },
  'truncate-date': { kind: 'truncate-date', unit: 'month' },
  bucket: { kind: 'bucket', width: 10 },
  json: { kind: 'json', paths: ['$..*'], mask: { kind: 'redact' } },
  regex: { kind: 'regex', pattern: '\\d{3}', replacement: '###', flags: 'gu', otherwise: 'redact' },
  detect: { kind: 'detect', detectors: DETECTORS },
}

const cells: readonly CellType[] = [
  ...POSTGRES_TYPES.flatMap((typeId) => [postgres(typeId), postgres(typeId, 'binary')]),
  ...MYSQL_TYPES.flatMap((typeId): CellType[] => [
    { engine: 'mysql', typeId, format: 'text' },
    { engine: 'mariadb', typeId, format: 'binary', unsigned: true },
  ]),
  ...MYSQL_TYPE_NAMES.map(
    (typeName): CellType => ({ engine: 'mariadb', typeId: 254, typeName, format: 'binary' }),
  ),
  postgres(70_000),
  { ...postgres(70_001, 'binary'), element: postgres(70_000, 'binary') },
  { ...postgres(70_002), typeName: 'citext' },
  { ...postgres(70_003), base: postgres(23) },
]

const arbitraryCell = fc.constantFrom(...cells)
const arbitrarySpec = fc.constantFrom(...MASK_KINDS.map((kind) => SPECS[kind]))
const plausible = fc.oneof(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
  fc.integer().map((value) => Buffer.from(String(value))),
  fc.date({ noInvalidDate: true }).map((date) => Buffer.from(date.toISOString().replace('T', ' '))),
  fc
    .array(fc.string())
    .map((all) => Buffer.from(`{${all.map((s) => JSON.stringify(s)).join(',')}}`)),
  fc.uuid().map((text) => Buffer.from(text)),
)

test('an expression is one constant, whatever it is and also when it is NULL', () => {
  for (const cell of cells) {
    const mask = compileCellMask({ ...columnMask({ kind: 'redact' }), column: null }, cell, KEYS)
    const shown = (text: string): string => {
      const out = { buf: Buffer.alloc(256), at: 0, ensure: () => undefined }
      const written = mask(Buffer.from(text), 0, text.length, out)
      return written < 0 ? 'NULL' : out.buf.toString('hex', 0, written)
    }
    expect(shown('{a,b,c}')).toBe(shown(''))
    expect(shown('') === 'NULL' || mask.masksNull === true).toBe(true)
  }
})

describe('every mask on every type', () => {
  test('any bytes give masked bytes or NULL, and never an exception', () => {
    fc.assert(
      fc.property(arbitrarySpec, arbitraryCell, plausible, (spec, cell, bytes) => {
        run(compileCellMask(columnMask(spec), cell, KEYS), bytes)
      }),
      { numRuns: 4000 },
    )
  })

  // detect passes what holds no secret; json passes what no path names (here: a bare empty container).
  const whole = MASK_KINDS.filter((kind) => kind !== 'detect' && kind !== 'json')
  test('the original never comes out, unless it is itself what the mask shows', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...whole.map((kind) => SPECS[kind])),
        arbitraryCell,
        plausible,
        (spec, cell, bytes) => {
          const masked = run(compileCellMask(columnMask(spec), cell, KEYS), bytes)
          if (masked === null || !masked.equals(bytes)) return
          const info = typeInfo(cell)
          const isConstant = bytes.equals(info.binary) || bytes.toString() === info.text
          expect(isConstant || isOwnRounding(spec, cell, bytes)).toBe(true)
        },
      ),
      { numRuns: 6000 },
    )
  })

  test('the constant of every type decodes in pg-types, text and binary', () => {
    for (const typeId of POSTGRES_TYPES) {
      const text = maskText({ kind: 'redact' }, 'x', typeId)
      expect(() => types.getTypeParser(typeId, 'text')(text ?? '')).not.toThrow()
      const binary = maskBinary({ kind: 'redact' }, Buffer.from('x'), typeId)
      // pg-types reads a handful of types in binary; the others pass through as buffers.
      expect(() =>
        types.getTypeParser(typeId, 'binary')((binary ?? Buffer.alloc(0)) as never),
      ).not.toThrow()
    }
  })
})

/** Buckets and truncated dates are fixed points of their own rounding; partial and tokens are placeholders. */
function isOwnRounding(spec: MaskSpec, cell: CellType, bytes: Buffer): boolean {
  if (spec.kind === 'bucket' || spec.kind === 'truncate-date') return true
  if (spec.kind === 'partial' || spec.kind === 'email') return placeholderOf(spec, bytes.toString())
  return typeInfo(cell).shape === 'array' && bytes.length <= 12
}

describe('what a kind does to a type it does not fit', () => {
  test.each([
    ['an enum becomes NULL', 'redact', postgres(70_000), null],
    ['a partial mask on an int4 becomes 0', 'partial', postgres(23), '0'],
    ['a hash on a timestamp becomes the constant', 'hash', postgres(1114), '1900-01-01 00:00:00'],
    ['a bucket on text becomes the constant', 'bucket', postgres(25), '[redacted]'],
    [
      'a domain is masked as its base type',
      'redact',
      { ...postgres(70_003), base: postgres(16) },
      'f',
    ],
  ] as const)('%s', (_name, kind, cell, expected) => {
    const masked = run(compileCellMask(columnMask(SPECS[kind]), cell, KEYS), Buffer.from('secret'))
    expect(masked?.toString() ?? null).toBe(expected)
    if (kind !== 'redact' || expected === null)
      expect(cellMaskNote(columnMask(SPECS[kind]), cell)).toMatch(/instead/)
  })

  test('the note says `redact instead` exactly where the cell becomes the constant', () => {
    for (const kind of MASK_KINDS) {
      if (kind === 'null' || kind === 'redact') continue
      for (const [typeId, sample] of SAMPLES) {
        const masked = maskText(SPECS[kind], sample, typeId)
        const isConstant = masked === typeInfo(postgres(typeId)).text
        expect([kind, typeId, isConstant]).toEqual([
          kind,
          typeId,
          cellMaskNote(columnMask(SPECS[kind]), postgres(typeId)) !== null,
        ])
      }
    }
  })
})

/** Values every kind that fits the type can read. */
const SAMPLES: readonly (readonly [number, string])[] = [
  [25, '{"mail":"jane.doe@example.com 123"}'],
  [1042, '{"mail":"jane.doe@example.com 123"}'],
  [114, '{"mail":"jane.doe@example.com"}'],
  [3802, '{"mail":"jane.doe@example.com"}'],
  [23, '1234'],
  [20, '123456789012'],
  [1700, '1234.50'],
  [701, '1234.5'],
  [2950, '6f9619ff-8b86-d011-b42d-00cf4fc964ff'],
  [1082, '2024-05-06'],
  [1184, '2024-05-06 07:08:09+02'],
  [17, '\\xdeadbeef'],
  [869, '10.1.2.3'],
  [16, 't'],
]
