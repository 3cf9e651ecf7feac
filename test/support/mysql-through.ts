/** What a client is told to connect through a gateway, with TLS and a token; as mysql2 and mariadb take it. */
import type { TestGateway, TokenRequest } from './gateway.ts'

export async function mysqlThrough(gateway: TestGateway, who: TokenRequest = {}) {
  return {
    host: 'localhost',
    port: gateway.port,
    user: who.subject ?? 'tester',
    password: await gateway.token(who),
    database: gateway.connection,
    ssl: { ca: gateway.ca },
  }
}
