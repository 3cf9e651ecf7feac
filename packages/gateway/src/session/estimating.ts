/**
 * The estimate of the one statement of a session that is about to run; both protocols' gatekeepers ask here until it
 * is there. How a server is asked is the protocol's: `ask`.
 */
import type { Estimated } from '../approvals/journal.ts'

export interface EstimatingOptions<Planned> {
  /** Equal for what is planned alike. */
  readonly keyOf: (planned: Planned) => string
  /** Null: it can be asked for, now or when nothing else is under way. */
  readonly whyNot: (planned: Planned) => string | null
  /** Nothing else is under way. */
  readonly alone: () => boolean
  /** Asks the server; what was asked has been undone when it calls back. */
  readonly ask: (planned: Planned, answered: (estimate: Estimated) => void) => void
  /** The gatekeeper is to be asked again. */
  readonly resume: () => void
}

interface Present {
  readonly key: string
  asked: boolean
  answer: Estimated | null
}

export class Estimating<Planned> {
  readonly #options: EstimatingOptions<Planned>
  #present: Present | null = null

  constructor(options: EstimatingOptions<Planned>) {
    this.#options = options
  }

  /** A statement waits for its estimate, or has it and has not been answered yet. */
  get busy(): boolean {
    return this.#present !== null
  }

  /** `wait`: it is being asked for; `alone`: it will be when nothing else is under way. Stays until `done`. */
  of(planned: Planned): Estimated | 'wait' | 'alone' {
    const { keyOf, whyNot, alone, ask, resume } = this.#options
    const key = keyOf(planned)
    if (this.#present?.key !== key) this.#present = { key, asked: false, answer: null }
    const present = this.#present
    if (present.answer !== null) return present.answer
    if (present.asked) return 'wait'
    const why = whyNot(planned)
    if (why !== null) return { kind: 'none', why }
    if (!alone()) return 'alone'
    present.asked = true
    ask(planned, (answer) => {
      present.answer = answer
      resume()
    })
    return 'wait'
  }

  /** The statement has been answered: it goes on, or not. */
  done(): void {
    this.#present = null
  }
}
