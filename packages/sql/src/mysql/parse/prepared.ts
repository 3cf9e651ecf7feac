/** USE, prepared statements, EXPLAIN, DESCRIBE, HELP. */
import type {
  Deallocate,
  Describe,
  DynamicText,
  Execute,
  ExecuteImmediate,
  Explain,
  Expression,
  Help,
  Prepare,
  PreparedText,
  Use,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { literal, userVariable } from './literals.ts'
import { nameOrText, objectName } from './names.ts'
import { value } from './values.ts'

export function use(cursor: Cursor): Use {
  const { start } = cursor.expect('USE')
  return node(cursor, start, { kind: 'use', database: cursor.name() })
}

export function prepare(cursor: Cursor): Prepare {
  const { start } = cursor.expect('PREPARE')
  const name = cursor.name()
  cursor.expect('FROM')
  return node(cursor, start, { kind: 'prepare', name, source: preparedSource(cursor) })
}

/** A string literal is read as the statement it is; everything else is known only when it runs. */
function preparedSource(cursor: Cursor): PreparedText | DynamicText {
  const { start, type } = cursor.token
  const following = cursor.peek()
  const alone = following.type === 'end' || following.key === ';' || following.key === 'USING'
  if (type === 'string' && alone) {
    const text = literal(cursor) ?? cursor.fail('expected a string')
    const { statement, parameters } = cursor.grammar.prepared(text.value, cursor)
    return node(cursor, start, { kind: 'prepared-text', literal: text, statement, parameters })
  }
  const expression = cursor.grammar.expression(cursor)
  return node(cursor, start, { kind: 'dynamic-text', expression })
}

export function execute(cursor: Cursor): Execute | ExecuteImmediate {
  const { start } = cursor.expect('EXECUTE')
  if (cursor.mariadb && cursor.is('IMMEDIATE') && cursor.peek().key !== 'USING') {
    const following = cursor.peek()
    if (following.type !== 'end' && following.key !== ';') {
      cursor.next()
      const source = preparedSource(cursor)
      return node(cursor, start, { kind: 'execute-immediate', source, using: using(cursor) })
    }
  }
  const name = cursor.name()
  return node(cursor, start, { kind: 'execute', name, using: using(cursor) })
}

function using(cursor: Cursor): Expression[] {
  return cursor.accept('USING') ? cursor.list(value) : []
}

export function deallocate(cursor: Cursor): Deallocate {
  const { start } = cursor
  cursor.expectOne('DEALLOCATE', 'DROP')
  cursor.expect('PREPARE')
  return node(cursor, start, { kind: 'deallocate', name: cursor.name() })
}

const EXPLAINED = new Set([
  'SELECT',
  'WITH',
  'TABLE',
  'VALUES',
  '(',
  'INSERT',
  'REPLACE',
  'UPDATE',
  'DELETE',
])

/** EXPLAIN, DESCRIBE, DESC; MariaDB's ANALYZE of a statement. */
export function explain(cursor: Cursor): Explain | Describe {
  const { start } = cursor
  const analyze = cursor.acceptOne('EXPLAIN', 'DESCRIBE', 'DESC') === null
  if (analyze) cursor.expect('ANALYZE')
  else if (describes(cursor)) return describe(cursor, start)
  return explanation(cursor, start, analyze || (!cursor.mariadb && cursor.accept('ANALYZE')))
}

/** A table's name follows, no statement and none of EXPLAIN's own words. */
function describes(cursor: Cursor): boolean {
  const { key } = cursor.token
  if (EXPLAINED.has(key) || key === 'ANALYZE' || key === 'FOR' || key === 'INTO') return false
  if (!isOption(key)) return true
  const following = cursor.peek()
  return following.type === 'end' || following.key === ';' || following.key === '.'
}

function isOption(key: string): boolean {
  return key === 'EXTENDED' || key === 'PARTITIONS' || key === 'FORMAT'
}

function explanation(cursor: Cursor, start: number, analyze: boolean): Explain {
  const options: string[] = []
  let into: Explain['into'] = null
  for (;;) {
    if (cursor.is('FORMAT') && cursor.peek().key === '=') {
      cursor.expectAll('FORMAT', '=')
      options.push(nameOrText(cursor).toLowerCase())
    } else if (cursor.isOne('EXTENDED', 'PARTITIONS')) options.push(cursor.next().key.toLowerCase())
    else if (!cursor.mariadb && cursor.accept('INTO')) into = userVariable(cursor)
    else break
  }
  const head = { analyze, options, into }
  const none = { database: null, connection: null, statement: null }
  if (cursor.acceptAll('FOR', 'CONNECTION')) {
    const connection = cursor.grammar.expression(cursor)
    return node(cursor, start, { kind: 'explain', ...head, ...none, connection })
  }
  if (cursor.mariadb && analyze === false && cursor.accept('FOR')) {
    const connection = cursor.grammar.expression(cursor)
    return node(cursor, start, { kind: 'explain', ...head, ...none, connection })
  }
  const named = cursor.accept('FOR')
  if (named) cursor.expectOne('SCHEMA', 'DATABASE')
  const database = named ? cursor.name() : null
  const statement = explained(cursor)
  return node(cursor, start, { kind: 'explain', ...head, ...none, database, statement })
}

function explained(cursor: Cursor): NonNullable<Explain['statement']> {
  if (!EXPLAINED.has(cursor.token.key)) cursor.fail('expected a statement to explain')
  const statement = cursor.grammar.statement(cursor)
  switch (statement.kind) {
    case 'query':
    case 'insert':
    case 'update':
    case 'delete':
      return statement
    default:
      return cursor.fail('expected a statement to explain')
  }
}

function describe(cursor: Cursor, start: number): Describe {
  const table = objectName(cursor)
  const { type } = cursor.token
  const column = type === 'string' || cursor.isName() ? cursor.next().value : null
  return node(cursor, start, { kind: 'describe', table, column })
}

export function help(cursor: Cursor): Help {
  const { start } = cursor.expect('HELP')
  return node(cursor, start, { kind: 'help', topic: nameOrText(cursor) })
}
