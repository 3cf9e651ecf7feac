/** Live sessions over HTTP: list and end. Everybody sees their own; operators see all. */
import type { AuditLog } from '@sallyport/audit'
import type { FastifyInstance } from 'fastify'
import type { SessionRegistry } from '../session/registry.ts'
import type { Session } from '../session/session.ts'
import { ApiError, type Caller, isSame } from './caller.ts'
import type { SessionView } from './contract.ts'

export interface SessionRoutesDeps {
  readonly registry: SessionRegistry
  readonly audit: AuditLog
}

export function addSessionRoutes(app: FastifyInstance, deps: SessionRoutesDeps): void {
  const { registry, audit } = deps
  app.get('/sessions', { schema: { summary: 'Live sessions' } }, async ({ caller }) => ({
    sessions: registry.sessions.filter((one) => maySee(one, caller)).map(viewOf),
  }))
  app.delete<{ Params: { id: string } }>(
    '/sessions/:id',
    {
      schema: {
        summary: 'End a session: its statement is cancelled, its client told',
        params: {
          type: 'object',
          properties: { id: { type: 'string', maxLength: 100 } },
          required: ['id'],
        },
      },
    },
    async ({ caller, params }, reply) => {
      const session = registry.sessions.find(({ id }) => id === params.id)
      if (session === undefined || !maySee(session, caller)) {
        throw new ApiError(404, 'unknown_session', 'there is no such session')
      }
      audit.append({ type: 'cancel', v: 1, session: session.id, source: 'operator' })
      audit.flush()
      registry.kill(session)
      return reply.code(204).send()
    },
  )
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
