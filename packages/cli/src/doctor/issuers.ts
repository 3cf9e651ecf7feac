/** Issuers: discovery document, key set, and whether their clock and ours agree. */
import type { GatewayConfig } from '@sallyport/gateway'
import {
  createVerifier,
  type IssuerConfig,
  type IssuerStatus,
  MemoryRevocationStore,
  MemorySessionTokenStore,
} from '@sallyport/identity'
import { formatDuration } from '../duration.ts'
import { counted } from '../numbers.ts'
import { Area } from './findings.ts'

const DATE_MS_MAX = 5_000
/** The Date header has whole seconds and the answer takes a while: less says nothing. */
const CLOCK_NOISE_MS = 5_000

export async function checkIssuers(
  config: GatewayConfig,
  now: () => number,
): Promise<readonly Area[]> {
  const { identity } = config
  if (identity.issuers.length === 0) {
    const area = new Area('issuers')
    area.warn(
      'none configured: only tokens minted here are accepted',
      'Add your identity provider under identity.issuers.',
    )
    return [area]
  }
  const verifier = createVerifier(identity, {
    now,
    sessionTokens: new MemorySessionTokenStore(),
    revocations: new MemoryRevocationStore(),
  })
  const statuses = await verifier.warm()
  return Promise.all(
    statuses.map(async (status, index) => {
      const area = new Area(`issuer ${status.issuer}`)
      reportKeys(area, status)
      const issuer = identity.issuers[index]
      if (issuer !== undefined && status.ready) {
        await checkClock(area, issuer, { now, skewMs: identity.clockSkewSeconds * 1000 })
      }
      return area
    }),
  )
}

function reportKeys(area: Area, { ready, keyCount, lastFailure }: IssuerStatus): void {
  if (ready) {
    area.ok(`reachable, ${counted(keyCount, 'key')}`)
    return
  }
  if (lastFailure === null) {
    area.fail('its key set holds no key', 'The issuer must publish the keys it signs with.')
    return
  }
  area.fail(lastFailure.detail, FIXES[lastFailure.kind] ?? 'Check the issuer’s URL.')
}

const FIXES: Readonly<Record<string, string>> = {
  timeout: 'Check network, firewall and proxy between this machine and the issuer.',
  network: 'Check the name, the network, and for a TLS code the CA (NODE_EXTRA_CA_CERTS adds one).',
  http: 'Is the URL the issuer’s own, with its realm or tenant? Open URL/.well-known/openid-configuration.',
  document: 'The answer is no OpenID configuration or key set: is a login page or proxy answering?',
  'issuer-mismatch': 'Write `issuer` exactly as the document says it, a slash at the end included.',
}

async function checkClock(
  area: Area,
  issuer: IssuerConfig,
  { now, skewMs }: { now: () => number; skewMs: number },
): Promise<void> {
  const url =
    issuer.jwksUri ?? `${issuer.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  let date: number
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'error',
      signal: AbortSignal.timeout(DATE_MS_MAX),
    })
    date = Date.parse(response.headers.get('date') ?? '')
  } catch {
    return
  }
  if (Number.isNaN(date)) return
  const difference = Math.abs(now() - date)
  const words = `its clock and this machine’s differ by ${formatDuration(difference)}`
  const fix = 'Let both machines follow NTP; identity.clock-skew-seconds covers small differences.'
  if (difference > Math.max(skewMs, CLOCK_NOISE_MS)) area.fail(words, fix)
  else if (difference > CLOCK_NOISE_MS) area.warn(words, fix)
  else area.ok('its clock and this machine’s agree')
}
