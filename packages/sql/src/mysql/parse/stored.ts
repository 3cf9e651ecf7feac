/** CREATE and ALTER of views, routines, triggers and events: definitions that hold queries or bodies. */
import type {
  Account,
  AlterRoutine,
  CreateEvent,
  CreateRoutine,
  CreateTrigger,
  CreateView,
  Expression,
  Identifier,
  Option,
  RoutineParameter,
  RoutineStatement,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { account, objectName, option, text } from './names.ts'
import { optionTable, readOption, readOptions } from './options.ts'
import { dataType } from './types.ts'
import { intervalUnit } from './units.ts'

/** What was read between CREATE or ALTER and the kind of object. */
export interface Head {
  readonly start: number
  readonly verb: 'create' | 'alter'
  readonly orReplace: boolean
  readonly definer: Account | null
  readonly options: readonly Option[]
}

/** `DEFINER = account`, or nothing. */
export function definer(cursor: Cursor): Account | null {
  if (!cursor.ahead('DEFINER', '=')) return null
  cursor.expectAll('DEFINER', '=')
  return account(cursor)
}

/** ALGORITHM and SQL SECURITY in front of VIEW. */
export const VIEW_OPTIONS = optionTable({ valued: 'ALGORITHM, SQL SECURITY' })

export function view(cursor: Cursor, head: Head): CreateView {
  const options = [...head.options]
  const at = cursor.start
  if (cursor.accept('MATERIALIZED')) options.push(option(cursor, at, 'MATERIALIZED'))
  cursor.expect('VIEW')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  const columns = cursor.is('(') ? cursor.bracketed(nameOf) : null
  cursor.expect('AS')
  const query = cursor.grammar.query(cursor)
  const checkStart = cursor.start
  if (cursor.accept('WITH')) {
    const kind = cursor.acceptOne('CASCADED', 'LOCAL') ?? 'cascaded'
    cursor.expectAll('CHECK', 'OPTION')
    options.push(option(cursor, checkStart, 'WITH CHECK OPTION', kind))
  }
  const { start, verb, orReplace, definer: by } = head
  const about = { verb, orReplace, ifNotExists, definer: by, options }
  return node(cursor, start, { kind: 'create-view', ...about, name, columns, query })
}

export const CHARACTERISTICS = optionTable({
  flags:
    'DETERMINISTIC, NOT DETERMINISTIC, CONTAINS SQL, NO SQL, READS SQL DATA, MODIFIES SQL DATA, ' +
    'SQL SECURITY DEFINER, SQL SECURITY INVOKER',
  valued: 'LANGUAGE, COMMENT',
})

export function routine(cursor: Cursor, head: Head): CreateRoutine {
  const aggregate = cursor.accept('AGGREGATE')
  const kind = cursor.expectOne('PROCEDURE', 'FUNCTION')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  cursor.expect('(')
  const parameters = cursor.is(')') ? [] : cursor.list(parameter)
  cursor.expect(')')
  cursor.inBody++
  const returns = kind === 'function' ? returnType(cursor) : null
  const options = characteristics(cursor)
  const body = foreignBody(cursor, options) ? null : statementOf(cursor)
  cursor.inBody--
  const { start, orReplace, definer: by } = head
  const about = { routine: kind, orReplace, ifNotExists, aggregate, definer: by, name }
  const parts = { parameters, returns, options, body }
  return node(cursor, start, { kind: 'create-routine', ...about, ...parts })
}

function returnType(cursor: Cursor): CreateRoutine['returns'] {
  cursor.expect('RETURNS')
  return dataType(cursor)
}

export function characteristics(cursor: Cursor): Option[] {
  const options: Option[] = []
  for (;;) {
    options.push(...readOptions(cursor, CHARACTERISTICS))
    const { start } = cursor
    if (cursor.mariadb || !cursor.ahead('USING', '(')) return options
    cursor.next()
    const libraries = cursor.bracketed(library)
    options.push(option(cursor, start, 'USING', libraries.join(', ')))
  }
}

/** A library, of which database it may be, and its alias. */
function library(cursor: Cursor): string {
  const { name } = objectName(cursor)
  if (cursor.accept('AS')) cursor.name()
  return name.value
}

/** `AS 'text'`, `AS $$text$$`: a body in another language than SQL. */
function foreignBody(cursor: Cursor, options: readonly Option[]): boolean {
  const foreign = options.some(
    ({ name, value }) => name === 'LANGUAGE' && value?.toUpperCase() !== 'SQL',
  )
  if (!foreign) return false
  cursor.expect('AS')
  if (cursor.token.type !== 'dollar') text(cursor)
  else cursor.next()
  return true
}

function parameter(cursor: Cursor): RoutineParameter {
  const { start } = cursor
  const mode = cursor.acceptOne('IN', 'OUT', 'INOUT')
  const name = cursor.name()
  cursor.inBody++
  const type = dataType(cursor)
  cursor.inBody--
  const given =
    cursor.mariadb && cursor.accept('DEFAULT') ? cursor.grammar.expression(cursor) : null
  return node(cursor, start, { kind: 'routine-parameter', mode, name, type, default: given })
}

export function statementOf(cursor: Cursor): RoutineStatement {
  cursor.enter()
  const statement = cursor.grammar.statement(cursor)
  cursor.leave()
  return statement
}

export function alterRoutine(cursor: Cursor, start: number): AlterRoutine {
  const kind = cursor.expectOne('PROCEDURE', 'FUNCTION')
  const name = objectName(cursor)
  return node(cursor, start, {
    kind: 'alter-routine',
    routine: kind,
    name,
    options: characteristics(cursor),
  })
}

export function trigger(cursor: Cursor, head: Head): CreateTrigger {
  cursor.expect('TRIGGER')
  const ifNotExists = cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  const time = cursor.expectOne('BEFORE', 'AFTER')
  const event = cursor.expectOne('INSERT', 'UPDATE', 'DELETE')
  cursor.expect('ON')
  const table = objectName(cursor)
  cursor.expectAll('FOR', 'EACH', 'ROW')
  const at = cursor.start
  const before = cursor.acceptOne('FOLLOWS', 'PRECEDES')
  const order =
    before === null ? null : option(cursor, at, before.toUpperCase(), cursor.name().value)
  cursor.inBody++
  const body = statementOf(cursor)
  cursor.inBody--
  const { start, orReplace, definer: by } = head
  const about = { orReplace, ifNotExists, definer: by, name, time, event, table, order }
  return node(cursor, start, { kind: 'create-trigger', ...about, body })
}

const EVENT_STATES = optionTable({
  flags:
    'ENABLE, DISABLE ON SLAVE, DISABLE ON REPLICA, DISABLE, ON COMPLETION PRESERVE, ON COMPLETION NOT PRESERVE',
  valued: 'COMMENT',
})

export function event(cursor: Cursor, head: Head): CreateEvent {
  cursor.expect('EVENT')
  const ifNotExists = head.verb === 'create' && cursor.acceptAll('IF', 'NOT', 'EXISTS')
  const name = objectName(cursor)
  const schedule = cursor.acceptAll('ON', 'SCHEDULE') ? eventSchedule(cursor) : []
  const options: Option[] = []
  let rename: CreateEvent['rename'] = null
  for (;;) {
    const found = readOption(cursor, EVENT_STATES)
    if (found !== null) options.push(found)
    else if (cursor.acceptAll('RENAME', 'TO')) rename = objectName(cursor)
    else break
  }
  const body = cursor.accept('DO') ? eventBody(cursor) : null
  const { start, verb, orReplace, definer: by } = head
  const about = { verb, orReplace, ifNotExists, definer: by, name, rename, schedule, options }
  return node(cursor, start, { kind: 'create-event', ...about, body })
}

function eventBody(cursor: Cursor): RoutineStatement {
  cursor.inBody++
  const body = statementOf(cursor)
  cursor.inBody--
  return body
}

/** `AT e`, `EVERY e unit [STARTS e] [ENDS e]`. */
function eventSchedule(cursor: Cursor): Expression[] {
  if (cursor.accept('AT')) return [cursor.grammar.expression(cursor)]
  const { start } = cursor.expect('EVERY')
  const value = cursor.grammar.expression(cursor)
  const unit = intervalUnit(cursor) ?? cursor.fail('expected a unit')
  cursor.next()
  const schedule: Expression[] = [node(cursor, start, { kind: 'interval', value, unit })]
  if (cursor.accept('STARTS')) schedule.push(cursor.grammar.expression(cursor))
  if (cursor.accept('ENDS')) schedule.push(cursor.grammar.expression(cursor))
  return schedule
}

function nameOf(cursor: Cursor): Identifier {
  return cursor.name()
}
