/** SET in all its forms. */
import type {
  Account,
  Administer,
  ColumnReference,
  Expression,
  SetForStatement,
  SetItem,
  SetStatement,
  SetVariable,
  SystemVariable,
  UserVariable,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { systemName, systemVariable, userVariable } from './literals.ts'
import { account, columnName, nameOrText, number, option, text } from './names.ts'

export function set(cursor: Cursor): SetStatement | SetForStatement | Administer {
  const { start } = cursor.expect('SET')
  if (cursor.mariadb && cursor.accept('STATEMENT')) return setForStatement(cursor, start)
  if (cursor.ahead('RESOURCE', 'GROUP')) return resourceGroup(cursor, start)
  const alone = loneItem(cursor)
  if (alone !== null) return node(cursor, start, { kind: 'set', items: [alone] })
  return node(cursor, start, { kind: 'set', items: setList(cursor) })
}

/** A scope holds for the items after it, too, until another one is said. */
function setList(cursor: Cursor): SetItem[] {
  let scope: SystemVariable['scope'] = null
  return cursor.list((inner) => {
    const said = acceptScope(inner)
    if (said !== null) scope = said
    return setItem(inner, scope)
  })
}

const SCOPES = ['GLOBAL', 'SESSION', 'LOCAL', 'PERSIST', 'PERSIST_ONLY'] as const

function acceptScope(cursor: Cursor): SystemVariable['scope'] {
  const next = cursor.peek().key
  if (next === '=' || next === ':=' || next === '.') return null
  const scope = cursor.mariadb
    ? cursor.acceptOne('GLOBAL', 'SESSION', 'LOCAL')
    : cursor.acceptOne(...SCOPES)
  return scope
}

/** Forms that stand alone: TRANSACTION, PASSWORD, ROLE, DEFAULT ROLE. */
function loneItem(cursor: Cursor): SetItem | null {
  const { start } = cursor
  const next = cursor.peek().key
  if (cursor.is('TRANSACTION')) return transaction(cursor, start, null)
  if (cursor.isOne('GLOBAL', 'SESSION', 'LOCAL') && next === 'TRANSACTION') {
    const scope = cursor.next().key === 'GLOBAL' ? 'global' : 'session'
    return transaction(cursor, start, scope)
  }
  if (cursor.is('PASSWORD') && (next === '=' || next === ':=' || next === 'FOR' || next === 'TO'))
    return password(cursor, start)
  if (cursor.is('ROLE') && next !== '=' && next !== ':=') return role(cursor, start)
  if (cursor.ahead('DEFAULT', 'ROLE')) return defaultRole(cursor, start)
  return null
}

function setItem(cursor: Cursor, scope: SystemVariable['scope']): SetItem {
  const { start } = cursor
  if (cursor.is('NAMES') && !isAssignment(cursor.peek().key)) return names(cursor, start)
  if (
    cursor.acceptAll('CHARACTER', 'SET') ||
    cursor.acceptAll('CHAR', 'SET') ||
    acceptCharset(cursor)
  ) {
    const charset = cursor.accept('DEFAULT') ? null : nameOrText(cursor).toLowerCase()
    return node(cursor, start, { kind: 'set-character-set', charset })
  }
  return setVariable(cursor, scope)
}

function isAssignment(key: string): boolean {
  return key === '=' || key === ':=' || key === '.'
}

function acceptCharset(cursor: Cursor): boolean {
  return cursor.is('CHARSET') && !isAssignment(cursor.peek().key) && cursor.accept('CHARSET')
}

function setVariable(cursor: Cursor, scope: SystemVariable['scope']): SetVariable {
  const { start } = cursor
  const target = setTarget(cursor, scope)
  if (!cursor.accept('=')) cursor.expect(':=')
  return node(cursor, start, { kind: 'set-variable', target, value: setValue(cursor) })
}

function setTarget(
  cursor: Cursor,
  scope: SystemVariable['scope'],
): UserVariable | SystemVariable | ColumnReference {
  if (cursor.token.type === 'variable') return userVariable(cursor)
  if (cursor.is('@@')) return systemVariable(cursor)
  // In a trigger's body; the server takes no other qualified column.
  const record = cursor.inBody > 0 && /^(?:new|old)$/i.test(cursor.token.value)
  if (record && cursor.peek().key === '.') return columnName(cursor)
  return systemName(cursor, cursor.start, scope)
}

/** Words that are values here and reserved elsewhere. */
const VALUE_WORDS = new Set(['ON', 'ALL', 'BINARY', 'ROW', 'SYSTEM', 'DEFAULT'])

function setValue(cursor: Cursor): Expression {
  const { start, key } = cursor.token
  const bare = VALUE_WORDS.has(key) && isEnd(cursor, cursor.peek().key)
  if (!bare || key === 'DEFAULT') return cursor.grammar.expression(cursor)
  const name = cursor.identifier()
  return node(cursor, start, { kind: 'column', database: null, table: null, name })
}

function isEnd(cursor: Cursor, key: string): boolean {
  return key === ',' || key === ';' || key === 'FOR' || cursor.peek().type === 'end'
}

function names(cursor: Cursor, start: number): SetItem {
  cursor.expect('NAMES')
  const charset = cursor.accept('DEFAULT') ? null : nameOrText(cursor).toLowerCase()
  let collation: string | null = null
  if (cursor.accept('COLLATE'))
    collation = cursor.accept('DEFAULT') ? null : nameOrText(cursor).toLowerCase()
  return node(cursor, start, { kind: 'set-names', charset, collation })
}

function transaction(cursor: Cursor, start: number, scope: 'global' | 'session' | null): SetItem {
  cursor.expect('TRANSACTION')
  const characteristics = cursor.list(characteristic)
  return node(cursor, start, { kind: 'set-transaction', scope, characteristics })
}

function characteristic(cursor: Cursor): string {
  if (cursor.accept('READ')) return `read ${cursor.expectOne('ONLY', 'WRITE')}`
  cursor.expectAll('ISOLATION', 'LEVEL')
  if (cursor.accept('SERIALIZABLE')) return 'isolation level serializable'
  if (cursor.acceptAll('REPEATABLE', 'READ')) return 'isolation level repeatable read'
  cursor.expect('READ')
  return `isolation level read ${cursor.expectOne('COMMITTED', 'UNCOMMITTED')}`
}

/** The password itself is not kept. */
function password(cursor: Cursor, start: number): SetItem {
  cursor.expect('PASSWORD')
  const of: Account | null = cursor.accept('FOR') ? account(cursor) : null
  if (cursor.acceptAll('TO', 'RANDOM')) {
    afterPassword(cursor)
    return node(cursor, start, { kind: 'set-password', account: of })
  }
  if (!cursor.accept('=')) cursor.expect(':=')
  if (cursor.isOne('PASSWORD', 'OLD_PASSWORD')) {
    cursor.next()
    cursor.expect('(')
    text(cursor)
    cursor.expect(')')
  } else text(cursor)
  afterPassword(cursor)
  return node(cursor, start, { kind: 'set-password', account: of })
}

function afterPassword(cursor: Cursor): void {
  if (cursor.accept('REPLACE')) text(cursor)
  cursor.acceptAll('RETAIN', 'CURRENT', 'PASSWORD')
}

function role(cursor: Cursor, start: number): SetItem {
  cursor.expect('ROLE')
  if (cursor.accept('DEFAULT'))
    return node(cursor, start, { kind: 'set-role', mode: 'default', roles: [] })
  if (cursor.accept('NONE'))
    return node(cursor, start, { kind: 'set-role', mode: 'none', roles: [] })
  if (cursor.accept('ALL')) {
    const except = cursor.accept('EXCEPT') ? cursor.list(account) : []
    const mode = except.length > 0 ? 'all except' : 'all'
    return node(cursor, start, { kind: 'set-role', mode, roles: except })
  }
  return node(cursor, start, { kind: 'set-role', mode: 'roles', roles: cursor.list(account) })
}

function defaultRole(cursor: Cursor, start: number): SetItem {
  cursor.expectAll('DEFAULT', 'ROLE')
  const mode = cursor.acceptOne('NONE', 'ALL') ?? 'roles'
  const roles = mode === 'roles' ? cursor.list(account) : []
  const accounts = cursor.acceptOne('TO', 'FOR') === null ? [] : cursor.list(account)
  return node(cursor, start, { kind: 'set-default-role', mode, roles, accounts })
}

/** MariaDB: `SET STATEMENT a = 1, b = 2 FOR ...`. */
function setForStatement(cursor: Cursor, start: number): SetForStatement {
  const items = cursor.list((inner) => setVariable(inner, null))
  cursor.expect('FOR')
  cursor.enter()
  const statement = cursor.grammar.statement(cursor)
  cursor.leave()
  return node(cursor, start, { kind: 'set-for-statement', items, statement })
}

function resourceGroup(cursor: Cursor, start: number): Administer {
  cursor.expectAll('RESOURCE', 'GROUP')
  const named = cursor.start
  const { value } = cursor.name()
  const options = [option(cursor, named, 'NAME', value)]
  if (cursor.accept('FOR')) cursor.list(number)
  const command = 'set resource group'
  return node(cursor, start, { kind: 'administer', command, expressions: [], options })
}
