/**
 * The tables of the shared index in PostgreSQL, and how a database gets them: step by step, each in a transaction,
 * from whatever version it is of. A database of a later release is left alone.
 */

import type pg from 'pg'
import { AuditError } from '../errors.ts'

/** In front of every table's name: the database may be shared with other things. */
export const PREFIX = 'sallyport_audit_'

/** Two gateways that start together must not both create the tables; also held while a batch is stored. */
export const STORE_LOCK = 7_264_310_222

/** Step n takes a database from version n to n + 1. Never changed once released, only added to. */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE ${PREFIX}places (one boolean PRIMARY KEY CHECK (one), next bigint NOT NULL);
INSERT INTO ${PREFIX}places VALUES (true, 1);
CREATE TABLE ${PREFIX}logs (
  id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  identity text NOT NULL UNIQUE, gateway text NOT NULL,
  segment integer NOT NULL, "offset" bigint NOT NULL, seq bigint NOT NULL,
  last_offset bigint, last_hash text, unreadable bigint NOT NULL
);
CREATE TABLE ${PREFIX}blocks (
  first bigint PRIMARY KEY, last bigint NOT NULL,
  log integer NOT NULL, first_seq bigint NOT NULL, last_seq bigint NOT NULL,
  first_at bigint NOT NULL, last_at bigint NOT NULL,
  segment integer NOT NULL, "offset" bigint NOT NULL, length integer NOT NULL,
  lines bytea NOT NULL, words tsvector,
  UNIQUE (log, first_seq)
);
ALTER TABLE ${PREFIX}blocks ALTER lines SET STORAGE EXTERNAL;
CREATE INDEX ${PREFIX}blocks_last_at ON ${PREFIX}blocks (last_at, first);
CREATE INDEX ${PREFIX}blocks_first_at ON ${PREFIX}blocks (first_at, last);
CREATE INDEX ${PREFIX}blocks_words ON ${PREFIX}blocks USING gin (words) WITH (fastupdate = off);
CREATE INDEX ${PREFIX}blocks_wordy ON ${PREFIX}blocks (first) WHERE words IS NULL;
CREATE TABLE ${PREFIX}block_terms (
  term bigint NOT NULL, block bigint NOT NULL, PRIMARY KEY (term, block)
);
CREATE TABLE ${PREFIX}block_sessions (
  session bigint NOT NULL, block bigint NOT NULL, PRIMARY KEY (session, block)
);
CREATE TABLE ${PREFIX}sessions (
  first bigint PRIMARY KEY, session text COLLATE "C" NOT NULL UNIQUE, log integer NOT NULL, terms jsonb NOT NULL,
  started_at bigint NOT NULL, ended_at bigint, ended text,
  subject text, kind text, role text, connection text, database text, client text, application text,
  graph text, node text, run text,
  statements bigint NOT NULL, refused bigint NOT NULL, rows bigint NOT NULL, bytes bigint NOT NULL
);
CREATE INDEX ${PREFIX}sessions_live ON ${PREFIX}sessions (first) WHERE ended_at IS NULL;
CREATE TABLE ${PREFIX}session_terms (
  term bigint NOT NULL, session bigint NOT NULL, PRIMARY KEY (term, session)
);
`,
  // Places only grow, so that ranges of pages know where those of a block are.
  `
CREATE TABLE ${PREFIX}removed (
  log integer NOT NULL, segment integer NOT NULL,
  first_seq bigint NOT NULL, last_seq bigint NOT NULL, until bigint NOT NULL, PRIMARY KEY (log, segment)
);
CREATE INDEX ${PREFIX}blocks_segment ON ${PREFIX}blocks (log, segment);
CREATE INDEX ${PREFIX}block_terms_block ON ${PREFIX}block_terms USING brin (block);
CREATE INDEX ${PREFIX}block_sessions_block ON ${PREFIX}block_sessions USING brin (block);
CREATE INDEX ${PREFIX}session_terms_session ON ${PREFIX}session_terms USING brin (session);
`,
  // Of what was removed before, only its place and time are known.
  `
ALTER TABLE ${PREFIX}removed
  ADD since bigint, ADD by text, ADD at bigint, ADD keep_days integer;
UPDATE ${PREFIX}removed SET since = until;
ALTER TABLE ${PREFIX}removed ALTER since SET NOT NULL;
`,
]

/** @throws AuditError index-unavailable when a later release has been here */
export async function migrate(
  client: pg.ClientBase,
  to: number = MIGRATIONS.length,
): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [STORE_LOCK])
  try {
    for (let version = await versionOf(client); version < to; version++) {
      await client.query('BEGIN')
      try {
        await client.query(MIGRATIONS[version] ?? '')
        await client.query(`UPDATE ${PREFIX}version SET version = $1`, [version + 1])
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [STORE_LOCK])
  }
}

async function versionOf(client: pg.ClientBase): Promise<number> {
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${PREFIX}version (one boolean PRIMARY KEY CHECK (one), version integer NOT NULL);
     INSERT INTO ${PREFIX}version VALUES (true, 0) ON CONFLICT DO NOTHING`,
  )
  return checkVersion(client, 0)
}

/** The version, not below `least`. @throws AuditError index-unavailable */
export async function checkVersion(client: pg.ClientBase, least: number): Promise<number> {
  const { rows } = await client.query<{ version: number }>(`SELECT version FROM ${PREFIX}version`)
  const version = rows[0]?.version ?? 0
  if (version >= least && version <= MIGRATIONS.length) return version
  const which = version < least ? 'an earlier' : 'a later'
  throw new AuditError('index-unavailable', `the shared index is of ${which} release`)
}
