/**
 * Expressions that the server stops evaluating once it knows their result: AND, OR, IN, BETWEEN, row
 * comparisons, COALESCE, and whatever is NULL where one of its operands is. Whether a later part fails, or takes long, then tells of the parts before it, as
 * if these were conditions.
 */
import type { Value } from '../../lineage/value.ts'
import type { Expression } from '../ast.ts'
import { EQUALITY } from './predicate.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

const matters = (parts: readonly Value[]) => parts.length > 1 && parts.some((part) => part.mayFail)

/** `parts`: the values of `nodes`. */
export function noteLazyConditions(
  walk: Walk,
  nodes: readonly Expression[],
  { parts, scope }: { readonly parts: readonly Value[]; readonly scope: Scope },
): void {
  if (matters(parts)) for (const node of nodes) walk.predicate(node, scope)
}

/** An operator that looks at its operands, `parts`, one after the other. */
export function noteLazyOperands(
  walk: Walk,
  node: Expression,
  { parts, scope }: { readonly parts: readonly Value[]; readonly scope: Scope },
): void {
  if (!matters(parts)) return
  const equality = node.kind === 'in' || (node.kind === 'binary' && EQUALITY.has(node.operator))
  if (equality) walk.predicate(node, scope)
  else for (const part of parts) walk.draft.useAll(part, 'predicate')
}

/** COALESCE looks at an argument when those before it are NULL. */
export function noteLazyNulls(walk: Walk, values: readonly Value[]): void {
  const last = values.findLastIndex((value) => value.mayFail)
  for (const value of values.slice(0, Math.max(last, 0))) {
    walk.draft.useAll(value, value.kind === 'direct' ? 'is-null' : 'predicate')
  }
}

/** What is NULL where one of its operands is: the others may not be looked at then. */
export function noteNullOperands(walk: Walk, values: readonly Value[]): void {
  if (!matters(values)) return
  for (const value of values) {
    if (!values.some((other) => other !== value && other.mayFail)) continue
    walk.draft.useAll(value, value.kind === 'direct' ? 'is-null' : 'predicate')
  }
}
