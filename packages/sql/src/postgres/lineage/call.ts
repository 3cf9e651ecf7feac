/** Calls of functions, aggregates and window functions in expressions. */
import type { FuncCall, Node, WindowDef } from 'libpg-query'
import { derive, ROW_COUNT, unknownOf, type Value } from '../../lineage/value.ts'
import { type FunctionFacts, functionFacts } from '../functions.ts'
import { as, stringsOf } from '../tree.ts'
import type { Scope } from './scope.ts'
import { noteSessionCall } from './session-call.ts'
import type { Walk } from './walk.ts'

/** Its use in FROM makes rows; anywhere else, too, when it returns a set. */
export function functionValue(walk: Walk, fields: object, scope: Scope): Value {
  const call = fields as FuncCall
  walk.visited.add(call)
  const facts = noteFunction(walk, call)
  const args = (call.args ?? []).map((arg) => walk.value(arg, scope))
  noteSessionCall(walk, call, { facts, args })
  const observed = noteClauses(walk, call, scope)
  if (facts.returnsSet && facts.kind === 'function') {
    for (const arg of args) walk.draft.useAll(arg, 'cardinality')
  }
  return resultOf(call, { facts, args, observed })
}

/** Notes the function, its effects, and what it may do to the session. */
export function noteFunction(walk: Walk, call: FuncCall): FunctionFacts {
  const facts = functionFacts(walk.context, stringsOf(call.funcname))
  walk.draft.function(facts.use)
  walk.draft.effect(...facts.effects)
  if (facts.runsSql) {
    walk.draft.state.push({ kind: 'uncertain', why: `function ${facts.use.name} may run SQL` })
  }
  return facts
}

function resultOf(
  call: FuncCall,
  {
    facts,
    args,
    observed,
  }: {
    readonly facts: FunctionFacts
    readonly args: readonly Value[]
    readonly observed: readonly Value[]
  },
): Value {
  const { name } = facts.use
  const why = `${facts.kind} ${name}`
  if (facts.readsData) return unknownOf(`${why} is opaque`, [...args, ...observed])
  const builtin = facts.use.schema === 'pg_catalog'
  if (builtin && name === 'count') {
    const bare = args.every((arg) => arg.kind !== 'derived' && arg.kind !== 'unknown')
    const wholeRow = call.args?.length === 1 && args[0]?.row !== null
    if (bare || wholeRow) {
      return derive([...args.map(asCounted), ...observed, ROW_COUNT], { why, type: facts.type })
    }
  }
  const type = facts.type ?? sameTypeAs(name, args)
  if (facts.kind === 'function') return derive([...args, ...observed], { why, type })
  // Over no column at all, an aggregate or window function still tells how many rows there are.
  return derive([...args, ...observed, ROW_COUNT], { why, type })
}

function asCounted(value: Value): Value {
  return value.kind === 'unknown' ? value : { ...value, revealsNoValue: true, constants: null }
}

/** min(x) and the like return their argument's type. */
function sameTypeAs(name: string, args: readonly Value[]): string | null {
  const type = args[0]?.type ?? null
  if (name === 'array_agg') return `_${type ?? ''}`
  return ['min', 'max', 'lag', 'lead', 'first_value', 'last_value', 'nth_value'].includes(name)
    ? type
    : null
}

/** FILTER, ORDER BY and OVER: noted as uses; their values influence the result. */
function noteClauses(walk: Walk, call: FuncCall, scope: Scope): Value[] {
  const observed: Value[] = []
  if (call.agg_filter !== undefined) {
    walk.predicate(call.agg_filter, scope)
    const condition = walk.value(call.agg_filter, scope)
    // Which rows are counted: the condition's own uses say how much that tells.
    observed.push(condition.kind === 'unknown' ? condition : { ...condition, revealsNoValue: true })
  }
  for (const node of call.agg_order ?? []) {
    const value = sortValue(walk, node, scope)
    observed.push(value)
    if (call.agg_within_group !== true) walk.draft.useAll(value, 'order')
  }
  if (call.over !== undefined) observed.push(...windowValues(walk, call.over, scope))
  if (call.agg_distinct === true) {
    for (const arg of call.args ?? []) walk.draft.useAll(walk.value(arg, scope), 'distinct')
  }
  return observed
}

export function sortValue(walk: Walk, node: Node, scope: Scope): Value {
  const sort = as(node, 'SortBy')
  if (sort?.node === undefined) {
    walk.draft.unknown('ORDER BY without expression')
    return unknownOf('ORDER BY without expression')
  }
  walk.visited.add(sort)
  return walk.value(sort.node, scope)
}

/** Values a window's partitions, order and frame depend on. */
export function windowValues(walk: Walk, window: WindowDef, scope: Scope): Value[] {
  walk.visited.add(window)
  const values: Value[] = []
  const base = window.name ?? window.refname
  const partition = window.partitionClause ?? []
  const order = window.orderClause ?? []
  if (base !== undefined && partition.length === 0 && order.length === 0) {
    return namedWindowValues(walk, base, scope)
  }
  for (const node of partition) {
    const value = walk.value(node, scope)
    walk.draft.useAll(value, value.kind === 'direct' ? 'group' : 'predicate')
    values.push(value)
  }
  for (const node of order) {
    const value = sortValue(walk, node, scope)
    walk.draft.useAll(value, 'window')
    values.push(value)
  }
  for (const bound of [window.startOffset, window.endOffset]) {
    if (bound === undefined) continue
    const value = walk.value(bound, scope)
    walk.draft.useAll(value, 'window')
    values.push(value)
  }
  if (window.refname !== undefined) values.push(...namedWindowValues(walk, window.refname, scope))
  return values
}

function namedWindowValues(walk: Walk, name: string, scope: Scope): Value[] {
  const node = scope.windows.get(name)
  if (node === undefined) return [unknownOf('window not found')]
  const window = as(node, 'WindowDef')
  if (window === undefined) return [unknownOf('window not found')]
  const known = walk.windows.get(window)
  if (known?.scope === scope) return known.values
  // A definition may build on an earlier one; one that reaches itself meets this entry.
  walk.windows.set(window, { scope, values: [unknownOf('window not found')] })
  const { name: _, ...definition } = window
  const values = windowValues(walk, definition, scope)
  walk.windows.set(window, { scope, values })
  return values
}
