/**
 * The index port over PostgreSQL, as the gateway of one log fills it: those of several gateways' logs in one place.
 * It holds the lines, too, because another gateway's segments are not here. Every gateway keeps its own chain and
 * log, and goes on without this store when it does not answer.
 *
 * Batches of all gateways are stored one after the other (an advisory lock), so that places are given in the
 * order in which they become visible.
 */

import { zstdCompressSync } from 'node:zlib'
import type pg from 'pg'
import { openPool, type SharedDatabase, unavailable, using } from './postgres-pool.ts'
import { PostgresIndex } from './postgres-reads.ts'
import { migrate, PREFIX, STORE_LOCK } from './postgres-schema.ts'
import { lexemesOf, storable, termNumber } from './postgres-values.ts'
import { DESCRIBED } from './session-row.ts'
import type {
  BlockQuery,
  IndexBatch,
  IndexBlock,
  IndexStore,
  Position,
  RemovedRecords,
  RemovedSegment,
  SessionRowsQuery,
  SessionSummary,
  SessionUpdate,
  StoredBlock,
} from './store.ts'
import { termOf } from './terms.ts'

/** A log among those of the index. */
export interface SharedLog {
  /** Its own for ever: see log-identity.ts. */
  readonly identity: string
  /** Name of its gateway, as searches give it. */
  readonly gateway: string
}

interface LogRow extends Position {
  readonly id: number
}

const POSITION = `id, segment, "offset", seq, last_offset AS "lastOffset", last_hash AS "lastHash", unreadable`

const SESSIONS = `
INSERT INTO ${PREFIX}sessions AS s (first, session, log, terms, started_at, ${DESCRIBED.join(', ')},
  statements, refused, rows, bytes)
SELECT first, session, $2, coalesce(terms, '[]'), started_at, ${DESCRIBED.join(', ')},
  statements, refused, rows, bytes
FROM jsonb_to_recordset($1) AS x (first bigint, session text, terms jsonb, started_at bigint, ended_at bigint,
  ${DESCRIBED.filter((name) => name !== 'ended_at')
    .map((name) => `${name} text`)
    .join(', ')},
  statements bigint, refused bigint, rows bigint, bytes bigint)
ON CONFLICT (session) DO UPDATE SET
  ${DESCRIBED.map((name) => `${name} = coalesce(excluded.${name}, s.${name})`).join(', ')},
  terms = CASE excluded.terms WHEN '[]' THEN s.terms ELSE excluded.terms END,
  statements = s.statements + excluded.statements, refused = s.refused + excluded.refused,
  rows = s.rows + excluded.rows, bytes = s.bytes + excluded.bytes
RETURNING s.first, s.session`

interface DroppedBlocks {
  readonly blocks: readonly number[] | null
  readonly first: number
  readonly last: number
}

const DROPPED_BLOCKS = `SELECT array_agg(first) AS blocks, min(first) AS first, max(first) AS last
FROM ${PREFIX}blocks WHERE log = $1 AND segment = $2`

const DROPPED_SESSIONS = `SELECT DISTINCT session FROM ${PREFIX}block_sessions
WHERE block BETWEEN $1 AND $2 AND block = ANY ($3)`

export class PostgresLogIndex implements IndexStore {
  readonly #pool: pg.Pool
  readonly #reads: PostgresIndex
  readonly #log: SharedLog

  private constructor(pool: pg.Pool, log: SharedLog) {
    this.#pool = pool
    this.#reads = new PostgresIndex(pool)
    this.#log = log
  }

  /** Makes the tables what this release needs. @throws AuditError index-unavailable */
  static async open(database: SharedDatabase, log: SharedLog): Promise<PostgresLogIndex> {
    const pool = openPool(database)
    try {
      await using(pool, async (client) => {
        await migrate(client)
        await client.query(
          `INSERT INTO ${PREFIX}logs (identity, gateway, segment, "offset", seq, unreadable)
           VALUES ($1, $2, 1, 0, 0, 0) ON CONFLICT (identity) DO UPDATE SET gateway = excluded.gateway`,
          [log.identity, storable(log.gateway)],
        )
      })
      return new PostgresLogIndex(pool, log)
    } catch (cause) {
      await pool.end()
      throw unavailable(cause)
    }
  }

  async position(): Promise<Position> {
    return using(this.#pool, (client) => this.#logRow(client))
  }

  add(batch: IndexBatch): Promise<boolean> {
    return this.#alone(async (client) => {
      const row = await this.#logRow(client)
      const { from } = batch
      const isThere =
        row.seq === from.seq && row.segment === from.segment && row.offset === from.offset
      if (isThere) await this.#write(client, row.id, batch)
      return isThere
    })
  }

  clear(): Promise<void> {
    return this.#alone(async (client) => {
      const { id } = await this.#logRow(client)
      const ours = (table: string): string =>
        `(SELECT first FROM ${PREFIX}${table} WHERE log = ${id})`
      await client.query(
        `DELETE FROM ${PREFIX}block_terms WHERE block IN ${ours('blocks')};
         DELETE FROM ${PREFIX}block_sessions WHERE block IN ${ours('blocks')};
         DELETE FROM ${PREFIX}session_terms WHERE session IN ${ours('sessions')};
         DELETE FROM ${PREFIX}blocks WHERE log = ${id};
         DELETE FROM ${PREFIX}sessions WHERE log = ${id};
         DELETE FROM ${PREFIX}removed WHERE log = ${id};
         UPDATE ${PREFIX}logs SET segment = 1, "offset" = 0, seq = 0, last_offset = NULL, last_hash = NULL,
           unreadable = 0 WHERE id = ${id}`,
      )
    })
  }

  newest(): Promise<number> {
    return this.#reads.newest()
  }

  recall(sessions: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return this.#reads.recall(sessions)
  }

  holders(seq: number, gateway: string | null): Promise<readonly StoredBlock[]> {
    return this.#reads.holders(seq, gateway)
  }

  blocks(query: BlockQuery): Promise<readonly StoredBlock[]> {
    return this.#reads.blocks(query)
  }

  lines(block: StoredBlock): Promise<Buffer> {
    return this.#reads.lines(block)
  }

  removed(): Promise<readonly RemovedRecords[]> {
    return this.#reads.removed()
  }

  isRemoved(seq: number, gateway: string | null): Promise<boolean> {
    return this.#reads.isRemoved(seq, gateway)
  }

  sessions(query: SessionRowsQuery): Promise<readonly SessionSummary[]> {
    return this.#reads.sessions(query)
  }

  close(): Promise<void> {
    return this.#reads.close()
  }

  async #logRow(client: pg.ClientBase): Promise<LogRow> {
    const { rows } = await client.query<LogRow>(
      `SELECT ${POSITION} FROM ${PREFIX}logs WHERE identity = $1`,
      [this.#log.identity],
    )
    const [row] = rows
    if (row === undefined) throw new Error('the shared index does not know this log')
    return row
  }

  /** In a transaction, and while no other gateway writes. */
  #alone<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    return using(this.#pool, async (client) => {
      await client.query('BEGIN')
      try {
        await client.query('SELECT pg_advisory_xact_lock($1)', [STORE_LOCK])
        const result = await work(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {})
        throw error
      }
    })
  }

  async #write(client: pg.ClientBase, log: number, batch: IndexBatch): Promise<void> {
    const { to, blocks, sessions, removed } = batch
    const [first, last] = [blocks[0], blocks.at(-1)]
    if (first !== undefined && last !== undefined) {
      const start = await takePlaces(client, last.lastSeq - first.firstSeq + 1)
      const placeOf = (seq: number): number => start + seq - first.firstSeq
      const places = await this.#writeSessions(client, log, sessions, placeOf)
      for (const block of blocks) await this.#writeBlock(client, log, block, { placeOf, places })
    }
    await client.query(
      `UPDATE ${PREFIX}logs SET segment = $2, "offset" = $3, seq = $4, last_offset = $5, last_hash = $6,
         unreadable = $7 WHERE id = $1`,
      [log, to.segment, to.offset, to.seq, to.lastOffset, to.lastHash, to.unreadable],
    )
    for (const one of removed) await this.#drop(client, log, one)
  }

  async #drop(
    client: pg.ClientBase,
    log: number,
    { segment, firstSeq, lastSeq, ...why }: RemovedSegment,
  ): Promise<void> {
    const values = [log, segment]
    const { rows } = await client.query<DroppedBlocks>(DROPPED_BLOCKS, values)
    const { blocks, first, last } = rows[0] ?? { blocks: null, first: 0, last: 0 }
    if (blocks !== null) {
      const dropped = [first, last, blocks]
      const { rows: used } = await client.query<{ session: number }>(DROPPED_SESSIONS, dropped)
      for (const table of ['block_terms', 'block_sessions']) {
        await client.query(
          `DELETE FROM ${PREFIX}${table} WHERE block BETWEEN $1 AND $2 AND block = ANY ($3)`,
          dropped,
        )
      }
      await client.query(`DELETE FROM ${PREFIX}blocks WHERE first = ANY ($1)`, [blocks])
      await this.#dropSessions(
        client,
        used.map(({ session }) => session),
      )
    }
    await client.query(
      `INSERT INTO ${PREFIX}removed (log, segment, first_seq, last_seq, since, until, by, at, keep_days)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
      [...values, firstSeq, lastSeq, why.since, why.until, why.by, why.at, why.keepDays],
    )
  }

  /** Those of which no block is left. */
  async #dropSessions(client: pg.ClientBase, used: readonly number[]): Promise<void> {
    const { rows } = await client.query<{ first: number }>(
      `DELETE FROM ${PREFIX}sessions WHERE first = ANY ($1)
         AND NOT EXISTS (SELECT 1 FROM ${PREFIX}block_sessions WHERE session = first) RETURNING first`,
      [used],
    )
    const gone = rows.map(({ first }) => first)
    await client.query(
      `DELETE FROM ${PREFIX}session_terms WHERE session BETWEEN $1 AND $2 AND session = ANY ($3)`,
      [Math.min(...gone, Number.MAX_SAFE_INTEGER), Math.max(...gone, 0), gone],
    )
  }

  async #writeSessions(
    client: pg.ClientBase,
    log: number,
    sessions: readonly SessionUpdate[],
    placeOf: (seq: number) => number,
  ): Promise<ReadonlyMap<string, number>> {
    const rows = sessions.map(({ firstSeq, description, terms, totals }) => {
      return { ...description, ...totals, terms, first: placeOf(firstSeq) }
    })
    const json = JSON.stringify(rows, (_, value: unknown) =>
      typeof value === 'string' ? storable(value) : value,
    )
    const stored = await client.query<{ first: number; session: string }>(SESSIONS, [json, log])
    const places = new Map(stored.rows.map(({ first, session }) => [session, first]))
    const terms: string[] = []
    const at: number[] = []
    for (const { description, terms: own, used } of sessions) {
      const place = places.get(storable(description.session))
      if (place === undefined) continue
      for (const term of new Set([...(own ?? []), ...used, this.#term])) {
        terms.push(termNumber(term))
        at.push(place)
      }
    }
    await client.query(
      `INSERT INTO ${PREFIX}session_terms SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING`,
      [terms, at],
    )
    return places
  }

  async #writeBlock(
    client: pg.ClientBase,
    log: number,
    block: IndexBlock,
    { placeOf, places }: { placeOf: (seq: number) => number; places: ReadonlyMap<string, number> },
  ): Promise<void> {
    const { firstSeq, lastSeq, firstAt, lastAt, segment, offset, lines } = block
    const first = placeOf(firstSeq)
    await client.query(
      `INSERT INTO ${PREFIX}blocks VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, array_to_tsvector($12))`,
      [
        first,
        placeOf(lastSeq),
        log,
        firstSeq,
        lastSeq,
        firstAt,
        lastAt,
        segment,
        offset,
        lines.length,
        zstdCompressSync(lines),
        lexemesOf(block.texts),
      ],
    )
    const sessions = [...block.sessions].map((session) => places.get(storable(session)))
    await client.query(`INSERT INTO ${PREFIX}block_terms SELECT unnest($1::bigint[]), $2`, [
      [...new Set([...block.terms, this.#term])].map(termNumber),
      first,
    ])
    await client.query(`INSERT INTO ${PREFIX}block_sessions SELECT unnest($1::bigint[]), $2`, [
      sessions.filter((place) => place !== undefined),
      first,
    ])
  }

  /** By which everything of this gateway is found. */
  get #term(): string {
    return termOf('gateway', this.#log.gateway)
  }
}

async function takePlaces(client: pg.ClientBase, count: number): Promise<number> {
  const { rows } = await client.query<{ start: number }>(
    `UPDATE ${PREFIX}places SET next = next + $1 RETURNING next - $1 AS start`,
    [count],
  )
  const [row] = rows
  if (row === undefined) throw new Error('the shared index has no places')
  return row.start
}
