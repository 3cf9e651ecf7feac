/**
 * Token → Principal: the one door. Every path ends in a principal that was constructed here or in an
 * IdentityError; whatever is unknown or unexpected is a refusal.
 *
 *   spt_…      → checksum → store → revocation → expiry → principal
 *   a.b.c      → cached? → issuer → algorithm, typ → key → signature → claims →
 *                revocation → expiry → principal
 */
import { createHash } from 'node:crypto'
import { mapClaims } from './claims.ts'
import { type IdentityConfig, type IssuerConfig, OPERATOR_ISSUER } from './config.ts'
import { type ConfigProblem, identityConfigProblems } from './config-check.ts'
import { askStore, IdentityError } from './errors.ts'
import type { Fetch } from './fetch-json.ts'
import { IssuerKeys, type IssuerStatus } from './issuer-keys.ts'
import { parseUnverifiedJwt, type UnverifiedJwt } from './jwt.ts'
import { expired, verifyJwt } from './jwt-verify.ts'
import { TOKEN_BYTES_MAX, VERIFIED_TOKENS_MAX } from './limits.ts'
import { deepFreeze, type EpochMs, NOT_NARROWED, type Principal } from './principal.ts'
import type { RevocationStore } from './revocations.ts'
import { type ChosenRole, chooseRole, rolesAndGroups } from './roles.ts'
import { assertSessionToken, SESSION_TOKEN_PREFIX, sessionTokenHash } from './session-token.ts'
import type { SessionTokenRecord, SessionTokenStore } from './session-token-store.ts'
import { VerifiedCache } from './verified-cache.ts'

export interface VerifierDeps {
  readonly now: () => EpochMs
  readonly sessionTokens: SessionTokenStore
  readonly revocations: RevocationStore
  /** For issuers' documents; default the global `fetch`. */
  readonly fetch?: Fetch
  /** Default `FETCH_TIMEOUT_MS`. */
  readonly fetchTimeoutMs?: number
  /** Default `VERIFIED_TOKENS_MAX`. */
  readonly verifiedTokensMax?: number
}

export interface Verifier {
  readonly config: IdentityConfig
  /** Configuration faults that do not prevent use. */
  readonly warnings: readonly ConfigProblem[]
  /** The principal of a token, or an IdentityError; never any other error. */
  verify(token: string): Promise<Principal>
  /** `chooseRole` with the configured roles. */
  chooseRole(principal: Principal, requestedUserName: string): ChosenRole
  /** Fetches every issuer's keys that are not fresh; an issuer that fails shows in the result. */
  warm(): Promise<readonly IssuerStatus[]>
  /** For readiness and the doctor: one entry per issuer, in the order of the configuration. */
  status(): readonly IssuerStatus[]
}

/** Throws `configuration` when `identityConfigProblems` finds an error. Fetches nothing yet. */
export function createVerifier(config: IdentityConfig, deps: VerifierDeps): Verifier {
  const problems = identityConfigProblems(config)
  const fatal = problems.find((problem) => problem.level === 'error')
  if (fatal !== undefined) {
    throw new IdentityError('configuration', `identity: ${fatal.path}: ${fatal.message}`)
  }
  // A copy: whoever edits the object later does not edit what is in force.
  return new TokenVerifier(deepFreeze(structuredClone(config)), problems, deps)
}

interface Issuer {
  readonly config: IssuerConfig
  readonly keys: IssuerKeys
}

class TokenVerifier implements Verifier {
  readonly config: IdentityConfig
  readonly warnings: readonly ConfigProblem[]
  readonly #deps: VerifierDeps
  readonly #issuers: ReadonlyMap<string, Issuer>
  readonly #verified: VerifiedCache

  constructor(config: IdentityConfig, warnings: readonly ConfigProblem[], deps: VerifierDeps) {
    this.config = config
    this.warnings = warnings
    this.#deps = deps
    this.#verified = new VerifiedCache(deps.verifiedTokensMax ?? VERIFIED_TOKENS_MAX)
    const keysDeps = {
      now: deps.now,
      fetch: deps.fetch ?? ((url, init) => fetch(url, init)),
      ...(deps.fetchTimeoutMs === undefined ? {} : { fetchTimeoutMs: deps.fetchTimeoutMs }),
    }
    this.#issuers = new Map(
      config.issuers.map((issuer) => [
        issuer.issuer,
        { config: issuer, keys: new IssuerKeys(issuer, keysDeps) },
      ]),
    )
  }

  async verify(token: string): Promise<Principal> {
    try {
      assertShape(token)
      const principal = token.startsWith(SESSION_TOKEN_PREFIX)
        ? await this.#verifySessionToken(token)
        : await this.#verifyJwt(token)
      await this.#assertNotRevoked(principal)
      // Last, because the waits above may have been long.
      assertNotExpired(principal.expiresAt, this.#deps.now())
      return principal
    } catch (error) {
      if (error instanceof IdentityError) throw error
      const what = error instanceof Error ? error.name : typeof error
      throw new IdentityError('internal', 'internal error', `unexpected ${what} while verifying`)
    }
  }

  chooseRole(principal: Principal, requestedUserName: string): ChosenRole {
    return chooseRole(principal, requestedUserName, this.config.roles)
  }

  async warm(): Promise<readonly IssuerStatus[]> {
    await Promise.all([...this.#issuers.values()].map((issuer) => issuer.keys.warm()))
    return this.status()
  }

  status(): readonly IssuerStatus[] {
    return [...this.#issuers.values()].map((issuer) => issuer.keys.status())
  }

  async #verifyJwt(token: string): Promise<Principal> {
    const digest = createHash('sha256').update(token, 'utf8').digest('base64')
    const known = this.#verified.find(digest, this.#deps.now())
    if (known !== undefined) {
      await known.keys.current()
      // The wait may have brought other keys; then the signature is checked again.
      if (known.generation === known.keys.generation) return known.principal
      this.#verified.delete(digest)
    }
    const jwt = parseUnverifiedJwt(token)
    const issuer = this.#issuerOf(jwt)
    const verified = await verifyJwt(token, jwt, {
      issuer: issuer.config,
      keys: issuer.keys,
      now: this.#deps.now(),
      clockSkewSeconds: this.config.clockSkewSeconds,
    })
    const mapped = mapClaims(verified.claims, issuer.config)
    const { groups: allGroups, ...fields } = mapped
    const from = { issuer: issuer.config.issuer, subject: mapped.subject, allGroups }
    const principal: Principal = deepFreeze({
      ...fields,
      ...from,
      ...rolesAndGroups(from, this.config.roles, null),
      claims: verified.claims,
      narrowed: NOT_NARROWED,
      tokenId: jwtId(jwt),
      tokenKind: 'jwt',
      expiresAt: verified.expiresAt,
      issuedAt: verified.issuedAt,
      parentTokenId: null,
      ancestorTokenIds: [],
    })
    this.#verified.put(digest, { principal, keys: issuer.keys, generation: verified.generation })
    return principal
  }

  #issuerOf(jwt: UnverifiedJwt): Issuer {
    const { iss } = jwt.claims
    const issuer = typeof iss === 'string' ? this.#issuers.get(iss) : undefined
    if (issuer === undefined) {
      throw new IdentityError(
        'wrong-issuer',
        'the token is from an issuer that is not accepted here',
      )
    }
    return issuer
  }

  async #verifySessionToken(token: string): Promise<Principal> {
    assertSessionToken(token)
    const hash = sessionTokenHash(token)
    const record = await askStore('session token', () => this.#deps.sessionTokens.findByHash(hash))
    if (record === undefined || record.hash !== hash) {
      throw new IdentityError('unknown-token', 'the session token is not known or long expired')
    }
    if (record.issuer !== OPERATOR_ISSUER && !this.#issuers.has(record.issuer)) {
      const message = 'the session token was made from an issuer that is not accepted any more'
      throw new IdentityError('wrong-issuer', message)
    }
    return this.#principalOf(record)
  }

  #principalOf(record: SessionTokenRecord): Principal {
    const { issuer, subject, narrowed, ancestorTokenIds } = record
    const from = { issuer, subject, allGroups: record.groups }
    return deepFreeze(
      structuredClone({
        ...from,
        ...rolesAndGroups(from, this.config.roles, narrowed.roles),
        kind: record.kind,
        claims: record.claims,
        graph: record.graph,
        node: record.node,
        run: record.run,
        narrowed,
        tokenId: record.id,
        tokenKind: 'session' as const,
        expiresAt: record.expiresAt,
        issuedAt: record.issuedAt,
        parentTokenId: ancestorTokenIds.at(-1) ?? null,
        ancestorTokenIds,
      }),
    )
  }

  async #assertNotRevoked(principal: Principal): Promise<void> {
    const revoked = await askStore('revocation', () => this.#deps.revocations.isRevoked(principal))
    // Anything but a clear no is a yes.
    if (revoked !== false) throw new IdentityError('revoked', 'the token has been revoked')
  }
}

function assertNotExpired(expiresAt: EpochMs, now: EpochMs): void {
  if (!(now < expiresAt)) throw expired(now - expiresAt)
}

function assertShape(token: string): void {
  if (typeof token !== 'string') throw new IdentityError('malformed', 'the token is not text')
  if (token === '') {
    throw new IdentityError('missing', 'no token; put the token in the password field')
  }
  if (token.length > TOKEN_BYTES_MAX) {
    throw new IdentityError('malformed', `the token is longer than ${TOKEN_BYTES_MAX} bytes`)
  }
  if (/^bearer\s/i.test(token)) {
    throw new IdentityError('malformed', 'give the token alone, without `Bearer` before it')
  }
  if (/\s/.test(token)) {
    throw new IdentityError('malformed', 'the token has white space in or around it')
  }
}

const SAFE_JTI = /^[A-Za-z0-9._~:@-]{1,128}$/

/**
 * `jti`, or 96 bits of a hash of what is signed. Not of the whole token: an ECDSA signature can be
 * changed into another valid one, and a revoked token must not come back that way.
 */
function jwtId(jwt: UnverifiedJwt): string {
  const { jti } = jwt.claims
  if (typeof jti === 'string' && SAFE_JTI.test(jti)) return jti
  const digest = createHash('sha256').update(jwt.signingInput, 'ascii').digest()
  return `jwt_${digest.subarray(0, 12).toString('base64url')}`
}
