/** What becomes of a statement once its estimate is known. */
import { type Allow, type Approve, type Deny, settleEstimate } from '@sallyport/policy'
import type { Estimated } from '../approvals/journal.ts'
import type { Decided } from './decisions.ts'

/** Null: nothing hangs on an estimate, and nobody is asked. */
export function hangingOn({ verdict }: Decided): Allow | Approve | null {
  if (verdict.kind === 'deny') return null
  return verdict.kind === 'approve' || verdict.gates.length > 0 ? verdict : null
}

export function settledBy(verdict: Allow | Approve, estimate: Estimated): Allow | Approve | Deny {
  return settleEstimate(verdict, estimate.kind === 'estimate' ? estimate : null)
}
