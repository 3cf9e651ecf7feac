/**
 * The one place where "allow" is made. Order: deny rules, then whether every need is granted, then what protects
 * masked columns, then approvals. Nothing here depends on the order of rules or files; an error anywhere refuses.
 */

import type { Analysis, StatementFacts } from '@sallyport/sql'
import { approving } from './approving.ts'
import { gatesFor } from './estimates.ts'
import { type ApproveRule, type Examined, examine } from './examine.ts'
import { guardMasked } from './guard.ts'
import { NESTED_FACTS_MAX } from './limits.ts'
import { planFor } from './plan.ts'
import { probesFor } from './probes.ts'
import { guardRedefined } from './redefined.ts'
import { unknownName } from './unknown-name.ts'
import { rewritingFor } from './uses.ts'
import { type Allow, type Deny, deny, type ResultPlan, type Verdict } from './verdict.ts'
import type { PrincipalView } from './view.ts'
import { noAccess, notAllowed } from './words.ts'

export interface DecideContext {
  /** Milliseconds since 1970, the gateway's clock. */
  readonly now: number
}

/** Decides one client message: every statement in it, and statements prepared or declared by them. */
export function decide(view: PrincipalView, analysis: Analysis, context: DecideContext): Verdict {
  if (!view.mayConnect) return noAccess(view)
  if (analysis.kind === 'unparsable') return decideUnparsable(view, analysis)
  const parts: Examined[] = []
  const reports: string[] = []
  const asking = new Set<ApproveRule>()
  for (const statement of analysis.statements) {
    for (const facts of withNested(statement)) {
      if (facts === null) return tooDeep()
      const part = examine(view, facts, context.now)
      parts.push(part)
      for (const report of part.reports) reports.push(report)
      for (const rule of part.approving) asking.add(rule)
    }
  }
  const refused =
    firstRefusal(view, parts, context.now) ?? guardRedefined(view, analysis.statements)
  if (refused !== null) return { ...refused, reports }
  const results: (ResultPlan | null)[] = []
  for (const facts of analysis.statements) {
    const plan = planFor(view, facts)
    if (plan === 'refused') return { ...unplannable(), reports }
    results.push(plan)
  }
  const probes = probesFor(view, analysis.statements)
  const rewriting = rewritingFor(view, analysis.statements)
  const gates = gatesFor(view, analysis.statements, parts)
  if (asking.size > 0) {
    const asked = [...asking]
    const hint = asked.find((rule) => rule.hint !== null)?.hint ?? null
    const approvers = asked.map((rule) => rule.approvers)
    return { ...approving(approvers, hint), ...rewriting, results, probes, reports, gates }
  }
  const rules = new Set<string>()
  for (const { needs } of parts)
    for (const { by } of needs) if (by[0] !== undefined) rules.add(by[0])
  const rule = [...rules].join(' + ') || 'built-in: nothing needed'
  const allow: Allow = { kind: 'allow', rule, results, probes, reports, gates }
  return rewriting === null ? allow : { ...allow, ...rewriting }
}

const tooDeep = (): Deny =>
  deny('too-complex', {
    message: 'statements are nested too deeply',
    detail: `more than ${NESTED_FACTS_MAX} levels`,
    hint: 'Send the inner statement by itself.',
  })

/** A statement and the ones it prepares or declares; null past the depth a decision follows. */
export function withNested(facts: StatementFacts, depth = 0): (StatementFacts | null)[] {
  if (depth > NESTED_FACTS_MAX) return [null]
  if (facts.state.length === 0) return [facts]
  const nested = facts.state.flatMap((change) =>
    change.kind === 'prepare' || change.kind === 'declare-cursor' ? [change.facts] : [],
  )
  return [facts, ...nested.flatMap((inner) => withNested(inner, depth + 1))]
}

function firstRefusal(view: PrincipalView, parts: readonly Examined[], now: number): Deny | null {
  for (const { denied } of parts) if (denied !== null) return denied
  for (const { needs, facts } of parts) {
    if (needs.every(({ by }) => by.length > 0)) continue
    const missing = needs.flatMap(({ need, by }) => (by.length === 0 ? [need] : []))
    return unknownName(view, facts, now) ?? notAllowed(missing, facts.unknowns)
  }
  for (const { facts } of parts) {
    const refused = guardMasked(view, facts)
    if (refused !== null) return unknownName(view, facts, now) ?? refused
  }
  return null
}

function unplannable(): Deny {
  return deny('masked-unknown-lineage', {
    message:
      'it cannot be proven which columns the result comes from, and columns are masked for you',
    detail: 'no mask plan',
    hint: 'Name the columns you need.',
  })
}

/**
 * Text the grammar rejects. It passes only where a rule grants the effect `unknown` on everything, no deny or
 * approve rule applies to the principal (it might have matched), no limit on estimates and no mask.
 */
function decideUnparsable(
  view: PrincipalView,
  analysis: Extract<Analysis, { kind: 'unparsable' }>,
): Verdict {
  const blind = view.rules.find((rule) => rule.kind !== 'allow')
  const granting = view.rules.find(
    ({ kind, match }) =>
      kind === 'allow' &&
      match.effects?.has('unknown') &&
      match.commands === null &&
      match.columns === null &&
      match.when === null &&
      (match.relations?.some((pattern) => pattern.source === '*') ?? true),
  )
  const clear = blind === undefined && !view.masked && view.estimateLimits.length === 0
  if (granting !== undefined && clear)
    return { kind: 'allow', rule: granting.name, results: [], probes: [], reports: [], gates: [] }
  const words = {
    message: analysis.message,
    detail:
      analysis.detail ?? 'the gateway could not parse this text; it did not reach the database',
    hint: analysis.hint ?? 'Correct the SQL and send it again.',
  }
  return deny('unparsable', words, { sqlstate: analysis.sqlstate })
}
