/** GRANT and REVOKE. */
import type { Account, Grant, GrantLevel, Identifier, Option, Privilege } from '../ast.ts'
import { identified, requirement, resource } from './accounts.ts'
import { type Cursor, node } from './cursor.ts'
import { account, objectName, option } from './names.ts'

/** Privileges by their words; longer ones first. Dynamic ones of MySQL are single names. */
const PRIVILEGES: readonly (readonly string[])[] = [
  'ALTER ROUTINE',
  'ALTER',
  'BINLOG ADMIN',
  'BINLOG MONITOR',
  'BINLOG REPLAY',
  'CONNECTION ADMIN',
  'CREATE ROUTINE',
  'CREATE TABLESPACE',
  'CREATE TEMPORARY TABLES',
  'CREATE USER',
  'CREATE ROLE',
  'CREATE VIEW',
  'CREATE',
  'DELETE HISTORY',
  'DELETE VERSIONING ROWS',
  'DELETE',
  'DROP ROLE',
  'DROP',
  'EVENT',
  'EXECUTE',
  'FEDERATED ADMIN',
  'FILE',
  'GRANT OPTION',
  'INDEX',
  'INSERT',
  'LOCK TABLES',
  'PROCESS',
  'READ ONLY ADMIN',
  'READ_ONLY ADMIN',
  'REFERENCES',
  'RELOAD',
  'REPLICATION CLIENT',
  'REPLICATION MASTER ADMIN',
  'REPLICATION REPLICA ADMIN',
  'REPLICATION REPLICA',
  'REPLICATION SLAVE ADMIN',
  'REPLICATION SLAVE',
  'REPLICA MONITOR',
  'SLAVE MONITOR',
  'SELECT',
  'SET USER',
  'SHOW DATABASES',
  'SHOW VIEW',
  'SHOW CREATE ROUTINE',
  'SHUTDOWN',
  'SUPER',
  'TRIGGER',
  'UPDATE',
  'USAGE',
].map((words) => words.split(' '))

export function grant(cursor: Cursor): Grant {
  const { start } = cursor
  const verb = cursor.expectOne('GRANT', 'REVOKE')
  if (verb === 'revoke') cursor.acceptAll('IF', 'EXISTS')
  if (cursor.acceptAll('PROXY', 'ON')) return proxy(cursor, start, verb)
  const admin = cursor.acceptAll('ADMIN', 'OPTION', 'FOR')
  const { privileges, roles } = granted(cursor)
  const on = cursor.accept('ON') ? grantLevel(cursor) : null
  if (on === null && privileges.length > 0 && !revokesAll(verb, privileges))
    cursor.fail('expected `ON`')
  cursor.expect(verb === 'grant' ? 'TO' : 'FROM')
  const options: Option[] = admin ? [option(cursor, start, 'ADMIN OPTION')] : []
  const to = cursor.list((inner) => grantee(inner, options))
  grantOptions(cursor, options)
  return node(cursor, start, {
    kind: 'grant',
    verb,
    privileges,
    roles,
    on,
    proxy: null,
    to,
    options,
  })
}

/** `REVOKE ALL PRIVILEGES, GRANT OPTION FROM u`. */
function revokesAll(verb: string, privileges: readonly Privilege[]): boolean {
  return verb === 'revoke' && privileges[0]?.name === 'ALL PRIVILEGES'
}

function proxy(cursor: Cursor, start: number, verb: 'grant' | 'revoke'): Grant {
  const of = account(cursor)
  cursor.expect(verb === 'grant' ? 'TO' : 'FROM')
  const options: Option[] = []
  const to = cursor.list((inner) => grantee(inner, options))
  grantOptions(cursor, options)
  const none = { privileges: [], roles: [], on: null }
  return node(cursor, start, { kind: 'grant', verb, ...none, proxy: of, to, options })
}

/** A list is of privileges where ON follows, else of roles; words of static privileges are reserved or known. */
function granted(cursor: Cursor): Pick<Grant, 'privileges' | 'roles'> {
  const privileges: Privilege[] = []
  const roles: Account[] = []
  do {
    const found = privilege(cursor)
    if (found !== null) privileges.push(found)
    else roles.push(account(cursor))
  } while (cursor.accept(','))
  if (!cursor.is('ON')) return { privileges, roles }
  // MySQL's dynamic privileges look like roles.
  const dynamic = roles.map(({ start, end, name }) =>
    privilegeOf(start, end, (name ?? '').toUpperCase()),
  )
  return { privileges: [...privileges, ...dynamic], roles: [] }
}

function privilegeOf(start: number, end: number, name: string): Privilege {
  return { kind: 'privilege', start, end, name, columns: [] }
}

function privilege(cursor: Cursor): Privilege | null {
  const { start } = cursor
  if (cursor.accept('ALL')) {
    cursor.accept('PRIVILEGES')
    return privilegeOf(start, cursor.end, 'ALL PRIVILEGES')
  }
  const words = PRIVILEGES.find((candidate) => cursor.ahead(...candidate))
  if (words === undefined) return null
  // A role may have such a name: then no list of privileges goes on behind it.
  const behind = cursor.peek(words.length).key
  if (behind === 'TO' && !cursor.reserved(words[0] as string)) return null
  cursor.expectAll(...words)
  const columns: Identifier[] = cursor.is('(') ? cursor.bracketed((inner) => inner.name()) : []
  return { kind: 'privilege', start, end: cursor.end, name: words.join(' '), columns }
}

function grantLevel(cursor: Cursor): GrantLevel {
  const { start } = cursor
  const typed = cursor.isOne('TABLE', 'FUNCTION', 'PROCEDURE', 'PACKAGE', 'LIBRARY')
  const named = typed && !['.', 'TO', 'FROM'].includes(cursor.peek().key)
  const word = named ? cursor.next().key.toLowerCase() : null
  const object = word === 'package' && cursor.accept('BODY') ? 'package body' : word
  const level = (fields: Pick<GrantLevel, 'level' | 'database' | 'name'>): GrantLevel =>
    node(cursor, start, { kind: 'grant-level', object, ...fields })
  if (cursor.accept('*')) {
    if (!cursor.acceptAll('.', '*'))
      return level({ level: 'current database', database: null, name: null })
    return level({ level: 'global', database: null, name: null })
  }
  if (cursor.peek().key === '.' && cursor.peek(2).key === '*') {
    const database = cursor.name()
    cursor.expectAll('.', '*')
    return level({ level: 'database', database, name: null })
  }
  return level({ level: 'object', database: null, name: objectName(cursor) })
}

function grantee(cursor: Cursor, options: Option[]): Account {
  const of = account(cursor)
  const { start } = cursor
  if (cursor.is('IDENTIFIED')) {
    identified(cursor)
    options.push(option(cursor, start, 'IDENTIFIED'))
  }
  return of
}

function grantOptions(cursor: Cursor, options: Option[]): void {
  for (;;) {
    const { start } = cursor
    if (requirement(cursor)) options.push(option(cursor, start, 'REQUIRE'))
    else if (cursor.acceptAll('IGNORE', 'UNKNOWN', 'USER'))
      options.push(option(cursor, start, 'IGNORE UNKNOWN USER'))
    else if (cursor.accept('WITH')) withOptions(cursor, options)
    else if (!cursor.mariadb && cursor.accept('AS')) grantAs(cursor)
    else return
  }
}

function withOptions(cursor: Cursor, options: Option[]): void {
  do {
    const { start } = cursor
    const word = cursor.acceptOne('GRANT', 'ADMIN')
    if (word === null) resource(cursor)
    else cursor.expect('OPTION')
    options.push(option(cursor, start, word === null ? 'LIMIT' : `${word.toUpperCase()} OPTION`))
  } while (cursor.token.key.startsWith('MAX_') || cursor.isOne('GRANT', 'ADMIN'))
}

/** `AS user [WITH ROLE ...]`. */
function grantAs(cursor: Cursor): void {
  account(cursor)
  if (!cursor.acceptAll('WITH', 'ROLE')) return
  if (cursor.acceptOne('NONE', 'DEFAULT') !== null) return
  if (cursor.accept('ALL')) {
    if (cursor.accept('EXCEPT')) cursor.list(account)
  } else cursor.list(account)
}
