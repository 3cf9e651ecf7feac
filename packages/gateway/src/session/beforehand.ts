/**
 * What the server is asked about the one statement of a session that is about to run; both protocols' gatekeepers ask
 * here until the answer is there. How a server is asked is the protocol's: `ask`.
 */

/** There is no answer, and why. */
export interface None {
  readonly kind: 'none'
  readonly why: string
}

export interface BeforehandOptions<Planned, Answer> {
  /** Equal for what is answered alike. */
  readonly keyOf: (planned: Planned) => string
  /** Null: it can be asked for, now or when nothing else is under way. */
  readonly whyNot: (planned: Planned) => string | null
  /** Nothing else is under way. */
  readonly alone: () => boolean
  /** Asks the server; what was asked has been undone when it calls back. */
  readonly ask: (planned: Planned, answered: (answer: Answer | None) => void) => void
  /** The gatekeeper is to be asked again. */
  readonly resume: () => void
}

interface Present<Answer> {
  readonly key: string
  asked: boolean
  answer: Answer | None | null
}

export class Beforehand<Planned, Answer> {
  readonly #options: BeforehandOptions<Planned, Answer>
  #present: Present<Answer> | null = null

  constructor(options: BeforehandOptions<Planned, Answer>) {
    this.#options = options
  }

  /** A statement waits for its answer, or has it and has not been answered itself yet. */
  get busy(): boolean {
    return this.#present !== null
  }

  /** `wait`: it is being asked for; `alone`: it will be when nothing else is under way. Stays until `done`. */
  of(planned: Planned): Answer | None | 'wait' | 'alone' {
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
