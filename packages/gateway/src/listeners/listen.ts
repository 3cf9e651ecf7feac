/**
 * Accepts clients of one protocol: connection cap, hand-over to a session. One slow or silent client costs its
 * own login deadline and nothing of anybody else's.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { ListenerConfig } from '../config/model.ts'
import { GatewayError } from '../errors.ts'
import type { SessionDeps } from '../session/admission.ts'
import { isLoopback } from '../sockets/loopback.ts'

export interface Listener {
  readonly config: ListenerConfig
  readonly host: string
  readonly port: number
  /** Stops accepting; sockets that are open stay open. */
  stop(): void
}

export interface Reception {
  /** Takes the socket over; never rejects. `plainAllowed`: a token may come over plain TCP from there. */
  open(socket: Socket, plainAllowed: boolean, listener: string): Promise<void>
  /** What a client reads that is one too many. */
  readonly tooMany: Uint8Array
}

export async function listen(
  config: ListenerConfig,
  reception: Reception,
  deps: Pick<SessionDeps, 'limits' | 'telemetry'>,
): Promise<Listener> {
  const open = new Set<Socket>()
  const name = `${config.protocol} ${config.host}:${config.port}`
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (open.size >= deps.limits().connections) {
      deps.telemetry.connectionRefused(name, 'too-many')
      refuse(socket, reception.tooMany)
      return
    }
    open.add(socket)
    deps.telemetry.connectionOpened(name)
    socket.once('close', () => {
      open.delete(socket)
      deps.telemetry.connectionClosed(name)
    })
    void reception.open(socket, config.insecure || isLoopback(socket.remoteAddress), name)
  })
  await bind(server, config)
  const address = server.address() as AddressInfo
  return {
    config,
    host: address.address,
    port: address.port,
    stop: () => server.close(),
  }
}

function refuse(socket: Socket, words: Uint8Array): void {
  socket.on('error', () => undefined)
  socket.end(words)
  socket.resume()
}

function bind(server: Server, config: ListenerConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const place = `${config.host}:${config.port}`
      reject(
        new GatewayError('listen', `cannot listen on ${place} (${error.code ?? 'error'})`, {
          cause: error,
        }),
      )
    })
    const { host, port, reusePort } = config
    server.listen({ host, port, reusePort, backlog: 511 }, () => resolve())
  })
}
