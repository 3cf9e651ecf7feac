/**
 * Session tokens and revocations of one gateway in a SQLite file (WAL), shared with operators'
 * `sallyport token` on the same machine; of several gateways: postgres-store.ts. Tokens are kept by hash only.
 *
 * Revocations of other processes are seen by polling: a row's id only grows. better-sqlite3 is synchronous;
 * every statement here is an indexed look-up, used at login and never per statement of a session.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type {
  EpochMs,
  Revocation,
  RevocationSubject,
  SessionTokenRecord,
} from '@sallyport/identity'
import { revocationApplies } from '@sallyport/identity'
import Database from 'better-sqlite3'
import { Announcer } from './announcer.ts'
import type { TokenState } from './token-state.ts'

/** How long another process's revocation may go unseen, milliseconds. */
export const REVOCATION_POLL_MS = 1_000
/** Waiting for another process's write, milliseconds. */
const BUSY_MS = 5_000

const SCHEMA = `
CREATE TABLE IF NOT EXISTS session_tokens (
  hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, issuer TEXT NOT NULL, subject TEXT NOT NULL,
  issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_tokens_subject ON session_tokens (issuer, subject, expires_at);
CREATE TABLE IF NOT EXISTS revocations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, token_id TEXT, issuer TEXT, subject TEXT,
  until INTEGER, record TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS revocations_token ON revocations (token_id);
CREATE INDEX IF NOT EXISTS revocations_subject ON revocations (issuer, subject);
`

interface RecordRow {
  readonly id: number
  readonly record: string
}

export class StateStore implements TokenState {
  readonly #db: Database.Database
  readonly #announcer = new Announcer()
  readonly #poll: NodeJS.Timeout
  #lastSeen: number

  /** Creates directory and file (mode 0600) when they are not there. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, 'state.sqlite')
    this.#db = new Database(file)
    chmodSync(file, 0o600)
    this.#db.pragma('journal_mode = WAL')
    this.#db.pragma('synchronous = FULL')
    this.#db.pragma(`busy_timeout = ${BUSY_MS}`)
    this.#db.exec(SCHEMA)
    this.#lastSeen = this.#maxRevocation()
    this.#poll = setInterval(() => this.#announce(), REVOCATION_POLL_MS)
    this.#poll.unref()
  }

  put(record: SessionTokenRecord): void {
    this.#db
      .prepare('INSERT INTO session_tokens VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        record.hash,
        record.id,
        record.issuer,
        record.subject,
        record.issuedAt,
        record.expiresAt,
        JSON.stringify(record),
      )
  }

  findByHash(hash: string): SessionTokenRecord | undefined {
    const row = this.#db.prepare('SELECT record FROM session_tokens WHERE hash = ?').get(hash)
    return row === undefined ? undefined : parse<SessionTokenRecord>(row)
  }

  list(filter: {
    issuer: string | null
    subject: string | null
    limit: number
  }): readonly SessionTokenRecord[] {
    return this.#db
      .prepare(
        `SELECT record FROM session_tokens WHERE (@issuer IS NULL OR issuer = @issuer)
         AND (@subject IS NULL OR subject = @subject) ORDER BY issued_at DESC LIMIT @limit`,
      )
      .all(filter)
      .map((row) => parse<SessionTokenRecord>(row))
  }

  countLive(of: { issuer: string; subject: string; now: EpochMs }): number {
    const row = this.#db
      .prepare(
        'SELECT count(*) AS n FROM session_tokens WHERE issuer = ? AND subject = ? AND expires_at > ?',
      )
      .get(of.issuer, of.subject, of.now) as { n: number }
    return row.n
  }

  purge(before: EpochMs): number {
    this.#db.prepare('DELETE FROM revocations WHERE until IS NOT NULL AND until < ?').run(before)
    return this.#db.prepare('DELETE FROM session_tokens WHERE expires_at < ?').run(before).changes
  }

  revoke(revocation: Revocation): void {
    const token = revocation.kind === 'token'
    this.#db
      .prepare(
        'INSERT INTO revocations (kind, token_id, issuer, subject, until, record) VALUES (?, ?, ?, ?, ?, ?)',
      )
      .run(
        revocation.kind,
        token ? revocation.tokenId : null,
        token ? null : revocation.issuer,
        token ? null : revocation.subject,
        token ? revocation.until : null,
        JSON.stringify(revocation),
      )
    this.#announce()
  }

  isRevoked(subject: RevocationSubject): boolean {
    const byToken = this.#db.prepare('SELECT 1 FROM revocations WHERE token_id = ? LIMIT 1')
    for (const id of [subject.tokenId, ...subject.ancestorTokenIds]) {
      if (byToken.get(id) !== undefined) return true
    }
    return this.#db
      .prepare('SELECT id, record FROM revocations WHERE issuer = ? AND subject = ?')
      .all(subject.issuer, subject.subject)
      .some((row) => revocationApplies(parse<Revocation>(row), subject))
  }

  subscribe(callback: (revocation: Revocation) => void): () => void {
    return this.#announcer.subscribe(callback)
  }

  close(): void {
    clearInterval(this.#poll)
    this.#db.close()
  }

  #maxRevocation(): number {
    const row = this.#db.prepare('SELECT max(id) AS id FROM revocations').get() as {
      id: number | null
    }
    return row.id ?? 0
  }

  #announce(): void {
    const rows = this.#db
      .prepare('SELECT id, record FROM revocations WHERE id > ? ORDER BY id')
      .all(this.#lastSeen) as RecordRow[]
    this.#lastSeen = rows.at(-1)?.id ?? this.#lastSeen
    this.#announcer.announce(rows.map((row) => parse<Revocation>(row)))
  }
}

/** Rows are written by this class only, so their JSON has the type it was written with. */
function parse<T>(row: unknown): T {
  return JSON.parse((row as { record: string }).record) as T
}
