/** Calls of functions, aggregates and window functions in expressions. */
import type { FuncCall, Node, WindowDef } from 'libpg-query'
import {
  asComputed,
  derive,
  opaqueOf,
  ROW_COUNT,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { type FunctionFacts, functionFacts, isNoFunction } from '../functions.ts'
import { failingArguments, JOINING, mayOverflow } from '../total.ts'
import { as, stringsOf } from '../tree.ts'
import { groupsOf } from './groups.ts'
import { dependsOnOrder } from './input-order.ts'
import { knownCall } from './known-call.ts'
import { noteOrdered, type Scope } from './scope.ts'
import { noteSessionCall } from './session-call.ts'
import type { Walk } from './walk.ts'

/** Its use in FROM makes rows; anywhere else, too, when it returns a set. */
export function functionValue(walk: Walk, fields: object, scope: Scope): Value {
  const call = fields as FuncCall
  walk.visited.add(call)
  const args = (call.args ?? []).map((arg) => walk.value(arg, scope))
  const known = knownCall(walk, call, args)
  if (known !== null) return known
  const facts = noteFunction(walk, call)
  noteSessionCall(walk, call, { facts, args })
  const observed = noteClauses(walk, call, scope)
  if (facts.returnsSet && facts.kind === 'function') {
    walk.draft.mustCompute(walk.draft.inColumn)
    for (const arg of args) walk.draft.useAll(arg, 'cardinality')
  }
  if (facts.kind === 'aggregate' && dependsOnOrder(walk, call, { facts, scope })) noteOrdered(scope)
  const value = resultOf(call, {
    facts,
    args,
    observed,
    failing: noteFailing(walk, call, { facts, args }),
  })
  if (facts.kind === 'aggregate' && facts.use.schema === 'pg_catalog') {
    return { ...value, groups: groupsOf(call, args, scope) }
  }
  if (VOLATILE.has(facts.use.name) || makesArray(facts)) return asComputed(value)
  return facts.returnsSet && facts.kind === 'function' ? rowsOf(facts.use.name, args, value) : value
}

/** Give another value every time, within a statement. */
const VOLATILE = new Set(
  'random random_normal gen_random_uuid uuidv4 uuidv7 clock_timestamp timeofday nextval array_sample array_shuffle'.split(
    ' ',
  ),
)

/** The elements of an array that a function makes are not those the statement lists. */
const makesArray = ({ type, use }: FunctionFacts) =>
  type?.startsWith('_') === true || use.name.startsWith('array_')

/** The cells that a set-returning function makes: of a constant array unnest lists its elements. */
export function rowsOf(name: string, args: readonly Value[], value: Value): Value {
  if (value.kind !== 'constant') return value
  const listed = name === 'unnest' && args.every((arg) => arg.varies === 'no')
  return { ...value, varies: listed ? 'listed' : 'computed' }
}

/** Whether the call may fail, and how much it puts together. */
interface Failing {
  readonly mayFail: boolean
  readonly joins?: number
}

/** Notes the columns whose values decide whether a built-in function fails. */
function noteFailing(
  walk: Walk,
  call: FuncCall,
  { facts, args }: { readonly facts: FunctionFacts; readonly args: readonly Value[] },
): Failing {
  const { name, schema, purity } = facts.use
  // What an opaque function does with its arguments is judged by trust in it.
  if (schema !== 'pg_catalog' || purity === 'opaque') return { mayFail: true }
  // That it makes rows of its arguments says as much.
  if (facts.returnsSet && facts.kind === 'function') return { mayFail: true }
  const failing = call.func_variadic === true ? 'all' : failingArguments(name, args)
  const joins = JOINING.has(name) ? timesJoined(walk, name, args) : undefined
  if (failing === 'all' || (joins !== undefined && mayOverflow(args, joins))) {
    for (const arg of args) walk.draft.useAll(arg, 'failure')
    return { mayFail: true }
  }
  let mayFail = false
  for (const index of failing) {
    const arg = args[index]
    if (arg === undefined) continue
    mayFail = true
    walk.draft.useAll(arg, 'failure')
  }
  return joins === undefined ? { mayFail } : { mayFail, joins }
}

/** How often a function may put one argument into its result: a replacement, for every place found. */
function timesJoined(walk: Walk, name: string, args: readonly Value[]): number {
  if (name !== 'replace' && name !== 'regexp_replace') return 1
  if (args.some((arg) => arg.sources.length > 0)) walk.draft.literalIndependent = false
  const constants = args[2]?.constants
  const text =
    constants != null && 'kind' in constants && constants.kind === 'literal' ? constants.text : null
  return text === null ? Number.POSITIVE_INFINITY : Math.max(text.length, 1)
}

/** Notes the function, its effects, and what it may do to the session. */
export function noteFunction(walk: Walk, call: FuncCall): FunctionFacts {
  const parts = stringsOf(call.funcname)
  const facts = functionFacts(walk.context, parts)
  walk.draft.function(facts.use)
  if (call.over !== undefined || hangsOnOrder(facts)) walk.draft.sortable = null
  if (isNoFunction(walk.context, parts)) walk.draft.missing('function', parts.join('.'))
  walk.draft.effect(...facts.effects)
  if (facts.runsSql) {
    walk.draft.state.push({ kind: 'uncertain', why: `function ${facts.use.name} may run SQL` })
  }
  return facts
}

/** May its results tell in which order it was given rows, or is called for them? */
function hangsOnOrder({ use, kind }: FunctionFacts): boolean {
  const { schema, name, purity } = use
  if (schema !== 'pg_catalog' || VOLATILE.has(name) || kind === 'window') return true
  if (kind === 'aggregate') return !IN_ANY_ORDER.has(name)
  return purity !== 'pure' && !IN_A_STATEMENT.has(name)
}
const IN_ANY_ORDER = new Set(
  `count sum avg min max bool_and bool_or every bit_and bit_or stddev stddev_pop stddev_samp variance var_pop var_samp
   percentile_cont percentile_disc`.split(/\s+/),
)
/** The same for all rows of a statement. */
const IN_A_STATEMENT = new Set(
  'now transaction_timestamp statement_timestamp current_database current_schema version'.split(
    ' ',
  ),
)

function resultOf(
  call: FuncCall,
  {
    facts,
    args,
    observed,
    failing,
  }: {
    readonly facts: FunctionFacts
    readonly args: readonly Value[]
    readonly observed: readonly Value[]
    readonly failing: Failing
  },
): Value {
  const { name } = facts.use
  const why = `${facts.kind} ${name}`
  if (facts.readsData) return opaqueOf(`${why} is opaque`, [...args, ...observed], facts.use)
  const builtin = facts.use.schema === 'pg_catalog'
  if (builtin && name === 'count') {
    const bare = args.every((arg) => arg.kind !== 'derived' && arg.kind !== 'unknown')
    const wholeRow = call.args?.length === 1 && args[0]?.row !== null
    if (bare || wholeRow) {
      return derive([...args.map(asCounted), ...observed, ROW_COUNT], { why, type: facts.type })
    }
  }
  const type = facts.type === 'anyelement' ? null : facts.type
  const options = { why, type: type ?? sameTypeAs(name, args), ...failing }
  if (facts.kind === 'function') return derive([...args, ...observed], options)
  // Over no column at all, an aggregate or window function still tells how many rows there are.
  return derive([...args, ...observed, ROW_COUNT], options)
}

function asCounted(value: Value): Value {
  return value.kind === 'unknown' ? value : { ...value, revealsNoValue: true, constants: null }
}

/** min(x) and the like return their first argument's type; functions of text give text. */
function sameTypeAs(name: string, args: readonly Value[]): string | null {
  const type = args[0]?.type ?? null
  if (name === 'array_agg') return `_${type ?? ''}`
  if (SAME_TYPE.has(name)) return type
  return OF_TEXT.has(name) && (type === 'text' || type === 'varchar') ? 'text' : null
}
const SAME_TYPE = new Set(
  `min max any_value lag lead first_value last_value nth_value json_populate_record json_populate_recordset
   jsonb_populate_record jsonb_populate_recordset`.split(/\s+/),
)
const OF_TEXT = new Set(
  'lower upper substr substring btrim ltrim rtrim left right reverse replace overlay'.split(' '),
)

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
  if (call.agg_distinct === true) noteDistinct(walk, call, scope)
  return observed
}

/** How many different values a column has tells which of them are equal, and nothing of their order. */
function noteDistinct(walk: Walk, call: FuncCall, scope: Scope): void {
  const counts = stringsOf(call.funcname).at(-1) === 'count' && call.agg_order === undefined
  for (const arg of call.args ?? []) {
    const value = walk.value(arg, scope)
    const [source] = value.sources
    if (counts && value.kind === 'direct' && source !== undefined) {
      walk.draft.use(source, 'equality-column', { with: source })
      scope.aggregates.distinct.push(value)
    } else walk.draft.useAll(value, 'distinct')
  }
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
  // Other result columns may name it, too.
  const { inColumn } = walk.draft
  walk.draft.inColumn = null
  const values = windowValues(walk, definition, scope)
  walk.draft.inColumn = inColumn
  walk.windows.set(window, { scope, values })
  return values
}
