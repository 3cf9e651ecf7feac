/** Operators in expressions: their values, and for which values of an operand they fail. */
import type { A_Expr, Node } from 'libpg-query'
import { asUnknown, derive, type Value } from '../../lineage/value.ts'
import { noteUserOperator, operandsOf } from '../operators.ts'
import { failingOperands, mayOverflow } from '../total.ts'
import { as, literalText, stringsOf } from '../tree.ts'
import { noteLazyOperator } from './lazy.ts'
import { noteMixed } from './mixed.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

export function operatorValue(walk: Walk, expr: A_Expr, scope: Scope): Value {
  const left = expr.lexpr === undefined ? null : walk.value(expr.lexpr, scope)
  const right = expr.rexpr === undefined ? null : walk.value(expr.rexpr, scope)
  const symbol = stringsOf(expr.name).at(-1) ?? ''
  const parts = [left, right].filter((part) => part !== null)
  const why = `operator ${symbol}`
  if (noteUserOperator(walk, expr.name, operandsOf(expr.kind, left, right))) {
    return asUnknown(derive(parts, { why }), `operator ${symbol} made by a user`)
  }
  if (expr.kind === 'AEXPR_OP' && isPlainArithmetic(expr, symbol, { left, right })) {
    // How large the constant is decides it.
    walk.draft.literalIndependent = false
    return derive(parts, { why, type: 'numeric' })
  }
  noteLazyOperator(walk, expr, { parts, scope })
  noteMixed(walk, parts)
  const fallible = expr.kind === 'AEXPR_NULLIF' ? [] : failingOperands(symbol, left, right)
  const joins = symbol === '||'
  const unsafe = joins && mayOverflow(parts) ? parts : fallible
  for (const part of unsafe) walk.draft.useAll(part, 'failure')
  const type = operatorType(expr, symbol, left)
  return derive(parts, { why, type, mayFail: unsafe.length > 0, ...(joins && { joins: 1 }) })
}

/**
 * A numeric and a small constant: a result of 131,072 digits, the most there can be, is out of reach of as many
 * such steps as a statement can have.
 */
function isPlainArithmetic(
  { lexpr, rexpr }: A_Expr,
  symbol: string,
  { left, right }: { readonly left: Value | null; readonly right: Value | null },
): boolean {
  if (left === null || right === null || left.sources.length + right.sources.length === 0)
    return false
  if (left.type === 'numeric' && isSmall(rexpr)) {
    return '+-*'.includes(symbol) || (symbol === '/' && !isZero(rexpr))
  }
  return right.type === 'numeric' && isSmall(lexpr) && '+-*'.includes(symbol)
}

const SMALL = /^\d{1,9}(\.\d{1,9})?$/
const isSmall = (node: Node | undefined): boolean => {
  const constant = as(node, 'A_Const')
  const isNumber = constant?.ival !== undefined || constant?.fval !== undefined
  return isNumber && SMALL.test(literalText(node) ?? '')
}
const isZero = (node: Node | undefined): boolean => Number(literalText(node)) === 0

/** Result type where it follows from the operator alone. */
function operatorType(expr: A_Expr, symbol: string, left: Value | null): string | null {
  if (expr.kind === 'AEXPR_NULLIF') return left?.type ?? null
  if (expr.kind !== 'AEXPR_OP') return 'bool'
  if (symbol === '->>' || symbol === '#>>') return 'text'
  if (symbol === '->' || symbol === '#>') return left?.type ?? null
  if (COMPARISONS.has(symbol)) return 'bool'
  return symbol === '||' && (left?.type === 'text' || left?.type === 'varchar') ? 'text' : null
}
const COMPARISONS: ReadonlySet<string> = new Set(
  '< <= > >= = <> != ~ ~~ ~* ~~* !~ !~~ !~* !~~* @> <@'.split(' '),
)
