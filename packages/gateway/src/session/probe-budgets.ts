/**
 * How many different values each principal has compared masked columns with, over all of its sessions: the
 * budget that a mask's `probes` sets. A window starts with its first probe. The same text with the same
 * parameters is the same probe, however often it runs.
 */
import { createHash } from 'node:crypto'
import { type BindParameter, type Probes, probesSpent } from '@sallyport/policy'

/** Budgets counted at once; with more, those begun first are forgotten first. */
const BUDGETS_MAX = 10_000

interface Window {
  readonly since: number
  readonly seen: Set<string>
  spent: number
}

export class ProbeBudgets {
  readonly #windows = new Map<string, Window>()

  /**
   * Takes one execution's probes from the budgets of `principal` (any key that tells principals apart);
   * names of masks whose budget is over, or null. `sent`: everything the client's values are in, bytes of
   * text and parameters. `now`: milliseconds.
   */
  admit(
    principal: string,
    execution: {
      readonly probes: readonly Probes[]
      readonly sent: readonly Uint8Array[]
      readonly parameters: readonly BindParameter[]
    },
    now: number,
  ): string | null {
    if (execution.probes.length === 0) return null
    const hash = createHash('sha256')
    for (const part of execution.sent) hash.update(`${part.length}:`).update(part)
    const digest = hash.digest('base64')
    for (const probes of execution.probes) {
      const window = this.#window(`${principal}\0${probes.mask}`, probes, now)
      if (window.seen.has(digest)) continue
      const spent = window.spent + Math.max(probesSpent(probes, execution.parameters), 1)
      if (spent > probes.max) return probes.mask
      window.spent = spent
      window.seen.add(digest)
    }
    return null
  }

  #window(key: string, { withinMs }: Probes, now: number): Window {
    const known = this.#windows.get(key)
    if (known !== undefined && now - known.since < withinMs) return known
    this.#windows.delete(key)
    if (this.#windows.size >= BUDGETS_MAX) {
      const [oldest] = this.#windows.keys()
      if (oldest !== undefined) this.#windows.delete(oldest)
    }
    const window = { since: now, seen: new Set<string>(), spent: 0 }
    this.#windows.set(key, window)
    return window
  }
}
