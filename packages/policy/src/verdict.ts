/** The answer to one client message, as the gateway and `policy explain` read it. */

import type { Sorting, StatementFacts } from '@sallyport/sql'
import type { EstimateGate } from './estimates.ts'
import type { ApproverRequirement, ColumnMask, PreviewAllowed } from './model.ts'
import type { Probes } from './probes.ts'

export type DenyCode =
  /** A deny rule matched. */
  | 'deny-rule'
  /** Nothing allows some part of it. */
  | 'not-allowed'
  /** No rule lets this principal use the connection at all. */
  | 'no-access'
  /** The text is not this engine's SQL; sqlstate and message are the grammar's own. */
  | 'unparsable'
  /** A name in it stands for nothing; sqlstate is that of the server. */
  | 'unknown-name'
  /** Something in it is not understood, and that is not granted here. */
  | 'unknown-statement'
  /** A condition of a deny or approve rule could not be evaluated. */
  | 'condition-error'
  /** The planner expects more of it than policy allows. */
  | 'estimate'
  /** Policy asks for an estimate, and there is none. */
  | 'no-estimate'
  /** Nested deeper than a decision follows. */
  | 'too-complex'
  // What protects masked columns:
  | 'masked-unknown-lineage'
  | 'masked-unresolved'
  | 'masked-derived'
  | 'masked-predicate'
  | 'masked-flow'
  | 'masked-write-back'
  | 'masked-function'
  | 'masked-state'
  | 'masked-definition'
  | 'masked-catalog'

/** Per output column of one statement; null: clean. */
export interface ResultPlan {
  readonly columns: readonly (ColumnMask | null)[]
  /** Rows that are not of relations, with any number of columns: see `rows` of StatementFacts. */
  readonly rows?: NonNullable<StatementFacts['rows']>
}

/** A computed result column that is to be sent to the server so that it does not compute it. */
export interface WithheldColumn {
  /** See WithholdableColumn. */
  readonly at: number
  readonly name: string
}

/** What is to be done to the text before it may run; absent: nothing. */
export interface Rewriting {
  readonly withheld?: readonly WithheldColumn[]
  /** Statements whose rows are to be sorted by what is shown of them, too. */
  readonly sortedBy?: readonly Sorting[]
  /** Settings that its SET is to be sent without. */
  readonly unset?: readonly string[]
}

interface Words {
  /** One sentence for the error a client sees; names rules and objects, never values. */
  readonly message: string
  readonly detail: string
  readonly hint: string
}

/** Conditions of allow rules that could not be evaluated (and so did not match). */
interface Reports {
  readonly reports: readonly string[]
}

export type Allow = Reports &
  Rewriting & {
    readonly kind: 'allow'
    /** The allow rules that cover it, joined by ` + `. */
    readonly rule: string
    /** One per statement; null where the statement returns no rows. */
    readonly results: readonly (ResultPlan | null)[]
    /** What an execution takes from the budgets of masks; executing beyond one is to be refused. */
    readonly probes: readonly Probes[]
    /** What hangs on the planner's estimate: see `settleEstimate`. */
    readonly gates: readonly EstimateGate[]
  }
export type Deny = Reports &
  Words & {
    readonly kind: 'deny'
    readonly rule: string | null
    readonly code: DenyCode
    readonly sqlstate: string
  }
export type Approve = Reports &
  Rewriting &
  Words & {
    readonly kind: 'approve'
    readonly rule: string
    /** Every one of these must be satisfied. */
    readonly approvers: readonly ApproverRequirement[]
    /** The shortest of the rules' times. */
    readonly withinMs: number
    readonly useWithinMs: number
    readonly reason: 'required' | 'optional'
    readonly probes: readonly Probes[]
    /** `return` when one of the rules says so. */
    readonly mode: 'hold' | 'return'
    /** What each of the rules lets approvers see of its effect; null: one of them nothing. */
    readonly preview: PreviewAllowed | null
    readonly results: readonly (ResultPlan | null)[]
    readonly gates: readonly EstimateGate[]
  }
export type Verdict = Allow | Deny | Approve

/** `insufficient_privilege` (PostgreSQL, class 42). */
export const SQLSTATE_REFUSED = '42501'
/** `undefined_table`: migrations ask for a relation in order to hear that it is not there. */
export const SQLSTATE_NO_RELATION = '42P01'

export function deny(
  code: DenyCode,
  words: Words,
  more: { readonly rule?: string; readonly sqlstate?: string } = {},
): Deny {
  return {
    kind: 'deny',
    rule: more.rule ?? null,
    code,
    sqlstate: more.sqlstate ?? SQLSTATE_REFUSED,
    reports: [],
    ...words,
  }
}
