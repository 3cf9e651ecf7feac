import type { Budget } from '@sallyport/policy'
import { describe, expect, test } from 'vitest'
import { Budgets } from './budgets.ts'

const budget = (per: 'token' | 'run', of: Partial<Budget>): Budget => ({
  per,
  name: `${per} budget`,
  statements: null,
  rows: null,
  bytes: null,
  ...of,
})
const payer = (token: string, run: string | null = null) => ({ token, run })

describe('statements', () => {
  test('are counted over all sessions of a token, and of a run over all its tokens', () => {
    const budgets = new Budgets()
    const both = [budget('token', { statements: 2 }), budget('run', { statements: 3 })]
    expect(budgets.admit(payer('a', 'r'), both)).toBeNull()
    expect(budgets.admit(payer('a', 'r'), both)).toBeNull()
    expect(budgets.admit(payer('a', 'r'), both)).toBe('token budget')
    expect(budgets.admit(payer('b', 'r'), both)).toBeNull()
    expect(budgets.admit(payer('b', 'r'), both)).toBe('run budget')
    expect(budgets.admit(payer('b', 'other'), both)).toBeNull()
  })

  test('count once, however many budgets there are for the same', () => {
    const budgets = new Budgets()
    const two = [budget('token', { statements: 2 }), budget('token', { rows: 5 })]
    expect([1, 2, 3].map(() => budgets.admit(payer('a'), two))).toEqual([
      null,
      null,
      'token budget',
    ])
  })

  test('of a token without a run have no budget per run', () => {
    const budgets = new Budgets()
    expect(budgets.admit(payer('a'), [budget('run', { statements: 0 })])).toBeNull()
  })
})

describe('rows and bytes', () => {
  test('the least that is left holds, and none once they are spent', () => {
    const budgets = new Budgets()
    const both = [budget('token', { rows: 10, bytes: 100 }), budget('run', { rows: 12, bytes: 50 })]
    expect(budgets.left(payer('a', 'r'), both)).toEqual({ rows: 10, bytes: 50, name: 'run budget' })
    budgets.used(payer('a', 'r'), 4, 40)
    expect(budgets.left(payer('a', 'r'), both)).toMatchObject({ rows: 6, bytes: 10 })
    expect(budgets.left(payer('b', 'r'), both)).toMatchObject({ rows: 8, bytes: 10 })
    budgets.used(payer('a', 'r'), 20, 0)
    expect(budgets.admit(payer('a', 'r'), both)).toBe('token budget')
  })
})
