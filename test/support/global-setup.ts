/**
 * Vitest global setup: one PostgreSQL server for the whole run. Tests reach it through
 * `usePostgres` (use-postgres.ts); the server stops when the run ends.
 */
import type { TestProject } from 'vitest/node'
import { type PostgresAddress, startPostgres } from './servers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: PostgresAddress
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres()
  const { host, port, superuser, socketDir, version, dataDir, ca } = server
  project.provide('postgres', { host, port, superuser, socketDir, version, dataDir, ca })
  return () => server.stop()
}
