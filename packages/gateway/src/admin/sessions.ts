/** Live sessions over HTTP: list, watch and end. Everybody sees their own; operators see all. */
import type { AuditLog } from '@sallyport/audit'
import type { FastifyInstance } from 'fastify'
import { type Interrupts, isOf, type Owner } from '../session/interrupts.ts'
import type { SessionRegistry } from '../session/registry.ts'
import type { Session } from '../session/session.ts'
import type { SessionWatch, WatchedEvent } from '../session/watch.ts'
import type { OtherGateways } from '../store/gateways.ts'
import { ApiError, type Caller } from './caller.ts'
import type { SessionsView, SessionView, WatchedView } from './contract.ts'
import type { EventStreams } from './event-stream.ts'
import { DONE, SESSIONS } from './schemas.ts'

export interface SessionRoutesDeps {
  readonly registry: SessionRegistry
  readonly interrupts: Interrupts
  /** Null: this gateway is alone. */
  readonly elsewhere: OtherGateways | null
  /** What this one is called among them; null: it is alone. */
  readonly gateway: string | null
  readonly audit: AuditLog
  readonly watch: SessionWatch
  readonly streams: EventStreams
  readonly now: () => number
}

export function addSessionRoutes(app: FastifyInstance, deps: SessionRoutesDeps): void {
  const { registry, interrupts, elsewhere, gateway, audit, watch, streams, now } = deps
  app.get(
    '/sessions',
    { schema: { summary: 'Live sessions', response: { 200: SESSIONS } } },
    async ({ caller }): Promise<SessionsView> => {
      const owner = ownerFor(caller)
      const others = await elsewhere?.sessions(owner)
      return {
        sessions: [...sessionsOf(registry, owner, gateway), ...(others?.sessions ?? [])],
        unanswered: others?.unanswered ?? 0,
      }
    },
  )
  app.delete<{ Params: { id: string } }>(
    '/sessions/:id',
    {
      schema: {
        summary:
          'End a session, at whichever gateway of the store it is: its statement is cancelled, its client told',
        params: ID,
        response: { 204: DONE },
      },
    },
    async ({ caller, params }, reply) => {
      const done = await interrupts.send({
        kind: 'end',
        session: params.id,
        owner: ownerFor(caller),
        by: caller.principal.subject,
      })
      if (done !== true) throw unknownSession()
      return reply.code(204).send()
    },
  )
  app.get<{ Params: { id: string } }>(
    '/sessions/:id/events',
    {
      schema: {
        summary:
          'What a session does, as it is decided and as it ends: server-sent events `statement`, `outcome`, `ended`',
        params: ID,
      },
    },
    async (request, reply) => {
      const { caller, params } = request
      const session = registry.byId(params.id)
      if (session === undefined || !isOf(ownerFor(caller), session.principal)) {
        throw await notHere(params.id, caller, elsewhere)
      }
      // Whoever watches is on record before they see anything.
      const actor = caller.principal.subject
      audit.append({ type: 'trail-read', v: 1, actor, action: 'watch', query: session.id })
      audit.flush()
      streams.open(request, reply, (stream) => {
        const unwatch = watch.follow(session.id, (seq, event) =>
          stream.send(event.type, watchedOf(seq, event, now())),
        )
        const forget = registry.onEnd(session, () => {
          stream.send('ended', { session: session.id })
          stream.end()
        })
        return () => {
          unwatch()
          forget()
        }
      })
      return reply
    },
  )
}

const ID = {
  type: 'object',
  properties: { id: { type: 'string', maxLength: 100 } },
  required: ['id'],
} as const

/** Of one that is at another gateway, that one is named. */
async function notHere(
  id: string,
  caller: Caller,
  elsewhere: OtherGateways | null,
): Promise<ApiError> {
  const others = await elsewhere?.sessions(ownerFor(caller))
  const found = others?.sessions.find((one) => one.id === id)
  if (found === undefined) return unknownSession()
  return new ApiError(409, 'elsewhere', `that session is at the gateway \`${found.gateway}\``)
}

function unknownSession(): ApiError {
  return new ApiError(404, 'unknown_session', 'there is no such session')
}

function watchedOf(seq: number, event: WatchedEvent, now: number): WatchedView {
  const at = new Date(now).toISOString()
  if (event.type === 'outcome') {
    const { statement, status, rows, bytes, micros, sqlstate = null } = event
    return { event: 'outcome', at, statement, status, rows, bytes, micros, sqlstate }
  }
  const { via, sql, verdict, rule, reason = null, relations, masks } = event
  return {
    event: 'statement',
    at,
    statement: seq,
    via,
    sql,
    verdict,
    rule,
    reason,
    relations,
    masks,
  }
}

/** Whose sessions a caller may see and end; null: everybody's. */
function ownerFor({ isOperator, principal: { issuer, subject } }: Caller): Owner | null {
  return isOperator ? null : { issuer, subject }
}

/** `gateway`: what this one is called among those that share a store. */
export function sessionsOf(
  registry: SessionRegistry,
  owner: Owner | null,
  gateway: string | null,
): SessionView[] {
  return registry.sessions
    .filter(({ principal }) => isOf(owner, principal))
    .map((session) => viewOf(session, gateway))
}

function viewOf(session: Session, gateway: string | null): SessionView {
  const { id, principal, role, connection, database, startedAt, activeAt } = session
  const { subject, issuer, kind, graph, node, run, expiresAt } = principal
  return {
    id,
    gateway,
    subject,
    issuer,
    kind,
    role,
    graph,
    node,
    run,
    connection,
    database,
    startedAt: new Date(startedAt).toISOString(),
    activeAt: new Date(activeAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    state: session.held
      ? 'waiting-for-approval'
      : !session.quiet
        ? 'running'
        : session.idle
          ? 'idle'
          : 'in-transaction',
  }
}
