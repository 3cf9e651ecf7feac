/** What receives PostgreSQL clients. */
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { ClientChannel } from '../session/postgres/client-login.ts'
import { errorFrame } from '../session/postgres/frames.ts'
import { openSession, type PostgresDeps } from '../session/postgres/open.ts'
import type { Reception } from './listen.ts'

export function postgresReception(
  channel: Omit<ClientChannel, 'plainAllowed'>,
  deps: PostgresDeps,
): Reception {
  const report = {
    sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS,
    message: 'sorry, too many clients already',
  }
  return {
    open: (socket, plainAllowed, listener) =>
      openSession(socket, { ...channel, plainAllowed }, listener, deps),
    tooMany: errorFrame(report, 'FATAL'),
  }
}
