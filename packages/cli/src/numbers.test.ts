import { expect, test } from 'vitest'
import { CliError } from './errors.ts'
import { counted, countOf } from './numbers.ts'

const range = { flag: '--limit', min: 1, max: 100 }

test.each([
  ['1', 1],
  ['100', 100],
])('reads %s', (text, value) => {
  expect(countOf(text, range)).toBe(value)
})

test.each(['0', '101', '', '-1', '1.5', '1e2', ' 1', 'all', '9'.repeat(30)])(
  'refuses `%s` and names the flag',
  (text) => {
    expect(() => countOf(text, range)).toThrow(
      new CliError('usage', '--limit takes a whole number from 1 to 100'),
    )
  },
)

test('one is singular', () => {
  expect([counted(0, 'rule'), counted(1, 'rule'), counted(2, 'rule')]).toEqual([
    '0 rules',
    '1 rule',
    '2 rules',
  ])
})
