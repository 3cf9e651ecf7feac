/** PgBouncer in session mode: every client has a server connection of its own, as with the gateway. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DATABASE, USER } from '../postgres.ts'
import { freePort, startService } from '../processes.ts'
import { findProgram, PACKAGES, versionOf } from '../programs.ts'
import { type Site, type Target, Unavailable } from './target.ts'

export async function pgbouncerTarget(site: Site): Promise<Target> {
  const program = findProgram('pgbouncer')
  if (program === null) throw new Unavailable(`apt-get install ${PACKAGES.pgbouncer}`)
  const { postgres, account } = site
  const home = join(site.directory, 'pgbouncer')
  mkdirSync(home, { mode: 0o700 })
  const port = await freePort()
  const files = {
    'pgbouncer.ini': configText(site, { home, port }),
    'users.txt': `"${USER}" "${postgres.password}"\n`,
    log: '',
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(home, name)
    writeFileSync(path, text, { mode: 0o600 })
    if (account !== undefined) chownSync(path, account.uid, account.gid)
  }
  if (account !== undefined) chownSync(home, account.uid, account.gid)
  const service = await startService({
    program,
    args: [join(home, 'pgbouncer.ini')],
    cwd: home,
    log: join(home, 'log'),
    account,
    ports: [port],
    // Immediate shutdown.
    stopSignal: 'SIGTERM',
  })
  return {
    name: 'pgbouncer',
    host: '127.0.0.1',
    port,
    tlsPort: site.certificate === null ? null : port,
    user: USER,
    password: postgres.password,
    database: DATABASE,
    pid: service.pid,
    version: versionOf(program),
    stop: service.stop,
  }
}

function configText(
  { postgres, certificate, options }: Site,
  { home, port }: { home: string; port: number },
): string {
  const host = options.upstream === 'socket' ? postgres.socketDir : '127.0.0.1'
  const clients = options.idleSessions + 200
  const tls =
    certificate === null
      ? []
      : [
          'client_tls_sslmode = allow',
          `client_tls_cert_file = ${certificate.certFile}`,
          `client_tls_key_file = ${certificate.keyFile}`,
        ]
  return [
    '[databases]',
    `${DATABASE} = host=${host} port=${postgres.port} dbname=${DATABASE} user=${USER} password=${postgres.password}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${join(home, 'users.txt')}`,
    'pool_mode = session',
    `default_pool_size = ${clients}`,
    `max_client_conn = ${clients}`,
    'server_tls_sslmode = disable',
    'ignore_startup_parameters = extra_float_digits',
    'log_connections = 0',
    'log_disconnections = 0',
    'stats_period = 3600',
    // Long enough for the next client to find it, short enough not to fill the server with a thousand.
    'server_idle_timeout = 2',
    ...tls,
    '',
  ].join('\n')
}
