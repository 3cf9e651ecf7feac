import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { IdentityError } from './errors.ts'
import {
  ACCESS_TOKEN_TYPE,
  type OAuthFailure,
  processIntrospection,
  processRevocation,
  processTokenExchange,
  TOKEN_EXCHANGE_GRANT,
  type TokenExchangeSuccess,
} from './oauth.ts'
import { NOT_NARROWED } from './principal.ts'
import { formatScope, parseScope } from './scope.ts'
import {
  configFor,
  type Rig,
  rigFor,
  START_MS,
  startTestIssuer,
  type TestIssuer,
} from './testing/issuer.ts'

let issuer: TestIssuer
let rig: Rig
let token: string
beforeAll(async () => {
  issuer = await startTestIssuer()
})
afterAll(() => issuer[Symbol.asyncDispose]())
beforeEach(async () => {
  rig = rigFor(configFor([issuer], { config: { roles: { analyst: { groups: ['analysts'] } } } }))
  token = await issuer.token()
})

function exchange(
  params: Record<string, string> | [string, string][] = {},
): Promise<TokenExchangeSuccess | OAuthFailure> {
  const all = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE_GRANT,
    subject_token: token,
    subject_token_type: ACCESS_TOKEN_TYPE,
  })
  for (const [name, value] of Array.isArray(params) ? params : Object.entries(params)) {
    if (Array.isArray(params)) all.append(name, value)
    else all.set(name, value)
  }
  const { verifier, now, sessionTokens } = rig
  const config = verifier.config
  return processTokenExchange(all, { verifier, now, sessionTokens, config, randomBytes })
}
async function issued(params: Record<string, string> = {}): Promise<TokenExchangeSuccess> {
  const result = await exchange(params)
  if (result.kind !== 'issued') throw new Error(result.body.error_description)
  return result
}
const introspect = (text: string) =>
  processIntrospection(new URLSearchParams({ token: text }), rig.verifier)
const revoke = (text: string) => processRevocation(new URLSearchParams({ token: text }), rig)

describe('token exchange', () => {
  test('answers as RFC 8693 §2.2.1 says, and the new token is narrowed', async () => {
    const { body, status } = await issued({
      scope: 'connection:crm role:analyst run:42',
      lifetime: '60',
    })
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^spt_/),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 60,
      scope: 'connection:crm role:analyst run:42',
    })
    expect(await rig.verifier.verify(body.access_token)).toMatchObject({
      subject: 'alice',
      issuer: issuer.url,
      roles: ['analyst'],
      expiresAt: START_MS + 60_000,
      parentTokenId: 'j1',
      narrowed: { connections: ['crm'], roles: ['analyst'], run: '42' },
    })
  })

  test('says what was granted when less than asked for is left', async () => {
    const first = await issued({ scope: 'connection:crm connection:hr' })
    token = first.body.access_token
    expect((await issued({ scope: 'connection:crm connection:billing' })).body.scope).toBe(
      'connection:crm',
    )
  })

  test('without narrowing has no scope and lives as long as its parent at most', async () => {
    const { body } = await issued()
    expect(body.scope).toBeUndefined()
    expect(body.expires_in).toBe(300)
  })

  test.each<[Record<string, string>, string]>([
    [{ grant_type: 'password' }, 'unsupported_grant_type'],
    [{ subject_token: '' }, 'invalid_request'],
    [{ subject_token: 'hunter2' }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
    [{ actor_token: 'x' }, 'invalid_request'],
    [{ resource: 'https://db.example' }, 'invalid_target'],
    [{ audience: 'elsewhere' }, 'invalid_target'],
    [{ lifetime: '0' }, 'invalid_request'],
    [{ lifetime: '-1' }, 'invalid_request'],
    [{ lifetime: '1e3' }, 'invalid_request'],
    [{ scope: 'openid' }, 'invalid_request'],
    [{ scope: 'connection:' }, 'invalid_request'],
    [{ scope: 'connection:%zz' }, 'invalid_request'],
    [{ scope: 'run:1 run:2' }, 'invalid_request'],
    [{ scope: 'role:dba' }, 'invalid_scope'],
  ])('with %j is %s', async (params, error) => {
    const result = await exchange(params)
    expect(result).toMatchObject({ kind: 'failure', status: 400, body: { error } })
    expect(rig.sessionTokens.size).toBe(0)
  })

  test('with a parameter twice is refused, except the audience', async () => {
    expect((await exchange([['subject_token', token]])).kind).toBe('failure')
    expect(
      (
        await exchange([
          ['scope', 'run:1'],
          ['scope', 'run:1'],
        ])
      ).kind,
    ).toBe('failure')
    const audiences: [string, string][] = [
      ['audience', 'sallyport'],
      ['audience', 'sallyport'],
    ]
    expect((await exchange(audiences)).kind).toBe('issued')
  })

  test('while the issuer is down is 503, not a wrong token', async () => {
    await using down = await startTestIssuer()
    down.answer = 'error'
    rig = rigFor(configFor([down]))
    token = await down.token()
    expect(await exchange()).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
      cause: { code: 'issuer-unavailable' },
    })
    expect(await introspect(token)).toMatchObject({ kind: 'failure', status: 503 })
    expect(await revoke(token)).toMatchObject({ kind: 'failure', status: 503 })
  })

  test('past the number of live tokens is 429', async () => {
    const sessionTokens = {
      maxLifetimeSeconds: 60,
      defaultLifetimeSeconds: 60,
      maxLivePerSubject: 1,
    }
    rig = rigFor(configFor([issuer], { config: { sessionTokens } }))
    await issued()
    expect(await exchange()).toMatchObject({ status: 429, cause: { code: 'limit' } })
  })

  test('with a store that fails is 503 and names no cause to the client', async () => {
    const { verifier, now } = rig
    const config = verifier.config
    const sessionTokens = {
      ...rig.sessionTokens,
      countLive(): number {
        throw new Error('disk /var/lib/secret is full')
      },
    }
    const params = new URLSearchParams({
      grant_type: TOKEN_EXCHANGE_GRANT,
      subject_token: token,
      subject_token_type: ACCESS_TOKEN_TYPE,
    })
    // Safe: only countLive is reached.
    const broken = sessionTokens as unknown as Rig['sessionTokens']
    const deps = { verifier, now, config, randomBytes, sessionTokens: broken }
    const result = await processTokenExchange(params, deps)
    expect(result).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable' },
      cause: { code: 'store-unavailable' },
    })
    expect(JSON.stringify(result)).not.toContain('secret')
  })
})

describe('introspection', () => {
  test('of a live token tells whose it is and what it is narrowed to', async () => {
    const { body } = await issued({ scope: 'connection:crm', lifetime: '60' })
    expect(await introspect(body.access_token)).toMatchObject({
      status: 200,
      body: {
        active: true,
        sub: 'alice',
        iss: issuer.url,
        exp: START_MS / 1000 + 60,
        iat: START_MS / 1000,
        token_type: 'Bearer',
        scope: 'connection:crm',
        sallyport: { kind: 'machine', token_kind: 'session', roles: ['analyst'], parent: 'j1' },
      },
    })
  })
  test.each(['hunter2', 'spt_x', 'a.b.c'])(
    'of %s says only that it is not active',
    async (text) => {
      expect(await introspect(text)).toEqual({
        kind: 'introspected',
        status: 200,
        body: { active: false },
      })
    },
  )
  test('without a token is invalid_request', async () => {
    const result = await processIntrospection(new URLSearchParams(), rig.verifier)
    expect(result).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })
})

describe('revocation', () => {
  test('of a JWT ends it and what was exchanged from it, and tells subscribers', async () => {
    const { body } = await issued()
    const heard: unknown[] = []
    rig.revocations.subscribe((revocation) => heard.push(revocation))
    expect(await revoke(token)).toMatchObject({ kind: 'done', revoked: { tokenId: 'j1' } })
    expect(heard).toMatchObject([{ kind: 'token', tokenId: 'j1', until: START_MS + 300_000 }])
    for (const dead of [token, body.access_token]) {
      await expect(rig.verifier.verify(dead)).rejects.toMatchObject({ code: 'revoked' })
    }
  })
  test('of a child leaves the parent alone', async () => {
    const { body } = await issued()
    await revoke(body.access_token)
    expect((await rig.verifier.verify(token)).subject).toBe('alice')
    await expect(rig.verifier.verify(body.access_token)).rejects.toBeInstanceOf(IdentityError)
  })
  test('of what is no live token is done, and changes nothing', async () => {
    expect(await revoke('hunter2')).toEqual({ kind: 'done', status: 200, revoked: null })
    expect(rig.revocations.size).toBe(0)
  })
})

test('a scope and a narrowing are the same thing in two forms', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  const list = fc.option(fc.array(name, { minLength: 1, maxLength: 3 }))
  const narrowed = fc.record({
    connections: list,
    roles: list,
    graph: fc.option(name),
    node: fc.option(name),
    run: fc.option(name),
  })
  fc.assert(
    fc.property(narrowed, (value) => {
      const scope = formatScope(value)
      expect(scope).toMatch(/^[!-~ ]*$/)
      expect({ ...NOT_NARROWED, ...parseScope(scope) }).toEqual(value)
    }),
  )
})
