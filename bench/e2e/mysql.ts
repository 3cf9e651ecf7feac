/**
 * `npm run bench:mysql`: point selects and bulk reads straight to MariaDB or MySQL, through HAProxy in TCP mode and
 * through the gateway, interleaved. README.md says how to read what it prints. It asserts nothing about time.
 *
 *     node bench/e2e/mysql.ts [--rounds 3] [--seconds 3] [--only select] [--url mysql://user:password@host:port]
 *
 * Imports nothing of ours: the gateway is what users run, reached over the network. Needs `mariadbd` (or a server
 * given by --url) and, for that column, `haproxy`.
 */

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import mysql from 'mysql2/promise'
import { type MysqlTarget, MysqlWire, queryCommand } from './client/mysql-wire.ts'
import { joinCpuGroup } from './machine.ts'
import { freePort, run, startService } from './processes.ts'
import { findProgram, unprivilegedAccount } from './programs.ts'

const CLI = fileURLToPath(new URL('../../packages/cli/bin/sallyport.js', import.meta.url))
const DATABASE = 'bench'
const ROWS = 200_000
/** Before the first round of a workload, ms: a process that has just started is not what users run. */
const WARM_MS = 1_000
const MICROS_PER_TICK = 10_000

const POLICY = `version: 1
rules:
  - { name: benchmark reads, who: { groups: [bench] }, allow: { effects: [read, session, transaction] } }
  - { name: nobody writes, who: everyone, deny: { effects: [write, ddl, admin] } }
masks:
  - columns: [bench.bulk_same.card, bench.bulk_same.phone]
    with: { partial: { keep-last: 4, same-length: true } }
  - { columns: [bench.bulk_variable.card], with: redact }
  - { columns: [bench.bulk_variable.email], with: email }
`

interface Target extends MysqlTarget {
  readonly pid: number | null
}

interface Workload {
  readonly name: string
  readonly clients: number
  readonly prepare: string | null
  readonly sql: string
}

const POINT = 'SELECT c FROM points WHERE id = '
const WORKLOADS: readonly Workload[] = [
  ...[1, 8, 64].map((clients) => ({
    name: `select.prepared.c${clients}`,
    clients,
    prepare: `${POINT}?`,
    sql: '',
  })),
  { name: 'select.text.c8', clients: 8, prepare: null, sql: `${POINT}12345` },
  { name: 'bulk.unmasked', clients: 1, prepare: null, sql: 'SELECT * FROM bulk' },
  { name: 'bulk.masked.same-length', clients: 1, prepare: null, sql: 'SELECT * FROM bulk_same' },
  { name: 'bulk.masked.variable', clients: 1, prepare: null, sql: 'SELECT * FROM bulk_variable' },
]

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      url: { type: 'string' },
      only: { type: 'string', default: '' },
    },
  })
  const group = joinCpuGroup()
  const directory = mkdtempSync(join(tmpdir(), 'sp-bench-my-'))
  chmodSync(directory, 0o711)
  try {
    await using stack = new AsyncDisposableStack()
    const server =
      values.url === undefined ? await startMariadb(directory, stack) : byUrl(values.url)
    await load(server)
    const targets = await startTargets(server, directory, stack)
    for (const workload of WORKLOADS.filter(({ name }) => name.includes(values.only))) {
      for (const target of targets) await measure(workload, target, WARM_MS)
      const rates = new Map<string, number[]>(targets.map(({ name }) => [name, []]))
      const costs = new Map<string, number[]>(targets.map(({ name }) => [name, []]))
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const [at] of targets.entries()) {
          const target = targets[(at + round) % targets.length] as Target
          const measured = await measure(workload, target, Number(values.seconds) * 1000)
          rates.get(target.name)?.push(measured.perSecond)
          costs.get(target.name)?.push(measured.cpuMicros)
        }
      }
      print(workload, rates, costs)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
    group?.leave()
  }
}

/** Answers a second over all clients, and CPU time of the target's process for each. */
async function measure(
  { clients, prepare, sql }: Workload,
  target: Target,
  ms: number,
): Promise<{ perSecond: number; cpuMicros: number }> {
  const open = await Promise.all(
    Array.from({ length: clients }, () => MysqlWire.open(target, prepare)),
  )
  const commandOf = (execute: Buffer | null): Buffer => execute ?? queryCommand(sql)
  const bytes = await Promise.all(
    open.map(({ client, execute }) => client.measure(commandOf(execute))),
  )
  const cpu = cpuTicks(target.pid)
  const started = performance.now()
  let answers = 0
  await Promise.all(
    open.map(async ({ client, execute }, i) => {
      const command = commandOf(execute)
      do {
        await client.ask(command, bytes[i] ?? 0)
        answers++
      } while (performance.now() - started < ms)
    }),
  )
  const seconds = (performance.now() - started) / 1000
  const spent = (cpuTicks(target.pid) - cpu) * MICROS_PER_TICK
  for (const { client } of open) client.close()
  return { perSecond: answers / seconds, cpuMicros: spent / answers }
}

/** User and system time of a process so far, in ticks of 1/100 s; 0 for none. */
function cpuTicks(pid: number | null): number {
  if (pid === null) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

function print(
  { name }: Workload,
  rates: ReadonlyMap<string, readonly number[]>,
  costs: ReadonlyMap<string, readonly number[]>,
): void {
  const ratio = (to: string): string => {
    const base = rates.get(to) ?? []
    const own = rates.get('gateway') ?? []
    if (base.length === 0) return '-'
    return median(own.map((rate, i) => rate / (base[i] ?? 1))).toFixed(2)
  }
  const columns = [...rates].map(([target, all]) => `${target} ${median(all).toFixed(1)}/s`)
  const cpu = [...costs].map(([target, all]) => `${target} ${median(all).toFixed(0)}`)
  process.stdout.write(
    `${name.padEnd(26)} ${columns.join('  ')}  gateway/haproxy ${ratio('haproxy')}  gateway/direct ${ratio('direct')}  CPU µs ${cpu.join(' ')}\n`,
  )
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

interface Server {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

function byUrl(text: string): Server {
  const { hostname: host, port, username, password } = new URL(text)
  return {
    host,
    port: Number(port || 3306),
    user: username,
    password: decodeURIComponent(password),
  }
}

async function startMariadb(directory: string, stack: AsyncDisposableStack): Promise<Server> {
  const program = findProgram('mariadbd')
  if (program === null) throw new Error('mariadbd is not installed: apt-get install mariadb-server')
  const account = unprivilegedAccount()
  const home = join(directory, 'mariadb')
  mkdirSync(join(home, 'data'), { recursive: true, mode: 0o700 })
  const password = randomBytes(9).toString('base64url')
  const init = join(home, 'init.sql')
  writeFileSync(
    init,
    `CREATE USER bench@'%' IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO bench@'%';\nCREATE DATABASE ${DATABASE};\n`,
  )
  if (account !== undefined) {
    for (const path of [home, join(home, 'data'), init]) chownSync(path, account.uid, account.gid)
  }
  const data = `--datadir=${join(home, 'data')}`
  const made = spawnSync(
    findProgram('mariadb-install-db') ?? 'mariadb-install-db',
    ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { ...account, cwd: home, encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stderr}`)
  const port = await freePort()
  const service = await startService({
    program,
    args: [
      '--no-defaults',
      data,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(home, 's')}`,
      `--pid-file=${join(home, 'pid')}`,
      `--init-file=${init}`,
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-buffer-pool-size=256M',
      '--max-connections=500',
      '--skip-name-resolve',
    ],
    cwd: home,
    log: join(directory, 'mariadb.log'),
    account,
    ports: [port],
  })
  stack.defer(() => service.stop())
  return { host: '127.0.0.1', port, user: 'bench', password }
}

async function load(server: Server): Promise<void> {
  const connection = await mysql.createConnection({ ...server, multipleStatements: true })
  const text = 'CONCAT(LPAD(n, 8, 0), REPEAT(CHAR(97 + n % 26), 10))'
  await connection.query(`
    CREATE DATABASE IF NOT EXISTS ${DATABASE}; USE ${DATABASE};
    CREATE OR REPLACE TABLE points (id INT PRIMARY KEY, c CHAR(120) NOT NULL);
    INSERT INTO points SELECT seq, RPAD(seq, 120, 'x') FROM seq_1_to_20000;
    CREATE OR REPLACE TABLE bulk (id INT PRIMARY KEY, name TEXT, email TEXT, card TEXT, phone TEXT, a TEXT, b TEXT, c TEXT, d TEXT, e TEXT);
    INSERT INTO bulk SELECT n, ${text}, CONCAT('user', LPAD(n, 8, 0), '@example.com'), LPAD(n, 16, '4'), LPAD(n, 11, '5'), ${text}, ${text}, ${text}, ${text}, ${text}
      FROM (SELECT seq AS n FROM seq_1_to_${ROWS}) AS s;
    CREATE OR REPLACE TABLE bulk_same LIKE bulk; INSERT INTO bulk_same SELECT * FROM bulk;
    CREATE OR REPLACE TABLE bulk_variable LIKE bulk; INSERT INTO bulk_variable SELECT * FROM bulk;
    ANALYZE TABLE points, bulk, bulk_same, bulk_variable`)
  await connection.end()
}

async function startTargets(
  server: Server,
  directory: string,
  stack: AsyncDisposableStack,
): Promise<readonly Target[]> {
  const direct: Target = { name: 'direct', ...server, database: DATABASE, pid: null }
  const gateway = await startGateway(server, directory, stack)
  const haproxy = findProgram('haproxy')
  if (haproxy === null) {
    process.stderr.write('without haproxy: apt-get install haproxy\n')
    return [direct, gateway]
  }
  const port = await freePort()
  const config = join(directory, 'haproxy.cfg')
  writeFileSync(
    config,
    `global\n  nbthread 1\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\nlisten mysql\n  bind 127.0.0.1:${port}\n  server one ${server.host}:${server.port}\n`,
  )
  const service = await startService({
    program: haproxy,
    args: ['-db', '-f', config],
    cwd: directory,
    log: join(directory, 'haproxy.log'),
    ports: [port],
  })
  stack.defer(() => service.stop())
  return [direct, { ...direct, name: 'haproxy', port, pid: service.pid }, gateway]
}

async function startGateway(
  server: Server,
  directory: string,
  stack: AsyncDisposableStack,
): Promise<Target> {
  const home = join(directory, 'gateway')
  mkdirSync(home, { mode: 0o700 })
  const port = await freePort()
  const config = join(home, 'sallyport.yaml')
  writeFileSync(join(home, 'policy.yaml'), POLICY)
  writeFileSync(join(home, 'upstream.password'), server.password, { mode: 0o600 })
  const { host, port: upstreamPort, user } = server
  // JSON is YAML.
  const text = {
    version: 1,
    listeners: [{ protocol: 'mysql', port, tls: 'off' }],
    identity: { issuers: [] },
    connections: {
      [DATABASE]: {
        protocol: 'mysql',
        host,
        port: upstreamPort,
        database: DATABASE,
        user,
        password: `file:${join(home, 'upstream.password')}`,
        tls: { mode: 'disable' },
      },
    },
    policies: ['policy.yaml'],
    audit: { directory: 'audit' },
    state: { directory: 'state' },
    limits: { connections: 500, 'connections-per-subject': 500, 'drain-seconds': 1 },
    log: { level: 'warn' },
  }
  writeFileSync(config, JSON.stringify(text))
  const mint = [
    'token',
    'mint',
    '--config',
    config,
    '--subject',
    'bench',
    '--group',
    'bench',
    '--for',
    '12h',
  ]
  const token = await run(process.execPath, [CLI, ...mint], { timeoutMs: 60_000 })
  const service = await startService({
    program: process.execPath,
    args: [CLI, 'serve', '--config', config],
    cwd: home,
    log: join(home, 'log'),
    ports: [port],
  })
  stack.defer(() => service.stop())
  return {
    name: 'gateway',
    host: '127.0.0.1',
    port,
    user: 'bench',
    password: token.trim(),
    database: DATABASE,
    pid: service.pid,
  }
}

await main()
