/** Statements read as in a fresh session: nothing temporary, nothing prepared. */
import type { Catalog } from './catalog.ts'
import type { Analysis } from './facts.ts'
import { plain } from './mysql/context.ts'
import { MysqlReader } from './mysql/reader.ts'
import { PostgresReader } from './postgres/reader.ts'

/** `database`: of MySQL, the current one, where no search path says another. Default: the snapshot's. */
export type FreshAnalyze = (sql: string, catalog: Catalog | null, database?: string) => Analysis

/** The catalog says whose statements they are; without one, PostgreSQL's. */
export async function createFreshAnalyze(options: {
  /** Schemas with commas between, as in SET search_path; of MySQL, the current database. */
  readonly searchPath?: string | undefined
  /** Default: one of its own. */
  readonly reader?: PostgresReader
}): Promise<FreshAnalyze> {
  const reader = options.reader ?? (await PostgresReader.create())
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
  return (sql, catalog, current) => {
    const database = options.searchPath === undefined ? current : searchPath[0]
    const server = catalog?.data.mysql
    if (catalog === null || server === undefined) return reader.analyze(sql, { catalog, names })
    return mysql.analyze(sql, {
      catalog,
      names: {
        ...session,
        database: (database ?? catalog.data.database) || null,
        databaseCertain: true,
        sqlMode: DEFAULT_SQL_MODE,
        handlers: () => undefined,
      },
      dialect: plain({ flavour: server.flavour, version: catalog.data.serverVersion }),
    })
  }
}

/** What of the servers' default matters to how texts are read: nothing. */
const DEFAULT_SQL_MODE = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
