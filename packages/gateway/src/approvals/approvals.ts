/**
 * Asking for approvals, deciding them, using them: every change is one event that may follow the ones
 * before it (state.ts), appended by compare-and-set (journal.ts). Two people deciding at once, a decision
 * at the last moment, two gateways: whoever appends first has happened, the other is told.
 */
import type { ApprovalDecided, ApprovalRequested } from '@sallyport/audit'
import { ApprovalError } from './errors.ts'
import type { ApprovalJournal, Shown } from './journal.ts'
import {
  APPEND_ATTEMPTS_MAX,
  OPEN_APPROVALS_MAX,
  OPEN_PER_SUBJECT_MAX,
  SHOWN_BYTES_MAX,
  SWEEP_MS,
  WORDS_CHARS_MAX,
} from './limits.ts'
import {
  type Approval,
  type ApprovalEvent,
  fold,
  isOver,
  next,
  type Status,
  statusAt,
} from './state.ts'

/** What is asked for; id and times are given by `ask`. */
export type Request = Omit<ApprovalRequested, 'type' | 'v' | 'approval' | 'decideBy'> & {
  /** Time to decide, ms. */
  readonly withinMs: number
}

/** A person's word; who they are has been verified. */
export type Decision = Pick<
  ApprovalDecided,
  'by' | 'issuer' | 'kind' | 'groups' | 'decision' | 'reason' | 'ticket'
>

export interface ApprovalsOptions {
  readonly journal: ApprovalJournal
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** A new approval's id: unguessable, printable. */
  readonly newId: () => string
  /** This gateway has recorded an event of it; never throws. */
  readonly recorded?: (approval: Approval, event: ApprovalEvent) => void
  /** The sweep failed; it is tried again. */
  readonly onError: (error: unknown) => void
}

export class Approvals {
  readonly #options: ApprovalsOptions
  readonly #timer: NodeJS.Timeout

  constructor(options: ApprovalsOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.sweep().catch(options.onError), SWEEP_MS)
    this.#timer.unref()
  }

  /** An id for one that is asked for later: see `ask`. */
  newId(): string {
    return this.#options.newId()
  }

  /** @throws ApprovalError too-many, too-large; whatever the audit log throws. */
  async ask(
    { withinMs, ...request }: Request,
    shown: Shown,
    id = this.#options.newId(),
  ): Promise<Approval> {
    const { journal, now } = this.#options
    checkSize(shown)
    await this.#checkRoom(request.subject)
    const at = now()
    const event: ApprovalRequested = {
      type: 'approval-requested',
      v: 1,
      ...request,
      approval: id,
      decideBy: at + withinMs,
    }
    const approval = next(null, event, at)
    if (!(await journal.append({ at, event }, 0, shown))) {
      throw new ApprovalError('contended', 'the approval id is taken')
    }
    this.#options.recorded?.(approval, event)
    return approval
  }

  /** @throws ApprovalError whatever speaks against it. */
  async decide(id: string, decision: Decision): Promise<Approval> {
    const { reason, ticket } = decision
    if (reason.length > WORDS_CHARS_MAX || (ticket?.length ?? 0) > WORDS_CHARS_MAX) {
      throw new ApprovalError('too-large', `words of more than ${WORDS_CHARS_MAX} characters`)
    }
    return this.#append(id, ({ request }) => ({
      type: 'approval-decided',
      v: 1,
      approval: id,
      ...decision,
      groups: groupsAskedFor(request, decision.groups),
    }))
  }

  /** Spends it, once, on what is bound to `binding`. @throws ApprovalError when it may not be. */
  async use(id: string, binding: string): Promise<void> {
    await this.#append(id, () => ({
      type: 'approval-closed',
      v: 1,
      approval: id,
      outcome: 'used',
      binding,
    }))
  }

  /** Whoever asked does not want it any more. @throws ApprovalError closed, unknown-approval. */
  async cancel(id: string, why: string): Promise<void> {
    await this.#append(id, () => ({
      type: 'approval-closed',
      v: 1,
      approval: id,
      outcome: 'cancelled',
      reason: why,
    }))
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#options.now()
  }

  /** Ends a grant before its time. @throws ApprovalError closed: it is not held */
  async endGrant(id: string, by: string, why: string): Promise<void> {
    await this.#append(id, () => ({ type: 'grant-ended', v: 1, approval: id, by, reason: why }))
  }

  /** As of now. */
  async get(id: string): Promise<Approval | null> {
    const approval = fold(await this.#options.journal.events(id))
    return approval === null ? null : this.#now(approval)
  }

  shown(id: string): Promise<Shown | null> {
    return this.#options.journal.shown(id)
  }

  /** As of now, in the order they were asked for. */
  async list(): Promise<readonly Approval[]> {
    return (await this.#options.journal.list()).map((approval) => this.#now(approval))
  }

  /** As of now: what a statement sent again with this binding is answered with; newest first. */
  async bound(binding: string): Promise<readonly Approval[]> {
    return (await this.#options.journal.bound(binding)).map((approval) => this.#now(approval))
  }

  /** Calls back with the id of every approval that changes. */
  subscribe(listener: (approval: string) => void): () => void {
    return this.#options.journal.subscribe(listener)
  }

  /** Records what time has ended, and takes back what nobody waits for. */
  async sweep(): Promise<void> {
    const now = this.#options.now()
    for (const id of await this.#options.journal.orphans()) {
      await this.cancel(id, 'the gateway that held it is gone').catch(ignoreLate)
    }
    for (const approval of await this.#options.journal.list()) {
      if (isOver(approval.status) || statusAt(approval, now).kind !== 'expired') continue
      await this.#append(approval.id, ({ id }) => ({
        type: 'approval-closed',
        v: 1,
        approval: id,
        outcome: 'expired',
      })).catch(ignoreLate)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#options.journal.close()
  }

  #now(approval: Approval): Approval {
    const status: Status = statusAt(approval, this.#options.now())
    return status === approval.status ? approval : { ...approval, status }
  }

  async #append(id: string, make: (approval: Approval) => ApprovalEvent): Promise<Approval> {
    const { journal, now } = this.#options
    for (let attempt = 0; attempt < APPEND_ATTEMPTS_MAX; attempt++) {
      const events = await journal.events(id)
      const approval = fold(events)
      if (approval === null)
        throw new ApprovalError('unknown-approval', 'there is no such approval')
      const event = make(approval)
      // Clocks of two gateways differ: events never go back in time.
      const at = Math.max(now(), events.at(-1)?.at ?? 0)
      const after = next(approval, event, at)
      if (await journal.append({ at, event }, approval.version, null)) {
        this.#options.recorded?.(after, event)
        return after
      }
    }
    throw new ApprovalError('contended', 'others keep changing this approval')
  }

  async #checkRoom(subject: string): Promise<void> {
    const now = this.#options.now()
    const all = await this.#options.journal.list()
    const open = all.filter((approval) => !isOver(statusAt(approval, now)))
    const own = open.filter(({ request }) => request.subject === subject)
    if (open.length >= OPEN_APPROVALS_MAX || own.length >= OPEN_PER_SUBJECT_MAX) {
      throw new ApprovalError('too-many', 'too many approvals are waiting for a decision')
    }
  }
}

/** Another gateway has said so, or it was decided in this moment. */
function ignoreLate(error: unknown): void {
  if (!(error instanceof ApprovalError)) throw error
}

function groupsAskedFor(request: ApprovalRequested, groups: readonly string[]): readonly string[] {
  return [...new Set(request.approvers.flatMap((needed) => needed.groups))].filter((group) =>
    groups.includes(group),
  )
}

function checkSize({ sql, parameters }: Shown): void {
  const bytes = parameters.reduce((sum, one) => sum + (one?.length ?? 0), Buffer.byteLength(sql))
  if (bytes > SHOWN_BYTES_MAX) {
    throw new ApprovalError('too-large', 'the statement is too long for anybody to read')
  }
}
