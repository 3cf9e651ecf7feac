/**
 * What views are is asked again right before a statement under masks reads them: a snapshot may be half a minute
 * old, and a view redefined meanwhile may show another column under the old name. One per session; it remembers
 * the one statement that waits.
 */
import type { Defined } from '@sallyport/sql'
import { isAbsent } from '../catalog/definition-check.ts'

/** For so long an answer stands for the rest of a pipeline: between a Parse and its Bind (milliseconds). */
const PIPELINE_MS_MAX = 10
/** Snapshots in a row that were out of date as soon as they were there. */
const ROUNDS_MAX = 5

export type ViewAnswer = 'same' | 'moved' | 'unavailable'

export class ViewCheck {
  #asked: {
    readonly views: readonly Defined[]
    readonly answer: ViewAnswer | null
    readonly round: number
  } | null = null

  /** What is known to be unchanged in the pipeline at hand, and since when. */
  #fresh: { readonly views: readonly Defined[]; readonly since: number } | null = null

  /**
   * May a statement that reads these views run now? `ask`: find out, tell `answered`, and come back.
   * `now`: milliseconds, monotonic.
   */
  of(views: readonly Defined[], now: number): 'run' | 'ask' | 'wait' | 'refuse' {
    if (views.length === 0) return 'run'
    const fresh = this.#fresh
    if (fresh !== null && isSame(fresh.views, views) && now - fresh.since < PIPELINE_MS_MAX) {
      return 'run'
    }
    const asked = this.#asked
    if (asked !== null && isSame(asked.views, views)) {
      if (asked.answer === null) return 'wait'
      if (asked.answer === 'same') {
        this.#asked = null
        this.#fresh = { views, since: now }
        return 'run'
      }
    }
    const round = (asked?.round ?? 0) + 1
    if (asked?.answer === 'unavailable' || round > ROUNDS_MAX) {
      this.#asked = null
      return 'refuse'
    }
    this.#asked = { views, answer: null, round }
    return 'ask'
  }

  /** The pipeline has ended: the next statement is another. */
  ended(): void {
    this.#fresh = null
  }

  answered(answer: ViewAnswer): void {
    if (this.#asked !== null) this.#asked = { ...this.#asked, answer }
  }
}

function isSame(a: readonly Defined[], b: readonly Defined[]): boolean {
  return a.length === b.length && a.every((view, index) => isOne(view, b[index]))
}

/** Those of a snapshot are objects of its own; what is absent has a name alone. */
function isOne(view: Defined, other: Defined | undefined): boolean {
  if (view === other || other === undefined) return view === other
  return (
    isAbsent(view) && isAbsent(other) && view.schema === other.schema && view.name === other.name
  )
}
