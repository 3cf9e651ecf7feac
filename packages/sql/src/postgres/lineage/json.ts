/** SQL/JSON constructors, queries and aggregates: derived from every expression in them. */
import type {
  JsonAggConstructor,
  JsonArgument,
  JsonArrayAgg,
  JsonBehavior,
  JsonFuncExpr,
  JsonKeyValue,
  JsonObjectAgg,
  JsonValueExpr,
  Node,
} from 'libpg-query'
import { derive, ROW_COUNT, unknownOf, type Value } from '../../lineage/value.ts'
import { as, unwrap } from '../tree.ts'
import { sortValue, windowValues } from './call.ts'
import { newScope, noteOrdered, type Scope } from './scope.ts'
import type { Walk } from './walk.ts'

export function jsonValue(walk: Walk, type: string, fields: object, scope: Scope): Value {
  walk.visited.add(fields)
  const why = 'json'
  switch (type) {
    case 'JsonObjectConstructor':
    case 'JsonArrayConstructor': {
      const { exprs } = fields as { exprs?: Node[] }
      return derive(
        (exprs ?? []).map((node) => jsonPart(walk, node, scope)),
        { why },
      )
    }
    case 'JsonArrayQueryConstructor': {
      const { query } = fields as { query?: Node }
      const select = as(query, 'SelectStmt')
      if (select === undefined) break
      const result = walk.query(select, newScope(scope))
      const values = result.columns.map((column) => column.value)
      const parts = result.open === null ? values : [...values, result.open]
      return derive([...parts, ROW_COUNT], { why })
    }
    case 'JsonObjectAgg': {
      const { arg, constructor: clauses } = fields as JsonObjectAgg
      return aggregate(walk, [...keyValue(walk, arg, scope)], { clauses, scope })
    }
    case 'JsonArrayAgg': {
      const { arg, constructor: clauses } = fields as JsonArrayAgg
      return aggregate(walk, [valueExpression(walk, arg, scope)], { clauses, scope })
    }
    case 'JsonValueExpr':
      return valueExpression(walk, fields as JsonValueExpr, scope)
    case 'JsonParseExpr': {
      const { expr } = fields as { expr?: JsonValueExpr }
      const value = valueExpression(walk, expr, scope)
      walk.draft.useAll(value, 'failure')
      return derive([value], { why, mayFail: true })
    }
    case 'JsonSerializeExpr': {
      const { expr } = fields as { expr?: JsonValueExpr }
      const value = valueExpression(walk, expr, scope)
      // A text is read as JSON first.
      const mayFail = value.type !== 'json' && value.type !== 'jsonb'
      if (mayFail) walk.draft.useAll(value, 'failure')
      return derive([value], { why, mayFail })
    }
    case 'JsonScalarExpr':
    case 'JsonIsPredicate': {
      const { expr } = fields as { expr?: Node }
      return derive(expr === undefined ? [] : [walk.value(expr, scope)], { why })
    }
    case 'JsonKeyValue':
    case 'JsonFuncExpr':
      return jsonPart(walk, { [type]: fields } as unknown as Node, scope)
  }
  walk.draft.unknown(`expression of type ${type}`)
  return unknownOf(`expression of type ${type}`)
}

function jsonPart(walk: Walk, node: Node, scope: Scope): Value {
  const [type, fields] = unwrap(node)
  walk.visited.add(fields)
  if (type === 'JsonKeyValue') {
    return derive(keyValue(walk, fields as JsonKeyValue, scope), { why: 'json' })
  }
  if (type !== 'JsonFuncExpr') return walk.value(node, scope)
  const call = fields as JsonFuncExpr
  const parts = [
    valueExpression(walk, call.context_item, scope),
    ...jsonPassing(walk, call.passing, scope),
    ...jsonBehaviors(walk, [call.on_empty, call.on_error], scope),
  ]
  if (call.pathspec !== undefined) parts.push(walk.value(call.pathspec, scope))
  const mayFail = failsOnError(call, parts[0])
  if (mayFail) for (const part of parts) walk.draft.useAll(part, 'failure')
  return derive(parts, { why: 'json', mayFail })
}

/** Errors become NULL or false unless the clauses say otherwise; text must be JSON in any case. */
function failsOnError({ on_empty, on_error }: JsonFuncExpr, item: Value | undefined): boolean {
  if (item?.type !== 'jsonb' && item?.type !== 'json') return true
  return [on_empty, on_error].some(
    (behavior) =>
      behavior !== undefined &&
      (behavior.btype === 'JSON_BEHAVIOR_ERROR' || behavior.btype === 'JSON_BEHAVIOR_DEFAULT'),
  )
}

export function valueExpression(walk: Walk, expr: JsonValueExpr | undefined, scope: Scope): Value {
  if (expr?.raw_expr === undefined) return unknownOf('json value without expression')
  walk.visited.add(expr)
  const value = walk.value(expr.raw_expr, scope)
  // FORMAT JSON: a text is read as JSON.
  const isRead = expr.format?.format_type === 'JS_FORMAT_JSON'
  if (!isRead || value.type === 'json' || value.type === 'jsonb') return value
  walk.draft.useAll(value, 'failure')
  return { ...value, mayFail: true }
}

export function jsonPassing(walk: Walk, passing: readonly Node[] | undefined, scope: Scope) {
  return (passing ?? []).map((node) => {
    const { val } = (as(node, 'JsonArgument') ?? {}) as JsonArgument
    return valueExpression(walk, val, scope)
  })
}

export function jsonBehaviors(
  walk: Walk,
  behaviors: readonly (JsonBehavior | undefined)[],
  scope: Scope,
): Value[] {
  return behaviors.flatMap((behavior) =>
    behavior?.expr === undefined ? [] : [walk.value(behavior.expr, scope)],
  )
}

function keyValue(walk: Walk, pair: JsonKeyValue | undefined, scope: Scope): Value[] {
  const key = pair?.key === undefined ? [] : [walk.value(pair.key, scope)]
  // A key must not be NULL.
  for (const value of key) walk.draft.useAll(value, 'failure')
  return [...key, valueExpression(walk, pair?.value, scope)]
}

function aggregate(
  walk: Walk,
  args: readonly Value[],
  { clauses, scope }: { readonly clauses: JsonAggConstructor | undefined; readonly scope: Scope },
): Value {
  const parts = [...args]
  walk.draft.sortable = null
  if (clauses?.agg_filter !== undefined) {
    walk.predicate(clauses.agg_filter, scope)
    parts.push(walk.value(clauses.agg_filter, scope))
  }
  // What its ORDER BY does not tell apart comes as it was.
  noteOrdered(scope)
  for (const node of clauses?.agg_order ?? []) {
    const value = sortValue(walk, node, scope)
    walk.draft.useAll(value, 'order')
    parts.push(value)
  }
  if (clauses?.over !== undefined) parts.push(...windowValues(walk, clauses.over, scope))
  return derive([...parts, ROW_COUNT], { why: 'json aggregate' })
}
