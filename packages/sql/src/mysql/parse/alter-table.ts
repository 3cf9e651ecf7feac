/** ALTER TABLE: one action after the other. */
import type { AlterAction, AlterTable, Identifier, Option, Partitioning } from '../ast.ts'
import { columnDefinition, columnOf } from './columns.ts'
import { TABLE_OPTIONS, unionTables } from './create-table.ts'
import { type Cursor, node } from './cursor.ts'
import { constraint } from './keys.ts'
import { nameOrText, number, objectName, option } from './names.ts'
import { optionTable, readOption } from './options.ts'
import { partition, partitioning } from './partitions.ts'
import { indexName } from './tables.ts'
import { orderItem } from './windows.ts'

export function alterTable(cursor: Cursor, start: number): AlterTable {
  const options: Option[] = []
  let at = cursor.start
  if (cursor.accept('ONLINE')) options.push(option(cursor, at, 'ONLINE'))
  if (cursor.accept('IGNORE')) options.push(option(cursor, at, 'IGNORE'))
  cursor.expect('TABLE')
  at = cursor.start
  if (cursor.acceptAll('IF', 'EXISTS')) options.push(option(cursor, at, 'IF EXISTS'))
  const name = objectName(cursor)
  at = cursor.start
  if (cursor.accept('NOWAIT')) options.push(option(cursor, at, 'NOWAIT'))
  else if (cursor.mariadb && cursor.accept('WAIT'))
    options.push(option(cursor, at, 'WAIT', number(cursor)))
  const actions: AlterAction[] = []
  let partitions: Partitioning | null = null
  while (!atEnd(cursor)) {
    if (cursor.ahead('PARTITION', 'BY')) partitions = partitioning(cursor)
    else actions.push(...alterAction(cursor))
    if (!cursor.accept(',') && !atEnd(cursor) && !continues(cursor)) cursor.fail('expected `,`')
  }
  return node(cursor, start, {
    kind: 'alter-table',
    options,
    name,
    actions,
    partitioning: partitions,
  })
}

function atEnd(cursor: Cursor): boolean {
  return cursor.token.type === 'end' || cursor.is(';') || (cursor.inBody > 0 && cursor.is('END'))
}

/** Table options and partitioning need no comma in front. */
function continues(cursor: Cursor): boolean {
  if (cursor.isOne('PARTITION', 'REMOVE', 'UNION')) return true
  return TABLE_OPTIONS.valued.has(cursor.token.key) || TABLE_OPTIONS.flags.has(cursor.token.key)
}

type Parts = Omit<AlterAction, 'kind' | 'start' | 'end' | 'action'>
const NONE: Parts = {
  elements: [],
  names: [],
  table: null,
  expressions: [],
  partitions: [],
  options: [],
  union: [],
}

function action(
  cursor: Cursor,
  start: number,
  { action: kind, ...parts }: Pick<AlterAction, 'action'> & Partial<Parts>,
): AlterAction {
  return node(cursor, start, { kind: 'alter-action', action: kind, ...NONE, ...parts })
}

function alterAction(cursor: Cursor): AlterAction[] {
  const { start } = cursor
  switch (cursor.token.key) {
    case 'ADD':
      return [add(cursor, start)]
    case 'CHANGE':
    case 'MODIFY':
      return [redefine(cursor, start)]
    case 'ALTER':
      return [alter(cursor, start)]
    case 'DROP':
      return [drop(cursor, start)]
    case 'RENAME':
      return [rename(cursor, start)]
    default:
      return [other(cursor, start)]
  }
}

function add(cursor: Cursor, start: number): AlterAction {
  cursor.expect('ADD')
  if (cursor.accept('PARTITION')) return addPartition(cursor, start)
  if (cursor.acceptAll('SYSTEM', 'VERSIONING'))
    return action(cursor, start, { action: 'system versioning' })
  const constrained = constraint(cursor)
  if (constrained !== null) return action(cursor, start, { action: 'add', elements: [constrained] })
  cursor.accept('COLUMN')
  cursor.acceptAll('IF', 'NOT', 'EXISTS')
  if (cursor.accept('(')) {
    const elements = cursor.list((inner) => constraint(inner) ?? columnDefinition(inner))
    cursor.expect(')')
    return action(cursor, start, { action: 'add', elements })
  }
  const elements = [columnDefinition(cursor)]
  return action(cursor, start, { action: 'add', elements, names: place(cursor) })
}

/** `FIRST`, `AFTER c`. */
function place(cursor: Cursor): Identifier[] {
  if (cursor.accept('FIRST')) return []
  return cursor.accept('AFTER') ? [cursor.name()] : []
}

function redefine(cursor: Cursor, start: number): AlterAction {
  const change = cursor.expectOne('CHANGE', 'MODIFY') === 'change'
  cursor.accept('COLUMN')
  cursor.acceptAll('IF', 'EXISTS')
  const at = cursor.start
  const old = cursor.name()
  const name = change ? cursor.name() : old
  const elements = [columnOf(cursor, at, name)]
  const names = [old, ...place(cursor)]
  return action(cursor, start, {
    action: change ? 'change column' : 'modify column',
    elements,
    names,
  })
}

const INDEX_STATES = optionTable({ flags: 'VISIBLE, INVISIBLE, IGNORED, NOT IGNORED' })

function alter(cursor: Cursor, start: number): AlterAction {
  cursor.expect('ALTER')
  if (cursor.isOne('INDEX', 'KEY')) {
    cursor.next()
    cursor.acceptAll('IF', 'EXISTS')
    const names = [indexName(cursor)]
    const state = readOption(cursor, INDEX_STATES) ?? cursor.fail('expected a state')
    return action(cursor, start, { action: 'alter index', names, options: [state] })
  }
  if (cursor.isOne('CHECK', 'CONSTRAINT')) {
    cursor.next()
    const names = [cursor.name()]
    cursor.accept('NOT')
    cursor.expect('ENFORCED')
    return action(cursor, start, { action: 'alter constraint', names })
  }
  cursor.accept('COLUMN')
  cursor.acceptAll('IF', 'EXISTS')
  const names = [cursor.name()]
  if (cursor.acceptAll('DROP', 'DEFAULT'))
    return action(cursor, start, { action: 'alter column', names })
  cursor.expect('SET')
  if (cursor.acceptOne('VISIBLE', 'INVISIBLE') !== null)
    return action(cursor, start, { action: 'alter column', names })
  cursor.expect('DEFAULT')
  const expressions = [cursor.grammar.expression(cursor)]
  return action(cursor, start, { action: 'alter column', names, expressions })
}

function drop(cursor: Cursor, start: number): AlterAction {
  cursor.expect('DROP')
  const ifExists = (): boolean => cursor.acceptAll('IF', 'EXISTS')
  if (cursor.accept('PARTITION')) {
    ifExists()
    return action(cursor, start, { action: 'drop partition', names: cursor.list(nameOf) })
  }
  if (cursor.acceptAll('SYSTEM', 'VERSIONING'))
    return action(cursor, start, { action: 'system versioning' })
  if (cursor.mariadb && cursor.acceptAll('PERIOD', 'FOR')) {
    ifExists()
    return action(cursor, start, { action: 'drop period', names: [cursor.name()] })
  }
  if (cursor.acceptAll('PRIMARY', 'KEY')) return action(cursor, start, { action: 'drop key' })
  if (cursor.isOne('INDEX', 'KEY') || cursor.ahead('FOREIGN', 'KEY')) {
    if (cursor.next().key === 'FOREIGN') cursor.expect('KEY')
    ifExists()
    return action(cursor, start, { action: 'drop key', names: [indexName(cursor)] })
  }
  if (cursor.isOne('CHECK', 'CONSTRAINT')) {
    cursor.next()
    ifExists()
    return action(cursor, start, { action: 'drop constraint', names: [indexName(cursor)] })
  }
  cursor.accept('COLUMN')
  ifExists()
  const names = [cursor.name()]
  cursor.acceptOne('RESTRICT', 'CASCADE')
  return action(cursor, start, { action: 'drop column', names })
}

function rename(cursor: Cursor, start: number): AlterAction {
  cursor.expect('RENAME')
  const what = cursor.acceptOne('COLUMN', 'INDEX', 'KEY')
  if (what !== null) {
    cursor.acceptAll('IF', 'EXISTS')
    const old = indexName(cursor)
    cursor.expect('TO')
    const names = [old, indexName(cursor)]
    return action(cursor, start, {
      action: what === 'column' ? 'rename column' : 'rename index',
      names,
    })
  }
  cursor.acceptOne('TO', 'AS', '=')
  return action(cursor, start, { action: 'rename table', table: objectName(cursor) })
}

const ALTER_OPTIONS = optionTable({
  flags: 'FORCE, WITH VALIDATION, WITHOUT VALIDATION',
  valued: 'ALGORITHM, LOCK',
})

function other(cursor: Cursor, start: number): AlterAction {
  if (cursor.acceptAll('ORDER', 'BY'))
    return action(cursor, start, {
      action: 'order by',
      expressions: cursor.list(orderItem).map(({ expression }) => expression),
    })
  if (cursor.is('CONVERT')) return convert(cursor, start)
  if (cursor.isOne('DISABLE', 'ENABLE') && cursor.peek().key === 'KEYS') {
    cursor.next()
    cursor.next()
    return action(cursor, start, { action: 'keys' })
  }
  if (cursor.isOne('DISCARD', 'IMPORT')) return tablespace(cursor, start)
  if (cursor.acceptOne('SECONDARY_LOAD', 'SECONDARY_UNLOAD') !== null) {
    const names = cursor.accept('PARTITION') ? cursor.bracketed(nameOf) : []
    return action(cursor, start, { action: 'secondary engine', names })
  }
  if (cursor.is('UNION'))
    return action(cursor, start, { action: 'option', union: unionTables(cursor) })
  const found = readOption(cursor, ALTER_OPTIONS) ?? readOption(cursor, TABLE_OPTIONS)
  if (found !== null) return action(cursor, start, { action: 'option', options: [found] })
  return partitionAction(cursor, start)
}

function convert(cursor: Cursor, start: number): AlterAction {
  cursor.expect('CONVERT')
  if (cursor.mariadb && cursor.isOne('PARTITION', 'TABLE')) return convertPartition(cursor, start)
  cursor.expect('TO')
  if (!cursor.acceptAll('CHARACTER', 'SET') && !cursor.acceptAll('CHAR', 'SET'))
    cursor.expect('CHARSET')
  const at = cursor.start
  const charset = cursor.accept('DEFAULT') ? 'default' : nameOrText(cursor)
  const options = [option(cursor, at, 'CHARACTER SET', charset)]
  if (cursor.accept('COLLATE')) options.push(option(cursor, at, 'COLLATE', nameOrText(cursor)))
  return action(cursor, start, { action: 'convert charset', options })
}

/** MariaDB: `CONVERT PARTITION p TO TABLE t`, `CONVERT TABLE t TO PARTITION p ...`. */
function convertPartition(cursor: Cursor, start: number): AlterAction {
  if (cursor.accept('PARTITION')) {
    const names = [cursor.name()]
    cursor.expectAll('TO', 'TABLE')
    return action(cursor, start, { action: 'convert partition', names, table: objectName(cursor) })
  }
  cursor.expect('TABLE')
  const table = objectName(cursor)
  cursor.expect('TO')
  const partitions = [partition(cursor)]
  validation(cursor)
  return action(cursor, start, { action: 'convert partition', table, partitions })
}

function validation(cursor: Cursor): void {
  if (!cursor.acceptAll('WITH', 'VALIDATION')) cursor.acceptAll('WITHOUT', 'VALIDATION')
}

function tablespace(cursor: Cursor, start: number): AlterAction {
  cursor.expectOne('DISCARD', 'IMPORT')
  const names = cursor.accept('PARTITION') ? partitionList(cursor) : []
  cursor.expect('TABLESPACE')
  return action(cursor, start, { action: 'tablespace', names })
}

function addPartition(cursor: Cursor, start: number): AlterAction {
  cursor.acceptAll('IF', 'NOT', 'EXISTS')
  binlog(cursor)
  const at = cursor.start
  if (cursor.accept('PARTITIONS')) {
    const options = [option(cursor, at, 'PARTITIONS', number(cursor))]
    return action(cursor, start, { action: 'add partition', options })
  }
  return action(cursor, start, { action: 'add partition', partitions: cursor.bracketed(partition) })
}

/** Names, or ALL, which gives none. */
function partitionList(cursor: Cursor): Identifier[] {
  binlog(cursor)
  return cursor.accept('ALL') ? [] : cursor.list(nameOf)
}

function binlog(cursor: Cursor): void {
  cursor.acceptOne('NO_WRITE_TO_BINLOG', 'LOCAL')
}

function partitionAction(cursor: Cursor, start: number): AlterAction {
  if (cursor.acceptAll('REMOVE', 'PARTITIONING'))
    return action(cursor, start, { action: 'remove partitioning' })
  if (cursor.acceptAll('REORGANIZE', 'PARTITION')) {
    binlog(cursor)
    const names = cursor.isName() ? cursor.list(nameOf) : []
    const partitions = cursor.accept('INTO') ? cursor.bracketed(partition) : []
    return action(cursor, start, { action: 'reorganize partition', names, partitions })
  }
  if (cursor.acceptAll('EXCHANGE', 'PARTITION')) {
    const names = [cursor.name()]
    cursor.expectAll('WITH', 'TABLE')
    const table = objectName(cursor)
    validation(cursor)
    return action(cursor, start, { action: 'exchange partition', names, table })
  }
  if (cursor.acceptAll('COALESCE', 'PARTITION')) {
    binlog(cursor)
    const at = cursor.start
    const options = [option(cursor, at, 'PARTITIONS', number(cursor))]
    return action(cursor, start, { action: 'coalesce partition', options })
  }
  if (cursor.acceptAll('TRUNCATE', 'PARTITION'))
    return action(cursor, start, { action: 'truncate partition', names: partitionList(cursor) })
  const word = cursor.acceptOne('ANALYZE', 'CHECK', 'OPTIMIZE', 'REBUILD', 'REPAIR')
  if (word === null) cursor.fail('expected an action')
  cursor.expect('PARTITION')
  const names = partitionList(cursor)
  while (cursor.acceptOne('QUICK', 'FAST', 'MEDIUM', 'EXTENDED', 'CHANGED', 'USE_FRM') !== null);
  cursor.acceptAll('FOR', 'UPGRADE')
  return action(cursor, start, { action: 'partitions', names })
}

function nameOf(cursor: Cursor): Identifier {
  return cursor.name()
}
