/** What a client is told to connect through a gateway, with TLS and a token; as mysql2 and mariadb take it. */
import type { TestGateway, TokenRequest } from './gateway.ts'

/** The MariaDB driver gives up after a second, which a machine at work may need. */
export const CONNECT_MS_MAX = 30_000

export async function mysqlThrough(gateway: TestGateway, who: TokenRequest = {}) {
  return {
    host: 'localhost',
    port: gateway.port,
    user: who.subject ?? 'tester',
    password: await gateway.token(who),
    database: gateway.connection,
    ssl: { ca: gateway.ca },
    connectTimeout: CONNECT_MS_MAX,
  }
}
