/**
 * Why a token is refused, in words for whoever runs the gateway: the verifier says what failed, the
 * token's own (unverified) claims and the configuration say what was there and what was expected.
 */
import { type IdentityConfig, type IdentityError, SIGNATURE_ALGORITHMS } from '@sallyport/identity'
import { formatDuration, formatMoment } from '../duration.ts'
import { type Decoded, sayClaim, timeClaim } from './jwt.ts'

export interface Diagnosis {
  readonly code: string
  readonly message: string
  /** What to do about it. */
  readonly fix: string
}

interface Context {
  readonly decoded: Decoded
  readonly identity: IdentityConfig
  readonly now: number
}

export function diagnose(error: IdentityError, { decoded, identity, now }: Context): Diagnosis {
  const claims = decoded.kind === 'jwt' ? decoded.claims : {}
  const issuer = identity.issuers.find((one) => one.issuer === claims['iss'])
  const say = (message: string, fix: string): Diagnosis => ({ code: error.code, message, fix })
  switch (error.code) {
    case 'expired': {
      const at = timeClaim(claims, 'exp')
      return say(
        at === null || at > now
          ? error.message
          : `it expired ${formatDuration(now - at)} ago (${formatMoment(at)}; the clock here says ${formatMoment(now)})`,
        'Get a new token. If it is new, one of the two clocks is wrong.',
      )
    }
    case 'not-yet-valid': {
      const at = timeClaim(claims, 'nbf') ?? timeClaim(claims, 'iat')
      return say(
        at === null || at <= now
          ? error.message
          : `it is valid only in ${formatDuration(at - now)} (from ${formatMoment(at)}; the clock here says ${formatMoment(now)})`,
        `The clocks differ by more than identity.clock-skew-seconds (${identity.clockSkewSeconds}): correct the clock that is wrong.`,
      )
    }
    case 'wrong-issuer':
      return say(
        `its issuer (iss) is ${sayClaim(claims['iss'])}, accepted here: ${sayClaim(identity.issuers.map((one) => one.issuer))}`,
        'Compared byte for byte, a slash at the end included: correct identity.issuers, or get a token there.',
      )
    case 'wrong-audience':
      return say(
        `its audience (aud) is ${sayClaim(claims['aud'])}, expected ${sayClaim(issuer?.audience)}`,
        'Ask the issuer for a token for this gateway, or correct `audience` in the configuration.',
      )
    case 'unknown-key': {
      const kid = decoded.kind === 'jwt' ? decoded.header['kid'] : undefined
      return say(
        `it is signed with the key ${sayClaim(kid)} (kid), which its issuer does not publish`,
        'Is it from another realm or environment of that issuer? After a key rotation, get a new one.',
      )
    }
    case 'algorithm': {
      const alg = decoded.kind === 'jwt' ? decoded.header['alg'] : undefined
      const accepted = issuer?.algorithms ?? SIGNATURE_ALGORITHMS
      return say(
        `it is signed with ${sayClaim(alg)}, accepted: ${accepted.join(', ')}`,
        'Let the issuer sign with one of these (never `none` or HS256), or add it to `algorithms`.',
      )
    }
    default:
      return say(error.message, FIXES[error.code] ?? 'See the gateway’s log for this code.')
  }
}

const FIXES: Readonly<Record<string, string>> = {
  missing: 'Put the token into the password field.',
  malformed: 'Copy the whole token, nothing before or after it.',
  signature: 'It was changed, cut, or signed by someone else: get a new one from the issuer.',
  'token-type': 'Use an access token, not an ID token, logout token or other JWT.',
  revoked: 'It was revoked: `sallyport token list` shows session tokens; get a new one.',
  'unknown-token':
    'Was it minted on this machine, with this state directory? If so it is long expired.',
  'issuer-unavailable': 'The issuer must be reachable from here: check network, proxy and its URL.',
  'store-unavailable': 'Check that the state directory can be read and written.',
  claims:
    'Correct what the issuer puts into its tokens, or `claims` and `require` of the configuration.',
  'role-not-allowed': 'Use a role of the list, or add the group or subject to identity.roles.',
  'connection-not-allowed': 'Get a token that is not narrowed to other connections.',
}
