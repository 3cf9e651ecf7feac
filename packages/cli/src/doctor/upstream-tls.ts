/** The TLS leg to a database: is it offered, does the certificate hold, what does the mode leave open. */
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ConnectionConfig, ConnectionRuntime } from '@sallyport/gateway'
import { failureOf, systemCodeOf } from '../errors.ts'
import { checkDates } from './certificate.ts'
import type { Area } from './findings.ts'
import { isLoopback, openSocket, requestTls, startTls } from './wire.ts'

interface TlsCheck {
  readonly config: ConnectionConfig
  readonly runtime: ConnectionRuntime
  readonly now: number
}

/** False: a login would fail for the same reason. */
export async function checkUpstreamTls(
  area: Area,
  { config, runtime, now }: TlsCheck,
): Promise<boolean> {
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
