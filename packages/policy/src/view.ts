/**
 * A policy as one principal on one connection sees it: rules, masks and limits that apply, picked once when the
 * session opens. Decisions and mask look-ups afterwards touch only these.
 */

import { type ColumnRef, type FunctionUse, isAmount } from '@sallyport/sql'
import { VIEW_COLUMNS_MAX } from './limits.ts'
import { strengthOf, stricterSpec } from './masks/spec.ts'
import type {
  ColumnMask,
  DerivedPolicy,
  GrantRule,
  LimitRule,
  Limits,
  MaskRule,
  OnExceed,
  Policy,
  PredicatePolicy,
  ProbeBudget,
  RecordingPolicy,
  RecordRule,
  Rule,
  Subject,
} from './model.ts'
import { anyGlob, columnMatches, type FunctionPattern, functionMatches } from './patterns.ts'
import { whoMatches } from './who.ts'

export interface PrincipalView {
  readonly policyVersion: string
  readonly connection: string
  readonly subject: Subject
  /** Some allow or approve rule applies to this principal on this connection. */
  readonly mayConnect: boolean
  /** Some column of this connection is masked for somebody. */
  readonly protects: boolean
  /** Some mask can apply to this principal here. */
  readonly masked: boolean
  /** A condition that applies reads the clock: do not remember verdicts. */
  readonly usesTime: boolean
  /** A condition that applies reads what literals decide: remember verdicts by exact text only. */
  readonly usesLiterals: boolean
  readonly limits: Limits
  /** Limits on what the planner expects. */
  readonly estimateLimits: readonly LimitRule[]
  /** Null: its output is not recorded. */
  readonly recording: RecordingPolicy | null
  readonly rules: readonly Rule[]
  /** Of `rules`, those that give this principal rights: allow, and approve where its active groups match. */
  readonly granting: ReadonlySet<Rule>
  readonly masks: readonly MaskRule[]
  /** The strictest mask on a column; null when it is shown as it is. */
  readonly maskFor: (column: ColumnRef) => ColumnMask | null
  /** The policy masks on a column that apply to this principal. */
  readonly masksOn: (column: ColumnRef) => readonly MaskRule[]
  /** Every policy mask on a column here, whoever it applies to. */
  readonly allMasksOn: (column: ColumnRef) => readonly MaskRule[]
  /** Is an opaque function listed under `trusted-functions`? */
  readonly trusts: (use: FunctionUse) => boolean
}

export interface ViewOptions {
  /**
   * Columns this one holds data of, besides itself: the partition parent's, the inheritance parent's, a
   * materialized view's sources. Answers must be stable for the life of the view: make a new view when the
   * catalog changes.
   */
  readonly basesOf?: (column: ColumnRef) => readonly ColumnRef[]
}

export function viewFor(
  policy: Policy,
  subject: Subject,
  connection: string,
  options: ViewOptions = {},
): PrincipalView {
  const here = <T extends { readonly connections: Rule['connections'] }>(
    all: readonly T[],
  ): readonly T[] => all.filter((one) => anyGlob(one.connections, connection))
  const rules = here(policy.rules).filter((rule) =>
    whoMatches(rule.who, subject, rule.kind === 'allow' ? 'gives' : 'takes'),
  )
  const granting = new Set(
    rules.filter((rule) => isGranting(rule) && whoMatches(rule.who, subject, 'gives')),
  )
  const allMasks = here(policy.masks)
  const masks = allMasks.filter(
    (mask) =>
      whoMatches(mask.who, subject, 'takes') &&
      (mask.except === null || !whoMatches(mask.except, subject, 'gives')),
  )
  const lookup = new ColumnLookup(masks, allMasks, options.basesOf ?? (() => []))
  const limits = here(policy.limits).filter((limit) => whoMatches(limit.who, subject, 'takes'))
  const trusted = here(policy.trusted).flatMap((entry) => entry.patterns)
  return {
    policyVersion: policy.version,
    connection,
    subject,
    mayConnect: granting.size > 0,
    protects: allMasks.length > 0,
    masked: masks.length > 0,
    usesTime: rules.some((rule) => rule.match.when?.usesTime ?? false),
    usesLiterals: rules.some((rule) => rule.match.when?.usesLiterals ?? false),
    limits: mergeLimits(limits),
    estimateLimits: limits.filter((limit) => limit.estimate !== null),
    recording: mergeRecords(
      here(policy.records).filter(({ who }) => whoMatches(who, subject, 'takes')),
    ),
    rules,
    granting,
    masks,
    maskFor: (column) => lookup.mask(column),
    masksOn: (column) => lookup.applying(column),
    allMasksOn: (column) => lookup.all(column),
    trusts: (use) =>
      trusted.some((pattern: FunctionPattern) => functionMatches(pattern, use, 'grant')),
  }
}

/** What hangs on an estimate gives nothing: below it, it would not match. */
const isGranting = ({ kind, match }: Rule): boolean => kind !== 'deny' && match.estimate === null

/** The rules by which this principal may ask for a role on a connection. */
export function grantsFor(
  policy: Policy,
  subject: Subject,
  of: { readonly role: string; readonly connection: string },
): readonly { readonly rule: GrantRule; readonly breakGlass: boolean }[] {
  return policy.grants
    .filter(({ role, connections }) => role === of.role && anyGlob(connections, of.connection))
    .filter(({ who }) => whoMatches(who, subject, 'gives'))
    .map((rule) => ({
      rule,
      breakGlass: rule.breakGlass !== null && whoMatches(rule.breakGlass, subject, 'gives'),
    }))
}

const smaller = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b)
const EXCEED_ORDER: readonly OnExceed[] = ['truncate', 'approve', 'deny']

function mergeLimits(rules: readonly LimitRule[]): Limits {
  const merged: Limits = {
    rows: null,
    bytes: null,
    statementsPerMinute: null,
    onExceed: rules.length === 0 ? 'deny' : 'truncate',
    approvers: [],
    budgets: [],
  }
  return rules.reduce<Limits>(
    (all, { limits }) => ({
      rows: smaller(all.rows, limits.rows),
      bytes: smaller(all.bytes, limits.bytes),
      statementsPerMinute: smaller(all.statementsPerMinute, limits.statementsPerMinute),
      onExceed:
        // A limit on something else does not say what becomes of a result.
        (limits.rows !== null || limits.bytes !== null) &&
        EXCEED_ORDER.indexOf(limits.onExceed) > EXCEED_ORDER.indexOf(all.onExceed)
          ? limits.onExceed
          : all.onExceed,
      approvers:
        limits.rows === null && limits.bytes === null
          ? all.approvers
          : [...all.approvers, ...limits.approvers],
      budgets: [...all.budgets, ...limits.budgets],
    }),
    merged,
  )
}

/** Where several match, what any of them keeps is kept. */
function mergeRecords(rules: readonly RecordRule[]): RecordingPolicy | null {
  const larger = (a: number | null, b: number | null): number | null =>
    a === null || b === null ? null : Math.max(a, b)
  return rules.reduce<RecordingPolicy | null>(
    (all, { recording: one }) =>
      all === null
        ? one
        : {
            rows: larger(all.rows, one.rows),
            bytes: larger(all.bytes, one.bytes),
            parameters: all.parameters || one.parameters,
          },
    null,
  )
}

const DERIVED_ORDER: readonly DerivedPolicy[] = ['redact', 'deny']
const PREDICATE_ORDER: readonly PredicatePolicy[] = ['open', 'equality', 'deny']
const stricterOf = <T>(order: readonly T[], a: T, b: T): T =>
  order.indexOf(b) > order.indexOf(a) ? b : a

function fewerProbes(a: ProbeBudget | null, b: ProbeBudget | null): ProbeBudget | null {
  if (a === null || b === null) return a ?? b
  return { max: Math.min(a.max, b.max), withinMs: Math.max(a.withinMs, b.withinMs) }
}

/** Two masks on one cell: the stronger kind, and the strictest of each setting. */
export function stricterMask(a: ColumnMask, b: ColumnMask): ColumnMask {
  const spec = stricterSpec(a.spec, b.spec)
  return {
    spec,
    strength: strengthOf(spec),
    derived: stricterOf(DERIVED_ORDER, a.derived, b.derived),
    predicates: stricterOf(PREDICATE_ORDER, a.predicates, b.predicates),
    probes: fewerProbes(a.probes, b.probes),
    groupMin: a.groupMin === null || b.groupMin === null ? null : Math.max(a.groupMin, b.groupMin),
    names: [...new Set([...a.names, ...b.names])],
    column: a.column ?? b.column,
  }
}

export function stricterOrNull(a: ColumnMask | null, b: ColumnMask | null): ColumnMask | null {
  return a === null || b === null ? (a ?? b) : stricterMask(a, b)
}

interface Known {
  readonly mask: ColumnMask | null
  readonly applying: readonly MaskRule[]
  readonly all: readonly MaskRule[]
}

/** Column → masks, remembered up to a cap. */
class ColumnLookup {
  readonly #masks: readonly MaskRule[]
  readonly #allMasks: readonly MaskRule[]
  readonly #basesOf: (column: ColumnRef) => readonly ColumnRef[]
  /** By what the facts hold: a schema's columns are the same objects in every statement that names them. */
  readonly #known = new Map<ColumnRef, Known>()

  constructor(
    masks: readonly MaskRule[],
    allMasks: readonly MaskRule[],
    basesOf: (column: ColumnRef) => readonly ColumnRef[],
  ) {
    this.#masks = masks
    this.#allMasks = allMasks
    this.#basesOf = basesOf
  }

  mask(column: ColumnRef): ColumnMask | null {
    return this.#masks.length === 0 ? null : this.#of(column).mask
  }

  applying(column: ColumnRef): readonly MaskRule[] {
    return this.#of(column).applying
  }

  all(column: ColumnRef): readonly MaskRule[] {
    return this.#of(column).all
  }

  #of(column: ColumnRef): Known {
    const known = this.#known.get(column)
    if (known !== undefined) return known
    const related = this.#related(column)
    const found: Known = {
      mask: this.#maskOf(column),
      applying: this.#on(this.#masks, related),
      all: this.#on(this.#allMasks, related),
    }
    if (this.#known.size >= VIEW_COLUMNS_MAX) this.#known.clear()
    this.#known.set(column, found)
    return found
  }

  #maskOf(column: ColumnRef): ColumnMask | null {
    let mask = this.#alone(column)
    for (const kin of column.kin ?? []) mask = stricterOrNull(mask, this.#alone(kin))
    return mask
  }

  #alone(column: ColumnRef): ColumnMask | null {
    if (isAmount(column)) return AMOUNT
    const covered = [column, ...this.#basesOf(column)]
    return this.#on(this.#masks, covered)
      .map((rule) => maskOf(rule, column, covered))
      .reduce(stricterOrNull, null)
  }

  /** The column, its kin and their bases. */
  #related(column: ColumnRef): readonly ColumnRef[] {
    return [column, ...(column.kin ?? [])].flatMap((one) => [one, ...this.#basesOf(one)])
  }

  #on(masks: readonly MaskRule[], columns: readonly ColumnRef[]): readonly MaskRule[] {
    return masks.filter((mask) =>
      mask.columns.some((pattern) => columns.some((one) => columnMatches(pattern, one, 'protect'))),
    )
  }
}

/** How much is stored: nobody under masks is told. */
export const AMOUNT: ColumnMask = {
  spec: { kind: 'null' },
  strength: strengthOf({ kind: 'null' }),
  derived: 'redact',
  predicates: 'deny',
  probes: null,
  groupMin: null,
  names: ['built-in: how much is stored'],
  column: null,
}

function maskOf(rule: MaskRule, column: ColumnRef, covered: readonly ColumnRef[]): ColumnMask {
  return {
    spec: rule.spec,
    strength: strengthOf(rule.spec),
    derived: rule.derived,
    predicates: rule.predicates,
    probes: rule.probes,
    groupMin: rule.groupMin,
    names: namesOn(rule, covered),
    column,
  }
}

function namesOn(
  { name, written, columns }: MaskRule,
  covered: readonly ColumnRef[],
): readonly string[] {
  const covers = (index: number): boolean => {
    const pattern = columns[index]
    return pattern !== undefined && covered.some((one) => columnMatches(pattern, one, 'protect'))
  }
  return written === null ? [name] : written.filter((_, index) => covers(index))
}
