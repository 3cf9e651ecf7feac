/** `/openapi.json`: what the routes of the admin address take and answer, made from their own schemas. */
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Sallyport control API',
    version: '1',
    description: [
      'Approvals, grants, sessions, policy, the trail and tokens. Authenticate with a token of the gateway.',
      'Errors are `{ error, message }`, of which `error` is stable; those of `/oauth` are as RFC 6749 has them.',
      'Besides what a route says of itself: 400 `bad_request`, 401 (`no_token`, or why it is no good), 404 `not_found`,',
      '413 `too-large`, 414 `uri_too_long`, 415 `unsupported_media_type`, 429 `too_many_requests`,',
      '431 `headers_too_large`, 500 `internal`, 503 `closing`.',
    ].join(' '),
  },
  components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
  security: [{ token: [] }],
}

/** Routes that are added after it are in the document. */
export async function addDocument(app: FastifyInstance): Promise<void> {
  await app.register(swagger, { openapi: DOCUMENT })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
}
