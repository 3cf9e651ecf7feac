/** Ports that people remember where they are free, the next ones where they are not. */
import { createServer } from 'node:net'
import { freePort } from '../support/ports.ts'

export interface DemoPorts {
  readonly gateway: number
  /** The gateway's listener for MySQL clients. */
  readonly shop: number
  readonly admin: number
  readonly issuer: number
  readonly postgres: number
}

const DEFAULTS: DemoPorts = { gateway: 6432, shop: 6306, admin: 9464, issuer: 9474, postgres: 6543 }
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
    shop: await next(DEFAULTS.shop),
    admin: await next(DEFAULTS.admin),
    issuer: await next(DEFAULTS.issuer),
    postgres: await next(DEFAULTS.postgres),
  }
}

/** Ports nobody remembers, for runs that may stand beside others. */
export async function anyPorts(): Promise<DemoPorts> {
  return {
    gateway: await freePort(),
    shop: await freePort(),
    admin: await freePort(),
    issuer: await freePort(),
    postgres: await freePort(),
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host: '127.0.0.1', port }, () => probe.close(() => resolve(true)))
  })
}
