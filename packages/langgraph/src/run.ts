/** Running SQL through a driver the application already has, whichever of the two it is. */
import { sallyportError } from './errors.ts'

export interface SqlResult {
  readonly columns: readonly string[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Rows returned or changed; null where the database does not say. */
  readonly count: number | null
}

/** @throws SallyportError for what the gateway refuses; whatever else, as the driver throws it. */
export type SqlRunner = (sql: string, parameters: readonly unknown[]) => Promise<SqlResult>

/** What is used of a `pg` Pool or Client. */
export interface PgQueryable {
  query(
    text: string,
    values: unknown[],
  ): Promise<{
    readonly fields: readonly { readonly name: string }[]
    readonly rows: readonly unknown[]
    readonly rowCount: number | null
  }>
}

export function pgRunner(pool: PgQueryable): SqlRunner {
  return (sql, parameters) =>
    translated(async () => {
      const { fields, rows, rowCount } = await pool.query(sql, [...parameters])
      return {
        columns: fields.map(({ name }) => name),
        // Safe: pg gives objects unless rowMode says otherwise, which is not passed.
        rows: rows as SqlResult['rows'],
        count: rowCount,
      }
    })
}

/** What is used of a `mysql2/promise` Pool or Connection. */
export interface MysqlQueryable {
  query(sql: string, values: unknown[]): Promise<readonly [unknown, unknown]>
}

export function mysqlRunner(pool: MysqlQueryable): SqlRunner {
  return (sql, parameters) =>
    translated(async () => {
      const [result, fields] = await pool.query(sql, [...parameters])
      if (Array.isArray(result)) {
        const named = Array.isArray(fields) ? (fields as { readonly name: string }[]) : []
        return {
          columns: named.map(({ name }) => name),
          rows: result as SqlResult['rows'],
          count: result.length,
        }
      }
      const { affectedRows } = result as { readonly affectedRows?: number }
      return { columns: [], rows: [], count: affectedRows ?? null }
    })
}

async function translated(run: () => Promise<SqlResult>): Promise<SqlResult> {
  try {
    return await run()
  } catch (error) {
    throw sallyportError(error) ?? error
  }
}
