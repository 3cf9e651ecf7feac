/** Keys, foreign keys, checks and periods: what a table has besides columns. */
import type { ForeignKey, Identifier, KeyDefinition, Option, Period, TableElement } from '../ast.ts'
import { checkOf, columnDefinition, references } from './columns.ts'
import { type Cursor, node } from './cursor.ts'
import { keyParts } from './key-parts.ts'
import { option } from './names.ts'
import { optionTable, readOptions } from './options.ts'

/** A column, or anything else in a table's brackets. */
export function tableElement(cursor: Cursor): TableElement {
  return constraint(cursor) ?? columnDefinition(cursor)
}

/** What begins with a word of its own; null where a column's name stands. */
export function constraint(
  cursor: Cursor,
): Exclude<TableElement, { kind: 'column-definition' }> | null {
  const { start } = cursor
  const marked = cursor.accept('CONSTRAINT')
  if (marked) ifNotExists(cursor)
  const name = marked && cursor.isName() ? cursor.name() : null
  switch (cursor.token.key) {
    case 'PRIMARY':
    case 'UNIQUE':
    case 'INDEX':
    case 'KEY':
    case 'FULLTEXT':
    case 'SPATIAL':
      return key(cursor, start, name)
    case 'VECTOR':
      if (!cursor.mariadb || !['INDEX', 'KEY', '('].includes(cursor.peek().key)) break
      return key(cursor, start, name)
    case 'FOREIGN':
      return foreignKey(cursor, start, name)
    case 'CHECK':
      return checkOf(cursor, start, name)
    case 'PERIOD':
      if (!cursor.mariadb || cursor.peek().key !== 'FOR') break
      return period(cursor)
  }
  return marked ? cursor.fail('expected a constraint') : null
}

function ifNotExists(cursor: Cursor): boolean {
  return cursor.acceptAll('IF', 'NOT', 'EXISTS')
}

const TYPES = {
  PRIMARY: 'primary',
  UNIQUE: 'unique',
  INDEX: 'index',
  KEY: 'index',
  FULLTEXT: 'fulltext',
  SPATIAL: 'spatial',
  VECTOR: 'vector',
} as const

export const KEY_OPTIONS = optionTable(
  {
    flags: 'VISIBLE, INVISIBLE, IGNORED, NOT IGNORED',
    valued:
      'KEY_BLOCK_SIZE, USING, TYPE, WITH PARSER, COMMENT, ENGINE_ATTRIBUTE, SECONDARY_ENGINE_ATTRIBUTE, ' +
      'ALGORITHM, LOCK, GUIDED, PARALLEL',
  },
  { anyName: true },
)

function key(cursor: Cursor, start: number, symbol: Identifier | null): KeyDefinition {
  const type = TYPES[cursor.next().key as keyof typeof TYPES]
  if (type !== 'index') cursor.acceptOne('INDEX', 'KEY')
  ifNotExists(cursor)
  const own = cursor.isName() && !startsUsing(cursor) ? cursor.name() : null
  const before = keyAlgorithm(cursor)
  const parts = keyParts(cursor)
  const options = [...before, ...readOptions(cursor, KEY_OPTIONS)]
  return node(cursor, start, { kind: 'key-definition', type, name: own ?? symbol, parts, options })
}

function startsUsing(cursor: Cursor): boolean {
  return cursor.is('TYPE') && cursor.peek().key !== '('
}

/** `USING BTREE` in front of the brackets. */
export function keyAlgorithm(cursor: Cursor): Option[] {
  const { start } = cursor
  const word = cursor.acceptOne('USING', 'TYPE')
  if (word === null) return []
  const algorithm = cursor.expectOne('BTREE', 'HASH', 'RTREE')
  return [option(cursor, start, 'USING', algorithm)]
}

function foreignKey(cursor: Cursor, start: number, symbol: Identifier | null): ForeignKey {
  cursor.expectAll('FOREIGN', 'KEY')
  ifNotExists(cursor)
  const own = cursor.isName() ? cursor.name() : null
  const columns = keyParts(cursor)
  const target = references(cursor)
  return node(cursor, start, {
    kind: 'foreign-key',
    name: symbol ?? own,
    columns,
    references: target,
  })
}

/** MariaDB: `PERIOD FOR SYSTEM_TIME (a, b)`. */
export function period(cursor: Cursor): Period {
  const { start } = cursor.expect('PERIOD')
  cursor.expect('FOR')
  ifNotExists(cursor)
  const name = cursor.name()
  cursor.expect('(')
  const from = cursor.name()
  cursor.expect(',')
  const to = cursor.name()
  cursor.expect(')')
  return node(cursor, start, { kind: 'period', name, from, to })
}
