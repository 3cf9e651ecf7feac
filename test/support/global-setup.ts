/**
 * Vitest global setup: one PostgreSQL server for the whole run, and one MySQL and MariaDB server each once
 * somebody asks. Tests reach them through `usePostgres` (use-postgres.ts) and `useMysql` (use-mysql.ts); they
 * stop when the run ends.
 */
import type { TestProject } from 'vitest/node'
import { startMysqlBroker } from './mysql-broker.ts'
import { type PostgresAddress, startPostgres } from './servers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: PostgresAddress
    /** URL of the broker (mysql-broker.ts). */
    mysqlBroker: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres()
  const mysql = await startMysqlBroker()
  const { host, port, superuser, socketDir, version, dataDir, ca } = server
  project.provide('postgres', { host, port, superuser, socketDir, version, dataDir, ca })
  project.provide('mysqlBroker', mysql.url)
  return async () => {
    await mysql.stop()
    await server.stop()
  }
}
