/**
 * The one error of this package. `message` may be shown to whoever presented the token; `diagnostic`
 * is for the gateway's log. Neither ever holds a token, a part of one, or a claim's value; causes
 * are not attached because jose's errors carry the claims.
 */

export const IDENTITY_ERROR_CODES = [
  /** No token at all. */
  'missing',
  /** Not a token of a kind we know, or one that is broken. */
  'malformed',
  /** The signature does not fit the issuer's key. */
  'signature',
  /** The issuer publishes no such key. */
  'unknown-key',
  'expired',
  'not-yet-valid',
  'wrong-issuer',
  'wrong-audience',
  /** The signature algorithm is not on the issuer's list. */
  'algorithm',
  /** The `typ` header says this is another sort of JWT. */
  'token-type',
  'revoked',
  /** A well-formed session token that was never issued here, or is long gone. */
  'unknown-token',
  /** The issuer's keys cannot be had; trying again later may help. */
  'issuer-unavailable',
  /** The session token or revocation store failed; trying again later may help. */
  'store-unavailable',
  /** A required claim is missing, of the wrong shape, or has a value that is not accepted. */
  'claims',
  'role-not-allowed',
  'connection-not-allowed',
  /** An exchange asked for a graph, node or run that the token may not have. */
  'context-not-allowed',
  /** The request to mint, exchange or revoke is itself wrong. */
  'invalid-request',
  /** A named limit is reached. */
  'limit',
  /** The configuration cannot be used. */
  'configuration',
  /** A fault of ours; refused all the same. */
  'internal',
] as const
export type IdentityErrorCode = (typeof IDENTITY_ERROR_CODES)[number]

/** A refusal. Match on `code`; `message` is safe for the client, `diagnostic` for the log. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
  readonly code: IdentityErrorCode
  /** More than the client is told: which issuer, which check. Never token contents. */
  readonly diagnostic: string

  constructor(code: IdentityErrorCode, message: string, diagnostic: string = message) {
    super(message)
    this.code = code
    this.diagnostic = diagnostic
  }

  /** True when the same token may well be accepted in a moment. */
  get retryable(): boolean {
    return this.code === 'issuer-unavailable' || this.code === 'store-unavailable'
  }
}

/** Asks a store; whatever it throws becomes `store-unavailable`, except an IdentityError of its own. */
export async function askStore<T>(what: string, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof IdentityError) throw error
    const why = error instanceof Error ? error.name : typeof error
    const message = 'the token cannot be checked or made now; try again later'
    throw new IdentityError('store-unavailable', message, `${what} store failed: ${why}`)
  }
}

/** Closes a `switch` over a union; a value that reaches it is our bug. */
export function assertNever(value: never): never {
  throw new IdentityError('internal', 'internal error', `unexpected value ${typeof value}`)
}
