/** What the rules of a view say of one statement: who denies it, who grants which part, who wants an approval. */

import type { StatementFacts } from '@sallyport/sql'
import { type ConditionContext, type ConditionFailure, conditionContext } from './conditions.ts'
import { builtIn, commandsCovered, coveringRules, type Need, needsOf, touches } from './coverage.ts'
import type { Rule } from './model.ts'
import type { Deny } from './verdict.ts'
import type { PrincipalView } from './view.ts'
import { conditionError, deniedBy, mayBeDeniedBy } from './words.ts'

export type ApproveRule = Rule & { readonly kind: 'approve' }

export interface Examined {
  readonly facts: StatementFacts
  /** The first deny rule that matched, or the condition that failed. */
  readonly denied: Deny | null
  /** Every need, with the rules that cover it; empty: nobody does. */
  readonly needs: readonly { readonly need: Need; readonly by: readonly string[] }[]
  readonly approving: readonly ApproveRule[]
  /** Deny and approve rules that hold where the planner expects enough. */
  readonly gating: readonly Rule[]
  /** What each rule did: made when somebody asks. */
  readonly trail: () => readonly RuleTrail[]
  readonly reports: readonly string[]
}

/** What one rule that applies to the principal did with one statement. */
export interface RuleTrail {
  readonly rule: string
  readonly kind: Rule['kind']
  readonly outcome:
    | 'grants'
    | 'denies'
    | 'asks'
    | 'asks the planner'
    | 'does not concern it'
    | 'condition is false'
    | 'condition failed'
}

export function examine(view: PrincipalView, facts: StatementFacts, now: number): Examined {
  const needs = needsOf(facts)
  const isUnknown = facts.effects.includes('unknown')
  const condition = new Conditions(view, facts, now)
  const approving: ApproveRule[] = []
  const gating: Rule[] = []
  const granting: Rule[] = []
  const asked: [rule: Rule, held: boolean | ConditionFailure | null][] = []
  let denied: Deny | null = null
  for (const rule of view.rules) {
    if (view.granting.has(rule) && commandsCovered(rule.match, facts) && condition.grants(rule))
      granting.push(rule)
    if (rule.kind === 'allow') continue
    const held = touches(rule.match, facts, needs) ? condition.touches(rule) : null
    asked.push([rule, held])
    if (held === null || held === false) continue
    if (held !== true) denied ??= conditionError(rule, held)
    else if (rule.match.estimate !== null) gating.push(rule)
    else if (rule.kind === 'approve') approving.push(rule)
    else denied ??= isUnknown ? mayBeDeniedBy(rule, facts.unknowns) : deniedBy(rule)
  }
  const covered = needs.map((need) => ({ need, by: coveredBy(granting, need, facts) }))
  const trail = (): readonly RuleTrail[] => [
    ...asked.map(([rule, held]) => trailOf(rule, outcomeOf(rule, held))),
    ...view.rules.flatMap((rule) => {
      if (rule.kind !== 'allow') return []
      const grants = covered.some(({ by }) => by.includes(rule.name))
      return trailOf(rule, grants ? 'grants' : 'does not concern it')
    }),
  ]
  return { facts, denied, needs: covered, approving, gating, trail, reports: condition.reports }
}

const trailOf = ({ name, kind }: Rule, outcome: RuleTrail['outcome']): RuleTrail => ({
  rule: name,
  kind,
  outcome,
})

function outcomeOf(rule: Rule, held: boolean | ConditionFailure | null): RuleTrail['outcome'] {
  if (held === null) return 'does not concern it'
  if (held === false) return 'condition is false'
  if (held !== true) return 'condition failed'
  if (rule.match.estimate !== null) return 'asks the planner'
  return rule.kind === 'approve' ? 'asks' : 'denies'
}

function coveredBy(
  granting: readonly Rule[],
  need: Need,
  facts: StatementFacts,
): readonly string[] {
  const rules = coveringRules(granting, need, facts)
  if (rules !== null) return rules.map((rule) => rule.name)
  const own = builtIn(need, facts)
  return own === null ? [] : [own]
}

/**
 * Conditions over one statement; the variables are built when the first condition asks. A principal with groups
 * beyond those of its role is looked at with either set: a grant must hold for both, a restriction for one.
 */
class Conditions {
  readonly reports: string[] = []
  readonly #view: PrincipalView
  readonly #facts: StatementFacts
  readonly #now: number
  #contexts: readonly ConditionContext[] | null = null

  constructor(view: PrincipalView, facts: StatementFacts, now: number) {
    this.#view = view
    this.#facts = facts
    this.#now = now
  }

  /** An error means: no grant, and it is reported. */
  grants(rule: Rule): boolean {
    const held = this.#evaluate(rule).find((one) => one !== true) ?? true
    if (typeof held === 'boolean') return held
    if (rule.kind === 'allow')
      this.reports.push(`rule \`${rule.name}\`: its condition failed: ${held.failure}`)
    return false
  }

  /** What is not known about the statement counts as holding. */
  touches(rule: Rule): boolean | ConditionFailure {
    if (this.#facts.effects.includes('unknown')) return true
    return this.#evaluate(rule).find((one) => one !== false) ?? false
  }

  #evaluate(rule: Rule): readonly (boolean | ConditionFailure)[] {
    const { when } = rule.match
    if (when === null) return [true]
    try {
      this.#contexts ??= this.#make()
    } catch {
      return [{ failure: 'its variables could not be made' }]
    }
    return this.#contexts.map((context) => when.evaluate(context))
  }

  #make(): readonly ConditionContext[] {
    const { subject, connection } = this.#view
    const { groups, allGroups = [] } = subject
    const more = allGroups.filter((group) => !groups.includes(group))
    const seen = more.length === 0 ? [groups] : [groups, [...groups, ...more]]
    return seen.map((one) =>
      conditionContext(this.#facts, { ...subject, groups: one }, { connection, now: this.#now }),
    )
  }
}
