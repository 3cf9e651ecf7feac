/** Databases, indexes, sequences and the server's other objects; RENAME TABLE and TRUNCATE. */
import type {
  CreateIndex,
  DefineDatabase,
  DefineObject,
  DefineSequence,
  Identifier,
  KeyDefinition,
  ObjectName,
  Option,
  RenameTables,
  TableRename,
  Truncate,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { keyParts } from './key-parts.ts'
import { KEY_OPTIONS, keyAlgorithm } from './keys.ts'
import { waiting } from './locking.ts'
import { nameOrText, number, objectName, option, text } from './names.ts'
import { type OptionTable, optionTable, readOptions } from './options.ts'
import { characteristics, type Head } from './stored.ts'
import { indexName } from './tables.ts'

const DATABASE_OPTIONS = optionTable({
  flags: 'UPGRADE DATA DIRECTORY NAME',
  valued:
    'DEFAULT CHARACTER SET, CHARACTER SET, DEFAULT CHARSET, CHARSET, DEFAULT COLLATE, COLLATE, DEFAULT ENCRYPTION, ' +
    'ENCRYPTION, READ ONLY, COMMENT, CHAR SET, DEFAULT CHAR SET',
})

export function database(cursor: Cursor, { start, verb, orReplace }: Head): DefineDatabase {
  cursor.expectOne('DATABASE', 'SCHEMA')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const unnamed = verb === 'alter' && startsOption(cursor)
  const name = unnamed ? null : cursor.name()
  const options = readOptions(cursor, DATABASE_OPTIONS)
  return node(cursor, start, {
    kind: 'define-database',
    verb,
    orReplace,
    ifNotExists,
    name,
    options,
  })
}

function startsOption(cursor: Cursor): boolean {
  if (cursor.isOne('DEFAULT', 'CHARACTER', 'COLLATE', 'READ')) return true
  return cursor.isOne('CHARSET', 'ENCRYPTION', 'COMMENT') && cursor.peek().type !== 'end'
}

export function createIndex(cursor: Cursor, { start, orReplace }: Head): CreateIndex {
  const at = cursor.start
  cursor.acceptOne('ONLINE', 'OFFLINE')
  const kind = cursor.acceptOne('UNIQUE', 'FULLTEXT', 'SPATIAL', 'VECTOR')
  cursor.expect('INDEX')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = indexName(cursor)
  const before = keyAlgorithm(cursor)
  cursor.expect('ON')
  const table = objectName(cursor)
  const parts = keyParts(cursor)
  if (cursor.mariadb) waiting(cursor)
  const options = [...before, ...readOptions(cursor, KEY_OPTIONS)]
  const key: KeyDefinition = node(cursor, at, {
    kind: 'key-definition',
    type: kind ?? 'index',
    name,
    parts,
    options,
  })
  return node(cursor, start, { kind: 'create-index', orReplace, ifNotExists, key, table })
}

const SEQUENCE_OPTIONS = optionTable(
  {
    flags:
      'NO MINVALUE, NO MAXVALUE, NO CYCLE, NO CACHE, NOMINVALUE, NOMAXVALUE, NOCYCLE, NOCACHE, CYCLE, RESTART',
    valued:
      'INCREMENT BY, INCREMENT, MINVALUE, MAXVALUE, START WITH, START, CACHE, RESTART WITH, ENGINE, COMMENT, AS, ' +
      'CHARACTER SET, CHARSET, COLLATE, ROW_FORMAT',
  },
  { anyName: true },
)

export function sequence(
  cursor: Cursor,
  {
    start,
    verb,
    orReplace,
    temporary,
  }: Pick<Head, 'start' | 'verb' | 'orReplace'> & { temporary: boolean },
): DefineSequence {
  cursor.expect('SEQUENCE')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  if (!ifNotExists) cursor.acceptAll('IF', 'EXISTS')
  const name = objectName(cursor)
  const options = sequenceOptions(cursor)
  const about = { verb, orReplace, temporary, ifNotExists, name, options }
  return node(cursor, start, { kind: 'define-sequence', ...about })
}

/** RESTART may have a number or none. */
function sequenceOptions(cursor: Cursor): Option[] {
  const options: Option[] = []
  for (;;) {
    const { start } = cursor
    if (cursor.is('RESTART')) {
      cursor.next()
      cursor.accept('WITH')
      cursor.accept('=')
      const given = cursor.token.type === 'integer' ? number(cursor) : null
      options.push(option(cursor, start, 'RESTART', given))
    } else {
      const found = readOptions(cursor, SEQUENCE_OPTIONS)
      if (found.length === 0) return options
      options.push(...found)
    }
  }
}

function defined(
  cursor: Cursor,
  { start, verb, orReplace }: Pick<Head, 'start' | 'verb' | 'orReplace'>,
  rest: Pick<DefineObject, 'object' | 'name' | 'options'> & { readonly ifNotExists?: boolean },
): DefineObject {
  const { object, name, options, ifNotExists = false } = rest
  const about = { verb, object, orReplace, ifNotExists, name, options }
  return node(cursor, start, { kind: 'define-object', ...about })
}

/** What holds no query: a name and options. Null where another kind of object stands. */
export function otherObject(cursor: Cursor, head: Head): DefineObject | null {
  if (cursor.accept('SERVER')) return server(cursor, head)
  if (cursor.accept('TABLESPACE')) return spaced(cursor, head, 'tablespace')
  if (cursor.acceptAll('UNDO', 'TABLESPACE')) return spaced(cursor, head, 'undo tablespace')
  if (cursor.acceptAll('LOGFILE', 'GROUP')) return spaced(cursor, head, 'logfile group')
  if (cursor.acceptAll('RESOURCE', 'GROUP')) return resourceGroup(cursor, head)
  if (cursor.acceptAll('SPATIAL', 'REFERENCE', 'SYSTEM')) return reference(cursor, head)
  if (!cursor.mariadb && cursor.accept('LIBRARY')) return library(cursor, head)
  if (head.verb === 'alter' && cursor.accept('INSTANCE')) return instance(cursor, head)
  return null
}

/** Credentials are not kept. */
function server(cursor: Cursor, head: Head): DefineObject {
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = nameOrObject(cursor)
  const options: Option[] = []
  if (cursor.acceptAll('FOREIGN', 'DATA', 'WRAPPER')) nameOrText(cursor)
  cursor.expectAll('OPTIONS', '(')
  do {
    const { start } = cursor
    const word = cursor.name().value
    if (cursor.token.type === 'string') text(cursor)
    else number(cursor)
    options.push(option(cursor, start, word.toUpperCase()))
  } while (cursor.accept(','))
  cursor.expect(')')
  return defined(cursor, head, { object: 'server', name, options, ifNotExists })
}

/** An object's name that may be written as a string. */
function nameOrObject(cursor: Cursor): ObjectName {
  if (cursor.token.type !== 'string') return objectName(cursor)
  const { start } = cursor
  const name: Identifier = cursor.identifier()
  return node(cursor, start, { kind: 'object-name', database: null, name })
}

const SPACE_OPTIONS: OptionTable = optionTable({
  flags: 'WAIT, NO_WAIT',
  valued:
    'ADD DATAFILE, DROP DATAFILE, ADD UNDOFILE, ADD REDOFILE, USE LOGFILE GROUP, AUTOEXTEND_SIZE, EXTENT_SIZE, ' +
    'INITIAL_SIZE, MAX_SIZE, FILE_BLOCK_SIZE, NODEGROUP, COMMENT, ENGINE, STORAGE ENGINE, ENCRYPTION, ' +
    'ENGINE_ATTRIBUTE, UNDO_BUFFER_SIZE, REDO_BUFFER_SIZE, RENAME TO, SET',
})

function spaced(
  cursor: Cursor,
  head: Head,
  object: 'tablespace' | 'undo tablespace' | 'logfile group',
): DefineObject {
  const name = objectName(cursor)
  return defined(cursor, head, { object, name, options: readOptions(cursor, SPACE_OPTIONS) })
}

function resourceGroup(cursor: Cursor, head: Head): DefineObject {
  const name = objectName(cursor)
  const options: Option[] = []
  for (;;) {
    const { start } = cursor
    const word = cursor.acceptOne('TYPE', 'VCPU', 'THREAD_PRIORITY')
    if (word !== null) {
      cursor.accept('=')
      if (word === 'type') cursor.expectOne('SYSTEM', 'USER')
      else if (word === 'vcpu') cursor.list(cpuRange)
      else signed(cursor)
      options.push(option(cursor, start, word.toUpperCase()))
    } else if (cursor.isOne('ENABLE', 'DISABLE', 'FORCE')) {
      options.push(option(cursor, start, cursor.next().key))
    } else return defined(cursor, head, { object: 'resource group', name, options })
  }
}

function cpuRange(cursor: Cursor): void {
  number(cursor)
  if (cursor.accept('-')) number(cursor)
}

function signed(cursor: Cursor): void {
  cursor.accept('-')
  number(cursor)
}

const REFERENCE_OPTIONS = optionTable({ valued: 'NAME, DEFINITION, DESCRIPTION' })

function reference(cursor: Cursor, head: Head): DefineObject {
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  number(cursor)
  const options: Option[] = []
  for (;;) {
    const { start } = cursor
    options.push(...readOptions(cursor, REFERENCE_OPTIONS))
    if (!cursor.accept('ORGANIZATION')) break
    text(cursor)
    cursor.expectAll('IDENTIFIED', 'BY')
    number(cursor)
    options.push(option(cursor, start, 'ORGANIZATION'))
  }
  return defined(cursor, head, {
    object: 'spatial reference system',
    name: null,
    options,
    ifNotExists,
  })
}

/** MySQL: code in another language. */
function library(cursor: Cursor, head: Head): DefineObject {
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  const options = characteristics(cursor)
  if (cursor.accept('AS')) {
    if (cursor.token.type === 'dollar') cursor.next()
    else text(cursor)
  }
  return defined(cursor, head, { object: 'library', name, options, ifNotExists })
}

function instance(cursor: Cursor, head: Head): DefineObject {
  const { start } = cursor
  const words: string[] = []
  while (cursor.isName() || cursor.isOne('FOR', 'ON', 'KEY')) words.push(cursor.next().key)
  if (words.length === 0) cursor.fail('expected an action')
  const options = [option(cursor, start, words.join(' '))]
  return defined(cursor, head, { object: 'instance', name: null, options })
}

/** `FUNCTION f RETURNS type SONAME 'library'`. */
export function loadableFunction(cursor: Cursor, head: Head): DefineObject {
  cursor.accept('AGGREGATE')
  cursor.expect('FUNCTION')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  cursor.expect('RETURNS')
  cursor.expectOne('STRING', 'INTEGER', 'INT', 'REAL', 'DECIMAL')
  const { start } = cursor.expect('SONAME')
  const options = [option(cursor, start, 'SONAME', text(cursor))]
  return defined(cursor, head, { object: 'loadable function', name, options, ifNotExists })
}

export function renameTables(cursor: Cursor, start: number): RenameTables {
  cursor.expectOne('TABLE', 'TABLES')
  cursor.acceptAll('IF', 'EXISTS')
  return node(cursor, start, { kind: 'rename-tables', renames: cursor.list(tableRename) })
}

function tableRename(cursor: Cursor): TableRename {
  const { start } = cursor
  const from = objectName(cursor)
  if (cursor.mariadb) waiting(cursor)
  cursor.expect('TO')
  return node(cursor, start, { kind: 'table-rename', from, to: objectName(cursor) })
}

export function truncate(cursor: Cursor): Truncate {
  const { start } = cursor.expect('TRUNCATE')
  cursor.accept('TABLE')
  const table = objectName(cursor)
  if (cursor.mariadb) waiting(cursor)
  return node(cursor, start, { kind: 'truncate', table })
}
