/**
 * One JSON document of an issuer over HTTP: no redirects, a deadline for everything including the
 * body, a cap on its size, and no trust in the injected `fetch` to honour either.
 */
import { FETCH_TIMEOUT_MS, ISSUER_DOCUMENT_BYTES_MAX } from './limits.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Why an issuer could not be read; internal to the package, told in `IssuerStatus`. */
export class IssuerFault extends Error {
  override readonly name = 'IssuerFault'
  readonly kind: 'timeout' | 'network' | 'http' | 'document' | 'issuer-mismatch'

  constructor(kind: IssuerFault['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** `what` names the document in faults. Throws IssuerFault only. */
export async function fetchJson(
  url: string,
  options: { what: string; fetch: Fetch; timeoutMs?: number },
): Promise<unknown> {
  const { what, fetch, timeoutMs = FETCH_TIMEOUT_MS } = options
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new IssuerFault('timeout', `${what}: no answer within ${timeoutMs} ms`))
      abort.abort()
    }, timeoutMs)
  })
  try {
    return await Promise.race([read(url, { what, fetch, signal: abort.signal }), deadline])
  } catch (fault) {
    if (fault instanceof IssuerFault) throw fault
    throw new IssuerFault('network', `${what}: ${networkReason(fault)}`)
  } finally {
    clearTimeout(timer)
  }
}

async function read(
  url: string,
  options: { what: string; fetch: Fetch; signal: AbortSignal },
): Promise<unknown> {
  const { what, fetch, signal } = options
  const headers = { accept: 'application/json, application/jwk-set+json' }
  const response = await fetch(url, { method: 'GET', redirect: 'manual', headers, signal })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new IssuerFault('http', `${what}: HTTP status ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > ISSUER_DOCUMENT_BYTES_MAX) {
      throw new IssuerFault('document', `${what}: more than ${ISSUER_DOCUMENT_BYTES_MAX} bytes`)
    }
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new IssuerFault('document', `${what}: not JSON`)
  }
}

/** `fetch failed` says nothing; the code of its cause (ECONNREFUSED, a TLS code) does. */
function networkReason(fault: unknown): string {
  const cause = fault instanceof Error ? fault.cause : undefined
  if (typeof cause === 'object' && cause !== null && 'code' in cause) return String(cause.code)
  return fault instanceof Error ? fault.message : 'failed'
}
