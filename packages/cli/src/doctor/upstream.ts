/** One connection's database, step by step: name, TCP, TLS, login with each credential, schema. */

import { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import type { ConnectionConfig, ConnectionRuntime, Credential } from '@sallyport/gateway'
import { failureOf, systemCodeOf } from '../errors.ts'
import { checkDates } from './certificate.ts'
import { Area } from './findings.ts'
import { isLoopback, openSocket, requestTls, startTls } from './wire.ts'

export async function checkConnection(config: ConnectionConfig, now: () => number): Promise<Area> {
  const area = new Area(`connection ${config.name}`)
  const { ConnectionRuntime, createSecrets } = await import('@sallyport/gateway')
  const secrets = createSecrets({
    now,
    warn: ({ code, reference }) => {
      if (code === 'secret-file-world-readable') {
        area.warn(`the secret ${reference} can be read by every account`, 'chmod 600 the file.')
      } else {
        area.warn(
          'a password stands in the configuration itself',
          'Use env:, file: or exec: instead.',
        )
      }
    },
  })
  let runtime: ConnectionRuntime
  try {
    runtime = new ConnectionRuntime(config, { secrets, onCatalogEvent: () => {} })
  } catch (error) {
    area.fail(failureOf(error).message, 'Correct `tls` of this connection.')
    return area
  }
  try {
    if (!(await checkReachable(area, config))) return area
    if (!(await checkTls(area, { config, runtime, now: now() }))) return area
    await checkCredentials(area, config, runtime)
  } finally {
    await runtime.close()
  }
  return area
}

async function checkReachable(area: Area, config: ConnectionConfig): Promise<boolean> {
  const { host, port, socket: folder } = config
  if (folder !== null) {
    const path = join(folder, `.s.PGSQL.${port}`)
    if (!existsSync(path)) {
      area.fail(
        `there is no socket \`${path}\``,
        'Correct `socket` and `port`, or start the database.',
      )
      return false
    }
    return reach(area, { path })
  }
  if (isIP(host) === 0) {
    try {
      const found = await lookup(host, { all: true })
      area.ok(`${host} is ${found.map(({ address }) => address).join(', ')}`)
    } catch (error) {
      area.fail(
        `the name \`${host}\` is not found: ${systemCodeOf(error)}`,
        'Correct `host`, or the name server.',
      )
      return false
    }
  }
  return reach(area, { host, port })
}

const REACH_FIXES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: is the database running, on this port, on this address?',
  ETIMEDOUT: 'No answer: a firewall or a security group is in the way, or the host is down.',
}

async function reach(
  area: Area,
  to: { host: string; port: number } | { path: string },
): Promise<boolean> {
  const where = 'path' in to ? to.path : `${to.host}:${to.port}`
  const startedAt = performance.now()
  try {
    const socket = await openSocket(to)
    socket.destroy()
    area.ok(`${where} answers (${Math.round(performance.now() - startedAt)} ms)`)
    return true
  } catch (error) {
    const code = systemCodeOf(error) ?? 'unknown'
    area.fail(
      `${where} cannot be reached: ${code}`,
      REACH_FIXES[code] ?? 'Check host, port and network.',
    )
    return false
  }
}

interface TlsCheck {
  readonly config: ConnectionConfig
  readonly runtime: ConnectionRuntime
  readonly now: number
}

/** False: a login would fail for the same reason. */
async function checkTls(area: Area, { config, runtime, now }: TlsCheck): Promise<boolean> {
  const { host, port, socket: folder, tls } = config
  if (folder !== null) return true
  if (tls.mode === 'disable') {
    if (!isLoopback(host)) {
      area.warn(
        'the database is reached without TLS: password exchange and rows cross the network in clear',
        'tls: { mode: verify-full, ca: … }',
      )
    }
    return true
  }
  let socket: Socket | undefined
  try {
    socket = await openSocket({ host, port })
    const answer = await requestTls(socket)
    if (answer !== 'S') return reportNoTls(area, config, answer)
    const secure = await startTls(socket, await runtime.tls.options(host))
    reportTls(area, secure, { config, now })
    secure.destroy()
    return true
  } catch (error) {
    reportTlsFailure(area, error, config)
    return false
  } finally {
    socket?.destroy()
  }
}

function reportNoTls(area: Area, { host, tls }: ConnectionConfig, answer: string | null): boolean {
  if (answer !== 'N') {
    area.fail(
      answer === null
        ? 'it closed the connection at the TLS question'
        : 'it does not speak the PostgreSQL protocol',
      'Is this the database’s own port?',
    )
    return false
  }
  if (tls.mode !== 'prefer') {
    area.fail(
      `the database offers no TLS, mode ${tls.mode} needs it`,
      'Set ssl = on in postgresql.conf.',
    )
    return false
  }
  if (isLoopback(host)) area.ok('without TLS, on loopback')
  else
    area.warn(
      'the database offers no TLS, and mode prefer goes on without',
      'Set ssl = on at the database.',
    )
  return true
}

function reportTls(
  area: Area,
  secure: TLSSocket,
  { config, now }: { config: ConnectionConfig; now: number },
): void {
  const { mode, ca } = config.tls
  const version = secure.getProtocol() ?? 'TLS'
  const verified =
    mode === 'verify-full' || mode === 'verify-ca' || (mode === 'require' && ca !== null)
  const raw = secure.getPeerCertificate().raw
  if (verified) {
    const how =
      mode === 'verify-full' ? 'its certificate and name' : 'its certificate, not its name,'
    area.ok(`${version}; ${how} verified (${mode})`)
    if (raw !== undefined) checkDates(area, new X509Certificate(raw), now)
  } else if (isLoopback(config.host)) {
    area.ok(`${version}, certificate not verified (${mode}), on loopback`)
  } else {
    area.warn(
      `${version}, but the certificate is not verified (${mode}): somebody in between could pose as the database`,
      'tls: { mode: verify-full, ca: … }',
    )
  }
}

const CA_CODES = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]

function reportTlsFailure(area: Area, error: unknown, { host, tls }: ConnectionConfig): void {
  const code = systemCodeOf(error) ?? 'unknown'
  if (CA_CODES.includes(code)) {
    const trusted = tls.ca === null ? 'the public roots' : `\`${tls.ca}\``
    area.fail(
      `the database’s certificate is not vouched for by ${trusted} (${code})`,
      'Set tls.ca to the CA that issued it (for a self-signed one: the certificate itself).',
    )
  } else if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = error instanceof Error && 'cert' in error ? altNamesOf(error.cert) : ''
    area.fail(
      `the database’s certificate is not for \`${tls.serverName ?? host}\`${names}`,
      'Connect by a name that is in it, or set tls.server-name to one.',
    )
  } else if (code === 'CERT_HAS_EXPIRED') {
    area.fail('the database’s certificate has expired', 'Renew it at the database.')
  } else {
    const message = failureOf(error).message.replace(/^internal fault: | \(--debug.*$/g, '')
    area.fail(`TLS fails: ${message}`, 'Check tls of this connection and the database’s log.')
  }
}

function altNamesOf(certificate: unknown): string {
  if (typeof certificate !== 'object' || certificate === null) return ''
  const names = 'subjectaltname' in certificate ? certificate.subjectaltname : undefined
  return typeof names === 'string' ? `, but for ${names}` : ''
}

async function checkCredentials(
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
    await checkLogin(area, { config, runtime, credential, use, readsCatalog })
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
