/**
 * One statement that waits for a person, whatever the protocol: it asks, or finds what was asked before,
 * and ends with leave to run once or with why not. The gatekeeper answers "not yet" while it lasts.
 *
 *   asking ──▶ waiting ──▶ granted      `hold`: the session waits
 *      └──▶ granted │ refused ◀──┘      `return`: refused at once; sent again, it finds the decision
 *
 * `granted` is reached only after the approval has been used up in the journal: nobody else can have it.
 */
import type { Approvals, Request } from './approvals.ts'
import { ApprovalError } from './errors.ts'
import type { Shown } from './journal.ts'
import type { Approval } from './state.ts'

export type HoldState =
  | { readonly kind: 'asking' }
  | { readonly kind: 'waiting'; readonly approval: Approval }
  | { readonly kind: 'granted'; readonly approval: Approval }
  | { readonly kind: 'refused'; readonly why: HoldRefusal }

export type HoldRefusal =
  /** `mode: return`: not decided yet; the same statement may be sent again. */
  | { readonly kind: 'returned'; readonly approval: Approval }
  | {
      readonly kind: 'denied'
      readonly approval: Approval
      readonly comment: string
      readonly by: string
    }
  | { readonly kind: 'expired'; readonly approval: Approval }
  | { readonly kind: 'cancelled'; readonly why: string }
  /** It could not be asked for. */
  | { readonly kind: 'failed'; readonly error: unknown }

export class Hold {
  readonly binding: string
  readonly #approvals: Approvals
  readonly #request: Request
  readonly #changed: () => void
  #state: HoldState = { kind: 'asking' }
  #unsubscribe: (() => void) | null = null
  #looking = false
  #lookAgain = false

  /** `changed`: called after every change of `state`, never before this returns. */
  constructor(approvals: Approvals, request: Request, shown: Shown, changed: () => void) {
    this.#approvals = approvals
    this.#request = request
    this.binding = request.binding
    this.#changed = changed
    void this.#begin(shown).catch((error: unknown) => this.#fail(error))
  }

  get state(): HoldState {
    return this.#state
  }

  /** Whoever waits has left, or been told to go; later calls do nothing. */
  cancel(why: string): void {
    const before = this.#state
    if (before.kind !== 'asking' && before.kind !== 'waiting') return
    this.#to({ kind: 'refused', why: { kind: 'cancelled', why } })
    if (before.kind === 'waiting') this.#withdraw(before.approval.id, why)
  }

  async #begin(shown: Shown): Promise<void> {
    if (await this.#foundBefore()) return
    const approval = await this.#approvals.ask(this.#request, shown)
    if (this.#request.mode === 'return') {
      this.#to({ kind: 'refused', why: { kind: 'returned', approval } })
      return
    }
    if (this.#state.kind !== 'asking') {
      this.#withdraw(approval.id, 'the requester left')
      return
    }
    this.#unsubscribe = this.#approvals.subscribe((id) => {
      if (id === approval.id) this.#look(id)
    })
    this.#to({ kind: 'waiting', approval })
    // It may have been decided before anybody listened.
    this.#look(approval.id)
  }

  /** The same statement was refused before with leave to come back. */
  async #foundBefore(): Promise<boolean> {
    const before = await this.#approvals.bound(this.binding)
    for (const approval of before.filter(({ request }) => request.mode === 'return')) {
      const { status } = approval
      if (status.kind === 'approved') {
        if (await this.#use(approval)) return true
      } else if (status.kind === 'pending' && this.#request.mode === 'return') {
        this.#to({ kind: 'refused', why: { kind: 'returned', approval } })
        return true
      } else if (status.kind === 'denied' && this.#isRecent(approval)) {
        const { comment, by } = status
        this.#to({ kind: 'refused', why: { kind: 'denied', approval, comment, by } })
        return true
      }
    }
    return false
  }

  /** A denial holds as long as the question would have stood: asking again does not get another answer. */
  #isRecent({ request }: Approval): boolean {
    return this.#approvals.now() < request.decideBy
  }

  /** False: somebody else has used it up. */
  async #use(approval: Approval): Promise<boolean> {
    // A requester that has gone does not use anything up.
    if (this.#state.kind === 'refused') return true
    try {
      await this.#approvals.use(approval.id, this.binding)
    } catch (error) {
      if (error instanceof ApprovalError) return false
      throw error
    }
    this.#to({ kind: 'granted', approval })
    return true
  }

  /** Looks at the approval again; once more when it changed meanwhile. */
  #look(id: string): void {
    this.#lookAgain = true
    if (this.#looking) return
    this.#looking = true
    const looking = async (): Promise<void> => {
      while (this.#lookAgain && this.#state.kind === 'waiting') {
        this.#lookAgain = false
        await this.#follow(await this.#approvals.get(id))
      }
    }
    void looking()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#looking = false
      })
  }

  async #follow(approval: Approval | null): Promise<void> {
    if (this.#state.kind !== 'waiting') return
    if (approval === null) throw new ApprovalError('unknown-approval', 'the approval is gone')
    const { status } = approval
    switch (status.kind) {
      case 'pending':
        return
      case 'approved':
        // Not used: it expired, or was denied, in this moment. The event that did it comes here too.
        await this.#use(approval)
        return
      case 'denied':
        this.#to({
          kind: 'refused',
          why: { kind: 'denied', approval, comment: status.comment, by: status.by },
        })
        return
      case 'expired':
        this.#to({ kind: 'refused', why: { kind: 'expired', approval } })
        return
      case 'cancelled':
        this.#to({ kind: 'refused', why: { kind: 'cancelled', why: status.why } })
        return
      case 'used':
      case 'ended':
        throw new ApprovalError('out-of-order', 'used by somebody else')
      default: {
        const never: never = status
        throw new Error(`unexpected status ${String(never)}`)
      }
    }
  }

  #withdraw(id: string, why: string): void {
    // Decided or over meanwhile: then it is not used, which is the same.
    void this.#approvals.cancel(id, why).catch(() => undefined)
  }

  #fail(error: unknown): void {
    if (this.#state.kind === 'waiting') this.#withdraw(this.#state.approval.id, 'it failed')
    this.#to({ kind: 'refused', why: { kind: 'failed', error } })
  }

  /** Once it has ended, it stays as it ended. */
  #to(state: HoldState): void {
    if (this.#state.kind === 'granted' || this.#state.kind === 'refused') return
    this.#state = state
    if (state.kind === 'granted' || state.kind === 'refused') {
      this.#unsubscribe?.()
      this.#unsubscribe = null
    }
    // Never inside the call that made it: whoever asks first stores what it got.
    queueMicrotask(this.#changed)
  }
}
