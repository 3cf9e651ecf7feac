/** Rates of several gateways, in the PostgreSQL store they share: a row for each principal, changed in one statement. */
import { createHash } from 'node:crypto'
import type { RateLedger } from '../session/shared-rates.ts'
import type { SharedStore } from './shared-store.ts'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_rates (
  key text PRIMARY KEY, minute int8 NOT NULL, taken int8 NOT NULL, given int8 NOT NULL);
`
/** A gateway whose clock is behind takes of the minute that the others are in. */
const TAKE = `
INSERT INTO sallyport_rates AS r (key, minute, taken, given) VALUES ($1, $2, LEAST($3::int8, $4), LEAST($3::int8, $4))
ON CONFLICT (key) DO UPDATE SET
  minute = GREATEST(r.minute, excluded.minute),
  given = CASE WHEN r.minute < excluded.minute THEN excluded.given ELSE GREATEST(0, LEAST($3::int8, $4 - r.taken)) END,
  taken = CASE WHEN r.minute < excluded.minute THEN excluded.taken ELSE GREATEST(r.taken, LEAST(r.taken + $3::int8, $4)) END
RETURNING given`
/** What nobody has taken of for so long, minutes. */
const FORGOTTEN_MINUTES = 24 * 60

export class PostgresRates implements RateLedger {
  readonly #store: SharedStore

  private constructor(store: SharedStore) {
    this.#store = store
  }

  /** Creates its table where it is not there. Throws what the database says. */
  static async open(store: SharedStore): Promise<PostgresRates> {
    await store.create(SCHEMA)
    const minute = 'floor(extract(epoch FROM now()) / 60)'
    await store.query(`DELETE FROM sallyport_rates WHERE minute < ${minute} - $1::int8`, [
      FORGOTTEN_MINUTES,
    ])
    return new PostgresRates(store)
  }

  async take(principal: string, minute: number, wanted: number, max: number): Promise<number> {
    // Who it is of is nobody's business who reads the store.
    const key = createHash('sha256').update(principal).digest('hex')
    const values = [key, minute, wanted, max]
    const { rows } = await this.#store.query<{ given: string }>(TAKE, values)
    return Number(rows[0]?.given ?? 0)
  }
}
