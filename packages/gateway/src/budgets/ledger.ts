/**
 * Where it is kept what tokens and runs have used of their budgets, so that it outlives this gateway or is shared with
 * others: the port. For one gateway local-ledger.ts, for several on one PostgreSQL store postgres-ledger.ts.
 */

export interface Amounts {
  readonly statements: number
  readonly rows: number
  readonly bytes: number
}

export interface Charge {
  /** Of the account: printable. */
  readonly key: string
  /** Statements to be taken ahead of their use; below 0: given back. */
  readonly statements: number
  /** No more are taken than make this many in all. */
  readonly statementsMax: number
  /** Used since the charge before. */
  readonly rows: number
  readonly bytes: number
}

export interface Charged {
  /** Everybody's, after it. */
  readonly total: Amounts
  /** Statements that were taken for it. */
  readonly taken: number
}

export interface BudgetLedger {
  /** Charges each account, at most once in a call; answers in the same order. All or none. */
  charge(charges: readonly Charge[]): Promise<readonly Charged[]>
}

/** An account that was not charged for so long is forgotten, ms: its token has expired long before. */
export const FORGOTTEN_MS = 31 * 24 * 3_600_000
