/** What receives MySQL and MariaDB clients. */
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { turnAwayPacket } from '../session/mysql/client-login.ts'
import { type MysqlDeps, openMysqlSession } from '../session/mysql/open.ts'
import type { ServerTls } from '../tls/server.ts'
import type { Reception } from './listen.ts'

/** `connection`: the listener's default; null: the first of this protocol. */
export function mysqlReception(
  tls: ServerTls | null,
  connection: string | null,
  deps: MysqlDeps,
): Reception {
  return {
    open: (socket, plainAllowed, listener) =>
      openMysqlSession(socket, { tls, plainAllowed, connection }, listener, deps),
    tooMany: turnAwayPacket({
      sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS,
      message: 'Too many connections',
    }),
  }
}
