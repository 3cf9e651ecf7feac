/**
 * SASL OAUTHBEARER (RFC 7628): the client's message and our failure answer, as bytes and JSON.
 * PostgreSQL 18 clients speak it with `oauth_issuer`; the bearer token is an ordinary token to us.
 *
 *   n , [a=authzid] , ^A auth=Bearer SP token ^A [key=value ^A]… ^A
 */
import type { IdentityConfig } from './config.ts'
import { IdentityError } from './errors.ts'
import { discoveryUrlOf } from './issuer-keys.ts'
import { OAUTH_BEARER_BYTES_MAX } from './limits.ts'

export type OauthBearerMessage =
  | { readonly kind: 'token'; readonly token: string; readonly authzid: string | null }
  /** §4.3: no token yet; the client wants the failure answer to learn the issuer. */
  | { readonly kind: 'discovery'; readonly authzid: string | null }
  /** §3.2.3: the client's lone ^A after our failure answer. */
  | { readonly kind: 'abort' }

const GS2_HEADER = /^[ny],(?:a=([^,]+))?,$/
const KEY_VALUE = /^([A-Za-z]+)=([\t\n\r -~]*)$/
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i

/** Throws `malformed`. */
export function parseOauthBearer(bytes: Uint8Array): OauthBearerMessage {
  if (bytes.byteLength === 1 && bytes[0] === 0x01) return { kind: 'abort' }
  if (bytes.byteLength > OAUTH_BEARER_BYTES_MAX) throw malformed('too long')
  // latin1 maps bytes to characters one to one; the patterns below admit ASCII only.
  const text = Buffer.from(bytes).toString('latin1')
  const [header = '', ...rest] = text.split('\x01')
  const gs2 = GS2_HEADER.exec(header)
  if (gs2 === null) throw malformed('GS2 header')
  // Every pair ends in ^A and one more ^A ends the message: two empty pieces at the end.
  if (rest.pop() !== '' || rest.pop() !== '' || rest.length === 0) throw malformed('separators')
  const pairs = new Map<string, string>()
  for (const piece of rest) {
    const [, key, value] = KEY_VALUE.exec(piece) ?? []
    if (key === undefined || value === undefined) throw malformed('key-value pair')
    if (pairs.has(key)) throw malformed('key given twice')
    pairs.set(key, value)
  }
  const auth = pairs.get('auth')
  if (auth === undefined) throw malformed('no auth')
  const authzid = decodeSaslName(gs2[1])
  if (auth === '') return { kind: 'discovery', authzid }
  const token = BEARER.exec(auth)?.[1]
  if (token === undefined) throw malformed('auth is not a bearer token')
  return { kind: 'token', token, authzid }
}

/** RFC 5801 §4: `=2C` is a comma, `=3D` an equals sign; any other `=` is an error. */
function decodeSaslName(name: string | undefined): string | null {
  if (name === undefined) return null
  if (/[^ -~]/.test(name) || /=(?!2C|3D)/.test(name)) throw malformed('authzid')
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

function malformed(what: string): IdentityError {
  return new IdentityError(
    'malformed',
    'the OAUTHBEARER message is not well formed',
    `OAUTHBEARER: ${what}`,
  )
}

/** §3.2.2: the JSON that tells a client which issuer to ask. Default: the first issuer. */
export function oauthBearerFailure(
  config: IdentityConfig,
  options: { issuer?: string; scope?: string } = {},
): string {
  const issuer = options.issuer ?? config.issuers[0]?.issuer
  return JSON.stringify({
    status: 'invalid_token',
    ...(issuer === undefined ? {} : { 'openid-configuration': discoveryUrlOf(issuer) }),
    ...(options.scope === undefined ? {} : { scope: options.scope }),
  })
}
