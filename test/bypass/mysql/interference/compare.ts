/** One statement in both worlds: what a client is shown must be the same. */
import { COM } from '@sallyport/protocol-mysql'
import type { MysqlReply, MysqlWire } from '../../../support/mysql-wire.ts'
import type { Masked } from '../../identities.ts'
import type { Outcome } from '../../interference/compare.ts'
import { unordered } from '../run-attack.ts'
import type { MysqlWorld } from '../world.ts'

const CHANGES = /^(UPDATE|DELETE|INSERT)/
const REFUSED: ReadonlySet<number> = new Set([1227, 1105])

async function shown(wire: MysqlWire, statement: string): Promise<MysqlReply> {
  if (!CHANGES.test(statement)) return wire.query(statement)
  await wire.query('START TRANSACTION')
  const reply = await wire.query(statement)
  await wire.query('ROLLBACK')
  return reply
}

export class MysqlComparison implements Disposable {
  readonly #wires: readonly [MysqlWire, MysqlWire]
  readonly #world: MysqlWorld

  private constructor(world: MysqlWorld, wires: readonly [MysqlWire, MysqlWire]) {
    this.#world = world
    this.#wires = wires
  }

  static async open(world: MysqlWorld, who: Masked): Promise<MysqlComparison> {
    const wires = [await world.connect(who, 'a'), await world.connect(who, 'b')] as const
    for (const wire of wires) await wire.command(COM.RESET_CONNECTION)
    return new MysqlComparison(world, wires)
  }

  async run(statement: string): Promise<Outcome> {
    const [a, b] = await Promise.all(this.#wires.map((wire) => shown(wire, statement)))
    if (a === undefined || b === undefined) throw new Error('two worlds')
    // Ties may come in any order.
    const [x, y] = [a, b].map((reply) => Buffer.concat(unordered(reply)))
    if (x === undefined || y === undefined) throw new Error('two worlds')
    const { detector, withoutNames } = this.#world
    if (detector.find(x).length > 0 || withoutNames(x) !== withoutNames(y)) return 'different'
    if (a.error === null) return 'same'
    return REFUSED.has(a.error.errno) ? 'refused' : 'failed'
  }

  [Symbol.dispose](): void {
    for (const wire of this.#wires) wire.close()
  }
}
