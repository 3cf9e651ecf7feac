/**
 * OAuth endpoints on the admin address: exchange (RFC 8693), introspection (RFC 7662), revocation
 * (RFC 7009). The logic is in @sallyport/identity; here it is bound to HTTP and recorded.
 */
import { randomBytes } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import type { AuditLog } from '@sallyport/audit'
import {
  type IdentityConfig,
  processIntrospection,
  processRevocation,
  processTokenExchange,
  type Verifier,
} from '@sallyport/identity'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { TokenState } from '../state/token-state.ts'
import { bearerOf, challengeTo, IN_CLEAR, isInClear } from './caller.ts'
import { EXCHANGE, INTROSPECT, REVOKE } from './token-schemas.ts'

/** A token request: a JWT with many groups, URL-encoded. */
const BODY_BYTES_MAX = 128 * 1024
/** Requests per address and minute: an orchestrator fetches a token per node, and keeps it. */
const REQUESTS_PER_MINUTE_MAX = 1_200
const MINUTE_MS = 60_000
/** Addresses whose requests are counted at a time. */
const COUNTED_ADDRESSES_MAX = 10_000

export interface TokenRoutesDeps {
  readonly verifier: () => Verifier
  readonly config: () => IdentityConfig
  readonly state: TokenState
  readonly audit: AuditLog
  /** See isInClear. */
  readonly insecure: () => boolean
  readonly now: () => number
}

export async function addTokenRoutes(app: FastifyInstance, deps: TokenRoutesDeps): Promise<void> {
  await app.register(async (scope) => {
    await scope.register(rateLimit, {
      max: REQUESTS_PER_MINUTE_MAX,
      timeWindow: MINUTE_MS,
      cache: COUNTED_ADDRESSES_MAX,
    })
    scope.addHook('onRequest', async (request, reply) => {
      if (!isInClear(request, deps.insecure())) return
      await answer(reply, 403, { error: 'invalid_request', error_description: IN_CLEAR })
    })
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: BODY_BYTES_MAX },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    )
    scope.setErrorHandler(answerError)
    // They describe: the RFCs' own rules are checked where they are followed, and nothing is cut from an answer.
    scope.setValidatorCompiler(() => () => true)
    scope.setSerializerCompiler(() => (data) => JSON.stringify(data))
    scope.post('/oauth/token', { schema: EXCHANGE }, (request, reply) =>
      exchange(request, reply, deps),
    )
    scope.post('/oauth/introspect', { schema: INTROSPECT }, (request, reply) =>
      introspect(request, reply, deps),
    )
    scope.post('/oauth/revoke', { schema: REVOKE }, (request, reply) =>
      revoke(request, reply, deps),
    )
  })
}

/** RFC 6749 §5.2: whatever is wrong with a request is said as JSON with `error`. */
async function answerError(error: unknown, _request: FastifyRequest, reply: FastifyReply) {
  const { statusCode: status = 500 } = error as { statusCode?: number }
  // The outer handler logs what is ours, and tells nobody.
  if (status >= 500) throw error
  const isTooMany = status === 429
  await answer(reply, isTooMany ? 429 : 400, {
    error: isTooMany ? 'temporarily_unavailable' : 'invalid_request',
    error_description: isTooMany ? 'slow down' : 'not a form (application/x-www-form-urlencoded)',
  })
}

async function exchange(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: TokenRoutesDeps,
): Promise<void> {
  const result = await processTokenExchange(form(request), {
    verifier: deps.verifier(),
    config: deps.config(),
    now: deps.now,
    randomBytes: (bytes) => randomBytes(bytes),
    sessionTokens: deps.state,
  })
  if (result.kind === 'issued') {
    const { record } = result
    deps.audit.append({
      type: 'token-minted',
      v: 1,
      tokenId: record.id,
      subject: record.subject,
      expiresAt: record.expiresAt,
      ...(record.narrowed.connections && { connection: record.narrowed.connections.join(',') }),
      ...(record.graph && { graph: record.graph }),
      ...(record.node && { node: record.node }),
      ...(record.run && { run: record.run }),
    })
    // INVARIANT: a token leaves only after its record is written.
    deps.audit.flush()
  }
  await answer(reply, result.status, result.body)
}

async function introspect(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: TokenRoutesDeps,
): Promise<void> {
  // RFC 7662 §2.1: the caller authenticates itself. Any token of ours will do: it must know one.
  const caller = bearerOf(request)
  if (caller === null || !(await isLive(caller, deps.verifier()))) {
    reply.header('www-authenticate', challengeTo(request))
    await answer(reply, 401, {
      error: 'invalid_token',
      error_description: 'who asks has to send a token of its own',
    })
    return
  }
  const result = await processIntrospection(form(request), deps.verifier())
  await answer(reply, result.status, result.body)
}

async function revoke(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: TokenRoutesDeps,
): Promise<void> {
  const result = await processRevocation(form(request), {
    verifier: deps.verifier(),
    revocations: deps.state,
    now: deps.now,
  })
  if (result.kind === 'done' && result.revoked !== null) {
    deps.audit.append({
      type: 'token-revoked',
      v: 1,
      tokenId: result.revoked.tokenId,
      by: result.revoked.subject,
      reason: 'revoked by its holder',
    })
    deps.audit.flush()
  }
  await answer(reply, result.status, result.kind === 'done' ? {} : result.body)
}

function form(request: FastifyRequest): URLSearchParams {
  return request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
}

async function isLive(token: string, verifier: Verifier): Promise<boolean> {
  return verifier.verify(token).then(
    () => true,
    () => false,
  )
}

/** RFC 6749 §5.1: answers with tokens are never stored. */
async function answer(reply: FastifyReply, status: number, body: object): Promise<void> {
  await reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('pragma', 'no-cache')
    .send(body)
}
