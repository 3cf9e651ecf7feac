/** Admissions of one session. */
import type { PrincipalView } from '@sallyport/policy'
import type { Admission, ResultLimit } from '@sallyport/protocol-mysql'
import type { StatementFacts } from '@sallyport/sql'
import { isMetered } from '../../budgets/budgets.ts'
import type { Decided } from '../decisions.ts'
import type { Ground } from '../grounds.ts'
import type { Bound } from './parameters.ts'

/** An admission as this session made it. */
export interface Admitted extends Admission {
  /** Null: a command that has no text and is nobody's to forbid (COM_RESET_CONNECTION). */
  readonly decided: Decided | null
  /** As the client sent it. */
  readonly own: string
  readonly ground: Ground
  /** The state of names, policy and schema it was last compared with. */
  readonly checked: number
  /** It runs what a name stands for when it runs: decided anew each time. */
  readonly volatile: boolean
  /** Database and sql_mode when it was prepared: the server goes on reading it so. */
  readonly home: { readonly database: string | null; readonly sqlMode: string | null }
  /** A batch whose reply ends with a result that says of each row what it did. */
  readonly unitResults: boolean
  /** The settings under which the server read its literals: those of when it was prepared. */
  readonly readUnder: string
  /** Its parameters, where a result may have to wait for people; null: none. */
  readonly bound: Bound | null
  /** It runs only with `granted`; or what hangs on its estimate is still to be decided. */
  readonly needsApproval: boolean
  /** Number of the record for which an approval was used; null: none was, or none is needed. */
  readonly granted: number | null
}

/** The limit on what a text may return; null where there is none, or nothing is returned. */
export function limitOf(
  view: PrincipalView,
  statements: readonly StatementFacts[] | null,
): ResultLimit | null {
  const { rows, bytes, onExceed } = view.limits
  const metered = isMetered(view)
  if (rows === null && bytes === null && !metered) return null
  const returns = statements === null || statements.some((one) => one.outputs !== null)
  if (!returns) return null
  const held = onExceed === 'approve' ? 'hold' : 'refuse'
  return { rows, bytes, exceeded: onExceed === 'truncate' ? 'truncate' : held, metered }
}

/** Null: not read, or no statement at all. */
export function factsOf(decided: Decided | null): readonly StatementFacts[] | null {
  return decided?.analysis.kind === 'statements' ? decided.analysis.statements : null
}
