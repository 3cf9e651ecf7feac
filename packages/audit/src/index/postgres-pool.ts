/** Connections to the database of the shared index. */

import pg from 'pg'
import { AuditError, systemCodeOf } from '../errors.ts'
import { SHARED_CONNECT_MS_MAX, SHARED_QUERY_MS_MAX } from '../limits.ts'

/** A PostgreSQL database, as `pg` takes it: plain data, so that it can be given to a thread. */
export interface SharedDatabase {
  readonly connectionString: string
}

const INT8 = 20

export function openPool(database: SharedDatabase): pg.Pool {
  const pool = new pg.Pool({
    ...database,
    max: 2,
    connectionTimeoutMillis: SHARED_CONNECT_MS_MAX,
    query_timeout: SHARED_QUERY_MS_MAX,
    application_name: 'sallyport audit',
    types: {
      // Places, times and totals are whole numbers below 2^53.
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === INT8 ? Number : pg.types.getTypeParser(type, format as 'text'),
    },
  })
  // Of connections nobody uses at the moment: whoever asks next gets another.
  pool.on('error', () => {})
  return pool
}

/** A connection that failed is not used again: the server may still be at it. */
export async function using<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let failed = true
  try {
    const result = await work(client)
    failed = false
    return result
  } finally {
    client.release(failed)
  }
}

/** Without what the driver says: it may name the database's address and user. */
export function unavailable(cause: unknown): AuditError {
  if (cause instanceof AuditError) return cause
  const message = `the shared index does not answer: ${systemCodeOf(cause)}`
  return new AuditError('index-unavailable', message, { cause })
}
