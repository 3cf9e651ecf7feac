/** One connection's database, step by step: name, TCP, TLS, login with each credential, schema. */

import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { ConnectionConfig, ConnectionRuntime } from '@sallyport/gateway'
import { failureOf, systemCodeOf } from '../errors.ts'
import { Area } from './findings.ts'
import { secretsFor } from './secrets.ts'
import { checkCredentials } from './upstream-login.ts'
import { checkUpstreamTls } from './upstream-tls.ts'
import { openSocket } from './wire.ts'

export async function checkConnection(config: ConnectionConfig, now: () => number): Promise<Area> {
  const area = new Area(`connection ${config.name}`)
  const { ConnectionRuntime } = await import('@sallyport/gateway')
  const secrets = await secretsFor(area, now)
  let runtime: ConnectionRuntime
  try {
    runtime = new ConnectionRuntime(config, { secrets, onCatalogEvent: () => {} })
  } catch (error) {
    area.fail(failureOf(error).message, 'Correct `tls` of this connection.')
    return area
  }
  try {
    if (!(await checkReachable(area, config))) return area
    // MySQL starts TLS inside its login: the login says what is wrong with it.
    const tls =
      config.protocol === 'mysql' || (await checkUpstreamTls(area, { config, runtime, now: now() }))
    if (!tls) return area
    await checkCredentials(area, config, runtime)
  } finally {
    await runtime.close()
  }
  return area
}

async function checkReachable(area: Area, config: ConnectionConfig): Promise<boolean> {
  const { host, port, socket: folder } = config
  if (folder !== null) {
    const path = config.protocol === 'mysql' ? folder : join(folder, `.s.PGSQL.${port}`)
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
