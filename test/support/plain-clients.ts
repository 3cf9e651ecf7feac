/** Clients of a gateway of this machine without TLS, which do not mind that it goes. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { TestGateway } from './gateway.ts'

export async function plainPostgres(gateway: TestGateway, token: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

export async function plainMysql(gateway: TestGateway, token: string): Promise<mysql.Connection> {
  const { connection: database, plainPort: port } = gateway
  const client = await mysql.createConnection({
    host: '127.0.0.1',
    port,
    user: 'tester',
    password: token,
    database,
    authPlugins: { mysql_clear_password: () => () => Buffer.from(`${token}\0`) },
  })
  client.on('error', () => {})
  return client
}
