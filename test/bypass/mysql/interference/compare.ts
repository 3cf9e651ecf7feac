/** One statement in both worlds: what a client is shown must be the same. */
import { COM } from '@sallyport/protocol-mysql'
import type { MysqlReply, MysqlWire } from '../../../support/mysql-wire.ts'
import type { Masked } from '../../identities.ts'
import { CHANGES, type Outcome } from '../../interference/compare.ts'
import { unordered } from '../run-attack.ts'
import type { MysqlWorld } from '../world.ts'

const REFUSED: ReadonlySet<number> = new Set([1227, 1105])

/** What the server remembers of the statement before. */
const AFTERWARDS = [
  'SHOW WARNINGS',
  'SELECT ROW_COUNT(), FOUND_ROWS(), LAST_INSERT_ID(), @@warning_count, @@error_count',
  "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler%' OR Variable_name LIKE 'Sort%'",
] as const

/** Its answer, and sometimes what is said of it afterwards. */
async function shown(wire: MysqlWire, statement: string): Promise<readonly MysqlReply[]> {
  const changes = CHANGES.test(statement)
  if (changes) await wire.query('START TRANSACTION')
  const replies = [await wire.query(statement)]
  const afterwards = AFTERWARDS[statement.length % (3 * AFTERWARDS.length)]
  if (afterwards !== undefined && replies[0]?.error === null)
    replies.push(await wire.query(afterwards))
  if (changes) await wire.query('ROLLBACK')
  return replies
}

/** Ties may come in any order. */
const bytesOf = (replies: readonly MysqlReply[]): Buffer =>
  Buffer.concat(replies.flatMap(unordered))

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
    const [x, y] = [bytesOf(a), bytesOf(b)]
    const { detector, withoutNames } = this.#world
    if (detector.find(x).length > 0 || withoutNames(x) !== withoutNames(y)) return 'different'
    const error = a[0]?.error ?? null
    if (error === null) return 'same'
    return REFUSED.has(error.errno) ? 'refused' : 'failed'
  }

  [Symbol.dispose](): void {
    for (const wire of this.#wires) wire.close()
  }
}

/**
 * Estimates that stay: the server counts rows anew when it finds the time, and with what it finds of transactions that
 * are under way, in one world sooner than in the other.
 */
export async function keepEstimates(world: MysqlWorld): Promise<void> {
  for (const name of ['a', 'b'] as const) {
    const tables = await world.sql(
      name,
      "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine = 'InnoDB'",
    )
    for (const { t } of tables) {
      await world.sql(name, `ALTER TABLE ${t} STATS_AUTO_RECALC = 0`)
      await world.sql(name, `ANALYZE TABLE ${t}`)
    }
  }
}
