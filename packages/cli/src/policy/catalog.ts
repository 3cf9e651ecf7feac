/** Schema snapshots: live from a configured database, or from a file that was written here. */
import { readFile } from 'node:fs/promises'
import type { ConnectionConfig, GatewayConfig } from '@sallyport/gateway'
import { buildCatalog, type Catalog, type CatalogData } from '@sallyport/sql'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { INPUT_BYTES_MAX, readConfig } from '../files.ts'
import type { CatalogFlags } from './flags.ts'

/** Of the file; goes up when an old file cannot be read as a new one. */
const FORMAT_VERSION = 1

export interface Place {
  readonly connection: ConnectionConfig
  readonly database: string
}

/** `crm`, `crm/other`, or the only connection. Throws CliError `usage`. */
export function placeOf(config: GatewayConfig, name: string | undefined): Place {
  const names = [...config.connections.keys()]
  const wanted = name ?? (names.length === 1 ? names[0] : undefined)
  if (wanted === undefined) {
    throw new CliError('usage', `say which connection: --connection ${names.join('|')}`)
  }
  const slash = wanted.indexOf('/')
  const connection = config.connections.get(slash < 0 ? wanted : wanted.slice(0, slash))
  if (connection === undefined) {
    throw new CliError('usage', `no connection \`${wanted}\`; there are: ${names.join(', ')}`)
  }
  const database = slash < 0 ? connection.database : wanted.slice(slash + 1)
  const { databases } = connection
  if (database !== connection.database && databases !== 'any' && !databases.includes(database)) {
    throw new CliError(
      'usage',
      `connection \`${connection.name}\` does not offer the database \`${database}\``,
    )
  }
  return { connection, database }
}

/** Reads the schema as the gateway does, with the catalog's credential. Throws CatalogError and others. */
export async function liveCatalog({ connection, database }: Place, cli: Cli): Promise<Catalog> {
  const { ConnectionRuntime, createSecrets } = await import('@sallyport/gateway')
  const secrets = createSecrets({ now: cli.now })
  const runtime = new ConnectionRuntime(connection, { secrets, onCatalogEvent: () => {} })
  try {
    return await runtime.catalog(database).ensure()
  } finally {
    await runtime.close()
  }
}

/** Throws CliError `config`. */
export async function fileCatalog(path: string): Promise<Catalog> {
  const bytes = await readFile(path)
  if (bytes.byteLength > INPUT_BYTES_MAX)
    throw notACatalog(path, `is over ${INPUT_BYTES_MAX} bytes`)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw notACatalog(path, 'is not JSON')
  }
  return buildCatalog(catalogData(value, path), 1)
}

function catalogData(value: unknown, path: string): CatalogData {
  if (!isObject(value) || value['version'] !== FORMAT_VERSION) {
    throw notACatalog(path, `has no \`"version": ${FORMAT_VERSION}\``)
  }
  const { relations, functions, userOperators, database, serverVersion } = value
  if (typeof database !== 'string' || typeof serverVersion !== 'number') {
    throw notACatalog(path, 'lacks `database` or `serverVersion`')
  }
  if (!Array.isArray(relations) || !Array.isArray(functions) || !Array.isArray(userOperators)) {
    throw notACatalog(path, 'lacks `relations`, `functions` or `userOperators`')
  }
  const bad = relations.find((relation) => !isRelation(relation))
  if (bad !== undefined) throw notACatalog(path, 'has a relation without name, kind or columns')
  if (!functions.every((one) => isObject(one) && isText(one['name']) && isText(one['schema']))) {
    throw notACatalog(path, 'has a function without name or schema')
  }
  const bare = LISTS_OF_TEXT.find((key) => value[key] !== undefined && !isTexts(value[key]))
  if (bare !== undefined) throw notACatalog(path, `has \`${bare}\` that are no names`)
  const { types, mysql } = value
  if (
    types !== undefined &&
    !(Array.isArray(types) && types.every((one) => isObject(one) && isText(one['name'])))
  )
    throw notACatalog(path, 'has a type without name')
  if (mysql !== undefined && !isObject(mysql)) throw notACatalog(path, 'has a `mysql` that is none')
  const { version: _, ...data } = value
  // Checked as far as resolution needs it; the rest was written by `policy catalog`.
  return data as unknown as CatalogData
}

const LISTS_OF_TEXT = ['schemas', 'extensions'] as const
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'

function isRelation(value: unknown): boolean {
  return (
    isObject(value) &&
    [value['schema'], value['name'], value['kind']].every(isText) &&
    Array.isArray(value['parents']) &&
    Array.isArray(value['columns']) &&
    value['columns'].every((column) => isObject(column) && isText(column['name']))
  )
}

function notACatalog(path: string, why: string): CliError {
  return new CliError('config', `\`${path}\` is no schema snapshot: it ${why}`)
}

/** One relation or function a line, so that two snapshots can be compared line by line. */
export function catalogText({ relations, functions, userOperators, ...rest }: CatalogData): string {
  const list = (items: readonly unknown[]): string =>
    items.length === 0 ? '[]' : `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`
  const head = JSON.stringify({ version: FORMAT_VERSION, ...rest }).slice(0, -1)
  return `${head},\n"relations":${list(relations)},\n"functions":${list(functions)},\n"userOperators":${list(userOperators)}}\n`
}

export async function printCatalog(flags: CatalogFlags, cli: Cli): Promise<ExitCode> {
  const config = await readConfig(flags.config, cli)
  const place = placeOf(config, flags.connection)
  const { data } = await liveCatalog(place, cli)
  // A MySQL server's schema has all databases: names without one are in the connection's.
  cli.out.raw(catalogText({ ...data, database: place.database }))
  cli.out.note(`${data.relations.length} relations, ${data.functions.length} functions`)
  return EXIT.ok
}
