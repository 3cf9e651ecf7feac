/** One statement in both worlds: what a client is shown must be the same. */
import type { Frame, WireClient } from '../../support/wire.ts'
import type { Masked } from '../identities.ts'
import type { World } from '../world.ts'

export type Outcome = 'refused' | 'failed' | 'same' | 'same rows' | 'other plan' | 'different'

/** Run in a transaction that is rolled back. */
export const CHANGES = /^(UPDATE|DELETE|INSERT|REPLACE)/

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

export class Comparison implements Disposable {
  readonly #wires: readonly [WireClient, WireClient]
  /** Who sees plans. */
  readonly #clear: readonly [WireClient, WireClient]
  readonly #world: World

  private constructor(
    world: World,
    wires: readonly [WireClient, WireClient],
    clear: readonly [WireClient, WireClient],
  ) {
    this.#world = world
    this.#wires = wires
    this.#clear = clear
  }

  static async open(world: World, who: Masked): Promise<Comparison> {
    const pair = async (as: Masked | 'clear') =>
      [await world.connect(as, 'a'), await world.connect(as, 'b')] as const
    return new Comparison(world, await pair(who), await pair('clear'))
  }

  /**
   * `same rows`: in another order, where nobody asked for one. `other plan`: the planner went another way in the
   * other world, by the statistics; which of equal rows come first, and which LIMIT keeps, is the plan's.
   */
  async run(statement: string): Promise<Outcome> {
    const [a, b] = await Promise.all([
      shown(this.#wires[0], statement),
      shown(this.#wires[1], statement),
    ])
    const [x, y] = [bytesOf(a), bytesOf(b)]
    if (this.#world.detector.find(Buffer.from(x, 'latin1')).length > 0) return 'different'
    if (x !== y) {
      if (!/ORDER BY/.test(statement) && sorted(a) === sorted(b)) return 'same rows'
      return (await this.#plansAlike(statement)) ? 'different' : 'other plan'
    }
    const error = a.find(({ message }) => message.kind === 'ErrorResponse')?.message
    if (error?.kind !== 'ErrorResponse') return 'same'
    return error.fields.sqlstate === '42501' ? 'refused' : 'failed'
  }

  async #plansAlike(statement: string): Promise<boolean> {
    const copied = /^COPY \((.*)\) TO STDOUT/s.exec(statement)
    const text = `EXPLAIN (COSTS off) ${copied?.[1] ?? statement}`
    const [a, b] = await Promise.all(this.#clear.map((wire) => wire.query(text)))
    return a === undefined || b === undefined || bytesOf(a) === bytesOf(b)
  }

  [Symbol.dispose](): void {
    for (const wire of [...this.#wires, ...this.#clear]) wire.close()
  }
}
