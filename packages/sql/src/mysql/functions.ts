/**
 * What a function call may do: native functions from the generated table, stored ones from the catalog, anything
 * else opaque. A stored or loadable function that has the name of a native one is never certain to be the
 * native one in another version of the server, so it counts as opaque.
 */
import type { CatalogFunction } from '../catalog.ts'
import type { Effect, FunctionUse } from '../facts.ts'
import type { FunctionCall } from './ast.ts'
import { AGGREGATES, FAILING, PURITY, WINDOWS } from './builtin-functions.ts'
import type { MysqlContext } from './context.ts'
import { foldDatabase } from './names.ts'

export interface FunctionFacts {
  readonly use: FunctionUse
  readonly effects: readonly Effect[]
  readonly kind: 'function' | 'aggregate' | 'window'
  /** Its result may hold stored data that its arguments do not show. */
  readonly readsData: boolean
  /** It may change the session. */
  readonly runsSql: boolean
  /** It may fail for some values of its arguments. */
  readonly mayFail: boolean
  /** Two rows of one statement may get different results for equal arguments. */
  readonly varies: boolean
}

const words = (text: string) => text.trim().split(/\s+/)
const aggregates = new Set(words(AGGREGATES))
const windows = new Set(words(WINDOWS))
const failing = new Set(words(FAILING))
const purity = {
  mysql: purityTable('mysql'),
  mariadb: purityTable('mariadb'),
}

function purityTable(flavour: 'mysql' | 'mariadb'): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(PURITY[flavour]).flatMap(([value, names]) =>
      words(names).map((name) => [name, value] as const),
    ),
  )
}

/** Of the rows of the query that it stands in. */
export const isAggregate = ({ database, name, over }: FunctionCall): boolean =>
  database === null && over === null && aggregates.has(name.value.toLowerCase())

/** Session functions that give every row a value of its own. */
const VARYING = /^(rand|random_bytes|uuid|uuid_short|uuid_v\d|sys_guid|sysdate|rownum)$/
/** Locks give a status, waiting a number: never stored data. */
const WITH_DATA = /^(load_file|binlog_gtid_pos)$/

const cache = new Map<string, FunctionFacts>()

export function functionFacts(context: MysqlContext, call: FunctionCall): FunctionFacts {
  const name = call.name.value.toLowerCase()
  if (call.database !== null) {
    return opaqueFacts(foldDatabase(context.catalog, call.database.value), name)
  }
  const stored = storedFunction(context, name)
  return stored ?? nativeFacts(context.dialect.flavour, name) ?? opaqueFacts(null, name)
}

/** Neither a native nor a stored function has this name; a loadable one may. */
export function isNoFunction({ catalog, dialect }: MysqlContext, call: FunctionCall): boolean {
  const name = call.name.value.toLowerCase()
  if (catalog === null || catalog.functionsNamed(name).length > 0) return false
  return call.database !== null || !purity[dialect.flavour].has(name)
}

/** The stored function that a call certainly means; null: several, none, or a native one. */
export function onlyStoredFunction(
  context: MysqlContext,
  call: FunctionCall,
): CatalogFunction | null {
  const { catalog, names, dialect } = context
  const name = call.name.value.toLowerCase()
  if (call.database === null && !names.databaseCertain) return null
  if (call.database === null && purity[dialect.flavour].has(name)) return null
  const found = storedFunctions(context, name, call.database?.value ?? names.database)
  const [only] = found
  if (only === undefined || found.length > 1 || catalog === null) return null
  return only.kind === 'function' ? only : null
}

function storedFunctions(
  { catalog }: MysqlContext,
  name: string,
  database: string | null,
): readonly CatalogFunction[] {
  if (database === null) return []
  const folded = foldDatabase(catalog, database)
  return (catalog?.functionsNamed(name) ?? []).filter(
    (entry) => !entry.builtin && foldDatabase(catalog, entry.schema) === folded,
  )
}

/** Is there a stored function of this name that an unqualified call may mean? */
function storedFunction(context: MysqlContext, name: string): FunctionFacts | null {
  const { catalog, names } = context
  const [first] = names.databaseCertain
    ? storedFunctions(context, name, names.database)
    : (catalog?.functionsNamed(name) ?? []).filter(({ builtin }) => !builtin)
  return first === undefined ? null : opaqueFacts(first.schema, name)
}

function opaqueFacts(schema: string | null, name: string): FunctionFacts {
  return {
    use: { schema, name, purity: 'opaque' },
    effects: ['procedural'],
    kind: 'function',
    readsData: true,
    runsSql: true,
    mayFail: true,
    varies: true,
  }
}

function nativeFacts(flavour: 'mysql' | 'mariadb', name: string): FunctionFacts | null {
  const value = purity[flavour].get(name)
  if (value === undefined) return null
  const key = `${flavour} ${name}`
  const known = cache.get(key)
  if (known !== undefined) return known
  const opaque = value.startsWith('opaque:')
  const facts: FunctionFacts = {
    use: {
      schema: null,
      name,
      purity: opaque ? 'opaque' : value === 'session' ? 'reads-session' : 'pure',
    },
    // The word after `opaque:` is one of scripts/mysql-functions.ts, all of them effects.
    effects: opaque ? [value.slice(7) as Effect] : [],
    kind: aggregates.has(name) ? 'aggregate' : windows.has(name) ? 'window' : 'function',
    readsData: opaque && WITH_DATA.test(name),
    runsSql: false,
    mayFail: failing.has(name),
    varies: opaque || VARYING.test(name),
  }
  cache.set(key, facts)
  return facts
}
