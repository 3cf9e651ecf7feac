/**
 * Real PostgreSQL servers for tests and the demo: `startPostgres` makes a cluster in a temporary
 * folder and runs it on a free loopback port with TLS. Test files that need no server of their own
 * share one through use-postgres.ts. No server outlives its owner (watchdog.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { openSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type CertificateAuthority, createCertificateAuthority } from './certs.ts'
import { freePort } from './ports.ts'
import { findInstallation, type Installation } from './postgres-installation.ts'
import { endServer, spawnWatchdog } from './watchdog.ts'

export type AuthenticationMethod =
  | 'scram-sha-256'
  | 'md5'
  | 'password'
  | 'cert'
  | 'trust'
  | 'reject'

/** What pg_hba.conf says: a method per user over TCP, and one for everybody else. */
export interface Authentication {
  readonly default?: AuthenticationMethod
  readonly users?: Readonly<Record<string, AuthenticationMethod>>
  /** Refuse TCP connections without TLS. Default false. */
  readonly tlsOnly?: boolean
}

export interface PostgresOptions {
  readonly authentication?: Authentication
  /** `off`: the server answers `N` to SSLRequest. Default: a certificate for localhost, 127.0.0.1, ::1. */
  readonly tls?: 'off' | { readonly cert: string; readonly key: string; readonly ca?: string }
  /** Settings over the fast defaults, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
  /** Folder of another installation (`bin/postgres` inside). */
  readonly installation?: string
  readonly port?: number
}

/** How to reach a server: plain data, so that it crosses to test workers. */
export interface PostgresAddress {
  readonly host: string
  readonly port: number
  readonly superuser: { readonly user: string; readonly password: string }
  readonly socketDir: string
  /** For example `18.4`. */
  readonly version: string
  readonly dataDir: string
  /** PEM of the CA that signed the server's certificate; undefined with `tls: 'off'` or own files. */
  readonly ca: string | undefined
}

export interface PostgresServer extends PostgresAddress {
  readonly pid: number
  /** Issues client certificates that the server's `cert` method accepts. */
  readonly authority: CertificateAuthority | undefined
  url(database: string): string
  /** Runs one or several statements as the superuser; rows of the last one that has any. */
  sql<R extends pg.QueryResultRow = Record<string, unknown>>(
    database: string,
    text: string,
    parameters?: readonly unknown[],
  ): Promise<R[]>
  /** Rewrites pg_hba.conf and waits until new connections see it. */
  setAuthentication(authentication: Authentication): Promise<void>
  /** What the server has logged so far. */
  log(): Promise<string>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const START_MS_MAX = 30_000
const BIND_TRIES_MAX = 5
const POLL_MS = 15
const SUPERUSER = 'postgres'

/**
 * Starts a server of its own. Throws with the tail of the server's log when it does not come up in
 * START_MS_MAX.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const installation = await findInstallation(options.installation)
  // Short: a socket path may have 107 bytes at most.
  const home = await mkdtemp(join(tmpdir(), 'sp-pg-'))
  const password = randomBytes(12).toString('base64url')
  try {
    const authority = options.tls === undefined ? await createCertificateAuthority() : undefined
    await initialise(installation, { home, password })
    await writeTls(home, options, authority)
    await writeFile(join(home, 'data', 'pg_hba.conf'), hba(options.authentication ?? {}))
    await giveAway(installation, home)
    const { child, watchdog, port } = await launch(installation, { home, options })
    return serverOver({ installation, home, password, authority, child, watchdog, port })
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
}

async function initialise(
  installation: Installation,
  { home, password }: { home: string; password: string },
): Promise<void> {
  const passwordFile = join(home, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  await mkdir(join(home, 'data'), { mode: 0o700 })
  await mkdir(join(home, 's'), { mode: 0o700 })
  await giveAway(installation, home)
  const initdb = spawn(
    installation.initdb,
    [
      `--pgdata=${join(home, 'data')}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      '--no-sync',
    ],
    { ...installation.account, cwd: home, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let complaint = ''
  initdb.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    initdb.once('error', reject)
    initdb.once('close', resolve)
  })
  if (code !== 0) throw new Error(`initdb failed (${code}): ${complaint}`)
  await rm(passwordFile)
}

async function writeTls(
  home: string,
  options: PostgresOptions,
  authority: CertificateAuthority | undefined,
): Promise<void> {
  if (options.tls === 'off') return
  const own = await authority?.server(['localhost', '127.0.0.1', '::1'])
  const { cert, key } = options.tls ?? own ?? { cert: '', key: '' }
  const ca = options.tls?.ca ?? authority?.cert
  await writeFile(join(home, 'data', 'server.crt'), cert)
  await writeFile(join(home, 'data', 'server.key'), key, { mode: 0o600 })
  if (ca !== undefined) await writeFile(join(home, 'data', 'root.crt'), ca)
}

function hba(authentication: Authentication): string {
  const { default: fallback = 'scram-sha-256', users = {}, tlsOnly = false } = authentication
  const type = tlsOnly ? 'hostssl' : 'host'
  const loopback = ['127.0.0.1/32', '::1/128']
  const lines = [
    // The socket's folder is closed to other accounts; sql() comes this way.
    `local all ${SUPERUSER} trust`,
    `local all all ${fallback === 'cert' ? 'scram-sha-256' : fallback}`,
    `local replication all reject`,
  ]
  for (const [user, method] of [...Object.entries(users), ['all', fallback] as const]) {
    const connection = method === 'cert' ? 'hostssl' : type
    for (const address of loopback) lines.push(`${connection} all ${user} ${address} ${method}`)
  }
  return `${lines.join('\n')}\n`
}

/** As root, the folder must belong to the account that the server runs as. */
async function giveAway(installation: Installation, home: string): Promise<void> {
  if (installation.account === undefined) return
  const { uid, gid } = installation.account
  const owned = ['', 'data', 's', 'password', 'data/server.key', 'data/server.crt', 'data/root.crt']
  for (const name of [...owned, 'data/pg_hba.conf']) {
    await chown(join(home, name), uid, gid).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
}

interface Launched {
  readonly child: ChildProcess
  readonly watchdog: ChildProcess
  readonly port: number
}

async function launch(
  installation: Installation,
  { home, options }: { home: string; options: PostgresOptions },
): Promise<Launched> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort())
    const child = spawnServer(installation, { home, port, options })
    const watchdog = spawnWatchdog({
      pid: child.pid ?? 0,
      signal: 'QUIT',
      home,
      account: installation.account,
    })
    if (await ready(child, join(home, 'data', 'postmaster.pid'))) return { child, watchdog, port }
    watchdog.kill('SIGKILL')
    const log = await readFile(join(home, 'log'), 'utf8')
    const taken = /could not bind|could not create any TCP\/IP sockets/.test(log)
    if (!taken || options.port !== undefined || attempt === BIND_TRIES_MAX) {
      throw new Error(`PostgreSQL did not start: ${log.slice(-2000)}`)
    }
  }
}

function spawnServer(
  installation: Installation,
  { home, port, options }: { home: string; port: number; options: PostgresOptions },
): ChildProcess {
  const tls = options.tls !== 'off'
  const hasCa = tls && (options.tls === undefined || options.tls.ca !== undefined)
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1,::1',
    unix_socket_directories: join(home, 's'),
    max_connections: '100',
    shared_buffers: '32MB',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    jit: 'off',
    log_min_messages: 'warning',
    log_statement: 'none',
    max_prepared_transactions: '10',
    ...(installation.major >= 18 ? { io_method: 'sync' } : {}),
    ...(tls ? { ssl: 'on' } : {}),
    ...(hasCa ? { ssl_ca_file: 'root.crt' } : {}),
    ...options.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = openSync(join(home, 'log'), 'a', 0o600)
  const child = spawn(
    installation.postgres,
    ['-D', join(home, 'data'), '-p', String(port), ...flags],
    { ...installation.account, cwd: home, stdio: ['ignore', log, log], detached: true },
  )
  child.unref()
  return child
}

/** Line 8 of postmaster.pid turns to `ready` when connections are accepted. */
async function ready(child: ChildProcess, pidFile: string): Promise<boolean> {
  let ended = false
  child.once('exit', () => {
    ended = true
  })
  child.once('error', () => {
    ended = true
  })
  const deadline = Date.now() + START_MS_MAX
  while (!ended && Date.now() < deadline) {
    const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n')
    if (lines[7]?.trim() === 'ready') return true
    await sleep(POLL_MS)
  }
  return false
}

function serverOver(parts: {
  readonly installation: Installation
  readonly home: string
  readonly password: string
  readonly authority: CertificateAuthority | undefined
  readonly child: ChildProcess
  readonly watchdog: ChildProcess
  readonly port: number
}): PostgresServer {
  const { home, child, port } = parts
  const address: PostgresAddress = {
    host: '127.0.0.1',
    port,
    superuser: { user: SUPERUSER, password: parts.password },
    socketDir: join(home, 's'),
    version: parts.installation.version,
    dataDir: join(home, 'data'),
    ca: parts.authority?.cert,
  }
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= endServer(parts, { gently: 'SIGINT', forcibly: 'SIGQUIT' })
    return stopped
  }
  return {
    ...address,
    pid: child.pid ?? 0,
    authority: parts.authority,
    url: (database) => postgresUrl(address, database),
    sql: (database, text, parameters) => postgresSql(address, { database, text, parameters }),
    async setAuthentication(authentication) {
      const before = await loadedAt(address)
      const file = join(home, 'data', 'pg_hba.conf')
      await writeFile(file, hba(authentication))
      await chmod(file, 0o644)
      await postgresSql(address, { database: 'postgres', text: 'SELECT pg_reload_conf()' })
      while ((await loadedAt(address)) === before) await sleep(POLL_MS)
    },
    log: () => readFile(join(home, 'log'), 'utf8'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function loadedAt(address: PostgresAddress): Promise<unknown> {
  const text = 'SELECT pg_conf_load_time()::text AS at'
  return (await postgresSql(address, { database: 'postgres', text }))[0]?.['at']
}

/** A URL for drivers, with the superuser in it. */
export function postgresUrl(address: PostgresAddress, database: string): string {
  const { user, password } = address.superuser
  return `postgres://${user}:${encodeURIComponent(password)}@${address.host}:${address.port}/${encodeURIComponent(database)}`
}

/** Runs statements as the superuser over the socket; rows of the last statement that has any. */
export async function postgresSql<R extends pg.QueryResultRow = Record<string, unknown>>(
  address: PostgresAddress,
  query: { database: string; text: string; parameters?: readonly unknown[] | undefined },
): Promise<R[]> {
  const client = new pg.Client({
    host: address.socketDir,
    port: address.port,
    user: address.superuser.user,
    database: query.database,
  })
  await client.connect()
  try {
    // pg gives an array of results for several statements, which its types leave out.
    const answer: pg.QueryResult<R> | pg.QueryResult<R>[] =
      query.parameters === undefined
        ? await client.query<R>(query.text)
        : await client.query<R>(query.text, [...query.parameters])
    const results = Array.isArray(answer) ? answer : [answer]
    return results.findLast((result) => result.fields.length > 0)?.rows ?? []
  } finally {
    await client.end()
  }
}
