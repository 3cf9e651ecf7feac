/**
 * Which aggregates give another result where their rows come in another order. From PostgreSQL 16 on, rows are sorted before
 * they are aggregated where one aggregate of the query wants them sorted, and all others get them in that order.
 */
import type { FuncCall, Node } from 'libpg-query'
import type { FunctionFacts } from '../functions.ts'
import { treeText } from '../same-tree.ts'
import { as, stringsOf } from '../tree.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

/** Over any type: they count, or what they put together has one form. */
const OF_ANYTHING = words(
  `count bool_and bool_or every bit_and bit_or bit_xor rank dense_rank percent_rank cume_dist`,
)
/** Over numbers that are added exactly. A sum of floats is rounded at each step. */
const OF_EXACT = words(
  'sum avg stddev stddev_pop stddev_samp variance var_pop var_samp percentile_cont',
)
/** Of values that compare as equal they give the one that came first. */
const OF_ONE_FORM = words('min max percentile_disc mode')

const INTEGERS = ['int2', 'int4', 'int8']
const EXACT = new Set([...INTEGERS, 'numeric'])
const ARITHMETIC = words('+ - * / %')
/** Types of which two values that are equal are alike: not 1.0 and 1.00, 0 and -0, a day and 24 hours. */
const ONE_FORM = new Set([
  ...INTEGERS,
  ...words('bool oid date time timestamp timestamptz uuid inet pg_lsn'),
])

/** Where it has an ORDER BY of its own, rows that this does not tell apart still come as they were. */
export function dependsOnOrder(
  walk: Walk,
  call: FuncCall,
  { facts: { use }, scope }: { readonly facts: FunctionFacts; readonly scope: Scope },
): boolean {
  const { args = [], agg_order = [] } = call
  const within = call.agg_within_group === true
  const given = within ? agg_order.map(sortedBy) : args
  if (use.schema === 'pg_catalog') {
    if (OF_ANYTHING.has(use.name)) return false
    if (OF_EXACT.has(use.name)) return !given.every((arg) => isExact(walk, arg, scope))
    if (OF_ONE_FORM.has(use.name)) return !given.every((arg) => hasOneForm(walk, arg, scope))
  }
  return within || !isToldApart(walk, { args, sorting: agg_order, scope })
}

/** What is put together is sorted by, so that rows in no certain order are alike. */
function isToldApart(
  walk: Walk,
  {
    args,
    sorting,
    scope,
  }: { readonly args: readonly Node[]; readonly sorting: readonly Node[]; readonly scope: Scope },
): boolean {
  const sorted = new Set(
    sorting
      .map(sortedBy)
      .filter((node) => hasOneForm(walk, node, scope))
      .map((node) => treeText(node)),
  )
  return args.every((arg) => as(arg, 'A_Const') !== undefined || sorted.has(treeText(arg)))
}

const sortedBy = (node: Node): Node | undefined => as(node, 'SortBy')?.node

const hasOneForm = (walk: Walk, node: Node | undefined, scope: Scope): boolean =>
  node !== undefined && ONE_FORM.has(walk.value(node, scope).type ?? '')

/** A number that is added exactly: of such a type, or computed from such numbers. */
function isExact(walk: Walk, node: Node | undefined, scope: Scope): boolean {
  if (node === undefined) return false
  const { type } = walk.value(node, scope)
  if (type !== null) return EXACT.has(type)
  const number = as(node, 'A_Const')
  if (number !== undefined) return number.ival !== undefined || number.fval !== undefined
  const expression = as(node, 'A_Expr')
  const [operator, ...more] = stringsOf(expression?.name)
  return (
    expression?.kind === 'AEXPR_OP' &&
    more.length === 0 &&
    ARITHMETIC.has(operator ?? '') &&
    isExact(walk, expression.lexpr, scope) &&
    isExact(walk, expression.rexpr, scope)
  )
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(' '))
}
