import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Budget, PrincipalView } from '@sallyport/policy'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Amount, Budgets, type Payer, SessionBudgets } from './budgets.ts'
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

/** Says how often it was asked. */
function counting(): BudgetLedger & { asked: number } {
  const inner = ledger()
  return {
    asked: 0,
    charge(charges) {
      this.asked++
      return inner.charge(charges)
    },
  }
}

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
    const counted = counting()
    const budgets = open(counted)
    for (let i = 0; i < 1_000; i++) {
      expect(await admit(budgets, payer('a'), [budget('token', { statements: 2_000 })])).toBeNull()
    }
    expect(counted.asked).toBe(10)
  })
})

/** As a session asks for a part of a result: again, until it is known. */
async function draw(
  budgets: Budgets,
  who: Payer,
  all: readonly Budget[],
  { wanted, drawn }: Parameters<Budgets['draw']>[2],
): Promise<Amount | string> {
  for (;;) {
    const answer = budgets.draw(who, all, { wanted, drawn })
    if (!(answer instanceof Promise)) {
      return 'kind' in answer ? `${answer.name}: ${answer.kind}` : answer
    }
    await answer
  }
}

/** Sends rows of `each` bytes as long as it may; how many it sent. */
async function send(
  budgets: Budgets,
  who: Payer,
  all: readonly Budget[],
  { rows, each = 1 }: { readonly rows: number; readonly each?: number },
): Promise<number> {
  const session = new SessionBudgets(budgets, who)
  const view = { limits: { budgets: all } } as PrincipalView
  let [sent, allowed] = [0, { rows: 0, bytes: 0 }]
  while (sent < rows) {
    const wanted = { rows: sent + 1, bytes: (sent + 1) * each }
    if (wanted.rows > allowed.rows || wanted.bytes > allowed.bytes) {
      const answer = session.meter(view, wanted)
      if (answer instanceof Promise) {
        await answer
        continue
      }
      if ('kind' in answer) break
      allowed = answer
    }
    sent++
    // Another one's turn.
    if (sent % 7 === 0) await Promise.resolve()
  }
  session.used(sent, sent * each)
  return sent
}

describe('rows and bytes', () => {
  test('the least that is left holds, and none once they are spent', async () => {
    const budgets = open()
    const both = [budget('token', { rows: 10, bytes: 100 }), budget('run', { rows: 12, bytes: 50 })]
    expect(await send(budgets, payer('a', 'r'), both, { rows: 4, each: 10 })).toBe(4)
    expect(await send(budgets, payer('b', 'r'), both, { rows: 9, each: 10 })).toBe(1)
    expect(await admit(budgets, payer('b', 'r'), both)).toBe('run budget: spent')
    expect(await send(budgets, payer('a', 'other'), both, { rows: 9, each: 1 })).toBe(6)
    expect(await admit(budgets, payer('a', 'other'), both)).toBe('token budget: spent')
  })

  test('a row that is larger than what is left does not pass; a smaller one does', async () => {
    const budgets = open()
    const all = [budget('token', { bytes: 100 })]
    expect(await send(budgets, payer('a'), all, { rows: 1, each: 60 })).toBe(1)
    expect(await send(budgets, payer('a'), all, { rows: 1, each: 60 })).toBe(0)
    expect(await send(budgets, payer('a'), all, { rows: 1, each: 40 })).toBe(1)
  })

  test('of results under way at once, at gateways of one store, are never more than the budget', async () => {
    const shared = ledger()
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        fc.record({
          rows: fc.integer({ min: 1, max: 5_000 }),
          bytes: fc.option(fc.integer({ min: 1, max: 100_000 })),
        }),
        fc.array(
          fc.record({
            at: fc.nat(2),
            token: fc.constantFrom('a', 'b'),
            rows: fc.nat(3_000),
            each: fc.integer({ min: 1, max: 300 }),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        async (run, most, results) => {
          const gateways = [open(shared), open(shared), open(shared)]
          const all = [budget('run', most)]
          const sent = await Promise.all(
            results.map(({ at, token, ...one }) =>
              send(gateways[at] as Budgets, payer(`${run}${token}`, run), all, one),
            ),
          )
          const rows = sent.reduce((sum, n) => sum + n, 0)
          const bytes = sent.reduce((sum, n, i) => sum + n * (results[i]?.each ?? 0), 0)
          expect(rows).toBeLessThanOrEqual(most.rows)
          expect(bytes).toBeLessThanOrEqual(most.bytes ?? Number.POSITIVE_INFINITY)
          for (const gateway of gateways) await gateway.close()
          // What was taken and not used is there again, all of it.
          if (most.bytes !== null) return
          const rest = await send(open(shared), payer('late', run), all, { rows: 10_000 })
          expect(rows + rest).toBe(most.rows)
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each([1, 3])('of endless results at %i gateways are the whole budget', async (count) => {
    const shared = ledger()
    const gateways = Array.from({ length: count }, () => open(shared))
    const all = [budget('run', { rows: 9_999 })]
    const sent = await Promise.all(
      Array.from({ length: 7 }, (_, i) =>
        send(gateways[i % count] as Budgets, payer(`${i}`, 'r'), all, { rows: 20_000 }),
      ),
    )
    expect(sent.reduce((sum, n) => sum + n, 0)).toBe(9_999)
  })

  test('a result that its client does not read keeps few of them from the others', async () => {
    const budgets = open()
    const all = [budget('run', { rows: 100_000 })]
    const unread = { wanted: { rows: 1, bytes: 1 }, drawn: new Map() }
    expect(await draw(budgets, payer('slow', 'r'), all, unread)).toMatchObject({ rows: 64 })
    const sent = await send(budgets, payer('fast', 'r'), all, { rows: 200_000 })
    expect(sent).toBe(100_000 - 64)
  })

  test('what a gateway has taken and nobody uses is given back', async () => {
    vi.useFakeTimers()
    const shared = ledger()
    const [one, other] = [open(shared), open(shared)]
    const all = [budget('token', { rows: 1_000, statements: 100 })]
    expect(await admit(one, payer('a'), all)).toBeNull()
    expect(await send(one, payer('a'), all, { rows: 1 })).toBe(1)
    for (let i = 0; i < 9; i++) {
      now += 250
      await vi.advanceTimersByTimeAsync(250)
    }
    vi.useRealTimers()
    expect(await send(other, payer('a'), all, { rows: 5_000 })).toBe(999)
    let more = 0
    while ((await admit(other, payer('a'), [budget('token', { statements: 100 })])) === null) more++
    expect(more).toBe(99)
  })

  test('what a gateway keeps of a budget that is nearly spent is given back when nobody uses it', async () => {
    vi.useFakeTimers()
    const shared = ledger()
    const [one, other] = [open(shared), open(shared)]
    const all = [budget('token', { rows: 100 })]
    expect(await send(one, payer('a'), all, { rows: 97 })).toBe(97)
    expect(await send(other, payer('a'), all, { rows: 3 })).toBeLessThan(3)
    await vi.advanceTimersByTimeAsync(300)
    now += 300
    vi.useRealTimers()
    const [a, b] = [
      await send(other, payer('a'), all, { rows: 3 }),
      await send(one, payer('a'), all, { rows: 3 }),
    ]
    expect(a + b).toBeGreaterThan(0)
  })

  test('are asked for some at a time', async () => {
    const counted = counting()
    const budgets = open(counted)
    const all = [budget('token', { rows: 100_000 })]
    expect(await send(budgets, payer('a'), all, { rows: 200_000 })).toBe(100_000)
    expect(counted.asked).toBeLessThan(60)
  })

  test('while the ledger does not answer a result ends where its part does', async () => {
    const inner = ledger()
    let away = false
    const budgets = open({
      charge: (charges) => (away ? Promise.reject(new Error('away')) : inner.charge(charges)),
    })
    const all = [budget('token', { rows: 100 })]
    expect(await send(budgets, payer('a'), all, { rows: 1 })).toBe(1)
    away = true
    expect(await send(budgets, payer('a'), all, { rows: 50 })).toBeLessThan(10)
    expect(
      await draw(budgets, payer('a'), all, { wanted: { rows: 9, bytes: 9 }, drawn: new Map() }),
    ).toBe('token budget: unknown')
  })

  test('used elsewhere are known when the ledger is asked again', async () => {
    const shared = ledger()
    const [one, other] = [open(shared), open(shared)]
    const all = [budget('token', { rows: 10 })]
    expect(await admit(one, payer('a'), all)).toBeNull()
    expect(await admit(other, payer('a'), all)).toBeNull()
    await other.close()
    expect(await send(one, payer('a'), all, { rows: 10 })).toBe(10)
    await one.close()
    now += 2_001
    expect(await admit(other, payer('a'), all)).toBe('token budget: spent')
  })
})

test('a restart does not begin a budget anew, nor does a file that was cut', async () => {
  const all = [budget('token', { statements: 3, rows: 100 })]
  const before = open()
  expect(await admit(before, payer('a'), all)).toBeNull()
  expect(await send(before, payer('a'), all, { rows: 60 })).toBe(60)
  await before.close()
  appendFileSync(join(directory, 'budgets.jsonl'), '{"key":"half')
  const after = open()
  expect(await admit(after, payer('a'), all)).toBeNull()
  expect(await admit(after, payer('a'), all)).toBeNull()
  expect(await send(after, payer('a'), all, { rows: 60 })).toBe(40)
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
