/**
 * Where session tokens are kept: by the SHA-256 of the token, never the token. The port is
 * implemented by the gateway on its store; the in-memory one serves tests and the demo.
 * Revocation is not here but in `RevocationStore`, so that there is one truth about it.
 */
import { IdentityError } from './errors.ts'
import { MEMORY_TOKENS_MAX } from './limits.ts'
import type { EpochMs, Narrowed, PrincipalKind } from './principal.ts'

/** Plain JSON-able data: everything needed to make the principal again except the roles. */
export interface SessionTokenRecord {
  /** `st_` and 16 base64url characters of the hash; unique, safe to log. */
  readonly id: string
  /** SHA-256 of the whole token's ASCII, lower-case hex (64 characters); unique. */
  readonly hash: string
  readonly subject: string
  readonly issuer: string
  readonly kind: PrincipalKind
  /** Every group, prefixed; narrowing to roles is applied when the token is verified. */
  readonly groups: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly narrowed: Narrowed
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
  /** Oldest first; the last one is the parent. Empty for operator tokens. */
  readonly ancestorTokenIds: readonly string[]
  readonly mintedBy: 'exchange' | 'operator'
  /** A note for people listing tokens ("nightly job"); never used in a decision. */
  readonly label: string | null
}

/**
 * Port. A SQLite table fits it with `hash` as primary key, `id` unique, an index on
 * (issuer, subject, expires_at), and the record as one JSON column. Must throw when it cannot know.
 */
export interface SessionTokenStore {
  /** Durable when it resolves; another record with the same hash or id is an error, never replaced. */
  put(record: SessionTokenRecord): void | Promise<void>
  findByHash(hash: string): SessionTokenRecord | undefined | Promise<SessionTokenRecord | undefined>
  /** Newest first. `issuer` and `subject` null: of everybody. Expired records may be missing. */
  list(filter: {
    issuer: string | null
    subject: string | null
    limit: number
  }): readonly SessionTokenRecord[] | Promise<readonly SessionTokenRecord[]>
  /** How many of this subject's records expire after `now`. */
  countLive(of: { issuer: string; subject: string; now: EpochMs }): number | Promise<number>
  /** Removes what expired before `before`; returns how many. */
  purge(before: EpochMs): number | Promise<number>
}

/** Session tokens in memory, gone with the process. At most `MEMORY_TOKENS_MAX`; then `limit`. */
export class MemorySessionTokenStore implements SessionTokenStore {
  readonly #byHash = new Map<string, SessionTokenRecord>()
  readonly #max: number

  constructor(options: { max?: number } = {}) {
    this.#max = options.max ?? MEMORY_TOKENS_MAX
  }

  get size(): number {
    return this.#byHash.size
  }

  put(record: SessionTokenRecord): void {
    if (this.#byHash.size >= this.#max) {
      throw new IdentityError('limit', 'too many session tokens are live')
    }
    if (this.#byHash.has(record.hash)) {
      throw new IdentityError('internal', 'internal error', 'session token hash is already taken')
    }
    this.#byHash.set(record.hash, record)
  }

  findByHash(hash: string): SessionTokenRecord | undefined {
    return this.#byHash.get(hash)
  }

  list(filter: {
    issuer: string | null
    subject: string | null
    limit: number
  }): readonly SessionTokenRecord[] {
    return [...this.#byHash.values()]
      .filter(
        (record) =>
          (filter.issuer === null || record.issuer === filter.issuer) &&
          (filter.subject === null || record.subject === filter.subject),
      )
      .sort((a, b) => b.issuedAt - a.issuedAt)
      .slice(0, filter.limit)
  }

  countLive(of: { issuer: string; subject: string; now: EpochMs }): number {
    let live = 0
    for (const record of this.#byHash.values()) {
      if (record.issuer === of.issuer && record.subject === of.subject && record.expiresAt > of.now)
        live++
    }
    return live
  }

  purge(before: EpochMs): number {
    let removed = 0
    for (const [hash, record] of this.#byHash) {
      if (record.expiresAt < before) {
        this.#byHash.delete(hash)
        removed++
      }
    }
    return removed
  }
}
