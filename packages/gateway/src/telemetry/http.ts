/**
 * The admin address: liveness, readiness and metrics. Other parts register their routes on the same
 * server before it listens.
 */
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { type PemPair, TLS_VERSION_MIN } from '../tls/server.ts'
import type { Logger } from './logger.ts'
import { describeError } from './logger.ts'

/** Largest request body, bytes: a token exchange carries two JWTs. */
export const ADMIN_BODY_BYTES_MAX = 65_536
/** From the first byte of a request to its last, milliseconds. */
export const ADMIN_REQUEST_MS_MAX = 10_000
/** Open admin connections. */
export const ADMIN_CONNECTIONS_MAX = 200

/** One thing that must be in order before clients are sent here. */
export interface ReadyPiece {
  readonly name: string
  /** Undefined when ready, else why not; shown to whoever may reach the admin address. */
  readonly check: () => string | undefined
}

export interface AdminOptions {
  readonly registry: Registry
  readonly logger: Logger
  readonly pieces: readonly ReadyPiece[]
  /** Null: plain HTTP. */
  readonly tls: PemPair | null
}

/**
 * Makes the server without listening: `await admin.listen({ host, port })` does, `await admin.close()`
 * ends it. Answers of unexpected errors say nothing but their status.
 */
export function createAdminServer({
  registry,
  logger,
  pieces,
  tls,
}: AdminOptions): FastifyInstance {
  const admin = Fastify({
    logger: false,
    bodyLimit: ADMIN_BODY_BYTES_MAX,
    serverFactory: (handler) => serverOf(handler, tls),
    forceCloseConnections: true,
    return503OnClosing: true,
  })
  admin.server.maxConnections = ADMIN_CONNECTIONS_MAX
  admin.setErrorHandler((error, request, reply) => {
    const status = statusOf(error)
    if (status >= 500) {
      logger.error(
        { err: error, method: request.method, route: request.routeOptions.url },
        'admin request failed',
      )
    }
    return reply.code(status).send({ error: status >= 500 ? 'internal' : 'bad_request' })
  })
  admin.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not_found' }))
  admin.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    reply.header('x-content-type-options', 'nosniff')
  })
  admin.get('/healthz', async () => ({ status: 'alive' }))
  admin.get('/readyz', async (_request, reply) => {
    const failing = pieces.flatMap(({ name, check }) => {
      const reason = reasonOf(check)
      return reason === undefined ? [] : [{ name, reason }]
    })
    return reply
      .code(failing.length === 0 ? 200 : 503)
      .send({ status: failing.length === 0 ? 'ready' : 'not ready', failing })
  })
  admin.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
  return admin
}

/** As Fastify makes them, of which none can have its certificate changed. */
function serverOf(handler: RequestListener, tls: PemPair | null) {
  const server =
    tls === null
      ? createServer(handler)
      : createTlsServer({ ...tls, minVersion: TLS_VERSION_MIN }, handler)
  server.requestTimeout = ADMIN_REQUEST_MS_MAX
  server.setTimeout(ADMIN_REQUEST_MS_MAX)
  return server
}

/** For the next connections; those that are open keep theirs. Without TLS there is nothing to renew. */
export function renewCertificate({ server }: FastifyInstance, pair: PemPair): void {
  if (server instanceof TlsServer) server.setSecureContext({ ...pair, minVersion: TLS_VERSION_MIN })
}

/** A check that throws is not ready; what it threw may name anything, so only its code is shown. */
function reasonOf(check: () => string | undefined): string | undefined {
  try {
    return check()
  } catch (error) {
    const { type, code } = describeError(error)
    return `check failed: ${code ?? type}`
  }
}

function statusOf(error: unknown): number {
  const status = (error as { statusCode?: unknown }).statusCode
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}
