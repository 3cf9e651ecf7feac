/** Budgets of several gateways, in the PostgreSQL store they share: a row for each account, changed in one statement. */
import type { SharedStore } from '../store/shared-store.ts'
import { type BudgetLedger, type Charge, type Charged, FORGOTTEN_MS } from './ledger.ts'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_budgets (
  key text PRIMARY KEY, statements int8 NOT NULL, rows int8 NOT NULL, bytes int8 NOT NULL,
  wanted int8 NOT NULL, most int8 NOT NULL, taken int8 NOT NULL, at timestamptz NOT NULL DEFAULT now());
`
/** In one order, so that two gateways never wait for each other; `wanted` and `most` are those of the last charge. */
const CHARGE = `
INSERT INTO sallyport_budgets AS b (key, statements, rows, bytes, wanted, most, taken)
SELECT key, GREATEST(0, LEAST(wanted, most)), rows, bytes, wanted, most, GREATEST(0, LEAST(wanted, most))
  FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) AS c (key, wanted, most, rows, bytes)
 ORDER BY key
ON CONFLICT (key) DO UPDATE SET
  statements = GREATEST(0, b.statements + LEAST(excluded.wanted, GREATEST(0, excluded.most - b.statements))),
  taken = LEAST(excluded.wanted, GREATEST(0, excluded.most - b.statements)),
  rows = b.rows + excluded.rows, bytes = b.bytes + excluded.bytes,
  wanted = excluded.wanted, most = excluded.most, at = now()
RETURNING key, statements, rows, bytes, taken`

type Row = { readonly [column in 'key' | 'statements' | 'rows' | 'bytes' | 'taken']: string }

export class PostgresLedger implements BudgetLedger {
  readonly #store: SharedStore

  private constructor(store: SharedStore) {
    this.#store = store
  }

  /** Creates its table where it is not there. Throws what the database says. */
  static async open(store: SharedStore): Promise<PostgresLedger> {
    await store.create(SCHEMA)
    await store.query('DELETE FROM sallyport_budgets WHERE at < now() - $1 * interval $$1 ms$$', [
      FORGOTTEN_MS,
    ])
    return new PostgresLedger(store)
  }

  async charge(charges: readonly Charge[]): Promise<readonly Charged[]> {
    const { rows } = await this.#store.query<Row>(CHARGE, [
      charges.map(({ key }) => key),
      charges.map(({ statements }) => statements),
      charges.map(({ statementsMax }) => statementsMax),
      charges.map((charge) => charge.rows),
      charges.map(({ bytes }) => bytes),
    ])
    const byKey = new Map(rows.map((row) => [row.key, row]))
    return charges.map(({ key }) => {
      const row = byKey.get(key)
      if (row === undefined) throw new Error('the store did not say what was charged')
      const total = {
        statements: Number(row.statements),
        rows: Number(row.rows),
        bytes: Number(row.bytes),
      }
      return { total, taken: Number(row.taken) }
    })
  }
}
