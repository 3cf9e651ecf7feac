import { expect, test } from 'vitest'
import { StatementRates } from './rates.ts'

test('admits as many in a minute as the limit says, then again in the next', () => {
  const rates = new StatementRates()
  expect([1, 2, 3].map(() => rates.admit('ada', 2, 1_000))).toEqual([true, true, false])
  expect(rates.admit('ada', 2, 60_999)).toBe(false)
  expect(rates.admit('ada', 2, 61_000)).toBe(true)
})

test('counts principals apart', () => {
  const rates = new StatementRates()
  rates.admit('ada', 1, 0)
  expect(rates.admit('bob', 1, 0)).toBe(true)
  expect(rates.admit('ada', 1, 0)).toBe(false)
})

test('a limit of none admits none', () => {
  expect(new StatementRates().admit('ada', 0, 0)).toBe(false)
})

test('more principals than are kept do not grow it, and the newest is still counted', () => {
  const rates = new StatementRates()
  for (let i = 0; i < 10_050; i++) rates.admit(`p${i}`, 1, i)
  expect(rates.admit('p10049', 1, 10_050)).toBe(false)
})
