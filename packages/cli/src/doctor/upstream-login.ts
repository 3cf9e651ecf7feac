/** Logging in to a connection's database with each credential, and reading its schema. */
import type { ConnectionConfig, ConnectionRuntime, Credential } from '@sallyport/gateway'
import { failureOf, systemCodeOf } from '../errors.ts'
import type { Area } from './findings.ts'
import { checkMysqlLogin } from './mysql-login.ts'

/** Every credential once: default, roles', the catalog's. */
export async function checkCredentials(
  area: Area,
  config: ConnectionConfig,
  runtime: ConnectionRuntime,
): Promise<void> {
  const uses = new Map<Credential, string>([[config.credential, 'the default credential']])
  for (const [role, credential] of config.roleCredentials) uses.set(credential, `role ${role}`)
  const forCatalog = config.catalogCredential
  if (forCatalog !== null) uses.set(forCatalog, 'the catalog credential')
  for (const [credential, use] of uses) {
    const readsCatalog = credential === (forCatalog ?? config.credential)
    const check = config.protocol === 'mysql' ? checkMysqlLogin : checkLogin
    await check(area, { config, runtime, credential, use, readsCatalog })
  }
}

interface Login {
  readonly config: ConnectionConfig
  readonly runtime: ConnectionRuntime
  readonly credential: Credential
  readonly use: string
  readonly readsCatalog: boolean
}

async function checkLogin(area: Area, login: Login): Promise<void> {
  const { config, runtime, credential, use, readsCatalog } = login
  const { connectCatalog, loadCatalogData } = await import('@sallyport/gateway')
  const who = `${credential.user} (${use})`
  let client: Awaited<ReturnType<typeof connectCatalog>> | undefined
  try {
    const password = (await runtime.password(credential)) ?? undefined
    const { host, port, socket, database } = config
    const { user } = credential
    client = await connectCatalog({
      host: socket ?? host,
      port,
      database,
      user,
      password,
      tls: runtime.tls,
    })
    await reportLogin(area, who, client)
    if (!readsCatalog) return
    const startedAt = performance.now()
    const { data, complete } = await loadCatalogData(client)
    const own = data.relations.filter(({ schema }) => !/^(pg_|information_schema$)/.test(schema))
    const took = Math.round(performance.now() - startedAt)
    if (complete) area.ok(`schema of ${data.database} read: ${own.length} relations (${took} ms)`)
    else {
      area.warn(
        `schema of ${data.database} read in part: relations were locked or dropped meanwhile`,
        'Try again; long DDL holds views up.',
      )
    }
  } catch (error) {
    reportLoginFailure(area, who, error)
  } finally {
    await client?.end().catch(() => {})
  }
}

interface LoginRow {
  readonly version: string
  readonly superuser: boolean
  readonly bypass: boolean
  readonly conforming: string
}

/** The few questions asked with a login; none touches a table of the user. */
async function reportLogin(
  area: Area,
  who: string,
  client: { query(text: string): Promise<{ rows: unknown[] }> },
): Promise<void> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version') AS version, r.rolsuper AS superuser,
       r.rolbypassrls AS bypass, current_setting('standard_conforming_strings') AS conforming
     FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
  )
  // One row of these four columns: current_user always has its row.
  const row = rows[0] as LoginRow
  area.ok(`${who} logs in; PostgreSQL ${row.version}`)
  if (row.superuser) {
    area.warn(
      `${who} is a superuser`,
      'Give the gateway a role that may do only what its users may.',
    )
  } else if (row.bypass) {
    area.warn(
      `${who} bypasses row-level security`,
      'ALTER ROLE … NOBYPASSRLS, unless that is wanted.',
    )
  }
  if (row.conforming !== 'on') {
    area.fail(
      'standard_conforming_strings is off: the gateway reads strings as the standard does and refuses statements',
      'ALTER ROLE … SET standard_conforming_strings = on, or in postgresql.conf.',
    )
  }
}

function reportLoginFailure(area: Area, who: string, error: unknown): void {
  const { message } = failureOf(error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : null
  // The database's own words; it never repeats a password.
  const said = cause === null ? '' : `: ${cause.message}`
  const code = systemCodeOf(error) ?? ''
  const isSecret = error instanceof Error && error.name === 'SecretError'
  const fix = isSecret
    ? 'Correct the secret reference, or set what it names.'
    : (LOGIN_FIXES[code] ??
      LOGIN_FIXES[systemCodeOf(cause) ?? ''] ??
      'The database’s log says more.')
  area.fail(`${who}: ${message}${said}`, fix)
}

const LOGIN_FIXES: Readonly<Record<string, string>> = {
  '28P01': 'Wrong user or password: correct the secret, or the role’s password.',
  '28000': 'pg_hba.conf has no line that lets this user in from here.',
  '3D000': 'Correct `database` of this connection.',
  '42501': 'GRANT CONNECT ON DATABASE … to this user.',
  '53300': 'The database has no connection left: raise max_connections.',
  'unsupported-server': 'The gateway needs a newer server.',
}
