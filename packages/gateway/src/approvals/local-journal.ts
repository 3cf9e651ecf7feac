/**
 * The events of one gateway's approvals: in its audit log, and in memory as long as they matter. After a
 * restart they are read back from the log; what approvers would read is not in it, so whoever was still
 * waiting for a decision asks again.
 */
import type { AuditEvent, StoredEvent } from '@sallyport/audit'
import { isKnownEvent } from '@sallyport/audit'
import type { ApprovalJournal, Shown } from './journal.ts'
import { CLOSED_KEPT_MAX } from './limits.ts'
import {
  type Approval,
  type ApprovalEvent,
  heldUntil,
  isOver,
  next,
  type Stamped,
  statusAt,
} from './state.ts'

/** The part of the audit log that is written to. */
export interface ApprovalLog {
  append(event: AuditEvent): number
  flush(): void
}

interface Entry {
  approval: Approval
  readonly events: Stamped[]
  shown: Shown | null
}

export class LocalJournal implements ApprovalJournal {
  readonly #log: ApprovalLog
  readonly #now: () => number
  /** In the order they were asked for. */
  readonly #entries = new Map<string, Entry>()
  readonly #over: string[] = []
  /** Asked for before this start. */
  readonly #former: Set<string>
  readonly #listeners = new Set<(approval: string) => void>()

  /**
   * `now`: the log's clock, milliseconds since 1970. `before`: events of earlier runs, oldest first. Approvals
   * whose events do not fold are left out.
   */
  constructor(log: ApprovalLog, now: () => number, before: readonly Stamped[] = []) {
    this.#log = log
    this.#now = now
    const unsound = new Set<string>()
    for (const stamped of before) {
      const { approval } = stamped.event
      if (unsound.has(approval)) continue
      try {
        this.#install(stamped, null)
      } catch {
        unsound.add(approval)
        this.#entries.delete(approval)
      }
    }
    this.#former = new Set(this.#entries.keys())
  }

  async append(
    stamped: Stamped<ApprovalEvent>,
    after: number,
    shown: Shown | null,
  ): Promise<boolean> {
    const { event } = stamped
    // As the log will say it: what was in time when it was asked for may be late by now.
    const at = Math.max(stamped.at, this.#now())
    const known = this.#entries.get(event.approval)
    if ((known?.events.length ?? 0) !== after) return false
    next(known?.approval ?? null, event, at)
    // INVARIANT: nothing is awaited from the check above until the event is written and installed.
    this.#log.append(event)
    this.#log.flush()
    this.#install({ event, at }, shown)
    for (const listener of [...this.#listeners]) listener(event.approval)
    return true
  }

  async events(approval: string): Promise<readonly Stamped[]> {
    return [...(this.#entries.get(approval)?.events ?? [])]
  }

  async shown(approval: string): Promise<Shown | null> {
    return this.#entries.get(approval)?.shown ?? null
  }

  async list(): Promise<readonly Approval[]> {
    return [...this.#entries.values()].map(({ approval }) => approval)
  }

  async bound(binding: string): Promise<readonly Approval[]> {
    const all = await this.list()
    return all.filter(({ request }) => request.binding === binding).reverse()
  }

  /** Of an earlier run: nobody waits on it, or nobody can read it. What was approved for whoever comes back stays. */
  async orphans(): Promise<readonly string[]> {
    const orphans = [...this.#former].filter((id) => {
      const approval = this.#entries.get(id)?.approval
      if (approval === undefined || isOver(approval.status)) return false
      const { what, mode } = approval.request
      return what !== 'grant' && (mode === 'hold' || approval.status.kind === 'pending')
    })
    this.#former.clear()
    return orphans
  }

  subscribe(listener: (approval: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  async close(): Promise<void> {
    this.#listeners.clear()
  }

  #install({ event, at }: Stamped, shown: Shown | null): void {
    const id = event.approval
    const known = this.#entries.get(id)
    const approval = next(known?.approval ?? null, event, at)
    const entry = known ?? { approval, events: [], shown }
    entry.approval = approval
    entry.events.push({ event, at })
    if (known === undefined) this.#entries.set(id, entry)
    if (!isOver(approval.status)) return
    entry.shown = null
    if (!this.#over.includes(id)) this.#over.push(id)
    const gone = oldestOver(this.#over, (one) => this.#entries.get(one)?.approval, at)
    if (gone !== null) this.#entries.delete(gone)
  }
}

/** Takes out of `over` what need not be remembered any more; null: there is room. Not a grant that is still held. */
export function oldestOver(
  over: string[],
  approvalOf: (id: string) => Approval | undefined,
  now: number,
): string | null {
  if (over.length <= CLOSED_KEPT_MAX) return null
  const index = over.findIndex((id) => {
    const approval = approvalOf(id)
    return approval === undefined || heldUntil(approval, statusAt(approval, now)) === null
  })
  return index < 0 ? null : (over.splice(index, 1)[0] ?? null)
}

/** The approval events among records of the log, oldest first. */
export function approvalEvents(
  records: Iterable<{ readonly at: number; readonly event: StoredEvent }>,
): Stamped[] {
  const found: Stamped[] = []
  for (const { at, event } of records) {
    if (!isKnownEvent(event)) continue
    switch (event.type) {
      case 'approval-requested':
      case 'approval-decided':
      case 'approval-closed':
      case 'grant-ended':
        found.push({ at, event })
        break
      default:
        break
    }
  }
  return found
}
