/**
 * What the planner expects of a statement, against what policy lets it: rules with `estimated-rows` or
 * `estimated-cost`, and limits with them. The estimate is known only when a statement is about to run, so a verdict
 * carries what hangs on it (`gates`), and `settleEstimate` decides the rest.
 */
import type { StatementFacts } from '@sallyport/sql'
import { approving } from './approving.ts'
import { catalogClass } from './catalogs.ts'
import type { Examined } from './examine.ts'
import type { ApproverRequirement, EstimateBounds, Rule } from './model.ts'
import { type Allow, type Approve, type Deny, deny } from './verdict.ts'
import type { PrincipalView } from './view.ts'

/** Of one statement, as its server's planner sees it with the parameters it would run with. */
export interface Estimate {
  /** Rows it returns or changes. */
  readonly rows: number
  /** In the planner's own unit; null: this server does not say. */
  readonly cost: number | null
}

/** A rule or limit that holds once the estimate is above its bounds. */
export interface EstimateGate {
  /** Its name. */
  readonly by: string
  readonly over: EstimateBounds
  /** A rule holds when every bound is passed, a limit when one is. */
  readonly needs: 'all' | 'any'
  /** Null: it denies. */
  readonly approvers: ApproverRequirement | null
  readonly hint: string | null
}

/** Nothing is planned for them, or it was when the cursor was declared. */
const UNPLANNED = new Set(['fetch', 'move', 'close', 'deallocate', 'prepare', 'show', 'describe'])

/** Everything of these statements that hangs on an estimate. `statements`: those sent, without nested ones. */
export function gatesFor(
  view: PrincipalView,
  statements: readonly StatementFacts[],
  parts: readonly Examined[],
): readonly EstimateGate[] {
  const rules = new Set<Rule>()
  for (const { facts, gating } of parts) {
    if (facts.command !== 'prepare') for (const rule of gating) rules.add(rule)
  }
  if (rules.size === 0 && view.estimateLimits.length === 0) return NONE
  const ofRules = [...rules].map(({ name, match, hint, ...rule }) => ({
    by: name,
    over: match.estimate ?? { rows: null, cost: null },
    needs: 'all' as const,
    approvers: rule.kind === 'approve' ? rule.approvers : null,
    hint,
  }))
  if (!statements.some(isPlanned)) return ofRules
  const ofLimits = view.estimateLimits.map(({ name, estimate, limits }) => ({
    by: name,
    over: estimate ?? { rows: null, cost: null },
    needs: 'any' as const,
    approvers: limits.approvers[0] ?? null,
    hint: null,
  }))
  return [...ofRules, ...ofLimits]
}

const NONE: readonly EstimateGate[] = []

/** Could it return or change many rows? Asking the planner about each `SELECT 1` would double what drivers wait for. */
function isPlanned({ command, effects, relations, functions, copy }: StatementFacts): boolean {
  if (UNPLANNED.has(command) || copy?.direction === 'from-client') return false
  if (effects.includes('unknown') || effects.includes('procedural')) return true
  if (!effects.includes('read') && !effects.includes('write')) return false
  if (relations.length === 0) return functions.length > 0
  return relations.some((use) => use.access === 'write' || catalogClass(use) !== 'metadata')
}

/** `estimate` null: there is none, which counts as above every bound. */
export function settleEstimate(
  verdict: Allow | Approve,
  estimate: Estimate | null,
): Allow | Approve | Deny {
  const exceeded = verdict.gates.filter((gate) => isOver(gate, estimate))
  const denying = exceeded.find(({ approvers }) => approvers === null)
  if (denying !== undefined) return { ...tooMuch(denying, estimate), reports: verdict.reports }
  const asking = exceeded.flatMap(({ approvers }) => (approvers === null ? [] : [approvers]))
  const settled = { ...verdict, gates: [] }
  if (asking.length === 0) return settled
  const before = verdict.kind === 'approve' ? verdict.approvers : []
  const hint = exceeded.find((gate) => gate.hint !== null)?.hint ?? null
  const { results, probes, reports, withheld, sortedBy, unset } = verdict
  const all = [...before, ...asking]
  return {
    ...approving(all, hint),
    ...(withheld && { withheld }),
    ...(sortedBy && { sortedBy }),
    ...(unset && { unset }),
    results,
    probes,
    reports,
    gates: [],
  }
}

function isOver({ over, needs }: EstimateGate, estimate: Estimate | null): boolean {
  const passed = (bound: number | null, value: number | null | undefined): boolean[] =>
    bound === null ? [] : [value === null || value === undefined || value > bound]
  const all = [...passed(over.rows, estimate?.rows), ...passed(over.cost, estimate?.cost)]
  return needs === 'all' ? all.every(Boolean) : all.some(Boolean)
}

function tooMuch({ by, over, hint }: EstimateGate, estimate: Estimate | null): Deny {
  const bounds = [
    ...(over.rows === null ? [] : [`${over.rows} rows`]),
    ...(over.cost === null ? [] : [`a cost of ${over.cost}`]),
  ].join(' and ')
  const known = estimate !== null && (over.cost === null || estimate.cost !== null)
  const expected =
    estimate === null
      ? 'not known'
      : `${estimate.rows} ${estimate.rows === 1 ? 'row' : 'rows'}, cost ${estimate.cost ?? 'not known'}`
  return deny(
    known ? 'estimate' : 'no-estimate',
    {
      message: known
        ? `the database expects more of this statement than "${by}" lets it: ${expected}`
        : `"${by}" asks what the database expects of this statement, which it does not say`,
      detail: `"${by}" allows up to ${bounds}; the estimate is ${expected}`,
      hint:
        hint ??
        (known
          ? 'Ask for less: a narrower WHERE, a LIMIT, or an index that it can use.'
          : 'Send one SELECT, INSERT, UPDATE, DELETE or MERGE by itself, without functions of your own.'),
    },
    { rule: by, sqlstate: SQLSTATE_LIMIT },
  )
}

/** `configuration_limit_exceeded`. */
const SQLSTATE_LIMIT = '53400'
