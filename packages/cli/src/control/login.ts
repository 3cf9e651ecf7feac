/**
 * `sallyport login`: a person's token from the identity provider, by the device flow (RFC 8628) or in a browser
 * with PKCE (RFC 7636, RFC 8252). The gateway says which provider it trusts (RFC 9728).
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oidc from 'openid-client'
import type { Cli } from '../context.ts'
import { CliError, EXIT, type ExitCode } from '../errors.ts'
import { decodeToken } from '../token/jwt.ts'
import { endpoint, trust, unreachable } from './address.ts'
import { dropLogin, keepLogin, type Login, loginFile } from './login-file.ts'

export interface LoginFlags {
  readonly url: string
  /** See ControlFlags. */
  readonly ca?: string
  readonly issuer?: string
  readonly clientId: string
  readonly scope: string
  readonly browser?: boolean
}

/** How long a person has, ms. */
const LOGIN_MS_MAX = 10 * 60_000

export async function login(flags: LoginFlags, cli: Cli): Promise<ExitCode> {
  const ca = await trust(flags.ca, cli)
  const issuer = flags.issuer ?? (await trustedIssuer(flags.url))
  const config = await discover(issuer, flags.clientId)
  const signal = AbortSignal.any([cli.stop, AbortSignal.timeout(LOGIN_MS_MAX)])
  const answer = await refusing(() =>
    flags.browser === true
      ? inBrowser(config, flags.scope, cli, signal)
      : byDevice(config, flags.scope, cli, signal),
  )
  await keepLogin(loginOf(answer, { ...flags, ca, issuer, before: null }, cli), cli.env)
  cli.out.note(`logged in at ${flags.url}; kept in ${loginFile(cli.env)}`)
  return EXIT.ok
}

export async function logout(cli: Cli): Promise<ExitCode> {
  const was = await dropLogin(cli.env)
  cli.out.note(was ? 'logged out' : 'you were not logged in')
  return EXIT.ok
}

export async function refreshed(login: Login, cli: Cli): Promise<Login> {
  const config = await discover(login.issuer, login.clientId)
  const answer = await refusing(() => oidc.refreshTokenGrant(config, login.refreshToken ?? ''))
  return loginOf(answer, { ...login, before: login.refreshToken }, cli)
}

async function trustedIssuer(url: string): Promise<string> {
  const address = endpoint(url, '/.well-known/oauth-protected-resource')
  const answer = await fetch(address, { redirect: 'error' }).catch((cause: unknown) => {
    throw unreachable(url, cause)
  })
  const { authorization_servers: servers } = (await answer.json().catch(() => ({}))) as {
    authorization_servers?: unknown
  }
  const [first, ...more] = Array.isArray(servers) ? servers.map(String) : []
  if (first !== undefined && more.length === 0) return first
  const which = first === undefined ? 'names no identity provider' : `trusts ${servers}`
  throw new CliError('usage', `\`${url}\` ${which}: give --issuer`)
}

async function discover(issuer: string, clientId: string): Promise<oidc.Configuration> {
  const server = new URL(issuer)
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(server.hostname)
  const insecure = server.protocol === 'http:' && isLoopback
  return refusing(() =>
    oidc.discovery(server, clientId, undefined, oidc.None(), {
      ...(insecure && { execute: [oidc.allowInsecureRequests] }),
    }),
  )
}

async function byDevice(
  config: oidc.Configuration,
  scope: string,
  cli: Cli,
  signal: AbortSignal,
): Promise<oidc.TokenEndpointResponse> {
  if (config.serverMetadata().device_authorization_endpoint === undefined) {
    throw new CliError('usage', 'this identity provider has no device flow: log in with --browser')
  }
  const started = await oidc.initiateDeviceAuthorization(config, { scope })
  cli.out.note(`open ${started.verification_uri_complete ?? started.verification_uri}`)
  cli.out.note(`and confirm the code ${started.user_code}`)
  return oidc.pollDeviceAuthorizationGrant(config, started, undefined, { signal })
}

async function inBrowser(
  config: oidc.Configuration,
  scope: string,
  cli: Cli,
  signal: AbortSignal,
): Promise<oidc.TokenEndpointResponse> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    // Safe: a listening TCP server has an AddressInfo.
    const redirect = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const verifier = oidc.randomPKCECodeVerifier()
    const state = oidc.randomState()
    const address = oidc.buildAuthorizationUrl(config, {
      redirect_uri: redirect,
      scope,
      state,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    cli.out.note(`open ${address.href}`)
    const [request, response] = (await once(server, 'request', { signal })) as [
      import('node:http').IncomingMessage,
      import('node:http').ServerResponse,
    ]
    response.setHeader('connection', 'close')
    response.end('You may close this page.\n')
    return await oidc.authorizationCodeGrant(config, new URL(request.url ?? '/', redirect), {
      pkceCodeVerifier: verifier,
      expectedState: state,
    })
  } finally {
    server.close()
  }
}

/** The access token where it is a JWT the gateway can verify, else the ID token. */
function loginOf(
  answer: oidc.TokenEndpointResponse,
  of: Pick<Login, 'url' | 'ca' | 'issuer' | 'clientId'> & { readonly before: string | null },
  cli: Cli,
): Login {
  const isJwt = answer.access_token.split('.').length === 3
  const token = isJwt ? answer.access_token : answer.id_token
  if (token === undefined) {
    throw new CliError('not-ok', 'the identity provider gave no token the gateway could verify')
  }
  const decoded = decodeToken(token)
  const exp = decoded.kind === 'jwt' ? decoded.claims['exp'] : undefined
  const seconds = answer.expires_in ?? 0
  return {
    v: 1,
    url: of.url,
    ca: of.ca,
    issuer: of.issuer,
    clientId: of.clientId,
    token,
    refreshToken: answer.refresh_token ?? of.before,
    expiresAt: typeof exp === 'number' ? exp * 1000 : cli.now() + seconds * 1000,
  }
}

/** What the provider refuses, in one line; never a token. */
async function refusing<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof CliError) throw error
    const { error: code, error_description: why } = error as Record<string, unknown>
    const said = typeof why === 'string' ? why : typeof code === 'string' ? code : null
    if (said !== null) {
      throw new CliError('not-ok', `the identity provider refused: ${said}`, { cause: error })
    }
    const message = error instanceof Error ? error.message : 'failed'
    throw new CliError('unavailable', `logging in failed: ${message}`, { cause: error })
  }
}
