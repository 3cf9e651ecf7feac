/**
 * Expressions to values. Every kind of expression node is listed; one that is not gives `unknown` and
 * marks the statement.
 *
 * Beside its value, an expression may use columns in ways that can be observed without its result:
 * conditions of CASE, FILTER, ordering inside aggregates, rows made by set-returning functions. Those are
 * noted in the draft here.
 */
import type {
  A_Expr,
  A_Indirection,
  CaseExpr,
  ColumnRef,
  Node,
  SubLink,
  TypeCast,
  XmlExpr,
} from 'libpg-query'
import { spend } from '../../budget.ts'
import {
  addedColumns,
  asUnknown,
  CONSTANT,
  type Column,
  constantOf,
  derive,
  ROW_COUNT,
  rowOf,
  through,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import { isNoFunction } from '../functions.ts'
import { noteUserCast, noteUserOperator } from '../operators.ts'
import { castMayFail, isOneValue } from '../total.ts'
import {
  as,
  hasTypeModifier,
  literalText,
  stringOf,
  stringsOf,
  typeNameOf,
  unwrap,
} from '../tree.ts'
import { functionValue } from './call.ts'
import { jsonValue } from './json.ts'
import { noteLazyConditions, noteLazyNulls } from './lazy.ts'
import { noteMixed } from './mixed.ts'
import { operatorValue } from './operator.ts'
import { compare, comparison } from './predicate.ts'
import {
  columnsOf,
  type Item,
  leaves,
  lookupBare,
  lookupIn,
  lookupItem,
  newScope,
  rowOfItem,
  type Scope,
  visible,
} from './scope.ts'
import type { Walk } from './walk.ts'

export function expressionValue(walk: Walk, node: Node, scope: Scope): Value {
  const [type, fields] = unwrap(node)
  const known = walk.values.get(fields)
  if (known?.scope === scope) return known.value
  spend(1)
  const value = valueOfType(walk, node, { type, fields, scope })
  walk.values.set(fields, { scope, value })
  return value
}

function valueOfType(
  walk: Walk,
  node: Node,
  {
    type,
    fields,
    scope,
  }: { readonly type: string; readonly fields: object; readonly scope: Scope },
): Value {
  // Each case reads the fields of the type its label names.
  switch (type) {
    case 'A_Const': {
      const text = literalText(node)
      return constantOf(text === null ? { kind: 'null' } : { kind: 'literal', text }, null)
    }
    case 'ParamRef': {
      const index = (fields as { number?: number }).number ?? 0
      const given = walk.parameters?.[index - 1]
      if (given !== undefined) return given
      return constantOf({ kind: 'parameter', index }, null)
    }
    case 'ColumnRef':
      return columnRefValue(walk, fields as ColumnRef, scope)
    case 'A_Expr':
      return operatorValue(walk, fields as A_Expr, scope)
    case 'TypeCast':
      return castValue(walk, fields as TypeCast, scope)
    case 'FuncCall':
      return functionValue(walk, fields, scope)
    case 'SubLink':
      return subLinkValue(walk, fields as SubLink, scope)
    case 'CaseExpr':
      return caseValue(walk, fields as CaseExpr, scope)
    case 'NullTest': {
      const arg = argument(walk, fields, scope)
      return derive([arg], { why: 'IS NULL', counts: arg.kind === 'direct', type: 'bool' })
    }
    case 'CollateClause': {
      const arg = argument(walk, fields, scope)
      return { ...arg, row: null }
    }
    case 'NamedArgExpr':
      return argument(walk, fields, scope)
    case 'RowExpr':
      return rowValue(walk, (fields as { args?: Node[] }).args ?? [], scope)
    case 'A_ArrayExpr':
      return arrayValue(walk, (fields as { elements?: Node[] }).elements ?? [], scope)
    case 'A_Indirection':
      return indirectionValue(walk, fields as A_Indirection, scope)
    case 'List':
      return all(walk, (fields as { items?: Node[] }).items, scope, 'list')
    case 'BoolExpr':
    case 'BooleanTest': {
      const nodes = argumentsOf(fields)
      const parts = nodes.map((part) => expressionValue(walk, part, scope))
      noteLazyConditions(walk, nodes, { parts, scope })
      return derive(parts, { why: 'condition', type: 'bool' })
    }
    case 'CoalesceExpr': {
      const parts = argumentsOf(fields).map((part) => expressionValue(walk, part, scope))
      noteLazyNulls(walk, parts)
      noteMixed(walk, parts)
      return derive(parts, { why: 'coalesce', type: commonType(parts) })
    }
    case 'MinMaxExpr': {
      const parts = argumentsOf(fields).map((part) => expressionValue(walk, part, scope))
      noteMixed(walk, parts)
      return derive(parts, { why: 'greatest or least', type: commonType(parts) })
    }
    case 'XmlExpr': {
      const { args, named_args, op } = fields as XmlExpr
      const value = all(walk, [...(args ?? []), ...(named_args ?? [])], scope, 'xml')
      return op === 'IS_XMLPARSE' || op === 'IS_XMLPI' ? failing(walk, value) : value
    }
    case 'XmlSerialize':
      return all(walk, [(fields as { expr: Node }).expr], scope, 'xml')
    case 'ResTarget':
      // An attribute of XMLATTRIBUTES or XMLFOREST.
      return expressionValue(walk, (fields as { val: Node }).val, scope)
    case 'SQLValueFunction':
    case 'SetToDefault':
    case 'MergeSupportFunc':
      return CONSTANT
    case 'GroupingFunc':
      // Its arguments only name expressions of GROUP BY.
      for (const arg of argumentsOf(fields)) expressionValue(walk, arg, scope)
      return CONSTANT
    case 'CurrentOfExpr':
      return ROW_COUNT
    default:
      if (type.startsWith('Json')) return jsonValue(walk, type, fields, scope)
      walk.draft.unknown(`expression of type ${type}`)
      return unknownOf(`expression of type ${type}`)
  }
}

function argumentsOf(fields: object): readonly Node[] {
  const { args, arg } = fields as { args?: Node[]; arg?: Node }
  return args ?? (arg === undefined ? [] : [arg])
}

function argument(walk: Walk, fields: object, scope: Scope): Value {
  const { arg } = fields as { arg?: Node }
  return arg === undefined ? CONSTANT : expressionValue(walk, arg, scope)
}

function all(walk: Walk, nodes: readonly Node[] | undefined, scope: Scope, why: string): Value {
  return derive(
    (nodes ?? []).map((node) => expressionValue(walk, node, scope)),
    { why },
  )
}

/** It fails for some values of the columns in it. */
function failing(walk: Walk, value: Value): Value {
  walk.draft.useAll(value, 'failure')
  return { ...value, mayFail: true }
}

/** The type of all that have one. */
function commonType(parts: readonly Value[]): string | null {
  const [first, ...others] = parts.flatMap(({ type }) => type ?? [])
  return first !== undefined && others.every((type) => type === first) ? first : null
}

/** Reads a value: its sources are columns that the statement reads. */
function read(walk: Walk, value: Value): Value {
  spend(value.sources.length)
  for (const source of value.sources) walk.draft.column(source)
  return value
}

function columnRefValue(walk: Walk, ref: ColumnRef, scope: Scope): Value {
  return read(walk, resolveColumnRef(walk, ref.fields ?? [], scope))
}

function resolveColumnRef(walk: Walk, fields: readonly Node[], scope: Scope): Value {
  const star = as(fields[fields.length - 1], 'A_Star') !== undefined
  const names = stringsOf(star ? fields.slice(0, -1) : fields)
  const first = names[0] ?? ''
  if (names.length === 1 && !star) {
    const column = lookupBare(scope, first)
    if (column !== undefined) return column
    const item = lookupItem(scope, first, null)
    if (item === undefined) return missingColumn(walk, scope, first)
    return item === 'ambiguous' ? unknownOf('ambiguous table name') : wholeRow(walk, item)
  }
  // [[database.]schema.]table.column, or the same with `*` for the whole row.
  const table = star ? names : names.slice(0, -1)
  const item = lookupItem(scope, table[table.length - 1] ?? '', table[table.length - 2] ?? null)
  if (item === undefined) return missingQualifier(walk, scope, table.join('.'))
  if (item === 'ambiguous') return unknownOf('ambiguous table name')
  if (star) return wholeRow(walk, item)
  const name = names[names.length - 1] ?? ''
  const column = lookupIn(item, name)
  if (column !== undefined) return column
  // `t.f` is also how f(t) may be written.
  if (isNoFunction(walk.context, [name]) && columnsOf(item) !== null)
    walk.draft.missing('column', names.join('.'), () => columnNames(item))
  const row = asFunctionOf(walk, wholeRow(walk, item), name)
  return unknownOf('function written as a column', [row, ...added(item, name)])
}

function wholeRow(walk: Walk, item: Item): Value {
  walk.draft.wholeRows = true
  return rowOfItem(item)
}

/** A name that nothing visible has: the server refuses the statement, unless it knows what we do not. */
function missingColumn(walk: Walk, scope: Scope, name: string): Value {
  if (walk.context.catalog === null) return unknownOf('no catalog')
  const items = visible(scope, 'bare')
  walk.draft.missing('column', name, () => items.flatMap(columnNames))
  return unknownOf(
    'column not found',
    items.flatMap((item) => added(item, name)),
  )
}

const added = (item: Item, name: string): readonly Value[] =>
  addedColumns(
    [...leaves(item)].map(({ table }) => table),
    name,
  )

function missingQualifier(walk: Walk, scope: Scope, name: string): Value {
  if (walk.context.catalog === null) return unknownOf('no catalog')
  walk.draft.missing('qualifier', name, () =>
    visible(scope, 'named').flatMap((item) => item.name ?? []),
  )
  return unknownOf('table not found')
}

const columnNames = (item: Item): readonly string[] =>
  columnsOf(item)?.map(({ name }) => name) ?? []

function asFunctionOf(walk: Walk, row: Value, name: string): Value {
  walk.draft.function({ schema: null, name, purity: 'opaque' })
  walk.draft.effect('procedural')
  return asUnknown(row, 'function written as a column')
}

/** The operator of `x IN (SELECT ...)`. */
const EQUALS: readonly Node[] = [{ String: { sval: '=' } }]

const SAME_TEXT = new Set(['text', 'varchar'])

function castValue(walk: Walk, cast: TypeCast, scope: Scope): Value {
  const arg = cast.arg === undefined ? CONSTANT : expressionValue(walk, cast.arg, scope)
  const type = typeNameOf(cast.typeName)
  if (type.startsWith('reg') && arg.constants !== null) walk.draft.literalIndependent = false
  if (noteUserCast(walk, type)) return asUnknown(arg, `cast to ${type}`)
  const modified = cast.typeName !== undefined && hasTypeModifier(cast.typeName)
  const same =
    arg.type !== null && (arg.type === type || (SAME_TEXT.has(arg.type) && SAME_TEXT.has(type)))
  if (arg.kind === 'direct' && same && !modified)
    return through({ ...arg, type }, `cast to ${type}`)
  // A literal is read when the statement is.
  const fallible = cast.arg !== undefined && as(cast.arg, 'A_Const') === undefined
  const mayFail = fallible && castMayFail(arg.type, type, { modified })
  if (mayFail) walk.draft.useAll(arg, 'failure')
  const value = derive([arg], { why: `cast to ${type}`, type, mayFail })
  // One for each that is listed, however often it is cast.
  return value.kind === 'constant' ? { ...value, type, varies: arg.varies } : value
}

function caseValue(walk: Walk, expr: CaseExpr, scope: Scope): Value {
  const parts: Value[] = []
  const results: Value[] = []
  const subject = expr.arg === undefined ? null : expressionValue(walk, expr.arg, scope)
  if (subject !== null) parts.push(subject)
  for (const node of expr.args ?? []) {
    const when = as(node, 'CaseWhen')
    if (when === undefined) {
      walk.draft.unknown('CASE without WHEN')
      continue
    }
    if (when.expr !== undefined) {
      const condition = expressionValue(walk, when.expr, scope)
      parts.push(condition)
      if (subject === null) walk.predicate(when.expr, scope)
      else compare(walk, subject, condition)
    }
    if (when.result !== undefined) results.push(expressionValue(walk, when.result, scope))
  }
  if (expr.defresult !== undefined) results.push(expressionValue(walk, expr.defresult, scope))
  noteMixed(walk, results)
  return derive([...parts, ...results], { why: 'case', type: commonType(results) })
}

/** ROW(a, t.*): fields are named f1, f2, ... and `t.*` is as wide as t. */
function rowValue(walk: Walk, args: readonly Node[], scope: Scope): Value {
  const fields: Column[] = []
  for (const arg of args) {
    const value = expressionValue(walk, arg, scope)
    const last = as(arg, 'ColumnRef')?.fields?.at(-1)
    if (last !== undefined && as(last, 'A_Star') !== undefined) {
      if (value.row === null) return asUnknown(value, 'row with columns not known')
      for (const field of value.row) fields.push({ ...field, name: `f${fields.length + 1}` })
    } else fields.push({ name: `f${fields.length + 1}`, value })
  }
  return rowOf(fields, 'row')
}

function arrayValue(walk: Walk, elements: readonly Node[], scope: Scope): Value {
  const values = elements.map((element) => expressionValue(walk, element, scope))
  const type = values[0]?.type ?? null
  const array = type === null || type === 'unknown' ? '_' : type.startsWith('_') ? type : `_${type}`
  noteMixed(walk, values)
  // Inner arrays must be of one size; a constant without a type is none.
  const fallible = values.some((value) => value.kind !== 'constant' && !isOneValue(value))
  if (fallible) for (const value of values) walk.draft.useAll(value, 'failure')
  return derive(values, { why: 'array', type: array, mayFail: fallible })
}

function indirectionValue(walk: Walk, node: A_Indirection, scope: Scope): Value {
  let value = node.arg === undefined ? CONSTANT : expressionValue(walk, node.arg, scope)
  for (const step of node.indirection ?? []) {
    const indices = as(step, 'A_Indices')
    if (indices !== undefined) {
      const bounds = [indices.lidx, indices.uidx].filter((bound) => bound !== undefined)
      const parts = bounds.map((bound) => expressionValue(walk, bound, scope))
      value = derive([value, ...parts], { why: 'subscript' })
    } else if (as(step, 'String') !== undefined) value = fieldOf(walk, value, stringOf(step))
    else if (as(step, 'A_Star') === undefined) {
      walk.draft.unknown('unlisted indirection')
      return asUnknown(value, 'unlisted indirection')
    }
  }
  return value
}

function fieldOf(walk: Walk, value: Value, name: string): Value {
  const field = value.row?.filter((column) => column.name === name) ?? []
  if (field.length === 1) return field[0]!.value
  if (value.row !== null) return asFunctionOf(walk, value, name)
  // A field of a stored composite, or a function of it: built-in functions of a row only format it.
  const functions = walk.context.catalog?.functionsNamed(name) ?? []
  if (functions.some((entry) => !entry.builtin && !entry.pure))
    return asFunctionOf(walk, value, name)
  return derive([value], { why: 'field' })
}

function subLinkValue(walk: Walk, link: SubLink, scope: Scope): Value {
  const result = subquery(walk, link, scope)
  const output = result.open ?? result.columns[0]?.value ?? CONSTANT
  switch (link.subLinkType) {
    case 'EXISTS_SUBLINK':
      return ROW_COUNT
    case 'EXPR_SUBLINK':
      return through(output, 'subquery')
    case 'ARRAY_SUBLINK':
      if (!isOneValue(output)) walk.draft.useAll(output, 'failure')
      return derive([output, ROW_COUNT], {
        why: 'array of subquery',
        type: `_${output.type ?? ''}`,
        mayFail: !isOneValue(output),
      })
    case 'ANY_SUBLINK':
    case 'ALL_SUBLINK': {
      const test =
        link.testexpr === undefined ? CONSTANT : expressionValue(walk, link.testexpr, scope)
      const symbol = stringsOf(link.operName).at(-1) ?? '='
      comparison(walk, {
        symbol,
        left: test.row?.map((field) => field.value) ?? [test],
        right: result.open === null ? result.columns.map((column) => column.value) : [result.open],
      })
      const parts = [test, ...result.columns.map((column) => column.value)]
      if (result.open !== null) parts.push(result.open)
      const value = derive([...parts, ROW_COUNT], { why: 'IN subquery' })
      const operands = { left: test, right: { ...output, type: null } }
      return noteUserOperator(walk, link.operName ?? EQUALS, operands)
        ? asUnknown(value, 'operator made by a user')
        : value
    }
    default:
      walk.draft.unknown(`subquery of kind ${link.subLinkType}`)
      return unknownOf('unlisted kind of subquery')
  }
}

/** The query of a sublink, analysed once however often its expression is looked at. */
function subquery(walk: Walk, link: SubLink, scope: Scope) {
  const known = walk.subqueries.get(link)
  if (known !== undefined) return known
  const select = as(link.subselect, 'SelectStmt')
  if (select === undefined) {
    walk.draft.unknown('subquery that is not a SELECT')
    return { columns: [], open: unknownOf('subquery that is not a SELECT') }
  }
  const result = walk.query(select, newScope(scope))
  walk.subqueries.set(link, result)
  return result
}
