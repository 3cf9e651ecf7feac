/** Probes of several gateways, in the PostgreSQL store they share: a row for each window, changed in one statement. */
import { createHash } from 'node:crypto'
import type { Probe, ProbeLedger } from '../session/shared-probes.ts'
import type { SharedStore } from './shared-store.ts'

/** `ends`: of its window, milliseconds since 1970; `within`: whether the last probe was let pass. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_probes (
  key text PRIMARY KEY, ends int8 NOT NULL, spent int8 NOT NULL, seen text[] NOT NULL, within bool NOT NULL);
`
/** $1 key, $2 now, $3 digest, $4 values, $5 max, $6 length of a window. */
const OVER = '$2::int8 >= p.ends'
const AGAIN = `(NOT ${OVER} AND $3 = ANY (p.seen))`
const SPENT = `(CASE WHEN ${OVER} THEN 0 ELSE p.spent END)`
const FITS = `(${SPENT} + $4::int8 <= $5::int8)`
const ADMIT = `
INSERT INTO sallyport_probes AS p (key, ends, spent, seen, within)
SELECT $1, $2::int8 + $6::int8, CASE WHEN $4::int8 <= $5::int8 THEN $4::int8 ELSE 0 END,
       CASE WHEN $4::int8 <= $5::int8 THEN ARRAY[$3::text] ELSE '{}'::text[] END, $4::int8 <= $5::int8
ON CONFLICT (key) DO UPDATE SET
  ends = CASE WHEN ${OVER} THEN excluded.ends ELSE p.ends END,
  spent = CASE WHEN ${AGAIN} OR NOT ${FITS} THEN ${SPENT} ELSE ${SPENT} + $4::int8 END,
  seen = CASE WHEN ${AGAIN} THEN p.seen WHEN NOT ${FITS} THEN CASE WHEN ${OVER} THEN '{}' ELSE p.seen END
              WHEN ${OVER} THEN ARRAY[$3::text] ELSE p.seen || $3::text END,
  within = ${AGAIN} OR ${FITS}
RETURNING within, ends`

export class PostgresProbes implements ProbeLedger {
  readonly #store: SharedStore

  private constructor(store: SharedStore) {
    this.#store = store
  }

  /** Creates its table where it is not there, and forgets what is over. Throws what the database says. */
  static async open(store: SharedStore): Promise<PostgresProbes> {
    await store.create(SCHEMA)
    await store.query(
      'DELETE FROM sallyport_probes WHERE ends < floor(extract(epoch FROM now()) * 1000)',
      [],
    )
    return new PostgresProbes(store)
  }

  async admit({
    window,
    digest,
    values,
    max,
    withinMs,
    now,
  }: Probe): ReturnType<ProbeLedger['admit']> {
    // Who it is of is nobody's business who reads the store.
    const key = createHash('sha256').update(window).digest('hex')
    const { rows } = await this.#store.query<{ within: boolean; ends: string }>(ADMIT, [
      key,
      now,
      digest,
      values,
      max,
      withinMs,
    ])
    return { isWithin: rows[0]?.within === true, ends: Number(rows[0]?.ends ?? 0) }
  }
}
