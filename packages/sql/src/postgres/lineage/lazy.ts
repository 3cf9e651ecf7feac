/**
 * Expressions that the server stops evaluating once it knows their result: AND, OR, IN, BETWEEN, row
 * comparisons, COALESCE. Whether a later part fails, or takes long, then tells of the parts before it,
 * as if these were conditions. The planner may change their order.
 */
import type { A_Expr, Node } from 'libpg-query'
import type { Value } from '../../lineage/value.ts'
import { noteOperator } from './predicate.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

const matters = (parts: readonly Value[]) => parts.length > 1 && parts.some((part) => part.mayFail)

/** AND, OR; `parts`: the values of `nodes`. */
export function noteLazyConditions(
  walk: Walk,
  nodes: readonly Node[],
  { parts, scope }: { readonly parts: readonly Value[]; readonly scope: Scope },
): void {
  if (matters(parts)) for (const node of nodes) walk.predicate(node, scope)
}

/** An operator that looks at its operands one after the other. */
export function noteLazyOperator(
  walk: Walk,
  expr: A_Expr,
  { parts, scope }: { readonly parts: readonly Value[]; readonly scope: Scope },
): void {
  if (!matters(parts) || !isLazy(expr, parts[0])) return
  if (noteOperator(walk, expr, scope)) return
  for (const part of parts) walk.draft.useAll(part, 'predicate')
}

const LAZY_KINDS = new Set([
  'AEXPR_OP_ANY',
  'AEXPR_OP_ALL',
  'AEXPR_IN',
  'AEXPR_BETWEEN',
  'AEXPR_NOT_BETWEEN',
  'AEXPR_BETWEEN_SYM',
  'AEXPR_NOT_BETWEEN_SYM',
])

function isLazy(expr: A_Expr, left: Value | undefined): boolean {
  return LAZY_KINDS.has(expr.kind ?? '') || (left !== undefined && left.row !== null)
}

/** COALESCE looks at an argument when those before it are NULL. */
export function noteLazyNulls(walk: Walk, values: readonly Value[]): void {
  const last = values.findLastIndex((value) => value.mayFail)
  for (const value of values.slice(0, Math.max(last, 0))) {
    walk.draft.useAll(value, value.kind === 'direct' ? 'is-null' : 'predicate')
  }
}
