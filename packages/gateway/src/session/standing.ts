/** On what one session's decisions stand at present, and since when. */
import type { PrincipalView } from '@sallyport/policy'
import type { DecisionContext, DecisionContexts } from './decisions.ts'
import type { Ground } from './grounds.ts'

/** What a session's names mean now: `version` moves with every change, `key` is equal where they mean the same. */
interface Names {
  readonly version: number
  readonly key: string
}

export class Standing {
  readonly #contexts: DecisionContexts
  #ground: Ground | null = null
  #context: DecisionContext | null = null
  #namesVersion = -1
  #epoch = 0

  constructor(contexts: DecisionContexts) {
    this.#contexts = contexts
  }

  /** Grows whenever policy, schema or names move: what was decided at another is looked at again. */
  get epoch(): number {
    return this.#epoch
  }

  /** Null before the first decision. */
  get ground(): Ground | null {
    return this.#ground
  }

  /** Some column is masked for this principal, or that is not known yet. */
  get masked(): boolean {
    return this.#ground === null || this.#ground.view.masked
  }

  /** Throws before the first decision: nothing is admitted without ground. */
  get admitting(): Ground {
    if (this.#ground === null) throw new Error('admitted without ground')
    return this.#ground
  }

  get view(): PrincipalView {
    return this.admitting.view
  }

  contextOn(ground: Ground, names: Names): DecisionContext {
    const before = this.#ground
    if (
      this.#context === null ||
      before?.view !== ground.view ||
      before.catalog !== ground.catalog ||
      this.#namesVersion !== names.version
    ) {
      this.#ground = ground
      this.#namesVersion = names.version
      this.#epoch++
      this.#context = this.#contexts.of(ground.view, ground.viewId, ground.catalog, names.key)
    }
    return this.#context
  }
}
