/** What a row of ten text columns costs under masks, and what each mask costs alone. */
import { createSecretKey, randomBytes } from 'node:crypto'
import { compileCellMask, type MaskSpec } from '@sallyport/policy'
import { encodeBackend, rewriteDataRow } from '@sallyport/protocol-postgres'
import type { CellMask } from '@sallyport/protocol-wire'
import { GrowingSink } from '@sallyport/protocol-wire'
import { type Case, suite } from './suite.ts'

const TEXT = 25
const COLUMNS = 10
const ROWS = 512
const SINK_BYTES = 64 * 1024
const KEYS = { hmac: createSecretKey(randomBytes(32)) }

function mask(spec: MaskSpec): CellMask {
  const column = {
    spec,
    strength: 0,
    derived: 'redact',
    predicates: 'equality',
    probes: null,
    groupMin: null,
    names: [],
    column: null,
  } as const
  return compileCellMask(column, { engine: 'postgres', typeId: TEXT, format: 'text' }, KEYS)
}

const SPECS: Readonly<Record<string, MaskSpec>> = {
  redact: { kind: 'redact' },
  partial: { kind: 'partial', keepFirst: 0, keepLast: 4, char: '*', sameLength: true },
  email: { kind: 'email' },
  'hash (values come again)': { kind: 'hash', domain: '', salt: 'none' },
  'tokenize (values come again)': { kind: 'tokenize', domain: '', salt: 'none' },
}

const cells = (n: number): Buffer[] =>
  [
    String(n).padStart(10, '0'),
    `4111${String(n * 7919).padStart(12, '0')}`,
    `jane.doe.${n}@example.com`,
    `+49 30 ${String(n).padStart(7, '0')}`,
    `customer-${n}`,
    `Jane Doe the ${n}`,
    'c4ca4238a0b923820dcc509a6f75849b',
    'Berlin',
    'closed',
    '2024-05-17',
  ].map((text) => Buffer.from(text))

/** As they come from the server: in one buffer, one behind the other. */
const frames = Array.from({ length: ROWS }, (_, n) =>
  Buffer.from(encodeBackend({ kind: 'DataRow', values: cells(n) })),
)
const input = Buffer.concat(frames)
const starts = [0]
for (const frame of frames) starts.push((starts.at(-1) ?? 0) + frame.length)

const sink = new GrowingSink(SINK_BYTES)
const reset = (): void => sink.reset(false)

function rowCase(name: string, byColumn: Readonly<Record<number, MaskSpec>>): Case {
  const masks = Array.from({ length: COLUMNS }, (_, i) =>
    byColumn[i] === undefined ? null : mask(byColumn[i]),
  )
  return {
    name,
    run: (i) => {
      const row = i % ROWS
      rewriteDataRow(input, starts[row] as number, starts[row + 1] as number, masks, sink)
    },
    after: reset,
  }
}

const same = SPECS['partial'] as MaskSpec
await suite(`rewriteDataRow, ${Math.round(input.length / ROWS)} bytes, ${COLUMNS} columns`, [
  rowCase('no mask', {}),
  rowCase('2 columns, same length', { 1: same, 3: same }),
  rowCase('3 columns, other lengths', {
    1: { kind: 'redact' },
    2: { kind: 'email' },
    4: { kind: 'hash', domain: '', salt: 'none' },
  }),
])

const values = Array.from({ length: ROWS }, (_, n) => cells(n))
await suite(
  'One cell',
  Object.entries(SPECS).map(([name, spec]) => {
    const cell = mask(spec)
    const column = spec.kind === 'email' ? 2 : 1
    return {
      name,
      run: (i: number) => {
        const value = values[i % ROWS]?.[column] as Buffer
        cell(value, 0, value.length, sink)
      },
      after: reset,
    }
  }),
)
