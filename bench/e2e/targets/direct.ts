/** The server itself: what everything is compared with. */
import { DATABASE, USER } from '../postgres.ts'
import type { Site, Target } from './target.ts'

export function directTarget({ postgres, certificate }: Site): Target {
  return {
    name: 'direct',
    host: '127.0.0.1',
    port: postgres.port,
    tlsPort: certificate === null ? null : postgres.port,
    user: USER,
    password: postgres.password,
    database: DATABASE,
    pid: null,
    version: `PostgreSQL ${postgres.version}`,
    stop: () => Promise.resolve(),
  }
}
