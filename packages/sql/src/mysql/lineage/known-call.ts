/**
 * Calls of stored functions whose bodies can be read: what the body does with the arguments is part of the statement,
 * as if it stood in place of the call. Whatever is not certain leaves the function opaque.
 */
import type { CatalogFunction } from '../../catalog.ts'
import { FactsDraft } from '../../draft.ts'
import type { FunctionUse } from '../../facts.ts'
import { asComputed, derive, ROW_COUNT, type Value } from '../../lineage/value.ts'
import type { FunctionCall, Node } from '../ast.ts'
import { plain } from '../context.ts'
import { type FunctionBody, functionBody } from '../function-bodies.ts'
import { onlyStoredFunction } from '../functions.ts'
import { relationOf } from '../names.ts'
import { survey } from '../survey.ts'
import { leafOf, newScope, type Scope } from './scope.ts'
import { isUnderstood, type Walk } from './walk.ts'

/** Functions in bodies of functions. */
const BODY_DEPTH_MAX = 8

/** The value of the call, with everything noted that it does; null: nothing noted, the function is opaque. */
export function knownCall(walk: Walk, call: FunctionCall, args: readonly Value[]): Value | null {
  if (walk.inside === null || walk.depth >= BODY_DEPTH_MAX || !isPlain(call)) return null
  const entry = onlyStoredFunction(walk.context, call)
  const body = entry === null ? null : functionBody(entry, plain(walk.context.dialect))
  if (entry === null || body === null || body.parameters.length !== args.length) return null
  // Every variable may come to hold anything of the arguments and of what is read, so what is read is found first.
  const first = walked(walk, { entry, body, held: derive(args, { why: 'variable' }) })
  if (first === null) return null
  const held = derive([...args, ...first.read], { why: 'variable' })
  const second = first.read.length === 0 ? first : walked(walk, { entry, body, held })
  if (second === null) return null
  const reads = readsTables(second.draft)
  return noted(walk, { entry, draft: second.draft, reads, args, held })
}

/** Arguments by place, and nothing else. */
const isPlain = (call: FunctionCall): boolean =>
  call.arguments.every((arg) => arg.kind !== 'named-argument' && arg.kind !== 'wildcard') &&
  call.orderBy.length === 0 &&
  call.over === null &&
  call.limit === null &&
  !call.distinct

/** The body with every variable holding `held`; null where it does something that is not known. */
function walked(
  walk: Walk,
  {
    entry,
    body,
    held,
  }: { readonly entry: CatalogFunction; readonly body: FunctionBody; readonly held: Value },
): { readonly draft: FactsDraft; readonly read: readonly Value[] } | null {
  const draft = new FactsDraft(walk.context.dialect.flavour)
  const { meaningful, assigned } = survey(body.statement)
  const inner = walk.inside?.(draft, { database: entry.schema, text: body.text, assigned })
  if (inner === undefined) return null
  const names = [...body.variables].map((name) => ({ name, value: held }))
  const scope: Scope = {
    ...newScope(null),
    entries: [{ item: leafOf(null, names), bare: true }],
  }
  for (const node of body.frame) inner.visited.add(node)
  for (const node of body.conditions) inner.predicate(node, scope)
  const values = body.values.map((node) => inner.value(node, scope))
  const results = body.queries.map((query) => inner.query(query, scope))
  if (results.some(({ open }) => open !== null)) return null
  const isVisited = meaningful.every((node) => isUnderstood(inner, node))
  if (!isVisited || !isKnown(draft) || hidesColumns(inner, body, meaningful)) return null
  const read = [...values, ...results.flatMap(({ columns }) => columns.map((one) => one.value))]
  return { draft, read: readsTables(draft) ? read : [] }
}

const readsTables = ({ relations }: FactsDraft): boolean => [...relations].length > 0

/** It reads tables and computes, and does nothing else. */
function isKnown(draft: FactsDraft): boolean {
  const { effects, functions, flows, constantWrites, state, relations } = draft.finish()
  return (
    effects.every((effect) => effect === 'read' || effect === 'procedural') &&
    flows.length + constantWrites.length + state.length === 0 &&
    functions.every(({ purity, known }) => purity !== 'opaque' || known === true) &&
    relations.every(({ kind, access }) => kind === 'table' && access === 'read')
  )
}

/** Where a variable has the name of a column, the server takes the variable, and the walk the column. */
function hidesColumns(walk: Walk, body: FunctionBody, nodes: readonly Node[]): boolean {
  const { catalog } = walk.context
  if (catalog === null || !readsTables(walk.draft)) return false
  const names = [...walk.draft.relations].flatMap(({ schema, name }) =>
    schema === null
      ? []
      : (relationOf(catalog, schema, name)?.columns ?? []).map((column) => column.name),
  )
  const given = nodes.flatMap((node) =>
    node.kind === 'select-item' && node.alias !== null ? [node.alias.value] : [],
  )
  return (
    nodes.some(({ kind }) => RENAMING.has(kind)) ||
    [...names, ...given].some((name) => body.variables.has(name.toLowerCase()))
  )
}

/** Whose columns have names of their own. */
const RENAMING: ReadonlySet<string> = new Set(['derived-table', 'with', 'json-table'])

function noted(
  { draft }: Walk,
  call: {
    readonly entry: CatalogFunction
    readonly draft: FactsDraft
    readonly reads: boolean
    readonly args: readonly Value[]
    readonly held: Value
  },
): Value {
  const { schema, name, returnType } = call.entry
  const inside = call.draft.finish()
  // One that reads needs leave by its name, as any that does more than compute.
  const purity: FunctionUse['purity'] = call.reads ? 'opaque' : 'pure'
  draft.function({ schema, name, purity, known: true })
  for (const use of inside.functions) draft.function(use)
  for (const use of inside.relations) draft.relation(use)
  if (call.reads) draft.effect('read', 'procedural')
  if (!inside.literalIndependent) draft.literalIndependent = false
  if (inside.diagnostics) draft.diagnostics = true
  for (const column of inside.columns) draft.column(column)
  for (const { column, context, ...more } of inside.uses) draft.use(column, context, more)
  // Its author's conditions, loops and casts: it may fail for some values and not for others.
  for (const value of [...call.args, call.held]) draft.useAll(value, 'failure')
  const why = `function ${name}`
  const rows = call.reads ? [ROW_COUNT] : []
  return asComputed(derive([call.held, ...rows], { why, type: returnType, mayFail: true }))
}
