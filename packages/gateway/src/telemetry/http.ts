/**
 * The server of the admin address, and its liveness, readiness and metrics. Other parts register their routes on the
 * same server before it listens.
 */
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type { Registry } from 'prom-client'
import { type PemPair, TLS_VERSION_MIN } from '../tls/server.ts'
import { httpErrorOf, refuseExpectation, refuseUnread } from './http-errors.ts'
import type { Logger } from './logger.ts'
import { describeError } from './logger.ts'

/** Largest request body, bytes: a token exchange carries two JWTs. */
export const ADMIN_BODY_BYTES_MAX = 65_536
/** From the first byte of a request to its last, milliseconds. */
export const ADMIN_REQUEST_MS_MAX = 10_000
/** Open admin connections. */
export const ADMIN_CONNECTIONS_MAX = 200

const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** One thing that must be in order before clients are sent here. */
export interface ReadyPiece {
  readonly name: string
  /** Undefined when ready, else why not; shown to whoever may reach the admin address. */
  readonly check: () => string | undefined
}

export interface AdminOptions {
  readonly logger: Logger
  /** Null: plain HTTP. */
  readonly tls: PemPair | null
}

/**
 * Makes the server without listening: `await admin.listen({ host, port })` does, `await admin.close()`
 * ends it. Answers of unexpected errors say nothing but their status.
 */
export function createAdminServer({ logger, tls }: AdminOptions): FastifyInstance {
  const admin = Fastify({
    logger: false,
    bodyLimit: ADMIN_BODY_BYTES_MAX,
    serverFactory: (handler) => serverOf(handler, tls),
    forceCloseConnections: true,
    // In our words: below.
    return503OnClosing: false,
    clientErrorHandler: refuseUnread,
    // Before a route is found: addresses that cannot be read.
    frameworkErrors: ({ statusCode = 400 }, _request, reply: FastifyReply) =>
      reply.code(statusCode).headers(ALWAYS).send(httpErrorOf(statusCode)),
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
    return reply.code(status).send(httpErrorOf(status))
  })
  admin.setNotFoundHandler((_request, reply) => reply.code(404).send(httpErrorOf(404)))
  let closing = false
  admin.addHook('preClose', async () => {
    closing = true
  })
  admin.addHook('onRequest', async (_request, reply) => {
    if (closing) return reply.code(503).send(httpErrorOf(503))
  })
  admin.addHook('onSend', async (_request, reply) => {
    reply.headers(ALWAYS)
  })
  return admin
}

export interface HealthOptions {
  readonly registry: Registry
  readonly pieces: readonly ReadyPiece[]
}

/** Liveness, readiness and metrics, for whoever reaches the address: no token is asked for. */
export function addHealthRoutes(admin: FastifyInstance, { registry, pieces }: HealthOptions): void {
  const open = { security: [] } as const
  admin.get(
    '/healthz',
    { schema: { summary: 'It runs', ...open, response: { 200: ALIVE } } },
    async () => ({ status: 'alive' }),
  )
  admin.get(
    '/readyz',
    {
      schema: {
        summary: 'Clients may be sent here',
        ...open,
        response: { 200: READY, 503: READY },
      },
    },
    async (_request, reply) => {
      const failing = pieces.flatMap(({ name, check }) => {
        const reason = reasonOf(check)
        return reason === undefined ? [] : [{ name, reason }]
      })
      return reply
        .code(failing.length === 0 ? 200 : 503)
        .send({ status: failing.length === 0 ? 'ready' : 'not ready', failing })
    },
  )
  admin.get(
    '/metrics',
    {
      schema: {
        summary: 'Metrics for Prometheus',
        ...open,
        response: {
          200: { description: 'text', content: { 'text/plain': { schema: { type: 'string' } } } },
        },
      },
      serializerCompiler: () => String,
    },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}

const TEXT = { type: 'string' } as const
const ALIVE = { type: 'object', properties: { status: TEXT }, required: ['status'] } as const
const READY = {
  type: 'object',
  properties: {
    status: { enum: ['ready', 'not ready'] },
    failing: {
      type: 'array',
      items: {
        type: 'object',
        properties: { name: TEXT, reason: TEXT },
        required: ['name', 'reason'],
        additionalProperties: false,
      },
    },
  },
  required: ['status', 'failing'],
  additionalProperties: false,
} as const

/** As Fastify makes them, of which none can have its certificate changed. */
function serverOf(handler: RequestListener, tls: PemPair | null) {
  const server =
    tls === null
      ? createServer(handler)
      : createTlsServer({ ...tls, minVersion: TLS_VERSION_MIN }, handler)
  server.requestTimeout = ADMIN_REQUEST_MS_MAX
  server.setTimeout(ADMIN_REQUEST_MS_MAX)
  server.on('checkExpectation', refuseExpectation)
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
