/** CREATE, ALTER, DROP and RENAME of users and roles. Passwords and keys do not get into the tree. */
import type { Account, AccountStatement, Option, RenameUsers } from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { account, nameOrText, number, option, text } from './names.ts'

export function defineAccounts(
  cursor: Cursor,
  start: number,
  { verb }: { readonly verb: 'create' | 'alter' },
): AccountStatement {
  const object = cursor.expectOne('USER', 'ROLE')
  if (!cursor.acceptAll('IF', 'NOT', 'EXISTS')) cursor.acceptAll('IF', 'EXISTS')
  const options: Option[] = []
  const accounts = cursor.list((inner) => accountAndFactors(inner, options))
  while (accountOption(cursor, options));
  return node(cursor, start, { kind: 'account-statement', verb, object, accounts, options })
}

function accountAndFactors(cursor: Cursor, options: Option[]): Account {
  // ALTER USER USER() ...
  const own = cursor.acceptAll('USER', '(', ')')
  const of: Account = own
    ? node(cursor, cursor.start, {
        kind: 'account',
        name: null,
        host: null,
        keyword: 'current_user',
      })
    : account(cursor)
  while (accountAction(cursor, options));
  return of
}

/** What may follow one account: how it is identified, factors, its default role. */
function accountAction(cursor: Cursor, options: Option[]): boolean {
  const { start } = cursor
  const add = (name: string): true => {
    options.push(option(cursor, start, name))
    return true
  }
  if (cursor.is('IDENTIFIED')) {
    identified(cursor)
    return add('IDENTIFIED')
  }
  if (cursor.acceptAll('INITIAL', 'AUTHENTICATION')) {
    identified(cursor)
    return add('INITIAL AUTHENTICATION')
  }
  if (cursor.isOne('ADD', 'MODIFY', 'DROP') && cursor.peek(2).key === 'FACTOR') {
    cursor.next()
    number(cursor)
    cursor.expect('FACTOR')
    if (cursor.is('IDENTIFIED')) identified(cursor)
    return add('FACTOR')
  }
  if (cursor.token.type === 'integer' && cursor.peek().key === 'FACTOR') {
    registration(cursor)
    return add('FACTOR REGISTRATION')
  }
  if (cursor.acceptAll('DISCARD', 'OLD', 'PASSWORD')) return add('DISCARD OLD PASSWORD')
  if (cursor.acceptAll('DEFAULT', 'ROLE')) {
    if (cursor.acceptOne('ALL', 'NONE') === null) cursor.list(account)
    return add('DEFAULT ROLE')
  }
  if (!cursor.mariadb && cursor.accept('AND')) return true
  return false
}

function registration(cursor: Cursor): void {
  number(cursor)
  cursor.expect('FACTOR')
  if (cursor.acceptOne('INITIATE', 'UNREGISTER') !== null) {
    cursor.accept('REGISTRATION')
    return
  }
  cursor.expectAll('FINISH', 'REGISTRATION', 'SET', 'CHALLENGE_RESPONSE', 'AS')
  text(cursor)
}

/** `IDENTIFIED BY 'p'`, `WITH plugin BY|AS|USING 'p'`, `VIA plugin USING ... OR plugin ...`. */
export function identified(cursor: Cursor): void {
  cursor.expect('IDENTIFIED')
  if (cursor.acceptOne('WITH', 'VIA') === null) {
    cursor.expect('BY')
    secret(cursor)
  } else {
    do plugin(cursor)
    while (cursor.mariadb && cursor.accept('OR'))
  }
  if (cursor.accept('REPLACE')) text(cursor)
  cursor.acceptAll('RETAIN', 'CURRENT', 'PASSWORD')
}

function plugin(cursor: Cursor): void {
  nameOrText(cursor)
  const how = cursor.acceptOne('BY', 'AS', 'USING')
  if (how !== null) secret(cursor)
  if (how === null && cursor.acceptAll('INITIAL', 'AUTHENTICATION')) identified(cursor)
}

function secret(cursor: Cursor): void {
  if (cursor.acceptAll('RANDOM', 'PASSWORD')) return
  const hashed = cursor.accept('PASSWORD')
  if (hashed && cursor.accept('(')) {
    text(cursor)
    cursor.expect(')')
    return
  }
  text(cursor)
}

const RESOURCES = [
  'MAX_QUERIES_PER_HOUR',
  'MAX_UPDATES_PER_HOUR',
  'MAX_CONNECTIONS_PER_HOUR',
  'MAX_USER_CONNECTIONS',
  'MAX_STATEMENT_TIME',
] as const

/** What may follow all accounts. */
function accountOption(cursor: Cursor, options: Option[]): boolean {
  const { start } = cursor
  const add = (name: string): true => {
    options.push(option(cursor, start, name))
    return true
  }
  if (requirement(cursor)) return add('REQUIRE')
  if (cursor.acceptAll('WITH', 'ADMIN')) {
    account(cursor)
    return add('WITH ADMIN')
  }
  if (cursor.accept('WITH')) {
    do resource(cursor)
    while (cursor.isOne(...RESOURCES))
    return add('WITH')
  }
  if (cursor.accept('PASSWORD')) {
    passwordPolicy(cursor)
    return add('PASSWORD')
  }
  if (cursor.acceptOne('FAILED_LOGIN_ATTEMPTS', 'PASSWORD_LOCK_TIME') !== null) {
    if (!cursor.accept('UNBOUNDED')) number(cursor)
    return add('FAILED LOGINS')
  }
  if (cursor.accept('ACCOUNT'))
    return add(`ACCOUNT ${cursor.expectOne('LOCK', 'UNLOCK').toUpperCase()}`)
  if (cursor.acceptOne('COMMENT', 'ATTRIBUTE') !== null) {
    text(cursor)
    return add('COMMENT')
  }
  return accountAction(cursor, options)
}

export function resource(cursor: Cursor): void {
  if (cursor.acceptOne(...RESOURCES) === null) cursor.fail('expected a limit')
  cursor.accept('-')
  number(cursor)
}

function passwordPolicy(cursor: Cursor): void {
  if (cursor.accept('EXPIRE')) {
    if (cursor.acceptOne('DEFAULT', 'NEVER') !== null) return
    if (cursor.accept('INTERVAL')) {
      number(cursor)
      cursor.expect('DAY')
    }
    return
  }
  if (cursor.accept('HISTORY')) {
    if (!cursor.accept('DEFAULT')) number(cursor)
    return
  }
  if (cursor.acceptAll('REUSE', 'INTERVAL')) {
    if (cursor.accept('DEFAULT')) return
    number(cursor)
    cursor.expect('DAY')
    return
  }
  cursor.expectAll('REQUIRE', 'CURRENT')
  cursor.acceptOne('DEFAULT', 'OPTIONAL')
}

/** `REQUIRE NONE`, `REQUIRE SSL`, `REQUIRE ISSUER 'x' AND ...`. */
export function requirement(cursor: Cursor): boolean {
  if (!cursor.accept('REQUIRE')) return false
  if (cursor.acceptOne('NONE', 'SSL', 'X509') !== null) return true
  do {
    cursor.expectOne('CIPHER', 'ISSUER', 'SUBJECT')
    text(cursor)
    cursor.accept('AND')
  } while (cursor.isOne('CIPHER', 'ISSUER', 'SUBJECT'))
  return true
}

export function dropAccounts(cursor: Cursor, start: number): AccountStatement {
  const object = cursor.expectOne('USER', 'ROLE')
  cursor.acceptAll('IF', 'EXISTS')
  const accounts = cursor.list(account)
  return node(cursor, start, {
    kind: 'account-statement',
    verb: 'drop',
    object,
    accounts,
    options: [],
  })
}

export function renameUsers(cursor: Cursor, start: number): RenameUsers {
  cursor.expect('USER')
  const accounts: Account[] = []
  do {
    accounts.push(account(cursor))
    cursor.expect('TO')
    accounts.push(account(cursor))
  } while (cursor.accept(','))
  return node(cursor, start, { kind: 'rename-users', accounts })
}
