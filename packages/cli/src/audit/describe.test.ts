import { expect, test } from 'vitest'
import { recordRow } from './describe.ts'

const record = (event: { type: string; v: number; [field: string]: unknown }) => ({
  seq: 7,
  at: 0,
  prev: '',
  event,
})

test('a denied statement says why', () => {
  const row = recordRow(
    record({
      type: 'statement',
      v: 1,
      session: 's',
      ordinal: 1,
      via: 'simple',
      sql: 'DROP TABLE t',
      verdict: 'deny',
      rule: null,
      reason: 'never DDL',
      relations: [],
      effects: [],
      masks: [],
    }),
  )
  expect(row.at(-1)).toBe('DROP TABLE t  [never DDL]')
  expect(row.at(-2)).toEqual({ style: 'red', text: 'deny simple' })
})

test('an event of a later release is shown by its type', () => {
  expect(recordRow(record({ type: 'from-the-future', v: 3 }))).toEqual([
    '7',
    '1970-01-01 00:00:00',
    { style: 'dim', text: '' },
    { style: 'dim', text: 'from-the-future' },
    'of a later release',
  ])
})
