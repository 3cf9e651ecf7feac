/** `sallyport psql NAME`, `sallyport mysql NAME`: the usual client, with address, token and TLS filled in. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { accessOf, type ControlFlags, call } from './client.ts'
import type { ListenerView } from './contract.ts'

export interface ClientFlags extends ControlFlags {
  readonly role?: string
  /** Default: the gateway's, as the control API says. */
  readonly host?: string
  readonly port?: string
}

export async function runClient(
  program: 'psql' | 'mysql',
  name: string,
  more: readonly string[],
  flags: ClientFlags,
  cli: Cli,
): Promise<ExitCode> {
  const access = await accessOf(flags, cli)
  const { listeners } = await call<{ listeners: ListenerView[] }>(access, 'GET', '/v1/listeners')
  const protocol = program === 'psql' ? 'postgres' : 'mysql'
  const listener =
    listeners.find((one) => one.protocol === protocol && one.tls) ??
    listeners.find((one) => one.protocol === protocol)
  if (listener === undefined) throw new CliError('not-ok', `the gateway does not speak ${protocol}`)
  const to: Target = {
    name,
    host: flags.host ?? hostOf(listener, access.url),
    port: flags.port ?? String(listener.port),
    user: flags.role ?? 'sallyport',
    tls: listener.tls,
    ca: access.ca,
  }
  const { args, env } = program === 'psql' ? forPsql(to, access.token) : forMysql(to, access.token)
  const code = await run(program, [...args, ...more], { ...cli.env, ...env })
  if (program === 'psql' && code === PSQL_NOT_CONNECTED && to.tls && to.ca === null) {
    cli.out.note(
      'The gateway’s certificate must be of an authority this system knows, or named: --ca FILE',
    )
  }
  return code === 0 ? EXIT.ok : EXIT.notOk
}

/** What psql exits with when there is no connection. */
const PSQL_NOT_CONNECTED = 2

interface Target {
  readonly name: string
  readonly host: string
  readonly port: string
  readonly user: string
  readonly tls: boolean
  readonly ca: string | null
}

/** A listener on every address is reached as the admin address is. */
function hostOf(listener: ListenerView, url: string): string {
  const isAny = ['0.0.0.0', '::', ''].includes(listener.host)
  return isAny ? new URL(url).hostname.replace(/^\[|\]$/g, '') : listener.host
}

/** The token goes through the environment: a command line can be read by everybody on the machine. */
function forPsql(to: Target, token: string) {
  const env = {
    PGHOST: to.host,
    PGPORT: to.port,
    PGUSER: to.user,
    PGDATABASE: to.name,
    PGPASSWORD: token,
    PGSSLMODE: to.tls ? 'verify-full' : 'disable',
    ...(to.tls && { PGSSLROOTCERT: to.ca ?? authorities() }),
  }
  return { args: [], env }
}

/** Where systems keep the authorities they know: Debian, Red Hat, macOS and Alpine. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
]

/** psql knows `system` since version 16; before, it takes it for the name of a file. */
function authorities(): string {
  const { stdout } = spawnSync('psql', ['--version'], { encoding: 'utf8' })
  const version = Number(/(\d+)(\.\d+)*/.exec(stdout ?? '')?.[1] ?? Number.NaN)
  return version < 16 ? (BUNDLES.find((file) => existsSync(file)) ?? 'system') : 'system'
}

/** MariaDB's client goes by the same name and has other words for TLS. */
function forMysql(to: Target, token: string) {
  const { stdout } = spawnSync('mysql', ['--version'], { encoding: 'utf8' })
  const isMariadb = /MariaDB/i.test(stdout ?? '')
  const verified = isMariadb ? '--ssl-verify-server-cert' : '--ssl-mode=VERIFY_IDENTITY'
  const tls = to.tls ? [verified, ...(to.ca === null ? [] : [`--ssl-ca=${to.ca}`])] : []
  const place = [`--host=${to.host}`, `--port=${to.port}`, `--user=${to.user}`]
  return { args: [...place, ...tls, `--database=${to.name}`], env: { MYSQL_PWD: token } }
}

async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const child = spawn(program, [...args], { stdio: 'inherit', env })
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (exit) => resolve(exit ?? 1))
  }).catch((error: unknown) => {
    throw new CliError('usage', `\`${program}\` cannot be started`, { cause: error })
  })
}
