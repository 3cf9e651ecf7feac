/** Functions, XMLTABLE and JSON_TABLE in FROM. */
import type {
  Alias,
  ColumnDef,
  FuncCall,
  JsonTable,
  JsonTableColumn,
  Node,
  RangeFunction,
  RangeTableFunc,
} from 'libpg-query'
import {
  asComputed,
  CONSTANT,
  type Column,
  derive,
  opaqueOf,
  ROW_COUNT,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { functionFacts } from '../functions.ts'
import { as, stringOf, stringsOf, typeNameOf, unwrap } from '../tree.ts'
import { compositeFields, mayBeRow } from '../type-names.ts'
import { noteFunction, rowsOf } from './call.ts'
import { jsonBehaviors, jsonPassing, valueExpression } from './json.ts'
import type { LeafItem, Scope } from './scope.ts'
import type { Walk } from './walk.ts'

interface Shape {
  readonly columns: readonly Column[]
  readonly open: Value | null
}

/** One function of a RangeFunction. */
interface Call {
  readonly node: Node
  /** Set for one argument of `unnest(a, b)`, which in FROM means `ROWS FROM (unnest(a), unnest(b))`. */
  readonly unnested: Node | null
  readonly definitions: readonly Node[] | undefined
}

export function rangeFunction(walk: Walk, fields: object, scope: Scope): LeafItem {
  const range = fields as RangeFunction
  const calls = (range.functions ?? []).flatMap((node) => callsOf(as(node, 'List')?.items ?? []))
  const shapes = calls.map((call) =>
    functionShape(walk, call, {
      scope,
      alias: calls.length === 1 ? range.alias : undefined,
      definitions: call.definitions ?? range.coldeflist,
    }),
  )
  const columns = shapes.flatMap((shape) => shape.columns)
  const opens = shapes.flatMap((shape) => (shape.open === null ? [] : [shape.open]))
  if (range.ordinality === true) columns.push({ name: 'ordinality', value: ROW_COUNT })
  const names = stringsOf(range.alias?.colnames)
  // What comes behind columns that are not known may have any name.
  if (opens.length > 0) opens.push(...columns.splice(0).map(({ value }) => value))
  return {
    kind: 'leaf',
    name: range.alias?.aliasname ?? (calls.length === 1 ? functionName(calls[0]?.node) : null),
    schema: null,
    columns: columns.map((column, index) => ({ ...column, name: names[index] ?? column.name })),
    open: opens.length === 0 ? null : unknownOf('columns of a function are not known', opens),
    stored: false,
  }
}

function callsOf(items: readonly Node[]): readonly Call[] {
  const [node, list] = items
  if (node === undefined) return []
  const definitions = as(list, 'List')?.items
  const call = as(node, 'FuncCall')
  const args = call?.args ?? []
  if (call === undefined || args.length < 2 || !isUnnest(call)) {
    return [{ node, unnested: null, definitions }]
  }
  return args.map((unnested) => ({ node, unnested, definitions }))
}

function isUnnest(call: FuncCall): boolean {
  const names = stringsOf(call.funcname)
  return names.at(-1) === 'unnest' && (names.length === 1 || names[0] === 'pg_catalog')
}

function functionName(node: Node | undefined): string | null {
  const call = as(node, 'FuncCall')
  if (call !== undefined) return stringOf(call.funcname?.at(-1))
  const value = as(node, 'SQLValueFunction')
  if (value !== undefined) return (value.op ?? '').replace(/^SVFOP_|_N$/g, '').toLowerCase()
  return as(node, 'CoalesceExpr') !== undefined ? 'coalesce' : null
}

function functionShape(
  walk: Walk,
  { node, unnested }: Call,
  {
    scope,
    alias,
    definitions,
  }: {
    readonly scope: Scope
    readonly alias: Alias | undefined
    readonly definitions: readonly Node[] | undefined
  },
): Shape {
  const value =
    unnested === null ? walk.value(node, scope) : unnestValue(walk, { node, unnested, scope })
  if (definitions !== undefined && definitions.length > 0) {
    return { columns: definedColumns(definitions, value), open: null }
  }
  const call = as(node, 'FuncCall')
  if (call === undefined) {
    const name = alias?.aliasname ?? functionName(node) ?? ''
    return { columns: [{ name, value }], open: null }
  }
  return callShape(walk, call, { value, alias, arg: unnested ?? call.args?.[0], scope })
}

function unnestValue(
  walk: Walk,
  {
    node,
    unnested,
    scope,
  }: { readonly node: Node; readonly unnested: Node; readonly scope: Scope },
): Value {
  const call = as(node, 'FuncCall')
  if (call === undefined) return unknownOf('unnest')
  walk.visited.add(call)
  const facts = noteFunction(walk, call)
  const value = walk.value(unnested, scope)
  walk.draft.useAll(value, 'cardinality')
  if (facts.readsData) return opaqueOf(`function ${facts.use.name} is opaque`, [value], facts.use)
  return rowsOf('unnest', [value], derive([value], { why: 'function unnest' }))
}

function definedColumns(definitions: readonly Node[], value: Value): Column[] {
  return definitions.map((node) => {
    const definition = as(node, 'ColumnDef') as ColumnDef | undefined
    return { name: definition?.colname ?? '', value: { ...value, type: null, row: null } }
  })
}

function callShape(
  walk: Walk,
  call: FuncCall,
  {
    value,
    alias,
    arg,
    scope,
  }: {
    readonly value: Value
    readonly alias: Alias | undefined
    readonly arg: Node | undefined
    readonly scope: Scope
  },
): Shape {
  const facts = functionFacts(walk.context, stringsOf(call.funcname))
  const name = alias?.aliasname ?? facts.use.name
  const single = (column: string): Shape => ({
    columns: [{ name: column, value: { ...value, row: null } }],
    open: null,
  })
  if (facts.use.schema === 'pg_catalog' && facts.use.name === 'unnest') {
    const type = arg === undefined ? null : walk.value(arg, scope).type
    const element = elementType(type)
    if (element !== null) {
      const fields = compositeFields(walk.context, element)
      if (fields !== null) return spread(fields, value)
      if (!mayBeRow(walk.context, element)) return single(name)
    }
    if (type === 'tsvector') {
      return {
        columns: ['lexeme', 'positions', 'weights'].map((n) => ({ name: n, value })),
        open: null,
      }
    }
    if (type?.endsWith('multirange')) return single(name)
    return { columns: [], open: value.kind === 'constant' ? unknownOf('columns of unnest') : value }
  }
  if (facts.outputs === 'scalar') return single(name)
  if (facts.outputs !== null) {
    const type = facts.outputs.length === 1 ? value.type : null
    const each = { ...value, type, row: null }
    return { columns: facts.outputs.map((column) => ({ name: column, value: each })), open: null }
  }
  const fields = compositeFields(walk.context, value.type ?? facts.type)
  if (fields !== null) return spread(fields, value)
  // Of a composite result that is not in the catalog only the server knows the columns.
  return {
    columns: [],
    open: value.kind === 'constant' ? unknownOf('columns of a function') : value,
  }
}

function spread(names: readonly string[], value: Value): Shape {
  const each = { ...value, type: null, row: null }
  return { columns: names.map((name) => ({ name, value: each })), open: null }
}

/** Element type of an array type's name (`_text`, `public._address`); null when it is none. */
function elementType(type: string | null): string | null {
  if (type === 'int2vector') return 'int2'
  if (type === 'oidvector') return 'oid'
  const match = /^((?:.*\.)?)_(.*)$/.exec(type ?? '')
  return match === null ? null : `${match[1]}${match[2]}`
}

export function rangeTable(walk: Walk, type: string, fields: object, scope: Scope): LeafItem {
  const columns =
    type === 'JsonTable'
      ? jsonTableColumns(walk, fields as JsonTable, scope)
      : xmlTableColumns(walk, fields as RangeTableFunc, scope)
  const { alias } = fields as { alias?: Alias }
  const names = stringsOf(alias?.colnames)
  return {
    kind: 'leaf',
    name: alias?.aliasname ?? (type === 'JsonTable' ? 'json_table' : 'xmltable'),
    schema: null,
    columns: columns.map((column, index) => ({ ...column, name: names[index] ?? column.name })),
    open: null,
    stored: false,
  }
}

function xmlTableColumns(walk: Walk, table: RangeTableFunc, scope: Scope): Column[] {
  const expressions = [table.docexpr, table.rowexpr].filter((node) => node !== undefined)
  const namespaces = (table.namespaces ?? []).map((node) => as(node, 'ResTarget')?.val ?? node)
  const value = derive(
    [...expressions, ...namespaces].map((node) => walk.value(node, scope)),
    { why: 'xmltable' },
  )
  walk.draft.useAll(value, 'cardinality')
  return (table.columns ?? []).map((node) => {
    const column = as(node, 'RangeTableFuncCol')
    if (column === undefined) walk.draft.unknown('column of XMLTABLE')
    if (column?.for_ordinality === true) return { name: column.colname ?? '', value: ROW_COUNT }
    const own = [column?.colexpr, column?.coldefexpr].filter((expr) => expr !== undefined)
    const parts = own.map((expr) => walk.value(expr, scope))
    const cell = derive([value, ...parts], { why: 'xmltable', mayFail: true })
    return { name: column?.colname ?? '', value: asComputed(cell) }
  })
}

function jsonTableColumns(walk: Walk, table: JsonTable, scope: Scope): Column[] {
  const parts = [
    valueExpression(walk, table.context_item, scope),
    ...jsonPassing(walk, table.passing, scope),
    ...jsonBehaviors(walk, [table.on_error], scope),
    pathValue(walk, table.pathspec?.string, scope),
  ]
  const value = derive(parts, { why: 'json_table' })
  walk.draft.useAll(value, 'cardinality')
  return (table.columns ?? []).flatMap((node) => jsonTableColumn(walk, node, { value, scope }))
}

function pathValue(walk: Walk, path: Node | undefined, scope: Scope): Value {
  return path === undefined ? CONSTANT : walk.value(path, scope)
}

function jsonTableColumn(
  walk: Walk,
  node: Node,
  { value, scope }: { readonly value: Value; readonly scope: Scope },
): Column[] {
  const column = as(node, 'JsonTableColumn') as JsonTableColumn | undefined
  if (column === undefined) {
    walk.draft.unknown(`column of JSON_TABLE of type ${unwrap(node)[0]}`)
    return []
  }
  walk.visited.add(column)
  const name = column.name ?? ''
  const behaviors = jsonBehaviors(walk, [column.on_empty, column.on_error], scope)
  const path = pathValue(walk, column.pathspec?.string, scope)
  switch (column.coltype) {
    case 'JTC_FOR_ORDINALITY':
      return [{ name, value: ROW_COUNT }]
    case 'JTC_NESTED':
      return (column.columns ?? []).flatMap((inner) =>
        jsonTableColumn(walk, inner, { value, scope }),
      )
    case 'JTC_REGULAR':
    case 'JTC_EXISTS':
    case 'JTC_FORMATTED': {
      const type = typeNameOf(column.typeName)
      const cell = derive([value, path, ...behaviors], { why: 'json_table', type, mayFail: true })
      return [{ name, value: asComputed(cell) }]
    }
    default:
      walk.draft.unknown('column of JSON_TABLE of a kind not listed')
      return [{ name, value: unknownOf('column of JSON_TABLE of a kind not listed', [value]) }]
  }
}
