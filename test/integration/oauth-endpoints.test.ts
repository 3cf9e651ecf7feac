/** The OAuth endpoints over HTTP, sentence by sentence of RFC 6749 §3.2 and §5, 6750 §3, 7009, 7662, 8693 and 9728. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { WireClient, WireRefused } from '../support/wire.ts'

const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }]`
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

let database: TestDatabase
let gateway: TestGateway
let base: string
let own: string

beforeAll(async () => {
  database = await usePostgres()
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { admin: { port: 0 } },
  })
  base = `http://127.0.0.1:${gateway.running?.admin?.port}`
  own = await gateway.token({ subject: 'agent', kind: 'machine' })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

type Form = Record<string, string> | [string, string][]
async function post(path: string, form: Form, headers: Record<string, string> = {}) {
  const answer = await fetch(`${base}${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
  })
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === '' ? null : JSON.parse(text),
  }
}
const request = (more: Record<string, string> = {}) => ({
  grant_type: EXCHANGE,
  subject_token: own,
  subject_token_type: ACCESS_TOKEN,
  ...more,
})
const isLetIn = async (token: string): Promise<boolean> =>
  WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'any',
    password: token,
    database: gateway.connection,
  }).then(
    (wire) => {
      wire.close()
      return true
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(WireRefused)
      return false
    },
  )

describe('exchange (RFC 8693)', () => {
  test('§2.2.1: answers with the token, its type and life, and is not cached (RFC 6749 §5.1)', async () => {
    const scope = `connection:${gateway.connection} node:tools`
    const { status, headers, body } = await post('/oauth/token', request({ scope, lifetime: '60' }))
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^spt_/),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: 60,
      scope,
    })
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('pragma')).toBe('no-cache')
    expect(headers.get('content-type')).toMatch(/^application\/json/)
    expect(await isLetIn(body.access_token)).toBe(true)
  })

  test('RFC 6749 §3.2: what has no value is as if it were not there, what is unknown is ignored', async () => {
    const empty = {
      requested_token_type: '',
      actor_token: '',
      resource: '',
      scope: '',
      lifetime: '',
    }
    expect((await post('/oauth/token', request({ ...empty, colour: 'red' }))).status).toBe(200)
  })

  test.each<[string, Form, string]>([
    ['no grant type', { subject_token: 'x' }, 'invalid_request'],
    ['another grant', { grant_type: 'password' }, 'unsupported_grant_type'],
    [
      '§2.1: no subject token',
      { grant_type: EXCHANGE, subject_token_type: ACCESS_TOKEN },
      'invalid_request',
    ],
    ['§2.1: no type of it', { grant_type: EXCHANGE, subject_token: 'x' }, 'invalid_request'],
    ['a type that is none', { ...request0(), subject_token_type: 'saml' }, 'invalid_request'],
    ['§2.2.2: a subject token that is not good', request0(), 'invalid_request'],
    [
      '§2.1: a type that is not issued',
      { ...request0(), requested_token_type: 'urn:x' },
      'invalid_request',
    ],
    [
      '§2.1: an actor’s type without the actor',
      { ...request0(), actor_token_type: ACCESS_TOKEN },
      'invalid_request',
    ],
    [
      '§2.1: an audience that is not here',
      { ...request0(), audience: 'elsewhere' },
      'invalid_target',
    ],
    [
      '§2.1: a resource that is not here',
      { ...request0(), resource: 'https://elsewhere' },
      'invalid_target',
    ],
    [
      'RFC 6749 §3.2: a parameter twice',
      [...Object.entries(request0()), ['grant_type', EXCHANGE]],
      'invalid_request',
    ],
  ])('refuses %s', async (_what, form, error) => {
    const { status, headers, body } = await post('/oauth/token', form)
    expect([status, body.error]).toEqual([400, error])
    // RFC 6749 §5.2: printable ASCII without quote and backslash.
    expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)
    expect(headers.get('cache-control')).toBe('no-store')
  })

  test('refuses rights the subject token has not', async () => {
    const { status, body } = await post('/oauth/token', request({ scope: 'role:dba' }))
    expect([status, body.error]).toEqual([400, 'invalid_scope'])
  })

  test('RFC 6749 §5.2: what is no form is an invalid request, not a fault', async () => {
    for (const type of ['application/json', 'text/plain']) {
      const answer = await fetch(`${base}/oauth/token`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: type === 'text/plain' ? 'x' : '{"grant_type":7}',
      })
      expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([
        400,
        'invalid_request',
      ])
    }
  })
})

describe('introspection (RFC 7662)', () => {
  const asked = (token: string, more: Record<string, string> = {}) =>
    post('/oauth/introspect', { token, ...more }, { authorization: `Bearer ${own}` })

  test('§2.2: says whose a live token is, and what it is narrowed to; §2.1: a wrong hint does no harm', async () => {
    const { body: made } = await post('/oauth/token', request({ scope: 'node:tools' }))
    const { status, body } = await asked(made.access_token, { token_type_hint: 'refresh_token' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      active: true,
      sub: 'agent',
      token_type: 'Bearer',
      scope: 'node:tools',
      exp: expect.any(Number),
      jti: expect.any(String),
    })
  })

  test('§2.2: of any other it says `active: false` and nothing else', async () => {
    for (const token of ['spt_unknown', 'a.b.c', own.slice(0, -1)]) {
      const { status, body } = await asked(token)
      expect([status, body]).toEqual([200, { active: false }])
    }
  })

  test('§2.1: only to who shows a token of their own (RFC 6750 §3)', async () => {
    const nobody = await post('/oauth/introspect', { token: own })
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    const bad = await post(
      '/oauth/introspect',
      { token: own },
      { authorization: 'Bearer nonsense' },
    )
    expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer error="invalid_token"',
    ])
  })

  test('§2.1: without a token, or with two, it is an invalid request', async () => {
    const as = { authorization: `Bearer ${own}` }
    for (const form of [
      {},
      { token: '' },
      [
        ['token', own],
        ['token', own],
      ] as [string, string][],
    ]) {
      const { status, body } = await post('/oauth/introspect', form, as)
      expect([status, body.error]).toEqual([400, 'invalid_request'])
    }
  })
})

describe('revocation (RFC 7009)', () => {
  test('§2.1, §2.2: ends the token and what was made from it; what is not known is no error', async () => {
    const { body: parent } = await post('/oauth/token', request())
    const { body: child } = await post(
      '/oauth/token',
      request({ subject_token: parent.access_token }),
    )
    const gone = await post('/oauth/revoke', {
      token: parent.access_token,
      token_type_hint: 'no such type',
    })
    expect(gone.status).toBe(200)
    expect(await isLetIn(parent.access_token)).toBe(false)
    expect(await isLetIn(child.access_token)).toBe(false)
    expect(await isLetIn(own)).toBe(true)
    for (const token of [parent.access_token, 'nonsense']) {
      expect((await post('/oauth/revoke', { token })).status).toBe(200)
    }
    expect((await post('/oauth/revoke', {})).body.error).toBe('invalid_request')
  })
})

test('RFC 9728 §2: says which resource it is', async () => {
  const found = await fetch(`${base}/.well-known/oauth-protected-resource`)
  expect(await found.json()).toMatchObject({ resource: base, bearer_methods_supported: ['header'] })
})

test('who asks without end is told to slow down', async () => {
  let last = await post('/oauth/introspect', {})
  for (let n = 0; n < 1_300 && last.status !== 429; n++) last = await post('/oauth/introspect', {})
  expect([last.status, last.body.error]).toEqual([429, 'temporarily_unavailable'])
  expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('who guesses tokens of the control API is told to slow down', async () => {
  const guess = (n: number): Promise<Response> =>
    fetch(`${base}/v1/approvals`, { headers: { authorization: `Bearer spt_${n}` } })
  let last = await guess(0)
  expect(last.status).toBe(401)
  for (let n = 1; n < 700 && last.status !== 429; n++) last = await guess(n)
  expect(last.status).toBe(429)
  expect(await last.json()).toMatchObject({ error: 'too_many_requests' })
})

/** With a subject token that is none. */
function request0(): Record<string, string> {
  return { grant_type: EXCHANGE, subject_token: 'x', subject_token_type: ACCESS_TOKEN }
}
