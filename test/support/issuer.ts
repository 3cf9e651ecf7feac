/**
 * A real OpenID provider (oidc-provider) on loopback for tests and the demo: discovery, JWKS, and
 * JWT access tokens that come out of its own token endpoint, signed with keys that can be rotated.
 *
 * Machines use the client credentials grant (RFC 6749 §4.4) with their own client. People use an
 * extension grant that stands for a finished login, or sign in by its pages (`signIn`): no password
 * either way, so this issuer must never be trusted by anything but a test or the demo on the same machine.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { Provider, type ProviderContext, type ResourceServerInfo } from 'oidc-provider'
import {
  asksWho,
  SIGN_IN_TTL,
  type SignIn,
  SignInStorage,
  signInClients,
  signInConfiguration,
} from './sign-in.ts'

export interface IssuerUser {
  readonly sub: string
  readonly groups: readonly string[]
  /** Default `human`. */
  readonly kind?: 'human' | 'machine'
  /** More claims of every token, e.g. `{ graph: 'support' }`. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface TokenOverrides {
  readonly groups?: readonly string[]
  readonly kind?: 'human' | 'machine'
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly audience?: string
  /** Seconds from now; default 900. Negative makes a token that has expired already. */
  readonly expiresInSeconds?: number
  /** Replaces or adds any claim, registered ones included. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface RunningIssuer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`: the `iss` of its tokens. */
  readonly issuer: string
  readonly jwksUri: string
  readonly tokenEndpoint: string
  /** A signed access token of a user, from the token endpoint. */
  token(sub: string, overrides?: TokenOverrides): Promise<string>
  /** Signs with a new key from now on; the old ones stay published unless `retireOld`. */
  rotateKeys(options?: { retireOld?: boolean }): Promise<void>
  close(): Promise<void>
}

export interface IssuerOptions {
  /** Default: any free port. */
  readonly port?: number
  readonly users: readonly IssuerUser[]
  readonly audience: string
  /** People may sign in by its pages, and devices for them; left out: they may not. */
  readonly signIn?: SignIn
}

const LOGIN_GRANT = 'urn:sallyport:test:login'
const LOGIN_CLIENT = 'sallyport-login'
const RESOURCE = 'urn:sallyport:test:gateway'
/** Names an entry of `overrides`; whoever does not run in this process cannot know one. */
const OVERRIDES_HEADER = 'x-test-overrides'
const LIFETIME_SECONDS = 900

interface State {
  readonly issuer: string
  readonly options: IssuerOptions
  readonly secret: string
  readonly overrides: Map<string, TokenOverrides>
  readonly storage: SignInStorage
  /** Newest first; the first one signs. */
  keys: JWK[]
  /** What the provider hides behind `server_error`; told to whoever asked for the token. */
  lastFault: Error | undefined
}

export async function startIssuer(options: IssuerOptions): Promise<RunningIssuer> {
  const server = createServer()
  await listen(server, options.port ?? 0)
  // Safe: a listening TCP server has an AddressInfo.
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const keys = [await makeKey()]
  const secret = randomBytes(24).toString('hex')
  const state: State = {
    issuer,
    options,
    secret,
    overrides: new Map(),
    storage: new SignInStorage(),
    keys,
    lastFault: undefined,
  }
  let provider = createProvider(state)
  const people = options.users.filter(({ kind }) => kind !== 'machine').map(({ sub }) => sub)
  server.on('request', async (request, response) => {
    if (await asksWho(provider, people, { request, response })) return
    provider.callback()(request, response)
  })

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  }
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    tokenEndpoint: `${issuer}/token`,
    token: (sub, overrides = {}) => requestToken(state, sub, overrides),
    async rotateKeys({ retireOld = false } = {}) {
      state.keys = [await makeKey(), ...(retireOld ? [] : state.keys)]
      provider = createProvider(state)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function createProvider(state: State): Provider {
  const { users, signIn } = state.options
  const { deviceFlow, ...signingIn } =
    signIn === undefined
      ? {}
      : signInConfiguration((name) => users.some(({ sub }) => sub === name), RESOURCE)
  const machines = users.filter((user) => user.kind === 'machine')
  const client = (id: string, grant: string): Record<string, unknown> => ({
    client_id: id,
    client_secret: state.secret,
    grant_types: [grant],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
  })
  const provider = new Provider(state.issuer, {
    ...signingIn,
    adapter: state.storage.adapter,
    jwks: { keys: state.keys },
    cookies: { keys: [state.secret] },
    clients: [
      client(LOGIN_CLIENT, LOGIN_GRANT),
      ...machines.map((user) => client(user.sub, 'client_credentials')),
      ...(signIn === undefined ? [] : signInClients(signIn)),
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      ...(deviceFlow !== undefined && { deviceFlow }),
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resourceServer(state),
      },
    },
    ttl: { ...SIGN_IN_TTL, ClientCredentials: LIFETIME_SECONDS, AccessToken: LIFETIME_SECONDS },
    formats: {
      customizers: {
        jwt: (ctx: ProviderContext, _token: unknown, jwt: { payload: Record<string, unknown> }) => {
          applyClaims(jwt.payload, { state, overrides: overridesOf(ctx.req, state) })
        },
      },
    },
  })
  provider.on('server_error', (_ctx, error) => {
    state.lastFault = error
  })
  provider.registerGrantType(LOGIN_GRANT, (ctx) => login(provider, ctx, state), ['username'])
  return provider
}

function resourceServer(state: State): ResourceServerInfo {
  return {
    scope: '',
    audience: state.options.audience,
    accessTokenFormat: 'jwt',
    accessTokenTTL: LIFETIME_SECONDS,
    jwt: { sign: { alg: 'ES256', kid: String(state.keys[0]?.kid) } },
  }
}

/** The extension grant: a token for a person, as after a login. */
async function login(provider: Provider, ctx: ProviderContext, state: State): Promise<void> {
  const accountId = ctx.oidc.params['username']
  const person = state.options.users.find((user) => user.sub === accountId)
  if (person === undefined) throw new Error('no such user')
  const token = new provider.AccessToken({ accountId, client: ctx.oidc.client, gty: 'login' })
  token.resourceServer = new provider.ResourceServer(RESOURCE, resourceServer(state))
  const value = await token.save()
  ctx.body = { access_token: value, expires_in: token.expiration, token_type: 'Bearer' }
}

function overridesOf(request: IncomingMessage, state: State): TokenOverrides {
  const key = request.headers[OVERRIDES_HEADER]
  return (typeof key === 'string' ? state.overrides.get(key) : undefined) ?? {}
}

function applyClaims(
  payload: Record<string, unknown>,
  { state, overrides }: { state: State; overrides: TokenOverrides },
): void {
  const user = state.options.users.find((one) => one.sub === payload['sub'])
  const { audience, expiresInSeconds, claims, ...simple } = overrides
  const kind = user?.kind ?? 'human'
  Object.assign(payload, { groups: user?.groups ?? [], kind }, user?.claims, simple)
  if (kind === 'human') payload['auth_time'] = payload['iat']
  if (audience !== undefined) payload['aud'] = audience
  if (expiresInSeconds !== undefined) {
    payload['exp'] = Number(payload['iat']) + expiresInSeconds
    // So that a token that has expired was also issued before it expired.
    if (expiresInSeconds <= 0) payload['iat'] = Number(payload['exp']) - LIFETIME_SECONDS
  }
  Object.assign(payload, claims)
}

async function requestToken(state: State, sub: string, overrides: TokenOverrides): Promise<string> {
  const user = state.options.users.find((one) => one.sub === sub)
  if (user === undefined) throw new Error(`the test issuer has no user ${sub}`)
  const machine = user.kind === 'machine'
  const key = randomUUID()
  state.overrides.set(key, overrides)
  try {
    const basic = Buffer.from(`${encodeURIComponent(machine ? sub : LOGIN_CLIENT)}:${state.secret}`)
    const response = await fetch(`${state.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic.toString('base64')}`, [OVERRIDES_HEADER]: key },
      body: new URLSearchParams(
        machine
          ? { grant_type: 'client_credentials', resource: RESOURCE }
          : { grant_type: LOGIN_GRANT, username: sub },
      ),
      signal: AbortSignal.timeout(10_000),
    })
    const body: unknown = await response.json()
    if (typeof body === 'object' && body !== null && 'access_token' in body) {
      return String(body.access_token)
    }
    const answer = `the test issuer answered ${response.status}: ${JSON.stringify(body)}`
    throw new Error(answer, { cause: state.lastFault })
  } finally {
    state.overrides.delete(key)
  }
}

async function makeKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const kid = randomBytes(6).toString('base64url')
  return { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' }
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port }, resolve)
  })
}
