/**
 * How an upstream is convinced that it is us: the Authentication* messages of one login, answered. Used
 * by `upstream-login.ts`, which owns framing, TLS and what comes before and after.
 *
 *     asking --R 0--> (trust)           asking --R 3 or 5--> answered --R 0--> (cleartext, md5)
 *     asking --R 10--> scram first --R 11--> scram final --R 12--> scram verified --R 0--> (scram)
 *
 * https://www.postgresql.org/docs/18/sasl-authentication.html
 */

import { createHash } from 'node:crypto'
import type { ByteSink } from '@sallyport/protocol-wire'
import type { AuthenticationMessage } from './backend-auth.ts'
import { asBuffer, decodeUtf8 } from './bytes.ts'
import { assertNever, ProtocolError } from './errors.ts'
import {
  writePasswordMessage,
  writeSaslInitialResponse,
  writeSaslResponse,
} from './sasl-messages.ts'
import {
  type ChannelBinding,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  type ScramChallenge,
  ScramClient,
} from './scram.ts'

/** How an upstream may let us in. `trust`: without asking for anything. */
export type UpstreamMethod = 'trust' | 'cleartext' | 'md5' | 'scram-sha-256' | 'scram-sha-256-plus'

export const UPSTREAM_METHODS: readonly UpstreamMethod[] = [
  'trust',
  'cleartext',
  'md5',
  'scram-sha-256',
  'scram-sha-256-plus',
]

export interface UpstreamAuthenticationOptions {
  readonly user: string
  /** Null where there is none. */
  readonly password: string | null
  readonly nonce: string
  readonly methods: ReadonlySet<UpstreamMethod>
  /** Whether this channel may carry the password as it is. */
  readonly cleartextAllowed: boolean
  /** tls-server-end-point data of this channel, null where there is none. */
  readonly endPoint: Uint8Array | null
  /** The caller salts the password. */
  readonly saltsItself: boolean
}

type State =
  | { readonly kind: 'asking' }
  | { readonly kind: 'answered'; readonly method: 'cleartext' | 'md5' }
  | {
      readonly kind: 'scram'
      readonly scram: ScramClient
      readonly step: 'first' | 'salting' | 'final' | 'verified'
    }
  | { readonly kind: 'done' }

/** One exchange. Any ProtocolError it throws ends the login. */
export class UpstreamAuthentication {
  readonly #options: UpstreamAuthenticationOptions
  #state: State = { kind: 'asking' }
  #challenge: ScramChallenge | null = null

  constructor(options: UpstreamAuthenticationOptions) {
    this.#options = options
  }

  /** Whether the upstream has not asked for anything yet. */
  get untouched(): boolean {
    return this.#state.kind === 'asking'
  }

  /**
   * Takes one message, appends the answer to `out` if there is one; the method, once the upstream has
   * let us in. Throws 'unsupported-authentication', 'bad-authentication', 'authentication-proof',
   * 'unexpected-message'.
   */
  answer(message: AuthenticationMessage, out: ByteSink): UpstreamMethod | null {
    const state = this.#state
    switch (message.kind) {
      case 'AuthenticationOk':
        return this.#ok()
      case 'AuthenticationCleartextPassword':
        this.#cleartext(out)
        return null
      case 'AuthenticationMD5Password':
        this.#md5(message.salt, out)
        return null
      case 'AuthenticationSASL':
        this.#beginScram(message.mechanisms, out)
        return null
      case 'AuthenticationSASLContinue':
        if (state.kind !== 'scram' || state.step !== 'first') throw this.#unexpected(message.kind)
        this.#challenged(state.scram, textOf(message.data), out)
        return null
      case 'AuthenticationSASLFinal':
        if (state.kind !== 'scram' || state.step !== 'final') throw this.#unexpected(message.kind)
        state.scram.verify(textOf(message.data))
        this.#state = { ...state, step: 'verified' }
        return null
      case 'AuthenticationUnsupported':
        throw unsupported(`authentication method ${message.method} is not spoken here`)
      default:
        return assertNever(message)
    }
  }

  /** How the password is to be salted, once: where `saltsItself`, `salted` is to be called with it. */
  takeChallenge(): ScramChallenge | null {
    const challenge = this.#challenge
    this.#challenge = null
    return challenge
  }

  /** `bytes`: what `saltPassword` gives for the challenge. */
  salted(bytes: Uint8Array, out: ByteSink): void {
    const state = this.#state
    if (state.kind !== 'scram' || state.step !== 'salting') {
      throw new ProtocolError('illegal-call', 'local', 'no password is to be salted')
    }
    writeSaslResponse(out, Buffer.from(state.scram.proof(bytes)))
    this.#state = { ...state, step: 'final' }
  }

  #challenged(scram: ScramClient, serverFirst: string, out: ByteSink): void {
    if (this.#options.saltsItself) {
      this.#challenge = scram.challenge(serverFirst)
      this.#state = { kind: 'scram', scram, step: 'salting' }
      return
    }
    writeSaslResponse(out, Buffer.from(scram.final(serverFirst)))
    this.#state = { kind: 'scram', scram, step: 'final' }
  }

  #ok(): UpstreamMethod {
    const state = this.#state
    this.#state = { kind: 'done' }
    switch (state.kind) {
      case 'asking':
        this.#require('trust')
        return 'trust'
      case 'answered':
        return state.method
      case 'scram':
        // INVARIANT: no AuthenticationOk without a server that has proven itself.
        if (state.step !== 'verified' || !state.scram.verified) {
          throw new ProtocolError(
            'authentication-proof',
            'remote',
            'the upstream ends SCRAM without its proof',
          )
        }
        return methodOf(state.scram.mechanism)
      case 'done':
        throw this.#unexpected('AuthenticationOk')
      default:
        return assertNever(state)
    }
  }

  #require(method: UpstreamMethod): void {
    if (!this.#options.methods.has(method)) throw unsupported(`\`${method}\` is not allowed here`)
  }

  /** The password, if the upstream may be shown a proof of it by this method, now. */
  #passwordFor(method: UpstreamMethod): string {
    if (this.#state.kind !== 'asking') throw this.#unexpected('a second authentication request')
    this.#require(method)
    const { password } = this.#options
    if (password === null) throw unsupported(`\`${method}\` needs a password and there is none`)
    return password
  }

  #cleartext(out: ByteSink): void {
    const password = this.#passwordFor('cleartext')
    if (!this.#options.cleartextAllowed) {
      throw unsupported('a password in clear would cross a channel that is not encrypted')
    }
    writePasswordMessage(out, password)
    this.#state = { kind: 'answered', method: 'cleartext' }
  }

  #md5(salt: Uint8Array, out: ByteSink): void {
    const password = this.#passwordFor('md5')
    writePasswordMessage(out, md5Password({ user: this.#options.user, password, salt }))
    this.#state = { kind: 'answered', method: 'md5' }
  }

  #beginScram(mechanisms: readonly string[], out: ByteSink): void {
    const binding = this.#chooseBinding(mechanisms)
    const { nonce } = this.#options
    const mechanism = binding.kind === 'tls-server-end-point' ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256
    const password = this.#passwordFor(methodOf(mechanism))
    const scram = new ScramClient({ password, nonce, binding })
    writeSaslInitialResponse(out, scram.mechanism, Buffer.from(scram.first()))
    this.#state = { kind: 'scram', scram, step: 'first' }
  }

  #chooseBinding(mechanisms: readonly string[]): ChannelBinding {
    const { endPoint, methods } = this.#options
    const able = endPoint !== null && methods.has('scram-sha-256-plus')
    if (able && mechanisms.includes(SCRAM_SHA_256_PLUS)) {
      return { kind: 'tls-server-end-point', data: endPoint }
    }
    if (!mechanisms.includes(SCRAM_SHA_256)) {
      throw unsupported('no SASL mechanism on offer can be used on this channel')
    }
    return { kind: able ? 'unused' : 'none' }
  }

  #unexpected(what: string): ProtocolError {
    return new ProtocolError(
      'unexpected-message',
      'remote',
      `${what} while authentication is \`${this.#state.kind}\``,
    )
  }
}

function methodOf(mechanism: ScramClient['mechanism']): UpstreamMethod {
  return mechanism === SCRAM_SHA_256_PLUS ? 'scram-sha-256-plus' : 'scram-sha-256'
}

/** `md5` and md5(md5(password + user) + salt), in hex, as §54.2.1 gives it. */
export function md5Password(options: {
  readonly user: string
  readonly password: string
  /** Four bytes. */
  readonly salt: Uint8Array
}): string {
  const hex = (...parts: readonly (string | Uint8Array)[]): string => {
    const hash = createHash('md5')
    for (const part of parts) hash.update(part)
    return hash.digest('hex')
  }
  return `md5${hex(hex(options.password, options.user), options.salt)}`
}

function textOf(data: Uint8Array): string {
  const bytes = asBuffer(data)
  return decodeUtf8(bytes, 0, bytes.length)
}

function unsupported(what: string): ProtocolError {
  return new ProtocolError('unsupported-authentication', 'remote', `the upstream: ${what}`)
}
