/**
 * MySQL and MariaDB clients that npm does not have, each with a small program of its own beside this file. They
 * run where they are installed and are skipped, visibly, where they are not. Each runs directly and through a
 * gateway that allows everything; what it prints must be the same.
 */
import { execFile, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import type { MysqlAddress } from '../../support/mysql-address.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../../support/use-mysql.ts'

interface Client {
  readonly name: string
  /** Null: not on this machine. `target`: for a client that takes no environment. */
  readonly command: ((target: Target) => readonly string[]) | null
  /** File that is its standard input. */
  readonly input?: string
}

interface Target {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly caFile: string | null
}

const PROGRAM_MS_MAX = 50_000
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024
const EVERYTHING = new URL('../../../policies/allow-everything.yaml', import.meta.url)
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'sp-my-clients-'))

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 120_000 }).status === 0
}

const PYTHONS = [process.env['SALLYPORT_TEST_PYTHON'], '/usr/bin/python3', 'python3']

function python(name: string, modules: string, program: string, ...args: string[]): Client {
  const found = PYTHONS.find((path) => path !== undefined && runs(path, '-c', `import ${modules}`))
  return { name, command: found === undefined ? null : () => [found, here(program), ...args] }
}

function jdbc(): Client {
  const jar =
    process.env['SALLYPORT_TEST_MARIADB_JDBC'] ?? '/usr/share/java/mariadb-java-client.jar'
  const compiled =
    runs('test', '-f', jar) &&
    runs('javac', '-version') &&
    runs('javac', '-cp', jar, '-d', scratch, here('./Session.java'))
  const command = ['java', '-cp', `${scratch}:${jar}:/usr/share/java/slf4j-api.jar`, 'Session']
  return { name: 'MariaDB Connector/J', command: compiled ? () => command : null }
}

/** Debian's Go packages are sources under GOPATH, so that nothing is downloaded. */
function golang(): Client {
  const program = join(scratch, 'session')
  const gopath = process.env['SALLYPORT_TEST_GOPATH'] ?? '/usr/share/gocode'
  const built =
    runs('test', '-d', join(gopath, 'src/github.com/go-sql-driver/mysql')) &&
    spawnSync('go', ['build', '-o', program, here('./session.go')], {
      stdio: 'ignore',
      timeout: 170_000,
      env: {
        ...process.env,
        GOPATH: gopath,
        GO111MODULE: 'off',
        GOCACHE: join(tmpdir(), 'sp-go-cache'),
      },
    }).status === 0
  return { name: 'go-sql-driver', command: built ? () => [program] : null }
}

/** MariaDB's command line where there is one, and its program for dumps. */
function mariadb(
  program: 'mariadb' | 'mariadb-dump',
  args: readonly string[],
  input?: string,
): Client {
  const command = ({ port, user, database, caFile }: Target): string[] => [
    program,
    '--no-defaults',
    '--host=127.0.0.1',
    `--port=${port}`,
    `--user=${user}`,
    ...(caFile === null ? [] : ['--ssl', `--ssl-ca=${caFile}`, '--ssl-verify-server-cert']),
    ...args,
    database,
  ]
  return {
    name: program,
    command: runs(program, '--version') ? command : null,
    ...(input !== undefined && { input }),
  }
}

/** MySQL's own: beside the server that was started, in its system; else where PATH has it. */
function mysql(
  program: 'mysql' | 'mysqldump',
  system: string | undefined,
  args: readonly string[],
  input?: string,
): Client {
  const said = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? ''
  const present = system !== undefined || (/mysql/i.test(said) && !/mariadb/i.test(said))
  const command = ({ port, user, database, caFile }: Target): string[] => [
    ...(system === undefined ? [] : ['chroot', system]),
    program,
    '--no-defaults',
    '--host=127.0.0.1',
    `--port=${port}`,
    `--user=${user}`,
    ...(caFile === null ? [] : ['--ssl-mode=VERIFY_CA', `--ssl-ca=${into(system, caFile)}`]),
    ...args,
    database,
  ]
  return { name: `${program} of MySQL`, command: present ? command : null, ...(input && { input }) }
}

/** A file as programs inside `system` see it. */
function into(system: string | undefined, file: string): string {
  if (system === undefined) return file
  const inside = `/tmp/${basename(file)}`
  copyFileSync(file, join(system, inside))
  return inside
}

const INTERACTIVE = ['--force', '--table'] as const
const DUMP = ['--skip-dump-date', '--single-transaction', '--routines', '--triggers'] as const

const clientsOf = ({ system }: MysqlAddress): readonly Client[] => [
  mariadb('mariadb', INTERACTIVE, 'session.sql'),
  mariadb('mariadb-dump', DUMP),
  mysql('mysql', system, INTERACTIVE, 'session.sql'),
  mysql('mysqldump', system, [...DUMP, '--no-tablespaces', '--set-gtid-purged=OFF']),
  python('PyMySQL', 'pymysql', './python_db.py', 'pymysql'),
  python('mysqlclient', 'MySQLdb', './python_db.py', 'MySQLdb'),
  python('SQLAlchemy', 'sqlalchemy, pymysql', './sqlalchemy_session.py'),
  python('Django', 'django, MySQLdb', './django_session.py'),
  jdbc(),
  golang(),
  {
    name: 'PHP PDO',
    command: runs('php', '-r', 'exit(extension_loaded("pdo_mysql") ? 0 : 1);')
      ? () => ['php', here('./session.php')]
      : null,
  },
]

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run({ command, input }: Client, target: Target): Promise<Outcome> {
  const [program = '', ...args] = command?.(target) ?? []
  const env = {
    ...process.env,
    MYHOST: '127.0.0.1',
    MYPORT: String(target.port),
    MYUSER: target.user,
    MYPASSWORD: target.password,
    MYSQL_PWD: target.password,
    MYDATABASE: target.database,
    ...(target.caFile !== null && { MYCA: target.caFile }),
    PYTHONDONTWRITEBYTECODE: '1',
    LC_ALL: 'C.UTF-8',
  }
  return new Promise((resolve) => {
    const options = { env, timeout: PROGRAM_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX }
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
    if (input !== undefined) child.stdin?.end(readFileSync(here(`./${input}`)))
  })
}

/** What differs between any two connections, whatever is between them. */
function settle(text: string, target: Target): string {
  return text
    .replaceAll(String(target.port), 'port')
    .replaceAll(/Connection id:.*/g, 'Connection id')
    .replaceAll(/Current user:.*/g, 'Current user')
    .replaceAll(/SSL:.*/g, 'SSL')
    .replaceAll(/(Uptime|Threads):.*/g, '$1')
    .replaceAll(/\b\d+ (row|rows) in set.*|Query OK.*/g, 'done')
}

onMysqlServers('clients of %s', (flavour, server) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let direct: Target
  let through: Target
  const fixture = readFileSync(here('./fixture.sql'), 'utf8')

  beforeAll(async () => {
    db = await useMysql(flavour)
    const owner = `owner_${db.database}`
    await db.sql(
      `CREATE USER ${owner} IDENTIFIED BY 'owner'; GRANT ALL ON ${db.database}.* TO ${owner}`,
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      credential: { user: owner, password: 'owner' },
      policies: [EVERYTHING],
    })
    const caFile = join(scratch, `${flavour}-ca.pem`)
    await writeFile(caFile, db.ca ?? '')
    direct = {
      port: db.port,
      user: owner,
      password: 'owner',
      database: db.database,
      caFile: db.ca === undefined ? null : caFile,
    }
    through = {
      port: gateway.port,
      user: owner,
      password: await gateway.token(),
      database: gateway.connection,
      caFile: gateway.caFile,
    }
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  describe.each(clientsOf(server))('$name', (client) => {
    test.skipIf(client.command === null)('sees the same through the gateway', async () => {
      await db.sql(fixture)
      const expected = await run(client, direct)
      expect(expected.stdout.length, expected.stderr).toBeGreaterThan(500)
      await db.sql(fixture)
      const actual = await run(client, through)
      expect(settle(actual.stderr, through)).toBe(settle(expected.stderr, direct))
      expect(settle(actual.stdout, through)).toBe(settle(expected.stdout, direct))
      expect(actual.code).toBe(expected.code)
    })
  })
})
