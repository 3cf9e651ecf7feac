/** Definitions of columns, as CREATE TABLE and ALTER TABLE have them. */
import type {
  Check,
  ColumnDefinition,
  DataType,
  Expression,
  Identifier,
  Option,
  References,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { keyParts } from './key-parts.ts'
import { columnName, objectName, option } from './names.ts'
import { optionTable, readOption } from './options.ts'
import { dataType, isType } from './types.ts'

interface Draft {
  generated: Expression | null
  stored: boolean
  default: Expression | null
  onUpdate: Expression | null
  checks: Check[]
  references: References | null
  options: Option[]
}

export function columnDefinition(cursor: Cursor): ColumnDefinition {
  const { start } = cursor
  // It may be qualified by the table it is in.
  return columnOf(cursor, start, columnName(cursor).name)
}

/** What follows a column's name: its type and attributes. */
export function columnOf(cursor: Cursor, start: number, name: Identifier): ColumnDefinition {
  const type: DataType | null = isType(cursor) ? dataType(cursor) : null
  if (type === null && !isUntyped(cursor)) cursor.fail('expected a data type')
  const draft: Draft = {
    generated: null,
    stored: false,
    default: null,
    onUpdate: null,
    checks: [],
    references: null,
    options: [],
  }
  while (attribute(cursor, draft));
  return node(cursor, start, { kind: 'column-definition', name, type, ...draft })
}

/** CREATE TABLE ... SELECT may leave the type out in MariaDB; so may a generated column. */
function isUntyped(cursor: Cursor): boolean {
  return cursor.mariadb && cursor.isOne('AS', 'GENERATED', 'WITH', 'WITHOUT', 'NOT', 'DEFAULT')
}

const ATTRIBUTES = optionTable(
  {
    flags:
      'NOT NULL, NULL, AUTO_INCREMENT, PRIMARY KEY, KEY, UNIQUE KEY, UNIQUE, SERIAL DEFAULT VALUE, VISIBLE, INVISIBLE, ' +
      'NOT SECONDARY, WITH SYSTEM VERSIONING, WITHOUT SYSTEM VERSIONING, HIDDEN',
    valued:
      'COMMENT, COLUMN_FORMAT, STORAGE, ENGINE_ATTRIBUTE, SECONDARY_ENGINE_ATTRIBUTE, SRID, REF_SYSTEM_ID, COLLATE, ' +
      'COMPRESSED, MASKING POLICY, EXTERNAL_FORMAT',
  },
  { anyName: true },
)

/** One attribute of the column; false where there is none. */
function attribute(cursor: Cursor, draft: Draft): boolean {
  switch (cursor.token.key) {
    case 'DEFAULT':
      cursor.next()
      draft.default = cursor.grammar.expression(cursor)
      return true
    case 'ON':
      cursor.expectAll('ON', 'UPDATE')
      draft.onUpdate = cursor.grammar.arithmetic(cursor)
      return true
    case 'CONSTRAINT':
    case 'CHECK':
      draft.checks.push(check(cursor))
      return true
    case 'REFERENCES':
      draft.references = references(cursor)
      return true
    case 'GENERATED':
    case 'AS':
      return generated(cursor, draft)
  }
  const found = readOption(cursor, ATTRIBUTES)
  if (found !== null) draft.options.push(found)
  return found !== null
}

/** `[GENERATED ALWAYS] AS (e) [STORED]`, `AS ROW START`. */
function generated(cursor: Cursor, draft: Draft): boolean {
  const { start } = cursor
  // CREATE TABLE ... AS SELECT has its AS behind the bracket; here it is the column's.
  if (cursor.accept('GENERATED')) cursor.expect('ALWAYS')
  cursor.expect('AS')
  if (cursor.mariadb && cursor.accept('ROW')) {
    const edge = cursor.expectOne('START', 'END')
    draft.options.push(option(cursor, start, `AS ROW ${edge.toUpperCase()}`))
    return true
  }
  cursor.expect('(')
  draft.generated = cursor.grammar.expression(cursor)
  cursor.expect(')')
  const storage = cursor.acceptOne('VIRTUAL', 'STORED', 'PERSISTENT')
  draft.stored = storage === 'stored' || storage === 'persistent'
  return true
}

/** `[CONSTRAINT [name]] CHECK (e) [[NOT] ENFORCED]`. */
export function check(cursor: Cursor): Check {
  const { start } = cursor
  const named = cursor.accept('CONSTRAINT') && !cursor.is('CHECK')
  return checkOf(cursor, start, named ? cursor.name() : null)
}

export function checkOf(cursor: Cursor, start: number, name: Identifier | null): Check {
  cursor.expectAll('CHECK', '(')
  const condition = cursor.grammar.expression(cursor)
  cursor.expect(')')
  const not = cursor.ahead('NOT', 'ENFORCED') && cursor.accept('NOT')
  cursor.accept('ENFORCED')
  return node(cursor, start, { kind: 'check', name, condition, enforced: !not })
}

export function references(cursor: Cursor): References {
  const { start } = cursor.expect('REFERENCES')
  const table = objectName(cursor)
  const columns = cursor.is('(') ? keyParts(cursor) : []
  const options: Option[] = []
  for (;;) {
    const at = cursor.start
    if (cursor.accept('MATCH')) {
      const kind = cursor.expectOne('FULL', 'PARTIAL', 'SIMPLE')
      options.push(option(cursor, at, 'MATCH', kind))
    } else if (cursor.ahead('ON', 'DELETE') || cursor.ahead('ON', 'UPDATE')) {
      cursor.next()
      const event = cursor.next().key
      options.push(option(cursor, at, `ON ${event}`, referentialAction(cursor)))
    } else break
  }
  return node(cursor, start, { kind: 'references', table, columns, options })
}

function referentialAction(cursor: Cursor): string {
  if (cursor.acceptAll('NO', 'ACTION')) return 'no action'
  if (cursor.accept('SET')) return `set ${cursor.expectOne('NULL', 'DEFAULT')}`
  return cursor.expectOne('RESTRICT', 'CASCADE')
}
