/**
 * Sums and averages over groups of a known least size. The statement itself must ask for it (`HAVING count(*)
 * >= 5`), over a single table: a join could count one row many times, and so give it all the weight.
 */
import type { A_Expr, BoolExpr, FuncCall, Node, SelectStmt } from 'libpg-query'
import type { Value } from '../../lineage/value.ts'
import { as, literalText, stringsOf } from '../tree.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

/** Rows in every group of this query, at least; null when it does not say, or joins anything. */
export function groupSize(walk: Walk, select: SelectStmt, scope: Scope): number | null {
  const [from, ...others] = select.fromClause ?? []
  const [entry] = scope.entries
  if (as(from, 'RangeVar') === undefined || others.length > 0 || entry === undefined) return null
  if (entry.item.kind !== 'leaf' || !entry.item.table || select.havingClause === undefined)
    return null
  const sizes = conjuncts(select.havingClause).flatMap((node) => leastCount(node) ?? [])
  if (sizes.length === 0) return null
  walk.draft.literalIndependent = false
  return Math.max(...sizes)
}

function conjuncts(node: Node): readonly Node[] {
  const and = as(node, 'BoolExpr') as BoolExpr | undefined
  return and?.boolop === 'AND_EXPR' ? (and.args ?? []).flatMap(conjuncts) : [node]
}

/** `count(*) >= 5`, `count(*) > 4`, or turned round. */
function leastCount(node: Node): number | null {
  const expr = as(node, 'A_Expr') as A_Expr | undefined
  if (expr?.kind !== 'AEXPR_OP' || expr.name?.length !== 1) return null
  const [symbol = ''] = stringsOf(expr.name)
  if (isCountOfRows(expr.lexpr)) return atLeast(symbol, expr.rexpr)
  return isCountOfRows(expr.rexpr) ? atLeast(TURNED[symbol] ?? '', expr.lexpr) : null
}
const TURNED: Readonly<Record<string, string>> = { '<=': '>=', '<': '>' }

function atLeast(symbol: string, bound: Node | undefined): number | null {
  if (as(bound, 'A_Const')?.ival === undefined) return null
  const size = Number(literalText(bound))
  return symbol === '>=' ? size : symbol === '>' ? size + 1 : null
}

function isCountOfRows(node: Node | undefined): boolean {
  const call = as(node, 'FuncCall') as FuncCall | undefined
  if (call?.agg_star !== true || call.agg_filter !== undefined || call.over !== undefined)
    return false
  const names = stringsOf(call.funcname)
  return names.at(-1) === 'count' && (names.length === 1 || names[0] === 'pg_catalog')
}

const SMOOTHING = new Set(
  'sum avg stddev stddev_pop stddev_samp variance var_pop var_samp'.split(' '),
)

/** The least size of the groups that this aggregate is over, where its argument is a column of theirs. */
export function groupsOf(call: FuncCall, args: readonly Value[], scope: Scope): number | null {
  const [value] = args
  const { agg_filter, agg_distinct, agg_order, over } = call
  if (scope.groupSize === null || value?.kind !== 'direct' || args.length !== 1) return null
  if (agg_distinct === true || agg_order !== undefined) return null
  if (agg_filter !== undefined || over !== undefined) return null
  if (!SMOOTHING.has(stringsOf(call.funcname).at(-1) ?? '')) return null
  // An aggregate over columns of a query around belongs to that one.
  const item = scope.entries[0]?.item
  const own = item?.kind === 'leaf' && item.columns.some((column) => column.value === value)
  return own ? scope.groupSize : null
}
