/**
 * Reads a PostgreSQL database's schema into CatalogData: relations with their columns, view
 * definitions, inheritance, functions, and the operators and casts that call user functions.
 *
 * Everything is included, the system's own relations and views too: lineage runs through them. Left
 * out are toast tables, indexes, functions that come with the server (`builtins` brings them in), and
 * what was dropped or locked while being read. No row of a user's table is read.
 */
import type {
  CatalogColumn,
  CatalogConstraint,
  CatalogData,
  CatalogFunction,
  CatalogOperator,
  CatalogRelation,
  Defined,
} from '@sallyport/sql'
import type pg from 'pg'
import { isAbsent, isFunction } from './definition-check.ts'
import { CatalogError } from './errors.ts'
import {
  COLUMNS_MAX,
  CONSTRAINTS_MAX,
  FIRST_USER_OID,
  FUNCTIONS_MAX,
  RELATIONS_MAX,
  SAMPLE_CHARS_MAX,
  SERVER_VERSION_MIN,
  VIEWS_MISSING_MAX,
} from './limits.ts'
import {
  BEGIN,
  COLUMNS,
  CONSTRAINTS,
  CURRENT_DEFINITIONS,
  CURRENT_FUNCTIONS,
  DEFINITIONS,
  EXTENSIONS,
  FUNCTIONS,
  OPERATORS,
  PROBE,
  RELATIONS,
  RELATIONS_THERE,
  SCHEMAS,
  SERVER,
  TYPES,
} from './queries.ts'
import type { LoadedCatalog } from './source.ts'

export interface LoadOptions {
  /** Include the functions of the server itself (about 3,000). Default false. */
  readonly builtins?: boolean
}

/**
 * Loads the database that `client` is connected to, in a transaction of its own. Errors of the
 * database pass through as they are; CatalogError: unsupported-server, too-large.
 */
export async function loadCatalogData(
  client: pg.Client,
  options: LoadOptions = {},
): Promise<LoadedCatalog> {
  return inSnapshot(client, async () => {
    const [server] = await rowsOf<[string, number]>(client, SERVER)
    if (server === undefined || server[1] < SERVER_VERSION_MIN) {
      throw new CatalogError('unsupported-server', `the server is version \`${server?.[1]}\``)
    }
    const probe = await readProbe(client)
    const schemas = await rowsOf<[string]>(client, SCHEMAS)
    const extensions = await rowsOf<[string]>(client, EXTENSIONS)
    const allTypes = await rowsOf<TypeRow>(client, TYPES)
    const types = new Map(allTypes.map(([id, name]) => [id, name]))
    const relations = await rowsOf<RelationRow>(client, RELATIONS)
    const columns = await rowsOf<ColumnRow>(client, COLUMNS)
    const constraints = await rowsOf<ConstraintRow>(client, CONSTRAINTS)
    const functions = await rowsOf<FunctionRow>(client, FUNCTIONS, [options.builtins === true])
    const operators = await rowsOf<OperatorRow>(client, OPERATORS)
    within(relations, RELATIONS_MAX, 'relations')
    within(columns, COLUMNS_MAX, 'columns')
    within(constraints, CONSTRAINTS_MAX, 'constraints')
    within(functions, FUNCTIONS_MAX, 'functions')
    const definitions = await readDefinitions(
      client,
      relations.filter(isView).map(([id]) => id),
    )
    const parts = {
      definitions,
      columns: groupColumns(columns, types),
      constraints: groupConstraints(constraints),
    }
    const usable = relations.flatMap((row) => relationOf(row, parts) ?? [])
    const data: CatalogData = {
      database: server[0],
      serverVersion: server[1],
      schemas: schemas.map(([name]) => name),
      extensions: extensions.map(([name]) => name),
      types: allTypes.flatMap(([, , schema, name, row]) =>
        row === null ? [] : { schema, name, row },
      ),
      relations: usable,
      functions: functions.map((row) => functionOf(row, types)),
      userOperators: operators.map((row) => operatorOf(row, types)),
    }
    return { data, probe, complete: usable.length === relations.length }
  })
}

/** The change probe as of now: equal to an earlier one when nothing has changed (see PROBE). */
export function probeCatalog(client: pg.Client): Promise<string> {
  return inSnapshot(client, () => readProbe(client))
}

/**
 * Definitions of these views and functions as of now; null for one whose name has become another's, or is gone, for what
 * should not be there and is, and for a function while its name has more, or fewer, functions than are asked for.
 */
export async function currentDefinitions(
  client: pg.Client,
  defined: readonly Defined[],
): Promise<readonly (string | null | undefined)[]> {
  type Row = [id: string, schema: string, name: string, definition: string | null]
  const functions = defined.filter(isFunction)
  const absent = defined.filter(isAbsent)
  return inSnapshot(client, async () => {
    const ids = defined.map(({ id }) => id)
    const there = await rowsOf<[string, string]>(client, RELATIONS_THERE, [
      absent.map(({ schema }) => schema),
      absent.map(({ name }) => name),
    ])
    const views = await rowsOf<Row>(client, CURRENT_DEFINITIONS, [ids])
    const named =
      functions.length === 0
        ? []
        : await rowsOf<Row>(client, CURRENT_FUNCTIONS, [functions.map(({ name }) => name)])
    const now = (rows: readonly Row[], { id, schema, name }: Defined) => {
      const row = rows.find(([found]) => Number(found) === id)
      return row !== undefined && row[1] === schema && row[2] === name ? row[3] : null
    }
    return defined.map((one) => {
      if (isAbsent(one)) {
        return there.some(([schema, name]) => schema === one.schema && name === one.name)
          ? null
          : undefined
      }
      if (!isFunction(one)) return now(views, one)
      const asked = new Set(functions.flatMap(({ id, name }) => (name === one.name ? id : [])))
      if (named.filter(([, , name]) => name === one.name).length !== asked.size) return null
      // Of one that is compiled, that it is there.
      return one.definition === undefined ? undefined : now(named, one)
    })
  })
}

/** Rows of a table as they come; the names are the catalog's own. */
export async function samplePostgres(
  client: pg.Client,
  { schema, name }: CatalogRelation,
  { columns, rows }: { readonly columns: readonly string[]; readonly rows: number },
): Promise<(string | null)[][]> {
  const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`
  const texts = columns.map(
    (column) => `pg_catalog.left(${quoted(column)}::pg_catalog.text, ${SAMPLE_CHARS_MAX})`,
  )
  const text = `SELECT ${texts.join(', ')} FROM ${quoted(schema)}.${quoted(name)} LIMIT $1`
  return inSnapshot(client, () => rowsOf<(string | null)[]>(client, text, [rows]))
}

async function readProbe(client: pg.Client): Promise<string> {
  const [row] = await rowsOf<[string]>(client, PROBE)
  if (row === undefined) throw new CatalogError('query-failed', 'the change probe gave no row')
  return row[0]
}

async function inSnapshot<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query(BEGIN)
  try {
    return await work()
  } finally {
    // After a failure too; a broken connection makes the first error known, not this one.
    await client.query('ROLLBACK').catch(() => undefined)
  }
}

/**
 * Definitions by view; views without one are missing in the map. One statement reads them all; when it
 * fails, halves are read, so a view that is dropped or locked costs only itself.
 */
async function readDefinitions(
  client: pg.Client,
  views: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  const open: (readonly string[])[] = [views]
  let missing = 0
  for (let batch = open.pop(); batch !== undefined; batch = open.pop()) {
    if (batch.length === 0) continue
    await client.query('SAVEPOINT definitions')
    try {
      const rows = await rowsOf<[string, string | null]>(client, DEFINITIONS, [batch])
      for (const [view, definition] of rows) if (definition !== null) found.set(view, definition)
      await client.query('RELEASE SAVEPOINT definitions')
    } catch (error) {
      if (!isAboutTheView(error)) throw error
      await client.query('ROLLBACK TO SAVEPOINT definitions')
      const half = Math.ceil(batch.length / 2)
      if (batch.length > 1) open.push(batch.slice(0, half), batch.slice(half))
      else if (++missing > VIEWS_MISSING_MAX) throw error
    }
  }
  return found
}

/** Dropped (XX000 from a cache, class 42) or locked (55P03); a time-out or a lost connection is not. */
function isAboutTheView(error: unknown): boolean {
  return /^(XX000|42...|55P03)$/.test(String((error as { code?: unknown }).code))
}

type ConstraintRow = [
  relation: string,
  kind: string,
  columns: string[] | null,
  schema: string | null,
  otherRelation: string | null,
  referenced: string[] | null,
]

type RelationRow = [
  id: string,
  schema: string,
  name: string,
  relkind: string,
  parents: string[] | null,
  rules: boolean,
  triggers: boolean,
  rowSecurity: boolean,
]
type ColumnRow = [
  relation: string,
  name: string,
  number: number,
  type: string,
  isGenerated: boolean,
  generated: string | null,
]
type FunctionRow = [
  id: string,
  schema: string,
  name: string,
  volatility: string,
  language: string,
  kind: string,
  securityDefiner: boolean,
  returnsSet: boolean,
  outputs: string[] | null,
  returnType: string,
  pure: boolean,
  definition: string | null,
  argumentsLeast: number,
  argumentsMost: number,
  variadic: boolean,
]

type TypeRow = [id: string, shown: string, schema: string, name: string, row: boolean | null]
type OperatorRow = [name: string, called: string, left: string | null, right: string | null]

/** The row types above are those of the select lists in queries.ts; tests run them on real servers. */
async function rowsOf<R extends unknown[]>(
  client: pg.Client,
  text: string,
  values: unknown[] = [],
): Promise<R[]> {
  const { rows } = await client.query<R>({ text, values, rowMode: 'array' })
  return rows
}

function within(rows: readonly unknown[], cap: number, what: string): void {
  if (rows.length > cap) throw new CatalogError('too-large', `over ${cap} ${what}`)
}

const RELATION_KINDS: Readonly<Record<string, CatalogRelation['kind']>> = {
  r: 'table',
  p: 'partitioned-table',
  v: 'view',
  m: 'materialized-view',
  f: 'foreign-table',
  S: 'sequence',
  c: 'composite',
}
const VOLATILITIES: Readonly<Record<string, CatalogFunction['volatility']>> = {
  i: 'immutable',
  s: 'stable',
  v: 'volatile',
}
const FUNCTION_KINDS: Readonly<Record<string, CatalogFunction['kind']>> = {
  f: 'function',
  p: 'procedure',
  a: 'aggregate',
  w: 'window',
}

interface RelationParts {
  readonly constraints: ReadonlyMap<string, readonly CatalogConstraint[]>
  readonly definitions: ReadonlyMap<string, string>
  /** Null for a relation with a generated column whose expression is gone. */
  readonly columns: ReadonlyMap<string, CatalogColumn[] | null>
}

function groupColumns(
  rows: readonly ColumnRow[],
  types: ReadonlyMap<string, string>,
): RelationParts['columns'] {
  const byRelation = new Map<string, CatalogColumn[] | null>()
  for (const [relation, name, number, type, isGenerated, generated] of rows) {
    const columns = byRelation.get(relation)
    if (columns === null || (isGenerated && generated === null)) {
      byRelation.set(relation, null)
      continue
    }
    const column: CatalogColumn = {
      name,
      number,
      type: typeName(type, types),
      typeId: Number(type),
      ...(generated === null ? {} : { generated }),
    }
    if (columns === undefined) byRelation.set(relation, [column])
    else columns.push(column)
  }
  return byRelation
}

function isView(row: RelationRow): boolean {
  return row[3] === 'v' || row[3] === 'm'
}

/**
 * Undefined for a view without its query and a table without its expressions: they must not pass for
 * a plain table. Their names are then unknown.
 */
function relationOf(row: RelationRow, parts: RelationParts): CatalogRelation | undefined {
  const [id, schema, name, relkind, parents, rules, triggers, rowSecurity] = row
  const definition = parts.definitions.get(id)
  const columns = parts.columns.get(id) ?? (parts.columns.has(id) ? null : [])
  if (columns === null || (isView(row) && definition === undefined)) return undefined
  return {
    id: Number(id),
    schema,
    name,
    kind: known(RELATION_KINDS, relkind),
    columns,
    ...(definition === undefined ? {} : { definition }),
    parents: parents ?? [],
    rules,
    triggers,
    rowSecurity,
    constraints: parts.constraints.get(id) ?? [],
  }
}

const CONSTRAINT_KINDS = { c: 'check', x: 'exclusion', u: 'unique' } as const

function groupConstraints(rows: readonly ConstraintRow[]): Map<string, CatalogConstraint[]> {
  const byRelation = new Map<string, CatalogConstraint[]>()
  for (const [id, kind, columns, schema, relation, referenced] of rows) {
    const list = byRelation.get(id) ?? []
    byRelation.set(id, list)
    // An index over an expression may name a column twice.
    const own = [...new Set(columns ?? [])]
    if (kind === 'p') list.push({ kind: 'unique', columns: own, primary: true })
    else if (kind !== 'f') list.push({ kind: known(CONSTRAINT_KINDS, kind), columns: own })
    else if (schema !== null && relation !== null && referenced !== null) {
      list.push({ kind: 'reference', columns: columns ?? [], schema, relation, referenced })
    }
  }
  return byRelation
}

function functionOf(row: FunctionRow, types: ReadonlyMap<string, string>): CatalogFunction {
  const [id, schema, name, volatility, language, kind, securityDefiner, returnsSet] = row
  const replaced = securityDefiner || !['internal', 'c', 'sql'].includes(language)
  return {
    id: Number(id),
    schema,
    name,
    volatility: known(VOLATILITIES, volatility),
    language,
    kind: known(FUNCTION_KINDS, kind),
    securityDefiner,
    returnsSet,
    outputs: row[8] ?? [],
    returnType: typeName(row[9], types),
    builtin: Number(id) < FIRST_USER_OID && !replaced,
    ...(row[10] ? { pure: true } : {}),
    ...(row[11] === null ? {} : { definition: row[11] }),
    ...(row[14] ? {} : { arity: [row[12], row[13]] as const }),
  }
}

/** Casts and base types have no operands and apply to any; an operator's missing side is type 0. */
function operatorOf(
  [name, called, left, right]: OperatorRow,
  types: ReadonlyMap<string, string>,
): CatalogOperator {
  if (left === null || right === null) return { name, function: called }
  const side = (oid: string): string | null => (oid === '0' ? null : typeName(oid, types))
  return { name, function: called, left: side(left), right: side(right) }
}

/** A type made since the snapshot began has no name yet; the next load has it. */
function typeName(oid: string, types: ReadonlyMap<string, string>): string {
  return types.get(oid) ?? `oid:${oid}`
}

function known<T>(table: Readonly<Record<string, T>>, letter: string): T {
  const value = table[letter]
  if (value === undefined) {
    throw new CatalogError('query-failed', `the catalog has an unknown kind \`${letter}\``)
  }
  return value
}
