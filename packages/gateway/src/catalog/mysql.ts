/**
 * Reads the schema of a MySQL or MariaDB server into CatalogData: every database as a schema, relations with
 * their columns, view definitions, constraints, routines.
 *
 * What the account may not see is unknown: a view without its definition is left out, a table whose
 * triggers are not shown is said to have some. No row of a user's table is read.
 */
import type {
  CatalogColumn,
  CatalogConstraint,
  CatalogData,
  CatalogFunction,
  CatalogRelation,
  Defined,
  MysqlFlavour,
} from '@sallyport/sql'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { isFunction, isTable } from './definition-check.ts'
import { CatalogError } from './errors.ts'
import { MARIADB_VERSION_MIN, MYSQL_VERSION_MIN, SAMPLE_CHARS_MAX } from './limits.ts'
import {
  COLUMNS,
  CURRENT_COLUMNS,
  CURRENT_DEFINITIONS,
  CURRENT_FUNCTIONS,
  CURRENT_PARAMETERS,
  checks,
  PARAMETERS,
  probeOf,
  REFERENCES,
  RELATIONS,
  type Reading,
  ROUTINES,
  SERVER,
  selectOf,
  settings,
  TRIGGER_GRANTS,
  TRIGGERS,
  UNIQUE_KEYS,
  VIEWS,
} from './mysql-queries.ts'
import type { LoadedCatalog } from './source.ts'

/** What a server says of itself. */
export interface MysqlServerInfo {
  readonly flavour: MysqlFlavour
  /** As 90704 for 9.7.4. */
  readonly version: number
  readonly lowerCaseTableNames: 0 | 1 | 2
  /** `'user'@'host'`, as information_schema names a grantee. */
  readonly grantee: string
}

/** Puts the connection into the state that the other functions need. Throws CatalogError: unsupported-server. */
export async function prepareReader(connection: Connection): Promise<MysqlServerInfo> {
  const [row] = await rowsOf<[string, number, string]>(connection, SERVER)
  const [text, lowerCase, account] = row ?? ['', 0, '']
  const flavour = /mariadb/i.test(text) ? 'mariadb' : 'mysql'
  const version = versionNumber(text)
  if (version < (flavour === 'mysql' ? MYSQL_VERSION_MIN : MARIADB_VERSION_MIN)) {
    throw new CatalogError('unsupported-server', `the server is version \`${text}\``)
  }
  await connection.query(settings(flavour))
  const at = account.lastIndexOf('@')
  const grantee = `'${account.slice(0, at)}'@'${account.slice(at + 1)}'`
  return {
    flavour,
    version,
    lowerCaseTableNames: lowerCase === 1 || lowerCase === 2 ? lowerCase : 0,
    grantee,
  }
}

/** `9.7.4-2` is 90704; MariaDB may put `5.5.5-` before its own. */
export function versionNumber(text: string): number {
  const match = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(text)
  if (match === null) return 0
  return Number(match[1]) * 10_000 + Number(match[2]) * 100 + Number(match[3])
}

/** Errors of the database pass through as they are; CatalogError: too-large. */
export async function loadMysqlCatalog(
  connection: Connection,
  server: MysqlServerInfo,
): Promise<LoadedCatalog> {
  const probe = await probeMysqlCatalog(connection, server)
  const read = <R extends unknown[]>(reading: Reading) => readAll<R>(connection, reading)
  const relations = await read<RelationRow>(RELATIONS)
  const columns = groupBy(await read<ColumnRow>(COLUMNS))
  const views = groupBy(await read<[string, string, string | null]>(VIEWS))
  const triggers = groupBy(await read<[string, string, string]>(TRIGGERS))
  const grants = await rowsOf<[string | null]>(connection, TRIGGER_GRANTS, [
    server.grantee,
    server.grantee,
  ])
  const routines = await read<RoutineRow>(ROUTINES)
  const parameters = groupBy(await read<ParameterRow>(PARAMETERS))
  const parts: Parts = {
    server,
    columns,
    views,
    triggers,
    showsTriggers: new Set(grants.map(([schema]) => schema)),
    unique: groupBy(await read<UniqueRow>(UNIQUE_KEYS)),
    references: groupBy(await read<ReferenceRow>(REFERENCES)),
    checks: groupBy(await read<[string, string, string]>(checks(server.flavour))),
    merged: await readMerged(connection, relations),
  }
  const data: CatalogData = {
    database: '',
    serverVersion: server.version,
    relations: relations.flatMap((row) => relationOf(row, parts) ?? []),
    functions: routines.map((row) => functionOf(row, parameters)),
    userOperators: [],
    mysql: { flavour: server.flavour, lowerCaseTableNames: server.lowerCaseTableNames },
  }
  return { data, probe, complete: true }
}

/** Definitions of these as of now; null for a view that is gone, undefined for a function that cannot be read. */
export async function currentMysqlDefinitions(
  connection: Connection,
  defined: readonly Defined[],
): Promise<readonly (string | null | undefined)[]> {
  const isView = (one: Defined) => !isFunction(one) && !isTable(one)
  const named = (some: readonly Defined[]) => some.map(({ schema, name }) => [schema, name])
  const ask = async <R extends unknown[]>(text: string, of: readonly Defined[]) =>
    of.length === 0 ? [] : rowsOf<R>(connection, text, [named(of)])
  const functions = defined.filter(isFunction)
  const rows = await ask<[string, string, string]>(CURRENT_DEFINITIONS, defined.filter(isView))
  const views = new Map(rows.map(([schema, name, text]) => [`${schema}\0${name}`, text]))
  const columns = groupBy(
    await ask<[string, string, string]>(CURRENT_COLUMNS, defined.filter(isTable)),
  )
  const parameters = groupBy(await ask<ParameterRow>(CURRENT_PARAMETERS, functions))
  const routines = await ask<RoutineRow>(CURRENT_FUNCTIONS, functions)
  const bodies = new Map(
    routines.map((row) => [functionKey(row[0], row[1]), definitionOf(row, parameters)]),
  )
  return defined.map((one) => {
    if (isFunction(one)) return bodies.get(functionKey(one.schema, one.name))
    const key = `${one.schema}\0${one.name}`
    if (isView(one)) return views.get(key) ?? null
    return JSON.stringify((columns.get(key) ?? []).map(([, , column]) => column))
  })
}

/** Names of routines have no case. */
const functionKey = (schema: string, name: string): string => `${schema}\0${name.toLowerCase()}`

/** Types that no cast makes text of: an error for the whole statement. */
const WITHOUT_TEXT = /^(geom|point|linestring|polygon|multi|vector)/

/** Rows of a table as they come; the names are the catalog's own. */
export async function sampleMysql(
  connection: Connection,
  { schema, name, columns: all }: CatalogRelation,
  { columns, rows }: { readonly columns: readonly string[]; readonly rows: number },
): Promise<(string | null)[][]> {
  const textless = new Set(
    all.flatMap((column) => (WITHOUT_TEXT.test(column.type) ? column.name : [])),
  )
  const texts = columns.map((column) =>
    textless.has(column) ? 'NULL' : `LEFT(CAST(${quoted(column)} AS CHAR), ${SAMPLE_CHARS_MAX})`,
  )
  const text = `SELECT ${texts.join(', ')} FROM ${quoted(schema)}.${quoted(name)} LIMIT ?`
  return rowsOf<(string | null)[]>(connection, text, [rows])
}

export async function probeMysqlCatalog(
  connection: Connection,
  { flavour }: MysqlServerInfo,
): Promise<string> {
  const readings = [
    RELATIONS,
    COLUMNS,
    VIEWS,
    TRIGGERS,
    ROUTINES,
    PARAMETERS,
    UNIQUE_KEYS,
    REFERENCES,
    checks(flavour),
  ]
  const [row] = await rowsOf<[string]>(connection, probeOf(readings))
  if (row === undefined) throw new CatalogError('query-failed', 'the change probe gave no row')
  return row[0]
}

type RelationRow = [schema: string, name: string, type: string, engine: string | null]
type ColumnRow = [
  schema: string,
  relation: string,
  name: string,
  number: number,
  type: string,
  fullType: string,
  extra: string | null,
  generated: string | null,
  default_: string | null,
]
type RoutineRow = [
  schema: string,
  name: string,
  kind: string,
  returnType: string | null,
  security: string,
  language: string | null,
  resultType: string | null,
  body: string | null,
  sqlMode: string,
]
type ParameterRow = [
  schema: string,
  name: string,
  mode: string | null,
  parameter: string | null,
  type: string,
]
type UniqueRow = [schema: string, table: string, index: string, column: string | null]
type ReferenceRow = [
  schema: string,
  table: string,
  constraint: string,
  column: string,
  otherSchema: string,
  otherTable: string,
  otherColumn: string,
]

interface Parts {
  readonly server: MysqlServerInfo
  readonly columns: Grouped<ColumnRow>
  readonly views: Grouped<[string, string, string | null]>
  readonly triggers: Grouped<[string, string, string]>
  /** Null in it: every schema's. */
  readonly showsTriggers: ReadonlySet<string | null>
  readonly unique: Grouped<UniqueRow>
  readonly references: Grouped<ReferenceRow>
  readonly checks: Grouped<[string, string, string]>
  /** Tables that a MERGE table shows, as `schema.name`. */
  readonly merged: ReadonlyMap<string, readonly string[]>
}

/** Rows by `schema\0relation`. */
type Grouped<R> = ReadonlyMap<string, readonly R[]>

function groupBy<R extends unknown[]>(rows: readonly R[]): Grouped<R> {
  const groups = new Map<string, R[]>()
  for (const row of rows) {
    const key = `${row[0]}\0${row[1]}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}

/** The row types above are those of the select lists in mysql-queries.ts; tests run them on real servers. */
async function rowsOf<R extends unknown[]>(
  connection: Connection,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const options = { sql: text, values: [...values], rowsAsArray: true }
  const [rows] = await connection.query<RowDataPacket[]>(options)
  return rows as unknown as R[]
}

async function readAll<R extends unknown[]>(
  connection: Connection,
  reading: Reading,
): Promise<R[]> {
  const rows = await rowsOf<R>(connection, selectOf(reading))
  if (rows.length > reading.max) {
    throw new CatalogError('too-large', `over ${reading.max} rows of ${reading.from}`)
  }
  return rows
}

/** Engines whose rows are elsewhere, where the gateway does not look. */
const FOREIGN_ENGINES = new Set(['FEDERATED', 'CONNECT', 'SPIDER', 'S3', 'OQGRAPH'])

/** Undefined: a view without its query, or a relation without columns, must not pass for a plain table. */
function relationOf(
  [schema, name, type, engine]: RelationRow,
  parts: Parts,
): CatalogRelation | undefined {
  const key = `${schema}\0${name}`
  const conditions = new Set(parts.checks.get(key)?.map(([, , condition]) => condition))
  const columns = (parts.columns.get(key) ?? []).map((row) =>
    columnOf(row, parts.server, conditions),
  )
  const definition = parts.views.get(key)?.[0]?.[2] || undefined
  const isView = type === 'VIEW'
  if (columns.length === 0 || (isView && definition === undefined)) return undefined
  const { showsTriggers, merged } = parts
  const sees =
    isView || showsTriggers.has(null) || showsTriggers.has(schema) || type !== 'BASE TABLE'
  return {
    id: 0,
    schema,
    name,
    kind: kindOf(type, engine),
    columns,
    ...(isView && definition !== undefined && { definition }),
    parents: merged.get(key) ?? [],
    rules: false,
    triggers: !sees || parts.triggers.has(key),
    rowSecurity: false,
    constraints: constraintsOf(key, columns, parts),
  }
}

function kindOf(type: string, engine: string | null): CatalogRelation['kind'] {
  if (type === 'VIEW') return 'view'
  if (type === 'SEQUENCE') return 'sequence'
  return FOREIGN_ENGINES.has((engine ?? '').toUpperCase()) ? 'foreign-table' : 'table'
}

function columnOf(
  row: ColumnRow,
  { flavour }: MysqlServerInfo,
  conditions: ReadonlySet<string>,
): CatalogColumn {
  const [, , name, number, type, fullType, extra, expression, default_] = row
  const read = (text: string): string => (flavour === 'mysql' ? unescaped(text) : text)
  const isComputed = flavour === 'mariadb' || /\bDEFAULT_GENERATED\b/i.test(extra ?? '')
  return {
    name,
    number: Number(number),
    type: typeName(type, fullType, conditions.has(`json_valid(${quoted(name)})`)),
    typeId: 0,
    ...(expression !== null && expression !== '' && { generated: read(expression) }),
    // Both servers print names of columns in back quotes.
    ...(isComputed && default_?.includes('`') === true && { default: read(default_) }),
    ...(/\bINVISIBLE\b/i.test(extra ?? '') && { invisible: true }),
    ...(/\bon update\b/i.test(extra ?? '') && { renewed: true }),
  }
}

/** MariaDB's JSON is a text with a condition. */
function typeName(type: string, fullType: string, isJson: boolean): string {
  if (isJson && type === 'longtext') return 'json'
  return /\bunsigned\b/.test(fullType) ? `${type} unsigned` : type
}

/** MySQL escapes expressions once more when it lists them: `_utf8mb4\'x\'`. */
function unescaped(expression: string): string {
  return expression.replace(/\\(.)/gs, '$1')
}

function constraintsOf(
  key: string,
  columns: readonly CatalogColumn[],
  parts: Parts,
): readonly CatalogConstraint[] {
  const all = columns.map(({ name }) => name)
  const unique = Map.groupBy(parts.unique.get(key) ?? [], ([, , index]) => index)
  const references = Map.groupBy(parts.references.get(key) ?? [], ([, , constraint]) => constraint)
  return [
    ...[...unique].map(([index, rows]) => ({
      kind: 'unique' as const,
      columns: keyOf(rows, all),
      ...(index === 'PRIMARY' && { primary: true as const }),
    })),
    ...(parts.checks.get(key) ?? []).map(([, , condition]) => ({
      kind: 'check' as const,
      columns: columnsIn(condition, all),
    })),
    ...[...references.values()].map((rows) => ({
      kind: 'reference' as const,
      columns: rows.map((row) => row[3]),
      schema: rows[0]?.[4] ?? '',
      relation: rows[0]?.[5] ?? '',
      referenced: rows.map((row) => row[6]),
    })),
  ]
}

/** An index over an expression may be over any column. */
function keyOf(rows: readonly UniqueRow[], all: readonly string[]): readonly string[] {
  const named = rows.flatMap(([, , , column]) => column ?? [])
  return named.length === rows.length ? named : all
}

/** Every name in a condition is printed in back quotes; a string that looks like one only adds a column. */
function columnsIn(condition: string, all: readonly string[]): readonly string[] {
  const named = new Set(
    [...condition.matchAll(/`((?:[^`]|``)+)`/g)].map((match) =>
      (match[1] ?? '').replaceAll('``', '`').toLowerCase(),
    ),
  )
  return all.filter((name) => named.has(name.toLowerCase()))
}

/** Under these the text of a body means something else than it does to us. */
const OTHER_MEANINGS =
  /\b(ANSI|ANSI_QUOTES|NO_BACKSLASH_ESCAPES|PIPES_AS_CONCAT|HIGH_NOT_PRECEDENCE|ORACLE|MSSQL|DB2|MAXDB|POSTGRESQL)\b/

/** The statement that would create it; undefined: a procedure, or its body is not shown or not to be read. */
function definitionOf(row: RoutineRow, parameters: Grouped<ParameterRow>): string | undefined {
  const [schema, name, kind, , , language, type, body, sqlMode] = row
  const isSql = language === null || language.toUpperCase() === 'SQL'
  if (kind !== 'FUNCTION' || body === null || type === null || !isSql) return undefined
  if (OTHER_MEANINGS.test(sqlMode)) return undefined
  const list = (parameters.get(`${schema}\0${name}`) ?? []).map(
    ([, , , parameter, of]) => `${quoted(parameter ?? '')} ${of}`,
  )
  return `CREATE FUNCTION ${quoted(schema)}.${quoted(name)}(${list.join(', ')}) RETURNS ${type} ${body}`
}

function functionOf(row: RoutineRow, parameters: Grouped<ParameterRow>): CatalogFunction {
  const [schema, name, kind, returnType, security, language] = row
  const definition = definitionOf(row, parameters)
  return {
    id: 0,
    schema,
    // Names of routines have no case.
    name: name.toLowerCase(),
    // What its author says of it (DETERMINISTIC, NO SQL) is not checked by the server.
    volatility: 'volatile',
    language: (language ?? 'sql').toLowerCase(),
    kind: kind === 'FUNCTION' ? 'function' : 'procedure',
    securityDefiner: security === 'DEFINER',
    returnsSet: false,
    outputs: [],
    returnType: returnType ?? '',
    builtin: false,
    ...(definition !== undefined && { definition }),
  }
}

/**
 * What MERGE tables show: rows of other tables, column by column. Only SHOW CREATE TABLE says which; a table
 * that cannot be asked about is left without, and what it shows stays under its own name.
 */
async function readMerged(
  connection: Connection,
  relations: readonly RelationRow[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const merged = new Map<string, readonly string[]>()
  for (const [schema, name, , engine] of relations) {
    if (!/^MRG_/i.test(engine ?? '')) continue
    const [row] = await rowsOf<[string, string]>(
      connection,
      `SHOW CREATE TABLE ${quoted(schema)}.${quoted(name)}`,
    )
    const list = /\bUNION=\(((?:`(?:[^`]|``)+`[.,]?)+)\)/.exec(row?.[1] ?? '')?.[1] ?? ''
    merged.set(`${schema}\0${name}`, namesIn(list, schema))
  }
  return merged
}

/** `` `a`,`other`.`b` `` → schema.name each. */
function namesIn(list: string, schema: string): string[] {
  const pattern = /`((?:[^`]|``)+)`(?:\.`((?:[^`]|``)+)`)?/g
  return [...list.matchAll(pattern)].map(([, first = '', second]) => {
    const name = (part: string): string => part.replaceAll('``', '`')
    return second === undefined ? `${schema}.${name(first)}` : `${name(first)}.${name(second)}`
  })
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
