/** Terms: literals, names, calls, brackets and the constructs that begin with a word of their own. */
import type { CaseBranch, Expression, FunctionCall, Identifier, Interval, Query } from '../ast.ts'
import { bracketedQuery, queryOrExpression } from './brackets.ts'
import { call, isCall, keywordFunction, wordFunction } from './calls.ts'
import { type Cursor, node } from './cursor.ts'
import {
  constant,
  literal,
  parameter,
  stringLiteral,
  systemVariable,
  temporal,
  userVariable,
} from './literals.ts'
import { column, columnName, nameOrText } from './names.ts'
import { castType } from './types.ts'
import { intervalUnit } from './units.ts'

export function primary(cursor: Cursor): Expression {
  const { pending, token } = cursor
  if (pending !== null) {
    cursor.pending = null
    return pending
  }
  switch (token.type) {
    case 'name':
      return named(cursor)
    case 'word':
      return word(cursor)
    case 'parameter':
      return parameter(cursor)
    case 'variable':
      return variable(cursor)
    case 'operator':
      return punctuation(cursor)
    default:
      return literal(cursor) ?? cursor.fail('expected an expression')
  }
}

function punctuation(cursor: Cursor): Expression {
  switch (cursor.token.key) {
    case '(':
      return bracketed(cursor)
    case '@@':
      return systemVariable(cursor)
    case '{':
      return odbc(cursor)
    case '.':
      return columnName(cursor)
    default:
      return cursor.fail('expected an expression')
  }
}

/** A subquery, a row, or an expression in brackets. */
function bracketed(cursor: Cursor): Expression {
  const { start } = cursor
  cursor.enter()
  cursor.expect('(')
  const inner = queryOrExpression(cursor)
  if (inner.kind === 'query') {
    cursor.expect(')')
    cursor.leave()
    return { kind: 'subquery', start, end: cursor.end, query: inner }
  }
  const items = [inner]
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  cursor.expect(')')
  cursor.leave()
  return items.length === 1 ? inner : { kind: 'row', start, end: cursor.end, items }
}

/** `@a`, `@a := e`. */
function variable(cursor: Cursor): Expression {
  const { start } = cursor
  const target = userVariable(cursor)
  if (!cursor.accept(':=')) return target
  const value = cursor.grammar.expression(cursor)
  return node(cursor, start, { kind: 'variable-assignment', variable: target, value })
}

/** `{d '2020-01-01'}`, `{fn f()}`: the server reads the mark of a temporal literal and no other. */
function odbc(cursor: Cursor): Expression {
  const { start } = cursor.expect('{')
  const mark = cursor.name().value.toLowerCase()
  const type = mark === 'd' ? 'date' : mark === 't' ? 'time' : mark === 'ts' ? 'timestamp' : null
  const bare = type !== null && cursor.token.type === 'string' && cursor.peek().key === '}'
  const inner = bare ? temporal(cursor, start, type) : cursor.grammar.expression(cursor)
  cursor.expect('}')
  return inner
}

/** What a word that is no name begins. */
const CONSTRUCTS: ReadonlyMap<string, (cursor: Cursor) => Expression> = new Map([
  ['NULL', (cursor: Cursor) => constant(cursor, 'null')],
  ['TRUE', (cursor: Cursor) => constant(cursor, 'true')],
  ['FALSE', (cursor: Cursor) => constant(cursor, 'false')],
  ['CASE', caseOf],
  ['CAST', cast],
  ['CONVERT', convert],
  ['EXISTS', exists],
  ['INTERVAL', interval],
  ['MATCH', match],
  ['DEFAULT', defaultOf],
  ['VALUES', insertedValue],
  ['VALUE', insertedValue],
  ['ROW', row],
  ['DATE', dated],
  ['TIME', dated],
  ['TIMESTAMP', dated],
  ['NEXT', sequenceWord],
  ['PREVIOUS', sequenceWord],
])

function word(cursor: Cursor): Expression {
  const { key } = cursor.token
  const construct = CONSTRUCTS.get(key)
  if (construct !== undefined) return construct(cursor)
  return wordFunction(cursor) ?? named(cursor)
}

/** A column, or a call of a function that has a name like any other. */
function named(cursor: Cursor): Expression {
  const { start } = cursor
  if (isCall(cursor)) return call(cursor, start, null)
  if (!cursor.isName()) cursor.fail('expected an expression')
  const first = cursor.identifier()
  if (!cursor.is('.')) return arrow(cursor, start, [first])
  cursor.next()
  if (cursor.peek().key === '(') return call(cursor, start, first)
  const names = [first, cursor.name()]
  if (cursor.accept('.')) names.push(cursor.name())
  return arrow(cursor, start, names)
}

/** A column and MySQL's `->` and `->>` behind it. */
function arrow(cursor: Cursor, start: number, names: readonly Identifier[]): Expression {
  const target = column(cursor, start, names)
  const operator = cursor.token.key
  if (operator !== '->' && operator !== '->>') return target
  cursor.next()
  const path = stringLiteral(cursor)
  const unquote = operator === '->>'
  return node(cursor, start, { kind: 'json-extract', column: target, path, unquote })
}

function caseOf(cursor: Cursor): Expression {
  const { start } = cursor.expect('CASE')
  const operand = cursor.is('WHEN') ? null : cursor.grammar.expression(cursor)
  const branches: CaseBranch[] = []
  do branches.push(caseBranch(cursor))
  while (cursor.is('WHEN'))
  const otherwise = cursor.accept('ELSE') ? cursor.grammar.expression(cursor) : null
  cursor.expect('END')
  return node(cursor, start, { kind: 'case', operand, branches, otherwise })
}

function caseBranch(cursor: Cursor): CaseBranch {
  const { start } = cursor.expect('WHEN')
  const when = cursor.grammar.expression(cursor)
  cursor.expect('THEN')
  const result = cursor.grammar.expression(cursor)
  return node(cursor, start, { kind: 'case-branch', when, result })
}

function cast(cursor: Cursor): Expression {
  const { start } = cursor
  // Only with the bracket behind it, else a name.
  if (!isCall(cursor)) return named(cursor)
  cursor.next()
  cursor.expect('(')
  const operand = cursor.grammar.expression(cursor)
  const timeZone = cursor.acceptAll('AT', 'TIME', 'ZONE') ? zone(cursor) : null
  cursor.expect('AS')
  const type = castType(cursor)
  const array = cursor.accept('ARRAY')
  cursor.expect(')')
  return node(cursor, start, { kind: 'cast', operand, type, array, timeZone })
}

function zone(cursor: Cursor): string {
  cursor.accept('INTERVAL')
  return stringLiteral(cursor).value
}

function convert(cursor: Cursor): Expression {
  const { start } = cursor.expect('CONVERT')
  cursor.expect('(')
  const operand = cursor.grammar.expression(cursor)
  if (cursor.accept('USING')) {
    const charset = cursor.accept('DEFAULT') ? 'default' : nameOrText(cursor)
    cursor.expect(')')
    return node(cursor, start, { kind: 'convert-using', operand, charset })
  }
  cursor.expect(',')
  const type = castType(cursor)
  cursor.expect(')')
  return node(cursor, start, { kind: 'cast', operand, type, array: false, timeZone: null })
}

function exists(cursor: Cursor): Expression {
  const { start } = cursor.expect('EXISTS')
  const query = bracketedQuery(cursor)
  return node(cursor, start, { kind: 'exists', query })
}

/** `INTERVAL e unit`, or the function INTERVAL(a, b, ...). */
function interval(cursor: Cursor): Interval | FunctionCall {
  const { start } = cursor
  const name = cursor.identifier()
  if (cursor.is('(')) {
    cursor.next()
    const inner = queryOrExpression(cursor)
    const first = inner.kind === 'query' ? subquery(inner) : inner
    if (cursor.is(',')) return keywordFunction(cursor, start, { name, first })
    // One bracket, no list: it belongs to the value, which may go on behind it.
    cursor.expect(')')
    cursor.pending = first
  }
  return intervalOf(cursor, start, cursor.grammar.expression(cursor))
}

function subquery(query: Query): Expression {
  return { kind: 'subquery', start: query.start, end: query.end, query }
}

function intervalOf(cursor: Cursor, start: number, value: Expression): Interval {
  const unit = intervalUnit(cursor) ?? cursor.fail('expected a unit')
  cursor.next()
  return node(cursor, start, { kind: 'interval', value, unit })
}

function match(cursor: Cursor): Expression {
  const { start } = cursor.expect('MATCH')
  const columns = cursor.is('(') ? cursor.bracketed(columnName) : cursor.list(columnName)
  cursor.expectAll('AGAINST', '(')
  const against = cursor.grammar.arithmetic(cursor)
  const modifier = matchModifier(cursor)
  cursor.expect(')')
  return node(cursor, start, { kind: 'match', columns, against, modifier })
}

function matchModifier(cursor: Cursor): 'boolean' | 'natural' | 'expansion' | null {
  if (cursor.acceptAll('IN', 'BOOLEAN', 'MODE')) return 'boolean'
  const natural = cursor.acceptAll('IN', 'NATURAL', 'LANGUAGE', 'MODE')
  if (cursor.acceptAll('WITH', 'QUERY', 'EXPANSION')) return 'expansion'
  return natural ? 'natural' : null
}

/** `DEFAULT(c)`, and a bare DEFAULT where a value is assigned. */
function defaultOf(cursor: Cursor): Expression {
  const { start } = cursor.expect('DEFAULT')
  if (!cursor.accept('(')) return node(cursor, start, { kind: 'default', column: null })
  const target = columnName(cursor)
  cursor.expect(')')
  return node(cursor, start, { kind: 'default', column: target })
}

function insertedValue(cursor: Cursor): Expression {
  const { start } = cursor
  if (cursor.peek().key !== '(' || (cursor.is('VALUE') && !cursor.mariadb)) return named(cursor)
  cursor.next()
  cursor.expect('(')
  const target = columnName(cursor)
  cursor.expect(')')
  return node(cursor, start, { kind: 'inserted-value', column: target })
}

function row(cursor: Cursor): Expression {
  const { start } = cursor
  if (cursor.peek().key !== '(') return named(cursor)
  cursor.next()
  const items = cursor.bracketed(cursor.grammar.expression)
  return node(cursor, start, { kind: 'row', items })
}

/** `DATE '2020-01-01'`, else a function or a name. */
function dated(cursor: Cursor): Expression {
  const { start, key } = cursor.token
  if (cursor.peek().type !== 'string') return named(cursor)
  cursor.next()
  return temporal(cursor, start, key.toLowerCase() as 'date' | 'time' | 'timestamp')
}

/** MariaDB: `NEXT VALUE FOR s`, `PREVIOUS VALUE FOR s`. */
function sequenceWord(cursor: Cursor): Expression {
  if (!cursor.mariadb || cursor.peek().key !== 'VALUE' || cursor.peek(2).key !== 'FOR')
    return named(cursor)
  return wordFunction(cursor) ?? cursor.fail('expected a sequence')
}
