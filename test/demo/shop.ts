/**
 * The demo's second database: a shop on MySQL or MariaDB, where such a server can be had (see
 * test/support/mysql-servers.ts for where it is looked for).
 */
import { readFile } from 'node:fs/promises'
import { mysqlSql } from '../support/mysql-address.ts'
import { type MysqlServer, startMysql } from '../support/mysql-servers.ts'

/** What clients give as database name, and what it is called on the server. */
export const SHOP = 'shop'

/** The gateway's accounts there: password and rights. */
export const SHOP_ACCOUNTS = {
  shop_reader: { password: 'shop-reader-demo-password', rights: 'SELECT, SHOW VIEW' },
  shop_writer: {
    password: 'shop-writer-demo-password',
    rights: 'SELECT, INSERT, UPDATE, DELETE, SHOW VIEW',
  },
  shop_admin: { password: 'shop-admin-demo-password', rights: 'ALL PRIVILEGES' },
} as const
export type ShopAccount = keyof typeof SHOP_ACCOUNTS

export interface Shop {
  readonly server: MysqlServer
  sql(text: string): Promise<Record<string, unknown>[]>
  /** Takes away what was made, and stops the server if it was started here. */
  stop(): Promise<void>
}

/** Why there is none, as a sentence, or the shop with its rows. */
export async function startShop(): Promise<Shop | string> {
  const server = await findServer()
  if ('unavailable' in server) return server.unavailable
  const sql = (text: string): Promise<Record<string, unknown>[]> => mysqlSql(server, { text })
  const stop = async (): Promise<void> => {
    await sql(`DROP DATABASE IF EXISTS ${SHOP}; ${dropAccounts()}`).catch(() => undefined)
    await server.stop()
  }
  try {
    // Not IF NOT EXISTS: on a server that somebody named, a database of this name is theirs.
    await sql(`CREATE DATABASE ${SHOP} CHARACTER SET utf8mb4`)
  } catch (error) {
    await server.stop()
    throw error
  }
  try {
    const text = await readFile(new URL('data/shop.sql', import.meta.url), 'utf8')
    await mysqlSql(server, { database: SHOP, text })
    await sql(createAccounts())
    return { server, sql, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function findServer(): ReturnType<typeof startMysql> {
  const mysql = await startMysql('mysql')
  return 'unavailable' in mysql ? startMysql('mariadb') : mysql
}

function createAccounts(): string {
  const accounts = Object.entries(SHOP_ACCOUNTS).map(
    ([name, { password, rights }]) =>
      `CREATE USER '${name}'@'%' IDENTIFIED BY '${password}'; GRANT ${rights} ON ${SHOP}.* TO '${name}'@'%'`,
  )
  return `${dropAccounts()}; ${accounts.join('; ')}`
}

function dropAccounts(): string {
  const names = Object.keys(SHOP_ACCOUNTS).map((name) => `'${name}'@'%'`)
  return `DROP USER IF EXISTS ${names.join(', ')}`
}
