/**
 * Session tokens and revocations of several gateways, in the PostgreSQL database they share: a token made at
 * one is good at all, and one revoked at any ends its sessions at every other. Tokens are kept by hash only.
 * Without the database nobody is let in; who is in stays, and hears of revocations when it is back.
 */
import {
  type EpochMs,
  type Revocation,
  type RevocationSubject,
  revocationApplies,
  type SessionTokenRecord,
} from '@sallyport/identity'
import type { SharedStore, Watch } from '../store/shared-store.ts'
import { Announcer } from './announcer.ts'
import type { TokenState } from './token-state.ts'

const CHANNEL = 'sallyport_revocations'

/** `json`, not `jsonb`, which has no place for U+0000: claims are what issuers write. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS sallyport_session_tokens (
  hash text PRIMARY KEY, id text NOT NULL UNIQUE, issuer text NOT NULL, subject text NOT NULL,
  issued_at bigint NOT NULL, expires_at bigint NOT NULL, record json NOT NULL);
CREATE INDEX IF NOT EXISTS sallyport_session_tokens_subject
  ON sallyport_session_tokens (issuer, subject, expires_at);
CREATE TABLE IF NOT EXISTS sallyport_revocations (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, token_id text, issuer text, subject text,
  until bigint, record json NOT NULL, stored_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX IF NOT EXISTS sallyport_revocations_token ON sallyport_revocations (token_id);
CREATE INDEX IF NOT EXISTS sallyport_revocations_subject ON sallyport_revocations (issuer, subject);
CREATE INDEX IF NOT EXISTS sallyport_revocations_stored ON sallyport_revocations (stored_at);
`

interface RevocationRow {
  readonly id: string | null
  readonly record: Revocation
}

export class PostgresState implements TokenState {
  readonly #store: SharedStore
  readonly #announcer = new Announcer()
  /** Revocations that have been announced and may be read again. */
  #announced: ReadonlySet<string> = new Set()
  readonly #began: Date
  readonly #own: boolean
  #watch: Watch | null = null

  constructor(store: SharedStore, { began, own }: { readonly began: Date; readonly own: boolean }) {
    this.#store = store
    this.#began = began
    this.#own = own
  }

  /** Creates its tables where they are not there. `own`: closes `store` with it. Throws what the database says. */
  static async open(store: SharedStore, { own = false } = {}): Promise<PostgresState> {
    await store.create(SCHEMA)
    const { rows } = await store.query<{ now: Date }>('SELECT now()')
    return new PostgresState(store, { began: rows[0]?.now ?? new Date(0), own })
  }

  async put(record: SessionTokenRecord): Promise<void> {
    const { hash, id, issuer, subject, issuedAt, expiresAt } = record
    await this.#store.query(
      'INSERT INTO sallyport_session_tokens VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [hash, id, issuer, subject, issuedAt, expiresAt, JSON.stringify(record)],
    )
  }

  async findByHash(hash: string): Promise<SessionTokenRecord | undefined> {
    const { rows } = await this.#store.query<{ record: SessionTokenRecord }>(
      'SELECT record FROM sallyport_session_tokens WHERE hash = $1',
      [hash],
    )
    return rows[0]?.record
  }

  async list({ issuer, subject, limit }: Parameters<TokenState['list']>[0]) {
    const { rows } = await this.#store.query<{ record: SessionTokenRecord }>(
      `SELECT record FROM sallyport_session_tokens WHERE ($1::text IS NULL OR issuer = $1)
       AND ($2::text IS NULL OR subject = $2) ORDER BY issued_at DESC LIMIT $3`,
      [issuer, subject, limit],
    )
    return rows.map(({ record }) => record)
  }

  async countLive(of: { issuer: string; subject: string; now: EpochMs }): Promise<number> {
    const { rows } = await this.#store.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM sallyport_session_tokens
       WHERE issuer = $1 AND subject = $2 AND expires_at > $3`,
      [of.issuer, of.subject, of.now],
    )
    // A count that is not there is no room.
    return rows[0]?.n ?? Number.POSITIVE_INFINITY
  }

  async purge(before: EpochMs): Promise<number> {
    await this.#store.query('DELETE FROM sallyport_revocations WHERE until < $1', [before])
    const { rowCount } = await this.#store.query(
      'DELETE FROM sallyport_session_tokens WHERE expires_at < $1',
      [before],
    )
    return rowCount ?? 0
  }

  async revoke(revocation: Revocation): Promise<void> {
    const token = revocation.kind === 'token' ? revocation : null
    const subject = revocation.kind === 'subject' ? revocation : null
    await this.#store.query(
      `WITH made AS (
         INSERT INTO sallyport_revocations (token_id, issuer, subject, until, record)
         VALUES ($1, $2, $3, $4, $5) RETURNING id
       ) SELECT pg_notify('${CHANNEL}', '') FROM made`,
      [token?.tokenId, subject?.issuer, subject?.subject, token?.until, JSON.stringify(revocation)],
    )
    await this.#watch?.look()
  }

  async isRevoked(subject: RevocationSubject): Promise<boolean> {
    const { rows } = await this.#store.query<{ record: Revocation }>(
      `SELECT record FROM sallyport_revocations
       WHERE token_id = ANY($1) OR (issuer = $2 AND subject = $3)`,
      [[subject.tokenId, ...subject.ancestorTokenIds], subject.issuer, subject.subject],
    )
    return rows.some(({ record }) => revocationApplies(record, subject))
  }

  subscribe(callback: (revocation: Revocation) => void): () => void {
    this.#watch ??= this.#store.watch(CHANNEL, this.#began, (since) => this.#read(since))
    return this.#announcer.subscribe(callback)
  }

  async close(): Promise<void> {
    await this.#watch?.end()
    if (this.#own) await this.#store.close()
  }

  async #read(since: Date): Promise<Date> {
    const { rows } = await this.#store.query<RevocationRow & { readonly asked: Date }>(
      `SELECT now() AS asked, id, record FROM (SELECT 1) one
       LEFT JOIN sallyport_revocations ON stored_at > $1 ORDER BY id`,
      [since],
    )
    const before = this.#announced
    this.#announced = new Set(rows.flatMap(({ id }) => (id === null ? [] : [id])))
    const fresh = rows.filter(({ id }) => id !== null && !before.has(id))
    // Safe: the outer join has a row at least.
    const { asked } = rows[0] as { readonly asked: Date }
    this.#announcer.announce(fresh.map(({ record }) => record))
    return asked
  }
}
