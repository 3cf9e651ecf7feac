/** Calls to a running gateway's control API, with the token of --token-file, SALLYPORT_TOKEN or `login`. */
import type { Cli } from '../context.ts'
import { CliError } from '../errors.ts'
import { readToken } from '../files.ts'
import { endpoint, trust, unreachable } from './address.ts'
import { keepLogin, type Login, readLogin } from './login-file.ts'

/** Whole time for one answer, ms. */
const CALL_MS_MAX = 15_000
const ANSWER_CHARS_MAX = 16 * 1024 * 1024
/** A login with less life left is refreshed before it is used, ms. */
const LEFT_MS_MIN = 30_000

export interface ControlFlags {
  /** The admin address; default SALLYPORT_URL, then that of `login`. */
  readonly url?: string
  readonly tokenFile?: string
  /** PEM file of the authority behind the gateway's certificates; default SALLYPORT_CA, then that of `login`. */
  readonly ca?: string
  readonly json?: boolean
}

export interface Access {
  readonly url: string
  /** PEM file, absolute; null: what the system trusts. */
  readonly ca: string | null
  readonly token: string
}

export async function accessOf(flags: ControlFlags, cli: Cli): Promise<Access> {
  const given = flags.tokenFile !== undefined || (cli.env['SALLYPORT_TOKEN'] ?? '') !== ''
  const kept = given ? null : await readLogin(cli.env)
  const ca = await trust(flags.ca, cli, kept?.ca ?? null)
  const login = kept && (await current(kept, cli))
  const url = flags.url ?? cli.env['SALLYPORT_URL'] ?? login?.url
  if (url === undefined) {
    throw new CliError('usage', 'give --url, set SALLYPORT_URL, or log in: sallyport login --url …')
  }
  if (login !== null && login.url !== url) {
    throw new CliError('usage', `you are logged in at \`${login.url}\`, not at \`${url}\``)
  }
  if (login === null && !given) {
    throw new CliError('usage', `you are not logged in: sallyport login --url ${url}`)
  }
  return { url, ca, token: login?.token ?? (await readToken(flags.tokenFile, cli)) }
}

/** With a token that is still good. @throws CliError not-ok */
async function current(login: Login, cli: Cli): Promise<Login> {
  if (cli.now() < login.expiresAt - LEFT_MS_MIN) return login
  if (login.refreshToken === null) {
    if (cli.now() < login.expiresAt) return login
    throw new CliError('not-ok', 'the login has expired: sallyport login')
  }
  const { refreshed } = await import('./login.ts')
  const next = await refreshed(login, cli)
  await keepLogin(next, cli.env)
  return next
}

/** @throws CliError usage, not-ok (refused, with the gateway's words), unavailable */
export async function call<T>(
  access: Access,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<T> {
  const response = await request(access, method, path, body, AbortSignal.timeout(CALL_MS_MAX))
  const text = (await response.text()).slice(0, ANSWER_CHARS_MAX)
  if (response.ok) return (text === '' ? null : JSON.parse(text)) as T
  throw refusal(response.status, text, access)
}

/** Server-sent events as they come, until `stop`: the data of each, parsed. */
export async function* follow(
  access: Access,
  path: string,
  stop: AbortSignal,
): AsyncGenerator<unknown> {
  const response = await request(access, 'GET', path, undefined, stop)
  if (!response.ok || response.body === null)
    throw refusal(response.status, await response.text(), access)
  let rest = ''
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + chunk).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1]
        if (data !== undefined) yield JSON.parse(data)
      }
    }
  } catch (error) {
    if (!stop.aborted) throw error
  }
}

async function request(
  { url, token }: Access,
  method: string,
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(endpoint(url, path), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // A redirect would carry the token to wherever it points.
      redirect: 'error',
      signal,
    })
  } catch (error) {
    if (error instanceof CliError) throw error
    throw unreachable(url, error)
  }
}

function refusal(status: number, text: string, { url }: Access): CliError {
  let why = `HTTP status ${status}`
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown }
    why = typeof message === 'string' ? message : typeof error === 'string' ? error : why
  } catch {
    // Not ours: the status says enough.
  }
  if (status === 401) why += ` (to log in: sallyport login --url ${url})`
  const isTemporary = status === 429 || status >= 500
  return new CliError(isTemporary ? 'unavailable' : 'not-ok', `the gateway refused: ${why}`)
}
