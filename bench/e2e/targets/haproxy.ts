/** HAProxy as a TCP proxy: the same hops and copies, no look at the protocol. It cannot end PostgreSQL's TLS. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE, USER } from '../postgres.ts'
import { freePort, startService } from '../processes.ts'
import { findProgram, PACKAGES, versionOf } from '../programs.ts'
import { type Site, type Target, Unavailable } from './target.ts'

export async function haproxyTarget(site: Site): Promise<Target> {
  const program = findProgram('haproxy')
  if (program === null) throw new Unavailable(`apt-get install ${PACKAGES.haproxy}`)
  const { postgres, options } = site
  const home = join(site.directory, 'haproxy')
  mkdirSync(home, { mode: 0o700 })
  const port = await freePort()
  const server =
    options.upstream === 'socket'
      ? `unix@${join(postgres.socketDir, `.s.PGSQL.${postgres.port}`)}`
      : `127.0.0.1:${postgres.port}`
  const config = join(home, 'haproxy.cfg')
  writeFileSync(
    config,
    [
      'global',
      '  nbthread 1',
      `  maxconn ${options.idleSessions + 200}`,
      'defaults',
      '  mode tcp',
      '  timeout connect 10s',
      '  timeout client 10m',
      '  timeout server 10m',
      'listen postgres',
      `  bind 127.0.0.1:${port}`,
      `  server one ${server}`,
      '',
    ].join('\n'),
  )
  const service = await startService({
    program,
    args: ['-db', '-f', config],
    cwd: home,
    log: join(home, 'log'),
    ports: [port],
  })
  return {
    name: 'haproxy',
    host: '127.0.0.1',
    port,
    tlsPort: null,
    user: USER,
    password: postgres.password,
    database: DATABASE,
    pid: service.pid,
    version: versionOf(program, '-v'),
    stop: service.stop,
  }
}
