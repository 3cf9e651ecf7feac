/**
 * Tokens for database connections: an application's own token, exchanged at the gateway (RFC 8693) for short
 * ones narrowed to a connection, a graph, a node or a run, and fetched again before they expire.
 */

const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
/** A token with less life than this left is not handed out, ms. */
const LEFT_MS_MIN = 30_000
/** Or than this part of its whole life, for tokens that live shortly. */
const LEFT_PART_MIN = 0.2
/** Tokens kept at a time; the oldest goes first. */
const TOKENS_MAX = 1_000
const EXCHANGE_MS_MAX = 15_000

export interface Narrowing {
  readonly connections?: readonly string[]
  readonly roles?: readonly string[]
  readonly graph?: string
  readonly node?: string
  readonly run?: string
}

export interface TokenSourceOptions {
  /** The gateway's admin address, `https://gateway.internal:9464`. */
  readonly url: string
  /** The application's own token, as its identity provider gives it; asked for at each exchange. */
  readonly subjectToken: () => string | Promise<string>
  /** Asked for; the gateway may give less. */
  readonly lifetimeSeconds?: number
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number
  readonly fetch?: typeof globalThis.fetch
}

/** `code` as OAuth says it (`invalid_scope`, …), or `unreachable`. */
export class TokenError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TokenError'
    this.code = code
  }
}

interface Kept {
  readonly token: string
  readonly goodUntil: number
}

export class TokenSource {
  readonly #options: TokenSourceOptions
  /** By scope; a promise while it is fetched, so that many who ask at once cause one exchange. */
  readonly #kept = new Map<string, Promise<Kept>>()

  constructor(options: TokenSourceOptions) {
    this.#options = options
  }

  /** A token with life left. @throws TokenError */
  async token(narrowing: Narrowing = {}): Promise<string> {
    const scope = scopeOf(narrowing)
    const now = this.#options.now ?? Date.now
    const before = this.#kept.get(scope)
    if (before !== undefined) {
      const kept = await before.catch(() => null)
      if (kept !== null && now() < kept.goodUntil) return kept.token
      if (this.#kept.get(scope) === before) this.#kept.delete(scope)
    }
    const underWay = this.#kept.get(scope)
    if (underWay !== undefined) return (await underWay).token
    const fetched = this.#exchange(scope, now)
    this.#keep(scope, fetched)
    return (await fetched).token
  }

  /** For drivers that ask for a password at each connection: `new pg.Pool({ password: tokens.password() })`. */
  password(narrowing: Narrowing = {}): () => Promise<string> {
    return () => this.token(narrowing)
  }

  /** The gateway said that this token is no good any more: the next one is fetched anew. */
  forget(narrowing: Narrowing = {}): void {
    this.#kept.delete(scopeOf(narrowing))
  }

  #keep(scope: string, fetched: Promise<Kept>): void {
    const oldest = this.#kept.keys().next().value
    if (this.#kept.size >= TOKENS_MAX && oldest !== undefined) this.#kept.delete(oldest)
    this.#kept.set(scope, fetched)
    fetched.catch(() => {
      if (this.#kept.get(scope) === fetched) this.#kept.delete(scope)
    })
  }

  async #exchange(scope: string, now: () => number): Promise<Kept> {
    const { url, subjectToken, lifetimeSeconds, fetch = globalThis.fetch } = this.#options
    const form = new URLSearchParams({
      grant_type: EXCHANGE_GRANT,
      subject_token: await subjectToken(),
      subject_token_type: ACCESS_TOKEN,
      ...(scope !== '' && { scope }),
      ...(lifetimeSeconds !== undefined && { lifetime: String(lifetimeSeconds) }),
    })
    const asked = now()
    const answer = await fetch(new URL('/oauth/token', url), {
      method: 'POST',
      body: form,
      signal: AbortSignal.timeout(EXCHANGE_MS_MAX),
    }).catch((cause: unknown) => {
      throw new TokenError('unreachable', 'the gateway’s token endpoint does not answer', { cause })
    })
    const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>
    const { access_token: token, expires_in: seconds, error, error_description: why } = body
    if (!answer.ok || typeof token !== 'string' || typeof seconds !== 'number') {
      const code = typeof error === 'string' ? error : `http-${answer.status}`
      throw new TokenError(code, typeof why === 'string' ? why : 'no token was issued')
    }
    const left = Math.min(LEFT_MS_MIN, seconds * 1000 * LEFT_PART_MIN)
    return { token, goodUntil: asked + seconds * 1000 - left }
  }
}

/** As the gateway's token endpoint reads it: values percent-encoded, order of no matter. */
function scopeOf({ connections = [], roles = [], graph, node, run }: Narrowing): string {
  const pairs: [string, string | undefined][] = [
    ...[...connections].sort().map((name): [string, string] => ['connection', name]),
    ...[...roles].sort().map((name): [string, string] => ['role', name]),
    ['graph', graph],
    ['node', node],
    ['run', run],
  ]
  return pairs
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}:${encodeURIComponent(value)}`]))
    .join(' ')
}
