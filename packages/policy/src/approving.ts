/** A verdict that asks people: of several rules each must be satisfied, and the shortest times hold. */
import type { ApproverRequirement, PreviewAllowed } from './model.ts'
import { sayDuration } from './units.ts'
import type { Approve } from './verdict.ts'

/** `hint`: what a rule's author wants read; null: nothing. */
export function approving(
  approvers: readonly ApproverRequirement[],
  hint: string | null,
): Omit<Approve, 'results' | 'probes' | 'reports' | 'gates'> {
  const withinMs = Math.min(...approvers.map((one) => one.withinMs))
  const names = approvers.map(({ rule }) => rule).join(' + ')
  const mode = approvers.some((one) => one.mode === 'return') ? 'return' : 'hold'
  return {
    kind: 'approve',
    rule: names,
    approvers,
    withinMs,
    useWithinMs: Math.min(...approvers.map((one) => one.useWithinMs)),
    reason: approvers.some((one) => one.reason === 'required') ? 'required' : 'optional',
    mode,
    preview: previewOf(approvers),
    message: `this statement needs approval by the rule "${names}"`,
    detail: approvers
      .map(
        (one) =>
          `${one.count} of ${[...one.groups.map((g) => `group ${g}`), ...one.subjects].join(', ')}`,
      )
      .join(' and '),
    hint:
      hint ??
      (mode === 'hold'
        ? `It waits ${sayDuration(withinMs)} for a decision.`
        : 'Send exactly the same statement again once it is approved.'),
  }
}

/** Whoever decides by any of the rules sees it, so every one of them must let them. */
function previewOf(approvers: readonly ApproverRequirement[]): PreviewAllowed | null {
  const allowed = approvers.flatMap(({ preview }) => (preview === null ? [] : [preview]))
  if (allowed.length < approvers.length) return null
  return {
    rows: Math.min(...allowed.map(({ rows }) => rows)),
    inTransactions: allowed.every(({ inTransactions }) => inTransactions),
  }
}
