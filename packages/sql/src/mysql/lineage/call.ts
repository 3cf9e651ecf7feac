/** Calls of functions, aggregates and window functions in expressions. */
import {
  asComputed,
  constantOf,
  derive,
  lineageOf,
  opaqueOf,
  ROW_COUNT,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type { Expression, FunctionCall, Identifier, WindowSpecification } from '../ast.ts'
import { type FunctionFacts, functionFacts, isNoFunction } from '../functions.ts'
import { groupsOf } from './groups.ts'
import { knownCall } from './known-call.ts'
import { noteLazyNulls, noteNullOperands } from './lazy.ts'
import { compare, isNullFunction } from './predicate.ts'
import type { Scope } from './scope.ts'
import { boundedOf, isBounded, oneOf, STRING } from './types.ts'
import type { Walk } from './walk.ts'

export function functionValue(walk: Walk, call: FunctionCall, scope: Scope): Value {
  const args = call.arguments.map((arg) => walk.value(arg, scope))
  const known = knownCall(walk, call, args)
  if (known !== null) {
    walk.draft.sortable = null
    return known
  }
  const facts = functionFacts(walk.context, call)
  if (call.over !== null || hangsOnOrder(facts)) walk.draft.sortable = null
  const { use } = facts
  walk.draft.function(use)
  // What it does may be noticed elsewhere.
  if (use.purity === 'opaque') walk.draft.mustCompute(walk.draft.inColumn)
  if (isNoFunction(walk.context, call)) walk.draft.missing('function', call.name.value)
  walk.draft.effect(...facts.effects)
  if (facts.runsSql) {
    walk.draft.state.push({ kind: 'uncertain', why: `function ${use.name} may run SQL` })
  }
  const native = call.database === null && !facts.runsSql
  if (native) noteConditions(walk, call, { args, scope })
  noteSink(walk, facts, args)
  const observed = noteClauses(walk, call, { args, scope })
  return resultOf(walk, { call, facts, args, observed, scope })
}

/** May its results tell in which order it was given rows, or is called for them? */
function hangsOnOrder({ use, kind, varies }: FunctionFacts): boolean {
  if (use.purity === 'opaque' || varies || kind === 'window') return true
  return kind === 'aggregate' ? !IN_ANY_ORDER.has(use.name) : use.name === 'last_insert_id'
}
const IN_ANY_ORDER = new Set(
  'count sum avg min max bit_and bit_or bit_xor std stddev stddev_pop stddev_samp variance var_pop var_samp'.split(
    ' ',
  ),
)

/** Functions whose arguments are conditions, or compared with each other. */
function noteConditions(
  walk: Walk,
  call: FunctionCall,
  { args, scope }: { readonly args: readonly Value[]; readonly scope: Scope },
): void {
  const [first, second] = args
  switch (call.name.value.toLowerCase()) {
    case 'if':
    case 'nvl2':
      if (call.arguments[0] !== undefined) walk.predicate(call.arguments[0], scope)
      return
    case 'coalesce':
    case 'ifnull':
    case 'nvl':
      noteLazyNulls(walk, args)
      return
    case 'nullif':
    case 'strcmp':
      if (first !== undefined && second !== undefined) compare(walk, first, second)
      break
    // Which of the others they give tells of the first.
    case 'elt':
    case 'field':
    case 'interval':
    case 'find_in_set':
      if (first !== undefined) walk.draft.useAll(first, 'predicate')
      break
  }
  noteNullOperands(walk, args)
}

/** What opaque functions and LAST_INSERT_ID(n) are given leaves the walk's sight. */
function noteSink(walk: Walk, { use }: FunctionFacts, args: readonly Value[]): void {
  const keeps = use.schema === null && use.name === 'last_insert_id' && args.length > 0
  if (keeps) walk.draft.effect('session')
  if (use.purity !== 'opaque' && !keeps) return
  const value = derive(args, { why: `argument of ${use.name}` })
  if (value.kind === 'constant') return
  walk.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'function', function: use } })
}

/** DISTINCT, ORDER BY and OVER: noted as uses; their values influence the result. */
function noteClauses(
  walk: Walk,
  call: FunctionCall,
  { args, scope }: { readonly args: readonly Value[]; readonly scope: Scope },
): Value[] {
  const observed: Value[] = []
  if (call.distinct) noteDistinct(walk, call, args)
  for (const item of call.orderBy) {
    walk.visited.add(item)
    const value = walk.value(item.expression, scope)
    walk.draft.useAll(value, 'order')
    observed.push(value)
  }
  if (call.limit !== null) {
    walk.visited.add(call.limit)
    for (const part of [call.limit.count, call.limit.offset, call.limit.examined]) {
      if (part !== null) observed.push(walk.value(part, scope))
    }
  }
  for (const node of call.defaults) observed.push(walk.value(node, scope))
  if (call.separator !== null) walk.visited.add(call.separator)
  if (call.returning !== null) walk.visited.add(call.returning)
  if (call.over !== null) observed.push(...overValues(walk, call.over, scope))
  return observed
}

/** How many different values a column has tells which of them are equal, and nothing of their order. */
function noteDistinct(walk: Walk, call: FunctionCall, args: readonly Value[]): void {
  const counts = call.name.value.toLowerCase() === 'count'
  for (const value of args) {
    const [source] = value.sources
    if (counts && value.kind === 'direct' && source !== undefined) {
      walk.draft.use(source, 'equality-column', { with: source })
    } else walk.draft.useAll(value, 'distinct')
  }
}

function resultOf(
  walk: Walk,
  {
    call,
    facts,
    args,
    observed,
    scope,
  }: {
    readonly call: FunctionCall
    readonly facts: FunctionFacts
    readonly args: readonly Value[]
    readonly observed: readonly Value[]
    readonly scope: Scope
  },
): Value {
  const { use, kind } = facts
  const why = `${kind} ${use.name}`
  const parts = [...args, ...observed]
  if (facts.readsData) return opaqueOf(`${why} is opaque`, parts, use)
  if (use.name === 'count') return countValue(args, observed)
  // Its arguments only name expressions of GROUP BY.
  if (use.name === 'grouping') return ROW_COUNT
  const strict = call.words.some((word) => /^error on /.test(word))
  // Waiting, and locks that are taken, are noticed.
  const mayFail = noteFailures(walk, { facts, args, strict }) || use.purity === 'opaque'
  const type = TEXT.has(use.name) ? STRING : ONE_OF.test(use.name) ? boundedOf(args) : null
  const joins = JOINING.has(use.name) ? { joins: 1 } : {}
  if (kind !== 'function') {
    const of = sameTypeAs(use.name, args)
    const value = derive([...parts, ROW_COUNT], { why, type: of, mayFail })
    return { ...value, groups: groupsOf(call, args, scope) }
  }
  const counts = isNullFunction(call) && args[0]?.kind === 'direct'
  const value = derive(parts, { why, type, mayFail, counts, ...joins })
  if (value.kind !== 'constant') return given(call, value, args)
  const known = value.constants === null && type === null ? constantOf(null, null) : value
  return facts.varies ? asComputed(known) : known
}

/** What gives one of its arguments as it is: which one hangs on a condition, or on which are NULL. */
function given(call: FunctionCall, value: Value, args: readonly Value[]): Value {
  const [first = value, ...others] = args
  switch (call.name.value.toLowerCase()) {
    case 'if':
      return oneOf(value, others, first)
    case 'coalesce':
    case 'ifnull':
    case 'nvl':
      return oneOf(value, args, derive(args.slice(0, -1), { why: 'is null', counts: true }))
    default:
      return value
  }
}

/** How many rows, or how many with a value: of bare columns it tells nothing else. */
function countValue(args: readonly Value[], observed: readonly Value[]): Value {
  const bare = args.every(
    (arg) => arg.kind === 'direct' || arg.kind === 'constant' || arg.revealsNoValue,
  )
  const counted = bare
    ? args.map((arg) => ({ ...arg, revealsNoValue: true, constants: null }))
    : args
  return derive([...counted, ...observed, ROW_COUNT], { why: 'aggregate count' })
}

/** Functions that give one of their arguments. */
const ONE_OF = /^(coalesce|ifnull|nvl|greatest|least)$/

/** min(x) and the like return their argument's type. */
function sameTypeAs(name: string, args: readonly Value[]): string | null {
  if (!/^(min|max|any_value|lag|lead|first_value|last_value|nth_value)$/.test(name)) return null
  return boundedOf(args) ?? args[0]?.type ?? null
}

/** Functions whose result is always text. */
const TEXT = new Set(
  `bin char concat concat_ws conv date_format export_set format hex inet_ntoa lcase left lower lpad ltrim
make_set md5 mid monthname dayname oct quote repeat replace reverse right rpad rtrim sha sha1 sha2
soundex space substr substring substring_index to_base64 trim ucase unhex upper uuid_to_bin bin_to_uuid`.split(
    /\s+/,
  ),
)
/** Functions whose result is as long as their arguments together, or longer. */
const JOINING = new Set([
  'concat',
  'concat_ws',
  'export_set',
  'insert',
  'json_array',
  'json_object',
  'lpad',
  'make_set',
  'repeat',
  'replace',
  'rpad',
  'space',
])

/** May this call fail for some values of a column in its arguments? Notes the columns. */
function noteFailures(
  walk: Walk,
  {
    facts,
    args,
    strict,
  }: {
    readonly facts: FunctionFacts
    readonly args: readonly Value[]
    /** The call itself asks for an error where there is no value. */
    readonly strict: boolean
  },
): boolean {
  const exposed = strict ? args : failingArguments(facts, args)
  for (const arg of exposed) walk.draft.useAll(arg, 'failure')
  return exposed.length > 0
}

const RANGED = /^(abs|round|std|stddev|stddev_pop|stddev_samp|variance|var_pop|var_samp)$/

function failingArguments(
  { use, mayFail }: FunctionFacts,
  args: readonly Value[],
): readonly Value[] {
  const { name } = use
  // A NULL key is an error; what it stands for is not.
  if (name === 'json_object') return args.filter((_, index) => index % 2 === 0)
  if (name === 'json_objectagg') return args.slice(0, 1)
  // Beyond the range of a number, which only computed ones reach.
  if (RANGED.test(name))
    return [...args.slice(0, 1).filter((arg) => !isBounded(arg)), ...args.slice(1)]
  // A key or initialization vector may be too short for the mode.
  if (/^aes_(en|de)crypt$/.test(name)) return args.slice(2)
  if (!mayFail) return []
  // Of a JSON column only the path may be wrong, and that is the statement's own.
  const [document, ...others] = args
  if (name.startsWith('json_') && document?.type === 'json') return others
  return args
}

/** Values a window's partitions, order and frame depend on. */
function overValues(
  walk: Walk,
  over: Identifier | WindowSpecification,
  scope: Scope,
): readonly Value[] {
  if (over.kind === 'window') return windowValues(walk, over, scope)
  const window = scope.windows.get(over.value.toLowerCase())
  if (window === undefined) return [unknownOf('window not found')]
  // It stands in the WINDOW clause, outside of the columns that name it.
  const { inColumn } = walk.draft
  walk.draft.inColumn = null
  const values = windowValues(walk, window, scope)
  walk.draft.inColumn = inColumn
  return values
}

export function windowValues(
  walk: Walk,
  window: WindowSpecification,
  scope: Scope,
): readonly Value[] {
  const known = walk.windows.get(window)
  if (known?.scope === scope) return known.values
  // A definition may build on an earlier one; one that reaches itself meets this entry.
  walk.windows.set(window, { scope, values: [unknownOf('window not found')] })
  const values = definedValues(walk, window, scope)
  walk.windows.set(window, { scope, values })
  return values
}

function definedValues(walk: Walk, window: WindowSpecification, scope: Scope): readonly Value[] {
  walk.visited.add(window)
  const values: Value[] = []
  if (window.base !== null) values.push(...overValues(walk, window.base, scope))
  for (const node of window.partitionBy) {
    const value = walk.value(node, scope)
    walk.draft.useAll(value, value.kind === 'direct' ? 'group' : 'predicate')
    values.push(value)
  }
  for (const item of window.orderBy) {
    walk.visited.add(item)
    const value = walk.value(item.expression, scope)
    walk.draft.useAll(value, 'window')
    values.push(value)
  }
  for (const bound of [window.frame?.from, window.frame?.to]) {
    const distance: Expression | null = bound?.distance ?? null
    if (distance === null) continue
    const value = walk.value(distance, scope)
    walk.draft.useAll(value, 'window')
    values.push(value)
  }
  return values
}
