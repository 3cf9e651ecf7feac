import { describe, expect, test } from 'vitest'
import { TokenError, TokenSource } from './tokens.ts'

/** A token endpoint that counts, and remembers what was asked. */
function endpoint(answer: () => { status: number; body: unknown }) {
  const asked: URLSearchParams[] = []
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    expect(String(url)).toBe('http://gateway/oauth/token')
    asked.push(new URLSearchParams(String(init?.body)))
    const { status, body } = answer()
    return new Response(JSON.stringify(body), { status })
  }
  return { asked, fetch: fetch as typeof globalThis.fetch }
}

function source(lifeSeconds = 600) {
  let clock = 0
  let count = 0
  const { asked, fetch } = endpoint(() => ({
    status: 200,
    body: { access_token: `t${++count}`, expires_in: lifeSeconds },
  }))
  const tokens = new TokenSource({
    url: 'http://gateway',
    subjectToken: () => 'own',
    now: () => clock,
    fetch,
  })
  return { tokens, asked, wait: (ms: number) => (clock += ms) }
}

describe('a token', () => {
  test('is exchanged once for all who ask at the same time', async () => {
    const { tokens, asked } = source()
    expect(await Promise.all([tokens.token(), tokens.token(), tokens.token()])).toEqual([
      't1',
      't1',
      't1',
    ])
    expect(Object.fromEntries(asked[0] ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'own',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
  })

  test('is fetched anew while the one before is still good', async () => {
    const { tokens, wait } = source(600)
    expect(await tokens.token()).toBe('t1')
    wait(569_999)
    expect(await tokens.token()).toBe('t1')
    wait(1)
    expect(await tokens.token()).toBe('t2')
  })

  test('that lives shortly is used for most of its life', async () => {
    const { tokens, wait } = source(10)
    await tokens.token()
    wait(7_999)
    expect(await tokens.token()).toBe('t1')
    wait(1)
    expect(await Promise.all([tokens.token(), tokens.token()])).toEqual(['t2', 't2'])
  })

  test('is narrowed, one for each narrowing, in whatever order it is written', async () => {
    const { tokens, asked } = source()
    await tokens.token({ node: 'look up', graph: 'g', connections: ['b', 'a'] })
    await tokens.token({ connections: ['a', 'b'], graph: 'g', node: 'look up' })
    await tokens.token({ graph: 'g' })
    expect(asked.map((form) => form.get('scope'))).toEqual([
      'connection:a connection:b graph:g node:look%20up',
      'graph:g',
    ])
  })

  test('that was forgotten is fetched anew', async () => {
    const { tokens } = source()
    const password = tokens.password({ graph: 'g' })
    expect(await password()).toBe('t1')
    tokens.forget({ graph: 'g' })
    expect(await password()).toBe('t2')
  })
})

test('a refusal is an error with its code, and is not remembered', async () => {
  const answers = [
    { status: 400, body: { error: 'invalid_scope', error_description: 'no such role' } },
    { status: 200, body: { access_token: 't', expires_in: 60 } },
  ]
  const { fetch } = endpoint(() => answers.shift() ?? { status: 500, body: {} })
  const tokens = new TokenSource({ url: 'http://gateway', subjectToken: () => 'own', fetch })
  await expect(tokens.token()).rejects.toMatchObject({
    name: 'TokenError',
    code: 'invalid_scope',
    message: 'no such role',
  })
  expect(await tokens.token()).toBe('t')
  await expect(tokens.token({ graph: 'g' })).rejects.toBeInstanceOf(TokenError)
})
