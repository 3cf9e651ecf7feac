/**
 * Judges an identity configuration before it is used: errors make `createVerifier` refuse it,
 * warnings are for the log and the doctor.
 */
import { parseClaimPath } from './claims.ts'
import {
  audiencesOf,
  type IdentityConfig,
  type IssuerConfig,
  type Matcher,
  OPERATOR_ISSUER,
  SIGNATURE_ALGORITHMS,
} from './config.ts'
import {
  CLOCK_SKEW_SECONDS_MAX,
  KEYS_FRESH_MS_MAX,
  KEYS_STALE_MS_MAX,
  SESSION_LIFETIME_SECONDS_MAX,
} from './limits.ts'

export interface ConfigProblem {
  readonly level: 'error' | 'warning'
  /** Where, e.g. `issuers[0].audience`. */
  readonly path: string
  readonly message: string
}

/** `https`, or `http` on loopback; no credentials, no fragment. */
export function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || text.includes('#')) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** Everything wrong with a configuration; no `error` among them means it can be used. */
export function identityConfigProblems(config: IdentityConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const error = (path: string, message: string): void => {
    problems.push({ level: 'error', path, message })
  }
  const warning = (path: string, message: string): void => {
    problems.push({ level: 'warning', path, message })
  }
  config.issuers.forEach((issuer, index) => {
    checkIssuer(issuer, (path, message) => error(`issuers[${index}].${path}`, message))
    const same = config.issuers.findIndex((other) => other.issuer === issuer.issuer)
    if (same !== index) error(`issuers[${index}].issuer`, `is the same as issuers[${same}]`)
  })
  for (const [name, role] of Object.entries(config.roles)) {
    if (name === '') error('roles', 'a role needs a name')
    checkMatcher(role, config, (message) => error(`roles.${name}`, message))
  }
  checkNumbers(config, error)
  if (config.sessionTokens.contextFrom !== undefined) {
    const path = 'sessionTokens.contextFrom'
    checkMatcher(config.sessionTokens.contextFrom, config, (message) => error(path, message))
  }
  const unprefixed = config.issuers.filter((issuer) => (issuer.groupPrefix ?? '') === '')
  if (unprefixed.length > 1) {
    const message = `${unprefixed.length} issuers have no groupPrefix: a group of one counts as the group of the other`
    warning('issuers', message)
  }
  return problems
}

function checkIssuer(issuer: IssuerConfig, error: (path: string, message: string) => void): void {
  if (!isIssuerUrl(issuer.issuer) || issuer.issuer.includes('?')) {
    error('issuer', 'must be an https URL without query or fragment (http only on loopback)')
  }
  if (issuer.jwksUri !== undefined && !isIssuerUrl(issuer.jwksUri)) {
    error('jwksUri', 'must be an https URL (http only on loopback)')
  }
  const audiences = audiencesOf(issuer)
  if (audiences.length === 0 || audiences.some((audience) => audience === '')) {
    error('audience', 'at least one audience is needed; a token made for others must not open this')
  }
  const algorithms = issuer.algorithms ?? SIGNATURE_ALGORITHMS
  if (algorithms.length === 0) error('algorithms', 'at least one is needed')
  for (const algorithm of algorithms) {
    if (!SIGNATURE_ALGORITHMS.includes(algorithm)) {
      error('algorithms', `\`${algorithm}\` is not one of ${SIGNATURE_ALGORITHMS.join(', ')}`)
    }
  }
  for (const [where, path] of claimPathsOf(issuer)) {
    if (parseClaimPath(path) === null) error(where, `\`${path}\` is not a claim path`)
  }
  const staleMs = (issuer.keysStaleSecondsMax ?? KEYS_STALE_MS_MAX / 1000) * 1000
  if (!(staleMs >= KEYS_FRESH_MS_MAX && staleMs <= KEYS_STALE_MS_MAX)) {
    const least = KEYS_FRESH_MS_MAX / 1000
    error('keysStaleSecondsMax', `must be between ${least} and ${KEYS_STALE_MS_MAX / 1000}`)
  }
  if (issuer.maxTokenAgeSeconds !== undefined && !(issuer.maxTokenAgeSeconds > 0)) {
    error('maxTokenAgeSeconds', 'must be more than 0')
  }
}

function claimPathsOf(issuer: IssuerConfig): [string, string][] {
  const mapping = issuer.claims ?? {}
  const paths: [string, string][] = Object.keys(issuer.require ?? {}).map((path) => [
    'require',
    path,
  ])
  for (const field of ['subject', 'groups', 'graph', 'node', 'run'] as const) {
    const path = mapping[field]
    if (path !== undefined) paths.push([`claims.${field}`, path])
  }
  if (mapping.kind !== undefined && 'claim' in mapping.kind) {
    paths.push(['claims.kind.claim', mapping.kind.claim])
  }
  return paths
}

function checkMatcher(
  matcher: Matcher,
  config: IdentityConfig,
  error: (message: string) => void,
): void {
  const known = [...config.issuers.map((issuer) => issuer.issuer), OPERATOR_ISSUER]
  for (const issuer of matcher.issuers ?? []) {
    if (!known.includes(issuer)) error(`\`${issuer}\` is not a configured issuer`)
  }
  const subjects = matcher.subjects ?? []
  if (subjects.length > 0 && matcher.issuers === undefined && config.issuers.length > 1) {
    // Two issuers may both have an `alice`.
    error('`subjects` needs `issuers` when several issuers are configured')
  }
}

function checkNumbers(
  config: IdentityConfig,
  error: (path: string, message: string) => void,
): void {
  const { maxLifetimeSeconds, defaultLifetimeSeconds, maxLivePerSubject = 1 } = config.sessionTokens
  if (!(config.clockSkewSeconds >= 0 && config.clockSkewSeconds <= CLOCK_SKEW_SECONDS_MAX)) {
    error('clockSkewSeconds', `must be between 0 and ${CLOCK_SKEW_SECONDS_MAX}`)
  }
  if (!(maxLifetimeSeconds >= 1 && maxLifetimeSeconds <= SESSION_LIFETIME_SECONDS_MAX)) {
    error(
      'sessionTokens.maxLifetimeSeconds',
      `must be between 1 and ${SESSION_LIFETIME_SECONDS_MAX}`,
    )
  }
  if (!(defaultLifetimeSeconds >= 1 && defaultLifetimeSeconds <= maxLifetimeSeconds)) {
    error('sessionTokens.defaultLifetimeSeconds', 'must be between 1 and maxLifetimeSeconds')
  }
  if (!(Number.isInteger(maxLivePerSubject) && maxLivePerSubject >= 1)) {
    error('sessionTokens.maxLivePerSubject', 'must be a whole number, at least 1')
  }
}
