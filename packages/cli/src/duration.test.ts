import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, formatMoment, momentOf, parseDuration, relativeTo } from './duration.ts'
import { CliError } from './errors.ts'

test.each([
  ['30s', 30_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1h30m', 5_400_000],
])('reads %s', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '15', 'm', '15 m', '-5m', '1.5h', '0s', '15M', '99999d', '1h-30m', '15m '])(
  'refuses `%s` as a duration',
  (text) => {
    expect(parseDuration(text)).toBeNull()
  },
)

test('every duration of whole units comes back from its text', () => {
  const units = fc.constantFrom(['s', 1], ['m', 60], ['h', 3600]) as fc.Arbitrary<[string, number]>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9999 }), units, (count, [unit, seconds]) => {
      expect(parseDuration(`${count}${unit}`)).toBe(count * seconds * 1000)
    }),
  )
})

test.each([
  [0, '0 s'],
  [12_000, '12 s'],
  [180_000, '3 min'],
  [7_500_000, '2 h 5 min'],
  [86_400_000 * 3, '3 d'],
  [86_400_000 + 61_000, '1 d'],
])('says %d ms as `%s`', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test('says how far a moment is from now', () => {
  expect(relativeTo(1_000_000, 1_000_000 - 180_000)).toBe('3 min ago')
  expect(relativeTo(1_000_000, 1_000_000 + 60_000)).toBe('in 1 min')
  expect(relativeTo(1_000_000, 1_000_200)).toBe('now')
})

test('a moment beyond the calendar is said to be none', () => {
  expect(formatMoment(Number.POSITIVE_INFINITY)).toBe('not a point in time')
  expect(formatMoment(0)).toBe('1970-01-01 00:00:00Z')
})

test.each([
  ['2h', 100_000_000 - 7_200_000],
  ['1970-01-02', 86_400_000],
  ['1970-01-02T01:00Z', 90_000_000],
  ['1970-01-02 01:00', 90_000_000],
  ['1970-01-02T02:00+01:00', 90_000_000],
])('reads %s as a moment', (text, at) => {
  expect(momentOf(text, '--since', 100_000_000)).toBe(at)
})

test.each(['yesterday', '1970-13-01', '02/01/1970', '12'])('refuses `%s` as a moment', (text) => {
  expect(() => momentOf(text, '--since', 0)).toThrow(CliError)
})
