/** Approvals over HTTP: list, look, decide, cancel, follow. */
import type { FastifyInstance } from 'fastify'
import type { Approvals } from '../approvals/approvals.ts'
import { type Approval, isApprover, isOver, isSamePerson, missing } from '../approvals/state.ts'
import { isOf } from '../session/interrupts.ts'
import { ApiError, type Caller, isUnbound } from './caller.ts'
import type { ApprovalView, ShownView } from './contract.ts'
import type { EventStream, EventStreams } from './event-stream.ts'
import { APPROVAL, APPROVALS } from './schemas.ts'

const WORDS = { type: 'string', maxLength: 1_000 } as const
const ID = {
  type: 'object',
  properties: { id: { type: 'string', maxLength: 100 } },
  required: ['id'],
} as const

export interface ApprovalRoutesDeps {
  readonly approvals: Approvals
  readonly streams: EventStreams
}

interface DecideBody {
  readonly decision: 'approve' | 'deny'
  readonly reason?: string
  readonly ticket?: string
}

export function addApprovalRoutes(
  app: FastifyInstance,
  { approvals, streams }: ApprovalRoutesDeps,
): void {
  app.get<{ Querystring: { open?: boolean } }>(
    '/approvals',
    {
      schema: {
        summary: 'Approvals the caller asked for, may decide, or oversees',
        response: { 200: APPROVALS },
        querystring: {
          type: 'object',
          properties: { open: { type: 'boolean', description: 'only those not over' } },
          additionalProperties: false,
        },
      },
    },
    async ({ caller, query }) => {
      const all = (await approvals.list()).filter((one) => maySee(one, caller))
      const wanted = query.open === true ? all.filter((one) => !isOver(one.status)) : all
      return { approvals: wanted.map((one) => viewOf(one, caller, null)) }
    },
  )
  app.get<{ Params: { id: string } }>(
    '/approvals/:id',
    {
      schema: {
        summary: 'One approval, with what would run',
        params: ID,
        response: { 200: APPROVAL },
      },
    },
    async ({ caller, params }) => look(approvals, params.id, caller),
  )
  app.post<{ Params: { id: string }; Body: DecideBody }>(
    '/approvals/:id/decision',
    {
      schema: {
        summary: 'Approve or deny',
        params: ID,
        response: { 200: APPROVAL },
        body: {
          type: 'object',
          properties: { decision: { enum: ['approve', 'deny'] }, reason: WORDS, ticket: WORDS },
          required: ['decision'],
          additionalProperties: false,
        },
      },
    },
    async ({ caller, params, body }) => {
      // Who may not see it does not learn that it exists.
      await visible(approvals, params.id, caller)
      const { issuer, subject, groups, kind } = caller.principal
      await approvals.decide(params.id, {
        by: subject,
        issuer,
        groups,
        kind: kind === 'human' && isUnbound(caller.principal) ? 'human' : 'machine',
        decision: body.decision,
        reason: body.reason ?? '',
        ...(body.ticket !== undefined && { ticket: body.ticket }),
      })
      return look(approvals, params.id, caller)
    },
  )
  app.post<{ Params: { id: string } }>(
    '/approvals/:id/cancel',
    {
      schema: {
        summary: 'Take back a request of the caller’s own',
        params: ID,
        response: { 200: APPROVAL },
      },
    },
    async ({ caller, params }) => {
      const approval = await visible(approvals, params.id, caller)
      if (!isOf(approval.request, caller.principal)) {
        throw new ApiError(403, 'not_yours', 'only the requester takes a request back')
      }
      await approvals.cancel(params.id, 'cancelled by the requester')
      return look(approvals, params.id, caller)
    },
  )
  app.get(
    '/approvals/events',
    { schema: { summary: 'Changes as they happen: server-sent events `approval`' } },
    async (request, reply) => {
      streams.open(request, reply, (stream) => follow(approvals, request.caller, stream))
      return reply
    },
  )
}

function follow(approvals: Approvals, caller: Caller, stream: EventStream): () => void {
  const tell = async (id: string): Promise<void> => {
    const approval = await approvals.get(id)
    if (approval === null || !maySee(approval, caller)) return
    stream.send('approval', viewOf(approval, caller, null))
  }
  return approvals.subscribe((id) => void tell(id).catch(() => stream.end()))
}

async function look(approvals: Approvals, id: string, caller: Caller): Promise<ApprovalView> {
  const approval = await visible(approvals, id, caller)
  if (mayDecide(approval, caller)) return viewOf(approval, caller, await approvals.shown(id))
  const shown = isOf(approval.request, caller.principal) ? await approvals.shown(id) : null
  // Whoever may write a table may not be one who may read it.
  return viewOf(approval, caller, shown === null ? null : { ...shown, preview: null })
}

/** @throws ApiError 404, also for what the caller may not see */
async function visible(approvals: Approvals, id: string, caller: Caller): Promise<Approval> {
  const approval = await approvals.get(id)
  if (approval === null || !maySee(approval, caller)) {
    throw new ApiError(404, 'unknown-approval', 'there is no such approval')
  }
  return approval
}

function maySee(approval: Approval, caller: Caller): boolean {
  return (
    caller.isOperator ||
    caller.isAuditor ||
    isOf(approval.request, caller.principal) ||
    mayDecide(approval, caller)
  )
}

function mayDecide({ request }: Approval, { principal }: Caller): boolean {
  const { subject, groups, kind } = principal
  const isPerson = kind === 'human' && isUnbound(principal)
  return (
    isPerson &&
    !isSamePerson(subject, request.subject) &&
    isApprover(request, { by: subject, groups })
  )
}

function viewOf(approval: Approval, caller: Caller, shown: ShownView | null): ApprovalView {
  const { id, request, status, requestedAt, decisions } = approval
  const lacking = missing(approval)
  return {
    id,
    what: request.what,
    mode: request.mode,
    status: status.kind,
    requestedAt: iso(requestedAt),
    decideBy: iso(request.decideBy),
    usableUntil: status.kind === 'approved' ? iso(status.until) : null,
    requester: {
      subject: request.subject,
      issuer: request.issuer,
      role: request.role === '' ? null : request.role,
      graph: request.graph ?? null,
      node: request.node ?? null,
      run: request.run ?? null,
    },
    connection: request.connection,
    database: request.database,
    session: request.session === '' ? null : request.session,
    record: request.statement === 0 ? null : request.statement,
    rule: request.rule,
    reason: request.reason ?? null,
    approvers: request.approvers.map((needed, i) => ({
      ...needed,
      missing: Math.max(lacking[i] ?? 0, 0),
    })),
    decisions: decisions.map(({ at, event }) => ({
      at: iso(at),
      by: event.by,
      decision: event.decision,
      reason: event.reason,
      ticket: event.ticket ?? null,
    })),
    grant:
      request.grant === undefined
        ? null
        : {
            seconds: request.grant.forMs / 1000,
            breakGlass: request.grant.breakGlass === true,
          },
    ended: status.kind === 'cancelled' || status.kind === 'ended' ? status.why : null,
    mayDecide: !isOver(status) && mayDecide(approval, caller),
    mayApprove:
      !isOver(status) &&
      mayDecide(approval, caller) &&
      !decisions.some(({ event }) => isSamePerson(event.by, caller.principal.subject)),
    shown,
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
