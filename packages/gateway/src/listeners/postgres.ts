/** What receives PostgreSQL clients. */
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { errorFrame } from '../session/postgres/frames.ts'
import { openSession, type PostgresDeps } from '../session/postgres/open.ts'
import type { ServerTls } from '../tls/server.ts'
import type { Reception } from './listen.ts'

export function postgresReception(tls: ServerTls | null, deps: PostgresDeps): Reception {
  const report = {
    sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS,
    message: 'sorry, too many clients already',
  }
  return {
    open: (socket, plainAllowed, listener) =>
      openSession(socket, { tls, plainAllowed }, listener, deps),
    tooMany: errorFrame(report, 'FATAL'),
  }
}
