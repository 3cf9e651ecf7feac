/** Statements read as in a fresh session: nothing temporary, nothing prepared. */
import {
  type Analysis,
  type Catalog,
  type Dialect,
  MysqlReader,
  PostgresReader,
} from '@sallyport/sql'

export type Analyze = (sql: string, catalog: Catalog | null) => Analysis

/** The catalog says whose statements they are; without one, PostgreSQL's. */
export async function createAnalyze(options: {
  /** Schemas with commas between, as in SET search_path; of MySQL, the current database. */
  readonly searchPath?: string | undefined
  /** The current database of MySQL where no search path is given. */
  readonly database?: string | undefined
}): Promise<Analyze> {
  const reader = await PostgresReader.create()
  const mysql = new MysqlReader()
  const schemas = (options.searchPath ?? 'public')
    .split(',')
    .map((name) => name.trim().replaceAll('"', ''))
  const session = {
    temporaries: new Map<string, readonly string[] | null>(),
    temporariesCertain: true,
    prepared: () => undefined,
  }
  const searchPath = schemas.filter((name) => name !== '')
  const names = { ...session, searchPath, cursors: () => undefined }
  const database = options.searchPath === undefined ? options.database : searchPath[0]
  return (sql, catalog) => {
    const server = catalog?.data.mysql
    if (catalog === null || server === undefined) return reader.analyze(sql, { catalog, names })
    return mysql.analyze(sql, {
      catalog,
      names: {
        ...session,
        database: database ?? null,
        databaseCertain: true,
        sqlMode: DEFAULT_SQL_MODE,
        handlers: () => undefined,
      },
      dialect: dialectOf(server.flavour, catalog.data.serverVersion),
    })
  }
}

/** What of the servers' default matters to how texts are read: nothing. */
const DEFAULT_SQL_MODE = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'

function dialectOf(flavour: Dialect['flavour'], version: number): Dialect {
  return {
    flavour,
    version,
    ansiQuotes: false,
    noBackslashEscapes: false,
    pipesAsConcat: false,
    ignoreSpace: false,
    highNotPrecedence: false,
  }
}
