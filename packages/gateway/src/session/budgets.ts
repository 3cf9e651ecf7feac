/**
 * What each token and each run of a graph has used of its budget: statements, rows and bytes, over all of their
 * sessions here. A token is counted until it is forgotten, which is long after it has expired; so is a run.
 * Results under way count when they end.
 */
import type { Budget, PrincipalView } from '@sallyport/policy'

/** Tokens and runs counted at once; with more, the one longest unused is forgotten. */
const ACCOUNTS_MAX = 100_000

interface Account {
  statements: number
  rows: number
  bytes: number
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

export class Budgets {
  readonly #accounts = new Map<string, Account>()

  /** Counts one statement; the name of a budget that was spent before it, or null. */
  admit(payer: Payer, budgets: readonly Budget[]): string | null {
    const own = budgets.flatMap((budget) => this.#ofPayer(payer, budget) ?? [])
    const spent = own.find(({ account, budget }) => isSpent(account, budget))
    if (spent !== undefined) return spent.budget.name
    for (const account of new Set(own.map((one) => one.account))) account.statements++
    return null
  }

  /** A result ended. */
  used({ token, run }: Payer, rows: number, bytes: number): void {
    for (const key of [tokenKey(token), ...(run === null ? [] : [runKey(run)])]) {
      const account = this.#accounts.get(key)
      if (account === undefined) continue
      account.rows += rows
      account.bytes += bytes
    }
  }

  /** Null: no budget limits rows or bytes. */
  left(payer: Payer, budgets: readonly Budget[]): Left | null {
    let left: Left | null = null
    for (const { account, budget } of budgets.flatMap((one) => this.#ofPayer(payer, one) ?? [])) {
      const rows = budget.rows === null ? null : Math.max(budget.rows - account.rows, 0)
      const bytes = budget.bytes === null ? null : Math.max(budget.bytes - account.bytes, 0)
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

  #ofPayer(
    { token, run }: Payer,
    budget: Budget,
  ): { readonly account: Account; readonly budget: Budget } | null {
    if (budget.per === 'token') return { account: this.#account(tokenKey(token)), budget }
    return run === null ? null : { account: this.#account(runKey(run)), budget }
  }

  #account(key: string): Account {
    const known = this.#accounts.get(key) ?? { statements: 0, rows: 0, bytes: 0 }
    // Last used, last forgotten.
    this.#accounts.delete(key)
    if (this.#accounts.size >= ACCOUNTS_MAX) {
      const [oldest] = this.#accounts.keys()
      if (oldest !== undefined) this.#accounts.delete(oldest)
    }
    this.#accounts.set(key, known)
    return known
  }
}

/** The budgets of one session, and its part of them. */
export class SessionBudgets {
  readonly #budgets: Budgets
  readonly #payer: Payer

  constructor(budgets: Budgets, payer: Payer) {
    this.#budgets = budgets
    this.#payer = payer
  }

  admit({ limits }: PrincipalView): string | null {
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

function isSpent(account: Account, { statements, rows, bytes }: Budget): boolean {
  return (
    (statements !== null && account.statements >= statements) ||
    (rows !== null && account.rows >= rows) ||
    (bytes !== null && account.bytes >= bytes)
  )
}

const isLess = (a: number | null, b: number | null): boolean => a !== null && (b === null || a < b)
const smaller = (a: number | null, b: number | null): number | null => (isLess(a, b) ? a : b)
