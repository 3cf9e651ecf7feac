/** Which statement begins with which word. */
import type { Option, Statement, With } from '../ast.ts'
import { defineAccounts, renameUsers } from './accounts.ts'
import { alterTable } from './alter-table.ts'
import * as compound from './compound.ts'
import { createTable } from './create-table.ts'
import type { Cursor } from './cursor.ts'
import { deletion, insert, update } from './dml.ts'
import { drop } from './drop.ts'
import { grant } from './grants.ts'
import * as maintenance from './maintenance.ts'
import { call, doStatement, handler, load } from './movement.ts'
import * as objects from './objects.ts'
import { readOption } from './options.ts'
import * as prepared from './prepared.ts'
import { query, queryAfterWith, withClause } from './queries.ts'
import { set } from './set.ts'
import { show } from './show.ts'
import * as stored from './stored.ts'
import * as transactions from './transactions.ts'

type Rule = (cursor: Cursor) => Statement

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['SELECT', query],
  ['(', query],
  ['VALUES', query],
  ['TABLE', query],
  ['WITH', withStatement],
  ['INSERT', insert],
  ['REPLACE', insert],
  ['UPDATE', (cursor) => update(cursor, cursor.start, null)],
  ['DELETE', (cursor) => deletion(cursor, cursor.start, null)],
  [
    'LOAD',
    (cursor) => (cursor.peek().key === 'INDEX' ? maintenance.indexCache(cursor) : load(cursor)),
  ],
  ['CALL', call],
  ['DO', doStatement],
  ['HANDLER', handler],
  ['SET', set],
  ['SHOW', show],
  ['USE', prepared.use],
  ['PREPARE', prepared.prepare],
  ['EXECUTE', prepared.execute],
  ['DEALLOCATE', prepared.deallocate],
  ['EXPLAIN', prepared.explain],
  ['DESCRIBE', prepared.explain],
  ['DESC', prepared.explain],
  ['HELP', prepared.help],
  ['BEGIN', begin],
  ['START', start],
  ['STOP', (cursor) => maintenance.startStop(cursor) ?? cursor.fail('expected `SLAVE`')],
  ['COMMIT', transactions.commit],
  ['ROLLBACK', transactions.rollback],
  ['SAVEPOINT', transactions.savepoint],
  ['RELEASE', transactions.releaseSavepoint],
  ['XA', transactions.xa],
  ['LOCK', transactions.lockTables],
  ['UNLOCK', transactions.unlockTables],
  ['CREATE', create],
  ['ALTER', alter],
  ['DROP', drop],
  ['RENAME', rename],
  ['TRUNCATE', objects.truncate],
  ['GRANT', grant],
  ['REVOKE', grant],
  ['ANALYZE', analyze],
  ['CHECK', maintenance.maintenance],
  ['CHECKSUM', maintenance.maintenance],
  ['OPTIMIZE', maintenance.maintenance],
  ['REPAIR', maintenance.maintenance],
  ['CACHE', maintenance.indexCache],
  ['IMPORT', maintenance.importTable],
  ['KILL', maintenance.kill],
  ['FLUSH', maintenance.flush],
  ['INSTALL', maintenance.install],
  ['UNINSTALL', maintenance.install],
  ['RESET', maintenance.reset],
  ['PURGE', maintenance.purge],
  ['CHANGE', maintenance.change],
  ['BINLOG', maintenance.binlog],
  ['CLONE', maintenance.clone],
  ['SHUTDOWN', maintenance.shutdown],
  ['RESTART', maintenance.shutdown],
  ['BACKUP', maintenance.backup],
  ['SIGNAL', compound.signal],
  ['RESIGNAL', compound.signal],
  ['GET', compound.getDiagnostics],
])

/** Statements of bodies; MariaDB takes those of them that it takes outside as well. */
const BODY_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['IF', compound.ifStatement],
  ['CASE', compound.caseStatement],
  ['LOOP', (cursor) => compound.loop(cursor, null)],
  ['WHILE', (cursor) => compound.whileLoop(cursor, null)],
  ['REPEAT', (cursor) => compound.repeat(cursor, null)],
  ['FOR', (cursor) => compound.forLoop(cursor, null)],
  ['LEAVE', compound.leave],
  ['ITERATE', compound.leave],
  ['RETURN', compound.returnStatement],
  ['OPEN', compound.openCursor],
  ['CLOSE', compound.closeCursor],
  ['FETCH', compound.fetch],
])

export function statement(cursor: Cursor): Statement {
  const { key } = cursor.token
  if (cursor.inBody > 0 || cursor.mariadb) {
    if (cursor.peek().key === ':' && cursor.isName()) return compound.labelled(cursor)
    const rule = BODY_RULES.get(key)
    if (rule !== undefined) return rule(cursor)
  }
  const rule = RULES.get(key)
  if (rule === undefined) cursor.fail('expected a statement')
  return rule(cursor)
}

/** A block in bodies, and after BEGIN NOT ATOMIC; else a transaction. */
function begin(cursor: Cursor): Statement {
  if (cursor.inBody > 0) return compound.block(cursor, null)
  if (cursor.mariadb && cursor.peek().key === 'NOT') return compound.block(cursor, null)
  return transactions.begin(cursor)
}

function start(cursor: Cursor): Statement {
  return maintenance.startStop(cursor) ?? transactions.startTransaction(cursor)
}

/** WITH in front of a query, an UPDATE or a DELETE. */
function withStatement(cursor: Cursor): Statement {
  const { start: at } = cursor
  const common: With = withClause(cursor)
  if (cursor.is('UPDATE')) return update(cursor, at, common)
  if (cursor.is('DELETE')) return deletion(cursor, at, common)
  return queryAfterWith(cursor, at, common)
}

/** ANALYZE TABLE; MariaDB's ANALYZE of a statement. */
function analyze(cursor: Cursor): Statement {
  const following = cursor.peek().key
  const ofTables = ['TABLE', 'TABLES', 'LOCAL', 'NO_WRITE_TO_BINLOG'].includes(following)
  return ofTables || !cursor.mariadb ? maintenance.maintenance(cursor) : prepared.explain(cursor)
}

function rename(cursor: Cursor): Statement {
  const { start: at } = cursor.expect('RENAME')
  return cursor.is('USER') ? renameUsers(cursor, at) : objects.renameTables(cursor, at)
}

function create(cursor: Cursor): Statement {
  const { start: at } = cursor.expect('CREATE')
  const orReplace = cursor.acceptAll('OR', 'REPLACE')
  if (cursor.isOne('USER', 'ROLE')) return defineAccounts(cursor, at, { verb: 'create' })
  if (cursor.is('TEMPORARY') && cursor.peek().key === 'SEQUENCE') {
    cursor.next()
    return objects.sequence(cursor, { start: at, verb: 'create', orReplace, temporary: true })
  }
  if (cursor.isOne('TABLE', 'TEMPORARY')) return createTable(cursor, { start: at, orReplace })
  const head = definition(cursor, { start: at, verb: 'create', orReplace })
  const { key } = cursor.token
  switch (key) {
    case 'DATABASE':
    case 'SCHEMA':
      return objects.database(cursor, head)
    case 'SEQUENCE':
      if (!cursor.mariadb) break
      return objects.sequence(cursor, { ...head, temporary: false })
    case 'FUNCTION':
    case 'AGGREGATE':
      if (isLoadable(cursor)) return objects.loadableFunction(cursor, head)
      return stored.routine(cursor, head)
    case 'ONLINE':
    case 'OFFLINE':
    case 'UNIQUE':
    case 'FULLTEXT':
    case 'INDEX':
    case 'VECTOR':
      return objects.createIndex(cursor, head)
    case 'SPATIAL':
      if (cursor.peek().key === 'INDEX') return objects.createIndex(cursor, head)
  }
  return storedDefinition(cursor, head) ?? objects.otherObject(cursor, head) ?? unknown(cursor)
}

function unknown(cursor: Cursor): never {
  return cursor.fail('this is nothing that can be created or altered')
}

function storedDefinition(cursor: Cursor, head: stored.Head): Statement | null {
  switch (cursor.token.key) {
    case 'VIEW':
    case 'MATERIALIZED':
      return stored.view(cursor, head)
    case 'PROCEDURE':
      return stored.routine(cursor, head)
    case 'TRIGGER':
      return stored.trigger(cursor, head)
    case 'EVENT':
      return stored.event(cursor, head)
    default:
      return null
  }
}

/** What may stand between CREATE or ALTER and VIEW, PROCEDURE, ...: options of views, the definer. */
function definition(
  cursor: Cursor,
  head: Pick<stored.Head, 'start' | 'verb' | 'orReplace'>,
): stored.Head {
  const options: Option[] = []
  let definer: stored.Head['definer'] = null
  for (;;) {
    const by = stored.definer(cursor)
    const found = by === null ? readOption(cursor, stored.VIEW_OPTIONS) : null
    if (by !== null) definer = by
    else if (found !== null) options.push(found)
    else return { ...head, definer, options }
  }
}

/** `FUNCTION f RETURNS STRING SONAME 'x'` has no brackets. */
function isLoadable(cursor: Cursor): boolean {
  let ahead = cursor.is('AGGREGATE') ? 2 : 1
  if (cursor.peek(ahead).key === 'IF') ahead += 3
  const dotted = cursor.peek(ahead + 1).key === '.' ? 2 : 0
  return cursor.peek(ahead + dotted + 1).key === 'RETURNS'
}

function alter(cursor: Cursor): Statement {
  const { start: at } = cursor.expect('ALTER')
  if (cursor.isOne('TABLE', 'ONLINE', 'IGNORE')) return alterTable(cursor, at)
  if (cursor.isOne('USER', 'ROLE')) return defineAccounts(cursor, at, { verb: 'alter' })
  const head = definition(cursor, { start: at, verb: 'alter', orReplace: false })
  switch (cursor.token.key) {
    case 'DATABASE':
    case 'SCHEMA':
      return objects.database(cursor, head)
    case 'SEQUENCE':
      if (!cursor.mariadb) break
      return objects.sequence(cursor, { ...head, temporary: false })
    case 'PROCEDURE':
    case 'FUNCTION':
      return stored.alterRoutine(cursor, at)
    case 'VIEW':
      return stored.view(cursor, head)
    case 'EVENT':
      return stored.event(cursor, head)
  }
  return objects.otherObject(cursor, head) ?? unknown(cursor)
}
