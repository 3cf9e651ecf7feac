/**
 * Definition and administration: everything that is not a query or the session's. Each statement has its
 * command and effects in one table; relations named in it are `define` unless the table says otherwise.
 *
 * Functions in a definition (defaults, checks, indexes, policies) are listed. Those that a definition
 * evaluates at once (an index, a check over existing rows) give it their effects.
 */
import type {
  CreateExtensionStmt,
  CreateSchemaStmt,
  CreateSeqStmt,
  CreateStmt,
  DropStmt,
  Node,
  RangeVar,
  RuleStmt,
} from 'libpg-query'
import type { Access, Effect } from '../../facts.ts'
import { functionFacts } from '../functions.ts'
import { nameToRangeVar, useRelation } from '../resolve.ts'
import { as, stringsOf, typeNameOf } from '../tree.ts'
import {
  columnsIn,
  constraintsIn,
  isTemporary,
  noteChanged,
  noteCreated,
  noteNewType,
} from './created.ts'
import type { Handler, Run } from './run.ts'

/** `type: command | effects [| access of the relations in it]`. */
const TABLE: Readonly<Record<string, string>> = {
  ReplicaIdentityStmt: 'alter table | ddl',
  AlterCollationStmt: 'alter collation | ddl',
  AlterDomainStmt: 'alter domain | ddl',
  GrantStmt: 'grant | admin',
  GrantRoleStmt: 'grant role | admin',
  AlterDefaultPrivilegesStmt: 'alter default privileges | admin',
  CreateTableSpaceStmt: 'create tablespace | admin',
  DropTableSpaceStmt: 'drop tablespace | admin',
  AlterTableSpaceOptionsStmt: 'alter tablespace | admin',
  AlterTableMoveAllStmt: 'alter table all in tablespace | ddl admin',
  CreateExtensionStmt: 'create extension | ddl admin',
  AlterExtensionStmt: 'alter extension | ddl admin',
  AlterExtensionContentsStmt: 'alter extension | ddl admin',
  CreateFdwStmt: 'create foreign data wrapper | ddl admin',
  AlterFdwStmt: 'alter foreign data wrapper | ddl admin',
  CreateForeignServerStmt: 'create server | ddl admin',
  AlterForeignServerStmt: 'alter server | ddl admin',
  CreateUserMappingStmt: 'create user mapping | admin',
  AlterUserMappingStmt: 'alter user mapping | admin',
  DropUserMappingStmt: 'drop user mapping | admin',
  ImportForeignSchemaStmt: 'import foreign schema | ddl admin',
  CreatePolicyStmt: 'create policy | ddl admin',
  AlterPolicyStmt: 'alter policy | ddl admin',
  CreateAmStmt: 'create access method | ddl admin',
  CreateTrigStmt: 'create trigger | ddl',
  CreateEventTrigStmt: 'create event trigger | ddl admin',
  AlterEventTrigStmt: 'alter event trigger | ddl admin',
  CreatePLangStmt: 'create language | ddl admin',
  CreateRoleStmt: 'create role | admin',
  AlterRoleStmt: 'alter role | admin',
  AlterRoleSetStmt: 'alter role | admin',
  DropRoleStmt: 'drop role | admin',
  AlterSeqStmt: 'alter sequence | ddl',
  DefineStmt: 'create | ddl',
  CreateDomainStmt: 'create domain | ddl',
  CreateOpClassStmt: 'create operator class | ddl admin',
  CreateOpFamilyStmt: 'create operator family | ddl admin',
  AlterOpFamilyStmt: 'alter operator family | ddl admin',
  TruncateStmt: 'truncate | write | write',
  CommentStmt: 'comment | ddl',
  SecLabelStmt: 'security label | ddl admin',
  CreateStatsStmt: 'create statistics | ddl',
  AlterStatsStmt: 'alter statistics | ddl',
  CreateFunctionStmt: 'create function | ddl',
  AlterFunctionStmt: 'alter function | ddl',
  AlterObjectDependsStmt: 'alter depends | ddl',
  AlterOwnerStmt: 'alter owner | ddl admin',
  AlterOperatorStmt: 'alter operator | ddl',
  AlterTypeStmt: 'alter type | ddl',
  CompositeTypeStmt: 'create type | ddl',
  CreateEnumStmt: 'create type | ddl',
  CreateRangeStmt: 'create type | ddl',
  AlterEnumStmt: 'alter type | ddl',
  LoadStmt: 'load | admin',
  CreatedbStmt: 'create database | admin',
  AlterDatabaseStmt: 'alter database | admin',
  AlterDatabaseRefreshCollStmt: 'alter database | admin',
  AlterDatabaseSetStmt: 'alter database | admin',
  DropdbStmt: 'drop database | admin',
  AlterSystemStmt: 'alter system | admin',
  VacuumStmt: 'vacuum | admin | lock',
  RefreshMatViewStmt: 'refresh materialized view | ddl write | write',
  CheckPointStmt: 'checkpoint | admin',
  ReindexStmt: 'reindex | admin | lock',
  CreateConversionStmt: 'create conversion | ddl admin',
  CreateCastStmt: 'create cast | ddl admin',
  CreateTransformStmt: 'create transform | ddl admin',
  DropOwnedStmt: 'drop owned | ddl admin',
  ReassignOwnedStmt: 'reassign owned | ddl admin',
  AlterTSDictionaryStmt: 'alter text search dictionary | ddl',
  AlterTSConfigurationStmt: 'alter text search configuration | ddl',
  CreatePublicationStmt: 'create publication | ddl admin',
  AlterPublicationStmt: 'alter publication | ddl admin',
  CreateSubscriptionStmt: 'create subscription | ddl admin',
  AlterSubscriptionStmt: 'alter subscription | ddl admin',
  DropSubscriptionStmt: 'drop subscription | ddl admin',
}

/** Neither make nor take away a relation, a column or a function. */
const KEEPS_NAMES = new Set(
  `CommentStmt SecLabelStmt CreateEnumStmt AlterEnumStmt CreateDomainStmt AlterDomainStmt CreateStatsStmt AlterStatsStmt
   AlterSeqStmt ReplicaIdentityStmt RefreshMatViewStmt`.split(/\s+/),
)

function simple(type: string, row: string): Handler {
  const [command = '', effects = '', access = 'define'] = row.split('|').map((part) => part.trim())
  return (run, fields) => {
    const { draft } = run
    draft.command = commandOf(type, fields, command)
    // The table's words are effects and accesses.
    draft.effect(...(effects.split(' ') as Effect[]))
    draft.literalIndependent = false
    noteRelations(run, access as Access, typesMadeAs(type, fields))
    noteFunctions(run)
    if (type === 'CommentStmt' || type === 'SecLabelStmt') noteCommented(run, fields)
    for (const name of typesMade(type, fields)) noteNewType(run, name, 'type')
    draft.makesNothing = type === 'CreateExtensionStmt' && isInstalled(run, fields)
    if (effects.includes('ddl')) {
      const keepsNames = KEEPS_NAMES.has(type) || draft.makesNothing
      const keepsColumns = draft.command.startsWith('create ')
      draft.state.push({
        kind: 'catalog',
        ...(keepsNames && { keepsNames }),
        ...(keepsColumns && { keepsColumns }),
      })
    }
  }
}

/** The name of a composite type looks like a relation's, and stands for none yet. */
const typesMadeAs = (type: string, fields: object): RangeVar | undefined =>
  type === 'CompositeTypeStmt' ? (fields as { typevar?: RangeVar }).typevar : undefined

/** Names of the types that a statement makes. */
function typesMade(type: string, fields: object): readonly string[] {
  const made = fields as {
    domainname?: Node[]
    typeName?: Node[]
    typevar?: RangeVar
    kind?: string
    defnames?: Node[]
    params?: Node[]
  }
  switch (type) {
    case 'CreateDomainStmt':
      return stringsOf(made.domainname).slice(-1)
    case 'CreateEnumStmt':
      return stringsOf(made.typeName).slice(-1)
    case 'CreateRangeStmt': {
      const options = (made.params ?? []).flatMap((node) => as(node, 'DefElem') ?? [])
      const multirange = options.find(({ defname }) => defname === 'multirange_type_name')
      const names = as(multirange?.arg, 'TypeName')?.names
      return [made.typeName, names].flatMap((name) => stringsOf(name).slice(-1))
    }
    case 'CompositeTypeStmt':
      return [made.typevar?.relname ?? '']
    case 'DefineStmt':
      return made.kind === 'OBJECT_TYPE' ? stringsOf(made.defnames).slice(-1) : []
    default:
      return []
  }
}

function isInstalled({ context }: Run, fields: object): boolean {
  const { extname = '', if_not_exists } = fields as CreateExtensionStmt
  return if_not_exists === true && context.catalog?.data.extensions?.includes(extname) === true
}

/** Commands whose words depend on the statement's fields. */
function commandOf(type: string, fields: object, command: string): string {
  const { is_grant, is_vacuumcmd, is_procedure, objtype, kind } = fields as Record<string, unknown>
  switch (type) {
    case 'GrantStmt':
      return is_grant === true ? 'grant' : 'revoke'
    case 'GrantRoleStmt':
      return is_grant === true ? 'grant role' : 'revoke role'
    case 'VacuumStmt':
      return is_vacuumcmd === true ? 'vacuum' : 'analyze'
    case 'CreateFunctionStmt':
      return is_procedure === true ? 'create procedure' : 'create function'
    case 'DefineStmt':
      return `create ${objectWords(String(kind))}`
    case 'AlterFunctionStmt':
      return `alter ${objectWords(String(objtype))}`
    default:
      return command
  }
}

/** Every relation named in the statement, except those of CTEs in a body, and `not`. */
export function noteRelations(run: Run, access: Access, not?: RangeVar): void {
  for (const name of run.survey.relations) {
    if (name === not) continue
    useRelation(run.context, run.draft, { name, access })
  }
}

export function noteFunctions(run: Run): void {
  for (const call of run.survey.calls) {
    const facts = functionFacts(run.context, stringsOf(call.funcname))
    run.draft.function(facts.use)
    run.draft.effect(...facts.effects)
  }
}

/** The relation of COMMENT and SECURITY LABEL, which name it as a list: also that of a column. */
function noteCommented(run: Run, fields: object): void {
  const { objtype = '', object } = fields as { objtype?: string; object?: Node }
  const parts = stringsOf(as(object, 'List')?.items)
  if (objtype === 'OBJECT_COLUMN') parts.pop()
  else if (!RELATION_OBJECTS.has(objtype)) return
  useRelation(run.context, run.draft, { name: nameToRangeVar(parts), access: 'define' })
}

export function objectWords(type: string): string {
  const words = type.replace(/^OBJECT_/, '').toLowerCase()
  switch (words) {
    case 'matview':
      return 'materialized view'
    case 'fdw':
      return 'foreign data wrapper'
    case 'foreign_server':
      return 'server'
    case 'statistic_ext':
      return 'statistics'
    case 'tabconstraint':
    case 'domconstraint':
      return 'constraint'
    case 'opclass':
      return 'operator class'
    case 'opfamily':
      return 'operator family'
    default:
      return words.startsWith('ts') && words !== 'tablespace'
        ? `text search ${words.slice(2)}`
        : words.replaceAll('_', ' ')
  }
}

export const RELATION_OBJECTS = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
])
/** Objects that belong to the server or to who may do what. */
export const ADMIN_OBJECTS =
  /ROLE|DATABASE|TABLESPACE|EXTENSION|FDW|FOREIGN_SERVER|EVENT_TRIGGER|POLICY|PUBLICATION|SUBSCRIPTION|LANGUAGE|ACCESS_METHOD|USER_MAPPING/

const drop: Handler = (run, fields) => {
  const { removeType = '', objects, behavior } = fields as DropStmt
  const { draft } = run
  draft.command = `drop ${objectWords(removeType)}`
  draft.effect('ddl')
  if (ADMIN_OBJECTS.test(removeType)) draft.effect('admin')
  // What depends on it goes, too.
  if (behavior === 'DROP_CASCADE') draft.state.push({ kind: 'catalog' })
  for (const node of objects ?? []) {
    const parts = stringsOf(as(node, 'List')?.items)
    // A trigger, rule or policy is named after its table.
    const onTable = ['OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY'].includes(removeType)
    if (onTable) parts.pop()
    if (!onTable && !RELATION_OBJECTS.has(removeType)) continue
    const name = nameToRangeVar(parts)
    useRelation(run.context, draft, { name, access: 'define' })
    if (!onTable) noteChanged(run, name, 'dropped')
  }
  if (RELATION_OBJECTS.has(removeType)) return
  draft.state.push(
    removeType === 'OBJECT_INDEX' ? { kind: 'catalog', keepsNames: true } : { kind: 'catalog' },
  )
}

const createTable: Handler = (run, fields) => {
  const foreign = (fields as { base?: CreateStmt }).base
  const table = foreign ?? (fields as CreateStmt)
  const { draft } = run
  draft.command = foreign === undefined ? 'create table' : 'create foreign table'
  draft.effect('ddl')
  draft.literalIndependent = false
  const relation = table.relation ?? {}
  const columns = columnsIn(run, table)
  noteCreated(run, relation, {
    kind: foreign === undefined ? 'table' : 'foreign-table',
    columns,
    constraints: constraintsIn(run, table, columns),
    unlessThere: table.if_not_exists === true,
    onCommit: table.oncommit,
  })
  for (const name of serialsIn(table)) {
    if (!isTemporary(run, relation)) noteSerial(run, relation, name)
  }
  for (const name of run.survey.relations) {
    if (name !== relation) useRelation(run.context, draft, { name, access: 'define' })
  }
  noteFunctions(run)
}

const serialsIn = ({ tableElts = [] }: CreateStmt): readonly string[] =>
  tableElts.flatMap((node) => {
    const { colname = '', typeName } = as(node, 'ColumnDef') ?? {}
    return /^(small|big)?serial[248]?$/.test(typeNameOf(typeName)) ? colname : []
  })

/** Its sequence, where its name is not cut (NAMEDATALEN). */
function noteSerial(run: Run, table: RangeVar, column: string): void {
  const relname = `${table.relname}_${column}_seq`
  if (relname.length > 63) return
  const { schemaname } = table
  noteCreated(run, schemaname === undefined ? { relname } : { schemaname, relname }, SEQUENCE)
}
const SEQUENCE = { kind: 'sequence', columns: [] } as const

const createSequence: Handler = (run, fields) => {
  const { sequence, if_not_exists } = fields as CreateSeqStmt
  run.draft.command = 'create sequence'
  run.draft.effect('ddl')
  run.draft.literalIndependent = false
  noteCreated(run, sequence ?? {}, { ...SEQUENCE, unlessThere: if_not_exists === true })
}

const createSchema: Handler = (run, fields) => {
  const { schemaname, if_not_exists, schemaElts = [] } = fields as CreateSchemaStmt
  run.draft.command = 'create schema'
  run.draft.effect('ddl')
  run.draft.literalIndependent = false
  // AUTHORIZATION without a name: the role's.
  const certain = schemaname !== undefined && if_not_exists !== true && schemaElts.length === 0
  run.draft.state.push(
    certain ? { kind: 'create-schema', name: schemaname } : { kind: 'catalog', keepsColumns: true },
  )
  for (const node of schemaElts) run.draft.absorb(run.nested(node), { effects: true })
}

/** A rule makes other statements run in place of those written. */
const rule: Handler = (run, fields) => {
  const { relation } = fields as RuleStmt
  run.draft.command = 'create rule'
  run.draft.effect('ddl', 'admin', 'procedural')
  run.draft.literalIndependent = false
  run.draft.state.push({ kind: 'catalog' })
  if (relation !== undefined)
    useRelation(run.context, run.draft, { name: relation, access: 'define' })
  for (const name of run.survey.relations) {
    // `old` and `new` are the rule's rows, not relations.
    if (name !== relation && !/^(old|new)$/.test(name.relname ?? '')) {
      useRelation(run.context, run.draft, { name, access: 'define' })
    }
  }
  noteFunctions(run)
}

export const definitionStatements: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(Object.entries(TABLE).map(([type, row]) => [type, simple(type, row)])),
  DropStmt: drop,
  CreateStmt: createTable,
  CreateForeignTableStmt: createTable,
  CreateSeqStmt: createSequence,
  CreateSchemaStmt: createSchema,
  RuleStmt: rule,
}
