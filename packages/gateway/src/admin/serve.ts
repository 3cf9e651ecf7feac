/** The admin address: health, metrics, the token endpoints and the control API on one server. */
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import type { AdminConfig } from '../config/model.ts'
import { GatewayError } from '../errors.ts'
import { listenerTls } from '../listeners/tls.ts'
import {
  addHealthRoutes,
  createAdminServer,
  type Logger,
  type ReadyPiece,
  renewCertificate,
} from '../telemetry/index.ts'
import type { PemPair } from '../tls/server.ts'
import { addControlRoutes, type ControlDeps } from './control.ts'
import { addDocument } from './document.ts'
import { addTokenRoutes, type TokenRoutesDeps } from './tokens.ts'

export interface AdminAddress {
  readonly host: string
  readonly port: number
  /** HTTPS. */
  readonly tls: boolean
  /** PEM file a client can trust; null unless the gateway made the certificate itself. */
  readonly certificate: string | null
}

export interface AdminServer {
  readonly address: AdminAddress
  /** Reads the certificate again. */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface AdminDeps {
  readonly stateDirectory: string
  readonly log: Logger
  readonly metrics: Registry
  readonly pieces: readonly ReadyPiece[]
  readonly tokens: TokenRoutesDeps
  readonly control: ControlDeps
}

/** Listens; throws GatewayError where it cannot. */
export async function serveAdmin(config: AdminConfig, deps: AdminDeps): Promise<AdminServer> {
  const { stateDirectory, log, metrics, pieces, tokens, control } = deps
  let newest: PemPair | null = null
  let renew = (pair: PemPair): void => {
    newest = pair
  }
  const { tls, certificate } = await listenerTls(config, {
    stateDirectory,
    log,
    onPair: (pair) => renew(pair),
  })
  if (tls === null && control.insecure()) {
    log.warn({ port: config.port }, 'tokens are accepted in clear on the admin address')
  }
  const server = createAdminServer({ logger: log, tls: newest })
  renew = (pair) => renewCertificate(server, pair)
  const stop = async (): Promise<void> => {
    await server.close()
    tls?.[Symbol.dispose]()
  }
  try {
    // Before the routes that it describes.
    await addDocument(server)
    addHealthRoutes(server, { registry: metrics, pieces })
    await addTokenRoutes(server, tokens)
    await addControlRoutes(server, control)
    await server.listen({ host: config.host, port: config.port })
  } catch (error) {
    await stop()
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    const place = `${config.host}:${config.port}`
    throw new GatewayError('listen', `cannot listen on ${place} (${code ?? 'error'})`, {
      cause: error,
    })
  }
  // Safe: a server that listens over TCP.
  const { address: host, port } = server.server.address() as AddressInfo
  return {
    address: { host, port, tls: tls !== null, certificate },
    reload: async () => {
      await tls?.reload()
    },
    close: stop,
  }
}
