/** SHOW: a table of what can be shown and what each may name. */
import type { Account, Expression, Identifier, Literal, ObjectName, Show } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { stringLiteral } from './literals.ts'
import { account, nameOrText, objectName } from './names.ts'
import { limit } from './windows.ts'

/**
 * What may follow a subject. `object`: FROM, IN or nothing, then a name, with another FROM for its database.
 * `database`: [FROM d]. `like`: [LIKE 'p' | WHERE e]. `name`: a name right behind.
 */
type Follow =
  | 'nothing'
  | 'like'
  | 'database'
  | 'table'
  | 'name'
  | 'account'
  | 'user'
  | 'limit'
  | 'events'
  | 'engine'
  | 'profile'
  | 'explain'
  | 'channel'
  | 'parse tree'

const SUBJECTS: readonly (readonly [words: string, follow: Follow])[] = [
  ['DATABASES', 'like'],
  ['SCHEMAS', 'like'],
  ['TABLES', 'database'],
  ['TABLE STATUS', 'database'],
  ['OPEN TABLES', 'database'],
  ['TRIGGERS', 'database'],
  ['EVENTS', 'database'],
  ['COLUMNS', 'table'],
  ['FIELDS', 'table'],
  ['INDEX', 'table'],
  ['INDEXES', 'table'],
  ['KEYS', 'table'],
  ['CREATE TABLE', 'name'],
  ['CREATE VIEW', 'name'],
  ['CREATE PROCEDURE', 'name'],
  ['CREATE FUNCTION', 'name'],
  ['CREATE TRIGGER', 'name'],
  ['CREATE EVENT', 'name'],
  ['CREATE SEQUENCE', 'name'],
  ['CREATE SERVER', 'name'],
  ['CREATE PACKAGE BODY', 'name'],
  ['CREATE PACKAGE', 'name'],
  ['CREATE LIBRARY', 'name'],
  ['CREATE DATABASE', 'name'],
  ['CREATE SCHEMA', 'name'],
  ['CREATE USER', 'user'],
  ['PROCEDURE CODE', 'name'],
  ['FUNCTION CODE', 'name'],
  ['PACKAGE BODY CODE', 'name'],
  ['PROCEDURE STATUS', 'like'],
  ['FUNCTION STATUS', 'like'],
  ['PACKAGE BODY STATUS', 'like'],
  ['PACKAGE STATUS', 'like'],
  ['LIBRARY STATUS', 'like'],
  ['STATUS', 'like'],
  ['VARIABLES', 'like'],
  ['COLLATION', 'like'],
  ['CHARACTER SET', 'like'],
  ['CHARSET', 'like'],
  ['PROCESSLIST', 'nothing'],
  ['WARNINGS', 'limit'],
  ['ERRORS', 'limit'],
  ['ENGINES', 'nothing'],
  ['STORAGE ENGINES', 'nothing'],
  ['ENGINE', 'engine'],
  ['PLUGINS SONAME', 'engine'],
  ['PLUGINS', 'like'],
  ['PRIVILEGES', 'nothing'],
  ['GRANTS', 'account'],
  ['PROFILES', 'nothing'],
  ['PROFILE', 'profile'],
  ['BINARY LOGS', 'nothing'],
  ['MASTER LOGS', 'nothing'],
  ['BINARY LOG STATUS', 'nothing'],
  ['MASTER STATUS', 'nothing'],
  ['BINLOG STATUS', 'nothing'],
  ['BINLOG EVENTS', 'events'],
  ['RELAYLOG EVENTS', 'events'],
  ['SLAVE HOSTS', 'nothing'],
  ['REPLICA HOSTS', 'nothing'],
  ['REPLICAS', 'nothing'],
  ['ALL SLAVES STATUS', 'nothing'],
  ['ALL REPLICAS STATUS', 'nothing'],
  ['SLAVE', 'channel'],
  ['REPLICA', 'channel'],
  ['AUTHORS', 'nothing'],
  ['CONTRIBUTORS', 'nothing'],
  ['EXPLAIN', 'explain'],
  ['ANALYZE', 'explain'],
  ['PARSE_TREE', 'parse tree'],
  // Plugins of MariaDB.
  ['LOCALES', 'like'],
  ['QUERY_RESPONSE_TIME', 'like'],
  ['METADATA_LOCK_INFO', 'like'],
  ['QUERY_CACHE_INFO', 'like'],
  ['WSREP_STATUS', 'like'],
  ['WSREP_MEMBERSHIP', 'like'],
  ['USER_STATISTICS', 'like'],
  ['CLIENT_STATISTICS', 'like'],
  ['INDEX_STATISTICS', 'like'],
  ['TABLE_STATISTICS', 'like'],
]

/** By first word; longer subjects come first in SUBJECTS. */
const BY_WORD = new Map<string, (readonly [words: readonly string[], follow: Follow])[]>()
for (const [words, follow] of SUBJECTS) {
  const keys = words.split(' ')
  const list = BY_WORD.get(keys[0] as string) ?? []
  list.push([keys, follow])
  BY_WORD.set(keys[0] as string, list)
}

const MODIFIERS = ['FULL', 'EXTENDED', 'GLOBAL', 'SESSION', 'LOCAL'] as const

type Shown = Omit<Show, 'kind' | 'start' | 'end' | 'subject' | 'modifiers'>

const NOTHING: Shown = {
  object: null,
  database: null,
  account: null,
  roles: [],
  arguments: [],
  like: null,
  where: null,
}

export function show(cursor: Cursor): Show {
  const { start } = cursor.expect('SHOW')
  const modifiers: string[] = []
  for (;;) {
    const modifier = cursor.acceptOne(...MODIFIERS)
    if (modifier === null) break
    modifiers.push(modifier.toUpperCase())
  }
  if (cursor.acceptAll('COUNT', '(', '*', ')')) modifiers.push('COUNT(*)')
  const found = BY_WORD.get(cursor.token.key)?.find(([words]) => cursor.ahead(...words))
  if (found === undefined) cursor.fail('this is nothing that can be shown')
  const [words, follow] = found
  cursor.expectAll(...words)
  const shown = follows(cursor, follow, modifiers)
  return node(cursor, start, {
    kind: 'show',
    subject: words.join(' '),
    modifiers,
    ...NOTHING,
    ...shown,
  })
}

function follows(cursor: Cursor, follow: Follow, modifiers: string[]): Partial<Shown> {
  switch (follow) {
    case 'nothing':
      return cursor.mariadb ? filter(cursor) : {}
    case 'like':
      return filter(cursor)
    case 'database':
      return { database: fromDatabase(cursor), ...filter(cursor) }
    case 'table':
      return { ...ofTable(cursor), ...filter(cursor) }
    case 'name':
      return named(cursor, modifiers)
    case 'user':
      return atEnd(cursor) ? {} : { account: account(cursor) }
    case 'account':
      return grantee(cursor)
    case 'limit':
      limit(cursor)
      return {}
    case 'events':
      return events(cursor)
    case 'engine':
      return engine(cursor, modifiers)
    case 'profile':
      return profile(cursor, modifiers)
    case 'explain':
      return connection(cursor, modifiers)
    case 'channel':
      return channel(cursor, modifiers)
    case 'parse tree':
      return cursor.unsupported('SHOW PARSE_TREE is for debugging the server')
  }
}

function atEnd(cursor: Cursor): boolean {
  return cursor.token.type === 'end' || cursor.is(';')
}

function filter(cursor: Cursor): { like: Literal | null; where: Expression | null } {
  if (cursor.accept('LIKE')) return { like: stringLiteral(cursor), where: null }
  const where = cursor.accept('WHERE') ? cursor.grammar.expression(cursor) : null
  return { like: null, where }
}

function fromDatabase(cursor: Cursor): Identifier | null {
  return cursor.acceptOne('FROM', 'IN') === null ? null : cursor.name()
}

function ofTable(cursor: Cursor): Partial<Shown> {
  cursor.expectOne('FROM', 'IN')
  const object = objectName(cursor)
  return { object, database: fromDatabase(cursor) }
}

/** IF NOT EXISTS is CREATE DATABASE's. */
function named(cursor: Cursor, modifiers: string[]): { object: ObjectName } {
  if (cursor.acceptAll('IF', 'NOT', 'EXISTS')) modifiers.push('IF NOT EXISTS')
  return { object: objectName(cursor) }
}

function grantee(cursor: Cursor): Partial<Shown> {
  if (!cursor.accept('FOR')) return {}
  const of: Account = account(cursor)
  const roles = cursor.accept('USING') ? cursor.list(account) : []
  return { account: of, roles }
}

function events(cursor: Cursor): Partial<Shown> {
  const names: Expression[] = []
  if (cursor.accept('IN')) names.push(stringLiteral(cursor))
  if (cursor.accept('FROM')) names.push(cursor.grammar.expression(cursor))
  limit(cursor)
  return { arguments: names, ...channel(cursor, []) }
}

function engine(cursor: Cursor, modifiers: string[]): Partial<Shown> {
  if (cursor.accept('ALL')) modifiers.push('ALL')
  else modifiers.push(nameOrText(cursor).toUpperCase())
  const report = cursor.acceptOne('STATUS', 'MUTEX', 'LOGS')
  if (report !== null) modifiers.push(report.toUpperCase())
  return {}
}

const PROFILE_PARTS = ['ALL', 'CPU', 'IPC', 'MEMORY', 'SOURCE', 'SWAPS'] as const

function profile(cursor: Cursor, modifiers: string[]): Partial<Shown> {
  do {
    const part = cursor.acceptOne(...PROFILE_PARTS)
    if (part !== null) modifiers.push(part.toUpperCase())
    else if (cursor.acceptAll('BLOCK', 'IO')) modifiers.push('BLOCK IO')
    else if (cursor.acceptAll('CONTEXT', 'SWITCHES')) modifiers.push('CONTEXT SWITCHES')
    else if (cursor.acceptAll('PAGE', 'FAULTS')) modifiers.push('PAGE FAULTS')
    else break
  } while (cursor.accept(','))
  const query = cursor.acceptAll('FOR', 'QUERY') ? [cursor.grammar.expression(cursor)] : []
  limit(cursor)
  return { arguments: query }
}

/** MariaDB: SHOW EXPLAIN FOR id, SHOW ANALYZE FORMAT=JSON FOR id. */
function connection(cursor: Cursor, modifiers: string[]): Partial<Shown> {
  if (cursor.acceptAll('FORMAT', '=')) modifiers.push(`FORMAT ${nameOrText(cursor).toUpperCase()}`)
  cursor.expect('FOR')
  return { arguments: [cursor.grammar.expression(cursor)] }
}

/** SLAVE STATUS, REPLICA 'name' STATUS, ... FOR CHANNEL 'c'. */
function channel(cursor: Cursor, modifiers: string[]): Partial<Shown> {
  if (cursor.token.type === 'string') modifiers.push(stringLiteral(cursor).value)
  if (cursor.accept('STATUS')) modifiers.push('STATUS')
  if (cursor.acceptAll('NONBLOCKING')) modifiers.push('NONBLOCKING')
  if (cursor.acceptAll('FOR', 'CHANNEL')) return { arguments: [stringLiteral(cursor)] }
  return {}
}
