/**
 * The control API under `/v1`: approvals, sessions, and what else operators, approvers and auditors do.
 * JSON in, JSON out; every route authenticates its caller and is limited in rate; `/openapi.json` describes it.
 */
import rateLimit from '@fastify/rate-limit'
import type { AuditLog, SharedIndex } from '@sallyport/audit'
import type { Verifier } from '@sallyport/identity'
import type { Policy } from '@sallyport/policy'
import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Approvals } from '../approvals/approvals.ts'
import { ApprovalError } from '../approvals/errors.ts'
import type { Slack } from '../channels/slack.ts'
import type { PageConfig } from '../config/model.ts'
import type { Grants } from '../grants/grants.ts'
import type { Interrupts } from '../session/interrupts.ts'
import type { SessionRegistry } from '../session/registry.ts'
import type { SessionWatch } from '../session/watch.ts'
import type { OtherGateways } from '../store/gateways.ts'
import { addApprovalRoutes } from './approvals.ts'
import { addApprovalsPage } from './approvals-page.ts'
import {
  ApiError,
  type Caller,
  callerOf,
  challengeTo,
  IN_CLEAR,
  isInClear,
  type Standing,
} from './caller.ts'
import type { ListenerView } from './contract.ts'
import { EventStreams } from './event-stream.ts'
import { addExplainRoute, type SubjectDeps } from './explain.ts'
import { addGrantRoutes } from './grants.ts'
import { addPolicyRoutes } from './policy.ts'
import { ERROR, LISTENERS } from './schemas.ts'
import { addSessionRoutes } from './sessions.ts'
import { addTrailRoutes } from './trail.ts'

/** Calls per caller and minute; a console that polls makes a few dozen. */
export const CALLS_PER_MINUTE_MAX = 600
const MINUTE_MS = 60_000
/** Callers whose calls are counted at a time. */
const COUNTED_CALLERS_MAX = 10_000

export interface ControlDeps {
  readonly verifier: () => Verifier
  readonly standing: () => Standing
  /** See isInClear. */
  readonly insecure: () => boolean
  readonly approvals: Approvals
  readonly grants: Grants
  /** Null: not configured. */
  readonly slack: Slack | null
  readonly registry: SessionRegistry
  readonly interrupts: Interrupts
  /** See SessionRoutesDeps. */
  readonly elsewhere: OtherGateways | null
  readonly gateway: string | null
  readonly watch: SessionWatch
  readonly subjects: SubjectDeps
  readonly audit: AuditLog
  readonly auditDirectory: string
  /** Null: no store is shared. */
  readonly searched: SharedIndex | null
  readonly policy: () => Policy
  readonly reload: () => Promise<void>
  readonly listeners: () => readonly ListenerView[]
  readonly page: () => PageConfig | null
  readonly issuers: () => readonly string[]
  readonly now: () => number
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler of `/v1` runs. */
    caller: Caller
  }
}

/** A body is of the types that it is said to be of, and has nothing else in it. */
const BODIES = new Ajv({ useDefaults: true })
/** What is in an address is text, and is read as what it stands for. */
const TEXTS = new Ajv({ useDefaults: true, coerceTypes: true })

export async function addControlRoutes(app: FastifyInstance, deps: ControlDeps): Promise<void> {
  await app.register(
    async (scope) => {
      await scope.register(rateLimit, {
        max: CALLS_PER_MINUTE_MAX,
        timeWindow: MINUTE_MS,
        cache: COUNTED_CALLERS_MAX,
        // By address: also who guesses tokens is slowed down.
        keyGenerator: (request) => request.ip,
      })
      scope.addHook('onRequest', async (request) => {
        if (isInClear(request, deps.insecure())) throw new ApiError(403, 'in_clear', IN_CLEAR)
        const { origin } = request.headers
        if (origin !== undefined && origin !== deps.page()?.origin) {
          throw new ApiError(403, 'cross_origin', 'not for pages of other origins')
        }
      })
      // Behind the rate limit, which is a hook of each route, and so behind those of the scope for the same moment.
      scope.addHook('preParsing', async (request) => {
        request.caller = await callerOf(request, deps.verifier(), deps.standing())
      })
      scope.setErrorHandler(answerError)
      scope.setValidatorCompiler(({ schema, httpPart }) =>
        (httpPart === 'body' ? BODIES : TEXTS).compile(schema),
      )
      // Schemas of answers describe; what is answered is not cut to them.
      scope.setSerializerCompiler(() => (data) => JSON.stringify(data))
      scope.addHook('onRoute', (route) => {
        const own = route.schema?.response as Readonly<Record<string, unknown>> | undefined
        route.schema = { ...route.schema, response: { ...own, default: ERROR } }
      })
      const streams = new EventStreams((request) =>
        callerOf(request, deps.verifier(), deps.standing()).then(() => true),
      )
      addApprovalRoutes(scope, { ...deps, streams })
      addSessionRoutes(scope, { ...deps, streams })
      addGrantRoutes(scope, deps)
      addPolicyRoutes(scope, deps)
      addExplainRoute(scope, deps.subjects)
      addTrailRoutes(scope, deps)
      scope.get(
        '/listeners',
        { schema: { summary: 'Where clients connect', response: { 200: LISTENERS } } },
        async (): Promise<{ listeners: readonly ListenerView[] }> => ({
          listeners: deps.listeners(),
        }),
      )
    },
    { prefix: '/v1' },
  )
  // RFC 9728: whom to ask for a token.
  app.get('/.well-known/oauth-protected-resource', { schema: { hide: true } }, async (request) => ({
    resource: deps.page()?.origin ?? `${request.protocol}://${request.host}`,
    resource_name: 'Sallyport',
    authorization_servers: deps.issuers(),
    bearer_methods_supported: ['header'],
  }))
  if (deps.slack !== null) await addSlackRoute(app, deps.slack)
  await addApprovalsPage(app, deps)
}

/** Where Slack sends clicks. The signature is over the bytes as they came, so the body is not parsed before. */
async function addSlackRoute(app: FastifyInstance, slack: Slack): Promise<void> {
  await app.register(async (scope) => {
    scope.removeContentTypeParser('application/x-www-form-urlencoded')
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, body),
    )
    scope.post('/slack/actions', { schema: { hide: true } }, async (request, reply) => {
      const { headers, body } = request
      const isSlack = await slack.clicked(typeof body === 'string' ? body : '', {
        timestamp: single(headers['x-slack-request-timestamp']),
        signature: single(headers['x-slack-signature']),
      })
      return isSlack
        ? reply.send()
        : reply.code(401).send({ error: 'not_signed', message: 'not signed by Slack' })
    })
  })
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? undefined : header
}

const STATUS_OF: Readonly<Record<ApprovalError['code'], number>> = {
  'unknown-approval': 404,
  closed: 409,
  'own-request': 403,
  'not-a-person': 403,
  'not-an-approver': 403,
  'decided-already': 409,
  'ticket-needed': 422,
  'not-approved': 409,
  'other-statement': 409,
  'not-grantable': 403,
  'reason-needed': 422,
  'too-long': 422,
  'too-many': 429,
  'too-large': 413,
  contended: 503,
  'out-of-order': 409,
}

async function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  if (error instanceof ApiError) {
    if (error.status === 401) reply.header('www-authenticate', challengeTo(request))
    return reply.code(error.status).send({ error: error.code, message: error.message })
  }
  if (error instanceof ApprovalError) {
    return reply.code(STATUS_OF[error.code]).send({ error: error.code, message: error.message })
  }
  const { message, validation } = error as { message?: string; validation?: unknown }
  if (validation !== undefined) {
    return reply.code(400).send({ error: 'bad_request', message: message ?? '' })
  }
  // The outer handler has the words for the rest; it logs what is ours, and tells nobody.
  throw error
}
