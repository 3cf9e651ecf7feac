/**
 * How an upstream is convinced: one authentication exchange, packet by packet. Which plugins may be used, and
 * what may travel on which channel, is decided here; framing is `upstream-login.ts`.
 */

import { ED25519_CHALLENGE_BYTES, ed25519Answer } from './auth/ed25519.ts'
import { encryptPassword } from './auth/rsa.ts'
import { CACHING_SHA2, cachingSha2Answer, nativePasswordAnswer, PLUGIN } from './auth/scramble.ts'
import { ProtocolError } from './errors.ts'
import { type AuthSwitch, CHALLENGE_BYTES } from './handshake.ts'
import { PUBLIC_KEY_BYTES_MAX } from './limits.ts'

/** Plugins an upstream may be convinced with. */
export type UpstreamMethod = (typeof PLUGIN)[keyof typeof PLUGIN]
export const UPSTREAM_METHODS: readonly UpstreamMethod[] = Object.values(PLUGIN)

export interface UpstreamAuthenticationOptions {
  /** Bytes of the password; empty for none. */
  readonly password: Uint8Array
  readonly methods: ReadonlySet<UpstreamMethod>
  /** The channel may carry a password in clear. */
  readonly clear: boolean
  /** The server's RSA key in PEM; null: it is not known. */
  readonly publicKeyPem: string | null
  /** Believe the key the server sends on a channel in clear. Whoever sits in between learns the password. */
  readonly trustSentKey: boolean
}

/** What caching_sha2_password waits for. */
type Stage = 'answer' | 'result' | 'public-key' | 'over'

export class UpstreamAuthentication {
  readonly #options: UpstreamAuthenticationOptions
  #method: UpstreamMethod | null = null
  #challenge: Buffer = Buffer.alloc(0)
  #stage: Stage = 'answer'

  constructor(options: UpstreamAuthenticationOptions) {
    this.#options = options
  }

  /** The plugin in use; null before `begin`. */
  get method(): UpstreamMethod | null {
    return this.#method
  }

  /**
   * The answer that goes with the HandshakeResponse, and for which plugin. Where the server's default is none
   * of ours, or would have the password in clear at once, the first of ours answers: the server switches.
   */
  begin(plugin: string, challenge: Uint8Array): { plugin: string; answer: Buffer } {
    const method = this.#allowed(plugin)
    if (method === null || method === PLUGIN.CLEAR || method === PLUGIN.ED25519) {
      const first = this.#allowed(PLUGIN.CACHING_SHA2) ?? this.#allowed(PLUGIN.NATIVE)
      if (first === null) return { plugin: PLUGIN.NATIVE, answer: Buffer.alloc(0) }
      return { plugin: first, answer: this.#start(first, challenge) }
    }
    return { plugin: method, answer: this.#start(method, challenge) }
  }

  /** The answer to an AuthSwitchRequest. Throws 'unsupported-authentication' or 'bad-authentication'. */
  switchTo(request: AuthSwitch): Buffer {
    const method = this.#allowed(request.plugin)
    if (method === null) throw unsupported('the upstream asks for a plugin that may not be used')
    return this.#start(method, request.data)
  }

  /** The answer to an AuthMoreData, or null where only the result is to come. */
  more(data: Uint8Array): Buffer | null {
    if (this.#method !== PLUGIN.CACHING_SHA2) throw unexpected()
    if (this.#stage === 'public-key') return this.#encrypted(keyText(data))
    if (this.#stage !== 'result' || data.length !== 1) throw unexpected()
    switch (data[0]) {
      case CACHING_SHA2.FAST_AUTH_SUCCESS:
        this.#stage = 'over'
        return null
      case CACHING_SHA2.FULL_AUTHENTICATION:
        return this.#full()
      default:
        throw unexpected()
    }
  }

  #allowed(plugin: string): UpstreamMethod | null {
    for (const method of this.#options.methods) if (method === plugin) return method
    return null
  }

  #start(method: UpstreamMethod, data: Uint8Array): Buffer {
    const { password } = this.#options
    this.#method = method
    this.#stage = 'over'
    switch (method) {
      case PLUGIN.CACHING_SHA2:
        this.#challenge = challengeOf(data)
        // Without a password the server does not ask for more.
        if (password.length > 0) this.#stage = 'result'
        return cachingSha2Answer(password, this.#challenge)
      case PLUGIN.NATIVE:
        return nativePasswordAnswer(password, challengeOf(data))
      case PLUGIN.ED25519:
        if (data.length !== ED25519_CHALLENGE_BYTES) throw unexpected()
        return ed25519Answer(password, data)
      case PLUGIN.CLEAR:
        if (!this.#options.clear) {
          throw unsupported('the upstream asks for the password in clear on a channel in clear')
        }
        return Buffer.concat([password, Buffer.of(0)])
    }
  }

  #full(): Buffer {
    const { password, clear, publicKeyPem, trustSentKey } = this.#options
    if (clear) {
      this.#stage = 'over'
      return Buffer.concat([password, Buffer.of(0)])
    }
    if (publicKeyPem !== null) return this.#encrypted(publicKeyPem)
    if (!trustSentKey) {
      throw unsupported('the upstream asks for the password: use TLS, or give its public key')
    }
    this.#stage = 'public-key'
    return Buffer.of(CACHING_SHA2.REQUEST_PUBLIC_KEY)
  }

  #encrypted(publicKeyPem: string): Buffer {
    this.#stage = 'over'
    return encryptPassword(this.#options.password, this.#challenge, publicKeyPem)
  }
}

/** 20 bytes, with or without the NUL behind them. */
function challengeOf(data: Uint8Array): Buffer {
  const bare = data.length === CHALLENGE_BYTES
  if (!bare && (data.length !== CHALLENGE_BYTES + 1 || data[CHALLENGE_BYTES] !== 0)) {
    throw unexpected()
  }
  return Buffer.from(data.subarray(0, CHALLENGE_BYTES))
}

function keyText(data: Uint8Array): string {
  if (data.length > PUBLIC_KEY_BYTES_MAX) {
    throw new ProtocolError('too-large', 'remote', `a public key of ${data.length} bytes`)
  }
  return Buffer.from(data).toString('latin1')
}

function unsupported(what: string): ProtocolError {
  return new ProtocolError('unsupported-authentication', 'remote', what)
}

function unexpected(): ProtocolError {
  return new ProtocolError('bad-authentication', 'remote', 'authentication data nobody asked for')
}
