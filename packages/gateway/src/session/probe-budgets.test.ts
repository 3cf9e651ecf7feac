import type { Probes } from '@sallyport/policy'
import { expect, test } from 'vitest'
import { ProbeBudgets } from './probe-budgets.ts'

const SSN: Probes = { mask: 'ssn', max: 3, withinMs: 1000, values: 1, parameters: [] }
const sent = (text: string) => [Buffer.from(text)]

const spend = (budgets: ProbeBudgets, text: string, now = 0, principal = 'ada') =>
  budgets.admit(principal, { probes: [SSN], sent: sent(text), parameters: [] }, now)

test('different probes are counted, the same one again is not', () => {
  const budgets = new ProbeBudgets()
  expect(['a', 'b', 'a', 'a', 'c'].map((text) => spend(budgets, text))).toEqual(Array(5).fill(null))
  expect(spend(budgets, 'd')).toBe('ssn')
  expect(spend(budgets, 'a')).toBeNull()
})

test('a window ends, and principals and masks have their own', () => {
  const budgets = new ProbeBudgets()
  for (const text of ['a', 'b', 'c']) spend(budgets, text)
  expect(spend(budgets, 'd', 999)).toBe('ssn')
  expect(spend(budgets, 'd', 999, 'bob')).toBeNull()
  expect(spend(budgets, 'd', 1000)).toBeNull()
  const other = { probes: [{ ...SSN, mask: 'mail' }], sent: sent('d'), parameters: [] }
  expect(budgets.admit('ada', other, 999)).toBeNull()
})

test('what lists more values than are left runs not at all and takes nothing', () => {
  const budgets = new ProbeBudgets()
  const list = { probes: [{ ...SSN, values: 4 }], sent: sent('list'), parameters: [] }
  expect(budgets.admit('ada', list, 0)).toBe('ssn')
  expect(['a', 'b', 'c'].map((text) => spend(budgets, text))).toEqual([null, null, null])
})

test('an array parameter is as many probes as it has elements', () => {
  const budgets = new ProbeBudgets()
  const parameters = [{ format: 'text', value: Buffer.from('{a,b,c,d}'), typeId: 0 }] as const
  const probes = [{ ...SSN, values: 0, parameters: [1] }]
  expect(budgets.admit('ada', { probes, sent: sent('x'), parameters }, 0)).toBe('ssn')
})
