/** INTO: files and variables; the formats of files, which LOAD DATA has, too. */
import type { ColumnReference, Into, Option, UserVariable } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { userVariable } from './literals.ts'
import { columnName, nameOrText, option, text } from './names.ts'

export function into(cursor: Cursor): Into {
  const { start } = cursor.expect('INTO')
  const kind = cursor.acceptOne('OUTFILE', 'DUMPFILE')
  if (kind === null) {
    const variables = cursor.list(variableOrLocal)
    const rest = { target: 'variables', file: null, options: [] } as const
    return node(cursor, start, { kind: 'into', ...rest, variables })
  }
  const file = text(cursor)
  const options = kind === 'outfile' ? fileFormat(cursor) : []
  return node(cursor, start, { kind: 'into', target: kind, variables: [], file, options })
}

/** `@a`, or a routine's own variable or parameter. */
export function variableOrLocal(cursor: Cursor): UserVariable | ColumnReference {
  return cursor.token.type === 'variable' ? userVariable(cursor) : columnName(cursor)
}

/** `[CHARACTER SET c] [FIELDS ...] [LINES ...]`. */
export function fileFormat(cursor: Cursor): Option[] {
  const options: Option[] = []
  const { start } = cursor
  if (
    cursor.acceptAll('CHARACTER', 'SET') ||
    cursor.acceptAll('CHAR', 'SET') ||
    cursor.accept('CHARSET')
  )
    options.push(option(cursor, start, 'CHARACTER SET', nameOrText(cursor)))
  if (cursor.acceptOne('FIELDS', 'COLUMNS') !== null) fieldOptions(cursor, options)
  if (cursor.accept('LINES')) lineOptions(cursor, options)
  return options
}

function fieldOptions(cursor: Cursor, options: Option[]): void {
  const { length } = options
  for (;;) {
    const { start } = cursor
    const optionally = cursor.acceptAll('OPTIONALLY', 'ENCLOSED')
    const word = optionally ? 'ENCLOSED' : cursor.acceptOne('TERMINATED', 'ENCLOSED', 'ESCAPED')
    if (word === null) break
    cursor.expect('BY')
    const name = `FIELDS ${optionally ? 'OPTIONALLY ' : ''}${word.toUpperCase()} BY`
    options.push(option(cursor, start, name, text(cursor)))
  }
  if (options.length === length) cursor.fail('expected a format of fields')
}

function lineOptions(cursor: Cursor, options: Option[]): void {
  const { length } = options
  for (;;) {
    const { start } = cursor
    const word = cursor.acceptOne('STARTING', 'TERMINATED')
    if (word === null) break
    cursor.expect('BY')
    options.push(option(cursor, start, `LINES ${word.toUpperCase()} BY`, text(cursor)))
  }
  if (options.length === length) cursor.fail('expected a format of lines')
}
