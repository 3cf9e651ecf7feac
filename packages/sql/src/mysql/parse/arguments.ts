/** Arguments between a function's brackets, for those with a syntax of their own. */
import type { Expression, FunctionCall, Literal } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { literal } from './literals.ts'
import { alias, nameOrText, number } from './names.ts'
import { castType } from './types.ts'
import { expectUnit } from './units.ts'
import { limit, orderBy } from './windows.ts'

export type Arguments = Pick<
  FunctionCall,
  'distinct' | 'arguments' | 'words' | 'orderBy' | 'separator' | 'limit' | 'returning' | 'defaults'
>

type Reader = (cursor: Cursor) => Partial<Arguments>

/** `a, b`, and `a AS name` for loadable functions. */
export function plainArguments(cursor: Cursor): Partial<Arguments> {
  if (cursor.is(')')) return {}
  const items = cursor.list(argument)
  const words = cursor.mariadb ? [] : onNull(cursor)
  return { arguments: items, words }
}

/** MySQL: what JSON constructors and aggregates do with NULLs. */
function onNull(cursor: Cursor): string[] {
  for (const word of ['NULL', 'ABSENT'])
    if (cursor.acceptAll(word, 'ON', 'NULL')) return [`${word.toLowerCase()} on null`]
  return []
}

function argument(cursor: Cursor): Expression {
  const { start } = cursor
  const value = cursor.grammar.expression(cursor)
  const as = alias(cursor, 'column')
  if (as === null) return value
  const { start: from, end, value: text, quote } = as
  const name = {
    kind: 'identifier',
    start: from,
    end,
    value: text,
    quote: quote === "'" ? '' : quote,
  } as const
  return node(cursor, start, { kind: 'named-argument', value, name })
}

/** `[DISTINCT | ALL] a, b`, `*`. */
function aggregate(cursor: Cursor): Partial<Arguments> {
  const distinct = cursor.acceptOne('DISTINCT', 'DISTINCTROW', 'ALL')
  if (distinct !== null && distinct !== 'all') cursor.accept('ALL')
  const { start } = cursor
  if (distinct !== 'distinct' && cursor.accept('*')) {
    return { arguments: [node(cursor, start, { kind: 'wildcard', database: null, table: null })] }
  }
  const all = cursor.list(cursor.grammar.expression)
  return { distinct: distinct !== null && distinct !== 'all', arguments: all }
}

/** GROUP_CONCAT; MariaDB's JSON_ARRAYAGG has ORDER BY and LIMIT, too. */
function ordered(cursor: Cursor): Partial<Arguments> {
  const first = aggregate(cursor)
  const words = cursor.mariadb ? [] : onNull(cursor)
  const order = orderBy(cursor)
  const separator = cursor.accept('SEPARATOR') ? constantText(cursor) : null
  return {
    ...first,
    words,
    orderBy: order,
    separator,
    limit: cursor.mariadb ? limit(cursor) : null,
  }
}

/** A string, also with a charset. */
export function constantText(cursor: Cursor): Literal {
  const found = ['string', 'hex', 'bit', 'introducer'].includes(cursor.token.type)
    ? literal(cursor)
    : null
  return found ?? cursor.fail('expected a string')
}

/** `unit FROM e`. */
function extract(cursor: Cursor): Partial<Arguments> {
  const words = [expectUnit(cursor)]
  cursor.expect('FROM')
  return { words, arguments: [cursor.grammar.expression(cursor)] }
}

/** `[LEADING | TRAILING | BOTH] [e] [FROM] e`. */
function trim(cursor: Cursor): Partial<Arguments> {
  const side = cursor.acceptOne('LEADING', 'TRAILING', 'BOTH')
  const words = side === null ? [] : [side]
  if (side !== null && cursor.accept('FROM'))
    return { words, arguments: [cursor.grammar.expression(cursor)] }
  const first = cursor.grammar.expression(cursor)
  if (cursor.accept('FROM')) return { words, arguments: [first, cursor.grammar.expression(cursor)] }
  return { words, arguments: [first] }
}

/** `e IN e`: the first is no predicate. */
function position(cursor: Cursor): Partial<Arguments> {
  const first = cursor.grammar.arithmetic(cursor)
  cursor.expect('IN')
  return { arguments: [first, cursor.grammar.expression(cursor)] }
}

/** `a, b, c`, `a FROM b FOR c`. */
function substring(cursor: Cursor): Partial<Arguments> {
  const items = [cursor.grammar.expression(cursor)]
  if (cursor.accept('FROM')) {
    items.push(cursor.grammar.expression(cursor))
    if (cursor.accept('FOR')) items.push(cursor.grammar.expression(cursor))
    return { arguments: items }
  }
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  return { arguments: items }
}

/** `a, b USING charset`. */
function char(cursor: Cursor): Partial<Arguments> {
  const items = cursor.list(cursor.grammar.expression)
  const words = cursor.accept('USING') ? [nameOrText(cursor).toLowerCase()] : []
  return { arguments: items, words }
}

/** `unit, a, b`. */
function timestampArithmetic(cursor: Cursor): Partial<Arguments> {
  const words = [expectUnit(cursor)]
  cursor.expect(',')
  return { words, arguments: cursor.list(cursor.grammar.expression) }
}

/** `DATE, 'EUR'`. */
function getFormat(cursor: Cursor): Partial<Arguments> {
  const words = [cursor.expectOne('DATE', 'TIME', 'DATETIME', 'TIMESTAMP')]
  cursor.expect(',')
  return { words, arguments: [cursor.grammar.expression(cursor)] }
}

/** `e [AS CHAR(n) | AS BINARY(n)] [LEVEL 1, 2 DESC]`, and the form with numbers. */
function weightString(cursor: Cursor): Partial<Arguments> {
  const items = [cursor.grammar.expression(cursor)]
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  const returning = cursor.accept('AS') ? castType(cursor) : null
  if (cursor.accept('LEVEL')) cursor.list(weightLevel)
  return { arguments: items, returning }
}

function weightLevel(cursor: Cursor): void {
  number(cursor)
  if (cursor.accept('-')) number(cursor)
  cursor.acceptOne('ASC', 'DESC')
  cursor.accept('REVERSE')
}

/** MySQL: `document, path [RETURNING type] [... ON EMPTY] [... ON ERROR]`. */
function jsonValue(cursor: Cursor): Partial<Arguments> {
  const items = cursor.list(cursor.grammar.expression)
  const returning = cursor.accept('RETURNING') ? castType(cursor) : null
  return { arguments: items, returning, ...onEmptyOrError(cursor) }
}

/** `[NULL | ERROR | DEFAULT e] ON EMPTY`, the same ON ERROR. */
export function onEmptyOrError(cursor: Cursor): { words: string[]; defaults: Expression[] } {
  const words: string[] = []
  const defaults: Expression[] = []
  while (cursor.isOne('NULL', 'ERROR', 'DEFAULT', 'EMPTY')) {
    const answer = cursor.next().key
    if (answer === 'DEFAULT') defaults.push(cursor.grammar.expression(cursor))
    if (answer === 'EMPTY') cursor.expectOne('ARRAY', 'OBJECT')
    cursor.expect('ON')
    words.push(`${answer.toLowerCase()} on ${cursor.expectOne('EMPTY', 'ERROR')}`)
  }
  return { words, defaults }
}

/** MariaDB's dynamic columns: `name, value [AS type], ...`. */
function dynamicColumns(cursor: Cursor): Partial<Arguments> {
  const words: string[] = []
  const items = cursor.list((inner) => {
    const value = inner.grammar.expression(inner)
    if (inner.accept('AS')) words.push(castType(inner).name)
    return value
  })
  return { arguments: items, words }
}

/** By the function's name in upper case; every other one has plain arguments. */
export const SPECIAL: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ...['COUNT', 'SUM', 'AVG', 'MIN', 'MAX', 'STD', 'STDDEV', 'STDDEV_POP', 'STDDEV_SAMP'].map(
    (name) => [name, aggregate] as const,
  ),
  ...['VARIANCE', 'VAR_POP', 'VAR_SAMP', 'BIT_AND', 'BIT_OR', 'BIT_XOR', 'ST_COLLECT'].map(
    (name) => [name, aggregate] as const,
  ),
  ['GROUP_CONCAT', ordered],
  ['JSON_ARRAYAGG', ordered],
  ['EXTRACT', extract],
  ['TRIM', trim],
  ['TRIM_ORACLE', trim],
  ['POSITION', position],
  ['SUBSTRING', substring],
  ['SUBSTR', substring],
  ['MID', substring],
  ['CHAR', char],
  ['TIMESTAMPADD', timestampArithmetic],
  ['TIMESTAMPDIFF', timestampArithmetic],
  ['GET_FORMAT', getFormat],
  ['WEIGHT_STRING', weightString],
  ['JSON_VALUE', jsonValue],
  ['COLUMN_CREATE', dynamicColumns],
  ['COLUMN_ADD', dynamicColumns],
  ['COLUMN_GET', dynamicColumns],
])
