/** Questions to the shared index in PostgreSQL, by anyone who may read the database. */

import { zstdDecompressSync } from 'node:zlib'
import type pg from 'pg'
import { SHARED_LINES_BYTES_MAX } from '../limits.ts'
import { openPool, type SharedDatabase, unavailable, using } from './postgres-pool.ts'
import { checkVersion, MIGRATIONS, PREFIX } from './postgres-schema.ts'
import { storable, termNumber, wordsQuery } from './postgres-values.ts'
import {
  blockSources,
  blocksQuestion,
  type Counted,
  type Dialect,
  type Part,
  probeOf,
  type Question,
  sessionSources,
  sessionsQuestion,
  type Times,
} from './select.ts'
import type {
  BlockQuery,
  IndexReads,
  RemovedRecords,
  SessionRowsQuery,
  SessionSummary,
  StoredBlock,
} from './store.ts'

const DIALECT: Dialect = {
  prefix: PREFIX,
  join: 'JOIN',
  // Keeps the planner from turning a lookup into a join over the whole table.
  fence: ' OFFSET 0',
  term: '?',
  termValue: termNumber,
  words: (block) => `(${block}.words @@ ?::tsquery OR ${block}.words IS NULL)`,
  wordsValue: wordsQuery,
  wordsTable: { name: 'blocks', place: 'first' },
  block: `b.first, b.last, b.log, (SELECT gateway FROM ${PREFIX}logs WHERE id = b.log) AS gateway,
    b.first_seq AS "firstSeq", b.last_seq AS "lastSeq", b.segment, b."offset", b.length`,
  summary: `x.session, x.first, (SELECT gateway FROM ${PREFIX}logs WHERE id = x.log) AS gateway,
    x.started_at AS "startedAt", x.ended_at AS "endedAt", x.ended,
    x.subject, x.kind, x.role, x.connection, x.database, x.client, x.application, x.graph, x.node, x.run,
    x.statements, x.refused, x.rows, x.bytes`,
  between,
}

/** The index as anyone reads it who may read the database. */
export class PostgresIndex implements IndexReads {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** @throws AuditError index-unavailable */
  static async open(database: SharedDatabase): Promise<PostgresIndex> {
    const pool = openPool(database)
    try {
      await using(pool, (client) => checkVersion(client, MIGRATIONS.length))
      return new PostgresIndex(pool)
    } catch (cause) {
      await pool.end()
      throw unavailable(cause)
    }
  }

  async newest(): Promise<number> {
    const { rows } = await this.#pool.query<{ next: number }>(`SELECT next FROM ${PREFIX}places`)
    return (rows[0]?.next ?? 1) - 1
  }

  async recall(sessions: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const { rows } = await this.#pool.query<{ session: string; terms: string[] }>(
      `SELECT session, terms FROM ${PREFIX}sessions WHERE session = ANY ($1)`,
      [sessions.map(storable)],
    )
    return new Map(rows.map(({ session, terms }) => [session, terms]))
  }

  async holders(seq: number, gateway: string | null): Promise<readonly StoredBlock[]> {
    const { rows } = await this.#pool.query<StoredBlock>(
      `SELECT ${DIALECT.block} FROM ${PREFIX}logs l JOIN LATERAL (
         SELECT * FROM ${PREFIX}blocks WHERE log = l.id AND first_seq <= $1 ORDER BY first_seq DESC LIMIT 1
       ) b ON b.last_seq >= $1 WHERE $2::text IS NULL OR l.gateway = $2`,
      [seq, gateway],
    )
    return rows
  }

  async blocks(query: BlockQuery): Promise<readonly StoredBlock[]> {
    const sources = await this.#counted(blockSources(DIALECT, query))
    return this.#ask(blocksQuestion(DIALECT, query, sources))
  }

  async lines(block: StoredBlock): Promise<Buffer> {
    const { rows } = await this.#pool.query<{ lines: Buffer }>(
      `SELECT lines FROM ${PREFIX}blocks WHERE first = $1`,
      [block.first],
    )
    const packed = rows[0]?.lines
    // Removed since the block was found.
    if (packed === undefined) return Buffer.alloc(0)
    return zstdDecompressSync(packed, { maxOutputLength: SHARED_LINES_BYTES_MAX })
  }

  async removed(): Promise<readonly RemovedRecords[]> {
    const { rows } = await this.#pool.query<RemovedRecords>(
      `SELECT l.gateway, count(*) AS segments, sum(r.last_seq - r.first_seq + 1)::bigint AS records,
         min(r.first_seq) AS first, max(r.last_seq) AS last, min(r.since) AS since, max(r.until) AS until,
         r.by, max(r.at) AS at, r.keep_days AS "keepDays"
       FROM ${PREFIX}removed r JOIN ${PREFIX}logs l ON l.id = r.log
       GROUP BY l.id, r.by, r.keep_days ORDER BY l.id, first`,
    )
    return rows
  }

  async isRemoved(seq: number, gateway: string | null): Promise<boolean> {
    const { rows } = await this.#pool.query(
      `SELECT 1 FROM ${PREFIX}removed r JOIN ${PREFIX}logs l ON l.id = r.log
       WHERE r.first_seq <= $1 AND r.last_seq >= $1 AND ($2::text IS NULL OR l.gateway = $2) LIMIT 1`,
      [seq, gateway],
    )
    return rows.length > 0
  }

  async sessions(query: SessionRowsQuery): Promise<readonly SessionSummary[]> {
    const sources = await this.#counted(sessionSources(DIALECT, query))
    return this.#ask(sessionsQuestion(DIALECT, query, sources))
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  async #counted(sources: ReturnType<typeof blockSources>): Promise<Counted[]> {
    if (sources.length < 2) return sources.map((source) => ({ ...source, rows: 0 }))
    const counts: Counted[] = []
    for (const source of sources) {
      const [row] = await this.#ask<{ rows: number }>(probeOf(source))
      counts.push({ ...source, rows: row?.rows ?? 0 })
    }
    return counts
  }

  async #ask<Row extends object>({ sql, values }: Question): Promise<Row[]> {
    let n = 0
    const text = sql.replace(/\?/g, () => `$${++n}`)
    const bound = values.map((value) => (typeof value === 'string' ? storable(value) : value))
    return (await this.#pool.query<Row>(text, bound)).rows
  }
}

/** Logs are indexed side by side: neither end of a block follows from its place. */
function between(column: string, { since, until }: Times): Part[] {
  const parts: Part[] = []
  if (since !== null) {
    const first = `SELECT min(first) FROM ${PREFIX}blocks WHERE last_at >= ?`
    parts.push([`${column} >= coalesce((${first}), ${Number.MAX_SAFE_INTEGER})`, since])
  }
  if (until !== null) {
    const last = `SELECT max(last) FROM ${PREFIX}blocks WHERE first_at < ?`
    parts.push([`${column} <= coalesce((${last}), 0)`, until])
  }
  return parts
}
