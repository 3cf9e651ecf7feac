/**
 * People signing in at the test issuer by its own pages: with a code in a browser (PKCE), by the device flow, and with
 * refresh tokens. Whoever gives the name of a person it knows is that person: never trust it beyond one machine.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider, ProviderContext } from 'oidc-provider'

/** The client that `sallyport login` is. */
const CLI_CLIENT = 'sallyport-cli'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const SCOPE = 'openid offline_access'
/** How long codes, sessions and refresh tokens are good for, seconds. */
const KEPT_SECONDS = 3_600
const INTERACTION = '/interaction/'
const FORM_BYTES_MAX = 10_000

export interface SignIn {
  /** The approvals page's client, and where it is sent back to. */
  readonly page?: { readonly clientId: string; readonly redirectUri: string }
}

/** What sign-ins under way are kept in; it outlives a provider that is made anew with other keys. */
export class SignInStorage {
  readonly #kept = new Map<string, { payload: Record<string, unknown>; until: number }>()

  /** The provider's storage port for one of its models. */
  adapter = (model: string) => {
    const kept = this.#kept
    const find = async (id: string): Promise<Record<string, unknown> | undefined> => {
      const one = kept.get(`${model} ${id}`)
      return one === undefined || one.until < Date.now() ? undefined : one.payload
    }
    const findBy = (key: string) => async (value: string) =>
      [...kept].find(([id, one]) => id.startsWith(`${model} `) && one.payload[key] === value)?.[1]
        .payload
    return {
      find,
      findByUid: findBy('uid'),
      findByUserCode: findBy('userCode'),
      async upsert(id: string, payload: Record<string, unknown>, seconds = KEPT_SECONDS) {
        kept.set(`${model} ${id}`, { payload, until: Date.now() + seconds * 1000 })
      },
      async consume(id: string) {
        const payload = await find(id)
        if (payload !== undefined) payload['consumed'] = Math.floor(Date.now() / 1000)
      },
      async destroy(id: string) {
        kept.delete(`${model} ${id}`)
      },
      async revokeByGrantId(grantId: string) {
        for (const [id, { payload }] of kept) if (payload['grantId'] === grantId) kept.delete(id)
      },
    }
  }
}

export function signInClients({ page }: SignIn): readonly Record<string, unknown>[] {
  const client = (id: string, redirectUri: string, grants: readonly string[]) => ({
    client_id: id,
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'ES256',
    // On loopback without TLS, which a web client may not be.
    application_type: 'native',
    grant_types: grants,
    redirect_uris: [redirectUri],
  })
  const cli = ['authorization_code', 'refresh_token', DEVICE_GRANT]
  return [
    client(CLI_CLIENT, 'http://127.0.0.1/', cli),
    ...(page === undefined
      ? []
      : [client(page.clientId, page.redirectUri, ['authorization_code'])]),
  ]
}

/** `isKnown`: whether a name is a person's; `resource`: what tokens are for. */
export function signInConfiguration(
  isKnown: (name: string) => boolean,
  resource: string,
): Record<string, unknown> {
  return {
    clientBasedCORS: () => true,
    interactions: { url: (_ctx: unknown, { uid }: { uid: string }) => `${INTERACTION}${uid}` },
    findAccount: (_ctx: unknown, sub: string) =>
      isKnown(sub) ? { accountId: sub, claims: () => ({ sub }) } : undefined,
    issueRefreshToken: (_ctx: unknown, client: { clientId: string }) =>
      client.clientId === CLI_CLIENT,
    // Nobody is asked whether their own client may act for them.
    loadExistingGrant: async ({ oidc }: ProviderContext) => {
      const { provider, client, session } = oidc
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope(SCOPE)
      grant.addResourceScope(resource, '')
      await grant.save()
      return grant
    },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx: ProviderContext, form: string, _out: unknown, error: unknown) => {
        const again = error === undefined ? '' : '<p>There is no such code, or it is over.</p>'
        ctx.body = html(
          'Your code',
          `${again}${form}<button form="op.deviceInputForm">Go on</button>`,
        )
      },
      userCodeConfirmSource: (
        ctx: ProviderContext,
        form: string,
        _client: unknown,
        _device: unknown,
        code: string,
      ) => {
        const words = `<p>Is this the code that the command shows? <b>${escaped(code)}</b></p>`
        ctx.body = html(
          'Signing in',
          `${words}${form}<button form="op.deviceConfirmForm">Yes</button>`,
        )
      },
      successSource: (ctx: ProviderContext) => {
        ctx.body = html('Signed in', '<p>You may close this page.</p>')
      },
    },
  }
}

/** How long what belongs to signing in is good for, seconds, by model. */
export const SIGN_IN_TTL = Object.fromEntries(
  [
    'AuthorizationCode',
    'DeviceCode',
    'Grant',
    'IdToken',
    'Interaction',
    'RefreshToken',
    'Session',
  ].map((model) => [model, KEPT_SECONDS]),
)

/** The page that asks who somebody is. False: the request is for something else. */
export async function asksWho(
  provider: Provider,
  names: readonly string[],
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<boolean> {
  if (request.url?.startsWith(INTERACTION) !== true) return false
  try {
    const { params } = await provider.interactionDetails(request, response)
    const name = request.method === 'POST' ? (await formOf(request)).get('login') : null
    if (name !== null && names.includes(name)) {
      await provider.interactionFinished(request, response, {
        login: { accountId: name },
        // Native clients are consented to each time: whoever signs in has been asked by then.
        consent: {},
      })
      return true
    }
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(whoPage(names, String(params['client_id'])))
  } catch {
    response.statusCode = 400
    response.end('this sign-in is over: begin again\n')
  }
  return true
}

function whoPage(names: readonly string[], client: string): string {
  const options = names.map((name) => `<option value="${escaped(name)}">`).join('')
  const known = names.map(escaped).join(', ')
  return html(
    `Sign in for ${escaped(client)}`,
    `<p>Who are you? No password is asked for: ${known}</p><form method="post" action="">` +
      '<input name="login" list="names" required autofocus autocomplete="off">' +
      `<datalist id="names">${options}</datalist><button>Sign in</button></form>`,
  )
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let body = ''
  for await (const chunk of request) {
    body += String(chunk)
    if (body.length > FORM_BYTES_MAX) throw new Error('too much for a name')
  }
  return new URLSearchParams(body)
}

const html = (title: string, body: string): string =>
  `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}`
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (one) => `&#${one.codePointAt(0)};`)

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
    request = { url: new URL((form[1] ?? '').replaceAll('&amp;', '&'), request.url), body }
  }
  throw new Error(`the provider's pages lead nowhere: ${request.url}`)
}
