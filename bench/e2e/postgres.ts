/**
 * The database under all targets: a cluster of its own in a temporary folder, durability off (nothing
 * here writes while something is measured), on a loopback port and a socket, with TLS.
 *
 * Passwords are checked with SCRAM on every leg, as in production.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort, run, type Service, startService } from './processes.ts'
import type { Account } from './programs.ts'

export const DATABASE = 'bench'
export const USER = 'bench'
/** Connections beyond memory.idle's: the most clients of a workload, of each target, ended or about to. */
const SPARE_CONNECTIONS = 300
/** pgbench's scale: 100,000 accounts each; all of it stays in memory. */
const SCALE = 1
/** Text of a row of the bulk tables, bytes. */
export const BULK_ROW_BYTES = 180
const START_MS_MAX = 30_000
const POLL_MS = 30
const BULK_COLUMNS = 10
const SESSIONS_SQL = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
export const BULK_TABLES = [
  'bulk_plain',
  'bulk_same_length',
  'bulk_variable',
  'bulk_hashed',
] as const
export type BulkTable = (typeof BULK_TABLES)[number]

export interface Postgres {
  readonly port: number
  readonly password: string
  readonly socketDir: string
  readonly version: string
  readonly bulkRows: number
  /** Sessions of clients that the server has at present. */
  sessions(): Promise<number>
  stop(): Promise<void>
}

export interface PostgresOptions {
  readonly bin: string
  readonly pgbench: string
  readonly directory: string
  readonly account: Account | undefined
  readonly certificate: { readonly cert: string; readonly key: string } | null
  readonly connections: number
  readonly megabytes: number
}

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { bin, directory: home, account } = options
  const password = randomBytes(12).toString('hex')
  const data = join(home, 'data')
  const socketDir = join(home, 's')
  for (const folder of [home, data, socketDir]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  // The account that pgbouncer runs as is the same one; the gateway runs as we do.
  own(account, home, data, socketDir)
  const passwordFile = join(home, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  own(account, passwordFile)
  await run(
    join(bin, 'initdb'),
    [
      `--pgdata=${data}`,
      `--username=${USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      '--no-sync',
    ],
    { account, cwd: home, timeoutMs: 120_000 },
  )
  const port = await freePort()
  const service = await launch(options, { data, socketDir, port })
  const address = { host: socketDir, port, user: USER, password }
  try {
    await whenStarted(() => query({ ...address, database: 'postgres' }, 'SELECT 1'))
    await query({ ...address, database: 'postgres' }, `CREATE DATABASE ${DATABASE}`)
    await run(
      options.pgbench,
      ['-iq', '-s', `${SCALE}`, '-h', socketDir, '-p', `${port}`, '-U', USER, DATABASE],
      { env: { ...process.env, PGPASSWORD: password }, timeoutMs: 300_000 },
    )
    const bulkRows = Math.max(1000, Math.round((options.megabytes * 2 ** 20) / BULK_ROW_BYTES))
    const database = { ...address, database: DATABASE }
    for (const sql of bulkSql(bulkRows)) await query(database, sql)
    const version = await query(database, 'SHOW server_version')
    return {
      port,
      password,
      socketDir,
      version,
      bulkRows,
      sessions: async () => Number(await query(database, SESSIONS_SQL)),
      stop: service.stop,
    }
  } catch (error) {
    await service.stop()
    throw error
  }
}

/** It listens on its port before its socket, and accepts before it answers: 57P03 is cannot_connect_now. */
async function whenStarted(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + START_MS_MAX
  for (;;) {
    try {
      await attempt()
      return
    } catch (error) {
      const code = (error as { code?: unknown }).code
      const starting = code === '57P03' || code === 'ECONNREFUSED' || code === 'ENOENT'
      if (!starting || Date.now() > deadline) throw error
      await sleep(POLL_MS)
    }
  }
}

/** First value of the answer, as text. */
async function query(config: pg.ClientConfig, sql: string): Promise<string> {
  const client = new pg.Client({ ...config, ssl: false })
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return String(rows[0]?.[0] ?? '')
  } finally {
    await client.end()
  }
}

function own(account: Account | undefined, ...paths: readonly string[]): void {
  if (account === undefined) return
  for (const path of paths) chownSync(path, account.uid, account.gid)
}

function launch(
  { bin, directory: home, account, certificate, connections, megabytes }: PostgresOptions,
  { data, socketDir, port }: { data: string; socketDir: string; port: number },
): Promise<Service> {
  const settings: Record<string, string> = {
    port: `${port}`,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: socketDir,
    max_connections: `${connections + SPARE_CONNECTIONS}`,
    shared_buffers: `${Math.ceil(megabytes * BULK_TABLES.length * 1.5 + 64)}MB`,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    autovacuum: 'off',
    jit: 'off',
    max_parallel_workers_per_gather: '0',
    ssl: certificate === null ? 'off' : 'on',
  }
  if (certificate !== null) {
    writeFileSync(join(data, 'server.crt'), certificate.cert)
    writeFileSync(join(data, 'server.key'), certificate.key, { mode: 0o600 })
    chmodSync(join(data, 'server.key'), 0o600)
    own(account, join(data, 'server.crt'), join(data, 'server.key'))
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return startService({
    program: join(bin, 'postgres'),
    args: ['-D', data, ...flags],
    cwd: home,
    log: join(home, 'postgres.log'),
    account,
    ports: [port],
    // Fast shutdown: sessions that are still there are ended.
    stopSignal: 'SIGINT',
  })
}

/** Tables of the same rows; the gateway masks columns of all but the first. */
function bulkSql(rows: number): string[] {
  const [first, ...others] = BULK_TABLES
  const columns = [
    `lpad(n::text, 10, '0') AS id`,
    `'4111' || lpad((n::bigint * 7919 % 1000000000000)::text, 12, '0') AS card`,
    `'jane.doe.' || n % 5000 || '@example.com' AS email`,
    `'+49 30 ' || lpad((n % 10000000)::text, 7, '0') AS phone`,
    `'customer-' || n % 2000 AS reference`,
    `'Jane Doe the ' || n % 900 AS name`,
    `md5(n::text) AS note`,
    `'Berlin' AS city`,
    `CASE WHEN n % 3 = 0 THEN 'open' ELSE 'closed' END AS status`,
    `'2024-05-' || lpad((n % 28 + 1)::text, 2, '0') AS day`,
  ]
  if (columns.length !== BULK_COLUMNS) throw new Error(`${columns.length} bulk columns`)
  return [
    `CREATE TABLE ${first} AS SELECT ${columns.join(', ')} FROM generate_series(1, ${rows}) AS n`,
    ...others.map((table) => `CREATE TABLE ${table} AS TABLE ${first}`),
    'VACUUM ANALYZE',
    // Pages in shared buffers, hint bits set.
    ...BULK_TABLES.map((table) => `SELECT count(*) FROM ${table}`),
  ]
}
