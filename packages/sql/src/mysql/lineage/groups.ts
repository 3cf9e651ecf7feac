/**
 * Sums and averages over groups of a known least size. The statement itself must ask for it (`HAVING COUNT(*)
 * >= 5`), over a single table: a join could count one row many times, and so give it all the weight.
 */
import type { Value } from '../../lineage/value.ts'
import type { Expression, FunctionCall, Select } from '../ast.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

/** Rows in every group of this query, at least; null when it does not say, or joins anything. */
export function groupSize(walk: Walk, { from, having }: Select, scope: Scope): number | null {
  const [table, ...others] = from
  const item = scope.entries[0]?.item
  if (table?.kind !== 'table' || others.length > 0 || having === null) return null
  if (item?.kind !== 'leaf' || item.table === null) return null
  const sizes = conjuncts(having).flatMap((node) => leastCount(node) ?? [])
  if (sizes.length === 0) return null
  walk.draft.literalIndependent = false
  return Math.max(...sizes)
}

function conjuncts(node: Expression): readonly Expression[] {
  return node.kind === 'logical' && node.operator === 'and' ? node.terms.flatMap(conjuncts) : [node]
}

const TURNED: Readonly<Record<string, string>> = { '<=': '>=', '<': '>' }

/** `COUNT(*) >= 5`, `COUNT(*) > 4`, or turned round. */
function leastCount(node: Expression): number | null {
  if (node.kind !== 'binary') return null
  const { operator, left, right } = node
  if (isCountOfRows(left)) return atLeast(operator, right)
  return isCountOfRows(right) ? atLeast(TURNED[operator] ?? '', left) : null
}

function atLeast(operator: string, bound: Expression): number | null {
  if (bound.kind !== 'literal' || bound.type !== 'integer') return null
  const size = Number(bound.value)
  return operator === '>=' ? size : operator === '>' ? size + 1 : null
}

function isCountOfRows(node: Expression): boolean {
  return (
    node.kind === 'function' &&
    node.database === null &&
    node.name.value.toLowerCase() === 'count' &&
    node.over === null &&
    node.arguments.length === 1 &&
    node.arguments[0]?.kind === 'wildcard'
  )
}

const SMOOTHING = new Set(
  'sum avg std stddev stddev_pop stddev_samp variance var_pop var_samp'.split(' '),
)

/** The least size of the groups that this aggregate is over, where its argument is a column of theirs. */
export function groupsOf(call: FunctionCall, args: readonly Value[], scope: Scope): number | null {
  const [value] = args
  if (scope.groupSize === null || value?.kind !== 'direct' || args.length !== 1) return null
  if (call.distinct || call.over !== null || !SMOOTHING.has(call.name.value.toLowerCase()))
    return null
  // An aggregate over columns of a query around belongs to that one.
  const item = scope.entries[0]?.item
  const own = item?.kind === 'leaf' && item.columns.some((column) => column.value === value)
  return own ? scope.groupSize : null
}
