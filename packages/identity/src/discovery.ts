/**
 * Where people log in at an issuer, for a page that signs them in by itself.
 * Spec: OpenID Connect Discovery 1.0 §4, RFC 8414 §2.
 */
import { isIssuerUrl } from './config-check.ts'
import { IdentityError } from './errors.ts'
import { type Fetch, fetchJson, IssuerFault } from './fetch-json.ts'
import { discoveryUrlOf } from './issuer-keys.ts'

export interface LoginEndpoints {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
}

/** @throws IdentityError issuer-unavailable */
export async function discoverLogin(issuer: string, fetch: Fetch): Promise<LoginEndpoints> {
  try {
    const document = await fetchJson(discoveryUrlOf(issuer), { what: 'discovery document', fetch })
    const found = document as Readonly<Record<string, unknown>> | null
    if (found?.['issuer'] !== issuer) {
      throw new IssuerFault('issuer-mismatch', 'discovery document: of another issuer')
    }
    return {
      issuer,
      authorizationEndpoint: endpointIn(found, 'authorization_endpoint'),
      tokenEndpoint: endpointIn(found, 'token_endpoint'),
    }
  } catch (error) {
    if (!(error instanceof IssuerFault)) throw error
    const message = 'the identity provider cannot be asked now; try again later'
    throw new IdentityError('issuer-unavailable', message, error.message)
  }
}

function endpointIn(found: Readonly<Record<string, unknown>>, name: string): string {
  const value = found[name]
  if (typeof value === 'string' && isIssuerUrl(value)) return value
  throw new IssuerFault('document', `discovery document: no usable ${name}`)
}
