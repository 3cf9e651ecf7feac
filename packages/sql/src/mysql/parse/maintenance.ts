/** Maintenance of tables, KILL, FLUSH, and statements only an administrator runs. */
import type {
  Administer,
  Expression,
  Flush,
  Kill,
  ObjectName,
  Option,
  TableMaintenance,
} from '../ast.ts'
import { type Cursor, node } from './cursor.ts'
import { account, nameOrText, number, objectName, option, text } from './names.ts'
import { optionTable, readOptions } from './options.ts'
import { indexName, partitionNames } from './tables.ts'

const MAINTENANCE_OPTIONS = optionTable({
  flags:
    'QUICK, FAST, MEDIUM, EXTENDED, CHANGED, USE_FRM, FOR UPGRADE, IGNORE LEAVES, FROM MYSQL, FORCE',
})

export function maintenance(cursor: Cursor): TableMaintenance {
  const { start } = cursor
  const action = cursor.expectOne('ANALYZE', 'CHECK', 'CHECKSUM', 'OPTIMIZE', 'REPAIR')
  const options: Option[] = []
  const local = cursor.start
  if (cursor.acceptOne('NO_WRITE_TO_BINLOG', 'LOCAL') !== null)
    options.push(option(cursor, local, 'LOCAL'))
  const views = cursor.accept('VIEW')
  if (!views) cursor.expectOne('TABLE', 'TABLES')
  const tables = cursor.list(action === 'analyze' ? analyzed : objectName)
  if (action === 'analyze' && !cursor.mariadb) histogram(cursor, options)
  options.push(...readOptions(cursor, MAINTENANCE_OPTIONS))
  return node(cursor, start, { kind: 'table-maintenance', action, tables, options, views })
}

/** MariaDB: `t PERSISTENT FOR ALL`, `... FOR COLUMNS (a) INDEXES (b)`. */
function analyzed(cursor: Cursor): ObjectName {
  const table = objectName(cursor)
  if (!cursor.mariadb || !cursor.acceptAll('PERSISTENT', 'FOR')) return table
  if (cursor.accept('ALL')) return table
  cursor.expect('COLUMNS')
  nameList(cursor)
  cursor.expect('INDEXES')
  nameList(cursor)
  return table
}

function nameList(cursor: Cursor): void {
  if (cursor.accept('ALL')) return
  cursor.expect('(')
  if (!cursor.is(')')) cursor.list(indexName)
  cursor.expect(')')
}

/** MySQL: `UPDATE HISTOGRAM ON c ...`, `DROP HISTOGRAM ON c`. */
function histogram(cursor: Cursor, options: Option[]): void {
  const { start } = cursor
  const verb = cursor.acceptOne('UPDATE', 'DROP')
  if (verb === null) return
  cursor.expectAll('HISTOGRAM', 'ON')
  cursor.list((inner) => inner.name())
  if (cursor.accept('WITH')) {
    number(cursor)
    cursor.expect('BUCKETS')
  }
  if (cursor.acceptOne('MANUAL', 'AUTO') !== null) cursor.expect('UPDATE')
  if (cursor.acceptAll('USING', 'DATA')) text(cursor)
  options.push(option(cursor, start, `${verb.toUpperCase()} HISTOGRAM`))
}

/** CACHE INDEX, LOAD INDEX INTO CACHE. */
export function indexCache(cursor: Cursor): TableMaintenance {
  const { start } = cursor
  const load = cursor.expectOne('CACHE', 'LOAD') === 'load'
  cursor.expect('INDEX')
  if (load) cursor.expectAll('INTO', 'CACHE')
  const tables = cursor.list(cached)
  if (!load) {
    cursor.expect('IN')
    if (!cursor.accept('DEFAULT')) cursor.name()
  }
  const action = load ? 'load index' : 'cache index'
  return node(cursor, start, {
    kind: 'table-maintenance',
    action,
    tables,
    options: [],
    views: false,
  })
}

function cached(cursor: Cursor): ObjectName {
  const table = objectName(cursor)
  if (cursor.is('PARTITION')) {
    if (cursor.ahead('PARTITION', '(', 'ALL', ')')) cursor.expectAll('PARTITION', '(', 'ALL', ')')
    else partitionNames(cursor)
  }
  if (cursor.acceptOne('INDEX', 'KEY') !== null) {
    cursor.expect('(')
    if (!cursor.is(')')) cursor.list(indexName)
    cursor.expect(')')
  }
  cursor.acceptAll('IGNORE', 'LEAVES')
  return table
}

export function importTable(cursor: Cursor): TableMaintenance {
  const { start } = cursor.expect('IMPORT')
  cursor.expectAll('TABLE', 'FROM')
  cursor.list(text)
  const none = { tables: [], options: [], views: false }
  return node(cursor, start, { kind: 'table-maintenance', action: 'import', ...none })
}

export function kill(cursor: Cursor): Kill {
  const { start } = cursor.expect('KILL')
  if (cursor.mariadb) cursor.acceptOne('HARD', 'SOFT')
  const query = cursor.acceptOne('QUERY', 'CONNECTION') === 'query'
  if (cursor.mariadb && cursor.accept('USER'))
    return node(cursor, start, { kind: 'kill', target: 'user', id: null, account: account(cursor) })
  if (cursor.mariadb && query) cursor.accept('ID')
  const id = cursor.grammar.expression(cursor)
  const target = query ? 'query' : 'connection'
  return node(cursor, start, { kind: 'kill', target, id, account: null })
}

const FLUSHED: readonly (readonly string[])[] = [
  'BINARY LOGS',
  'ENGINE LOGS',
  'ERROR LOGS',
  'GENERAL LOGS',
  'SLOW LOGS',
  'LOGS',
  'PRIVILEGES',
  'OPTIMIZER_COSTS',
  'STATUS',
  'GLOBAL STATUS',
  'SESSION STATUS',
  'USER_RESOURCES',
  'HOSTS',
  'QUERY CACHE',
  'DES_KEY_FILE',
  'MASTER',
  'SLAVE',
  'REPLICA',
  'SSL',
  'THREADS',
  'USER_STATISTICS',
  'CLIENT_STATISTICS',
  'INDEX_STATISTICS',
  'TABLE_STATISTICS',
  'USER_VARIABLES',
  'QUERY_RESPONSE_TIME',
  'LOCALES',
  'METADATA_LOCK_INFO',
].map((words) => words.split(' '))

export function flush(cursor: Cursor): Flush {
  const { start } = cursor.expect('FLUSH')
  cursor.acceptOne('NO_WRITE_TO_BINLOG', 'LOCAL')
  if (cursor.acceptOne('TABLES', 'TABLE') !== null) return flushTables(cursor, start)
  const items = cursor.list(flushed)
  return node(cursor, start, { kind: 'flush', items, tables: [], options: [] })
}

function flushTables(cursor: Cursor, start: number): Flush {
  const options: Option[] = []
  const tables = cursor.isName() && !cursor.is('WITH') ? cursor.list(objectName) : []
  const at = cursor.start
  if (cursor.acceptAll('WITH', 'READ', 'LOCK')) {
    if (cursor.mariadb) cursor.acceptAll('AND', 'DISABLE', 'CHECKPOINT')
    options.push(option(cursor, at, 'WITH READ LOCK'))
  } else if (cursor.acceptAll('FOR', 'EXPORT')) options.push(option(cursor, at, 'FOR EXPORT'))
  return node(cursor, start, { kind: 'flush', items: ['TABLES'], tables, options })
}

function flushed(cursor: Cursor): string {
  if (cursor.ahead('RELAY', 'LOGS')) {
    cursor.expectAll('RELAY', 'LOGS')
    forChannel(cursor)
    return 'RELAY LOGS'
  }
  const words = FLUSHED.find((candidate) => cursor.ahead(...candidate))
  if (words === undefined) cursor.fail('this is nothing that can be flushed')
  cursor.expectAll(...words)
  return words.join(' ')
}

function forChannel(cursor: Cursor): void {
  if (cursor.token.type === 'string') text(cursor)
  if (cursor.acceptAll('FOR', 'CHANNEL')) text(cursor)
}

type Command = Administer['command']

function administer(
  cursor: Cursor,
  start: number,
  { command, expressions = [], options = [] }: Pick<Administer, 'command'> & Partial<Administer>,
): Administer {
  return node(cursor, start, { kind: 'administer', command, expressions, options })
}

export function install(cursor: Cursor): Administer {
  const { start } = cursor
  const verb = cursor.expectOne('INSTALL', 'UNINSTALL')
  const what = cursor.expectOne('PLUGIN', 'SONAME', 'COMPONENT')
  if (what === 'component') {
    cursor.list(text)
    if (cursor.accept('SET')) cursor.list(componentVariable)
    return administer(cursor, start, { command: `${verb} component` })
  }
  if (what === 'plugin') {
    if (!cursor.acceptAll('IF', 'NOT', 'EXISTS')) cursor.acceptAll('IF', 'EXISTS')
    cursor.name()
    if (verb === 'install') {
      cursor.expect('SONAME')
      text(cursor)
    }
  } else text(cursor)
  return administer(cursor, start, { command: `${verb} plugin` })
}

function componentVariable(cursor: Cursor): Expression {
  cursor.acceptOne('GLOBAL', 'PERSIST')
  objectName(cursor)
  cursor.expect('=')
  return cursor.grammar.expression(cursor)
}

export function reset(cursor: Cursor): Administer {
  const { start } = cursor.expect('RESET')
  const at = cursor.start
  if (cursor.accept('PERSIST')) {
    cursor.acceptAll('IF', 'EXISTS')
    if (cursor.isName()) objectName(cursor)
    return administer(cursor, start, { command: 'reset', options: [option(cursor, at, 'PERSIST')] })
  }
  const what: Option[] = []
  do {
    const item = cursor.start
    const word = cursor.acceptOne('MASTER', 'SLAVE', 'REPLICA', 'BINARY', 'QUERY')
    if (word === null) cursor.fail('this is nothing that can be reset')
    if (word === 'binary') cursor.expectAll('LOGS', 'AND', 'GTIDS')
    if (word === 'query') cursor.expect('CACHE')
    if (cursor.token.type === 'string') text(cursor)
    cursor.accept('ALL')
    if (cursor.accept('TO')) number(cursor)
    forChannel(cursor)
    what.push(option(cursor, item, word.toUpperCase()))
  } while (cursor.accept(','))
  return administer(cursor, start, { command: 'reset', options: what })
}

export function purge(cursor: Cursor): Administer {
  const { start } = cursor.expect('PURGE')
  cursor.expectOne('BINARY', 'MASTER')
  cursor.expect('LOGS')
  const kind = cursor.expectOne('TO', 'BEFORE')
  const expressions = [cursor.grammar.expression(cursor)]
  const options = [option(cursor, start, kind.toUpperCase())]
  return administer(cursor, start, { command: 'purge logs', expressions, options })
}

/** CHANGE MASTER TO, CHANGE REPLICATION SOURCE TO, CHANGE REPLICATION FILTER: values are not kept. */
export function change(cursor: Cursor): Administer {
  const { start } = cursor.expect('CHANGE')
  if (cursor.accept('REPLICATION')) {
    const filter = cursor.expectOne('SOURCE', 'FILTER') === 'filter'
    if (!filter) cursor.expect('TO')
  } else {
    cursor.expect('MASTER')
    if (cursor.token.type === 'string') text(cursor)
    cursor.expect('TO')
  }
  const options = cursor.list(replicationOption)
  forChannel(cursor)
  return administer(cursor, start, { command: 'change replication', options })
}

function replicationOption(cursor: Cursor): Option {
  const { start } = cursor
  const name = cursor.name().value.toUpperCase()
  cursor.expect('=')
  replicationValue(cursor)
  return option(cursor, start, name)
}

/** A constant, a name, or a list of them in brackets, which may be nested once. */
function replicationValue(cursor: Cursor): void {
  if (cursor.accept('(')) {
    if (!cursor.is(')')) cursor.list(filterItem)
    cursor.expect(')')
    return
  }
  const { type, key } = cursor.token
  const constant = ['string', 'integer', 'decimal', 'float'].includes(type)
  if (!constant && !cursor.isName() && !['NULL', 'ON'].includes(key))
    cursor.fail('expected a value')
  cursor.next()
}

function filterItem(cursor: Cursor): void {
  if (cursor.token.type === 'string' || cursor.token.type === 'integer') cursor.next()
  else if (cursor.is('(')) cursor.bracketed((inner) => inner.name())
  else objectName(cursor)
}

const THREADS = ['SQL_THREAD', 'IO_THREAD', 'RELAY_THREAD'] as const

/** START and STOP of replication; null where another START stands. */
export function startStop(cursor: Cursor): Administer | null {
  const { start } = cursor
  if (!cursor.isOne('START', 'STOP')) return null
  const following = cursor.peek().key
  if (!['SLAVE', 'REPLICA', 'GROUP_REPLICATION', 'ALL'].includes(following)) return null
  const verb = cursor.expectOne('START', 'STOP')
  if (cursor.accept('GROUP_REPLICATION')) {
    replicationCredentials(cursor)
    return administer(cursor, start, { command: `${verb} group replication` satisfies Command })
  }
  if (cursor.accept('ALL')) cursor.expectOne('SLAVES', 'REPLICAS')
  else cursor.expectOne('SLAVE', 'REPLICA')
  if (cursor.token.type === 'string') text(cursor)
  while (cursor.acceptOne(...THREADS) !== null) cursor.accept(',')
  if (cursor.accept('UNTIL')) cursor.list(until)
  replicationCredentials(cursor)
  forChannel(cursor)
  return administer(cursor, start, { command: `${verb} replication` })
}

function until(cursor: Cursor): void {
  cursor.name()
  if (!cursor.accept('=')) return
  replicationValue(cursor)
}

function replicationCredentials(cursor: Cursor): void {
  while (cursor.isOne('USER', 'PASSWORD', 'DEFAULT_AUTH', 'PLUGIN_DIR')) {
    cursor.next()
    cursor.expect('=')
    text(cursor)
    cursor.accept(',')
  }
}

export function binlog(cursor: Cursor): Administer {
  const { start } = cursor.expect('BINLOG')
  const expressions = cursor.list(cursor.grammar.expression)
  return administer(cursor, start, { command: 'binlog', expressions })
}

/** MySQL: CLONE LOCAL, CLONE INSTANCE FROM. */
export function clone(cursor: Cursor): Administer {
  const { start } = cursor.expect('CLONE')
  if (cursor.accept('LOCAL')) {
    cursor.expectAll('DATA', 'DIRECTORY')
    cursor.accept('=')
    text(cursor)
    return administer(cursor, start, { command: 'clone' })
  }
  cursor.expectAll('INSTANCE', 'FROM')
  account(cursor)
  cursor.expect(':')
  number(cursor)
  cursor.expectAll('IDENTIFIED', 'BY')
  text(cursor)
  if (cursor.acceptAll('DATA', 'DIRECTORY')) {
    cursor.accept('=')
    text(cursor)
  }
  if (cursor.accept('REQUIRE')) {
    cursor.accept('NO')
    cursor.expect('SSL')
  }
  return administer(cursor, start, { command: 'clone' })
}

export function shutdown(cursor: Cursor): Administer {
  const { start } = cursor
  const command = cursor.expectOne('SHUTDOWN', 'RESTART')
  if (cursor.mariadb) cursor.acceptAll('WAIT', 'FOR', 'ALL', 'SLAVES')
  return administer(cursor, start, { command })
}

/** MariaDB: BACKUP STAGE, BACKUP LOCK, BACKUP UNLOCK. */
export function backup(cursor: Cursor): Administer {
  const { start } = cursor.expect('BACKUP')
  const what = cursor.expectOne('STAGE', 'LOCK', 'UNLOCK')
  if (what === 'stage') nameOrText(cursor)
  else if (what === 'lock') {
    cursor.acceptOne('TABLE')
    objectName(cursor)
  }
  return administer(cursor, start, { command: 'backup' })
}
