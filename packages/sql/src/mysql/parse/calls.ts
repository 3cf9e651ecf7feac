/** Calls of functions: which words are one, and what is between the brackets. */
import type { Expression, FunctionCall, Identifier, OrderItem } from '../ast.ts'
import { type Arguments, plainArguments, SPECIAL } from './arguments.ts'
import { type Cursor, node } from './cursor.ts'
import { objectName } from './names.ts'
import { over } from './windows.ts'

const NONE: Arguments = {
  distinct: false,
  arguments: [],
  words: [],
  orderBy: [],
  separator: null,
  limit: null,
  returning: null,
  defaults: [],
}

/** Reserved words that are functions with a bracket behind them. */
const CALLABLE = new Set(
  (
    'CHAR CUME_DIST CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATABASE DENSE_RANK ' +
    'FIRST_VALUE GROUPING IF INSERT LAG LAST_VALUE LEAD LEFT LOCALTIME LOCALTIMESTAMP MOD NTH_VALUE NTILE ' +
    'PERCENT_RANK RANK REPEAT REPLACE RIGHT ROW_NUMBER SCHEMA UTC_DATE UTC_TIME UTC_TIMESTAMP'
  ).split(' '),
)

/** Functions that need no brackets. */
const BARE = new Set(
  (
    'CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER LOCALTIME LOCALTIMESTAMP ' +
    'UTC_DATE UTC_TIME UTC_TIMESTAMP'
  ).split(' '),
)

/** Does a call begin here? */
export function isCall(cursor: Cursor): boolean {
  const bracket = cursor.peek()
  if (bracket.key !== '(') return false
  const { key } = cursor.token
  if (cursor.functionWord(key)) return isDirect(cursor, bracket.gap)
  return CALLABLE.has(key) || cursor.isName()
}

/** Only a bracket right behind such a word makes it the function; elsewhere it is a name. */
function isDirect(cursor: Cursor, gap: string): boolean {
  return gap === '' || (gap === 'space' && cursor.dialect.ignoreSpace)
}

/** A call whose name, or the part of it after `database.`, is at the cursor. */
export function call(cursor: Cursor, start: number, database: Identifier | null): FunctionCall {
  const { key } = cursor.token
  if (database === null && key !== '' && !isCall(cursor)) cursor.fail('expected a function')
  const name = cursor.identifier()
  const special = database === null ? SPECIAL.get(key) : undefined
  cursor.enter()
  cursor.expect('(')
  const given = (special ?? plainArguments)(cursor)
  cursor.expect(')')
  cursor.leave()
  return finish(cursor, start, { database, name, given })
}

function finish(
  cursor: Cursor,
  start: number,
  parts: { database: Identifier | null; name: Identifier; given: Partial<Arguments> },
): FunctionCall {
  const { database, name, given } = parts
  const words = [...(given.words ?? [])]
  const orderBy: readonly OrderItem[] = cursor.is('WITHIN')
    ? withinGroup(cursor)
    : (given.orderBy ?? [])
  for (const end of ['FIRST', 'LAST'])
    if (cursor.acceptAll('FROM', end)) words.push(`from ${end.toLowerCase()}`)
  for (const nulls of ['RESPECT', 'IGNORE'])
    if (cursor.acceptAll(nulls, 'NULLS')) words.push(`${nulls.toLowerCase()} nulls`)
  const window = cursor.accept('OVER') ? over(cursor) : null
  const all = { ...NONE, ...given, words, orderBy }
  return node(cursor, start, { kind: 'function', database, name, ...all, over: window })
}

/** MariaDB: `PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY e)`. */
function withinGroup(cursor: Cursor): OrderItem[] {
  cursor.expectAll('WITHIN', 'GROUP', '(', 'ORDER', 'BY')
  const expression = cursor.grammar.expression(cursor)
  const { start } = expression
  const descending = cursor.acceptOne('ASC', 'DESC') === 'desc'
  cursor.expect(')')
  return [node(cursor, start, { kind: 'order-item', expression, descending })]
}

/** The function INTERVAL, whose first argument was read. */
export function keywordFunction(
  cursor: Cursor,
  start: number,
  { name, first }: { name: Identifier; first: Expression },
): FunctionCall {
  const items = [first]
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  cursor.expect(')')
  return finish(cursor, start, { database: null, name, given: { arguments: items } })
}

/** A function that begins with a word of its own and needs no brackets; null where none does. */
export function wordFunction(cursor: Cursor): Expression | null {
  const { start, key } = cursor.token
  if (BARE.has(key) && cursor.peek().key !== '(' && cursor.reserved(key)) {
    const name = cursor.identifier()
    return finish(cursor, start, { database: null, name, given: NONE })
  }
  return cursor.mariadb ? sequenceFunction(cursor) : null
}

/** MariaDB's sequences: they are tables, and these are no ordinary functions. */
function sequenceFunction(cursor: Cursor): Expression | null {
  const { start, key } = cursor.token
  if (key === 'NEXT' || key === 'PREVIOUS') {
    if (!cursor.ahead(key, 'VALUE', 'FOR')) return null
    cursor.expectAll(key, 'VALUE', 'FOR')
    const sequence = objectName(cursor)
    const fields = { operation: key === 'NEXT' ? 'next' : 'previous', arguments: [] } as const
    return node(cursor, start, { kind: 'sequence-value', sequence, ...fields })
  }
  const operation = SEQUENCE_FUNCTIONS.get(key)
  if (operation === undefined || cursor.peek().key !== '(') return null
  cursor.expectAll(key, '(')
  const sequence = objectName(cursor)
  const items: Expression[] = []
  while (cursor.accept(',')) items.push(cursor.grammar.expression(cursor))
  cursor.expect(')')
  return node(cursor, start, { kind: 'sequence-value', operation, sequence, arguments: items })
}

const SEQUENCE_FUNCTIONS: ReadonlyMap<string, 'next' | 'previous' | 'set'> = new Map([
  ['NEXTVAL', 'next'],
  ['LASTVAL', 'previous'],
  ['SETVAL', 'set'],
] as const)
