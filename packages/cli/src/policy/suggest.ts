/** `policy suggest`: masks for columns whose names or values look sensitive. Values are never printed. */
import type { CatalogReader } from '@sallyport/gateway'
import { type MaskSuggestion, suggestMask } from '@sallyport/policy'
import type { Catalog, CatalogRelation } from '@sallyport/sql'
import { stringify } from 'yaml'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { readConfig } from '../files.ts'
import { placeOf } from './catalog.ts'
import type { SuggestFlags } from './flags.ts'

const ROWS_DEFAULT = 200
const ROWS_MAX = 10_000
/** Columns of one table that are sampled; wider tables are judged by names. */
const SAMPLED_COLUMNS_MAX = 200

const TABLES: ReadonlySet<CatalogRelation['kind']> = new Set([
  'table',
  'partitioned-table',
  'foreign-table',
  'materialized-view',
])
const SYSTEM = /^(pg_.*|information_schema|mysql|sys|performance_schema)$/

export async function suggest(flags: SuggestFlags, cli: Cli): Promise<ExitCode> {
  const rows = rowsOf(flags.rows)
  const config = await readConfig(flags.config, cli)
  const { connection, database } = placeOf(config, flags.connection)
  const { ConnectionRuntime, createSecrets } = await import('@sallyport/gateway')
  const secrets = createSecrets({ now: cli.now })
  const runtime = new ConnectionRuntime(connection, { secrets, onCatalogEvent: () => {} })
  try {
    const store = runtime.catalog(database)
    const catalog = await store.ensure()
    const reader = flags.samples ? await store.connect() : null
    try {
      const found = await suggestionsFor(catalog, { reader, rows, cli })
      print(found, { connection: connection.name, flags, cli })
      return found.length === 0 ? EXIT.notOk : EXIT.ok
    } finally {
      await reader?.end()
    }
  } finally {
    await runtime.close()
  }
}

function rowsOf(given: string | undefined): number {
  if (given === undefined) return ROWS_DEFAULT
  const rows = Number(given)
  if (!Number.isInteger(rows) || rows < 1 || rows > ROWS_MAX) {
    throw new CliError('usage', `--rows is a number from 1 to ${ROWS_MAX}`)
  }
  return rows
}

interface Sampling {
  readonly reader: CatalogReader | null
  readonly rows: number
  readonly cli: Cli
}

async function suggestionsFor(catalog: Catalog, sampling: Sampling): Promise<MaskSuggestion[]> {
  const found: MaskSuggestion[] = []
  for (const relation of catalog.data.relations) {
    // What partitions and children hold is covered by their parent's columns.
    if (!TABLES.has(relation.kind) || SYSTEM.test(relation.schema)) continue
    if (relation.parents.length > 0) continue
    const sample = await sampleOf(relation, sampling)
    relation.columns.forEach((column, index) => {
      const values = sample?.map((row) => row[index] ?? null) ?? null
      const suggestion = suggestMask(relation, column, values)
      if (suggestion !== null) found.push(suggestion)
    })
  }
  return found
}

/** Null: not read, and said so. */
async function sampleOf(
  relation: CatalogRelation,
  { reader, rows, cli }: Sampling,
): Promise<readonly (readonly (string | null)[])[] | null> {
  if (reader === null || relation.columns.length === 0) return null
  const columns = relation.columns.slice(0, SAMPLED_COLUMNS_MAX).map(({ name }) => name)
  try {
    return await reader.sample(relation, columns, rows)
  } catch (error) {
    // Only the code: the database's own words could hold a value.
    const code = String((error as { code?: unknown }).code ?? 'no code')
    cli.out.note(
      `${relation.schema}.${relation.name} was not read (${code}): judged by names alone`,
    )
    return null
  }
}

function print(
  found: readonly MaskSuggestion[],
  { connection, flags, cli }: { connection: string; flags: SuggestFlags; cli: Cli },
): void {
  if (flags.json === true) return cli.out.json(found)
  cli.out.note(
    `${found.length} columns look sensitive; names and shapes are guesses, and some are missed`,
  )
  if (found.length === 0) return
  const lines = found.flatMap(({ schema, relation, column, why, ...mask }) => [
    `  # ${why.join('; ')}`,
    `  - ${stringify({ columns: [pathOf([schema, relation, column])], with: mask.with }, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`,
  ])
  cli.out.raw(`version: 1\nconnections: [${connection}]\nmasks:\n${lines.join('\n')}\n`)
}

/** As a policy writes a name: in double quotes where it is not plain lower case. */
function pathOf(parts: readonly string[]): string {
  return parts.map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : `"${part}"`)).join('.')
}
