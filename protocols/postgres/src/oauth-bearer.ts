/**
 * OAUTHBEARER on the server's side (RFC 7628, as PostgreSQL 18 speaks it): the client's initial response
 * in, its bearer token out; and the failure a client without, or with a bad, token is told.
 *
 *     "n,," ^A "auth=Bearer " token ^A ^A
 *
 * https://www.rfc-editor.org/rfc/rfc7628, https://www.postgresql.org/docs/18/sasl-authentication.html
 */

import { decodeUtf8 } from './bytes.ts'
import { ProtocolError, SQLSTATE } from './errors.ts'

export const OAUTHBEARER = 'OAUTHBEARER'

const SEPARATOR = '\x01'
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
const KEY = /^[A-Za-z]+$/

/**
 * The token of an initial response; null where the client sends none, which asks where to get one.
 * Throws 'bad-authentication' on any other form, on channel binding and on an authorization identity.
 */
export function decodeBearer(data: Buffer): string | null {
  const text = decodeUtf8(data, 0, data.length)
  const [header, ...pairs] = text.split(SEPARATOR)
  if (header !== 'n,,' && header !== 'y,,') {
    throw bad('channel binding or an authorization identity in OAUTHBEARER')
  }
  // The message ends in two separators: one of the last pair, one of the list.
  if (pairs.length < 2 || pairs.pop() !== '' || pairs.pop() !== '') {
    throw bad('OAUTHBEARER response without its end')
  }
  const auth = authOf(pairs)
  if (auth === '') return null
  const space = auth.indexOf(' ')
  const token = auth.slice(space + 1).replace(/^ +/, '')
  if (space < 0 || auth.slice(0, space).toLowerCase() !== 'bearer' || !B64TOKEN.test(token)) {
    throw bad('OAUTHBEARER credential that is not a bearer token')
  }
  return token
}

function authOf(pairs: readonly string[]): string {
  let auth: string | null = null
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 0 || !KEY.test(pair.slice(0, equals))) throw bad('malformed OAUTHBEARER pair')
    if (pair.slice(0, equals) !== 'auth') continue
    if (auth !== null) throw bad('two credentials in OAUTHBEARER')
    auth = pair.slice(equals + 1)
  }
  if (auth === null) throw bad('OAUTHBEARER response without a credential')
  return auth
}

function bad(what: string): ProtocolError {
  return new ProtocolError('bad-authentication', 'remote', what, {
    sqlstate: SQLSTATE.PROTOCOL_VIOLATION,
  })
}

/** What a client is told about a missing or refused token. */
export interface BearerFailure {
  /** `invalid_token`, `insufficient_scope` or `invalid_request` (RFC 7628 §3.2.2). */
  readonly status: 'invalid_token' | 'insufficient_scope' | 'invalid_request'
  readonly scope?: string
  /** URL of the issuer's discovery document. */
  readonly openidConfiguration?: string
}

/** The failure as the JSON of RFC 7628 §3.2.2. */
export function encodeBearerFailure(failure: BearerFailure): Buffer {
  return Buffer.from(
    JSON.stringify({
      status: failure.status,
      ...(failure.openidConfiguration === undefined
        ? {}
        : { 'openid-configuration': failure.openidConfiguration }),
      ...(failure.scope === undefined ? {} : { scope: failure.scope }),
    }),
  )
}
