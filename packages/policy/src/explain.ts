/** Why a message gets the verdict it gets: the data behind `sallyport policy explain`. */

import type { Analysis, Lineage, StatementFacts } from '@sallyport/sql'
import { type DecideContext, decide, withNested } from './decide.ts'
import { assertNever } from './errors.ts'
import { examine, type RuleTrail } from './examine.ts'
import { guardMasked, sayColumn } from './guard.ts'
import type { ColumnMask } from './model.ts'
import { columnPlan } from './plan.ts'
import type { Deny, Verdict } from './verdict.ts'
import type { PrincipalView } from './view.ts'
import { sayNeed } from './words.ts'

export interface Explanation {
  readonly verdict: Verdict
  readonly policyVersion: string
  readonly mayConnect: boolean
  readonly masked: boolean
  /** Each statement, then the ones it prepares or declares. */
  readonly statements: readonly StatementExplanation[]
}

export interface StatementExplanation {
  readonly command: string
  readonly effects: readonly string[]
  readonly relations: readonly string[]
  /** What it needs, and the rules that grant it (none: refused). */
  readonly needs: readonly { readonly need: string; readonly grantedBy: readonly string[] }[]
  readonly rules: readonly RuleTrail[]
  /** What the protection of masked columns says; null: nothing against it. */
  readonly guard: Deny | null
  readonly columns: readonly ColumnExplanation[]
  readonly unknowns: readonly string[]
}

export interface ColumnExplanation {
  readonly name: string
  /** `public.customers.email`, `computed from …`, `constant`, `unknown`. */
  readonly lineage: string
  readonly why: readonly string[]
  readonly outcome: 'clean' | 'masked' | 'refused'
  /** Kind of mask; null when clean. */
  readonly mask: string | null
  readonly maskedBy: readonly string[]
}

export function explain(
  view: PrincipalView,
  analysis: Analysis,
  context: DecideContext,
): Explanation {
  const statements = analysis.kind === 'unparsable' ? [] : analysis.statements
  return {
    verdict: decide(view, analysis, context),
    policyVersion: view.policyVersion,
    mayConnect: view.mayConnect,
    masked: view.masked,
    statements: statements
      .flatMap((facts) => withNested(facts))
      .flatMap((facts) => (facts === null ? [] : [explainOne(view, facts, context.now)])),
  }
}

function explainOne(view: PrincipalView, facts: StatementFacts, now: number): StatementExplanation {
  const examined = examine(view, facts, now)
  const { outputs } = facts
  return {
    command: facts.command,
    effects: facts.effects,
    relations: facts.relations.map(
      (use) => `${use.access} ${use.schema === null ? '?' : use.schema}.${use.name}`,
    ),
    needs: examined.needs.map(({ need, by }) => ({ need: sayNeed(need), grantedBy: by })),
    rules: examined.trail(),
    guard: guardMasked(view, facts),
    columns:
      outputs === null || outputs === 'unknown'
        ? []
        : outputs.map((output) => explainColumn(view, output.name, output.lineage)),
    unknowns: facts.unknowns,
  }
}

function explainColumn(view: PrincipalView, name: string, lineage: Lineage): ColumnExplanation {
  const base = {
    name,
    lineage: sayLineage(lineage),
    why: lineage.kind === 'constant' ? [] : lineage.why,
  }
  const clean = { ...base, outcome: 'clean', mask: null, maskedBy: [] } as const
  if (!view.masked) return clean
  const plan = columnPlan(view, lineage)
  switch (plan.kind) {
    case 'clean':
      return clean
    case 'mask':
      return { ...base, outcome: 'masked', mask: sayMask(plan.mask), maskedBy: plan.mask.names }
    case 'refuse':
      return { ...base, outcome: 'refused', mask: null, maskedBy: plan.names }
    case 'unknown':
      return { ...base, outcome: 'refused', mask: null, maskedBy: [] }
    default:
      return assertNever(plan)
  }
}

const sayMask = (mask: ColumnMask): string => mask.spec.kind

function sayLineage(lineage: Lineage): string {
  switch (lineage.kind) {
    case 'direct':
      return sayColumn(lineage.source)
    case 'derived':
      if (lineage.sources.length === 0) return 'which rows there are'
      return `computed from ${lineage.sources.map(sayColumn).join(', ')}${lineage.revealsNoValue ? ' (reveals no value)' : ''}`
    case 'constant':
      return 'constant'
    case 'unknown':
      return 'unknown'
    default:
      return assertNever(lineage)
  }
}
