/**
 * A real OpenID provider (oidc-provider) at which people log in by its own pages, for tests of signing in: with a code
 * in a browser (PKCE), by the device flow, and with refresh tokens. Whoever types a name is that person.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'

const RESOURCE = 'urn:sallyport:test:gateway'
const LIFETIME_SECONDS = 600

export interface LoginIssuer extends AsyncDisposable {
  readonly issuer: string
}

export interface LoginIssuerOptions {
  readonly audience: string
  /** Groups by name; other names have none. */
  readonly groups: Readonly<Record<string, readonly string[]>>
  /** The approvals page's, and where it is sent back to. */
  readonly page?: { readonly clientId: string; readonly redirectUri: string }
  readonly tokenSeconds?: number
}

export async function startLoginIssuer(options: LoginIssuerOptions): Promise<LoginIssuer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  // Safe: a listening TCP server has an AddressInfo.
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const kid = 'login'
  const key = { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' }
  const { audience, groups, page, tokenSeconds = LIFETIME_SECONDS } = options
  const pub = {
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'ES256',
  }
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    cookies: { keys: ['of a test'] },
    clients: [
      {
        ...pub,
        client_id: 'sallyport-cli',
        application_type: 'native',
        grant_types: [
          'authorization_code',
          'refresh_token',
          'urn:ietf:params:oauth:grant-type:device_code',
        ],
        redirect_uris: ['http://127.0.0.1/'],
      },
      ...(page === undefined
        ? []
        : [
            {
              ...pub,
              client_id: page.clientId,
              // On loopback without TLS, which a web client may not be.
              application_type: 'native',
              grant_types: ['authorization_code'],
              redirect_uris: [page.redirectUri],
            },
          ]),
    ],
    clientBasedCORS: () => true,
    findAccount: (_ctx: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub }) }),
    issueRefreshToken: (_ctx: unknown, client: { clientId: string }) =>
      client.clientId === 'sallyport-cli',
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: tokenSeconds,
          jwt: { sign: { alg: 'ES256', kid } },
        }),
      },
    },
    ttl: {
      AccessToken: tokenSeconds,
      AuthorizationCode: LIFETIME_SECONDS,
      DeviceCode: LIFETIME_SECONDS,
      Grant: LIFETIME_SECONDS,
      IdToken: LIFETIME_SECONDS,
      Interaction: LIFETIME_SECONDS,
      RefreshToken: LIFETIME_SECONDS,
      Session: LIFETIME_SECONDS,
    },
    extraTokenClaims: (_ctx: unknown, token: { accountId: string }) => ({
      groups: groups[token.accountId] ?? [],
      kind: 'human',
    }),
  })
  server.on('request', provider.callback())
  return {
    issuer,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Logs in as `name` without a browser: follows redirects, keeps cookies, sends the forms it finds. */
export async function walk(start: string, name: string): Promise<void> {
  const cookies = new Map<string, string>()
  let request: { url: URL; body?: URLSearchParams } = { url: new URL(start) }
  for (let step = 0; step < 20; step++) {
    const cookie = [...cookies].map(([key, value]) => `${key}=${value}`).join('; ')
    const answer = await fetch(request.url, {
      redirect: 'manual',
      headers: { cookie },
      ...(request.body !== undefined && { method: 'POST', body: request.body }),
    })
    for (const set of answer.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(key, value)
    }
    const text = await answer.text()
    const location = answer.headers.get('location')
    if (location !== null) {
      request = { url: new URL(location, request.url) }
      continue
    }
    const form = /<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(text)
    if (form === null) return
    const fields = [...(form[2] ?? '').matchAll(/<input[^>]*name="([^"]*)"[^>]*>/g)].map(
      ([tag, field = '']): [string, string] => [field, /value="([^"]*)"/.exec(tag)?.[1] ?? ''],
    )
    const body = new URLSearchParams(fields)
    if (body.has('login')) body.set('login', name)
    if (body.has('password')) body.set('password', `of ${name}`)
    if (/name="confirm"/.test(text)) body.set('confirm', 'yes')
    request = { url: new URL((form[1] ?? '').replaceAll('&amp;', '&'), request.url), body }
  }
  throw new Error(`the provider's pages lead nowhere: ${request.url}`)
}
