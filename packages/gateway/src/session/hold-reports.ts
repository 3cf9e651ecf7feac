/** What a client reads about approvals. Never what the statement or its parameters hold. */
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { ApprovalError } from '../approvals/errors.ts'
import type { Approval } from '../approvals/state.ts'
import type { HoldRefusal } from '../approvals/wait.ts'
import type { Report } from './reports.ts'

/** Where an approval is decided: `{id}` stands for it; null: by the command line. */
export type ApprovalLink = string | null

const WHAT = {
  statement: 'the statement',
  result: 'the rest of the result',
  grant: 'the role',
} as const

/** To whoever waits: the id, why, and how it is approved. */
export function waitingReport({ id, request }: Approval, link: ApprovalLink): Report {
  return {
    sqlstate: SQLSTATE.HELD,
    message: `approval ${id} is needed by the rule "${request.rule}"; ${WHAT[request.what]} waits for it`,
    detail: `${sayApprovers(request.approvers)} until ${new Date(request.decideBy).toISOString()}.`,
    hint: howTo(id, link),
  }
}

/** DETAIL of SP001: JSON, for programs that come back. */
function returnedReport({ id, request, requestedAt }: Approval, link: ApprovalLink): Report {
  const detail = {
    approval: id,
    status: 'pending',
    rule: request.rule,
    requestedAt: new Date(requestedAt).toISOString(),
    decideBy: new Date(request.decideBy).toISOString(),
    useWithinSeconds: request.useMs / 1000,
    ...(link !== null && { link: linkOf(id, link) }),
  }
  return {
    sqlstate: SQLSTATE.HELD,
    message: `approval ${id} is needed by the rule "${request.rule}"`,
    detail: JSON.stringify(detail),
    hint: `Once it is approved, send exactly the same statement again. ${howTo(id, link)}`,
  }
}

export function holdReport(why: HoldRefusal, link: ApprovalLink): Report {
  switch (why.kind) {
    case 'returned':
      return returnedReport(why.approval, link)
    case 'denied':
      return {
        sqlstate: SQLSTATE.APPROVAL_DENIED,
        message: `approval ${why.approval.id} was denied by ${why.by}`,
        ...(why.comment !== '' && { detail: why.comment }),
        hint: 'Do not repeat it unchanged: it was decided by a person.',
      }
    case 'expired':
      return {
        sqlstate: SQLSTATE.APPROVAL_EXPIRED,
        message: `approval ${why.approval.id} expired before it was decided`,
        hint: 'Send the statement again to ask again.',
      }
    case 'cancelled':
      return {
        sqlstate: SQLSTATE.QUERY_CANCELED,
        message: `the statement no longer waits for approval: ${why.why}`,
      }
    case 'failed':
      return failureReport(why.error)
    default: {
      const never: never = why
      throw new Error(`unexpected refusal ${String(never)}`)
    }
  }
}

function failureReport(error: unknown): Report {
  const code = error instanceof ApprovalError ? error.code : null
  if (code === 'too-large') return TOO_LARGE
  if (code === 'too-many') {
    return {
      sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
      message: 'statement refused: too many approvals wait for a decision',
      hint: 'Wait until some are decided, or cancel them.',
    }
  }
  return {
    sqlstate: SQLSTATE.SYSTEM_ERROR,
    message: 'statement refused: it needs approval, which cannot be asked for right now',
    hint: 'The reason is in the gateway’s log.',
  }
}

export const TOO_LARGE: Report = {
  sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
  message: 'statement refused: it needs approval, and is too long for anybody to read',
  hint: 'Send less at once: several statements, or fewer values in each.',
}

export const REASON_NEEDED: Report = {
  sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
  message: 'statement refused: it needs approval, and policy asks for a reason',
  hint: "Say why in a comment at its end, as in: DELETE FROM t /*reason='month end'*/",
}

function sayApprovers(approvers: Approval['request']['approvers']): string {
  return approvers
    .map(({ groups, subjects, count }) => {
      const who = [...groups.map((group) => `group ${group}`), ...subjects].join(', ')
      return `${count} of ${who} may decide`
    })
    .join(' and ')
}

function howTo(id: string, link: ApprovalLink): string {
  const command = `sallyport approvals approve ${id}`
  return link === null ? `To decide: ${command}.` : `To decide: ${command}, or ${linkOf(id, link)}`
}

function linkOf(id: string, link: string): string {
  return link.replaceAll('{id}', encodeURIComponent(id))
}
