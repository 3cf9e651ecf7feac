/** What is asked of every statement that policy lets pass, right before it runs. */
import type { PrincipalView, Probes } from '@sallyport/policy'
import type { Defined } from '@sallyport/sql'
import type { Amount, SessionBudgets } from '../budgets/budgets.ts'
import type { Decided } from './decisions.ts'
import type { ProbeCounts, Probing } from './probe-budgets.ts'
import type { Rates } from './rates.ts'
import { budgetReport, REPORTS, type Report } from './reports.ts'
import { type ViewAnswer, ViewCheck } from './view-check.ts'

export interface CheckOptions {
  readonly rates: Rates
  readonly probes: ProbeCounts
  readonly budgets: SessionBudgets
  /** Tells principals apart, for `rates` and `probes`. */
  readonly principal: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Microseconds, monotonic. */
  readonly micros: () => number
  /** Called before `wait`: resume the relay then. */
  readonly resumeAfter: (ready: Promise<void>) => void
  /** Called before `wait`: ask whether these views are what the ground's catalog says, then resume the relay. */
  readonly confirmViews: (views: readonly Defined[], answered: (answer: ViewAnswer) => void) => void
}

/** Masked columns that it compares with values. */
export function comparedIn({ verdict }: Decided): readonly Probes[] {
  return verdict.kind === 'deny' ? [] : verdict.probes
}

/** What a statement's values are in. */
export type ProbedValues = () => Pick<Probing, 'sent' | 'parameters'>

export class SessionChecks {
  readonly #options: CheckOptions
  readonly #viewCheck = new ViewCheck()

  constructor(options: CheckOptions) {
    this.#options = options
  }

  /** Counts a statement; null: it may run; `wait`: the relay is resumed when that is known, and nothing is counted. */
  overspent(
    view: PrincipalView,
  ): { readonly code: string; readonly report: Report } | 'wait' | null {
    const { rates, budgets, principal, now } = this.#options
    if (this.waitsForBudget(view)) return 'wait'
    const { statementsPerMinute } = view.limits
    if (statementsPerMinute !== null) {
      const known = rates.prepare(principal, statementsPerMinute, now())
      if (known !== null) {
        this.#options.resumeAfter(known)
        return 'wait'
      }
      if (!rates.admit(principal, statementsPerMinute, now())) {
        return { code: 'rate-limit', report: REPORTS.tooManyStatements }
      }
    }
    const spent = budgets.admit(view)
    if (spent === null) return null
    if (spent.kind === 'unknown') {
      return { code: 'budget-unknown', report: REPORTS.budgetUnknown }
    }
    return { code: 'budget', report: budgetReport(spent.name) }
  }

  /** `wanted` of the present result is about to have been sent: up to how much may be; `wait` as in `overspent`. */
  meter(
    view: PrincipalView,
    wanted: Amount,
  ): Amount | 'wait' | ((stands: { readonly stands: boolean }) => Report) {
    const answer = this.#options.budgets.meter(view, wanted)
    if (answer instanceof Promise) {
      this.#options.resumeAfter(answer)
      return 'wait'
    }
    if (!('kind' in answer)) return answer
    const { kind, name } = answer
    return (stands) => (kind === 'unknown' ? REPORTS.budgetUnknown : budgetReport(name, stands))
  }

  /** What budgets leave is not known yet: the relay is resumed when it is. */
  waitsForBudget(view: PrincipalView): boolean {
    const known = this.#options.budgets.prepare(view)
    if (known !== null) this.#options.resumeAfter(known)
    return known !== null
  }

  /** Whether what it compares masked columns with is within their budgets is not known yet: the relay is resumed when it is. */
  waitsForProbes(decided: Decided, values: ProbedValues): boolean {
    const compared = comparedIn(decided)
    if (compared.length === 0) return false
    const { probes, principal, now, resumeAfter } = this.#options
    const known = probes.prepare(principal, { probes: compared, ...values() }, now())
    if (known !== null) resumeAfter(known)
    return known !== null
  }

  /** Compares it masked columns with more values than are left? */
  probesSpent(decided: Decided, values: ProbedValues): boolean {
    const compared = comparedIn(decided)
    if (compared.length === 0) return false
    const { probes, principal, now } = this.#options
    return probes.admit(principal, { probes: compared, ...values() }, now()) !== null
  }

  /** Are the views it reads what the snapshot says? `wait`: the relay is resumed when that is known. */
  views({ views }: Decided): 'run' | 'wait' | 'refuse' {
    if (views.length === 0) return 'run'
    const standing = this.#viewCheck.of(views, this.#options.micros() / 1000)
    if (standing !== 'ask') return standing
    this.#options.confirmViews(views, (answer) => this.#viewCheck.answered(answer))
    return 'wait'
  }

  /** An answer about views holds for the pipeline that asked. */
  pipelineEnded(): void {
    this.#viewCheck.ended()
  }
}
