/**
 * Takes a compact JWS (RFC 7515 §7.1) apart before anything is verified, only to learn which issuer
 * and key to ask, and refuses shapes that have fooled verifiers: duplicate members, `crit`, deep
 * nesting. What comes out is untrusted until the signature over exactly these bytes is checked.
 */
import { IdentityError } from './errors.ts'
import { CLAIMS_DEPTH_MAX, KEY_ID_CHARS_MAX } from './limits.ts'

export interface UnverifiedJwt {
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
  /** `header.payload`: what the signature covers. Unlike the signature it cannot be varied. */
  readonly signingInput: string
}

const COMPACT_JWS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)$/

/** Throws `malformed`. */
export function parseUnverifiedJwt(token: string): UnverifiedJwt {
  const parts = COMPACT_JWS.exec(token)
  if (parts === null) throw notAToken('not a compact JWS')
  const header = parseJsonObject(parts[1]!, 'header')
  const claims = parseJsonObject(parts[2]!, 'claims')
  // RFC 7515 §4.1.11: an extension marked critical that is not understood must be refused; none is.
  if (Object.hasOwn(header, 'crit')) throw notAToken('header has `crit`')
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') throw notAToken('header `alg` is not a string')
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KEY_ID_CHARS_MAX)) {
    throw notAToken('header `kid` is not a short string')
  }
  if (typ !== undefined && typeof typ !== 'string') throw notAToken('header `typ` is not a string')
  return { alg, kid, typ, claims, signingInput: `${parts[1]}.${parts[2]}` }
}

function notAToken(diagnostic: string): IdentityError {
  return new IdentityError('malformed', 'the token is broken or is not a token', diagnostic)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseJsonObject(encoded: string, what: string): Record<string, unknown> {
  const bytes = Buffer.from(encoded, 'base64url')
  // One text per value: refuses padding bits that are not zero.
  if (bytes.toString('base64url') !== encoded)
    throw notAToken(`${what}: base64url is not canonical`)
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    throw notAToken(`${what}: not JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw notAToken(`${what}: not a JSON object`)
  }
  const fault = structureFault(text)
  if (fault !== null) throw notAToken(`${what}: ${fault}`)
  // `value` is a non-null, non-array object made by JSON.parse.
  return value as Record<string, unknown>
}

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g

/**
 * What JSON.parse lets pass: duplicate member names (RFC 7519 §4 allows to refuse them; two readers
 * may otherwise take different ones) and depth. `text` must be valid JSON.
 */
export function structureFault(text: string): 'duplicate member' | 'nested too deeply' | null {
  const open: (Set<string> | null)[] = []
  let previous = ''
  for (const [token] of text.matchAll(JSON_TOKEN)) {
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : null)
      if (open.length > CLAIMS_DEPTH_MAX) return 'nested too deeply'
    } else if (token === '}' || token === ']') {
      open.pop()
    } else if (token.startsWith('"') && (previous === '{' || previous === ',')) {
      const names = open.at(-1)
      if (names instanceof Set) {
        const name: string = JSON.parse(token)
        if (names.has(name)) return 'duplicate member'
        names.add(name)
      }
    }
    previous = token
  }
  return null
}
