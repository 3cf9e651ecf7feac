/**
 * One JWT against one issuer: algorithm, key, signature, then the registered claims. The
 * cryptography and the claim arithmetic are jose's; the refusals are put in our words here.
 * Spec: RFC 7519 §7.2, RFC 8725.
 */
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify, type LocalJWKSet } from 'jose'
import { audiencesOf, DEFAULT_ALGORITHMS, type IssuerConfig } from './config.ts'
import { IdentityError } from './errors.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import type { UnverifiedJwt } from './jwt.ts'
import { KEYS_TRIED_MAX } from './limits.ts'
import type { EpochMs } from './principal.ts'

export interface VerifiedClaims {
  readonly claims: Readonly<Record<string, unknown>>
  readonly expiresAt: EpochMs
  readonly issuedAt: EpochMs | null
  /** `keys.generation` of the keys that verified the signature. */
  readonly generation: number
}

interface Context {
  readonly issuer: IssuerConfig
  readonly now: EpochMs
  readonly clockSkewSeconds: number
}

/** `jwt` must be what `token` parses to. Throws IdentityError. */
export async function verifyJwt(
  token: string,
  jwt: UnverifiedJwt,
  options: Context & { keys: IssuerKeys },
): Promise<VerifiedClaims> {
  assertAlgorithm(jwt, options.issuer)
  assertTyp(jwt, options.issuer)
  const { keys } = options
  let find = await keys.current()
  let generation = keys.generation
  try {
    return { ...(await verifyWith(find, token, options)), generation }
  } catch (error) {
    if (!(error instanceof IdentityError) || error.code !== 'unknown-key') throw error
    if (!(await keys.refetchForUnknownKey())) throw error
  }
  find = await keys.current()
  generation = keys.generation
  return { ...(await verifyWith(find, token, options)), generation }
}

function assertAlgorithm(jwt: UnverifiedJwt, issuer: IssuerConfig): void {
  const allowed: readonly string[] = issuer.algorithms ?? DEFAULT_ALGORITHMS
  if (allowed.includes(jwt.alg)) return
  const message = `the token is signed with an algorithm that is not accepted; accepted: ${allowed.join(', ')}`
  throw new IdentityError('algorithm', message, `algorithm not allowed for ${issuer.issuer}`)
}

/** RFC 8725 §3.11: a logout token, a DPoP proof or a security event must not pass for an access token. */
function assertTyp(jwt: UnverifiedJwt, issuer: IssuerConfig): void {
  const typ = jwt.typ?.toLowerCase().replace(/^application\//, '')
  const accepted =
    issuer.typ === undefined
      ? typ === undefined || typ === 'jwt' || typ === 'at+jwt'
      : typ === issuer.typ.toLowerCase().replace(/^application\//, '')
  if (accepted) return
  const expected = issuer.typ ?? 'JWT or at+jwt'
  const message = `the token is of another type than an access token; expected typ: ${expected}`
  throw new IdentityError('token-type', message)
}

async function verifyWith(
  find: LocalJWKSet,
  token: string,
  context: Context,
): Promise<Omit<VerifiedClaims, 'generation'>> {
  let payload: JWTPayload
  try {
    payload = await verifyByAnyKey(find, token, joseOptions(context))
  } catch (error) {
    throw asIdentityError(error, context)
  }
  return { claims: payload, ...lifeOf(payload, context) }
}

function joseOptions({ issuer, now, clockSkewSeconds }: Context): JWTVerifyOptions {
  return {
    algorithms: [...(issuer.algorithms ?? DEFAULT_ALGORITHMS)],
    issuer: issuer.issuer,
    audience: [...audiencesOf(issuer)],
    requiredClaims: ['exp'],
    clockTolerance: clockSkewSeconds,
    currentDate: new Date(now),
    ...(issuer.maxTokenAgeSeconds === undefined ? {} : { maxTokenAge: issuer.maxTokenAgeSeconds }),
  }
}

/** A token without `kid` may fit several keys; each is tried, up to `KEYS_TRIED_MAX`. */
async function verifyByAnyKey(
  find: LocalJWKSet,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, find, options)).payload
  } catch (several) {
    if (!(several instanceof errors.JWKSMultipleMatchingKeys)) throw several
    let tried = 0
    for await (const key of several) {
      if (++tried > KEYS_TRIED_MAX) break
      try {
        return (await jwtVerify(token, key, options)).payload
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      }
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

/** 8.64e12 s is the last instant a Date can hold. */
const EPOCH_SECONDS_MAX = 8.64e12

function lifeOf(
  payload: JWTPayload,
  { issuer, now, clockSkewSeconds }: Context,
): { expiresAt: EpochMs; issuedAt: EpochMs | null } {
  const { exp, iat } = payload
  for (const [claim, value] of Object.entries({ exp, iat })) {
    if (value !== undefined && !(Math.abs(value) <= EPOCH_SECONDS_MAX)) {
      throw new IdentityError('claims', `the token's claim \`${claim}\` is not a point in time`)
    }
  }
  const skewMs = clockSkewSeconds * 1000
  const issuedAt = iat === undefined ? null : iat * 1000
  if (issuedAt !== null && issuedAt > now + skewMs) {
    throw new IdentityError('not-yet-valid', 'the token says it was issued in the future')
  }
  // exp is required above; -1 would be refused below.
  let expiresAt = (exp ?? -1) * 1000 + skewMs
  if (issuer.maxTokenAgeSeconds !== undefined && issuedAt !== null) {
    expiresAt = Math.min(expiresAt, issuedAt + issuer.maxTokenAgeSeconds * 1000 + skewMs)
  }
  if (!(now < expiresAt)) throw expired(now - expiresAt + skewMs)
  return { expiresAt, issuedAt }
}

/** `agoMs`: since its own end, without the skew. */
export function expired(agoMs: number): IdentityError {
  return new IdentityError('expired', `the token expired ${durationText(agoMs)} ago; get a new one`)
}

export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const units = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
  ] as const
  const [size, unit] = units.find(([size]) => seconds >= 2 * size) ?? [1, 'second']
  const count = Math.floor(seconds / size)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** jose's errors carry the claims, so only their code goes into the diagnostic. */
function asIdentityError(error: unknown, context: Context): IdentityError {
  const { issuer } = context
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed) {
    return claimError(error, context)
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    const message = 'the token is signed with a key that its issuer does not publish'
    return new IdentityError('unknown-key', message, `no matching key at ${issuer.issuer}`)
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    const message = "the token's signature is not valid"
    return new IdentityError('signature', message, `bad signature for ${issuer.issuer}`)
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return new IdentityError('algorithm', 'the token is signed in a way that is not accepted')
  }
  if (error instanceof errors.JOSEError) {
    return new IdentityError('malformed', 'the token is broken or is not a token', error.code)
  }
  // Key import and use throw plain errors, e.g. for an RSA key under 2048 bits.
  const message = "the token's key cannot be used"
  return new IdentityError('signature', message, `a key of ${issuer.issuer} cannot be used`)
}

function claimError(
  error: errors.JWTExpired | errors.JWTClaimValidationFailed,
  { issuer, now }: Context,
): IdentityError {
  const { claim, reason } = error
  const failed = reason === 'check_failed'
  if (claim === 'aud' && (failed || reason === 'missing')) {
    const expected = audiencesOf(issuer).join('` or `')
    return new IdentityError(
      'wrong-audience',
      `the token is for another audience than \`${expected}\``,
    )
  }
  if (claim === 'exp' && failed) return expired(now - secondsAt(error.payload, 'exp') * 1000)
  if (claim === 'iat' && error instanceof errors.JWTExpired) {
    const most = durationText((issuer.maxTokenAgeSeconds ?? 0) * 1000)
    return new IdentityError('expired', `the token is older than ${most}; get a new one`)
  }
  if (failed && (claim === 'nbf' || claim === 'iat')) {
    const inMs = secondsAt(error.payload, claim) * 1000 - now
    return new IdentityError('not-yet-valid', `the token is valid only in ${durationText(inMs)}`)
  }
  const how = reason === 'missing' ? 'is missing' : 'is not acceptable'
  return new IdentityError('claims', `the token's claim \`${claim}\` ${how}`)
}

function secondsAt(payload: JWTPayload, claim: 'exp' | 'nbf' | 'iat'): number {
  return Number(payload[claim])
}
