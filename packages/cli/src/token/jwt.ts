/** Looks into a token without believing it: for people who ask what they hold. */
import { SESSION_TOKEN_PATTERN, TOKEN_BYTES_MAX } from '@sallyport/identity'

export type Decoded =
  | {
      readonly kind: 'jwt'
      readonly header: Readonly<Record<string, unknown>>
      readonly claims: Readonly<Record<string, unknown>>
    }
  /** Opaque: everything about it is in the gateway's state. */
  | { readonly kind: 'session' }
  | { readonly kind: 'neither'; readonly why: string }

/** Verifies nothing. Never throws, and no part of the token is in `why`. */
export function decodeToken(token: string): Decoded {
  if (token.startsWith('spt_')) {
    if (SESSION_TOKEN_PATTERN.test(token)) return { kind: 'session' }
    return neither('it begins like a session token but is not 42 characters of its alphabet')
  }
  if (token.length > TOKEN_BYTES_MAX) return neither(`it is longer than ${TOKEN_BYTES_MAX} bytes`)
  if (/^bearer\s/i.test(token)) return neither('it has `Bearer` before it: give the token alone')
  const parts = token.split('.')
  if (parts.length === 5) return neither('it is an encrypted JWT (JWE); a signed one is needed')
  if (parts.length !== 3) {
    return neither(
      'it is neither a JWT (three parts with dots between) nor a session token (spt_…)',
    )
  }
  const header = jsonObject(parts[0] ?? '')
  const claims = jsonObject(parts[1] ?? '')
  if (header === null || claims === null) {
    return neither('it has the three parts of a JWT, but they are not JSON: cut or mistyped?')
  }
  return { kind: 'jwt', header, claims }
}

function neither(why: string): Decoded {
  return { kind: 'neither', why }
}

function jsonObject(encoded: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    // A non-null object that is no array, made by JSON.parse.
    return value as Record<string, unknown>
  } catch {
    return null
  }
}

/** A time claim (seconds since 1970) as milliseconds; null when it is none. */
export function timeClaim(
  claims: Readonly<Record<string, unknown>>,
  name: 'exp' | 'nbf' | 'iat',
): number | null {
  const value = claims[name]
  return typeof value === 'number' && Number.isFinite(value) ? value * 1000 : null
}

/** `iss` and the like for a sentence; `nothing` when it is missing. */
export function sayClaim(value: unknown): string {
  if (value === undefined) return 'nothing'
  const values = Array.isArray(value) ? value : [value]
  return values
    .map((one) => `\`${typeof one === 'string' ? one : JSON.stringify(one)}\``)
    .join(', ')
}
