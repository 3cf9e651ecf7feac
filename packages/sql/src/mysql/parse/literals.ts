/** Constants, parameters and variables. */
import type { Literal, Parameter, SystemVariable, UserVariable } from '../ast.ts'
import type { Token } from '../lex/token.ts'
import { type Cursor, node } from './cursor.ts'

/** The literal at the cursor, null where there is none. Keywords (NULL, DATE '...') are not looked at. */
export function literal(cursor: Cursor): Literal | null {
  const { token } = cursor
  switch (token.type) {
    case 'string':
    case 'national':
      return strings(cursor, token.start, { type: token.type, charset: null })
    case 'integer':
    case 'decimal':
    case 'float':
    case 'hex':
    case 'bit':
      cursor.next()
      return plain(token.start, token.end, { type: token.type, value: token.value, charset: null })
    case 'introducer':
      return introduced(cursor)
    default:
      return null
  }
}

function plain(
  start: number,
  end: number,
  { type, value, charset }: Pick<Literal, 'type' | 'value' | 'charset'>,
): Literal {
  return { kind: 'literal', start, end, type, value, charset }
}

/** Strings next to each other are one. */
function strings(
  cursor: Cursor,
  start: number,
  { type, charset }: Pick<Literal, 'type' | 'charset'>,
): Literal {
  let { value } = cursor.next()
  while (cursor.token.type === 'string') value += cursor.next().value
  return plain(start, cursor.end, { type, value, charset })
}

function introduced(cursor: Cursor): Literal {
  const { start, value: charset } = cursor.next()
  const { type, value } = cursor.token
  if (type === 'string') return strings(cursor, start, { type, charset })
  if (type !== 'hex' && type !== 'bit') cursor.fail('expected a string')
  cursor.next()
  return plain(start, cursor.end, { type, value, charset })
}

/** The value of one string literal, as a node. */
export function stringLiteral(cursor: Cursor): Literal {
  const found = cursor.token.type === 'string' ? literal(cursor) : null
  return found ?? cursor.fail('expected a string')
}

/** Words that are constants. */
export function constant(cursor: Cursor, type: 'null' | 'true' | 'false'): Literal {
  const { start, value } = cursor.next()
  return plain(start, cursor.end, { type, value, charset: null })
}

/** DATE, TIME or TIMESTAMP was taken: the string behind it. */
export function temporal(
  cursor: Cursor,
  start: number,
  type: 'date' | 'time' | 'timestamp',
): Literal {
  const { value } = cursor.next()
  return plain(start, cursor.end, { type, value, charset: null })
}

export function parameter(cursor: Cursor): Parameter {
  const { start, end } = cursor.next()
  return { kind: 'parameter', start, end, index: ++cursor.parameters }
}

export function userVariable(cursor: Cursor): UserVariable {
  if (cursor.token.type !== 'variable') cursor.fail('expected a variable')
  const { start, end, value } = cursor.next()
  // A host may be left out, a variable's name may not.
  if (end === start + 1) cursor.fail('`@` without a name')
  return { kind: 'user-variable', start, end, name: value }
}

const SCOPES = ['GLOBAL', 'SESSION', 'LOCAL', 'PERSIST', 'PERSIST_ONLY'] as const

/** `@@name`, `@@scope.name`, `@@scope.instance.name`. */
export function systemVariable(cursor: Cursor): SystemVariable {
  const { start } = cursor.expect('@@')
  const scoped = cursor.peek().key === '.' ? cursor.acceptOne(...SCOPES) : null
  if (scoped !== null) cursor.expect('.')
  return systemName(cursor, start, scoped)
}

/** A system variable's name, `instance.name` and `default.name` for structured ones. */
export function systemName(
  cursor: Cursor,
  start: number,
  scope: SystemVariable['scope'],
): SystemVariable {
  const first = variableWord(cursor)
  const second = cursor.accept('.') ? variableWord(cursor) : null
  const instance = second === null ? null : first.value
  const { value: name } = second ?? first
  return node(cursor, start, { kind: 'system-variable', scope, instance, name })
}

function variableWord(cursor: Cursor): Token {
  if (!cursor.isName() && !cursor.is('DEFAULT')) cursor.fail('expected the name of a variable')
  return cursor.next()
}
