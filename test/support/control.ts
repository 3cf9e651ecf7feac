/** The control API of a gateway under test, as one caller. */
import type { TestGateway, TokenRequest } from './gateway.ts'

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: JSON of whatever route; tests look at what they asserted
  readonly body: any
}

export interface Control {
  readonly base: string
  readonly token: string
  get(path: string): Promise<Answer>
  post(path: string, body?: unknown): Promise<Answer>
  delete(path: string): Promise<Answer>
}

export async function controlOf(gateway: TestGateway, who: TokenRequest): Promise<Control> {
  const address = gateway.running?.admin
  if (!address) throw new Error('the gateway has no admin address')
  return controlAt(`http://${address.host}:${address.port}`, await gateway.token(who))
}

/** The control API at an address, also of a gateway in a process of its own. */
export function controlAt(base: string, token: string): Control {
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text) }
  }
  return {
    base,
    token,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    delete: (path) => call('DELETE', path),
  }
}

/** The same caller with a token exchanged for one of less. */
export async function narrowed({ base, token }: Control, scope: string): Promise<Control> {
  const response = await fetch(`${base}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope,
    }),
  })
  const { access_token: given } = (await response.json()) as { access_token: string }
  return controlAt(base, given)
}

/** The newest approval that is not over, once there is one. */
export async function pendingApproval(control: Control, not: readonly string[] = []) {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    const { body } = await control.get('/v1/approvals?open=true')
    const open = body.approvals.filter((one: { id: string }) => !not.includes(one.id))
    if (open.length > 0) return open.at(-1) as { id: string; [field: string]: unknown }
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  throw new Error('nobody asked for approval')
}
