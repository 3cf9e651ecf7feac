/**
 * Calls of users' functions whose bodies can be read: what the body does with the arguments is part of the
 * statement, as if it stood in place of the call. Whatever is not certain leaves the function opaque.
 */
import type { FuncCall, Node } from 'libpg-query'
import type { CatalogFunction } from '../../catalog.ts'
import { FactsDraft } from '../../draft.ts'
import type { FunctionUse, RelationUse } from '../../facts.ts'
import { asComputed, type Column, derive, ROW_COUNT, type Value } from '../../lineage/value.ts'
import type { FunctionBody } from '../function-bodies.ts'
import { onlyUserFunction } from '../functions.ts'
import { noteUserCast } from '../operators.ts'
import { survey } from '../survey.ts'
import { as, stringsOf } from '../tree.ts'
import { newScope, type Scope } from './scope.ts'
import { hasVisited, type Walk } from './walk.ts'

/** Functions in bodies of functions. */
const BODY_DEPTH_MAX = 8

/** The value of the call, with everything noted that it does; null: nothing noted, the function is opaque. */
export function knownCall(walk: Walk, call: FuncCall, args: readonly Value[]): Value | null {
  if (walk.bodies === null || walk.depth >= BODY_DEPTH_MAX || !isPlain(call)) return null
  const entry = onlyUserFunction(walk.context, stringsOf(call.funcname), args.length)
  if (entry === null || entry.kind !== 'function' || entry.returnsSet) return null
  const body = walk.bodies.of(entry)
  if (body === null || body.parameters.length < args.length) return null
  const draft = new FactsDraft('postgres')
  const given = [...args]
  const inner = walk.inside(draft, given)
  for (const { fallback } of body.parameters.slice(args.length)) {
    if (fallback === null) return null
    given.push(inner.value(fallback, newScope(null)))
  }
  const result = resultOf(inner, body, given)
  if (result === null || body.types.some((type) => noteUserCast(inner, type))) return null
  const reads = [...draft.relations]
  if (!isKnown(draft, reads) || (body.body.kind === 'computes' && reads.length > 0)) return null
  return noted(walk, { entry, draft, reads: reads.length > 0, given, result })
}

/** Arguments by place, and nothing else. */
const isPlain = ({
  args = [],
  agg_order,
  agg_filter,
  agg_distinct,
  agg_star,
  over,
  func_variadic,
}: FuncCall): boolean =>
  args.every((arg) => as(arg, 'NamedArgExpr') === undefined) &&
  agg_order === undefined &&
  agg_filter === undefined &&
  over === undefined &&
  agg_distinct !== true &&
  agg_star !== true &&
  func_variadic !== true

function resultOf(
  walk: Walk,
  { body, parameters }: FunctionBody,
  given: readonly Value[],
): Value | null {
  const columns = parameters.flatMap(({ name }, index): Column[] => {
    const value = given[index]
    return name === null || value === undefined ? [] : [{ name, value }]
  })
  if (body.kind === 'query') {
    const result = walk.statement(body.query, scopeWith(columns, null))
    if (result.open !== null || !isVisited(walk, body.query)) return null
    const values = result.columns.map(({ value }) => value)
    return derive(values, { why: 'body of a function' })
  }
  // Every variable may come to hold anything of the arguments.
  const anything = derive(given, { why: 'variable' })
  for (const expression of body.expressions) {
    const result = walk.statement(expression, scopeWith(columns, anything))
    if (result.open !== null || !isVisited(walk, expression)) return null
  }
  return anything
}

function scopeWith(columns: readonly Column[], open: Value | null): Scope {
  const item = { kind: 'leaf', name: null, schema: null, columns, open, stored: false } as const
  return { ...newScope(null), entries: [{ item, bare: true, named: false }] }
}

const isVisited = (walk: Walk, query: Node): boolean => {
  const { meaningful, unlisted } = survey(query)
  return [...unlisted].length === 0 && meaningful.every((node) => hasVisited(walk, node))
}

/** It reads tables and computes, and does nothing else. */
function isKnown(draft: FactsDraft, reads: readonly RelationUse[]): boolean {
  const { effects, functions, flows, constantWrites, state } = draft.finish()
  return (
    effects.every((effect) => effect === 'read') &&
    flows.length + constantWrites.length + state.length === 0 &&
    functions.every(({ purity, known }) => purity !== 'opaque' || known === true) &&
    reads.every(
      ({ kind, access, schema }) =>
        kind === 'table' && access === 'read' && schema !== 'pg_catalog',
    )
  )
}

function noted(
  { draft }: Walk,
  call: {
    readonly entry: CatalogFunction
    readonly draft: FactsDraft
    readonly reads: boolean
    readonly given: readonly Value[]
    readonly result: Value
  },
): Value {
  const { schema, name, returnType, volatility } = call.entry
  const inside = call.draft.finish()
  // One that reads needs leave by its name, as any that does more than compute.
  const purity: FunctionUse['purity'] = call.reads ? 'opaque' : 'pure'
  draft.function({ schema, name, purity, known: true })
  for (const use of inside.functions) draft.function(use)
  if (call.reads) draft.effect('procedural')
  if (!inside.literalIndependent) draft.literalIndependent = false
  for (const column of inside.columns) draft.column(column)
  for (const { column, context, inColumns: _, ...more } of inside.uses) {
    draft.use(column, context, more)
  }
  // Its author's conditions, loops and casts: it may fail for some values and not for others.
  const sources = [...call.given, call.result]
  for (const value of sources) draft.useAll(value, 'failure')
  const why = `function ${name}`
  const rows = call.reads ? [ROW_COUNT] : []
  const value = derive([call.result, ...rows], { why, type: returnType, mayFail: true })
  if (volatility !== 'volatile') return value
  draft.sortable = null
  return asComputed(value)
}
