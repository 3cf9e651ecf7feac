/**
 * Accepts PostgreSQL clients: connection cap, TLS material, hand-over to a session. One slow or silent
 * client costs its own login deadline and nothing of anybody else's.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { ListenerConfig } from '../config/model.ts'
import { GatewayError } from '../errors.ts'
import { errorFrame } from '../session/postgres/frames.ts'
import { openSession, type PostgresDeps } from '../session/postgres/open.ts'
import type { ServerTls } from '../tls/server.ts'

export interface Listener {
  readonly config: ListenerConfig
  readonly host: string
  readonly port: number
  /** Stops accepting; sockets that are open stay open. */
  stop(): void
}

export async function listenPostgres(
  config: ListenerConfig,
  tls: ServerTls | null,
  deps: PostgresDeps,
): Promise<Listener> {
  const open = new Set<Socket>()
  const name = `${config.protocol} ${config.host}:${config.port}`
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (open.size >= deps.limits().connections) {
      deps.telemetry.connectionRefused(name, 'too-many')
      refuse(socket)
      return
    }
    open.add(socket)
    deps.telemetry.connectionOpened(name)
    socket.once('close', () => {
      open.delete(socket)
      deps.telemetry.connectionClosed(name)
    })
    const plainAllowed = config.insecure || isLoopback(socket.remoteAddress)
    void openSession(socket, { tls, plainAllowed }, name, deps)
  })
  await listen(server, config)
  const address = server.address() as AddressInfo
  return {
    config,
    host: address.address,
    port: address.port,
    stop: () => server.close(),
  }
}

function refuse(socket: Socket): void {
  socket.on('error', () => undefined)
  const report = {
    sqlstate: SQLSTATE.TOO_MANY_CONNECTIONS,
    message: 'sorry, too many clients already',
  }
  socket.end(errorFrame(report, 'FATAL'))
  socket.resume()
}

function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return true
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}

function listen(server: Server, config: ListenerConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const place = `${config.host}:${config.port}`
      reject(
        new GatewayError('listen', `cannot listen on ${place} (${error.code ?? 'error'})`, {
          cause: error,
        }),
      )
    })
    server.listen({ host: config.host, port: config.port, backlog: 511 }, () => resolve())
  })
}
