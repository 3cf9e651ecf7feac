/** Live sessions over HTTP: list those of this gateway, watch and end. Everybody sees their own; operators see all. */
import type { AuditLog } from '@sallyport/audit'
import type { FastifyInstance } from 'fastify'
import type { Interrupts } from '../session/interrupts.ts'
import type { SessionRegistry } from '../session/registry.ts'
import type { Session } from '../session/session.ts'
import type { SessionWatch, WatchedEvent } from '../session/watch.ts'
import { ApiError, type Caller, isSame } from './caller.ts'
import type { SessionView, WatchedView } from './contract.ts'
import type { EventStreams } from './event-stream.ts'
import { DONE, SESSIONS } from './schemas.ts'

export interface SessionRoutesDeps {
  readonly registry: SessionRegistry
  readonly interrupts: Interrupts
  readonly audit: AuditLog
  readonly watch: SessionWatch
  readonly streams: EventStreams
  readonly now: () => number
}

export function addSessionRoutes(app: FastifyInstance, deps: SessionRoutesDeps): void {
  const { registry, interrupts, audit, watch, streams, now } = deps
  app.get(
    '/sessions',
    { schema: { summary: 'Live sessions', response: { 200: SESSIONS } } },
    async ({ caller }) => ({
      sessions: registry.sessions.filter((one) => maySee(one, caller)).map(viewOf),
    }),
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
      const { issuer, subject } = caller.principal
      const done = await interrupts.send({
        kind: 'end',
        session: params.id,
        owner: caller.isOperator ? null : { issuer, subject },
        by: subject,
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
      const session = visible(registry, params.id, caller)
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

/** @throws ApiError 404, also for what the caller may not see */
function visible(registry: SessionRegistry, id: string, caller: Caller): Session {
  const session = registry.byId(id)
  if (session === undefined || !maySee(session, caller)) {
    throw unknownSession()
  }
  return session
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

function maySee({ principal }: Session, caller: Caller): boolean {
  return caller.isOperator || isSame(caller.principal, principal)
}

function viewOf(session: Session): SessionView {
  const { id, principal, role, connection, database, startedAt, activeAt } = session
  const { subject, issuer, kind, graph, node, run, expiresAt } = principal
  return {
    id,
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
