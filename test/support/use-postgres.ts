/**
 * A database of its own for a test file, on the server that the run shares.
 *
 * Roles belong to the server, not to the database: files that create roles give them names of their
 * own, or start a server with `startPostgres`.
 */
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { inject } from 'vitest'
import { loadDemo } from '../demo/data/load.ts'
import type {} from './global-setup.ts'
import { type PostgresAddress, postgresSql, postgresUrl, startPostgres } from './servers.ts'

export interface TestDatabase extends PostgresAddress {
  readonly database: string
  readonly url: string
  sql<R extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<R[]>
  drop(): Promise<void>
}

export interface TestDatabaseOptions {
  /** Load the demo's roles, schema and rows (test/demo/data). */
  readonly demo?: boolean
}

let ownServer: Promise<PostgresAddress> | undefined

/**
 * Creates an empty database (or one with the demo's rows). Without the global setup, a server is
 * started for this worker; it ends with the worker.
 */
export async function usePostgres(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const shared: PostgresAddress | undefined = inject('postgres')
  ownServer ??= shared === undefined ? startPostgres() : Promise.resolve(shared)
  const address = await ownServer
  const database = `test_${randomBytes(6).toString('hex')}`
  const admin = (text: string) => postgresSql(address, { database: 'postgres', text })
  await admin(`CREATE DATABASE ${database} TEMPLATE template0`)
  if (options.demo === true) await loadDemo(address, database)
  return {
    ...address,
    database,
    url: postgresUrl(address, database),
    sql: (text, parameters) => postgresSql(address, { database, text, parameters }),
    drop: async () => {
      await admin(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)
    },
  }
}
