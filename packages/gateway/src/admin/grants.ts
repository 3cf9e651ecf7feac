/** Grants over HTTP: ask for a role, see who holds one, end one. Deciding is that of approvals. */
import type { FastifyInstance } from 'fastify'
import type { Approvals } from '../approvals/approvals.ts'
import { type Approval, heldUntil, isApprover, isOver } from '../approvals/state.ts'
import type { Grants } from '../grants/grants.ts'
import { isOf } from '../session/interrupts.ts'
import { ApiError, type Caller, isUnbound } from './caller.ts'
import type { GrantView } from './contract.ts'
import { DONE, GRANT, GRANTS } from './schemas.ts'

const NAME = { type: 'string', minLength: 1, maxLength: 300 } as const

export interface GrantRoutesDeps {
  readonly approvals: Approvals
  readonly grants: Grants
}

interface AskBody {
  readonly role: string
  readonly connection: string
  readonly seconds: number
  readonly reason?: string
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly breakGlass?: boolean
}

export function addGrantRoutes(app: FastifyInstance, { approvals, grants }: GrantRoutesDeps): void {
  app.post<{ Body: AskBody }>(
    '/grants',
    {
      schema: {
        summary: 'Ask for a role for a time, or take it by breaking glass',
        response: { 201: GRANT },
        body: {
          type: 'object',
          properties: {
            role: NAME,
            connection: NAME,
            seconds: { type: 'integer', minimum: 1, maximum: 604_800 },
            reason: { type: 'string', maxLength: 1_000 },
            graph: NAME,
            node: NAME,
            run: NAME,
            breakGlass: { type: 'boolean' },
          },
          required: ['role', 'connection', 'seconds'],
          additionalProperties: false,
        },
      },
    },
    async ({ caller, body }, reply) => {
      const { seconds, reason = '', breakGlass = false, ...wanted } = body
      const asked = { ...wanted, forMs: seconds * 1000, reason, breakGlass }
      const { id } = await grants.ask(caller.principal, asked)
      const approval = await approvals.get(id)
      if (approval === null) throw new ApiError(404, 'unknown-approval', 'there is no such grant')
      return reply.code(201).send(viewOf(approval))
    },
  )
  app.get(
    '/grants',
    { schema: { summary: 'Grants asked for and held', response: { 200: GRANTS } } },
    async ({ caller }) => {
      const all = (await approvals.list()).filter((one) => one.request.what === 'grant')
      return { grants: all.filter((one) => maySee(one, caller)).map(viewOf) }
    },
  )
  app.delete<{ Params: { id: string } }>(
    '/grants/:id',
    {
      schema: {
        summary: 'End a grant; its sessions end at once',
        response: { 204: DONE },
        params: { type: 'object', properties: { id: NAME }, required: ['id'] },
      },
    },
    async ({ caller, params }, reply) => {
      const approval = await approvals.get(params.id)
      if (approval?.request.what !== 'grant' || !maySee(approval, caller)) {
        throw new ApiError(404, 'unknown-approval', 'there is no such grant')
      }
      if (!mayEnd(approval, caller)) {
        throw new ApiError(403, 'not_yours', 'holder, approvers and operators end a grant')
      }
      const by = caller.principal.subject
      if (isOver(approval.status)) await approvals.endGrant(approval.id, by, 'revoked')
      else await approvals.cancel(approval.id, `revoked by ${by}`)
      return reply.code(204).send()
    },
  )
}

function maySee(approval: Approval, caller: Caller): boolean {
  return caller.isAuditor || mayEnd(approval, caller)
}

function mayEnd({ request }: Approval, caller: Caller): boolean {
  const { principal, isOperator } = caller
  if (isOperator || isOf(request, principal)) return true
  const { subject, groups, kind } = principal
  return kind === 'human' && isUnbound(principal) && isApprover(request, { by: subject, groups })
}

function viewOf(approval: Approval): GrantView {
  const { id, request, status } = approval
  const until = heldUntil(approval, status)
  return {
    id,
    status: until !== null ? 'held' : status.kind === 'used' ? 'ended' : status.kind,
    subject: request.subject,
    issuer: request.issuer,
    role: request.role,
    connection: request.connection,
    graph: request.graph ?? null,
    node: request.node ?? null,
    run: request.run ?? null,
    reason: request.reason ?? null,
    seconds: (request.grant?.forMs ?? 0) / 1000,
    until: until === null ? null : new Date(until).toISOString(),
    breakGlass: request.grant?.breakGlass ?? false,
    reviewed: approval.decisions.length > 0,
  }
}
