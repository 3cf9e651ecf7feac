/**
 * Starts a run's MySQL and MariaDB servers when the first test asks for one, and gives every test file the
 * same: test workers ask over loopback HTTP (use-mysql.ts). Runs that ask for none pay nothing.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Flavour, MysqlAddress } from './mysql-address.ts'
import { type MysqlServer, type NoMysqlServer, startMysql } from './mysql-servers.ts'

export interface MysqlBroker {
  /** Where workers ask: `/mysql` and `/mariadb` answer with a MysqlAddress or a NoMysqlServer. */
  readonly url: string
  stop(): Promise<void>
}

export async function startMysqlBroker(): Promise<MysqlBroker> {
  const servers = new Map<Flavour, Promise<MysqlServer | NoMysqlServer>>()
  const server = createServer((request, response) => {
    const flavour = request.url?.slice(1) === 'mysql' ? 'mysql' : 'mariadb'
    let started = servers.get(flavour)
    if (started === undefined) {
      started = startMysql(flavour).then(announce)
      servers.set(flavour, started)
    }
    started.then(
      (found) => response.end(JSON.stringify(found)),
      (error: unknown) => {
        response.statusCode = 500
        response.end(String(error))
      },
    )
  })
  // Installing one takes longer than the default allows.
  server.requestTimeout = 0
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  // Safe: a TCP server that listens has an address of this kind.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.close()
      server.closeAllConnections()
      const settled = await Promise.allSettled(servers.values())
      for (const one of settled) {
        if (one.status === 'fulfilled' && 'stop' in one.value) await one.value.stop()
      }
    },
  }
}

function announce(found: MysqlServer | NoMysqlServer): MysqlServer | NoMysqlServer {
  const said =
    'unavailable' in found
      ? found.unavailable
      : `${found.flavour} ${found.version} from ${found.origin}`
  console.info(`test servers: ${said}`)
  return found
}

/** Asks the broker of this run. */
export async function askBroker(
  url: string,
  flavour: Flavour,
): Promise<MysqlAddress | NoMysqlServer> {
  const answer = await fetch(`${url}/${flavour}`)
  if (!answer.ok) throw new Error(await answer.text())
  // Safe: the broker above wrote it.
  return (await answer.json()) as MysqlAddress | NoMysqlServer
}
