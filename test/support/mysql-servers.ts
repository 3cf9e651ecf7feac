/**
 * A real MySQL or MariaDB server for tests and the demo, from the first place that has one:
 *
 *   1. SALLYPORT_TEST_MYSQL_URL, SALLYPORT_TEST_MARIADB_URL: a server that runs already (mysql://user:password@host:port)
 *   2. SALLYPORT_MYSQL_SERVER: a command with `start DIR PORT` and `stop DIR`, which installs MySQL into DIR
 *      (root@127.0.0.1 without a password); MySQL only
 *   3. Docker, through testcontainers
 *   4. `mysqld` or `mariadbd` on this machine
 *   5. as root on Debian, MariaDB by `apt-get install mariadb-server`
 *
 * Servers from 2, 4 and 5 have a data folder of their own, a free loopback port and no durability.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Flavour, type MysqlAddress, mysqlSql } from './mysql-address.ts'
import { startByCommand } from './mysql-command.ts'
import { findServerBinary, installMariadb, startBinary } from './mysql-local.ts'

export interface MysqlServer extends MysqlAddress {
  stop(): Promise<void>
}

export interface NoMysqlServer {
  readonly unavailable: string
}

const URL_VARIABLES = {
  mysql: 'SALLYPORT_TEST_MYSQL_URL',
  mariadb: 'SALLYPORT_TEST_MARIADB_URL',
} as const

const IMAGES = { mysql: 'mysql:9', mariadb: 'mariadb:11.8' } as const
const SERVER_PORT = 3306
/** How long Docker may take to say whether it runs, ms. */
const DOCKER_MS_MAX = 5_000

/** The first server of this flavour that can be had here; started unless it runs already. */
export async function startMysql(flavour: Flavour): Promise<MysqlServer | NoMysqlServer> {
  // `||`: an empty variable counts as none.
  const url = process.env[URL_VARIABLES[flavour]] || null
  if (url !== null) return fromUrl(flavour, url)
  const command = process.env['SALLYPORT_MYSQL_SERVER'] || null
  if (flavour === 'mysql' && command !== null) return startByCommand(command)
  if (dockerRuns()) return startInDocker(flavour)
  const binary = findServerBinary(flavour) ?? (flavour === 'mariadb' ? installMariadb() : null)
  if (binary !== null) return startBinary(binary)
  return {
    unavailable: `no ${flavour} server: none in ${URL_VARIABLES[flavour]}, no Docker, none installed here`,
  }
}

async function fromUrl(flavour: Flavour, text: string): Promise<MysqlServer> {
  const url = new URL(text)
  const address = {
    host: url.hostname,
    port: Number(url.port || SERVER_PORT),
    superuser: {
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    },
  }
  const version = await versionOf(address)
  if (/mariadb/i.test(version) !== (flavour === 'mariadb')) {
    throw new Error(`${URL_VARIABLES[flavour]} names a server of version ${version}`)
  }
  const origin = URL_VARIABLES[flavour]
  return { ...address, flavour, version, origin, ca: undefined, stop: async () => undefined }
}

async function startInDocker(flavour: Flavour): Promise<MysqlServer> {
  // Loaded only here: it is large, and most machines that run these tests have no Docker.
  const { GenericContainer, Wait } = await import('testcontainers')
  const password = randomBytes(12).toString('base64url')
  const prefix = flavour === 'mysql' ? 'MYSQL' : 'MARIADB'
  const container = await new GenericContainer(IMAGES[flavour])
    .withEnvironment({ [`${prefix}_ROOT_PASSWORD`]: password, [`${prefix}_ROOT_HOST`]: '%' })
    .withCommand(['--skip-name-resolve', '--local-infile=1', '--max-connections=300'])
    .withExposedPorts(SERVER_PORT)
    .withTmpFs({ '/var/lib/mysql': 'rw' })
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  const address = {
    host: container.getHost(),
    port: container.getMappedPort(SERVER_PORT),
    superuser: { user: 'root', password },
  }
  return {
    ...address,
    flavour,
    version: await versionOf(address),
    origin: `Docker (${IMAGES[flavour]})`,
    ca: undefined,
    stop: async () => void (await container.stop()),
  }
}

/** The server may still be starting: asks until it answers. */
async function versionOf(
  address: Pick<MysqlAddress, 'host' | 'port' | 'superuser'>,
): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const rows = await mysqlSql<{ version: string }>(address, {
        text: 'SELECT VERSION() AS version',
      })
      return rows[0]?.version ?? ''
    } catch (error) {
      if (attempt === 60) throw error
      await sleep(500)
    }
  }
}

function dockerRuns(): boolean {
  const asked = spawnSync('docker', ['info'], { stdio: 'ignore', timeout: DOCKER_MS_MAX })
  return asked.status === 0
}
