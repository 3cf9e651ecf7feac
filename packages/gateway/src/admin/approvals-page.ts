/**
 * The approvals page: three files and the settings it signs people in with. It holds nothing and decides nothing;
 * what it does, it does through the control API with the person's own token.
 */
import { readFileSync } from 'node:fs'
import rateLimit from '@fastify/rate-limit'
import { discoverLogin, type LoginEndpoints } from '@sallyport/identity'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { PageConfig } from '../config/model.ts'
import { httpErrorOf } from '../telemetry/index.ts'

/** Requests for the page's files per address and minute. */
const REQUESTS_PER_MINUTE_MAX = 300
const MINUTE_MS = 60_000
/** How long the issuer's endpoints are remembered, ms. */
const DISCOVERED_MS = 10 * MINUTE_MS

export interface PageDeps {
  /** Null: there is no page. */
  readonly page: () => PageConfig | null
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export async function addApprovalsPage(app: FastifyInstance, deps: PageDeps): Promise<void> {
  const [html, script, style] = ['html', 'js', 'css'].map((kind) =>
    readFileSync(new URL(`../page/approvals.${kind}`, import.meta.url)),
  )
  const login = remembered(deps)
  await app.register(async (scope) => {
    await scope.register(rateLimit, { max: REQUESTS_PER_MINUTE_MAX, timeWindow: MINUTE_MS })
    const hidden = { schema: { hide: true } } as const
    scope.addHook('onRequest', async (_request, reply) => {
      if (deps.page() === null) return reply.code(404).send(httpErrorOf(404))
    })
    const shell = async (_request: unknown, reply: FastifyReply) => {
      const { tokenEndpoint } = await login()
      secure(reply, new URL(tokenEndpoint).origin)
      return reply.type('text/html; charset=utf-8').send(html)
    }
    scope.get('/approvals', hidden, shell)
    scope.get('/approvals/:id', hidden, shell)
    scope.get('/approvals/page.js', hidden, async (_request, reply) =>
      reply.type('text/javascript; charset=utf-8').send(script),
    )
    scope.get('/approvals/page.css', hidden, async (_request, reply) =>
      reply.type('text/css; charset=utf-8').send(style),
    )
    scope.get('/approvals/settings.json', hidden, async () => {
      const { clientId = '', scope: scopes = '', redirectUri = '' } = deps.page() ?? {}
      return { ...(await login()), clientId, scope: scopes, redirectUri }
    })
  })
}

/** Nothing runs but the page's own script; nobody frames it; it talks to the gateway and to the token endpoint. */
function secure(reply: FastifyReply, tokenOrigin: string): void {
  reply.headers({
    'content-security-policy':
      `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${tokenOrigin}; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
  })
}

function remembered({ page, now }: PageDeps): () => Promise<LoginEndpoints> {
  let known: { readonly at: number; readonly found: LoginEndpoints } | null = null
  return async () => {
    const issuer = page()?.issuer ?? ''
    if (known?.found.issuer === issuer && now() - known.at < DISCOVERED_MS) return known.found
    const found = await discoverLogin(issuer, (url, init) => fetch(url, init))
    known = { at: now(), found }
    return found
  }
}
