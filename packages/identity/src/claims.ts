/**
 * Verified claims → the fields of a principal, as the issuer's configuration maps them. A claim that
 * is there but has the wrong shape is a refusal, never "none": a deny rule may depend on it.
 */
import type { ClaimPath, IssuerConfig, RequiredClaim } from './config.ts'
import { IdentityError } from './errors.ts'
import { GROUPS_MAX, NAME_CHARS_MAX } from './limits.ts'
import type { PrincipalKind } from './principal.ts'

export type Claims = Readonly<Record<string, unknown>>

export interface MappedClaims {
  readonly subject: string
  readonly groups: readonly string[]
  readonly kind: PrincipalKind
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
}

/** Throws `claims`. */
export function mapClaims(claims: Claims, issuer: IssuerConfig): MappedClaims {
  requireClaims(claims, issuer)
  const mapping = issuer.claims ?? {}
  const subjectPath = mapping.subject ?? 'sub'
  const subject = nameAt(claims, subjectPath)
  if (subject === null) throw unacceptable(subjectPath, 'is missing')
  return {
    subject,
    groups: groupsOf(claims, issuer),
    kind: kindOf(claims, issuer),
    graph: mapping.graph === undefined ? null : nameAt(claims, mapping.graph),
    node: mapping.node === undefined ? null : nameAt(claims, mapping.node),
    run: mapping.run === undefined ? null : nameAt(claims, mapping.run),
  }
}

/** The steps of a path, or null when it is not one. */
export function parseClaimPath(path: ClaimPath): readonly string[] | null {
  if (path.startsWith('/')) {
    if (/~(?![01])/.test(path)) return null
    return path
      .slice(1)
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  const steps = path.includes('://') ? [path] : path.split('.')
  return steps.every((step) => step !== '') ? steps : null
}

/** The value at a path; `undefined` when any step is absent. Never looks at inherited members. */
export function claimAt(claims: Claims, path: ClaimPath): unknown {
  let value: unknown = claims
  for (const step of parseClaimPath(path) ?? []) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    // Safe: `value` is a non-null object that has `step` as its own member.
    value = (value as Record<string, unknown>)[step]
  }
  return value
}

/** May be a subject, group, connection, role, graph, node or run: short and printable. */
export function isName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= NAME_CHARS_MAX &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  )
}

function nameAt(claims: Claims, path: ClaimPath): string | null {
  const value = claimAt(claims, path)
  if (value === undefined || value === null) return null
  if (!isName(value)) throw unacceptable(path, 'is not a short printable string')
  return value
}

function groupsOf(claims: Claims, issuer: IssuerConfig): readonly string[] {
  const path = issuer.claims?.groups ?? 'groups'
  const value = claimAt(claims, path)
  if (value === undefined || value === null) {
    // OIDC Core §5.6.2: Entra puts the groups elsewhere when there are many. Reading that as "no
    // groups" would let a rule that denies a group pass.
    const elsewhere = claimAt(claims, '/_claim_names')
    if (typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, path)) {
      throw unacceptable(path, 'is left out by the issuer because there are too many groups')
    }
    if (issuer.groupsRequired === true) throw unacceptable(path, 'is missing')
    return []
  }
  const groups: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (groups.length > GROUPS_MAX) throw unacceptable(path, `has more than ${GROUPS_MAX} groups`)
  if (!groups.every(isName)) throw unacceptable(path, 'is not a list of short printable strings')
  return [...new Set(groups.map((group) => `${issuer.groupPrefix ?? ''}${group}`))].sort()
}

function kindOf(claims: Claims, issuer: IssuerConfig): PrincipalKind {
  const rule = issuer.claims?.kind
  if (rule === undefined) return hasLoggedIn(claims) ? 'human' : 'machine'
  if ('fixed' in rule) return rule.fixed
  const value = claimAt(claims, rule.claim)
  const human = rule.human ?? ['human']
  return human.some((accepted) => accepted === value) ? 'human' : 'machine'
}

/** OIDC Core §2 `auth_time`/`amr`: someone authenticated; RFC 9068 §2.2: a client's `sub` is its id. */
function hasLoggedIn(claims: Claims): boolean {
  const { sub, client_id: clientId, azp } = claims
  const shown = typeof claims['auth_time'] === 'number' || Array.isArray(claims['amr'])
  return shown && sub !== clientId && sub !== azp
}

function requireClaims(claims: Claims, issuer: IssuerConfig): void {
  // RFC 7800 §3: such a token is worth nothing without proof of the key, and a password field
  // carries none; taking it as a bearer token would undo what the issuer protects.
  if (claims['cnf'] !== undefined) throw unacceptable('cnf', 'binds it to a key (DPoP or mTLS)')
  for (const [path, accepted] of Object.entries(issuer.require ?? {})) {
    if (!hasAccepted(claimAt(claims, path), accepted)) {
      throw unacceptable(path, 'does not have the value this gateway requires')
    }
  }
}

function hasAccepted(value: unknown, accepted: RequiredClaim): boolean {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  const wanted: readonly unknown[] = typeof accepted === 'object' ? accepted : [accepted]
  return values.some((one) => wanted.includes(one))
}

/** `path` is from the configuration or fixed here, never from the token. */
function unacceptable(path: ClaimPath, how: string): IdentityError {
  return new IdentityError('claims', `the token's claim \`${path}\` ${how}`)
}
