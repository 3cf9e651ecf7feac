/** Statements read as in a fresh session: nothing temporary, nothing prepared. */
import { type Analysis, type Catalog, PostgresReader } from '@sallyport/sql'

export type Analyze = (sql: string, catalog: Catalog | null) => Analysis

/** `searchPath`: schemas with commas between, as in SET search_path. */
export async function createAnalyze(searchPath: string | undefined): Promise<Analyze> {
  const reader = await PostgresReader.create()
  const schemas = (searchPath ?? 'public').split(',').map((name) => name.trim().replaceAll('"', ''))
  const names = {
    searchPath: schemas.filter((name) => name !== ''),
    temporaries: new Map<string, readonly string[] | null>(),
    temporariesCertain: true,
    prepared: () => undefined,
    cursors: () => undefined,
  }
  return (sql, catalog) => reader.analyze(sql, { catalog, names })
}
