/** What texts from earlier in the session mean now. */
import type { Relay } from '@sallyport/protocol-postgres'
import type { StatementFacts } from '@sallyport/sql'
import type { Standing } from '../standing.ts'
import { type Admitted, sameFacts } from './admitted.ts'
import type { SqlPrepared } from './names.ts'

export class Rereading {
  /** The text at hand names a statement that an unanswered request may change. */
  unsettled = false
  readonly #standing: Standing
  readonly #relay: () => Relay | null
  readonly #read: (text: string) => readonly StatementFacts[]
  #reading = false

  constructor(options: {
    readonly standing: Standing
    readonly relay: () => Relay | null
    /** Facts of a text as the session stands; none where it cannot be read. */
    readonly read: (text: string) => readonly StatementFacts[]
  }) {
    this.#standing = options.standing
    this.#relay = options.relay
    this.#read = options.read
  }

  /** Facts of a statement that the protocol's Parse named, if it still means what it did. */
  onWire(name: string): StatementFacts | undefined {
    const relay = this.#relay()
    const admitted = relay?.statement(name)?.admission as Admitted | undefined
    if (relay === null || admitted === undefined) return undefined
    if (!relay.settled) this.unsettled = true
    const { analysis } = admitted.decided
    const facts = analysis.kind === 'statements' ? analysis.statements[0] : undefined
    if (facts === undefined || admitted.before.length > 0) return undefined
    if (admitted.checked === this.#standing.epoch) return facts
    return sameFacts(facts, this.#again(admitted.text)[0]) ? facts : undefined
  }

  /** Does a statement that SQL prepared still mean what it did? */
  stillMeans({ name, facts, text, index }: SqlPrepared): boolean {
    const found = this.#again(text)[index]?.state.find(
      (change) => change.kind === 'prepare' && change.name === name,
    )
    return found?.kind === 'prepare' && sameFacts(facts, found.facts)
  }

  /** Texts that lead back to themselves mean nothing. */
  #again(text: string): readonly StatementFacts[] {
    if (this.#reading) return []
    this.#reading = true
    try {
      return this.#read(text)
    } finally {
      this.#reading = false
    }
  }
}
