/** A PostgreSQL scratch database. */
import pg from 'pg'
import { CONNECT_MS_MAX, type Scratch, type ScratchAnswer } from './scratch.ts'

export async function postgresScratch(url: string): Promise<Scratch> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    // Cells as the server sends them: that is how they were recorded.
    types: { getTypeParser: () => (value: string) => value },
  })
  // A connection that is lost fails the statements that follow; unheard, it would end the process.
  client.on('error', () => undefined)
  await client.connect()
  return {
    run: (sql, parameters) => run(client, sql, parameters),
    close: () => client.end(),
  }
}

async function run(
  client: pg.Client,
  text: string,
  parameters: readonly (string | null)[],
): Promise<ScratchAnswer> {
  const query = { text, rowMode: 'array' as const }
  try {
    const answer: pg.QueryArrayResult | pg.QueryArrayResult[] = await client.query(
      parameters.length === 0 ? query : { ...query, values: [...parameters] },
    )
    return { kind: 'done', results: Array.isArray(answer) ? answer : [answer] }
  } catch (error) {
    const sqlstate = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
    return { kind: 'failed', sqlstate, message: String(error) }
  }
}
