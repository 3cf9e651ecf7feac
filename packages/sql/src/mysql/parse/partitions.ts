/** PARTITION BY and definitions of partitions. */
import type { Expression, Option, PartitionDefinition, Partitioning } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { column, number, option } from './names.ts'
import { optionTable, readOptions } from './options.ts'
import { expectUnit } from './units.ts'

export function partitioning(cursor: Cursor): Partitioning {
  const { start } = cursor.expect('PARTITION')
  cursor.expect('BY')
  const { method, expressions, options } = partitionMethod(cursor)
  count(cursor, options, 'PARTITIONS')
  const subpartitioning = cursor.is('SUBPARTITION') ? subpartitions(cursor) : null
  const partitions = cursor.is('(') ? cursor.bracketed(partition) : []
  const parts = { method, expressions, subpartitioning, options, partitions }
  return node(cursor, start, { kind: 'partitioning', ...parts })
}

function subpartitions(cursor: Cursor): Partitioning {
  const { start } = cursor.expect('SUBPARTITION')
  cursor.expect('BY')
  const { method, expressions, options } = partitionMethod(cursor)
  count(cursor, options, 'SUBPARTITIONS')
  const parts = { method, expressions, subpartitioning: null, options, partitions: [] }
  return node(cursor, start, { kind: 'partitioning', ...parts })
}

function count(cursor: Cursor, options: Option[], word: string): void {
  const { start } = cursor
  if (cursor.accept(word)) options.push(option(cursor, start, word, number(cursor)))
}

interface Method {
  readonly method: string
  readonly expressions: Expression[]
  readonly options: Option[]
}

function partitionMethod(cursor: Cursor): Method {
  const options: Option[] = []
  const linear = cursor.accept('LINEAR') ? 'linear ' : ''
  if (linear === '' && cursor.mariadb && cursor.is('SYSTEM_TIME')) return bySystemTime(cursor)
  const word =
    linear === ''
      ? cursor.expectOne('HASH', 'KEY', 'RANGE', 'LIST')
      : cursor.expectOne('HASH', 'KEY')
  if (word === 'key') {
    const { start } = cursor
    if (cursor.accept('ALGORITHM')) {
      cursor.expect('=')
      options.push(option(cursor, start, 'ALGORITHM', number(cursor)))
    }
    return { method: `${linear}key`, expressions: columns(cursor), options }
  }
  if (word !== 'hash' && cursor.accept('COLUMNS'))
    return { method: `${word} columns`, expressions: columns(cursor), options }
  cursor.expect('(')
  const expressions = [cursor.grammar.expression(cursor)]
  cursor.expect(')')
  return { method: `${linear}${word}`, expressions, options }
}

/** Names in brackets, or none. */
function columns(cursor: Cursor): Expression[] {
  cursor.expect('(')
  const names = cursor.is(')')
    ? []
    : cursor.list((inner) => column(inner, inner.start, [inner.name()]))
  cursor.expect(')')
  return names
}

/** MariaDB: `SYSTEM_TIME [INTERVAL n unit [STARTS e] [AUTO]] [LIMIT n]`. */
function bySystemTime(cursor: Cursor): Method {
  cursor.expect('SYSTEM_TIME')
  const options: Option[] = []
  const expressions: Expression[] = []
  for (;;) {
    const { start } = cursor
    if (cursor.accept('INTERVAL')) {
      expressions.push(cursor.grammar.expression(cursor))
      options.push(option(cursor, start, 'INTERVAL', expectUnit(cursor)))
    } else if (cursor.accept('STARTS')) expressions.push(startOfHistory(cursor))
    else if (cursor.accept('AUTO')) options.push(option(cursor, start, 'AUTO'))
    else if (cursor.accept('LIMIT')) options.push(option(cursor, start, 'LIMIT', number(cursor)))
    else return { method: 'system_time', expressions, options }
  }
}

function startOfHistory(cursor: Cursor): Expression {
  return cursor.grammar.expression(cursor)
}

const PARTITION_OPTIONS = optionTable(
  {
    valued:
      'STORAGE ENGINE, ENGINE, COMMENT, DATA DIRECTORY, INDEX DIRECTORY, MAX_ROWS, MIN_ROWS, TABLESPACE, NODEGROUP, ' +
      'ENGINE_ATTRIBUTE, SECONDARY_ENGINE_ATTRIBUTE',
  },
  { anyName: true },
)

export function partition(cursor: Cursor): PartitionDefinition {
  const { start } = cursor.expect('PARTITION')
  const name = cursor.name()
  const values = partitionValues(cursor)
  const options = readOptions(cursor, PARTITION_OPTIONS)
  const parts = cursor.is('(') ? cursor.bracketed(subpartition) : []
  return node(cursor, start, {
    kind: 'partition-definition',
    name,
    values,
    options,
    subpartitions: parts,
  })
}

function subpartition(cursor: Cursor): PartitionDefinition {
  const { start } = cursor.expect('SUBPARTITION')
  const { type } = cursor.token
  const name = type === 'string' ? cursor.identifier() : cursor.name()
  const options = readOptions(cursor, PARTITION_OPTIONS)
  return node(cursor, start, {
    kind: 'partition-definition',
    name,
    values: [],
    options,
    subpartitions: [],
  })
}

/** VALUES LESS THAN, VALUES IN; MariaDB's DEFAULT, HISTORY, CURRENT have none. */
function partitionValues(cursor: Cursor): Expression[] {
  if (cursor.mariadb && cursor.acceptOne('DEFAULT', 'HISTORY', 'CURRENT') !== null) return []
  if (!cursor.accept('VALUES')) return []
  if (cursor.acceptAll('LESS', 'THAN')) {
    if (cursor.is('MAXVALUE')) return [boundary(cursor)]
    return cursor.bracketed(boundary)
  }
  cursor.expect('IN')
  return cursor.bracketed(boundary)
}

function boundary(cursor: Cursor): Expression {
  const { start } = cursor
  if (!cursor.is('MAXVALUE')) return cursor.grammar.expression(cursor)
  return column(cursor, start, [cursor.identifier()])
}
