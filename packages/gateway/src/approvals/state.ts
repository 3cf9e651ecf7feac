/**
 * What an approval is: the fold of its audit events, and which event may follow. Pure: time comes in.
 *
 *   requested ──▶ pending ──enough people──▶ approved ──used──▶ used
 *                    │  └──one person denies──▶ denied ◀──┘ (until it is used)
 *                    ├──decideBy passes──▶ expired ◀── use time passes
 *                    └──requester leaves──▶ cancelled ◀──┘
 *
 * A grant that is used has begun; it ends by time, or when it is ended. One taken by breaking glass begins
 * at once, and people decide about it afterwards: whoever denies it ends it.
 *
 * Every event not drawn here is an ApprovalError, when it is offered and when it is read back: a log that
 * says otherwise does not make a statement run. Time alone ends an approval; the `expired` event only says so.
 */
import type {
  ApprovalClosed,
  ApprovalDecided,
  ApprovalRequested,
  ApproversNeeded,
  GrantEnded,
} from '@sallyport/audit'
import { ApprovalError } from './errors.ts'
import { DECISIONS_MAX } from './limits.ts'

export type ApprovalEvent = ApprovalRequested | ApprovalDecided | ApprovalClosed | GrantEnded

/** Times are milliseconds since 1970. */
export interface Stamped<T extends ApprovalEvent = ApprovalEvent> {
  readonly at: number
  readonly event: T
}

export type Status =
  | { readonly kind: 'pending' }
  | { readonly kind: 'approved'; readonly at: number; readonly until: number }
  | { readonly kind: 'denied'; readonly at: number; readonly by: string; readonly comment: string }
  /** Of a grant: it has begun. */
  | { readonly kind: 'used'; readonly at: number }
  /** A grant is over: by time, or because somebody ended it. */
  | {
      readonly kind: 'ended'
      readonly at: number
      readonly by: string | null
      readonly why: string
    }
  | { readonly kind: 'expired'; readonly at: number }
  | { readonly kind: 'cancelled'; readonly at: number; readonly why: string }

export interface Approval {
  readonly id: string
  readonly request: ApprovalRequested
  readonly requestedAt: number
  readonly decisions: readonly Stamped<ApprovalDecided>[]
  /** As of the last event; `statusAt` for a moment after it. */
  readonly status: Status
  /** Events so far: the place of the next. */
  readonly version: number
}

/** Null for no events. @throws ApprovalError for events that cannot have happened in this order. */
export function fold(events: readonly Stamped[]): Approval | null {
  return events.reduce<Approval | null>(
    (approval, { at, event }) => next(approval, event, at),
    null,
  )
}

/** The approval after `event`. @throws ApprovalError when it may not happen. */
export function next(approval: Approval | null, event: ApprovalEvent, at: number): Approval {
  if (event.type === 'approval-requested') {
    if (approval !== null) throw new ApprovalError('out-of-order', 'it was requested before')
    return start(event, at)
  }
  if (approval === null) throw new ApprovalError('unknown-approval', 'there is no such approval')
  if (event.approval !== approval.id) {
    throw new ApprovalError('out-of-order', 'the event is of another approval')
  }
  switch (event.type) {
    case 'approval-decided':
      return decided(approval, event, at)
    case 'approval-closed':
      return closed(approval, event, at)
    case 'grant-ended':
      return ended(approval, event, at)
    default: {
      const never: never = event
      throw new Error(`unexpected event ${String(never)}`)
    }
  }
}

/** `status` at `now`: what has not happened in time does not happen any more. */
export function statusAt({ status, request }: Approval, now: number): Status {
  if (status.kind === 'pending' && now >= request.decideBy) {
    return { kind: 'expired', at: request.decideBy }
  }
  if (status.kind === 'approved' && now >= status.until) {
    return { kind: 'expired', at: status.until }
  }
  if (status.kind === 'used' && request.grant !== undefined) {
    const end = status.at + request.grant.forMs
    if (now >= end) return { kind: 'ended', at: end, by: null, why: 'its time is over' }
  }
  return status
}

/** It has been decided and used, or will not be. */
export function isOver(status: Status): boolean {
  return status.kind !== 'pending' && status.kind !== 'approved'
}

/** A grant that is held, until when; null: it is none, or not held. `status`: as of now. */
export function heldUntil({ request }: Approval, status: Status): number | null {
  return request.grant !== undefined && status.kind === 'used'
    ? status.at + request.grant.forMs
    : null
}

/** How many more people each requirement asks for. */
export function missing(approval: Approval): readonly number[] {
  const yes = approval.decisions.filter(({ event }) => event.decision === 'approve')
  return approval.request.approvers.map(
    (needed) => needed.count - yes.filter(({ event }) => counts(needed, event)).length,
  )
}

/** Would this person's word count for any requirement? */
export function isApprover(
  request: ApprovalRequested,
  person: { readonly by: string; readonly groups: readonly string[] },
): boolean {
  return request.approvers.some((needed) => belongs(needed, person))
}

/**
 * May these be one person? By the name alone, whatever the issuer; and where names are mail addresses, providers write
 * them as they were typed.
 */
export function isSamePerson(a: string, b: string): boolean {
  return a === b || folded(a) === folded(b)
}

const folded = (name: string): string => name.normalize('NFKC').trim().toLowerCase()

function start(request: ApprovalRequested, at: number): Approval {
  if (request.approvers.length === 0 || request.approvers.some(({ count }) => !(count >= 1))) {
    throw new ApprovalError('out-of-order', 'an approval asks for at least one person')
  }
  if (!(request.decideBy > at) || !(request.useMs > 0)) {
    throw new ApprovalError('out-of-order', 'an approval that is over before it begins')
  }
  return {
    id: request.approval,
    request,
    requestedAt: at,
    decisions: [],
    status: { kind: 'pending' },
    version: 1,
  }
}

function decided(approval: Approval, event: ApprovalDecided, at: number): Approval {
  const { request } = approval
  const status = statusAt(approval, at)
  checkDecider(approval, event)
  if (request.grant?.breakGlass === true && status.kind !== 'cancelled') {
    return reviewed(approval, event, at)
  }
  // Whoever objects in time is heard, also when enough others have agreed.
  if (isOver(status) || (status.kind === 'approved' && event.decision === 'approve')) {
    throw new ApprovalError('closed', `it is ${status.kind} already`)
  }
  const decisions = [...approval.decisions, { at, event }]
  const version = approval.version + 1
  if (event.decision === 'deny') {
    const denied = { kind: 'denied', at, by: event.by, comment: event.reason } as const
    return { ...approval, decisions, version, status: denied }
  }
  const after = { ...approval, decisions, version }
  if (missing(after).some((people) => people > 0)) return after
  return { ...after, status: { kind: 'approved', at, until: at + request.useMs } }
}

/** What was taken at once is looked at afterwards: agreed to, or ended. */
function reviewed(approval: Approval, event: ApprovalDecided, at: number): Approval {
  const decisions = [...approval.decisions, { at, event }]
  const after = { ...approval, decisions, version: approval.version + 1 }
  const isHeld = heldUntil(approval, statusAt(approval, at)) !== null
  if (event.decision === 'approve' || !isHeld) return after
  return { ...after, status: { kind: 'ended', at, by: event.by, why: event.reason } }
}

function ended(approval: Approval, event: GrantEnded, at: number): Approval {
  if (heldUntil(approval, statusAt(approval, at)) === null) {
    throw new ApprovalError('closed', 'it is not held')
  }
  const status = { kind: 'ended', at, by: event.by, why: event.reason } as const
  return { ...approval, version: approval.version + 1, status }
}

/** A person other than the requester, who may decide this and says what was asked for. */
function checkDecider({ request, decisions, status }: Approval, event: ApprovalDecided): void {
  if (event.kind !== 'human') {
    throw new ApprovalError('not-a-person', 'only people decide about approvals')
  }
  if (isSamePerson(event.by, request.subject)) {
    throw new ApprovalError('own-request', 'nobody decides about a request of their own')
  }
  const able = request.approvers.filter((needed) => belongs(needed, event))
  if (able.length === 0) {
    throw new ApprovalError('not-an-approver', 'this person is not among the approvers')
  }
  if (decisions.length >= DECISIONS_MAX) throw new ApprovalError('too-many', 'too many decisions')
  const again = decisions.some((one) => isSamePerson(one.event.by, event.by))
  // A change of mind is heard when it stops something.
  if (again && !(event.decision === 'deny' && !isOver(status))) {
    throw new ApprovalError('decided-already', 'this person has decided already')
  }
  if (event.decision === 'approve' && !able.some((needed) => counts(needed, event))) {
    throw new ApprovalError(
      'ticket-needed',
      'the approver must name a ticket of the form asked for',
    )
  }
}

function closed(approval: Approval, event: ApprovalClosed, at: number): Approval {
  const status = statusAt(approval, at)
  const version = approval.version + 1
  if (event.outcome === 'expired') {
    const isDue = status.kind === 'expired' && approval.status.kind !== 'expired'
    if (!isDue) throw new ApprovalError('closed', `it is ${status.kind}`)
    return { ...approval, version, status }
  }
  if (isOver(status)) throw new ApprovalError('closed', `it is ${status.kind} already`)
  if (event.outcome === 'cancelled') {
    return { ...approval, version, status: { kind: 'cancelled', at, why: event.reason ?? '' } }
  }
  const atOnce = approval.request.grant?.breakGlass === true
  if (status.kind !== 'approved' && !atOnce) {
    throw new ApprovalError('not-approved', 'it is not approved')
  }
  if (event.binding !== approval.request.binding) {
    throw new ApprovalError('other-statement', 'it was given for something else')
  }
  return { ...approval, version, status: { kind: 'used', at } }
}

function belongs(
  needed: ApproversNeeded,
  { by, groups }: { readonly by: string; readonly groups: readonly string[] },
): boolean {
  return needed.subjects.includes(by) || needed.groups.some((group) => groups.includes(group))
}

/** One person counts once for a requirement, through however many groups: see `decided-already`. */
function counts(needed: ApproversNeeded, event: ApprovalDecided): boolean {
  if (!belongs(needed, event)) return false
  return (
    needed.ticket === null || new RegExp(`^(?:${needed.ticket})$`, 'u').test(event.ticket ?? '')
  )
}
