/**
 * Leave to run for statements on which an estimate or people hang, alike on both protocols: the server is asked what it
 * expects of one and, where policy says so, what it would do; then people are asked. The gatekeeper comes here again
 * after every answer, until there is leave or a refusal.
 */
import type { Approve, Deny } from '@sallyport/policy'
import type { Estimated, Preview } from '../approvals/journal.ts'
import type { Beforehand } from './beforehand.ts'
import type { Decided } from './decisions.ts'
import type { SessionHolds } from './holds.ts'
import type { PreviewRequest } from './previews.ts'
import { hangingOn, settledBy } from './settling.ts'

export interface LeaveOptions<Planned, Previewed, R> {
  readonly holds: SessionHolds
  /** A refusal: the server says that it would not run it. */
  readonly estimating: Beforehand<Planned, Estimated | R>
  /** A refusal: what it was in has ended. */
  readonly previewing: Beforehand<Previewed, Preview | R>
  /** Records that what has this number is about to be run and rolled back; false: it cannot be, so it is not. */
  readonly previewed: (record: number, binding: string) => boolean
  /** Something was recorded that waits to be written. */
  readonly recorded: () => void
}

/** A statement as its estimate has settled it, for which people are to be asked. `R`: a refusal as the protocol takes it. */
export interface Asked<R> {
  readonly decided: Decided
  readonly verdict: Approve
  readonly estimate: Estimated
  readonly preview: Preview | null
  /** Records it as what is held, unless it has been: the record's number. */
  readonly record: () => number | R
}

/** A statement that needs leave, in the words of its protocol. */
export interface Wish<Planned, Previewed, R> {
  readonly decided: Decided
  readonly planned: Planned
  readonly record: (settled: Decided) => number | R
  readonly refusal: (verdict: Deny) => R
  /** What an approval of it would be bound to. */
  readonly bindingOf: (settled: Decided) => string
  readonly toPreview: (request: PreviewRequest, settled: Decided) => Previewed
  /** Asks people, once for the same: the record's number once it may run. */
  readonly ask: (asked: Asked<R>) => number | R | 'wait'
}

/** `granted`: number of the record for which an approval was used; null: none was needed. */
export interface Granted {
  readonly kind: 'leave'
  readonly granted: number | null
}

export class Leave<Planned, Previewed, R extends { readonly kind: 'refusal' }> {
  readonly #options: LeaveOptions<Planned, Previewed, R>
  /** Number of the record of what is to be held, where it was run and rolled back first. */
  #ahead: number | null = null

  constructor(options: LeaveOptions<Planned, Previewed, R>) {
    this.#options = options
  }

  /** The statement at hand has been asked about before: it is not another one. */
  get busy(): boolean {
    const { holds, estimating, previewing } = this.#options
    return holds.busy || estimating.busy || previewing.busy
  }

  /** `wait`: the gatekeeper is resumed when there is more; `alone`: to be asked when nothing else is under way. */
  of(wish: Wish<Planned, Previewed, R>): Granted | R | 'wait' | 'alone' {
    const { decided, record } = wish
    const given = hangingOn(decided)
    if (given === null) return this.#notNeeded()
    const estimate = this.#options.estimating.of(wish.planned)
    if (estimate === 'wait' || estimate === 'alone') return estimate
    if (estimate.kind === 'refusal') {
      this.unneeded()
      return estimate
    }
    const verdict = settledBy(given, estimate)
    if (verdict.kind === 'allow') return this.#notNeeded()
    const settled = { ...decided, verdict }
    if (verdict.kind === 'deny') {
      const recorded = record(settled)
      this.#options.recorded()
      this.unneeded()
      return typeof recorded === 'number' ? wish.refusal(verdict) : recorded
    }
    const preview = this.#previewOf(wish, { settled, verdict, estimate })
    if (preview === 'wait' || preview === 'alone') return preview
    if (preview?.kind === 'refusal') {
      this.unneeded()
      return preview
    }
    const answer = wish.ask({
      decided: settled,
      verdict,
      estimate,
      preview,
      record: () => this.#ahead ?? record(settled),
    })
    if (answer === 'wait') return answer
    this.#answered()
    return typeof answer === 'number' ? { kind: 'leave', granted: answer } : answer
  }

  /** It is answered without people, or has been; policy may have moved on while it waited for them. */
  unneeded(): void {
    this.#options.holds.drop()
    this.#answered()
  }

  #notNeeded(): Granted {
    this.unneeded()
    return { kind: 'leave', granted: null }
  }

  /** What it would do, where policy lets approvers see that; null: it does not. */
  #previewOf(
    wish: Wish<Planned, Previewed, R>,
    {
      settled,
      verdict,
      estimate,
    }: {
      readonly settled: Decided
      readonly verdict: Approve
      readonly estimate: Estimated
    },
  ): Preview | R | 'wait' | 'alone' | null {
    const { holds, previewing, previewed } = this.#options
    if (verdict.preview === null) return null
    const binding = wish.bindingOf(settled)
    const request = {
      allowed: verdict.preview,
      estimate,
      askedBefore: () => holds.askedBefore(binding),
      record: () => {
        const recorded = wish.record(settled)
        if (typeof recorded !== 'number') return false
        this.#ahead = recorded
        holds.lookAhead()
        return previewed(recorded, binding)
      },
    }
    return previewing.of(wish.toPreview(request, settled))
  }

  #answered(): void {
    this.#options.estimating.done()
    this.#options.previewing.done()
    this.#ahead = null
  }
}
