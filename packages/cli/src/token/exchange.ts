/** A running gateway's token endpoints over HTTP: exchange (RFC 8693) and revocation (RFC 7009). */
import {
  ACCESS_TOKEN_TYPE,
  formatScope,
  type Narrowed,
  TOKEN_EXCHANGE_GRANT,
} from '@sallyport/identity'
import { endpoint, unreachable } from '../control/address.ts'
import { CliError } from '../errors.ts'

/** Whole time for one answer, milliseconds. */
export const EXCHANGE_MS_MAX = 15_000
const ANSWER_CHARS_MAX = 64 * 1024

export interface Exchanged {
  readonly token: string
  readonly expiresInSeconds: number
  readonly scope: string
}

export interface ExchangeRequest {
  /** The admin address, `http://127.0.0.1:9090`. */
  readonly url: string
  readonly token: string
  readonly narrowed: Narrowed
  readonly lifetimeSeconds: number | null
}

/** Throws CliError: usage (the address), not-ok (refused), unavailable. */
export async function exchangeToken(request: ExchangeRequest): Promise<Exchanged> {
  const scope = formatScope(request.narrowed)
  const answer = await post(request.url, '/oauth/token', {
    grant_type: TOKEN_EXCHANGE_GRANT,
    subject_token: request.token,
    subject_token_type: ACCESS_TOKEN_TYPE,
    ...(scope === '' ? {} : { scope }),
    ...(request.lifetimeSeconds === null ? {} : { lifetime: String(request.lifetimeSeconds) }),
  })
  const { access_token: token, expires_in: seconds, scope: narrowed } = answer
  if (typeof token !== 'string' || typeof seconds !== 'number') {
    throw new CliError('unavailable', `\`${request.url}\` answered without a token`)
  }
  return {
    token,
    expiresInSeconds: seconds,
    scope: typeof narrowed === 'string' ? narrowed : '',
  }
}

/** Ends a token and everything exchanged from it. Throws as `exchangeToken` does. */
export async function revokeToken(url: string, token: string): Promise<void> {
  await post(url, '/oauth/revoke', { token })
}

async function post(
  base: string,
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const url = endpoint(base, path)
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams(form),
      // A redirect would carry the token to wherever it points.
      redirect: 'error',
      signal: AbortSignal.timeout(EXCHANGE_MS_MAX),
    })
    text = (await response.text()).slice(0, ANSWER_CHARS_MAX)
  } catch (error) {
    throw unreachable(base, error)
  }
  const body = objectOf(text)
  if (response.ok) return body
  if (response.status === 404) {
    throw new CliError('usage', `\`${base}\` has no ${path}: is it the gateway’s admin address?`)
  }
  const said = body['error_description'] ?? body['error']
  const why = typeof said === 'string' ? said : `HTTP status ${response.status}`
  const isTemporary = response.status === 429 || response.status >= 500
  throw new CliError(isTemporary ? 'unavailable' : 'not-ok', `the gateway refused: ${why}`)
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text)
    // A non-null object made by JSON.parse.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
