/** What is known of grants without asking anybody: the latest for each principal, role, place and scope. */
import type { Principal } from '@sallyport/identity'
import { type Approval, heldUntil, statusAt } from '../approvals/state.ts'
import type { GrantScope } from './grants.ts'

/** Entries; the oldest goes first. What is forgotten is asked for again at worst. */
const ENTRIES_MAX = 10_000

export type GrantStanding =
  | { readonly kind: 'held'; readonly until: number }
  | { readonly kind: 'pending'; readonly id: string }
  | { readonly kind: 'denied'; readonly by: string; readonly comment: string }

export class GrantBook {
  readonly #entries = new Map<string, Approval>()

  note(approval: Approval): void {
    const { request } = approval
    const key = keyOf(request, request)
    const known = this.#entries.get(key)
    if (known !== undefined && known.requestedAt > approval.requestedAt) return
    this.#entries.delete(key)
    this.#entries.set(key, approval)
    const oldest = this.#entries.keys().next().value
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest)
  }

  /** Null: it may be asked for. A denial holds as long as the question would have stood. */
  standing(principal: Principal, scope: GrantScope, now: number): GrantStanding | null {
    const approval = this.#entries.get(keyOf(principal, scope))
    if (approval === undefined) return null
    const status = statusAt(approval, now)
    const until = heldUntil(approval, status)
    if (until !== null) return { kind: 'held', until }
    if (status.kind === 'pending' || status.kind === 'approved') {
      return { kind: 'pending', id: approval.id }
    }
    if (status.kind === 'denied' && now < approval.request.decideBy) {
      return { kind: 'denied', by: status.by, comment: status.comment }
    }
    return null
  }
}

function keyOf(
  { issuer, subject }: { readonly issuer: string; readonly subject: string },
  { role, connection, graph, node, run }: Omit<GrantScope, 'role'> & { readonly role?: string },
): string {
  const scope = [graph ?? null, node ?? null, run ?? null]
  return JSON.stringify([issuer, subject, role ?? '', connection, ...scope])
}
