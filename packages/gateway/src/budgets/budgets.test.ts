import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Budget } from '@sallyport/policy'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Budgets, type Payer } from './budgets.ts'
import type { BudgetLedger } from './ledger.ts'
import { LocalLedger } from './local-ledger.ts'

const budget = (per: 'token' | 'run', of: Partial<Budget>): Budget => ({
  per,
  name: `${per} budget`,
  statements: null,
  rows: null,
  bytes: null,
  ...of,
})
const payer = (token: string, run: string | null = null) => ({ token, run })

let directory: string
let now: number
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'budgets-'))
  now = 0
})
afterEach(() => rmSync(directory, { recursive: true }))

const ledger = (): LocalLedger => new LocalLedger(directory, () => Date.UTC(2030, 1) + now)
const open = (of: BudgetLedger = ledger()): Budgets => new Budgets(of, () => now)

/** As a session asks: again, until it is known. */
async function admit(budgets: Budgets, who: Payer, all: readonly Budget[]): Promise<string | null> {
  for (let wait = budgets.prepare(who, all); wait !== null; wait = budgets.prepare(who, all)) {
    await wait
  }
  const spent = budgets.admit(who, all)
  return spent === null ? null : `${spent.name}: ${spent.kind}`
}

describe('statements', () => {
  test('are counted over all sessions of a token, and of a run over all its tokens', async () => {
    const budgets = open()
    const both = [budget('token', { statements: 2 }), budget('run', { statements: 3 })]
    expect(await admit(budgets, payer('a', 'r'), both)).toBeNull()
    expect(await admit(budgets, payer('a', 'r'), both)).toBeNull()
    expect(await admit(budgets, payer('a', 'r'), both)).toBe('token budget: spent')
    expect(await admit(budgets, payer('b', 'r'), both)).toBeNull()
    expect(await admit(budgets, payer('b', 'r'), both)).toBe('run budget: spent')
    expect(await admit(budgets, payer('b', 'other'), both)).toBeNull()
  })

  test('count once, however many budgets there are for the same', async () => {
    const budgets = open()
    const two = [budget('token', { statements: 2 }), budget('token', { rows: 5 })]
    expect(await admit(budgets, payer('a'), two)).toBeNull()
    expect(await admit(budgets, payer('a'), two)).toBeNull()
    expect(await admit(budgets, payer('a'), two)).toBe('token budget: spent')
  })

  test('of a token without a run have no budget per run', async () => {
    expect(await admit(open(), payer('a'), [budget('run', { statements: 0 })])).toBeNull()
  })

  test('are never more than the budget, whoever asks at the same time', async () => {
    const shared = ledger()
    const gateways = [open(shared), open(shared), open(shared)]
    const all = [budget('token', { statements: 200 })]
    const asked = Array.from({ length: 300 }, (_, i) =>
      admit(gateways[i % 3] as Budgets, payer('a'), all),
    )
    const given = (await Promise.all(asked)).filter((spent) => spent === null).length
    // What one of them has taken ahead is not the others'.
    expect(given).toBeLessThanOrEqual(200)
    expect(given).toBeGreaterThanOrEqual(200 - 2 * 10)
    for (const gateway of gateways) await gateway.close()
    const rest = open(ledger())
    let more = 0
    while ((await admit(rest, payer('a'), all)) === null) more++
    expect(given + more).toBe(200)
  })

  test('are not asked for one by one', async () => {
    const inner = ledger()
    let asked = 0
    const budgets = open({
      charge: (charges) => {
        asked++
        return inner.charge(charges)
      },
    })
    for (let i = 0; i < 1_000; i++) {
      expect(await admit(budgets, payer('a'), [budget('token', { statements: 2_000 })])).toBeNull()
    }
    expect(asked).toBe(10)
  })
})

describe('rows and bytes', () => {
  test('the least that is left holds, and none once they are spent', async () => {
    const budgets = open()
    const both = [budget('token', { rows: 10, bytes: 100 }), budget('run', { rows: 12, bytes: 50 })]
    expect(await admit(budgets, payer('a', 'r'), both)).toBeNull()
    expect(budgets.left(payer('a', 'r'), both)).toEqual({ rows: 10, bytes: 50, name: 'run budget' })
    budgets.used(payer('a', 'r'), 4, 40)
    expect(budgets.left(payer('a', 'r'), both)).toMatchObject({ rows: 6, bytes: 10 })
    expect(budgets.left(payer('b', 'r'), both)).toMatchObject({ rows: 8, bytes: 10 })
    budgets.used(payer('a', 'r'), 20, 0)
    expect(await admit(budgets, payer('a', 'r'), both)).toBe('token budget: spent')
  })

  test('used elsewhere are known when the ledger is asked again', async () => {
    const shared = ledger()
    const [one, other] = [open(shared), open(shared)]
    const all = [budget('token', { rows: 10 })]
    expect(await admit(one, payer('a'), all)).toBeNull()
    expect(await admit(other, payer('a'), all)).toBeNull()
    one.used(payer('a'), 10, 0)
    await one.close()
    now += 2_001
    expect(await admit(other, payer('a'), all)).toBe('token budget: spent')
  })
})

test('a restart does not begin a budget anew, nor does a file that was cut', async () => {
  const all = [budget('token', { statements: 3, rows: 100 })]
  const before = open()
  expect(await admit(before, payer('a'), all)).toBeNull()
  before.used(payer('a'), 60, 0)
  await before.close()
  appendFileSync(join(directory, 'budgets.jsonl'), '{"key":"half')
  const after = open()
  expect(await admit(after, payer('a'), all)).toBeNull()
  expect(after.left(payer('a'), all)).toMatchObject({ rows: 40 })
  expect(await admit(after, payer('a'), all)).toBeNull()
  expect(await admit(after, payer('a'), all)).toBe('token budget: spent')
})

test('an account is forgotten long after its last use', async () => {
  const all = [budget('token', { statements: 1 })]
  const before = open()
  expect(await admit(before, payer('a'), all)).toBeNull()
  await before.close()
  now += 32 * 24 * 3_600_000
  expect(await admit(open(), payer('a'), all)).toBeNull()
})

test('while the ledger does not answer nothing runs on a budget, and it does when it answers again', async () => {
  const inner = ledger()
  let away = false
  const budgets = open({
    charge: (charges) => (away ? Promise.reject(new Error('away')) : inner.charge(charges)),
  })
  const all = [budget('token', { rows: 10 })]
  expect(await admit(budgets, payer('a'), all)).toBeNull()
  away = true
  now += 2_001
  expect(await admit(budgets, payer('a'), all)).toBe('token budget: unknown')
  away = false
  now += 251
  expect(await admit(budgets, payer('a'), all)).toBeNull()
})
