/**
 * Conditions: which columns they test, and how. Only a bare column (or one behind a cast that changes
 * nothing) compared for equality with a constant, a parameter or another bare column, or tested for
 * NULL, counts as that; every other condition over a column is `predicate`.
 */
import type { A_Expr, BoolExpr, BooleanTest, Node, NullTest } from 'libpg-query'
import { probesOf, type Value } from '../../lineage/value.ts'
import { noteUserOperator, operandsOf } from '../operators.ts'
import { as, literalText, stringsOf, unwrap } from '../tree.ts'
import { noteMixed } from './mixed.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

export function notePredicate(walk: Walk, node: Node, scope: Scope): void {
  const [type, fields] = unwrap(node)
  switch (type) {
    case 'BoolExpr':
      walk.visited.add(fields)
      for (const arg of (fields as BoolExpr).args ?? []) notePredicate(walk, arg, scope)
      return
    case 'A_Expr':
      if (noteOperator(walk, fields as A_Expr, scope)) walk.visited.add(fields)
      else noteOther(walk, node, scope)
      return
    case 'NullTest': {
      walk.visited.add(fields)
      const { arg } = fields as NullTest
      if (arg !== undefined) noteNullTest(walk, walk.value(arg, scope))
      return
    }
    case 'BooleanTest': {
      walk.visited.add(fields)
      const { arg } = fields as BooleanTest
      if (arg !== undefined) notePredicate(walk, arg, scope)
      return
    }
    case 'ColumnRef': {
      // A boolean column by itself is a comparison with true.
      const value = walk.value(node, scope)
      if (value.kind === 'direct') {
        walk.draft.use(value.sources[0]!, 'equality-constant', { values: 1 })
      } else walk.draft.useAll(value, 'predicate')
      return
    }
    case 'SubLink': {
      // IN and EXISTS note their comparison and their own conditions when they are evaluated.
      const value = walk.value(node, scope)
      const kind = (fields as { subLinkType?: string }).subLinkType
      if (kind === 'EXPR_SUBLINK' || kind === 'ARRAY_SUBLINK') walk.draft.useAll(value, 'predicate')
      return
    }
    default:
      noteOther(walk, node, scope)
  }
}

function noteOther(walk: Walk, node: Node, scope: Scope): void {
  const value = walk.value(node, scope)
  walk.draft.useAll(value, value.revealsNoValue ? 'is-null' : 'predicate')
}

function noteNullTest(walk: Walk, value: Value): void {
  walk.draft.useAll(value, value.kind === 'direct' ? 'is-null' : 'predicate')
}

/** Kinds of A_Expr that compare for equality when their operator does. */
const COMPARING = new Set([
  'AEXPR_OP',
  'AEXPR_OP_ANY',
  'AEXPR_OP_ALL',
  'AEXPR_DISTINCT',
  'AEXPR_NOT_DISTINCT',
  'AEXPR_IN',
])

/** False: not a comparison for equality, and nothing noted. */
export function noteOperator(walk: Walk, expr: A_Expr, scope: Scope): boolean {
  const names = stringsOf(expr.name)
  const symbol = names.at(-1) ?? ''
  if (!COMPARING.has(expr.kind ?? '') || (symbol !== '=' && symbol !== '<>')) return false
  if (expr.lexpr === undefined || expr.rexpr === undefined) return false
  const left = walk.value(expr.lexpr, scope)
  const list = expr.kind === 'AEXPR_IN' ? as(expr.rexpr, 'List') : undefined
  if (list !== undefined) walk.visited.add(list)
  const rights =
    list === undefined
      ? [elements(walk, expr, walk.value(expr.rexpr, scope))]
      : (list.items ?? []).map((node) => walk.value(node, scope))
  const first = rights[0] ?? null
  if (noteUserOperator(walk, expr.name, operandsOf(expr.kind, left, first))) {
    for (const value of [left, ...rights]) walk.draft.useAll(value, 'predicate')
    return true
  }
  noteMixed(walk, [left, ...rights])
  for (const right of rights) {
    if (left.row === null && right.row === null) compare(walk, left, right)
    else comparison(walk, { symbol, left: fieldsOf(left), right: fieldsOf(right) })
  }
  return true
}

/** Of `= ANY ('{a,b}')` every element is a value compared. */
function elements(walk: Walk, expr: A_Expr, value: Value): Value {
  const text = literalText(as(expr.rexpr, 'TypeCast')?.arg ?? expr.rexpr)
  if (expr.kind === 'AEXPR_OP' || text?.startsWith('{') !== true) return value
  walk.draft.literalIndependent = false
  return { ...value, constants: text.split(',').map((part) => ({ kind: 'literal', text: part })) }
}

function fieldsOf(value: Value): readonly Value[] {
  return value.row === null ? [value] : value.row.map((field) => field.value)
}

/** `left symbol right` over rows of one or more fields. */
export function comparison(
  walk: Walk,
  {
    symbol,
    left,
    right,
  }: { readonly symbol: string; readonly left: readonly Value[]; readonly right: readonly Value[] },
): void {
  const equality = symbol === '=' || symbol === '<>'
  if (!equality || left.length !== right.length) {
    for (const value of [...left, ...right]) walk.draft.useAll(value, 'predicate')
    return
  }
  for (let i = 0; i < left.length; i++) compare(walk, left[i]!, right[i]!)
}

/** Notes what a test of two values for equality tells about their columns. */
export function compare(walk: Walk, left: Value, right: Value): void {
  const { draft } = walk
  noteMixed(walk, [left, right])
  if (left.kind === 'direct' && right.kind === 'direct') {
    draft.use(left.sources[0]!, 'equality-column', { with: right.sources[0]! })
    draft.use(right.sources[0]!, 'equality-column', { with: left.sources[0]! })
  } else if (left.kind === 'direct' && isGiven(right)) {
    draft.use(left.sources[0]!, 'equality-constant', probesOf(right))
  } else if (right.kind === 'direct' && isGiven(left)) {
    draft.use(right.sources[0]!, 'equality-constant', probesOf(left))
  } else {
    for (const value of [left, right]) {
      draft.useAll(value, value.revealsNoValue ? 'is-null' : 'predicate')
    }
  }
}

/** Given by the statement: of values computed row by row there may be all that a column can have. */
const isGiven = (value: Value) => value.kind === 'constant' && value.varies !== 'computed'
