/** Ports that people remember where they are free, the next ones where they are not. */
import { createServer } from 'node:net'
import { freePort } from '../support/ports.ts'

export interface DemoPorts {
  readonly gateway: number
  readonly admin: number
  readonly issuer: number
  readonly postgres: number
}

const DEFAULTS: DemoPorts = { gateway: 6432, admin: 9464, issuer: 9474, postgres: 6543 }
/** How many ports after the remembered one are tried before any free one is taken. */
const TRIES_MAX = 20

/** `gateway`: this one and no other; throws when it is taken. */
export async function demoPorts(gateway: number | null): Promise<DemoPorts> {
  if (gateway !== null && !(await isFree(gateway))) throw new Error(`port ${gateway} is taken`)
  const taken = new Set<number>(gateway === null ? [] : [gateway])
  const next = async (from: number): Promise<number> => {
    for (let port = from; port < from + TRIES_MAX; port++) {
      if (taken.has(port) || !(await isFree(port))) continue
      taken.add(port)
      return port
    }
    return freePort()
  }
  return {
    gateway: gateway ?? (await next(DEFAULTS.gateway)),
    admin: await next(DEFAULTS.admin),
    issuer: await next(DEFAULTS.issuer),
    postgres: await next(DEFAULTS.postgres),
  }
}

/** Ports nobody remembers, for runs that may stand beside others. */
export async function anyPorts(): Promise<DemoPorts> {
  const [gateway, admin, issuer, postgres] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  return { gateway, admin, issuer, postgres }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host: '127.0.0.1', port }, () => probe.close(() => resolve(true)))
  })
}
