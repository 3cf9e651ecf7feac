/** JSON_TABLE. */
import type { JsonTable, JsonTableColumn } from '../ast.ts'
import { constantText, onEmptyOrError } from './arguments.ts'
import { type Cursor, node } from './cursor.ts'
import { alias } from './names.ts'
import { dataType } from './types.ts'

export function jsonTable(cursor: Cursor): JsonTable {
  const { start } = cursor.expect('JSON_TABLE')
  cursor.expect('(')
  const document = cursor.grammar.expression(cursor)
  cursor.expect(',')
  const path = constantText(cursor)
  const columns = columnList(cursor)
  cursor.expect(')')
  return node(cursor, start, {
    kind: 'json-table',
    document,
    path,
    columns,
    alias: alias(cursor, 'table'),
  })
}

function columnList(cursor: Cursor): JsonTableColumn[] {
  cursor.expect('COLUMNS')
  return cursor.bracketed(jsonColumn)
}

function jsonColumn(cursor: Cursor): JsonTableColumn {
  const { start } = cursor
  const empty = { type: null, path: null, defaults: [], columns: [] }
  if (
    cursor.is('NESTED') &&
    (cursor.peek().key === 'PATH' || ['string', 'introducer'].includes(cursor.peek().type))
  ) {
    cursor.next()
    cursor.accept('PATH')
    const path = constantText(cursor)
    cursor.enter()
    const columns = columnList(cursor)
    cursor.leave()
    const fields = { ...empty, form: 'nested', name: null, path, columns } as const
    return node(cursor, start, { kind: 'json-table-column', ...fields })
  }
  const name = cursor.name()
  if (cursor.acceptAll('FOR', 'ORDINALITY'))
    return node(cursor, start, { kind: 'json-table-column', ...empty, form: 'ordinality', name })
  const type = dataType(cursor)
  const form = cursor.accept('EXISTS') ? 'exists' : 'path'
  cursor.expect('PATH')
  const path = constantText(cursor)
  const { defaults } = onEmptyOrError(cursor)
  const fields = { ...empty, form, name, type, path, defaults } as const
  return node(cursor, start, { kind: 'json-table-column', ...fields })
}
