/**
 * The one statement of a session that may be waiting for people; both protocols' gatekeepers ask here.
 * A session sends one statement after the other, so there is never more than one.
 */
import type { Approve } from '@sallyport/policy'
import type { Approvals } from '../approvals/approvals.ts'
import { type Bound, bindingOf } from '../approvals/binding.ts'
import type { Shown } from '../approvals/journal.ts'
import { isOver } from '../approvals/state.ts'
import { Hold, type HoldState } from '../approvals/wait.ts'
import type { ApprovalLink } from './hold-reports.ts'
import { previewRecorded } from './previews.ts'

const CHANGED = 'what policy says of it has changed'

/** Who asks, and where. */
export type Asker = Pick<
  Bound,
  'issuer' | 'subject' | 'role' | 'graph' | 'node' | 'run' | 'connection' | 'database'
>

export interface SessionHoldsOptions {
  readonly approvals: Approvals
  readonly session: string
  readonly asker: Asker
  /** The client asked to be refused with leave to come back, rather than to wait. */
  readonly returning: boolean
  readonly link: () => ApprovalLink
}

/** What is held. */
export type Held = Pick<Bound, 'engine' | 'policyVersion' | 'statement' | 'parameters' | 'state'>

export interface Asking {
  /** A statement before it runs, or what comes of its result beyond a limit. */
  readonly what: 'statement' | 'result'
  readonly verdict: Pick<Approve, 'rule' | 'mode' | 'approvers' | 'withinMs' | 'useWithinMs'>
  readonly binding: string
  /** Log sequence number of the statement's record, which is written. */
  readonly statement: number
  readonly shown: Shown
  readonly reason: string | null
}

export class SessionHolds {
  readonly #options: SessionHoldsOptions
  #changed: (state: HoldState) => void = () => undefined
  #hold: Hold | null = null
  #statement = 0
  /** What is to be held is looked at first; a requester that leaves meanwhile does not ask any more. */
  #ahead: { left: string | null } | null = null

  constructor(options: SessionHoldsOptions) {
    this.#options = options
  }

  get link(): ApprovalLink {
    return this.#options.link()
  }

  /** `changed`: called whenever the state of what is held moves on. */
  attach(changed: (state: HoldState) => void): void {
    this.#changed = changed
  }

  bindingOf(held: Held): string {
    return bindingOf({ ...this.#options.asker, ...held })
  }

  /** A statement waits for people, or is about to. */
  get waiting(): boolean {
    const kind = this.#hold?.state.kind
    return kind === 'asking' || kind === 'waiting'
  }

  /** Something is held, or has just been decided and not been answered yet. */
  get busy(): boolean {
    return this.#hold !== null
  }

  /** The hold for exactly this, as it stands; null: it has not been asked for. */
  find(binding: string): { readonly state: HoldState; readonly statement: number } | null {
    const hold = this.#hold
    if (hold === null || hold.binding !== binding) return null
    return { state: hold.state, statement: this.#statement }
  }

  /** Asks. Whatever was held before is not what would run any more. */
  begin({ what, verdict, binding, statement, shown, reason }: Asking): void {
    this.#hold?.cancel(CHANGED)
    const { approvals, session, asker, returning } = this.#options
    const { graph, node, run, ...who } = asker
    const previewed = previewRecorded(shown.preview)
    const hold: Hold = new Hold(
      approvals,
      {
        what,
        mode: returning ? 'return' : verdict.mode,
        session,
        statement,
        ...who,
        ...(graph !== null && { graph }),
        ...(node !== null && { node }),
        ...(run !== null && { run }),
        rule: verdict.rule,
        binding,
        approvers: verdict.approvers.map(({ groups, subjects, count, ticket }) => ({
          groups,
          subjects,
          count,
          ticket,
        })),
        withinMs: verdict.withinMs,
        useMs: verdict.useWithinMs,
        ...(reason !== null && { reason }),
        ...(previewed !== null && { preview: previewed }),
      },
      shown,
      () => {
        if (this.#hold === hold) this.#changed(hold.state)
      },
    )
    this.#hold = hold
    this.#statement = statement
    const left = this.#ahead?.left ?? null
    this.#ahead = null
    if (left !== null) hold.cancel(left)
  }

  /** What will be asked for is run and rolled back first. */
  lookAhead(): void {
    this.#ahead = { left: null }
  }

  /** Exactly this was refused before with leave to come back: its answer is there, or on its way. */
  async askedBefore(binding: string): Promise<boolean> {
    const before = await this.#options.approvals.bound(binding)
    return before.some(({ request, status }) => request.mode === 'return' && !isOver(status))
  }

  /** The client asked to be refused with leave to come back, rather than to wait. */
  get returning(): boolean {
    return this.#options.returning
  }

  /** What was held has been answered. */
  done(): void {
    this.#ahead = null
    this.#hold = null
  }

  /** What was held is not to be decided by people any more. */
  drop(): void {
    this.#ahead = null
    if (this.#hold === null) return
    this.#hold.cancel(CHANGED)
    this.#hold = null
  }

  /** Whoever waits gives up, or has to. */
  cancel(why: string): void {
    if (this.#ahead !== null) this.#ahead.left = why
    this.#hold?.cancel(why)
  }
}
