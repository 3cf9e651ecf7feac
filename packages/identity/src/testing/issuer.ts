/**
 * For this package's tests only: an OIDC issuer on loopback whose behaviour a test chooses (down,
 * slow, lying), with keys made by jose. The well-behaved real one is in the `test` workspace.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose'
import type { IdentityConfig, IssuerConfig } from '../config.ts'
import { MemoryRevocationStore } from '../revocations.ts'
import { MemorySessionTokenStore } from '../session-token-store.ts'
import { createVerifier, type Verifier, type VerifierDeps } from '../verify.ts'

export const AUDIENCE = 'sallyport'
/** Where every test's clock starts. */
export const START_MS = Date.UTC(2030, 0, 1, 12)

export interface TestKey {
  readonly kid: string | undefined
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

export async function makeKey(options: { kid?: string; alg?: string } = {}): Promise<TestKey> {
  const { kid, alg = 'ES256' } = options
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid ? { kid } : {}) }
  return { kid, alg, privateKey, jwk }
}

export type Answer = 'ok' | 'error' | 'hang' | 'drip' | 'huge' | 'not-json' | 'redirect'

export interface TestIssuer extends AsyncDisposable {
  readonly url: string
  keys: TestKey[]
  answer: Answer
  /** Members that replace those of the discovery document. */
  discovery: Record<string, unknown>
  readonly requests: { discovery: number; jwks: number }
  token(
    claims?: Record<string, unknown>,
    options?: { key?: TestKey; header?: Partial<JWTHeaderParameters> },
  ): Promise<string>
}

export async function startTestIssuer(): Promise<TestIssuer> {
  const requests = { discovery: 0, jwks: 0 }
  const server = createServer((request, response) => {
    const discovery = request.url === '/.well-known/openid-configuration'
    if (discovery) requests.discovery++
    else requests.jwks++
    const body = discovery
      ? { issuer: url, jwks_uri: `${url}/jwks`, ...issuer.discovery }
      : { keys: issuer.keys.map((key) => key.jwk) }
    answerWith(issuer.answer, response, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // Safe: a listening TCP server has an AddressInfo.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer: TestIssuer = {
    url,
    keys: [await makeKey({ kid: 'k1' })],
    answer: 'ok',
    discovery: {},
    requests,
    token(claims = {}, options = {}) {
      const key = options.key ?? issuer.keys[0]!
      const header = { alg: key.alg, ...(key.kid ? { kid: key.kid } : {}), ...options.header }
      return new SignJWT({ ...claimsAt(START_MS), iss: url, ...claims })
        .setProtectedHeader(header)
        .sign(key.privateKey)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return issuer
}

/** Claims of an ordinary token: alice, group analysts, issued now, good for five minutes. */
export function claimsAt(now: number): Record<string, unknown> {
  const iat = now / 1000
  return { sub: 'alice', aud: AUDIENCE, groups: ['analysts'], jti: 'j1', iat, exp: iat + 300 }
}

function answerWith(answer: Answer, response: ServerResponse, body: unknown): void {
  switch (answer) {
    case 'ok':
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
      return
    case 'error':
      response.writeHead(503).end()
      return
    case 'redirect':
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
      return
    case 'not-json':
      response.end('<html>')
      return
    case 'huge':
      response.end(`{"keys":[],"pad":"${'x'.repeat(300_000)}"}`)
      return
    case 'drip':
      response.write('{')
      return
    case 'hang':
      return
  }
}

export interface Rig {
  readonly verifier: Verifier
  readonly clock: { now: number }
  readonly now: () => number
  readonly sessionTokens: MemorySessionTokenStore
  readonly revocations: MemoryRevocationStore
}

export function configFor(
  issuers: readonly TestIssuer[],
  options: { issuer?: Partial<IssuerConfig>; config?: Partial<IdentityConfig> } = {},
): IdentityConfig {
  return {
    issuers: issuers.map((issuer) => ({
      issuer: issuer.url,
      audience: AUDIENCE,
      ...options.issuer,
    })),
    roles: {},
    clockSkewSeconds: 0,
    sessionTokens: { maxLifetimeSeconds: 3600, defaultLifetimeSeconds: 900 },
    ...options.config,
  }
}

/** A verifier over the given configuration with a clock the test moves. */
export function rigFor(config: IdentityConfig, deps: Partial<VerifierDeps> = {}): Rig {
  const clock = { now: START_MS }
  const now = (): number => clock.now
  const sessionTokens = new MemorySessionTokenStore()
  const revocations = new MemoryRevocationStore()
  const verifier = createVerifier(config, { now, sessionTokens, revocations, ...deps })
  return { verifier, clock, now, sessionTokens, revocations }
}
