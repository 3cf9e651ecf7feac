/**
 * The public keys of one issuer: found by OIDC Discovery (or a configured URI), kept, refreshed,
 * rotated. Last good keys serve while the issuer is down, up to a bound. jose picks and imports keys.
 *
 *   age   0 ─────── REFRESH ─────── FRESH_MAX ─────────────── stale bound
 *         serve      serve, fetch     fetch first; if that      fetch or
 *                    meanwhile        fails, serve              refuse
 *
 * There is no timer: everything happens on use, so a gateway nobody connects to fetches nothing.
 * Spec: OpenID Connect Discovery 1.0 §4, RFC 7517 §5.
 */
import { createHash } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from 'jose'
import type { IssuerConfig } from './config.ts'
import { isIssuerUrl } from './config-check.ts'
import { IdentityError } from './errors.ts'
import { type Fetch, fetchJson, IssuerFault } from './fetch-json.ts'
import {
  FETCH_TIMEOUT_MS,
  ISSUER_RETRY_MS,
  KEYS_FRESH_MS_MAX,
  KEYS_MAX,
  KEYS_REFRESH_MS,
  KEYS_STALE_MS_MAX,
  UNKNOWN_KEY_COOLDOWN_MS,
} from './limits.ts'
import type { EpochMs } from './principal.ts'

/** What readiness probes and the doctor show for one issuer. */
export interface IssuerStatus {
  readonly issuer: string
  /** none: never loaded. fresh: fully trusted. stale: last good keys of an issuer that fails. dropped: too old to use. */
  readonly keys: 'none' | 'fresh' | 'stale' | 'dropped'
  readonly keyCount: number
  readonly loadedAt: EpochMs | null
  readonly lastFailure: {
    readonly at: EpochMs
    readonly kind: string
    readonly detail: string
  } | null
  /** Tokens of this issuer can be verified now. */
  readonly ready: boolean
}

interface KeySet {
  readonly find: LocalJWKSet
  readonly fingerprint: string
  readonly count: number
  readonly loadedAt: EpochMs
}

export class IssuerKeys {
  readonly #issuer: IssuerConfig
  readonly #now: () => EpochMs
  readonly #fetch: Fetch
  readonly #timeoutMs: number
  readonly #staleMsMax: number
  #keys: KeySet | null = null
  #generation = 0
  #loading: Promise<void> | null = null
  #lastFailure: IssuerStatus['lastFailure'] = null
  #failing = false
  #unknownKeyAt = Number.NEGATIVE_INFINITY

  constructor(
    issuer: IssuerConfig,
    deps: { now: () => EpochMs; fetch: Fetch; fetchTimeoutMs?: number },
  ) {
    this.#issuer = issuer
    this.#now = deps.now
    this.#fetch = deps.fetch
    this.#timeoutMs = deps.fetchTimeoutMs ?? FETCH_TIMEOUT_MS
    const staleSeconds = issuer.keysStaleSecondsMax
    this.#staleMsMax = staleSeconds === undefined ? KEYS_STALE_MS_MAX : staleSeconds * 1000
  }

  /** Grows whenever the set of keys changes; a signature checked under another number is worth nothing. */
  get generation(): number {
    return this.#generation
  }

  /** Keys to verify with now, by the ages above. Throws `issuer-unavailable`. */
  async current(): Promise<LocalJWKSet> {
    const age = this.#age()
    if (age < KEYS_REFRESH_MS && this.#keys !== null) return this.#keys.find
    if (this.#mayTry()) {
      const loading = this.#load()
      if (age >= KEYS_FRESH_MS_MAX) await loading
    } else if (this.#loading !== null && age >= KEYS_FRESH_MS_MAX) {
      await this.#loading
    }
    if (this.#keys === null || this.#age() >= this.#staleMsMax) throw this.#unavailable()
    return this.#keys.find
  }

  /**
   * Fetches again because a token names a key we do not have: at most once per
   * `UNKNOWN_KEY_COOLDOWN_MS`, whoever asks. True when keys were fetched and the caller may retry.
   */
  async refetchForUnknownKey(): Promise<boolean> {
    const now = this.#now()
    const before = this.#generation
    if (this.#loading === null) {
      if (elapsed(this.#unknownKeyAt, now) < UNKNOWN_KEY_COOLDOWN_MS || !this.#mayTry())
        return false
      this.#unknownKeyAt = now
    }
    await this.#load()
    return this.#generation !== before
  }

  /** Loads unless the keys are fresh; never throws, see `status`. */
  async warm(): Promise<void> {
    if (this.#age() >= KEYS_REFRESH_MS) await this.#load()
  }

  status(): IssuerStatus {
    const age = this.#age()
    const usable = this.#keys !== null && age < this.#staleMsMax
    let keys: IssuerStatus['keys'] = 'none'
    if (usable) keys = this.#failing || age >= KEYS_FRESH_MS_MAX ? 'stale' : 'fresh'
    else if (this.#keys !== null) keys = 'dropped'
    return {
      issuer: this.#issuer.issuer,
      keys,
      keyCount: this.#keys?.count ?? 0,
      loadedAt: this.#keys?.loadedAt ?? null,
      lastFailure: this.#lastFailure,
      ready: usable && (this.#keys?.count ?? 0) > 0,
    }
  }

  #age(): number {
    return this.#keys === null
      ? Number.POSITIVE_INFINITY
      : elapsed(this.#keys.loadedAt, this.#now())
  }

  /** While the issuer fails it is asked at most once per `ISSUER_RETRY_MS`. */
  #mayTry(): boolean {
    if (this.#loading !== null) return false
    if (!this.#failing || this.#lastFailure === null) return true
    return elapsed(this.#lastFailure.at, this.#now()) >= ISSUER_RETRY_MS
  }

  /** One load at a time, shared by all who wait. Never rejects. */
  #load(): Promise<void> {
    this.#loading ??= this.#fetchKeys()
      .then(
        (keys) => {
          if (keys.fingerprint !== this.#keys?.fingerprint) this.#generation++
          this.#keys = keys
          this.#failing = false
        },
        (fault: unknown) => {
          const { kind, message } =
            fault instanceof IssuerFault ? fault : { kind: 'document', message: 'unusable answer' }
          this.#failing = true
          this.#lastFailure = { at: this.#now(), kind, detail: message }
        },
      )
      .finally(() => {
        this.#loading = null
      })
    return this.#loading
  }

  async #fetchKeys(): Promise<KeySet> {
    const uri = this.#issuer.jwksUri ?? (await this.#discover())
    const document = await this.#get(uri, 'key set')
    let find: LocalJWKSet
    try {
      // jose judges the document's shape itself, on a copy; anything else throws.
      find = createLocalJWKSet(document as JSONWebKeySet)
    } catch {
      throw new IssuerFault('document', 'key set: not a JSON Web Key Set')
    }
    const { keys } = find.jwks()
    if (keys.length > KEYS_MAX) {
      throw new IssuerFault('document', `key set: more than ${KEYS_MAX} keys`)
    }
    const fingerprint = createHash('sha256').update(JSON.stringify(keys)).digest('base64url')
    return { find, fingerprint, count: keys.length, loadedAt: this.#now() }
  }

  async #discover(): Promise<string> {
    const { issuer } = this.#issuer
    const url = discoveryUrlOf(issuer)
    const document = await this.#get(url, 'discovery document')
    if (typeof document !== 'object' || document === null) {
      throw new IssuerFault('document', 'discovery document: not an object')
    }
    // OIDC Discovery §4.3: must be exactly the issuer asked, else one issuer could speak for another.
    if (!('issuer' in document) || document.issuer !== issuer) {
      throw new IssuerFault('issuer-mismatch', 'discovery document: names another issuer')
    }
    const uri = 'jwks_uri' in document ? document.jwks_uri : undefined
    if (typeof uri !== 'string' || !isIssuerUrl(uri)) {
      throw new IssuerFault('document', 'discovery document: `jwks_uri` is not an https URL')
    }
    return uri
  }

  #get(url: string, what: string): Promise<unknown> {
    return fetchJson(url, { what, fetch: this.#fetch, timeoutMs: this.#timeoutMs })
  }

  #unavailable(): IdentityError {
    const why = this.#lastFailure?.detail ?? 'not loaded'
    return new IdentityError(
      'issuer-unavailable',
      "the token cannot be checked now: its issuer's keys are not available; try again later",
      `keys of ${this.#issuer.issuer}: ${why}`,
    )
  }
}

/** OIDC Discovery §4.1: one trailing slash is dropped before the well-known path is added. */
export function discoveryUrlOf(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/** A clock set back counts as "long ago": it may cost a fetch, never prolong trust. */
function elapsed(since: EpochMs, now: EpochMs): number {
  return now < since ? Number.POSITIVE_INFINITY : now - since
}
