/** Tokens from other machines over plain HTTP: refused before anything looks at them. */
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import { addControlRoutes, type ControlDeps } from './control.ts'
import { addTokenRoutes, type TokenRoutesDeps } from './tokens.ts'

const ELSEWHERE = '192.0.2.7'

let app: FastifyInstance | null = null
afterEach(async () => {
  await app?.close()
})

/** Whatever is asked of it has gone past the check. */
function past(): never {
  throw new Error('past the check')
}

async function serve(insecure: boolean): Promise<FastifyInstance> {
  const of = {
    insecure: () => insecure,
    verifier: past,
    page: () => null,
    slack: null,
    subjects: {},
  }
  app = Fastify()
  // Safe: the check is the first thing done with a request, and nothing else of these is reached.
  await addTokenRoutes(app, of as unknown as TokenRoutesDeps)
  await addControlRoutes(app, of as unknown as ControlDeps)
  return app
}

const askedOf = (server: FastifyInstance, url: string, remoteAddress: string) =>
  server.inject({
    method: url.startsWith('/oauth') ? 'POST' : 'GET',
    url,
    remoteAddress,
    headers: {
      authorization: 'Bearer x',
      ...(url.startsWith('/oauth') && { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(url.startsWith('/oauth') && { payload: 'token=x' }),
  })

describe.each([
  '/v1/sessions',
  '/v1/approvals',
  '/oauth/token',
  '/oauth/introspect',
  '/oauth/revoke',
])('%s', (url) => {
  test('is refused from another machine', async () => {
    const answer = await askedOf(await serve(false), url, ELSEWHERE)
    expect(answer.statusCode).toBe(403)
    expect(answer.body).toContain('HTTPS only')
  })

  test('is heard from this machine, and from others where a proxy ends TLS', async () => {
    for (const [insecure, from] of [
      [false, '127.0.0.1'],
      [false, '::1'],
      [true, ELSEWHERE],
    ] as const) {
      const answer = await askedOf(await serve(insecure), url, from)
      expect(answer.body).not.toContain('HTTPS only')
      await app?.close()
    }
  })
})
