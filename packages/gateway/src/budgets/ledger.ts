/**
 * Where it is kept what tokens and runs have used of their budgets, so that it outlives this gateway or is shared with
 * others: the port. For one gateway local-ledger.ts, for several on one PostgreSQL store postgres-ledger.ts.
 */

export interface Charge {
  /** Of what is counted: printable. */
  readonly key: string
  /** Used without having been taken before; below 0: given back. */
  readonly used: number
  /** To be taken ahead of its use, as far as `most` lets. */
  readonly wanted: number
  /** Nothing is taken that makes the total more than this. */
  readonly most: number
}

export interface Charged {
  /** Everybody's, after it: what is used and what is taken. */
  readonly total: number
  /** Of what was wanted. */
  readonly taken: number
}

export interface BudgetLedger {
  /** Charges each key, at most once in a call; answers in the same order. All or none. */
  charge(charges: readonly Charge[]): Promise<readonly Charged[]>
}

/** What a charge makes of a total. */
export function charged(total: number, { used, wanted, most }: Charge): Charged {
  const before = Math.max(0, total + used)
  const taken = Math.min(wanted, Math.max(0, most - before))
  return { total: before + taken, taken }
}

/** What was not charged for so long is forgotten, ms: its token has expired long before. */
export const FORGOTTEN_MS = 31 * 24 * 3_600_000
