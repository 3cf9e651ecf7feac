/**
 * Expressions to values. Every kind of expression node is listed; one that is not gives `unknown` and marks the
 * statement.
 *
 * Beside its value, an expression may use columns in ways that can be observed without its result:
 * conditions of CASE and IF, ordering inside aggregates, operations that fail. Those are noted in the
 * draft here.
 */
import { spend } from '../../budget.ts'
import {
  addedColumns,
  CONSTANT,
  constantOf,
  derive,
  lineageOf,
  ROW_COUNT,
  rowOf,
  through,
  unknownOf,
  type Value,
} from '../../lineage/value.ts'
import type {
  Binary,
  Case,
  Cast,
  ColumnReference,
  Default,
  Expression,
  InQuery,
  InsertedValue,
  JsonExtract,
  Literal,
  QuantifiedComparison,
  Query,
  SequenceValue,
  Unary,
  UserVariable,
  VariableAssignment,
} from '../ast.ts'
import { foldDatabase, foldTable } from '../names.ts'
import { useRelation } from '../resolve.ts'
import { functionValue } from './call.ts'
import { noteLazyConditions, noteLazyOperands, noteNullOperands } from './lazy.ts'
import { compare, comparison, fieldsOf } from './predicate.ts'
import {
  columnsOf,
  everythingIn,
  type Item,
  leaves,
  lookupBare,
  lookupQualified,
  type Scope,
  visible,
} from './scope.ts'
import {
  isBounded,
  literalType,
  mayOverflow,
  NUMBER,
  oneOf,
  PARAMETER,
  resultType,
  STRING,
} from './types.ts'
import { NO_COLUMNS, type QueryResult, type Walk } from './walk.ts'

export function expressionValue(walk: Walk, node: Expression, scope: Scope): Value {
  const known = walk.values.get(node)
  if (known?.scope === scope) return known.value
  spend(1)
  const value = valueOfKind(walk, node, scope)
  walk.values.set(node, { scope, value })
  return value
}

function valueOfKind(walk: Walk, node: Expression, scope: Scope): Value {
  switch (node.kind) {
    case 'literal':
      return literalValue(node)
    case 'parameter':
      return constantOf({ kind: 'parameter', index: node.index }, PARAMETER)
    case 'user-variable':
      return variableValue(walk, node)
    case 'system-variable':
      if (/^(warning|error)_count$/i.test(node.name)) walk.draft.diagnostics = true
      return CONSTANT
    case 'ignore-value':
      return CONSTANT
    case 'column':
      return columnValue(walk, node, scope)
    case 'wildcard':
      // In COUNT(*); a select list spreads its own.
      return ROW_COUNT
    case 'variable-assignment':
      return assignmentValue(walk, node, scope)
    case 'unary':
      return unaryValue(walk, node, scope)
    case 'binary':
      return binaryValue(walk, node, scope)
    case 'logical': {
      const parts = node.terms.map((term) => walk.value(term, scope))
      noteLazyConditions(walk, node.terms, { parts, scope })
      return derive(parts, { why: 'condition', type: NUMBER })
    }
    case 'is': {
      const operand = walk.value(node.operand, scope)
      const counts = node.test === 'null' && operand.kind === 'direct'
      return derive([operand], { why: `is ${node.test}`, counts, type: NUMBER })
    }
    case 'in': {
      const parts = [node.operand, ...node.list].map((part) => walk.value(part, scope))
      noteLazyOperands(walk, node, { parts, scope })
      return derive(parts, { why: 'in', type: NUMBER })
    }
    case 'in-query':
    case 'quantified-comparison':
      return comparedWithQuery(walk, node, scope)
    case 'between': {
      const parts = [node.operand, node.low, node.high].map((part) => walk.value(part, scope))
      noteLazyOperands(walk, node, { parts, scope })
      return derive(parts, { why: 'between', type: NUMBER })
    }
    case 'like':
      return likeValue(walk, node, scope)
    case 'member-of':
      return jsonValue(walk, [node.array, node.operand], scope, 'member of')
    case 'case':
      return caseValue(walk, node, scope)
    case 'cast':
      return castValue(walk, node, scope)
    case 'convert-using':
      return all(walk, [node.operand], scope, 'convert')
    case 'collate':
      return { ...walk.value(node.operand, scope), row: null }
    case 'function':
      return functionValue(walk, node, scope)
    case 'row':
      return rowOf(
        node.items.map((item, index) => ({ name: `${index + 1}`, value: walk.value(item, scope) })),
        'row',
      )
    case 'subquery':
      return subqueryValue(walk, node.query, scope)
    case 'exists':
      subquery(walk, node.query, scope)
      return { ...ROW_COUNT, mayFail: true }
    case 'interval':
      return all(walk, [node.value], scope, 'interval')
    case 'match':
      return all(walk, [...node.columns, node.against], scope, 'full-text search')
    case 'inserted-value':
      return insertedValue(walk, node)
    case 'default':
      return defaultValue(walk, node, scope)
    case 'json-extract':
      return extractValue(walk, node, scope)
    case 'sequence-value':
      return sequenceValue(walk, node, scope)
    case 'named-argument':
      return walk.value(node.value, scope)
    default: {
      const { kind } = node satisfies never as { kind: string }
      walk.draft.unknown(`expression of kind ${kind}`)
      return unknownOf(`expression of kind ${kind}`)
    }
  }
}

function all(walk: Walk, nodes: readonly Expression[], scope: Scope, why: string): Value {
  return derive(
    nodes.map((node) => walk.value(node, scope)),
    { why },
  )
}

function literalValue(node: Literal): Value {
  if (node.type === 'null') return constantOf({ kind: 'null' }, null)
  return constantOf({ kind: 'literal', text: node.value }, literalType(node))
}

/** Whatever flows into a variable is noted where it does; inside one statement it may change row by row. */
function variableValue(walk: Walk, node: UserVariable): Value {
  if (!walk.assigned.has(node.name.toLowerCase())) return constantOf(null, null)
  walk.draft.sortable = null
  return { ...CONSTANT, varies: 'computed' }
}

function assignmentValue(walk: Walk, node: VariableAssignment, scope: Scope): Value {
  walk.visited.add(node.variable)
  const value = walk.value(node.value, scope)
  noteVariable(walk, node.variable, value)
  return derive([value], { why: 'assignment to a variable' })
}

/** A user variable outlives the statement: what it gets has left the walk's sight. `text`: a constant that it gets. */
export function noteVariable(
  walk: Walk,
  variable: UserVariable,
  value: Value,
  text: string | null = null,
): void {
  walk.visited.add(variable)
  walk.draft.sortable = null
  walk.draft.effect('session')
  const name = variable.name.toLowerCase()
  walk.draft.state.push({ kind: 'set-variable', name, value: text })
  if (value.kind === 'constant') return
  const what = `the user variable @${variable.name}`
  walk.draft.flows.push({ lineage: lineageOf(value), into: { kind: 'other', what } })
}

function columnValue(walk: Walk, node: ColumnReference, scope: Scope): Value {
  const value = resolveColumn(walk, node, scope)
  spend(value.sources.length)
  for (const source of value.sources) walk.draft.column(source)
  return value
}

function resolveColumn(walk: Walk, node: ColumnReference, scope: Scope): Value {
  const { catalog } = walk.context
  const name = node.name.value
  const value =
    node.table === null
      ? lookupBare(scope, name)
      : lookupQualified(scope, {
          table: foldTable(catalog, node.table.value),
          database: node.database === null ? null : foldDatabase(catalog, node.database.value),
          name,
        })
  if (value !== undefined) return value
  // A name that nothing visible has: the server refuses the statement, unless it knows what we do not.
  if (catalog === null) return everythingIn(scope, 'no catalog')
  noteMissing(walk, node, scope)
  const tables = visible(scope).flatMap((item) => [...leaves(item)].map(({ table }) => table))
  const any = everythingIn(scope, 'column not found')
  return unknownOf('column not found', [any, ...addedColumns(tables, name)])
}

function noteMissing(walk: Walk, { database, table, name }: ColumnReference, scope: Scope): void {
  if (table === null) {
    walk.draft.missing('column', name.value, () => visible(scope).flatMap(columnNames))
    return
  }
  const folded = foldTable(walk.context.catalog, table.value)
  const items = visible(scope).flatMap((item) => [...leaves(item)])
  const named = items.filter((item) => item.name === folded)
  const qualifier = database === null ? table.value : `${database.value}.${table.value}`
  if (named.length === 0)
    walk.draft.missing('qualifier', qualifier, () => items.flatMap((item) => item.name ?? []))
  else walk.draft.missing('column', `${qualifier}.${name.value}`, () => named.flatMap(columnNames))
}

const columnNames = (item: Item): readonly string[] =>
  columnsOf(item)?.map((column) => column.name) ?? []

function unaryValue(walk: Walk, node: Unary, scope: Scope): Value {
  const operand = walk.value(node.operand, scope)
  if (node.operator === '+') return operand
  const mayFail = node.operator === '-' && mayOverflow('-', CONSTANT_ZERO, operand)
  if (mayFail) walk.draft.useAll(operand, 'failure')
  const value = derive([operand], {
    why: `operator ${node.operator}`,
    mayFail,
    type: UNARY_TYPES[node.operator] ?? null,
  })
  return value.kind === 'constant' && node.operator === '-' ? negated(value) : value
}

const UNARY_TYPES: Readonly<Record<string, string>> = { '-': NUMBER, not: NUMBER, binary: STRING }

const NULL = constantOf({ kind: 'null' }, null)

const CONSTANT_ZERO = constantOf({ kind: 'literal', text: '0' }, NUMBER)

/** The constant that `-7` is. */
function negated(value: Value): Value {
  const { constants } = value
  if (constants === null || !('kind' in constants) || constants.kind !== 'literal') return value
  return { ...value, constants: { kind: 'literal', text: `-${constants.text}` } }
}

const BITWISE = new Set(['&', '|', '^'])

function binaryValue(walk: Walk, node: Binary, scope: Scope): Value {
  const left = walk.value(node.left, scope)
  const right = walk.value(node.right, scope)
  const { operator } = node
  const dates = node.left.kind === 'interval' || node.right.kind === 'interval'
  const mayFail = !dates && (mayOverflow(operator, left, right) || mixesBits(operator, left, right))
  if (mayFail) for (const value of [left, right]) walk.draft.useAll(value, 'failure')
  const type = dates ? null : resultType(operator, left, right)
  const joins = operator === '||' ? { joins: 1 } : {}
  if (left.row !== null) noteLazyOperands(walk, node, { parts: [left, right], scope })
  else noteNullOperands(walk, [left, right])
  return derive([left, right], { why: `operator ${operator}`, mayFail, type, ...joins })
}

/** Binary strings of different lengths have no bitwise result: an error. */
function mixesBits(operator: string, left: Value, right: Value): boolean {
  const number = (value: Value) => value.type !== null && /int|number|bit|decimal/.test(value.type)
  return BITWISE.has(operator) && !number(left) && !number(right)
}

function likeValue(walk: Walk, node: Extract<Expression, { kind: 'like' }>, scope: Scope): Value {
  const parts = [node.operand, node.pattern, ...(node.escape === null ? [] : [node.escape])]
  const values = parts.map((part) => walk.value(part, scope))
  // A pattern may be wrong, and matching one may take longer than is allowed.
  const escapes = node.escape !== null && node.escape.kind !== 'literal'
  const mayFail = node.operator === 'regexp' || escapes
  if (mayFail) for (const value of values) walk.draft.useAll(value, 'failure')
  noteNullOperands(walk, values)
  return derive(values, { why: node.operator, mayFail, type: NUMBER })
}

/** `document` first: text that is not JSON is an error, a JSON column is always JSON. */
function jsonValue(walk: Walk, nodes: readonly Expression[], scope: Scope, why: string): Value {
  const values = nodes.map((node) => walk.value(node, scope))
  const [document] = values
  const mayFail = document?.type !== 'json'
  if (mayFail && document !== undefined) walk.draft.useAll(document, 'failure')
  noteNullOperands(walk, values)
  return derive(values, { why, mayFail })
}

function extractValue(walk: Walk, node: JsonExtract, scope: Scope): Value {
  walk.visited.add(node.path)
  return jsonValue(walk, [node.column], scope, node.unquote ? '->>' : '->')
}

function caseValue(walk: Walk, node: Case, scope: Scope): Value {
  const subject = node.operand === null ? null : walk.value(node.operand, scope)
  const conditions: Value[] = subject === null ? [] : [subject]
  const results: Value[] = []
  for (const branch of node.branches) {
    walk.visited.add(branch)
    const condition = walk.value(branch.when, scope)
    conditions.push(condition)
    results.push(walk.value(branch.result, scope))
    if (subject === null) walk.predicate(branch.when, scope)
    else compare(walk, subject, condition)
  }
  results.push(node.otherwise === null ? NULL : walk.value(node.otherwise, scope))
  const value = derive([...conditions, ...results], { why: 'case' })
  return oneOf(value, results, derive(conditions, { why: 'condition' }))
}

/** Targets of CAST that refuse some values instead of turning them into NULL. */
const STRICT_CASTS = /^(json|vector|point|linestring|polygon|multi|geom)/

function castValue(walk: Walk, node: Cast, scope: Scope): Value {
  const operand = walk.value(node.operand, scope)
  walk.visited.add(node.type)
  const { name } = node.type
  const ranged = name === 'float' && !isBounded(operand)
  const mayFail = ranged || (STRICT_CASTS.test(name) && operand.type !== name)
  if (mayFail) walk.draft.useAll(operand, 'failure')
  const value = derive([operand], { why: `cast to ${name}`, mayFail, type: name })
  return value.kind === 'constant' ? { ...value, type: name } : value
}

function subqueryValue(walk: Walk, query: Query, scope: Scope): Value {
  const { columns, open } = subquery(walk, query, scope)
  if (open !== null) return unknownOf('columns of a subquery are not known', [open])
  if (columns.length > 1) return { ...rowOf(columns, 'subquery'), mayFail: true }
  const value = columns[0]?.value ?? CONSTANT
  // It may give two rows, which is an error, and reading tables takes as long as they are.
  const reads = query.body.kind !== 'select' || query.body.from.length > 0
  return through(reads ? { ...value, mayFail: true, oneOf: null } : value, 'subquery')
}

/** A subquery, analysed once however often its expression is looked at. */
function subquery(walk: Walk, query: Query, scope: Scope): QueryResult {
  const known = walk.subqueries.get(query)
  if (known !== undefined) return known
  // A query that reaches itself meets this entry; there is none such.
  walk.subqueries.set(query, NO_COLUMNS)
  const result = walk.query(query, scope)
  walk.subqueries.set(query, result)
  return result
}

function comparedWithQuery(walk: Walk, node: InQuery | QuantifiedComparison, scope: Scope): Value {
  const operand = walk.value(node.operand, scope)
  const { columns, open } = subquery(walk, node.query, scope)
  const right = open === null ? columns.map((column) => column.value) : [open]
  const operator = node.kind === 'in-query' ? '=' : node.operator
  comparison(walk, { operator, left: fieldsOf(operand), right: right.map(asList) })
  return derive([operand, ...right, ROW_COUNT], {
    why: 'comparison with a subquery',
    type: NUMBER,
    mayFail: true,
  })
}

/** Rows of a subquery: of constants, one of those that its text lists. */
function asList(value: Value): Value {
  return value.kind === 'constant' && value.varies === 'no' ? { ...value, varies: 'listed' } : value
}

/** VALUES(c) is NULL outside of ON DUPLICATE KEY UPDATE. */
function insertedValue(walk: Walk, node: InsertedValue): Value {
  walk.visited.add(node.column)
  return walk.inserted?.(node.column.name.value) ?? CONSTANT
}

/** MariaDB's defaults may be computed from other columns of the row. */
function defaultValue(walk: Walk, node: Default, scope: Scope): Value {
  if (node.column === null) return CONSTANT
  walk.visited.add(node.column)
  if (walk.context.dialect.flavour === 'mysql') return CONSTANT
  return everythingIn(scope, 'default of a column')
}

function sequenceValue(walk: Walk, node: SequenceValue, scope: Scope): Value {
  const access = node.operation === 'previous' ? 'read' : 'write'
  walk.draft.sortable = null
  walk.draft.effect(access)
  useRelation(walk.context, walk.draft, { name: node.sequence, access })
  const args = derive(
    node.arguments.map((arg) => walk.value(arg, scope)),
    { why: 'sequence' },
  )
  if (args.kind !== 'constant') {
    const what = `the sequence ${node.sequence.name.value}`
    walk.draft.flows.push({ lineage: lineageOf(args), into: { kind: 'other', what } })
  }
  return { ...CONSTANT, varies: 'computed' }
}
