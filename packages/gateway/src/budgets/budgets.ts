/**
 * What each token and each run of a graph has used of its budget: statements, rows and bytes, over all of their
 * sessions, here and at the other gateways of a store, and before this gateway was started.
 *
 * Not a question to the ledger for each statement: statements are taken from it some at a time, before they are used,
 * so never more run than the budget has. Rows and bytes are charged when a result has ended, within CHARGE_MS; what
 * others have used is as new as that. Results under way count when they end. While the ledger does not answer, what
 * needs it does not run.
 */
import { createHash } from 'node:crypto'
import type { Budget, PrincipalView } from '@sallyport/policy'
import type { Amounts, BudgetLedger } from './ledger.ts'

/** Tokens and runs counted at once; with more, the one longest unused is charged and forgotten. */
const ACCOUNTS_MAX = 100_000
/** The ledger is asked again this long after its last answer, ms, while an account is used. */
const CHARGE_MS = 250
/** An older answer is not gone by, ms. */
const STALE_MS_MAX = 2_000
/** Statements are taken a twentieth of the budget at a time, and no more than this. */
const TAKEN_MAX = 100
const TAKEN_PART = 20

interface Account {
  /** In the ledger. */
  readonly key: string
  /** Taken of the ledger, and not used yet. */
  taken: number
  /** Everybody's; null: the ledger has not said yet. */
  total: Amounts | null
  /** Not charged yet. */
  rows: number
  bytes: number
  /** When the ledger last answered, or failed to, ms. */
  answeredAt: number
  failed: boolean
  /** To be taken with the next charge, of so many. */
  wanted: number
  most: number
  charging: Promise<void> | null
}

/** Whom a session's statements are counted for. */
export interface Payer {
  /** Equal for the sessions of one token. */
  readonly token: string
  /** Equal for the sessions of one run; null: its token is for none. */
  readonly run: string | null
}

/** What is left for one result; null: no limit. */
export interface Left {
  readonly rows: number | null
  readonly bytes: number | null
  /** The budget that leaves the least. */
  readonly name: string
}

/** A budget that lets nothing more run, or that nobody can say anything of. */
export type Spent = { readonly name: string; readonly kind: 'spent' | 'unknown' }

export class Budgets {
  readonly #ledger: BudgetLedger
  readonly #now: () => number
  readonly #accounts = new Map<string, Account>()
  /** Used since they were charged. */
  readonly #dirty = new Set<Account>()
  #due: Account[] = []
  #batch: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null

  /** `now`: ms, of any beginning. */
  constructor(ledger: BudgetLedger, now: () => number) {
    this.#ledger = ledger
    this.#now = now
  }

  /** Null: `admit` can answer now; else when to ask again. */
  prepare(payer: Payer, budgets: readonly Budget[]): Promise<void> | null {
    const waits: Promise<void>[] = []
    for (const [account, most] of this.#needed(payer, budgets)) {
      const { total, taken, failed, answeredAt } = account
      const age = this.#now() - answeredAt
      if (failed && age < CHARGE_MS) continue
      const needsMore = taken < 1 && most !== null && (total?.statements ?? 0) < most
      const mustKnow = total === null || failed || needsMore || age > STALE_MS_MAX
      if (!mustKnow && age <= CHARGE_MS) continue
      account.wanted = most === null || taken > 0 ? 0 : chunkOf(most)
      account.most = most ?? 0
      const charged = this.#charge(account)
      if (mustKnow) waits.push(charged)
    }
    return waits.length === 0 ? null : Promise.all(waits).then(() => undefined)
  }

  /** Counts one statement; a budget that was spent before it, or null. */
  admit(payer: Payer, budgets: readonly Budget[]): Spent | null {
    const own = budgets.flatMap((budget) => this.#ofPayer(payer, budget) ?? [])
    for (const { account, budget } of own) {
      const { name } = budget
      if (account.total === null || account.failed) return { name, kind: 'unknown' }
      if (isSpent(account, account.total, budget)) return { name, kind: 'spent' }
    }
    const counted = own.filter(({ budget }) => budget.statements !== null)
    for (const account of new Set(counted.map((one) => one.account))) account.taken--
    return null
  }

  /** A result ended. */
  used({ token, run }: Payer, rows: number, bytes: number): void {
    if (this.#accounts.size === 0) return
    for (const name of [tokenKey(token), ...(run === null ? [] : [runKey(run)])]) {
      const account = this.#accounts.get(name)
      if (account === undefined) continue
      account.rows += rows
      account.bytes += bytes
      this.#dirty.add(account)
      this.#chargeSoon()
    }
  }

  /** Null: no budget limits rows or bytes. */
  left(payer: Payer, budgets: readonly Budget[]): Left | null {
    let left: Left | null = null
    for (const { account, budget } of budgets.flatMap((one) => this.#ofPayer(payer, one) ?? [])) {
      const used = usedOf(account, account.total)
      const rows = budget.rows === null ? null : Math.max(budget.rows - used.rows, 0)
      const bytes = budget.bytes === null ? null : Math.max(budget.bytes - used.bytes, 0)
      if (rows === null && bytes === null) continue
      const before: Left = left ?? { rows: null, bytes: null, name: budget.name }
      left = {
        rows: smaller(before.rows, rows),
        bytes: smaller(before.bytes, bytes),
        name: isLess(rows, before.rows) || isLess(bytes, before.bytes) ? budget.name : before.name,
      }
    }
    return left
  }

  /** Charges what is not charged yet, and gives back what is not used. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    while (this.#batch !== null) await this.#batch
    for (const account of this.#accounts.values()) {
      account.wanted = -account.taken
      if (account.wanted < 0 || account.rows > 0 || account.bytes > 0) void this.#charge(account)
    }
    while (this.#batch !== null) await this.#batch
  }

  /** The accounts that these budgets are of, each with the fewest statements it may have; null: any number. */
  #needed(payer: Payer, budgets: readonly Budget[]): Map<Account, number | null> {
    const needed = new Map<Account, number | null>()
    for (const { account, budget } of budgets.flatMap((one) => this.#ofPayer(payer, one) ?? [])) {
      needed.set(account, smaller(needed.get(account) ?? null, budget.statements))
    }
    return needed
  }

  #chargeSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      for (const account of this.#dirty) void this.#charge(account)
    }, CHARGE_MS).unref()
  }

  /** Never rejects: an account whose charge failed says so. What is due at once goes in one question. */
  #charge(account: Account): Promise<void> {
    if (account.charging !== null) return account.charging
    this.#dirty.delete(account)
    this.#due.push(account)
    this.#batch ??= Promise.resolve().then(() => this.#chargeDue())
    account.charging = this.#batch
    return this.#batch
  }

  async #chargeDue(): Promise<void> {
    const due = this.#due
    this.#due = []
    this.#batch = null
    const charges = due.map(({ key, wanted, most, rows, bytes }) => ({
      key,
      statements: wanted,
      statementsMax: most,
      rows,
      bytes,
    }))
    try {
      const charged = await this.#ledger.charge(charges)
      for (const [i, account] of due.entries()) {
        const [{ total, taken } = NOTHING, { rows, bytes } = NONE] = [charged[i], charges[i]]
        account.total = total
        account.taken += taken
        account.rows -= rows
        account.bytes -= bytes
        account.failed = false
      }
    } catch {
      // The store says what is wrong with it; here, nothing is known until it answers.
      for (const account of due) {
        account.failed = true
        this.#dirty.add(account)
      }
    }
    for (const account of due) {
      account.wanted = 0
      account.answeredAt = this.#now()
      account.charging = null
    }
  }

  #ofPayer(
    { token, run }: Payer,
    budget: Budget,
  ): { readonly account: Account; readonly budget: Budget } | null {
    if (budget.per === 'token') return { account: this.#account(tokenKey(token)), budget }
    return run === null ? null : { account: this.#account(runKey(run)), budget }
  }

  #account(name: string): Account {
    const known = this.#accounts.get(name) ?? newAccount(name)
    // Last used, last forgotten.
    this.#accounts.delete(name)
    if (this.#accounts.size >= ACCOUNTS_MAX) {
      const [oldest] = this.#accounts
      if (oldest !== undefined) {
        this.#accounts.delete(oldest[0])
        oldest[1].wanted = -oldest[1].taken
        void this.#charge(oldest[1])
      }
    }
    this.#accounts.set(name, known)
    return known
  }
}

const NONE: Amounts = { statements: 0, rows: 0, bytes: 0 }
const NOTHING = { total: NONE, taken: 0 }

function newAccount(name: string): Account {
  return {
    // What it is of is nobody's business who reads the ledger.
    key: createHash('sha256').update(name).digest('hex'),
    taken: 0,
    total: null,
    rows: 0,
    bytes: 0,
    answeredAt: Number.NEGATIVE_INFINITY,
    failed: false,
    wanted: 0,
    most: 0,
    charging: null,
  }
}

const chunkOf = (most: number): number =>
  Math.max(1, Math.min(TAKEN_MAX, Math.floor(most / TAKEN_PART)))

function usedOf({ rows, bytes }: Account, total: Amounts | null): Pick<Amounts, 'rows' | 'bytes'> {
  return { rows: (total?.rows ?? 0) + rows, bytes: (total?.bytes ?? 0) + bytes }
}

/** The budgets of one session, and its part of them. */
export class SessionBudgets {
  readonly #budgets: Budgets
  readonly #payer: Payer

  constructor(budgets: Budgets, payer: Payer) {
    this.#budgets = budgets
    this.#payer = payer
  }

  /** Null: `admit` can answer now; else when to ask again. */
  prepare({ limits }: PrincipalView): Promise<void> | null {
    return limits.budgets.length === 0 ? null : this.#budgets.prepare(this.#payer, limits.budgets)
  }

  admit({ limits }: PrincipalView): Spent | null {
    return limits.budgets.length === 0 ? null : this.#budgets.admit(this.#payer, limits.budgets)
  }

  left({ limits }: PrincipalView): Left | null {
    return limits.budgets.length === 0 ? null : this.#budgets.left(this.#payer, limits.budgets)
  }

  used(rows: number, bytes: number): void {
    this.#budgets.used(this.#payer, rows, bytes)
  }
}

type Size = Pick<Left, 'rows' | 'bytes'>

/** The smaller of both, each. */
export function within(limits: Size, left: Left | null): Size {
  if (left === null) return limits
  return { rows: smaller(limits.rows, left.rows), bytes: smaller(limits.bytes, left.bytes) }
}

/** A budget leaves less than each result may have anyway. */
export function isTighter(limits: Size, left: Left | null): boolean {
  if (left === null) return false
  return isLess(left.rows, limits.rows) || isLess(left.bytes, limits.bytes)
}

const tokenKey = (token: string): string => `token ${token}`
const runKey = (run: string): string => `run ${run}`

function isSpent(account: Account, total: Amounts, { statements, rows, bytes }: Budget): boolean {
  const used = usedOf(account, total)
  return (
    (statements !== null && account.taken < 1) ||
    (rows !== null && used.rows >= rows) ||
    (bytes !== null && used.bytes >= bytes)
  )
}

const isLess = (a: number | null, b: number | null): boolean => a !== null && (b === null || a < b)
const smaller = (a: number | null, b: number | null): number | null => (isLess(a, b) ? a : b)
