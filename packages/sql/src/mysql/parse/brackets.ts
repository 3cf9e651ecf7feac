/**
 * What stands in brackets where a query or an expression may: only its inside tells. `((SELECT 1) UNION (SELECT
 * 2))` is a query, `((SELECT 1) + 1)` is not. Nothing is read twice: what turns out to be the first operand of
 * an expression is left in `cursor.pending`.
 */
import type { Expression, Query } from '../ast.ts'
import type { Cursor } from './cursor.ts'

/** `(query)`. */
export function bracketedQuery(cursor: Cursor): Query {
  cursor.expect('(')
  const query = cursor.grammar.query(cursor)
  cursor.expect(')')
  return query
}

/** `(query)` or `(a, b, ...)`. */
export function listOrQuery(
  cursor: Cursor,
):
  | { readonly query: Query; readonly items: null }
  | { readonly query: null; readonly items: Expression[] } {
  cursor.expect('(')
  const first = queryOrExpression(cursor)
  if (first.kind === 'query') {
    cursor.expect(')')
    return { query: first, items: null }
  }
  const items = [first]
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  cursor.expect(')')
  return { query: null, items }
}

/** Does a query begin here that is no bracket? */
export function startsQuery(cursor: Cursor): boolean {
  switch (cursor.token.key) {
    case 'SELECT':
    case 'WITH':
      return true
    case 'TABLE':
      return !cursor.mariadb
    case 'VALUES':
      return cursor.mariadb ? !cursor.inInsertedValues : cursor.peek().key === 'ROW'
    default:
      return false
  }
}

/** Words that go on with a query after its first operand in brackets. */
export const CONTINUES = new Set([
  'UNION',
  'EXCEPT',
  'INTERSECT',
  'ORDER',
  'LIMIT',
  'FOR',
  'LOCK',
  'INTO',
  'OFFSET',
  'FETCH',
])

/** After an opening bracket: what is up to the closing one, or the first item of a list. */
export function queryOrExpression(cursor: Cursor): Query | Expression {
  if (startsQuery(cursor)) return cursor.grammar.query(cursor)
  if (!cursor.is('(')) return cursor.grammar.expression(cursor)
  cursor.enter()
  const { start } = cursor
  cursor.next()
  const inner = queryOrExpression(cursor)
  const result =
    inner.kind === 'query'
      ? afterQuery(cursor, start, inner)
      : afterExpression(cursor, start, inner)
  cursor.leave()
  return result
}

function afterQuery(cursor: Cursor, start: number, inner: Query): Query | Expression {
  cursor.expect(')')
  if (cursor.is(')')) return inner
  if (CONTINUES.has(cursor.token.key)) return cursor.grammar.queryAfter(cursor, start, inner)
  return continued(cursor, { kind: 'subquery', start, end: cursor.end, query: inner })
}

function afterExpression(cursor: Cursor, start: number, inner: Expression): Expression {
  if (!cursor.is(',')) {
    cursor.expect(')')
    return continued(cursor, inner)
  }
  const items = [inner]
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  cursor.expect(')')
  return continued(cursor, { kind: 'row', start, end: cursor.end, items })
}

/** The expression whose first operand was read already. */
function continued(cursor: Cursor, operand: Expression): Expression {
  cursor.pending = operand
  return cursor.grammar.expression(cursor)
}
