/**
 * The compiled policy: what `compilePolicy` produces and every decision reads. Plain readonly data plus matchers
 * compiled once. No file positions survive here except names and paths for explanations.
 */

import type { ColumnRef, Effect } from '@sallyport/sql'
import type { Condition } from './conditions.ts'
import type { MaskSpec } from './masks/spec.ts'
import type { ColumnPattern, FunctionPattern, Glob, RelationPattern } from './patterns.ts'

/** Who is asking. Only verified facts belong here; see README, "Who". */
export interface Subject {
  readonly subject: string
  readonly kind: 'human' | 'machine'
  /** Groups that may give rights: those of the role taken. */
  readonly groups: readonly string[]
  /**
   * Every group and role the principal holds, taken or not: what takes rights away (deny, approve, masks,
   * limits) matches on these too, so nobody sheds a restriction by naming another role. Absent: as above.
   */
  readonly allGroups?: readonly string[]
  readonly allRoles?: readonly string[]
  /** The role taken; null when none was. */
  readonly role: string | null
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly claims: Readonly<Record<string, unknown>>
}

/** One alternative of a `who`; every non-null list must hold one match. */
export interface WhoClause {
  readonly groups: readonly Glob[] | null
  readonly roles: readonly Glob[] | null
  readonly subjects: readonly Glob[] | null
  readonly graphs: readonly Glob[] | null
  readonly nodes: readonly Glob[] | null
  readonly kind: 'human' | 'machine' | null
  readonly except: Who | null
}
/** Matches when any clause does; `source` is its canonical text, equal for equal audiences. */
export interface Who {
  readonly clauses: readonly WhoClause[]
  readonly everyone: boolean
  readonly source: string
}

/** The conditions of one rule; null means the key was not written. */
export interface Match {
  /** Named effects; `*` is expanded to everything but `unknown`. */
  readonly effects: ReadonlySet<Effect> | null
  readonly relations: readonly RelationPattern[] | null
  readonly throughViews: boolean
  readonly commands: readonly Glob[] | null
  readonly functions: readonly FunctionPattern[] | null
  readonly columns: readonly ColumnPattern[] | null
  readonly settings: readonly Glob[] | null
  readonly when: Condition | null
  /** The planner must expect more than this; see estimates.ts. */
  readonly estimate: EstimateBounds | null
}

/** What an estimate is compared with; null: not written. */
export interface EstimateBounds {
  /** Rows returned or changed. */
  readonly rows: number | null
  /** In the planner's own unit. */
  readonly cost: number | null
}

export interface ApproverRequirement {
  readonly rule: string
  readonly groups: readonly string[]
  readonly subjects: readonly string[]
  /** Distinct people needed. */
  readonly count: number
  /** Time to decide. */
  readonly withinMs: number
  /** Time to use the approval once given. */
  readonly useWithinMs: number
  readonly reason: 'required' | 'optional'
  /** `return`: refused at once, to be retried; `hold`: it waits. */
  readonly mode: 'hold' | 'return'
  /** What the ticket an approver names must look like, all of it; null: none is asked for. */
  readonly ticket: string | null
  /** It may be run and rolled back, so that approvers see what it would do; null: it may not. */
  readonly preview: PreviewAllowed | null
}

export interface PreviewAllowed {
  /** Changed rows that are shown; 0: how many there are, and none of them. */
  readonly rows: number
  /** Also where what is tried keeps its locks until the transaction that it is in ends. */
  readonly inTransactions: boolean
}

interface RuleBase {
  readonly name: string
  readonly path: string
  readonly connections: readonly Glob[]
  readonly who: Who
  readonly match: Match
  /** What the author wants a refused client to read; null when not written. */
  readonly hint: string | null
}
export type Rule =
  | (RuleBase & { readonly kind: 'allow' | 'deny' })
  | (RuleBase & { readonly kind: 'approve'; readonly approvers: ApproverRequirement })

export type DerivedPolicy = 'redact' | 'deny'
export type PredicatePolicy = 'equality' | 'deny' | 'open'

/** How many different equality probes of a masked column one principal has in a window. */
export interface ProbeBudget {
  readonly max: number
  readonly withinMs: number
}

export interface MaskRule {
  readonly name: string
  /** `columns` as written, where it has no other name: each names the mask on the columns it covers. */
  readonly written: readonly string[] | null
  readonly path: string
  readonly connections: readonly Glob[]
  readonly columns: readonly ColumnPattern[]
  readonly spec: MaskSpec
  readonly who: Who
  readonly except: Who | null
  /** Equal for two masks that hide from the same people. */
  readonly audience: string
  readonly derived: DerivedPolicy
  readonly predicates: PredicatePolicy
  /** null: without limit. */
  readonly probes: ProbeBudget | null
  /** Sums and averages are shown over at least so many rows; null: never. */
  readonly groupMin: number | null
}

/** What happens to one column for one principal. */
export interface ColumnMask {
  readonly spec: MaskSpec
  /** Higher reveals less; see masks/spec.ts. */
  readonly strength: number
  readonly derived: DerivedPolicy
  readonly predicates: PredicatePolicy
  readonly probes: ProbeBudget | null
  readonly groupMin: number | null
  /** Names of the policy masks behind it. */
  readonly names: readonly string[]
  /** The protected column; the salt of `salt: column`. Null for an expression. */
  readonly column: ColumnRef | null
}

export type OnExceed = 'deny' | 'approve' | 'truncate'
/** null: no limit. When several limits match, the smallest of each and the strictest on-exceed hold. */
export interface Limits {
  readonly rows: number | null
  readonly bytes: number | null
  readonly statementsPerMinute: number | null
  readonly onExceed: OnExceed
  /** With `approve`: every one of these must be satisfied before more of a result is sent. */
  readonly approvers: readonly ApproverRequirement[]
  /** Every one of these holds. */
  readonly budgets: readonly Budget[]
}

/** What one token, or one run of a graph, may use in all; null: no limit. */
export interface Budget {
  /** The limit's name. */
  readonly name: string
  readonly per: 'token' | 'run'
  readonly statements: number | null
  readonly rows: number | null
  readonly bytes: number | null
}

export interface LimitRule {
  readonly name: string
  readonly path: string
  readonly connections: readonly Glob[]
  readonly who: Who
  readonly limits: Limits
  /** Before it runs; `limits.onExceed` says what becomes of it. Null: not asked. */
  readonly estimate: EstimateBounds | null
}

/** What is recorded of a session besides its statements, verdicts and outcomes; null: no limit. */
export interface RecordingPolicy {
  /** Of each result, as the client saw them. */
  readonly rows: number | null
  readonly bytes: number | null
  /** Bound values, where they are not of a column that is masked for anybody. */
  readonly parameters: boolean
}

export interface RecordRule {
  readonly path: string
  readonly connections: readonly Glob[]
  readonly who: Who
  readonly recording: RecordingPolicy
}

/** Who may ask for a role they do not have, and who decides. */
export interface GrantRule {
  readonly path: string
  readonly connections: readonly Glob[]
  readonly role: string
  readonly who: Who
  readonly approvers: ApproverRequirement
  readonly maxMs: number
  /** `request`: a refused statement that the role would allow asks for it. */
  readonly onRefusal: 'hint' | 'request'
  /** Who may take it at once, to be reviewed afterwards. */
  readonly breakGlass: Who | null
}

export interface TrustedFunctions {
  readonly connections: readonly Glob[]
  readonly patterns: readonly FunctionPattern[]
}

export interface Policy {
  /** SHA-256 (hex) of the canonical content: equal content in any file order gives the same version. */
  readonly version: string
  readonly rules: readonly Rule[]
  readonly masks: readonly MaskRule[]
  readonly limits: readonly LimitRule[]
  readonly records: readonly RecordRule[]
  readonly grants: readonly GrantRule[]
  readonly trusted: readonly TrustedFunctions[]
  /** Things that load but deserve a look, `path: text`. */
  readonly warnings: readonly string[]
}
