/**
 * Statements per minute and principal, over all sessions at all gateways of a store. Not a question to the store for
 * each statement: they are taken from it some at a time, before they are used, so never more run than the rate has.
 * While the store does not answer, each gateway counts its own.
 */
import { type Rates, StatementRates } from './rates.ts'

const WINDOW_MS = 60_000
/** Principals counted at once; with more, the one counted longest takes anew, and loses what it had taken. */
const PRINCIPALS_MAX = 10_000
/** Statements are taken a twentieth of the rate at a time, and no more than this. */
const TAKEN_MAX = 100
const TAKEN_PART = 20
/** The store is asked again this long after it failed, ms. */
const AGAIN_MS = 1_000

/** Where it is kept what all gateways have taken. */
export interface RateLedger {
  /** How many of `wanted` are left of `max` in this minute (since 1970), and taken now. */
  take(principal: string, minute: number, wanted: number, max: number): Promise<number>
}

interface Lease {
  readonly minute: number
  left: number
  /** The store had no more to give in this minute. */
  spent: boolean
  failedAt: number
  asking: Promise<void> | null
}

export class SharedRates implements Rates {
  readonly #ledger: RateLedger
  readonly #own = new StatementRates()
  readonly #leases = new Map<string, Lease>()

  constructor(ledger: RateLedger) {
    this.#ledger = ledger
  }

  prepare(principal: string, max: number, now: number): Promise<void> | null {
    const lease = this.#lease(principal, now)
    const isKnown = lease.left > 0 || lease.spent || now - lease.failedAt < AGAIN_MS
    if (isKnown) return null
    lease.asking ??= this.#take(principal, lease, { max, now })
    return lease.asking
  }

  admit(principal: string, max: number, now: number): boolean {
    const lease = this.#lease(principal, now)
    // Counted also while the store answers: for when it does not.
    const isWithin = this.#own.admit(principal, max, now)
    if (now - lease.failedAt < AGAIN_MS) return isWithin
    if (lease.left < 1) return false
    lease.left--
    return true
  }

  /** Never rejects. */
  async #take(
    principal: string,
    lease: Lease,
    { max, now }: { readonly max: number; readonly now: number },
  ): Promise<void> {
    const wanted = Math.max(1, Math.min(TAKEN_MAX, Math.floor(max / TAKEN_PART)))
    try {
      lease.left = await this.#ledger.take(principal, lease.minute, wanted, max)
      lease.spent = lease.left < 1
    } catch {
      // The store says what is wrong with it.
      lease.failedAt = now
    }
    lease.asking = null
  }

  #lease(principal: string, now: number): Lease {
    const minute = Math.floor(now / WINDOW_MS)
    const known = this.#leases.get(principal)
    if (known?.minute === minute) return known
    this.#leases.delete(principal)
    const [oldest] = this.#leases.keys()
    if (this.#leases.size >= PRINCIPALS_MAX && oldest !== undefined) this.#leases.delete(oldest)
    const failedAt = known?.failedAt ?? Number.NEGATIVE_INFINITY
    const lease = { minute, left: 0, spent: false, failedAt, asking: null }
    this.#leases.set(principal, lease)
    return lease
  }
}
