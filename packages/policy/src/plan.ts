/**
 * Facts → which output columns are masked and how. One place turns lineage into a mask; `decide`, `explain` and
 * the gateway (cursors, FETCH) all read the plan made here.
 */

import type { ColumnRef, Lineage, StatementFacts } from '@sallyport/sql'
import { assertNever } from './errors.ts'
import { REDACT, strengthOf } from './masks/spec.ts'
import type { ColumnMask } from './model.ts'
import type { ResultPlan } from './verdict.ts'
import { AMOUNT, type PrincipalView, stricterMask, stricterOrNull } from './view.ts'

/** The protected columns among some, with their masks. */
export function protectedAmong(
  view: PrincipalView,
  columns: readonly ColumnRef[],
): readonly { readonly column: ColumnRef; readonly mask: ColumnMask }[] {
  return columns.flatMap((column) => {
    const mask = view.maskFor(column)
    return mask === null ? [] : [{ column, mask }]
  })
}

export type ColumnPlan =
  | { readonly kind: 'clean' }
  | { readonly kind: 'mask'; readonly mask: ColumnMask }
  /** Policy refuses expressions over these columns. */
  | {
      readonly kind: 'refuse'
      readonly sources: readonly ColumnRef[]
      readonly names: readonly string[]
    }
  | { readonly kind: 'unknown'; readonly why: readonly string[] }

const CLEAN: ColumnPlan = { kind: 'clean' }

/**
 * The lineage as it is for who trusts functions: what only trusted ones make unknown is computed from their
 * arguments.
 */
export function trustedLineage(view: PrincipalView, lineage: Lineage): Lineage {
  if (lineage.kind !== 'unknown' || lineage.opaque === undefined) return lineage
  if (!lineage.opaque.every((use) => view.trusts(use))) return lineage
  const { sources, why } = lineage
  return { kind: 'derived', sources, revealsNoValue: false, why }
}

/** What happens to a cell of this lineage for a principal under masks. */
export function columnPlan(view: PrincipalView, stated: Lineage): ColumnPlan {
  const lineage = trustedLineage(view, stated)
  switch (lineage.kind) {
    case 'constant':
      return CLEAN
    case 'unknown':
      return { kind: 'unknown', why: lineage.why }
    case 'direct': {
      const mask = view.maskFor(lineage.source)
      return mask === null ? CLEAN : { kind: 'mask', mask }
    }
    case 'derived': {
      if (lineage.revealsNoValue) return CLEAN
      const found = protectedAmong(view, lineage.sources)
      if (found.length === 0) return amountsPlan(view, lineage.amounts ?? [])
      const merged = found.map(({ mask }) => mask).reduce(stricterMask)
      const { groupMin } = merged
      if (groupMin !== null && (lineage.groups ?? 0) >= groupMin) return CLEAN
      if (merged.derived === 'deny')
        return { kind: 'refuse', sources: found.map(({ column }) => column), names: merged.names }
      return { kind: 'mask', mask: derivedMask(merged) }
    }
    default:
      return assertNever(lineage)
  }
}

/** Of a plan over tables with protected columns no estimate is shown, whatever it reads of them. */
function amountsPlan(view: PrincipalView, columns: readonly ColumnRef[]): ColumnPlan {
  return protectedAmong(view, columns).length === 0 ? CLEAN : { kind: 'mask', mask: AMOUNT }
}

/** An expression over a protected value shows nothing of it, whatever the column's own mask would show. */
function derivedMask(mask: ColumnMask): ColumnMask {
  const spec = mask.spec.kind === 'null' ? mask.spec : REDACT
  return { ...mask, spec, strength: strengthOf(spec), column: null }
}

const CLEAN_PLANS: ResultPlan[] = []

/** A plan without masks, shared by width. */
function cleanPlan(width: number): ResultPlan {
  const known = CLEAN_PLANS[width]
  if (known !== undefined) return known
  const plan: ResultPlan = { columns: new Array<null>(width).fill(null) }
  if (width < 256) CLEAN_PLANS[width] = plan
  return plan
}

/**
 * The mask plan of one statement's rows; null when it returns none.
 * `refused`: the plan cannot be made (unknown lineage, or policy refuses an expression); `decide` refuses then.
 */
export function planFor(view: PrincipalView, facts: StatementFacts): ResultPlan | null | 'refused' {
  const { outputs } = facts
  if (outputs === null) return null
  if (facts.rows !== undefined && outputs !== 'unknown') return { columns: [], rows: facts.rows }
  if (outputs === 'unknown') return view.masked ? 'refused' : { columns: [] }
  if (!view.masked) return cleanPlan(outputs.length)
  const columns: (ColumnMask | null)[] = []
  for (const output of outputs) {
    const plan = columnPlan(view, output.lineage)
    if (plan.kind === 'refuse' || plan.kind === 'unknown') return 'refused'
    columns.push(plan.kind === 'mask' ? plan.mask : null)
  }
  return { columns }
}

export interface MergedPlan extends ResultPlan {
  /** 0-based columns the result's metadata made stricter than lineage did: count them, refresh the catalog. */
  readonly raised: readonly number[]
}

const UNEXPECTED: ColumnMask = {
  spec: REDACT,
  strength: strengthOf(REDACT),
  derived: 'redact',
  predicates: 'deny',
  probes: null,
  groupMin: null,
  names: ['built-in: unexpected column'],
  column: null,
}

/** What the server says of a result column; null: it names no base column; `unlisted`: one that is not in the snapshot. */
export type Witness = ColumnRef | 'unlisted' | null

/**
 * The plan and what the server says of each result column. The stricter wins, column by column; a column that
 * the plan or the schema's snapshot does not have is redacted for a principal under masks.
 */
export function mergePlan(
  plan: ResultPlan | null,
  witness: readonly Witness[],
  view: PrincipalView,
): MergedPlan {
  const planned = plan?.columns ?? []
  const isUnexpected = view.masked && plan?.rows === undefined && planned.length !== witness.length
  const raised: number[] = []
  const columns = witness.map((column, i) => {
    const before = planned[i] ?? null
    const isUnlisted = column === 'unlisted' && view.masked
    const seen = column === null || column === 'unlisted' ? null : view.maskFor(column)
    const after = isUnexpected || isUnlisted ? UNEXPECTED : stricterOrNull(before, seen)
    if (after !== before && (before === null || after?.strength !== before.strength)) raised.push(i)
    return after
  })
  return { columns, raised }
}
