/**
 * SHOW, DESCRIBE and HELP. What they show is what a system relation holds: that relation is what the statement
 * reads, so that policy tells schema from what other sessions run, and from credentials.
 */
import { tellsAmount } from '../../amounts.ts'
import type { ObjectName } from '../ast.ts'
import { newScope } from '../lineage/scope.ts'
import type { Handler, Handlers, Run } from './run.ts'
import { describes } from './run.ts'

/**
 * `relation: subjects`; `-`: nothing but the session's own, or constants. What follows `admin` only those see who
 * administer the server.
 */
const SHOWN: readonly (readonly [relation: string, subjects: string, more?: 'admin'])[] = [
  ['information_schema.schemata', 'DATABASES|SCHEMAS|CREATE DATABASE|CREATE SCHEMA'],
  ['information_schema.tables', 'TABLES|TABLE STATUS|OPEN TABLES|CREATE SEQUENCE'],
  ['information_schema.columns', 'COLUMNS|FIELDS|CREATE TABLE'],
  ['information_schema.views', 'CREATE VIEW'],
  ['information_schema.statistics', 'INDEX|INDEXES|KEYS'],
  ['information_schema.triggers', 'TRIGGERS|CREATE TRIGGER'],
  ['information_schema.events', 'EVENTS|CREATE EVENT'],
  [
    'information_schema.routines',
    'CREATE PROCEDURE|CREATE FUNCTION|CREATE PACKAGE|CREATE PACKAGE BODY|CREATE LIBRARY|PROCEDURE CODE|FUNCTION CODE|PACKAGE BODY CODE|PROCEDURE STATUS|FUNCTION STATUS|PACKAGE STATUS|PACKAGE BODY STATUS|LIBRARY STATUS',
  ],
  ['performance_schema.session_variables', 'VARIABLES'],
  ['performance_schema.session_status', 'STATUS'],
  ['information_schema.character_sets', 'CHARACTER SET|CHARSET'],
  ['information_schema.collations', 'COLLATION'],
  ['information_schema.engines', 'ENGINES|STORAGE ENGINES|PLUGINS|PLUGINS SONAME'],
  ['information_schema.user_privileges', 'GRANTS'],
  ['-', 'PRIVILEGES|AUTHORS|CONTRIBUTORS|LOCALES'],
  // What other sessions run, and what earlier statements were.
  ['information_schema.processlist', 'PROCESSLIST|EXPLAIN|ANALYZE'],
  ['information_schema.profiling', 'PROFILE|PROFILES'],
  ['information_schema.query_cache_info', 'QUERY_CACHE_INFO', 'admin'],
  ['information_schema.innodb_trx', 'ENGINE', 'admin'],
  ['information_schema.metadata_lock_info', 'METADATA_LOCK_INFO', 'admin'],
  [
    'information_schema.user_statistics',
    'USER_STATISTICS|CLIENT_STATISTICS|INDEX_STATISTICS|TABLE_STATISTICS|QUERY_RESPONSE_TIME',
    'admin',
  ],
  ['mysql.user', 'CREATE USER', 'admin'],
  ['mysql.servers', 'CREATE SERVER', 'admin'],
  // Replication: positions and credentials; in events the statements themselves.
  ['mysql.binlog_events', 'BINLOG EVENTS|RELAYLOG EVENTS', 'admin'],
  [
    'mysql.slave_master_info',
    'SLAVE|REPLICA|SLAVE HOSTS|REPLICA HOSTS|REPLICAS|ALL SLAVES STATUS|ALL REPLICAS STATUS',
    'admin',
  ],
  // How far the log has grown tells how long the values of a changed row are.
  [
    'mysql.binary_logs',
    'BINARY LOGS|MASTER LOGS|BINARY LOG STATUS|MASTER STATUS|BINLOG STATUS',
    'admin',
  ],
  ['-', 'WSREP_STATUS|WSREP_MEMBERSHIP', 'admin'],
]

const SUBJECTS = new Map(
  SHOWN.flatMap(([relation, subjects, more]) =>
    subjects.split('|').map((subject) => [subject, { relation, admin: more === 'admin' }] as const),
  ),
)

const show: Handler<'show'> = (run, node) => {
  const { draft, walk } = run
  const subject = node.subject.toUpperCase()
  draft.command = `show ${subject.toLowerCase()}`
  draft.literalIndependent = false
  if (/^(WARNINGS|ERRORS)$/.test(subject)) {
    draft.effect('session')
    const counts = node.modifiers.includes('COUNT(*)')
    draft.outputs = []
    draft.rows = counts ? 'metadata' : 'diagnostics'
    draft.diagnostics = true
    return
  }
  const known = SUBJECTS.get(subject)
  if (known === undefined) {
    draft.unknown(`SHOW ${subject}`)
    draft.outputs = 'unknown'
    return
  }
  draft.effect(known.relation === '-' ? 'session' : 'read')
  if (known.admin) draft.effect('admin')
  if (known.relation !== '-') draft.relation(systemRelation(known.relation))
  describes(run)
  if (subject === 'STATUS') draft.rows = 'counters'
  if (/^(TABLE STATUS|INDEX|INDEXES|KEYS)$/.test(subject)) {
    draft.rows = mayBeTemporary(run, node.object) ? 'temporary-amounts' : 'amounts'
    noteAmounts(run, known.relation)
  }
  // Its columns are those of what is shown.
  for (const argument of node.arguments) walk.value(argument, newScope(null))
  if (node.where !== null) walk.predicate(node.where, newScope(null))
  draft.noneMissing()
}

/** A temporary table, which SHOW INDEX knows as well, takes the place of a stored one. */
function mayBeTemporary({ context: { names } }: Run, object: ObjectName | null): boolean {
  if (object === null) return false
  const ending = `.${object.name.value.toLowerCase()}`
  const isNamed = (key: string) => key.toLowerCase().endsWith(ending)
  return !names.temporariesCertain || [...names.temporaries.keys()].some(isNamed)
}

/** Columns of what is shown are named in WHERE alone. */
function noteAmounts({ draft, survey }: Run, path: string): void {
  const { schema, name: relation } = systemRelation(path)
  for (const node of survey.meaningful) {
    if (node.kind !== 'column' || !tellsAmount(node.name.value)) continue
    draft.use({ schema, relation, column: node.name.value.toLowerCase() }, 'predicate')
  }
}

function systemRelation(path: string) {
  const [schema = '', name = ''] = path.split('.')
  return { schema, name, access: 'read', kind: 'table' } as const
}

const describe: Handler<'describe'> = (run) => {
  run.draft.command = 'describe'
  run.draft.effect('read')
  run.draft.literalIndependent = false
  run.draft.relation(systemRelation('information_schema.columns'))
  describes(run)
}

/** The server's own manual. */
const help: Handler<'help'> = (run) => {
  run.draft.command = 'help'
  run.draft.effect('session')
  describes(run)
}

export const showStatements: Handlers<'show' | 'describe' | 'help'> = { show, describe, help }
