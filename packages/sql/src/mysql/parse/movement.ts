/** LOAD DATA, CALL, DO, HANDLER. */
import type { Call, Do, Expression, Handler, Identifier, Load, Option } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { words } from './dml.ts'
import { fileFormat, variableOrLocal } from './into.ts'
import { number, objectName, option, text } from './names.ts'
import { selectItem } from './queries.ts'
import { indexName, partitionNames } from './tables.ts'
import { assignment } from './values.ts'
import { limit } from './windows.ts'

export function load(cursor: Cursor): Load {
  const { start } = cursor.expect('LOAD')
  const format = cursor.expectOne('DATA', 'XML')
  const modifiers: string[] = words(cursor, ['LOW_PRIORITY', 'CONCURRENT'])
  if (cursor.accept('FROM') && cursor.mariadb) cursor.fail('expected `INFILE`')
  const local = cursor.accept('LOCAL')
  const source = cursor.mariadb
    ? cursor.expectOne('INFILE')
    : cursor.expectOne('INFILE', 'URL', 'S3')
  const file = text(cursor)
  const options: Option[] = []
  bulkSource(cursor, options)
  modifiers.push(...words(cursor, ['REPLACE', 'IGNORE']))
  cursor.expectAll('INTO', 'TABLE')
  const table = objectName(cursor)
  const partitions = partitionNames(cursor)
  options.push(...loadOptions(cursor))
  const fields = cursor.is('(') ? fieldList(cursor) : null
  const assignments = cursor.accept('SET') ? cursor.list(assignment) : []
  bulkTarget(cursor, options)
  const origin = { format, local, source, file, modifiers }
  return node(cursor, start, {
    kind: 'load',
    ...origin,
    table,
    partitions,
    options,
    fields,
    assignments,
  })
}

/** MySQL's bulk load: how many files, in which order. */
function bulkSource(cursor: Cursor, options: Option[]): void {
  if (cursor.mariadb) return
  const { start } = cursor
  if (cursor.accept('COUNT')) options.push(option(cursor, start, 'COUNT', number(cursor)))
  if (cursor.acceptAll('IN', 'PRIMARY', 'KEY', 'ORDER'))
    options.push(option(cursor, start, 'IN PRIMARY KEY ORDER'))
}

function bulkTarget(cursor: Cursor, options: Option[]): void {
  for (;;) {
    const { start } = cursor
    const name = cursor.mariadb ? null : cursor.acceptOne('PARALLEL', 'MEMORY', 'ALGORITHM')
    if (name === null) return
    cursor.expect('=')
    const { value } = cursor.next()
    options.push(option(cursor, start, name.toUpperCase(), value))
  }
}

function loadOptions(cursor: Cursor): Option[] {
  const options: Option[] = []
  const charset = fileFormat(cursor)
  options.push(...charset)
  let { start } = cursor
  if (cursor.acceptAll('ROWS', 'IDENTIFIED', 'BY'))
    options.push(option(cursor, start, 'ROWS IDENTIFIED BY', text(cursor)))
  options.push(...fileFormat(cursor))
  start = cursor.start
  if (cursor.accept('IGNORE')) {
    const count = number(cursor)
    cursor.expectOne('LINES', 'ROWS')
    options.push(option(cursor, start, 'IGNORE LINES', count))
  }
  return options
}

function fieldList(cursor: Cursor): Load['fields'] {
  cursor.expect('(')
  const fields = cursor.is(')') ? [] : cursor.list(variableOrLocal)
  cursor.expect(')')
  return fields
}

export function call(cursor: Cursor): Call {
  const { start } = cursor.expect('CALL')
  const routine = objectName(cursor)
  let items: Expression[] = []
  if (cursor.accept('(')) {
    if (!cursor.is(')')) items = cursor.list(cursor.grammar.expression)
    cursor.expect(')')
  }
  return node(cursor, start, { kind: 'call', routine, arguments: items })
}

export function doStatement(cursor: Cursor): Do {
  const { start } = cursor.expect('DO')
  return node(cursor, start, { kind: 'do', expressions: cursor.list(selectItem) })
}

export function handler(cursor: Cursor): Handler {
  const { start } = cursor.expect('HANDLER')
  const table = objectName(cursor)
  const none = { alias: null, index: null, values: [], where: null, limit: null }
  if (cursor.accept('CLOSE'))
    return node(cursor, start, { kind: 'handler', action: 'close', table, ...none })
  if (cursor.accept('OPEN')) {
    cursor.accept('AS')
    const alias = cursor.isName() ? cursor.name() : null
    return node(cursor, start, { kind: 'handler', action: 'open', table, ...none, alias })
  }
  cursor.expect('READ')
  const { index, values } = handlerRead(cursor)
  const where = cursor.accept('WHERE') ? cursor.grammar.expression(cursor) : null
  const rest = { ...none, index, values, where, limit: limit(cursor) }
  return node(cursor, start, { kind: 'handler', action: 'read', table, ...rest })
}

function handlerRead(cursor: Cursor): { index: Identifier | null; values: readonly Expression[] } {
  const compares = ['=', '<', '<=', '>', '>='].includes(cursor.peek().key)
  const scan = !compares && cursor.isOne('FIRST', 'NEXT') && !isDirection(cursor.peek().key)
  if (scan) {
    cursor.next()
    return { index: null, values: [] }
  }
  const index = indexName(cursor)
  if (cursor.acceptOne('FIRST', 'NEXT', 'PREV', 'LAST') !== null) return { index, values: [] }
  cursor.acceptOne('=', '<', '<=', '>', '>=') ?? cursor.fail('expected a comparison')
  return { index, values: cursor.bracketed(cursor.grammar.expression) }
}

function isDirection(key: string): boolean {
  return ['FIRST', 'NEXT', 'PREV', 'LAST'].includes(key)
}
