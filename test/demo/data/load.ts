/** Loads the demo's CRM (roles.sql, schema.sql, data.sql, grants.sql beside this file). */
import { readFile } from 'node:fs/promises'
import { type PostgresAddress, postgresSql } from '../../support/servers.ts'

/** Passwords of the demo's roles; the server that holds them listens on loopback only. */
export const DEMO_ROLES = {
  app_reader: 'reader-demo-password',
  app_writer: 'writer-demo-password',
  app_admin: 'admin-demo-password',
} as const

/** Loads everything into an empty database; other databases of the server may hold it already. */
export async function loadDemo(address: PostgresAddress, database: string): Promise<void> {
  for (const file of ['roles.sql', 'schema.sql', 'data.sql', 'grants.sql']) {
    const text = await readFile(new URL(file, import.meta.url), 'utf8')
    await postgresSql(address, { database, text })
  }
}
