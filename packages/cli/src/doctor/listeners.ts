/** Listeners and the admin address: certificates, ports, what already answers there. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { AdminConfig, GatewayConfig, ListenerConfig } from '@sallyport/gateway'
import { checkPair } from './certificate.ts'
import { Area } from './findings.ts'
import { dialled, isLoopback, shownFingerprint, tryListening } from './wire.ts'

const ADMIN_MS_MAX = 3_000

export async function checkListener(
  listener: ListenerConfig,
  config: GatewayConfig,
  now: number,
): Promise<Area> {
  const { host, port } = listener
  const area = new Area(`listener ${host}:${port}`)
  const fingerprint = await checkTls(area, listener, config, now)
  await checkPort(area, listener, fingerprint)
  return area
}

/** The certificate's SHA-256; null: there is none, or none that can be used. */
async function checkTls(
  area: Area,
  { tls, host, insecure }: Pick<ListenerConfig, 'tls' | 'host' | 'insecure'>,
  { stateDirectory }: GatewayConfig,
  now: number,
): Promise<string | null> {
  switch (tls.kind) {
    case 'files':
      return checkPair(area, tls, now)
    case 'generated': {
      const folder = join(stateDirectory, 'tls')
      const files = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') }
      if (!existsSync(files.certificate)) {
        area.ok(
          `a certificate for ${[...new Set(tls.hosts)].join(', ')} will be made at the first start`,
        )
        return null
      }
      const fingerprint = await checkPair(area, files, now)
      area.warn(
        'the certificate was made by the gateway itself',
        `Clients must be given \`${files.certificate}\` to verify it; better is one from your CA.`,
      )
      return fingerprint
    }
    case 'off':
      if (isLoopback(host)) area.ok('without TLS, on loopback only')
      else if (insecure) {
        area.warn('tokens cross the network in clear (insecure: true)', 'Configure tls for it.')
      } else {
        area.warn(
          'without TLS: tokens are taken from this machine only',
          'Configure tls for it, or listen on 127.0.0.1.',
        )
      }
      return null
  }
}

async function checkPort(
  area: Area,
  { host, port }: ListenerConfig,
  fingerprint: string | null,
): Promise<void> {
  if (port === 0) {
    area.ok('any free port')
    return
  }
  const found = await tryListening(host, port)
  if (found === 'EADDRINUSE') {
    const shown = await shownFingerprint(host, port)
    if (shown !== null && shown === fingerprint) {
      area.ok('in use by a gateway with this certificate: it is running')
    } else if (shown !== null && fingerprint !== null) {
      area.warn(
        'in use, and another certificate is shown there than the one configured',
        'Is it another gateway, or one that has not taken the new certificate (SIGHUP)?',
      )
    } else {
      area.warn(
        'in use by another program, or by a gateway that runs already',
        'If no gateway runs, free the port.',
      )
    }
  } else reportPort(area, found, { host, port })
}

function reportPort(area: Area, found: string, at: { host: string; port: number }): void {
  switch (found) {
    case 'free':
      area.ok(`port ${at.port} is free`)
      return
    case 'EACCES':
      area.fail(
        `this account may not listen on port ${at.port}`,
        'Choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE.',
      )
      return
    case 'EADDRNOTAVAIL':
      area.fail(`this machine has no address \`${at.host}\``, 'Correct `host` of the listener.')
      return
    default:
      area.fail(`cannot listen on ${at.host}:${at.port}: ${found}`, 'Correct host and port.')
  }
}

export async function checkAdmin(config: GatewayConfig, now: number): Promise<Area> {
  const { admin } = config
  if (admin === null) {
    const area = new Area('admin address')
    area.ok('none configured: no token exchange, health checks or metrics')
    return area
  }
  const area = new Area(`admin address ${admin.host}:${admin.port}`)
  await checkTls(area, admin, config, now)
  if (admin.port === 0) return area
  const found = await tryListening(admin.host, admin.port)
  if (found === 'EADDRINUSE') await checkRunning(area, admin)
  else reportPort(area, found, admin)
  return area
}

/** Something listens there: a gateway says how it is. */
async function checkRunning(area: Area, { host, port, tls }: AdminConfig): Promise<void> {
  const name = dialled(host)
  const base = `http${tls.kind === 'off' ? '' : 's'}://${name.includes(':') ? `[${name}]` : name}:${port}`
  try {
    const answer = await ready(new URL(`${base}/readyz`))
    if (answer.status === 'ready') area.ok('a gateway is running and ready')
    else if (Array.isArray(answer.failing)) {
      for (const { name: piece, reason } of answer.failing as { name: string; reason: string }[]) {
        area.fail(`the running gateway is not ready: ${piece}: ${reason}`, 'Its log says more.')
      }
    } else area.warn('in use by another program', 'Free the port, or choose another.')
  } catch {
    area.warn('in use by a program that is no gateway', 'Free the port, or choose another.')
  }
}

/** Only its health is asked for, and nothing is sent to it: its certificate may name it otherwise than this address. */
async function ready(url: URL): Promise<{ status?: unknown; failing?: unknown }> {
  const signal = AbortSignal.timeout(ADMIN_MS_MAX)
  const asked =
    url.protocol === 'https:'
      ? httpsGet(url, { signal, rejectUnauthorized: false })
      : httpGet(url, { signal })
  const [response] = (await once(asked, 'response', { signal })) as [IncomingMessage]
  return (await json(response)) as { status?: unknown; failing?: unknown }
}
