/**
 * Who is behind a connection: the result of verifying a token, plain and deeply frozen data.
 * Nothing in it was merely asserted by the client: every field comes from a verified claim, from
 * the record of a session token, or from the configuration.
 */

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number

export type PrincipalKind = 'human' | 'machine'

/** Restrictions a session token carries. `null` means not restricted; an empty list means nothing. */
export interface Narrowed {
  readonly connections: readonly string[] | null
  readonly roles: readonly string[] | null
  /**
   * What the exchanged token was bound to by whoever asked for it. Only ever a restriction: rights
   * may be withheld because of it, never given (see `Principal.graph` for what is verified).
   */
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
}

export const NOT_NARROWED: Narrowed = Object.freeze({
  connections: null,
  roles: null,
  graph: null,
  node: null,
  run: null,
})

export interface Principal {
  readonly subject: string
  /** The issuer URL of the configuration, or `OPERATOR_ISSUER`. */
  readonly issuer: string
  /** `machine` unless the issuer's configuration or the claims show a person. */
  readonly kind: PrincipalKind
  /**
   * Groups that may give rights, with the issuer's prefix. A token narrowed to roles has only the
   * groups of those roles here.
   */
  readonly groups: readonly string[]
  /**
   * Every group, whatever the narrowing. Rules that take rights away must look at these: otherwise
   * narrowing to a role would shed the group a deny rule names.
   */
  readonly allGroups: readonly string[]
  /** Roles of the configuration this principal may take, sorted; already narrowed. */
  readonly roles: readonly string[]
  /** All verified claims of the JWT (also behind a session token); empty for operator tokens. */
  readonly claims: Readonly<Record<string, unknown>>
  /**
   * Graph, node and run vouched for: by the issuer's claim, by an operator, or by an exchange of a
   * principal that `sessionTokens.contextFrom` names.
   */
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
  readonly narrowed: Narrowed
  /** `jti` when it is printable and short, else derived from a hash; safe to log. */
  readonly tokenId: string
  readonly tokenKind: 'jwt' | 'session'
  /**
   * The first instant at which this gateway no longer accepts the token: for a JWT its `exp` (or
   * `iat` plus the greatest age) plus the clock skew. Live sessions end here.
   */
  readonly expiresAt: EpochMs
  readonly issuedAt: EpochMs | null
  /** The token this one was exchanged from. */
  readonly parentTokenId: string | null
  /** The whole chain of exchanges, oldest first; revoking any of them revokes this one. */
  readonly ancestorTokenIds: readonly string[]
}

/** Freezes a JSON-like value all the way down and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
