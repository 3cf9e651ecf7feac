/** Admissions of one session, and what makes two of them mean the same. */
import type { PrincipalView } from '@sallyport/policy'
import type { Admission, ResultLimit } from '@sallyport/protocol-postgres'
import type { StatementFacts } from '@sallyport/sql'
import { isMetered } from '../../budgets/budgets.ts'
import type { Decided } from '../decisions.ts'
import type { Ground } from '../grounds.ts'

/** An admission as this session made it. */
export interface Admitted extends Admission {
  readonly decided: Decided
  readonly text: string
  readonly ground: Ground
  /** Other things the text meant earlier in this session; see Masking.before. */
  readonly before: readonly Decided[]
  /** The state of names, policy and schema it was last compared with. */
  readonly checked: number
  /** It runs what a name stands for when it runs: decided anew each time. */
  readonly volatile: boolean
  /** It runs only with `granted`; or what hangs on its estimate is still to be decided. */
  readonly needsApproval: boolean
  /** Number of the record for which an approval was used; null: none was, or none is needed. */
  readonly granted: number | null
  /** The session's settings when the server read its text: some constants are computed then. See KnownSettings. */
  readonly readUnder: string
  /** Body of its Bind, where a result may have to wait for people. */
  readonly bind?: Buffer
  /** Bound values as they are recorded; absent: nothing is bound, or they are not recorded. */
  readonly parameters?: readonly (string | null)[]
}

/** The limit on what a text may return; null where there is none, or nothing is returned. */
export function limitOf(
  view: PrincipalView,
  statements: readonly StatementFacts[] | null,
): ResultLimit | null {
  const { rows, bytes, onExceed } = view.limits
  const metered = isMetered(view)
  if (rows === null && bytes === null && !metered) return null
  const all = statements ?? []
  const copies = all.filter((one) => one.copy?.direction === 'to-client')
  const returns = statements === null || all.some((one) => one.outputs !== null)
  if (!returns && copies.length === 0) return null
  // A binary COPY has a trailer: cut short, it is no COPY any more.
  const cuttable = onExceed === 'truncate' && copies.every((one) => one.copy?.format !== 'binary')
  const readOnly =
    statements !== null &&
    all.every((one) => one.effects.every((e) => e === 'read' || e === 'copy'))
  const exceeded = cuttable ? 'truncate' : onExceed === 'approve' ? 'hold' : 'refuse'
  return { rows, bytes, exceeded, readOnly, metered }
}

/** Equal facts: the same relations, columns and lineage. */
export function sameMeaning(a: Decided, b: Decided): boolean {
  return a === b || a.analysis === b.analysis || factsText(a) === factsText(b)
}

/** Null: not understood. */
export function factsOf({ analysis }: Decided): readonly StatementFacts[] | null {
  return analysis.kind === 'statements' ? analysis.statements : null
}

export function factsText({ analysis }: Decided): string {
  return JSON.stringify(analysis.kind === 'statements' ? analysis.statements : analysis.kind)
}

export function sameFacts(a: StatementFacts, b: StatementFacts | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b)
}

/**
 * Does what was bound need more now than it was given then? An approval is good for the same meaning under the
 * same policy, an estimate for what the same policy hangs on it.
 */
export function hangsOnMore(bound: Admitted, now: Admitted): boolean {
  const { verdict } = now.decided
  if (verdict.kind === 'deny') return true
  const samePolicy = bound.ground.view.policyVersion === now.ground.view.policyVersion
  if (verdict.kind === 'allow') return verdict.gates.length > 0 && !samePolicy
  return bound.granted === null || !samePolicy || !sameMeaning(bound.decided, now.decided)
}

export function samePlan(a: Admitted, b: Admitted): boolean {
  const plan = ({ verdict }: Decided): string =>
    JSON.stringify(verdict.kind === 'deny' ? null : verdict.results)
  return plan(a.decided) === plan(b.decided)
}
