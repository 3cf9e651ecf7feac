/**
 * A database of its own for a test file, on the MySQL or MariaDB server that the run shares.
 *
 * Users belong to the server, not to the database: files that create users give them names of their own.
 * Where no such server can be had a skipped test says so (with CI set, MariaDB must be there).
 */
import { randomBytes } from 'node:crypto'
import { describe, inject, test } from 'vitest'
import type {} from './global-setup.ts'
import { type Flavour, type MysqlAddress, mysqlSql, mysqlUrl } from './mysql-address.ts'
import { askBroker } from './mysql-broker.ts'
import type { NoMysqlServer } from './mysql-servers.ts'

export interface TestMysqlDatabase extends MysqlAddress {
  readonly database: string
  readonly url: string
  /** Runs statements as the superuser; rows of the last one that has any. */
  sql<R = Record<string, unknown>>(text: string, parameters?: readonly unknown[]): Promise<R[]>
  drop(): Promise<void>
}

/** The run's server of this flavour; started when it is asked for first, which may take a minute. */
export async function findMysql(flavour: Flavour): Promise<MysqlAddress | NoMysqlServer> {
  const found = await askBroker(inject('mysqlBroker'), flavour)
  if ('unavailable' in found && flavour === 'mariadb' && process.env['CI']) {
    throw new Error(found.unavailable)
  }
  return found
}

/** The same tests on MySQL and on MariaDB, or on those of them that are named; `%s` in the title is the server's name. */
export function onMysqlServers(
  title: string,
  suite: (flavour: Flavour, server: MysqlAddress) => void | Promise<void>,
  flavours: readonly Flavour[] = ['mysql', 'mariadb'],
): void {
  describe.each(flavours)(title, async (flavour) => {
    const found = await findMysql(flavour)
    if ('unavailable' in found) test.skip(found.unavailable, () => undefined)
    else await suite(flavour, found)
  })
}

/** Creates an empty database. Throws where `findMysql` finds no server. */
export async function useMysql(flavour: Flavour): Promise<TestMysqlDatabase> {
  const address = await findMysql(flavour)
  if ('unavailable' in address) throw new Error(address.unavailable)
  const database = `test_${randomBytes(6).toString('hex')}`
  await mysqlSql(address, { text: `CREATE DATABASE ${database}` })
  return {
    ...address,
    database,
    url: mysqlUrl(address, database),
    sql: (text, parameters) => mysqlSql(address, { database, text, parameters }),
    drop: async () => {
      await mysqlSql(address, { text: `DROP DATABASE IF EXISTS ${database}` })
    },
  }
}
