/**
 * What the operator says about identity: issuers, roles, session tokens. Plain data; reading it
 * from a file is the gateway's task. `identityConfigProblems` (config-check.ts) judges it.
 */
import type { PrincipalKind } from './principal.ts'

/**
 * Asymmetric signature algorithms (RFC 7518 §3.1, RFC 8037, RFC 9864). `none` and HMAC are not
 * here: a public key set cannot hold a secret, and accepting HS256 lets its readers forge.
 */
export const SIGNATURE_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** Accepted unless the issuer's configuration lists its own. */
export const DEFAULT_ALGORITHMS: readonly SignatureAlgorithm[] = SIGNATURE_ALGORITHMS

/**
 * Where a claim is: `/a/b` is a JSON Pointer (RFC 6901); text with `://` is one literal name
 * (namespaced claims); anything else is split at dots (`realm_access.roles`).
 */
export type ClaimPath = string

/** How to tell people from machines. Only what is shown to be a person is `human`. */
export type KindRule =
  /** Every token of this issuer is of this kind. */
  | { readonly fixed: PrincipalKind }
  /** `human` when the claim has one of the values (default `human`), else `machine`. */
  | { readonly claim: ClaimPath; readonly human?: readonly (string | boolean)[] }

export interface ClaimMapping {
  /** Default `sub`. */
  readonly subject?: ClaimPath
  /** A list of strings, or one string. Default `groups`. */
  readonly groups?: ClaimPath
  /**
   * Default: `human` when the token tells of an interactive login (`auth_time` or `amr`) and its
   * subject is not the client itself; else `machine`.
   */
  readonly kind?: KindRule
  readonly graph?: ClaimPath
  readonly node?: ClaimPath
  readonly run?: ClaimPath
}

/** A value a claim must have; for a list, one of its members must be accepted. */
export type RequiredClaim = string | number | boolean | readonly (string | number | boolean)[]

export interface IssuerConfig {
  /** Compared byte for byte with `iss`. `https`, or `http` on loopback. */
  readonly issuer: string
  /** At least one must be in `aud`. */
  readonly audience: string | readonly string[]
  readonly algorithms?: readonly SignatureAlgorithm[]
  /** Fetch keys here and skip discovery. */
  readonly jwksUri?: string
  readonly claims?: ClaimMapping
  /** Put in front of every group of this issuer, so that two issuers' groups cannot meet. */
  readonly groupPrefix?: string
  /** Refuse tokens without the groups claim. Default false: no groups. */
  readonly groupsRequired?: boolean
  /** The `typ` header the token must have (`at+jwt`). Default: absent, `JWT` or `at+jwt`. */
  readonly typ?: string
  /** Greatest age since `iat`, seconds; then `iat` is required. */
  readonly maxTokenAgeSeconds?: number
  /** Claim path → accepted values, e.g. `email_verified: true`. */
  readonly require?: Readonly<Record<ClaimPath, RequiredClaim>>
  /** How long last good keys serve while the issuer is down, seconds. Default and most: 4 hours. */
  readonly keysStaleSecondsMax?: number
}

/** Some principals: those with one of the groups, or one of the subjects. Empty matches nobody. */
export interface Matcher {
  readonly groups?: readonly string[]
  readonly subjects?: readonly string[]
  /** Only principals of these issuers. Needed with `subjects` when there are several issuers. */
  readonly issuers?: readonly string[]
}

/** A role is a named set of groups and subjects. */
export type RoleConfig = Matcher

export interface SessionTokenConfig {
  readonly maxLifetimeSeconds: number
  readonly defaultLifetimeSeconds: number
  /** Default 1,000. */
  readonly maxLivePerSubject?: number
  /** Principals (orchestrators) whose word for graph, node and run counts as verified. */
  readonly contextFrom?: Matcher
}

export interface IdentityConfig {
  readonly issuers: readonly IssuerConfig[]
  readonly roles: Readonly<Record<string, RoleConfig>>
  readonly clockSkewSeconds: number
  readonly sessionTokens: SessionTokenConfig
}

/** The issuer of tokens an operator minted without any JWT. */
export const OPERATOR_ISSUER = 'sallyport:operator'

/** The audiences of an issuer as a list. */
export function audiencesOf(issuer: IssuerConfig): readonly string[] {
  return typeof issuer.audience === 'string' ? [issuer.audience] : issuer.audience
}
