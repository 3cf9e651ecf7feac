/**
 * Expressions by precedence, as both servers' grammars have it: OR, XOR, AND, NOT, tests and comparisons,
 * predicates, then arithmetic. Chains of OR, XOR and AND are one node each; other left-associative steps are
 * counted in `cursor.chained`, because they make the tree as high as the chain is long.
 */
import type {
  Binary,
  BinaryOperator,
  Expression,
  Is,
  Logical,
  QuantifiedComparison,
  Unary,
} from '../ast.ts'
import { bracketedQuery, listOrQuery } from './brackets.ts'
import { type Cursor, node } from './cursor.ts'
import { primary } from './primary.ts'

export function expression(cursor: Cursor): Expression {
  cursor.enter()
  const result = or(cursor)
  cursor.leave()
  return result
}

/** Operators of the strength of arithmetic: what stands where a predicate may not. */
export function operators(cursor: Cursor): Expression {
  cursor.enter()
  const result = arithmetic(cursor, 0)
  cursor.leave()
  return result
}

function or(cursor: Cursor): Expression {
  const { start } = cursor
  const first = xor(cursor)
  if (!isOr(cursor)) return first
  const terms = [first]
  while (isOr(cursor)) {
    cursor.next()
    terms.push(xor(cursor))
  }
  return logical(cursor, start, { operator: 'or', terms })
}

function isOr(cursor: Cursor): boolean {
  const { key } = cursor.token
  return key === 'OR' || (key === '||' && !cursor.dialect.pipesAsConcat)
}

function xor(cursor: Cursor): Expression {
  const { start } = cursor
  const first = and(cursor)
  if (!cursor.is('XOR')) return first
  const terms = [first]
  while (cursor.accept('XOR')) terms.push(and(cursor))
  return logical(cursor, start, { operator: 'xor', terms })
}

function and(cursor: Cursor): Expression {
  const { start } = cursor
  const first = not(cursor)
  if (!cursor.is('AND') && !cursor.is('&&')) return first
  const terms = [first]
  while (cursor.accept('AND') || cursor.accept('&&')) terms.push(not(cursor))
  return logical(cursor, start, { operator: 'and', terms })
}

function logical(
  cursor: Cursor,
  start: number,
  { operator, terms }: Pick<Logical, 'operator' | 'terms'>,
): Logical {
  return { kind: 'logical', start, end: cursor.end, operator, terms }
}

function not(cursor: Cursor): Expression {
  if (cursor.pending !== null || !cursor.is('NOT') || cursor.dialect.highNotPrecedence)
    return test(cursor)
  const { start } = cursor
  cursor.enter()
  cursor.next()
  const operand = not(cursor)
  cursor.leave()
  return unary(cursor, start, { operator: 'not', operand })
}

function unary(
  cursor: Cursor,
  start: number,
  { operator, operand }: Pick<Unary, 'operator' | 'operand'>,
): Unary {
  return { kind: 'unary', start, end: cursor.end, operator, operand }
}

const COMPARISONS: ReadonlyMap<string, QuantifiedComparison['operator']> = new Map([
  ['=', '='],
  ['<=>', '<=>'],
  ['<>', '<>'],
  ['!=', '<>'],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
] as const)

/** Comparisons and IS: one level, from the left. */
function test(cursor: Cursor): Expression {
  const { start } = cursor
  let left = predicate(cursor)
  for (;;) {
    const { key } = cursor.token
    if (key === 'IS') left = is(cursor, start, left)
    else {
      const operator = COMPARISONS.get(key)
      if (operator === undefined) return left
      cursor.next()
      left = comparison(cursor, start, { operator, left })
    }
    cursor.chained++
  }
}

function is(cursor: Cursor, start: number, operand: Expression): Is {
  cursor.expect('IS')
  const negated = cursor.accept('NOT')
  const test = cursor.expectOne('NULL', 'TRUE', 'FALSE', 'UNKNOWN')
  return { kind: 'is', start, end: cursor.end, test, negated, operand }
}

function comparison(
  cursor: Cursor,
  start: number,
  { operator, left }: { operator: QuantifiedComparison['operator']; left: Expression },
): Expression {
  if (cursor.isOne('ANY', 'SOME', 'ALL') && cursor.peek().key === '(') {
    const quantifier = cursor.next().key === 'ALL' ? 'all' : 'any'
    const query = bracketedQuery(cursor)
    const fields = { operator, quantifier, operand: left, query } as const
    return node(cursor, start, { kind: 'quantified-comparison', ...fields })
  }
  return binary(cursor, start, { operator, left, right: predicate(cursor) })
}

function binary(
  cursor: Cursor,
  start: number,
  { operator, left, right }: Pick<Binary, 'operator' | 'left' | 'right'>,
): Binary {
  return { kind: 'binary', start, end: cursor.end, operator, left, right }
}

/** IN, BETWEEN, LIKE, REGEXP, SOUNDS LIKE, MEMBER OF. */
function predicate(cursor: Cursor): Expression {
  const { start } = cursor
  let left = arithmetic(cursor, 0)
  for (;;) {
    const found = predicateAfter(cursor, start, left)
    if (found === null) return left
    left = found
    cursor.chained++
  }
}

function predicateAfter(cursor: Cursor, start: number, operand: Expression): Expression | null {
  const negated = cursor.is('NOT')
  const key = negated ? cursor.peek().key : cursor.token.key
  switch (key) {
    case 'IN':
    case 'BETWEEN':
    case 'LIKE':
    case 'REGEXP':
    case 'RLIKE':
      if (negated) cursor.next()
      cursor.next()
      break
    case 'SOUNDS':
      if (negated || !cursor.acceptAll('SOUNDS', 'LIKE')) return null
      return binary(cursor, start, {
        operator: 'sounds like',
        left: operand,
        right: arithmetic(cursor, 0),
      })
    case 'MEMBER':
      return negated || cursor.mariadb ? null : memberOf(cursor, start, operand)
    default:
      return null
  }
  if (key === 'IN') return inList(cursor, start, { operand, negated })
  if (key === 'BETWEEN') return between(cursor, start, { operand, negated })
  return like(cursor, start, { operand, negated, operator: key === 'LIKE' ? 'like' : 'regexp' })
}

function inList(
  cursor: Cursor,
  start: number,
  { operand, negated }: { operand: Expression; negated: boolean },
): Expression {
  const { query, items: list } = listOrQuery(cursor)
  if (query !== null) return node(cursor, start, { kind: 'in-query', negated, operand, query })
  return node(cursor, start, { kind: 'in', negated, operand, list })
}

function between(
  cursor: Cursor,
  start: number,
  { operand, negated }: { operand: Expression; negated: boolean },
): Expression {
  const low = arithmetic(cursor, 0)
  cursor.expect('AND')
  cursor.enter()
  const high = predicate(cursor)
  cursor.leave()
  return node(cursor, start, { kind: 'between', negated, operand, low, high })
}

function like(
  cursor: Cursor,
  start: number,
  fields: { operand: Expression; negated: boolean; operator: 'like' | 'regexp' },
): Expression {
  const read = fields.operator === 'like' && !cursor.mariadb ? concatenation : pattern
  const what = read(cursor)
  const escaped = fields.operator === 'like' && cursor.accept('ESCAPE')
  const mark = escaped ? read(cursor) : null
  return node(cursor, start, { kind: 'like', ...fields, pattern: what, escape: mark })
}

/**
 * MySQL takes a term behind LIKE, arithmetic behind REGEXP; MariaDB arithmetic behind both, and a predicate
 * that begins with NOT belongs to it: `a LIKE b NOT IN (c)` is `a LIKE (b NOT IN (c))`.
 */
function pattern(cursor: Cursor): Expression {
  const { start } = cursor
  let found = arithmetic(cursor, 0)
  cursor.enter()
  while (cursor.mariadb && cursor.is('NOT')) {
    const more = predicateAfter(cursor, start, found)
    if (more === null) break
    found = more
    cursor.chained++
  }
  cursor.leave()
  return found
}

function memberOf(cursor: Cursor, start: number, operand: Expression): Expression | null {
  if (!cursor.acceptAll('MEMBER', 'OF') && !cursor.acceptAll('MEMBER')) return null
  cursor.expect('(')
  const array = cursor.grammar.expression(cursor)
  cursor.expect(')')
  return node(cursor, start, { kind: 'member-of', operand, array })
}

const ARITHMETIC: ReadonlyMap<string, readonly [BinaryOperator, precedence: number]> = new Map([
  ['|', ['|', 1]],
  ['&', ['&', 2]],
  ['<<', ['<<', 3]],
  ['>>', ['>>', 3]],
  ['+', ['+', 4]],
  ['-', ['-', 4]],
  ['*', ['*', 5]],
  ['/', ['/', 5]],
  ['DIV', ['div', 5]],
  ['%', ['%', 5]],
  ['MOD', ['%', 5]],
  ['^', ['^', 6]],
] as const)

/** Operators that bind at least as strongly as `min`. */
function arithmetic(cursor: Cursor, min: number): Expression {
  const { start } = cursor
  let left = concatenation(cursor)
  for (;;) {
    const { key } = cursor.token
    const found = key === '' ? undefined : ARITHMETIC.get(key)
    if (found === undefined || found[1] < min) return left
    cursor.next()
    left = binary(cursor, start, {
      operator: found[0],
      left,
      right: arithmetic(cursor, found[1] + 1),
    })
    cursor.chained++
  }
}

/** `||` under PIPES_AS_CONCAT binds stronger than `^`. */
function concatenation(cursor: Cursor): Expression {
  const { start } = cursor
  let left = prefixed(cursor)
  while (cursor.is('||') && cursor.dialect.pipesAsConcat) {
    cursor.next()
    left = binary(cursor, start, { operator: '||', left, right: prefixed(cursor) })
    cursor.chained++
  }
  return left
}

/** `-`, `+`, `~`, `!`, BINARY, and NOT under HIGH_NOT_PRECEDENCE; then COLLATE, which binds strongest. */
function prefixed(cursor: Cursor): Expression {
  const operator = cursor.pending === null ? prefixOperator(cursor) : null
  const { start } = cursor
  if (operator !== null) {
    cursor.enter()
    cursor.next()
    const operand = prefixed(cursor)
    cursor.leave()
    return unary(cursor, start, { operator, operand })
  }
  let operand = primary(cursor)
  while (cursor.is('COLLATE')) {
    cursor.next()
    const { type, value } = cursor.token
    if (type !== 'string' && !cursor.isName() && !cursor.is('BINARY'))
      cursor.fail('expected a collation')
    cursor.next()
    operand = node(cursor, start, { kind: 'collate', operand, collation: value })
    cursor.chained++
  }
  return operand
}

function prefixOperator(cursor: Cursor): Unary['operator'] | null {
  switch (cursor.token.key) {
    case '-':
    case '+':
    case '~':
      return cursor.token.key
    case '!':
      return 'not'
    case 'NOT':
      return cursor.dialect.highNotPrecedence ? 'not' : null
    case 'BINARY':
      return 'binary'
    default:
      return null
  }
}
