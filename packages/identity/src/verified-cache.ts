/**
 * JWTs whose signature and claims were verified a moment ago, by SHA-256 of the token: least
 * recently used goes first. It saves the signature check only: the verifier looks at expiry,
 * revocation and the keys' generation on every hit.
 */
import type { IssuerKeys } from './issuer-keys.ts'
import type { EpochMs, Principal } from './principal.ts'

export interface VerifiedToken {
  readonly principal: Principal
  readonly keys: IssuerKeys
  /** `keys.generation` under which the signature was checked. */
  readonly generation: number
}

export class VerifiedCache {
  readonly #entries = new Map<string, VerifiedToken>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#entries.size
  }

  /** Present and not expired; the caller compares the keys' generation. */
  find(digest: string, now: EpochMs): VerifiedToken | undefined {
    const entry = this.#entries.get(digest)
    if (entry === undefined) return undefined
    this.#entries.delete(digest)
    if (!(now < entry.principal.expiresAt)) return undefined
    this.#entries.set(digest, entry)
    return entry
  }

  put(digest: string, entry: VerifiedToken): void {
    this.#entries.delete(digest)
    this.#entries.set(digest, entry)
    if (this.#entries.size <= this.#max) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }

  delete(digest: string): void {
    this.#entries.delete(digest)
  }
}
