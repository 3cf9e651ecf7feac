/**
 * MySQL and MariaDB binaries of this machine, each server in a temporary folder of its own.
 * Neither server runs as root: as root it is started under an unprivileged account.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, openSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCertificateAuthority } from './certs.ts'
import { aptInstall, programsNamed } from './debian.ts'
import { type Flavour, type MysqlAddress, mysqlSql } from './mysql-address.ts'
import { freePort } from './ports.ts'
import { type Account, unprivilegedAccount } from './postgres-installation.ts'
import { endServer, spawnWatchdog } from './watchdog.ts'

export interface ServerBinary {
  readonly flavour: Flavour
  readonly path: string
  readonly origin: string
}

const START_MS_MAX = 60_000
const BIND_TRIES_MAX = 5
const POLL_MS = 50

/** A server of this flavour on PATH or where packages put it; MariaDB also answers to `mysqld`. */
export function findServerBinary(flavour: Flavour): ServerBinary | null {
  for (const name of flavour === 'mysql' ? ['mysqld'] : ['mariadbd', 'mysqld']) {
    for (const path of programsNamed(name)) {
      const said = spawnSync(path, ['--no-defaults', '--version'], { encoding: 'utf8' }).stdout
      if (/mariadb/i.test(said ?? '') === (flavour === 'mariadb')) {
        return { flavour, path, origin: path }
      }
    }
  }
  return null
}

/** Null where that is not possible: not root, not Debian, no network. */
export function installMariadb(): ServerBinary | null {
  aptInstall('mariadb-server')
  const found = findServerBinary('mariadb')
  return found === null ? null : { ...found, origin: 'apt-get install mariadb-server' }
}

interface Prepared {
  readonly binary: ServerBinary
  readonly home: string
  readonly account: Account | undefined
  readonly superuser: MysqlAddress['superuser']
}

/** Throws with the tail of the server's log when it does not come up in START_MS_MAX. */
export async function startBinary(
  binary: ServerBinary,
): Promise<MysqlAddress & { stop(): Promise<void> }> {
  const account = process.getuid?.() === 0 ? unprivilegedAccount() : undefined
  // Short: a socket path may have 107 bytes at most.
  const home = await mkdtemp(join(tmpdir(), 'sp-my-'))
  const superuser = { user: 'tester', password: randomBytes(12).toString('base64url') }
  const prepared: Prepared = { binary, home, account, superuser }
  try {
    const ca = await writeFiles(prepared)
    initialise(prepared)
    const { child, watchdog, port } = await launch(prepared)
    const address = { host: '127.0.0.1', port, superuser }
    const rows = await mysqlSql<{ version: string }>(address, {
      text: 'SELECT VERSION() AS version',
    })
    return {
      ...address,
      flavour: binary.flavour,
      version: rows[0]?.version ?? '',
      origin: binary.origin,
      ca,
      stop: () => endServer({ home, child, watchdog }, { gently: 'SIGTERM', forcibly: 'SIGKILL' }),
    }
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
}

/** The PEM of the certificate authority. */
async function writeFiles({ home, account, superuser }: Prepared): Promise<string> {
  const authority = await createCertificateAuthority()
  const { cert, key } = await authority.server(['localhost', '127.0.0.1', '::1'])
  const { user, password } = superuser
  await mkdir(join(home, 'data'), { mode: 0o700 })
  await writeFile(join(home, 'ca.pem'), authority.cert)
  await writeFile(join(home, 'cert.pem'), cert)
  await writeFile(join(home, 'key.pem'), key, { mode: 0o600 })
  const statements = [
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';`,
    `GRANT ALL PRIVILEGES ON *.* TO '${user}'@'%' WITH GRANT OPTION;`,
  ]
  await writeFile(join(home, 'init.sql'), `${statements.join('\n')}\n`, { mode: 0o600 })
  if (account !== undefined) {
    for (const name of ['', 'data', 'ca.pem', 'cert.pem', 'key.pem', 'init.sql']) {
      await chown(join(home, name), account.uid, account.gid)
    }
  }
  return authority.cert
}

function initialise({ binary, home, account }: Prepared): void {
  const data = `--datadir=${join(home, 'data')}`
  const [program, args] =
    binary.flavour === 'mysql'
      ? [binary.path, ['--no-defaults', '--initialize-insecure', data]]
      : [
          installer(binary.path),
          ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db'],
        ]
  const done = spawnSync(program, args, {
    ...account,
    cwd: home,
    env: { ...process.env, HOME: home, TMPDIR: home },
    encoding: 'utf8',
    timeout: START_MS_MAX,
  })
  if (done.status !== 0) {
    throw new Error(`${program} failed: ${done.error ?? ''} ${done.stdout}${done.stderr}`)
  }
}

function installer(server: string): string {
  const folder = dirname(server)
  const places = [folder, join(folder, '../bin'), join(folder, '../scripts')]
  const found = places
    .flatMap((place) => ['mariadb-install-db', 'mysql_install_db'].map((name) => join(place, name)))
    .find((path) => existsSync(path))
  if (found === undefined) throw new Error(`no mariadb-install-db beside \`${server}\``)
  return found
}

interface Launched {
  readonly child: ChildProcess
  readonly watchdog: ChildProcess
  readonly port: number
}

async function launch(prepared: Prepared): Promise<Launched> {
  const { home, account } = prepared
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort()
    const child = spawnServer(prepared, port)
    const watchdog = spawnWatchdog({ pid: child.pid ?? 0, signal: 'KILL', home, account })
    if (await ready(child, { host: '127.0.0.1', port, superuser: prepared.superuser })) {
      return { child, watchdog, port }
    }
    watchdog.kill('SIGKILL')
    const log = await readFile(join(home, 'log'), 'utf8')
    if (!/Address already in use|Can't start server/.test(log) || attempt === BIND_TRIES_MAX) {
      child.kill('SIGKILL')
      throw new Error(`${prepared.binary.path} did not start: ${log.slice(-2000)}`)
    }
  }
}

function spawnServer({ binary, home, account }: Prepared, port: number): ChildProcess {
  const log = openSync(join(home, 'log'), 'a', 0o600)
  const settings = {
    datadir: join(home, 'data'),
    port,
    'bind-address': '127.0.0.1',
    socket: join(home, 's'),
    'pid-file': join(home, 'pid'),
    'init-file': join(home, 'init.sql'),
    'ssl-ca': join(home, 'ca.pem'),
    'ssl-cert': join(home, 'cert.pem'),
    'ssl-key': join(home, 'key.pem'),
    'innodb-flush-log-at-trx-commit': 0,
    'innodb-buffer-pool-size': '64M',
    'max-connections': 300,
    'local-infile': 1,
    ...(binary.flavour === 'mysql' ? { mysqlx: 'OFF', 'secure-file-priv': 'NULL' } : {}),
  }
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  const child = spawn(
    binary.path,
    ['--no-defaults', ...flags, '--skip-log-bin', '--skip-name-resolve'],
    { ...account, cwd: home, stdio: ['ignore', log, log], detached: true },
  )
  child.unref()
  return child
}

async function ready(
  child: ChildProcess,
  address: Parameters<typeof mysqlSql>[0],
): Promise<boolean> {
  let ended = false
  const end = (): void => {
    ended = true
  }
  child.once('exit', end)
  child.once('error', end)
  const deadline = Date.now() + START_MS_MAX
  while (!ended && Date.now() < deadline) {
    const up = await mysqlSql(address, { text: 'SELECT 1' }).then(
      () => true,
      () => false,
    )
    if (up) return true
    await sleep(POLL_MS)
  }
  return false
}
