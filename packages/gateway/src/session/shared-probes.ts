/**
 * Probes of masked columns over all gateways of a store: whether one is within what its mask allows is asked of the
 * store once for each, before it runs; there are few. While the store does not answer, each gateway counts its own.
 */
import { type Probes, probesSpent } from '@sallyport/policy'
import { ProbeBudgets, type ProbeCounts, type Probing, probeDigest } from './probe-budgets.ts'

/** Answers remembered at once; with more, the oldest are asked for again. */
const ANSWERS_MAX = 50_000
/** A refusal is asked about again after this long, ms: the window may be over. */
const REFUSED_MS = 1_000
/** The store is asked again this long after it failed, ms. */
const AGAIN_MS = 1_000

export interface Probe {
  /** Of whom, of which mask. */
  readonly window: string
  /** Equal for the same text with the same values. */
  readonly digest: string
  /** Values it compares with. */
  readonly values: number
  readonly max: number
  readonly withinMs: number
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Where it is kept what all gateways have let pass. */
export interface ProbeLedger {
  /**
   * `isWithin`: it is within `max` and counted, or has been before in this window; else nothing was counted. `ends`: the
   * window, milliseconds since 1970.
   */
  admit(probe: Probe): Promise<{ readonly isWithin: boolean; readonly ends: number }>
}

interface Asked {
  readonly probes: Probes
  readonly digest: string
  readonly probing: Probing
  /** Milliseconds since 1970. */
  readonly now: number
}

interface Answer {
  readonly isWithin: boolean
  /** When it is to be asked for again. */
  readonly until: number
}

export class SharedProbes implements ProbeCounts {
  readonly #ledger: ProbeLedger
  readonly #own = new ProbeBudgets()
  readonly #answers = new Map<string, Answer>()
  readonly #asking = new Map<string, Promise<void>>()
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(ledger: ProbeLedger) {
    this.#ledger = ledger
  }

  prepare(principal: string, probing: Probing, now: number): Promise<void> | null {
    if (now - this.#failedAt < AGAIN_MS) return null
    const digest = probeDigest(probing.sent)
    const unknown = probing.probes.filter(
      (probes) => (this.#answers.get(keyOf(principal, probes, digest))?.until ?? 0) <= now,
    )
    if (unknown.length === 0) return null
    const asked = unknown.map((probes) => this.#ask(principal, { probes, digest, probing, now }))
    return Promise.all(asked).then(() => undefined)
  }

  admit(principal: string, probing: Probing, now: number): string | null {
    // Counted also while the store answers: for when it does not.
    const over = this.#own.admit(principal, probing, now)
    if (now - this.#failedAt < AGAIN_MS) return over
    const digest = probeDigest(probing.sent)
    const refused = probing.probes.find(
      (probes) => this.#answers.get(keyOf(principal, probes, digest))?.isWithin !== true,
    )
    return refused?.mask ?? null
  }

  #ask(principal: string, of: Asked): Promise<void> {
    const key = keyOf(principal, of.probes, of.digest)
    const asking = this.#asking.get(key) ?? this.#answered(principal, key, of)
    this.#asking.set(key, asking)
    return asking
  }

  /** Never rejects. */
  async #answered(
    principal: string,
    key: string,
    { probes, digest, probing, now }: Asked,
  ): Promise<void> {
    const { mask, max, withinMs } = probes
    const values = Math.max(probesSpent(probes, probing.parameters), 1)
    const window = JSON.stringify([principal, mask])
    try {
      const probe = { window, digest, values, max, withinMs, now }
      const { isWithin, ends } = await this.#ledger.admit(probe)
      this.#remember(key, { isWithin, until: isWithin ? ends : Math.min(ends, now + REFUSED_MS) })
    } catch {
      // The store says what is wrong with it.
      this.#failedAt = now
    }
    this.#asking.delete(key)
  }

  #remember(key: string, answer: Answer): void {
    this.#answers.delete(key)
    const [oldest] = this.#answers.keys()
    if (this.#answers.size >= ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest)
    this.#answers.set(key, answer)
  }
}

const keyOf = (principal: string, { mask }: Probes, digest: string): string =>
  JSON.stringify([principal, mask, digest])
