/** Logging in to a MySQL or MariaDB server with a credential, over TLS as configured, and reading its schema. */
import type { ConnectionConfig, ConnectionRuntime, Credential } from '@sallyport/gateway'
import { failureOf, systemCodeOf } from '../errors.ts'
import type { Area } from './findings.ts'
import { isLoopback } from './wire.ts'

export interface MysqlLogin {
  readonly config: ConnectionConfig
  readonly runtime: ConnectionRuntime
  readonly credential: Credential
  readonly use: string
  readonly readsCatalog: boolean
}

export async function checkMysqlLogin(area: Area, login: MysqlLogin): Promise<void> {
  const { config, runtime, credential, use, readsCatalog } = login
  const { MYSQL_CATALOG } = await import('@sallyport/gateway')
  const who = `${credential.user} (${use})`
  const { host, port, socket, database } = config
  try {
    const password = (await runtime.password(credential)) ?? undefined
    const reader = await MYSQL_CATALOG.connect({
      host: socket ?? host,
      port,
      database,
      user: credential.user,
      password,
      tls: runtime.tls,
    })
    try {
      area.ok(`${who} logs in`)
      reportTls(area, config)
      if (!readsCatalog) return
      const startedAt = performance.now()
      const { data } = await reader.load()
      const own = data.relations.filter(({ schema }) => !SYSTEM.has(schema.toLowerCase()))
      const took = Math.round(performance.now() - startedAt)
      const server = `${data.mysql?.flavour} ${data.serverVersion}`
      area.ok(`schema of ${server} read: ${own.length} relations (${took} ms)`)
      const views = own.filter(({ kind }) => kind === 'view').length
      area.ok(`${views} views with their definitions; views that it may not look into are unknown`)
    } finally {
      await reader.end()
    }
  } catch (error) {
    reportFailure(area, who, error)
  }
}

const SYSTEM = new Set(['information_schema', 'performance_schema', 'mysql', 'sys'])

function reportTls(area: Area, { host, socket, tls: { mode } }: ConnectionConfig): void {
  if (socket !== null || mode === 'verify-full' || mode === 'verify-ca') return
  if (isLoopback(host)) return
  area.warn(
    `the certificate of the database is not verified (${mode}): somebody in between could pose as it`,
    'tls: { mode: verify-full, ca: … }',
  )
}

function reportFailure(area: Area, who: string, error: unknown): void {
  const { message } = failureOf(error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : null
  // The database's own words; it never repeats a password.
  const said = cause === null ? '' : `: ${cause.message}`
  const isSecret = error instanceof Error && error.name === 'SecretError'
  const fix = isSecret
    ? 'Correct the secret reference, or set what it names.'
    : (FIXES[systemCodeOf(cause) ?? systemCodeOf(error) ?? ''] ?? 'The database’s log says more.')
  area.fail(`${who}: ${message}${said}`, fix)
}

const FIXES: Readonly<Record<string, string>> = {
  ER_ACCESS_DENIED_ERROR: 'Wrong user or password, or the account may not come from this host.',
  ER_DBACCESS_DENIED_ERROR: 'GRANT … ON the database TO this user.',
  HANDSHAKE_NO_SSL_SUPPORT: 'The server has no TLS: configure ssl_cert and ssl_key there.',
  SELF_SIGNED_CERT_IN_CHAIN: 'Set tls.ca to the CA that issued the server’s certificate.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'Connect by a name that is in the certificate, or set tls.server-name to one.',
  'unsupported-server': 'The gateway needs MySQL 8.0.16, MariaDB 10.6, or newer.',
}
