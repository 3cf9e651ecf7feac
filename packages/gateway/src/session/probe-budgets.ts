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

/** One execution that compares masked columns with values. */
export interface Probing {
  readonly probes: readonly Probes[]
  /** Everything the client's values are in: bytes of text and parameters. */
  readonly sent: readonly Uint8Array[]
  readonly parameters: readonly BindParameter[]
}

/** `principal`: any key that tells principals apart; `now`: milliseconds since 1970. */
export interface ProbeCounts {
  /** Null: `admit` can answer now; else when to ask again. */
  prepare(principal: string, probing: Probing, now: number): Promise<void> | null
  /** Takes its probes from the budgets of `principal`; the mask whose budget is over, or null. */
  admit(principal: string, probing: Probing, now: number): string | null
}

/** Equal for the same text with the same values. */
export function probeDigest(sent: Probing['sent']): string {
  const hash = createHash('sha256')
  for (const part of sent) hash.update(`${part.length}:`).update(part)
  return hash.digest('base64')
}

/** Of one gateway. */
export class ProbeBudgets implements ProbeCounts {
  readonly #windows = new Map<string, Window>()

  prepare(): null {
    return null
  }

  admit(principal: string, execution: Probing, now: number): string | null {
    if (execution.probes.length === 0) return null
    const digest = probeDigest(execution.sent)
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
