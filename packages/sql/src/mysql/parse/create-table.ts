/** CREATE TABLE. */
import type { CreateTable, ObjectName, Option } from '../ast.ts'
import { startsQuery } from './brackets.ts'
import { type Cursor, node } from './cursor.ts'
import { tableElement } from './keys.ts'
import { objectName } from './names.ts'
import { optionTable, readOption } from './options.ts'
import { partitioning } from './partitions.ts'

export const TABLE_OPTIONS = optionTable(
  {
    flags:
      'START TRANSACTION, WITH SYSTEM VERSIONING, WITHOUT SYSTEM VERSIONING, STORAGE DISK, STORAGE MEMORY, STORAGE DEFAULT',
    valued:
      'ENGINE, TYPE, AUTO_INCREMENT, AVG_ROW_LENGTH, DEFAULT CHARACTER SET, CHARACTER SET, DEFAULT CHARSET, CHARSET, ' +
      'DEFAULT COLLATE, COLLATE, CHECKSUM, TABLE_CHECKSUM, PAGE_CHECKSUM, COMMENT, COMPRESSION, CONNECTION, ' +
      'DATA DIRECTORY, INDEX DIRECTORY, DELAY_KEY_WRITE, ENCRYPTION, INSERT_METHOD, KEY_BLOCK_SIZE, MAX_ROWS, MIN_ROWS, ' +
      'PACK_KEYS, PASSWORD, ROW_FORMAT, STATS_AUTO_RECALC, STATS_PERSISTENT, STATS_SAMPLE_PAGES, TABLESPACE, ' +
      'SECONDARY_ENGINE, ENGINE_ATTRIBUTE, SECONDARY_ENGINE_ATTRIBUTE, AUTOEXTEND_SIZE, TRANSACTIONAL, SEQUENCE, ' +
      'CHAR SET, DEFAULT CHAR SET, STORAGE ENGINE, EXTERNAL_FORMAT',
  },
  { anyName: true },
)

export interface CreateHead {
  readonly start: number
  readonly orReplace: boolean
}

export function createTable(cursor: Cursor, { start, orReplace }: CreateHead): CreateTable {
  const temporary = cursor.accept('TEMPORARY')
  cursor.expect('TABLE')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  const head = { orReplace, temporary, ifNotExists, name }
  const like = likeTable(cursor)
  if (like !== null) {
    const none = { elements: [], options: [], union: [], partitioning: null, duplicates: null }
    return node(cursor, start, { kind: 'create-table', ...head, like, ...none, query: null })
  }
  const elements = cursor.is('(') && !bracketsQuery(cursor) ? cursor.bracketed(tableElement) : []
  const { options, union } = tableOptions(cursor)
  const partitions = cursor.ahead('PARTITION', 'BY') ? partitioning(cursor) : null
  const duplicates = cursor.acceptOne('IGNORE', 'REPLACE')
  const as = cursor.accept('AS')
  const query = as || startsQuery(cursor) || cursor.is('(') ? cursor.grammar.query(cursor) : null
  const rest = { elements, options, union, partitioning: partitions, duplicates, query }
  return node(cursor, start, { kind: 'create-table', ...head, like: null, ...rest })
}

/** `LIKE t`, `(LIKE t)`. */
function likeTable(cursor: Cursor): ObjectName | null {
  if (cursor.accept('LIKE')) return objectName(cursor)
  if (!cursor.acceptAll('(', 'LIKE')) return null
  const like = objectName(cursor)
  cursor.expect(')')
  return like
}

function bracketsQuery(cursor: Cursor): boolean {
  return ['SELECT', 'WITH', 'VALUES', 'TABLE', '('].includes(cursor.peek().key)
}

export function tableOptions(cursor: Cursor): { options: Option[]; union: readonly ObjectName[] } {
  const options: Option[] = []
  let union: readonly ObjectName[] = []
  for (;;) {
    if (cursor.is('UNION')) union = unionTables(cursor)
    else {
      const found = readOption(cursor, TABLE_OPTIONS)
      if (found === null) return { options, union }
      options.push(found)
    }
    cursor.accept(',')
  }
}

/** `UNION [=] (t1, t2)` of a MERGE table. */
export function unionTables(cursor: Cursor): ObjectName[] {
  cursor.expect('UNION')
  cursor.accept('=')
  cursor.expect('(')
  const tables = cursor.is(')') ? [] : cursor.list(objectName)
  cursor.expect(')')
  return tables
}
