/** Budgets of several gateways, in the PostgreSQL store they share: a row for each thing counted, changed in one statement. */
import type { SharedStore } from '../store/shared-store.ts'
import { type BudgetLedger, type Charge, type Charged, FORGOTTEN_MS } from './ledger.ts'

/** Written with every charge, and read by it: `used`, `wanted` and `most` are those of the last one. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_budget_meters (
  key text PRIMARY KEY, total int8 NOT NULL, taken int8 NOT NULL,
  used int8 NOT NULL, wanted int8 NOT NULL, most int8 NOT NULL, at timestamptz NOT NULL DEFAULT now());
`
/** As `charged` of ledger.ts: what is taken where so much has been used, or taken, before. */
const taken = (before: string, of: string): string =>
  `LEAST(${of}wanted, GREATEST(0, ${of}most - ${before}))`
const NEW = 'GREATEST(0, used)'
const KNOWN = 'GREATEST(0, m.total + excluded.used)'
/** In one order, so that two gateways never wait for each other. */
const CHARGE = `
INSERT INTO sallyport_budget_meters AS m (key, total, taken, used, wanted, most)
SELECT key, ${NEW} + ${taken(NEW, '')}, ${taken(NEW, '')}, used, wanted, most
  FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) AS c (key, used, wanted, most)
 ORDER BY key
ON CONFLICT (key) DO UPDATE SET
  total = ${KNOWN} + ${taken(KNOWN, 'excluded.')}, taken = ${taken(KNOWN, 'excluded.')},
  used = excluded.used, wanted = excluded.wanted, most = excluded.most, at = now()
RETURNING key, total, taken`

type Row = { readonly [column in 'key' | 'total' | 'taken']: string }

export class PostgresLedger implements BudgetLedger {
  readonly #store: SharedStore

  private constructor(store: SharedStore) {
    this.#store = store
  }

  /** Creates its table where it is not there. Throws what the database says. */
  static async open(store: SharedStore): Promise<PostgresLedger> {
    await store.create(SCHEMA)
    await store.query(
      'DELETE FROM sallyport_budget_meters WHERE at < now() - $1 * interval $$1 ms$$',
      [FORGOTTEN_MS],
    )
    return new PostgresLedger(store)
  }

  async charge(charges: readonly Charge[]): Promise<readonly Charged[]> {
    const { rows } = await this.#store.query<Row>(CHARGE, [
      charges.map(({ key }) => key),
      charges.map(({ used }) => used),
      charges.map(({ wanted }) => wanted),
      charges.map(({ most }) => most),
    ])
    const byKey = new Map(rows.map((row) => [row.key, row]))
    return charges.map(({ key }) => {
      const row = byKey.get(key)
      if (row === undefined) throw new Error('the store did not say what was charged')
      return { total: Number(row.total), taken: Number(row.taken) }
    })
  }
}
