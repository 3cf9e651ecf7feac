/**
 * What a call of a function may do: purity for masks, effects for rules.
 *
 * Built-in functions come from the generated table. A function that a user made (including an
 * extension's) is opaque and has the effect `procedural`, and so has every function whose name leaves a
 * choice between a built-in and a user's.
 */
import type { CatalogFunction } from '../catalog.ts'
import type { Effect, FunctionUse } from '../facts.ts'
import { AGGREGATES, OUTPUTS, PURITY, RETURNS, SETS, WINDOWS } from './builtin-functions.ts'
import type { AnalysisContext } from './context.ts'
import { effectivePath } from './resolve.ts'
import { mayBeRow } from './type-names.ts'

export interface FunctionFacts {
  readonly use: FunctionUse
  readonly effects: readonly Effect[]
  readonly kind: 'function' | 'aggregate' | 'window'
  readonly returnsSet: boolean
  /** Its result may hold stored data that no argument brought. */
  readonly readsData: boolean
  /** It may run SQL, so session state may be anything afterwards. */
  readonly runsSql: boolean
  /** Result type, null when unknown. */
  readonly type: string | null
  /** Columns in FROM: names, `scalar`, or null when not known. */
  readonly outputs: readonly string[] | 'scalar' | null
}

const words = (text: string | undefined) => (text ?? '').split(/\s+/).filter((word) => word !== '')

const purity = new Map<string, string>()
for (const [value, names] of Object.entries(PURITY)) {
  for (const name of words(names)) purity.set(name, value)
}
const aggregates = new Set(words(AGGREGATES))
const windows = new Set(words(WINDOWS))
const sets = new Set(words(SETS))
const outputs = new Map(
  words(OUTPUTS).map((word) => {
    const colon = word.indexOf(':')
    return [word.slice(0, colon), word.slice(colon + 1).split('|')] as const
  }),
)
const returnTypes = new Map<string, string>()
for (const [type, names] of Object.entries(RETURNS)) {
  for (const name of words(names)) returnTypes.set(name, type)
}

/** Opaque built-ins whose result is a number, a status or their own argument: never stored data. */
const WITHOUT_DATA =
  /^(nextval|setval|currval|lastval|set_config|setseed|lo_(creat|create|from_bytea|import|open|put|truncate.*|unlink|lseek.*|tell.*|close|export)|lowrite|pg_sequence_last_value|pg_get_sequence_data|pg_notify|pg_sleep.*|.*advisory.*|pg_(cancel|terminate)_backend|pg_reload_conf|pg_rotate_logfile|pg_promote|pg_export_snapshot|pg_stat_(reset|clear_snapshot|force_next_flush|have_stats).*|pg_(switch_wal|create_restore_point|backup_.*|wal_replay_.*|logical_emit_message)|brin_.*|gin_clean_pending_list|pg_stat_get_(?!activity$|backend_activity$).*)$/
const PROCEDURAL_WITHOUT_SQL = /^(pg_sleep.*|currtid2|pg_event_trigger_.*)$/
/** Result types that leave the columns open. */
const OPEN_TYPES = new Set(['record', 'anyelement', 'anycompatible', 'any', 'anynonarray'])

const cache = new Map<string, FunctionFacts>()

/** Facts of the function named by `parts`: `[name]`, `[schema, name]` or with a database in front. */
export function functionFacts(context: AnalysisContext, parts: readonly string[]): FunctionFacts {
  const name = parts.at(-1) ?? ''
  const schema = parts.at(-2)
  const user = userFacts(context, { schema, name })
  if (user !== null) return user
  if (schema === undefined || schema === 'pg_catalog') return builtinFacts(name)
  if (schema === 'information_schema' && INFORMATION_SCHEMA.test(name)) {
    return { ...pureFacts, use: { schema, name, purity: 'pure' }, ...expandArray(name) }
  }
  return opaqueFacts(schema, name)
}

/** Helpers of the information schema's views, which drivers call by name. */
const INFORMATION_SCHEMA =
  /^_pg_(expandarray|keysequal|index_position|truetypid|truetypmod|char_max_length|char_octet_length|numeric_precision|numeric_precision_radix|numeric_scale|datetime_precision|interval_type)$/

/** Nothing of this name can be called, as far as the snapshot knows. */
export function isNoFunction({ catalog }: AnalysisContext, parts: readonly string[]): boolean {
  const name = parts.at(-1) ?? ''
  if (catalog === null || purity.has(name)) return false
  const schema = parts.at(-2)
  return !catalog
    .functionsNamed(name)
    .some((entry) => schema === undefined || entry.schema === schema)
}

const pureFacts = {
  effects: [],
  kind: 'function',
  returnsSet: false,
  readsData: false,
  runsSql: false,
  type: null,
  outputs: 'scalar',
} as const

const expandArray = (name: string) =>
  name === '_pg_expandarray' ? { returnsSet: true, outputs: ['x', 'n'] } : {}

/** The user's function that a call with so many arguments means; null: it may mean another, or there is none. */
export function onlyUserFunction(
  { catalog, names }: AnalysisContext,
  parts: readonly string[],
  count: number,
): CatalogFunction | null {
  const name = parts.at(-1) ?? ''
  const schema = parts.at(-2)
  if (catalog === null || (schema === undefined && purity.has(name))) return null
  const path = names.searchPath === 'uncertain' ? null : effectivePath(names.searchPath)
  const meant = catalog
    .functionsNamed(name)
    .filter((entry) =>
      schema === undefined ? path === null || path.includes(entry.schema) : entry.schema === schema,
    )
    .filter(({ arity }) => arity === undefined || (arity[0] <= count && count <= arity[1]))
  const [only, ...others] = meant
  return only !== undefined && others.length === 0 && isUsers(only) ? only : null
}

function userFacts(
  context: AnalysisContext,
  { schema, name }: { readonly schema: string | undefined; readonly name: string },
): FunctionFacts | null {
  const { catalog, names } = context
  if (catalog === null) return null
  const path = names.searchPath === 'uncertain' ? null : effectivePath(names.searchPath)
  const found = catalog
    .functionsNamed(name)
    .filter(
      (entry) =>
        isUsers(entry) &&
        (schema === undefined
          ? path === null || path.includes(entry.schema)
          : entry.schema === schema),
    )
  const [first] = found
  if (first === undefined) return null
  const hidesBuiltin = schema === undefined && purity.has(name)
  const pure = found.every((entry) => entry.pure === true)
  // Whichever is meant, it computes from its arguments: what the built-in is known for holds for both.
  if (pure && hidesBuiltin && builtinFacts(name).use.purity !== 'opaque') return null
  const same = found.every((entry) => entry.outputs.join() === first.outputs.join())
  const types = new Set(found.map((entry) => entry.returnType))
  const of = found.every((entry) => entry.schema === first.schema) ? first.schema : null
  return {
    ...(pure && !hidesBuiltin
      ? { ...pureFacts, use: { schema: of, name, purity: 'pure' } }
      : opaqueFacts(of, name)),
    kind:
      first.kind === 'aggregate' ? 'aggregate' : first.kind === 'window' ? 'window' : 'function',
    returnsSet: found.some((entry) => entry.returnsSet) || (hidesBuiltin && sets.has(name)),
    type: types.size === 1 && !hidesBuiltin ? first.returnType : null,
    outputs: !same || hidesBuiltin ? null : userOutputs(context, first),
  }
}

/** Not as the server came: made by a user, or a built-in that somebody has replaced. */
function isUsers(entry: CatalogFunction): boolean {
  if (!entry.builtin || entry.schema !== 'pg_catalog') return true
  return entry.securityDefiner || !['internal', 'c', 'sql'].includes(entry.language)
}

function userOutputs(
  context: AnalysisContext,
  entry: CatalogFunction,
): readonly string[] | 'scalar' | null {
  if (entry.outputs.length > 0) return context.names.stale === true ? null : entry.outputs
  const bare = entry.returnType.slice(entry.returnType.lastIndexOf('.') + 1)
  return OPEN_TYPES.has(bare) || mayBeRow(context, entry.returnType) ? null : 'scalar'
}

function opaqueFacts(schema: string | null, name: string): FunctionFacts {
  return {
    use: { schema, name, purity: 'opaque' },
    effects: ['procedural'],
    kind: 'function',
    returnsSet: true,
    readsData: true,
    runsSql: true,
    type: null,
    outputs: null,
  }
}

function builtinFacts(name: string): FunctionFacts {
  const known = cache.get(name)
  if (known !== undefined) return known
  const value = purity.get(name)
  // Not a name of the table: unbounded, so not cached.
  if (value === undefined) return opaqueFacts(null, name)
  const opaque = value.startsWith('opaque:')
  const effect = opaque ? (value.slice(7) as Effect) : null
  const facts: FunctionFacts = {
    use: {
      schema: 'pg_catalog',
      name,
      purity: opaque ? 'opaque' : value === 'session' ? 'reads-session' : 'pure',
    },
    // `effect` is one of the words in scripts/builtin-functions.ts, all of them effects.
    effects: effect === null ? [] : [effect],
    kind: aggregates.has(name) ? 'aggregate' : windows.has(name) ? 'window' : 'function',
    returnsSet: sets.has(name),
    readsData: opaque && !WITHOUT_DATA.test(name),
    runsSql: effect === 'procedural' && !PROCEDURAL_WITHOUT_SQL.test(name),
    type: returnTypes.get(name) ?? null,
    outputs: builtinOutputs(name),
  }
  cache.set(name, facts)
  return facts
}

function builtinOutputs(name: string): readonly string[] | 'scalar' | null {
  const shapes = outputs.get(name)
  if (shapes === undefined) {
    const type = returnTypes.get(name)
    return type !== undefined && OPEN_TYPES.has(type) ? null : 'scalar'
  }
  if (shapes.length > 1) return null
  // A single OUT parameter makes a scalar, under the parameter's name only as an alias of the function.
  return shapes[0]?.split(',') ?? null
}
