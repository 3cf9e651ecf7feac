/** One statement in both worlds: what a client is shown must be the same. */
import type { Frame, WireClient } from '../../support/wire.ts'
import type { Masked } from '../identities.ts'
import type { World } from '../world.ts'

export type Outcome = 'refused' | 'failed' | 'same' | 'same rows' | 'different' | 'unsteady'

/** Another lane may have changed something again meanwhile. */
const REWRITES_MAX = 3
/** Rows that come by chance come in another order, or are others, in one of so many runs of a statement. */
const RUNS_ALIKE = 5

/** Run in a transaction that is rolled back. */
export const CHANGES = /^(UPDATE|DELETE|INSERT|REPLACE|EXPLAIN)|\b(NEXTVAL|SETVAL)\(/i

async function shown(wire: WireClient, statement: string): Promise<readonly Frame[]> {
  if (!CHANGES.test(statement)) return wire.query(statement)
  wire.send(
    { kind: 'Query', text: 'BEGIN' },
    { kind: 'Query', text: statement },
    { kind: 'Query', text: 'ROLLBACK' },
  )
  return wire.replies(3)
}

const bytesOf = (frames: readonly Frame[]): string =>
  Buffer.concat(frames.map(({ bytes }) => bytes)).toString('latin1')

/** The rows in no order. */
const sorted = (frames: readonly Frame[]): string =>
  frames
    .map(({ bytes }) => bytes.toString('latin1'))
    .sort()
    .join('')

/** Does it say in which order its rows come? */
function isOrdered(statement: string): boolean {
  let outer = statement.replace(/^COPY \((.*)\) TO STDOUT$/s, '$1').replaceAll(/'[^']*'/g, '')
  for (let inside = ''; inside !== outer; ) {
    inside = outer
    outer = inside.replaceAll(/\([^()]*\)/g, '')
  }
  return outer.includes('ORDER BY')
}

export class Comparison implements Disposable {
  readonly #wires: readonly [WireClient, WireClient]
  readonly #world: World

  private constructor(world: World, wires: readonly [WireClient, WireClient]) {
    this.#world = world
    this.#wires = wires
  }

  static async open(world: World, who: Masked): Promise<Comparison> {
    return new Comparison(world, [await world.connect(who, 'a'), await world.connect(who, 'b')])
  }

  /**
   * `same rows`: in another order, where nobody asked for one. A difference has to stay with tables as they were written:
   * what others changed and took back makes them longer, in one world more than in the other, and the planner looks at that.
   * `unsteady`: one world's answers differ among themselves.
   */
  async run(statement: string): Promise<Outcome> {
    for (let again = 0; ; again++) {
      const outcome = await this.#once(statement)
      if (outcome !== 'different' || again === REWRITES_MAX) return outcome
      if (await this.#varies(statement)) return 'unsteady'
      await this.#world.rewrite()
    }
  }

  /** No value is among its answers, and those of one world are not all the same. */
  async #varies(statement: string): Promise<boolean> {
    const answers = this.#wires.map(() => new Set<string>())
    for (let i = 0; i < RUNS_ALIKE; i++) {
      for (const [world, wire] of this.#wires.entries())
        answers[world]?.add(bytesOf(await shown(wire, statement)))
    }
    const found = [...(answers[0] ?? [])].some(
      (bytes) => this.#world.detector.find(Buffer.from(bytes, 'latin1')).length > 0,
    )
    return !found && answers.some(({ size }) => size > 1)
  }

  async #once(statement: string): Promise<Outcome> {
    const [a, b] = await Promise.all([
      shown(this.#wires[0], statement),
      shown(this.#wires[1], statement),
    ])
    const [x, y] = [bytesOf(a), bytesOf(b)]
    if (this.#world.detector.find(Buffer.from(x, 'latin1')).length > 0) return 'different'
    if (x !== y) return !isOrdered(statement) && sorted(a) === sorted(b) ? 'same rows' : 'different'
    const error = a.find(({ message }) => message.kind === 'ErrorResponse')?.message
    if (error?.kind !== 'ErrorResponse') return 'same'
    return error.fields.sqlstate === '42501' ? 'refused' : 'failed'
  }

  [Symbol.dispose](): void {
    for (const wire of this.#wires) wire.close()
  }
}
