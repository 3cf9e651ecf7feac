/**
 * What each token and each run of a graph has used of its budget: statements, rows and bytes, over all of their
 * sessions, here and at the other gateways of a store, and before this gateway was started.
 *
 * Not a question to the ledger for each statement or row: they are taken from it some at a time, before they are used,
 * so there are never more than the budget has, however many results are under way and wherever. What is taken gets less
 * as the budget ends, is shared by the results of a gateway row by row in the end, and given back when it is not used.
 * While the ledger does not answer, what needs it does not run, and a result under way ends where its part does.
 */
import { createHash } from 'node:crypto'
import type { Budget, PrincipalView } from '@sallyport/policy'
import type { BudgetLedger } from './ledger.ts'

/** Things counted at once; with more, the one longest unused is charged and forgotten. */
const METERS_MAX = 200_000
/** The ledger is asked again this long after its last answer, ms, while what it keeps is used. */
const CHARGE_MS = 250
/** An older answer is not gone by, ms. */
const STALE_MS_MAX = 2_000
/** A twentieth of the budget is taken at a time, and no more than this; near its end an eighth of what is left. */
const TAKEN_MAX = { statements: 100, rows: 100_000, bytes: 64 * 1024 * 1024 } as const
const TAKEN_PART = 20
const TAKEN_PART_OF_REST = 8
/** But so much of the budget: its end is not asked for row by row. */
const TAKEN_PART_LEAST = 400
/** A result draws so much of that at a time, until the end is near: while its client does not read, nobody has it. */
const DRAWN_MAX = { rows: 64, bytes: 64 * 1024 } as const

type Unit = keyof typeof TAKEN_MAX
const UNITS = ['statements', 'rows', 'bytes'] as const

/** One thing counted for one token or run. */
interface Meter {
  /** In the ledger. */
  readonly key: string
  readonly unit: Unit
  /** Taken of the ledger, and not used yet; below 0: used, and not charged yet. */
  left: number
  /** Everybody's, used or taken; null: the ledger has not said yet. */
  total: number | null
  /** When the ledger last answered, or failed to, ms. */
  answeredAt: number
  /** When some of it was last used, ms. */
  usedAt: number
  failed: boolean
  /** To be taken with the next charge; below 0: given back. */
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

/** Rows and bytes; Infinity: no budget limits them. */
export interface Amount {
  readonly rows: number
  readonly bytes: number
}

/** A budget that lets nothing more run, or that nobody can say anything of. */
export type Spent = { readonly name: string; readonly kind: 'spent' | 'unknown' }

/** A limit of a budget, and what counts towards it. */
interface Limit {
  readonly meter: Meter
  readonly most: number
  readonly name: string
}

/** What one result has drawn and not settled. */
type Drawn = Map<Meter, number>

export class Budgets {
  readonly #ledger: BudgetLedger
  readonly #now: () => number
  readonly #meters = new Map<string, Meter>()
  /** Used since they were charged, or with something that might be given back. */
  readonly #dirty = new Set<Meter>()
  #due: Meter[] = []
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
    for (const { meter, most } of this.#limits(payer, budgets)) {
      const age = this.#now() - meter.answeredAt
      if (meter.failed && age < CHARGE_MS) continue
      const needsMore = meter.left < 1 && (meter.total ?? 0) < most
      const mustKnow = meter.total === null || meter.failed || needsMore || age > STALE_MS_MAX
      if (!mustKnow && age <= CHARGE_MS) continue
      const charged = this.#ask(meter, { most, wanted: meter.left < 1 ? chunkOf(meter, most) : 0 })
      if (mustKnow) waits.push(charged)
    }
    return waits.length === 0 ? null : Promise.all(waits).then(() => undefined)
  }

  /** Counts one statement; a budget that was spent before it, or null. */
  admit(payer: Payer, budgets: readonly Budget[]): Spent | null {
    const limits = this.#limits(payer, budgets)
    for (const { meter, most, name } of limits) {
      if (meter.total === null || meter.failed) return { name, kind: 'unknown' }
      const isSpent = meter.left < 1 && (meter.unit === 'statements' || meter.total >= most)
      if (isSpent) return { name, kind: 'spent' }
    }
    const counted = limits.filter(({ meter }) => meter.unit === 'statements')
    for (const meter of new Set(counted.map((one) => one.meter))) {
      meter.left--
      this.#used(meter)
    }
    this.#chargeSoon()
    return null
  }

  /**
   * For a result: at least `wanted` of rows and bytes, taken from what is left. A promise: when to ask again.
   * What was drawn is kept in `drawn` until it is settled.
   */
  draw(
    payer: Payer,
    budgets: readonly Budget[],
    { wanted, drawn }: { readonly wanted: Amount; readonly drawn: Drawn },
  ): Amount | Promise<void> | Spent {
    const limits = this.#limits(payer, budgets).filter(({ meter }) => meter.unit !== 'statements')
    const waits: Promise<void>[] = []
    for (const { meter, most, name } of limits) {
      const needed = wantedOf(wanted, meter)
      if (meter.left >= needed) continue
      const age = this.#now() - meter.answeredAt
      if (meter.failed && age < CHARGE_MS) return { name, kind: 'unknown' }
      const isKnown = meter.total !== null && !meter.failed && age <= CHARGE_MS
      if (isKnown && (meter.total ?? 0) >= most) return { name, kind: 'spent' }
      const chunk = Math.max(chunkOf(meter, most), needed - meter.left)
      waits.push(this.#ask(meter, { most, wanted: chunk }))
    }
    if (waits.length > 0) return Promise.all(waits).then(() => undefined)
    const given = { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
    for (const { meter, most } of limits) {
      if (meter.unit === 'statements') continue
      const rest = most - (meter.total ?? 0) + meter.left
      // Half of it, so that there is some for others under way.
      const ahead =
        rest > most / TAKEN_PART ? Math.min(Math.ceil(meter.left / 2), DRAWN_MAX[meter.unit]) : 0
      const part = Math.max(wantedOf(wanted, meter), ahead)
      given[meter.unit] = Math.min(given[meter.unit], part)
    }
    for (const { meter, most } of limits) {
      const amount = wantedOf(given, meter)
      meter.left -= amount
      drawn.set(meter, (drawn.get(meter) ?? 0) + amount)
      const chunk = chunkOf(meter, most)
      const runsLow = meter.left < chunk / 2 && (meter.total ?? 0) < most
      if (runsLow) void this.#ask(meter, { most, wanted: chunk })
    }
    return given
  }

  /** A result ended, or its statement did; `used`: what was sent of it. */
  settle({ token, run }: Payer, used: Amount, drawn: Drawn): void {
    if (this.#meters.size === 0 || (used.rows === 0 && used.bytes === 0 && drawn.size === 0)) return
    for (const payer of [tokenKey(token), ...(run === null ? [] : [runKey(run)])]) {
      for (const unit of ['rows', 'bytes'] as const) {
        const meter = this.#meters.get(`${payer} ${unit}`)
        if (meter === undefined) continue
        meter.left += (drawn.get(meter) ?? 0) - used[unit]
        this.#used(meter)
      }
    }
    drawn.clear()
    this.#chargeSoon()
  }

  /** Charges what is not charged yet, and gives back what is not used. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    while (this.#batch !== null) await this.#batch
    for (const meter of this.#meters.values()) {
      meter.wanted = Math.min(0, -meter.left)
      if (meter.left !== 0) void this.#charge(meter)
    }
    while (this.#batch !== null) await this.#batch
  }

  /** What limits these; of several limits on one thing the least, under its own name. */
  #limits({ token, run }: Payer, budgets: readonly Budget[]): readonly Limit[] {
    const limits = new Map<Meter, Limit>()
    for (const budget of budgets) {
      const payer = budget.per === 'token' ? tokenKey(token) : run === null ? null : runKey(run)
      if (payer === null) continue
      for (const unit of UNITS) {
        const most = budget[unit]
        if (most === null) continue
        const meter = this.#meter(payer, unit)
        const known = limits.get(meter)
        if (known === undefined || most < known.most) {
          limits.set(meter, { meter, most, name: budget.name })
        }
      }
    }
    return [...limits.values()]
  }

  #chargeSoon(): void {
    if (this.#dirty.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      for (const meter of this.#dirty) this.#chargeIdle(meter)
      this.#chargeSoon()
    }, CHARGE_MS).unref()
  }

  #used(meter: Meter): void {
    meter.usedAt = this.#now()
    this.#dirty.add(meter)
  }

  /** Gives back what is left where it might be the last there is, or has not been used for so long that it is asked for anew. */
  #chargeIdle(meter: Meter): void {
    if (meter.charging !== null) return
    const isNearlySpent = (meter.total ?? 0) > meter.most * (1 - 1 / TAKEN_PART)
    const isIdle = this.#now() - meter.usedAt >= STALE_MS_MAX
    if (meter.left > 0 && (isNearlySpent || isIdle)) meter.wanted = -meter.left
    if (meter.left < 0 || meter.wanted !== 0) void this.#charge(meter)
    else if (meter.left === 0) this.#dirty.delete(meter)
  }

  #ask(meter: Meter, { wanted, most }: Pick<Meter, 'wanted' | 'most'>): Promise<void> {
    if (meter.charging === null) {
      meter.wanted = wanted
      meter.most = most
    }
    return this.#charge(meter)
  }

  /** Never rejects: a meter whose charge failed says so. What is due at once goes in one question. */
  #charge(meter: Meter): Promise<void> {
    if (meter.charging !== null) return meter.charging
    this.#dirty.delete(meter)
    this.#due.push(meter)
    this.#batch ??= Promise.resolve().then(() => this.#chargeDue())
    meter.charging = this.#batch
    return this.#batch
  }

  async #chargeDue(): Promise<void> {
    const due = this.#due
    this.#due = []
    this.#batch = null
    const charges = due.map(({ key, wanted, most, left }) => ({
      key,
      used: left < 0 ? -left : -Math.min(left, Math.max(0, -wanted)),
      wanted: Math.max(wanted, 0),
      most,
    }))
    // What is given back may not be drawn meanwhile, nor what was used be charged twice.
    for (const [i, meter] of due.entries()) meter.left += charges[i]?.used ?? 0
    try {
      const answers = await this.#ledger.charge(charges)
      for (const [i, meter] of due.entries()) {
        const { total, taken } = answers[i] ?? { total: 0, taken: 0 }
        meter.total = total
        meter.left += taken
        meter.failed = false
      }
    } catch {
      // The store says what is wrong with it; here, nothing is known until it answers.
      for (const [i, meter] of due.entries()) {
        meter.left -= charges[i]?.used ?? 0
        meter.failed = true
        this.#dirty.add(meter)
      }
    }
    for (const meter of due) {
      meter.wanted = 0
      meter.answeredAt = this.#now()
      meter.charging = null
    }
  }

  #meter(payer: string, unit: Unit): Meter {
    const name = `${payer} ${unit}`
    const known = this.#meters.get(name) ?? newMeter(name, unit)
    // Last used, last forgotten.
    this.#meters.delete(name)
    if (this.#meters.size >= METERS_MAX) {
      const [oldest] = this.#meters
      if (oldest !== undefined) {
        this.#meters.delete(oldest[0])
        oldest[1].wanted = Math.min(0, -oldest[1].left)
        void this.#charge(oldest[1])
      }
    }
    this.#meters.set(name, known)
    return known
  }
}

function newMeter(name: string, unit: Unit): Meter {
  return {
    // What it is of is nobody's business who reads the ledger.
    key: createHash('sha256').update(name).digest('hex'),
    unit,
    left: 0,
    total: null,
    answeredAt: Number.NEGATIVE_INFINITY,
    usedAt: Number.NEGATIVE_INFINITY,
    failed: false,
    wanted: 0,
    most: 0,
    charging: null,
  }
}

function chunkOf({ unit, total }: Pick<Meter, 'unit' | 'total'>, most: number): number {
  const rest = Math.max((most - (total ?? 0)) / TAKEN_PART_OF_REST, most / TAKEN_PART_LEAST)
  return Math.max(1, Math.floor(Math.min(TAKEN_MAX[unit], most / TAKEN_PART, rest)))
}

const wantedOf = (wanted: Amount, { unit }: Pick<Meter, 'unit'>): number =>
  unit === 'statements' ? 0 : wanted[unit]

/** The budgets of one session, and its part of them. */
export class SessionBudgets {
  readonly #budgets: Budgets
  readonly #payer: Payer
  /** Of the result that is being sent: up to how much may be. */
  #allowed: Amount = NOTHING
  readonly #drawn: Drawn = new Map()

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

  /** `wanted` of the present result is about to have been sent: up to how much may be. A promise: when to ask again. */
  meter({ limits }: PrincipalView, wanted: Amount): Amount | Promise<void> | Spent {
    const { rows, bytes } = this.#allowed
    const more = {
      rows: Math.max(0, wanted.rows - rows),
      bytes: Math.max(0, wanted.bytes - bytes),
    }
    const drawn = { wanted: more, drawn: this.#drawn }
    const answer = this.#budgets.draw(this.#payer, limits.budgets, drawn)
    if (answer instanceof Promise || 'kind' in answer) return answer
    this.#allowed = { rows: rows + answer.rows, bytes: bytes + answer.bytes }
    return this.#allowed
  }

  /** The present result ended, or its statement did. */
  used(rows: number, bytes: number): void {
    this.#allowed = NOTHING
    this.#budgets.settle(this.#payer, { rows, bytes }, this.#drawn)
  }
}

const NOTHING: Amount = { rows: 0, bytes: 0 }

/** Are rows or bytes of results counted? */
export function isMetered({ limits }: PrincipalView): boolean {
  return limits.budgets.some(({ rows, bytes }) => rows !== null || bytes !== null)
}

const tokenKey = (token: string): string => `token ${token}`
const runKey = (run: string): string => `run ${run}`
