/**
 * The login facing the database, where we are the client: SSLRequest to ReadyForQuery. Bytes go in with
 * `receive`, events come out of `nextEvent`, `takeOutput` is for the socket. The caller does the TLS
 * handshake, gives the nonce and the credential, and owns every deadline.
 *
 *     tls-asked --S--> tls-handshake --tlsEstablished--> authenticating --R 0--> settling --Z--> ready
 *     tls-asked --N--> tls-refused --continueInClear--> authenticating
 *
 * How the upstream is convinced is in `upstream-authentication.ts`. A server is not trusted with more than it needs: a password in clear only on a channel that is
 * encrypted (or declared good enough), AuthenticationOk in the middle of SCRAM is refused, and what
 * a network attacker could have taken out of the offer (channel binding) can be required.
 *
 * https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */

import { ownCopy } from '@sallyport/protocol-wire'
import { type BackendMessage, decodeBackend } from './backend.ts'
import { isAuthentication } from './backend-auth.ts'
import { ByteWriter, writeBytes } from './bytes.ts'
import { decodeErrorFields, type ErrorFields } from './error-fields.ts'
import { assertNever, ProtocolError } from './errors.ts'
import { BACKEND, FrameCursor, frameTable } from './frames.ts'
import { CANCEL_KEY_BYTES_MIN, LOGIN_MESSAGE_BYTES_MAX, LOGIN_MESSAGES_MAX } from './limits.ts'
import type { ScramChallenge } from './scram.ts'
import { encodeSslRequest, writeStartupMessage } from './startup.ts'
import {
  UPSTREAM_METHODS,
  UpstreamAuthentication,
  type UpstreamMethod,
} from './upstream-authentication.ts'

export interface UpstreamLoginOptions {
  /** Send an SSLRequest first. Without it, see `encrypted`. */
  readonly tls: boolean
  /** The channel is TLS already (direct negotiation, a tunnel); with `tls`, set by `tlsEstablished`. */
  readonly encrypted?: boolean
  /** The minor version to ask for, 0 or 2. */
  readonly minor: 0 | 2
  /** `user` first among them; order is kept. */
  readonly parameters: Iterable<readonly [string, string]>
  /** Null where there is none (trust, client certificate). */
  readonly password: string | null
  /** Fresh random text for SCRAM: printable, without commas, at least SCRAM_NONCE_CHARS_MIN long. */
  readonly nonce: string
  /** The caller answers `salt-password`; otherwise the password is salted here, which takes milliseconds. */
  readonly saltsItself?: boolean
  /** What may be used; all of UPSTREAM_METHODS unless said. */
  readonly methods?: readonly UpstreamMethod[]
  /** A password may go over a channel that is not TLS (a unix socket, say). */
  readonly cleartextInClear?: boolean
  /** tls-server-end-point data, where the channel is TLS from the beginning; see `tlsEstablished`. */
  readonly endPoint?: Uint8Array | null
}

/** What the upstream says once it has let us in. */
export interface UpstreamSession {
  readonly parameters: ReadonlyMap<string, string>
  /** Null from a server that sends no BackendKeyData. The secret is a copy. */
  readonly key: { readonly pid: number; readonly secret: Buffer } | null
  /** The minor version in force. */
  readonly minor: number
  readonly method: UpstreamMethod
  /** `_pq_.` options it did not know. */
  readonly unrecognized: readonly string[]
}

export type UpstreamLoginEvent =
  | { readonly kind: 'need-data' }
  /** The upstream takes TLS: do the handshake on the socket, then call `tlsEstablished`. */
  | { readonly kind: 'start-tls' }
  /** The upstream has no TLS: close, or call `continueInClear` if that is good enough. */
  | { readonly kind: 'tls-refused' }
  /** SCRAM: call `passwordSalted` with what `saltPassword` gives. */
  | { readonly kind: 'salt-password'; readonly challenge: ScramChallenge }
  | { readonly kind: 'notice'; readonly fields: ErrorFields }
  /** The upstream refuses; close. Text that is not UTF-8 has U+FFFD. */
  | { readonly kind: 'error'; readonly fields: ErrorFields }
  /** Logged in and idle. */
  | { readonly kind: 'ready'; readonly session: UpstreamSession }

type State =
  | { readonly kind: 'tls-asked' }
  | { readonly kind: 'tls-handshake' }
  | { readonly kind: 'tls-refused' }
  | { readonly kind: 'authenticating'; readonly exchange: UpstreamAuthentication }
  | { readonly kind: 'settling'; readonly method: UpstreamMethod }
  | { readonly kind: 'ready' }
  | { readonly kind: 'dead' }

const LOGIN_TABLE = frameTable('backend', LOGIN_MESSAGE_BYTES_MAX)
const INPUT_BYTES_MAX = 2 * LOGIN_MESSAGE_BYTES_MAX

/** One login at one upstream. Any ProtocolError it throws ends it. */
export class UpstreamLogin {
  readonly #options: UpstreamLoginOptions
  readonly #startupParameters: readonly (readonly [string, string])[]
  readonly #output = new ByteWriter()
  readonly #cursor = new FrameCursor(LOGIN_TABLE)
  readonly #parameters = new Map<string, string>()
  #state: State
  #encrypted: boolean
  #endPoint: Uint8Array | null
  #input: Buffer = Buffer.alloc(0)
  #messages = 0
  #key: UpstreamSession['key'] = null
  #minor: number
  /** Null until the upstream has negotiated, which it does once or never. */
  #unrecognized: readonly string[] | null = null

  constructor(options: UpstreamLoginOptions) {
    this.#options = options
    this.#startupParameters = [...options.parameters]
    this.#encrypted = options.encrypted ?? false
    this.#endPoint = options.endPoint ?? null
    this.#minor = options.minor
    this.#state = { kind: 'tls-asked' }
    if (options.tls) writeBytes(this.#output, encodeSslRequest())
    else this.#start()
  }

  #start(): void {
    const { minor, password, nonce, methods, cleartextInClear, saltsItself } = this.#options
    const parameters = this.#startupParameters
    writeStartupMessage(this.#output, { minor, parameters })
    const exchange = new UpstreamAuthentication({
      user: parameters.find(([name]) => name === 'user')?.[1] ?? '',
      password,
      nonce,
      methods: new Set(methods ?? UPSTREAM_METHODS),
      cleartextAllowed: this.#encrypted || cleartextInClear === true,
      endPoint: this.#encrypted ? this.#endPoint : null,
      saltsItself: saltsItself === true,
    })
    this.#state = { kind: 'authenticating', exchange }
  }

  /**
   * Adds bytes from the socket, copied. Throws 'bytes-before-tls' for bytes in clear after the server's
   * `S`, 'too-large' where more has piled up than a login can need.
   */
  receive(chunk: Uint8Array): void {
    this.#guard(() => {
      const { kind } = this.#state
      if (kind === 'tls-handshake' || kind === 'tls-refused') throw bytesBeforeTls()
      if (kind === 'dead' || kind === 'ready') throw this.#illegal('receive')
      if (this.#input.length + chunk.length > INPUT_BYTES_MAX) {
        throw new ProtocolError('too-large', 'remote', 'more than a login can need')
      }
      this.#input = Buffer.concat([this.#input, chunk])
    })
  }

  /** What the bytes so far amount to. The same event is not given twice. */
  nextEvent(): UpstreamLoginEvent {
    return this.#guard(() => {
      const state = this.#state
      switch (state.kind) {
        case 'tls-asked':
          return this.#tlsAnswer()
        case 'tls-handshake':
        case 'tls-refused':
        case 'ready':
          return { kind: 'need-data' }
        case 'authenticating':
        case 'settling':
          return this.#messagesUntilEvent()
        case 'dead':
          throw this.#illegal('nextEvent')
        default:
          return assertNever(state)
      }
    })
  }

  #tlsAnswer(): UpstreamLoginEvent {
    const [answer] = this.#input
    if (answer === undefined) return { kind: 'need-data' }
    if (answer !== 0x53 && answer !== 0x4e) {
      // §54.2.10: an ErrorResponse here is not to be shown, nobody has vouched for it.
      throw new ProtocolError(
        'tls',
        'remote',
        'the upstream answers SSLRequest with neither S nor N',
      )
    }
    if (this.#input.length > 1) throw bytesBeforeTls()
    this.#input = Buffer.alloc(0)
    this.#state = { kind: answer === 0x53 ? 'tls-handshake' : 'tls-refused' }
    return { kind: answer === 0x53 ? 'start-tls' : 'tls-refused' }
  }

  /**
   * The handshake is done and the certificate checked by the caller. `endPoint`: the hash of the
   * server's certificate as RFC 5929 defines tls-server-end-point, null without channel binding.
   */
  tlsEstablished(options: { readonly endPoint: Uint8Array | null }): void {
    this.#guard(() => {
      if (this.#state.kind !== 'tls-handshake') throw this.#illegal('tlsEstablished')
      this.#encrypted = true
      this.#endPoint = options.endPoint
      this.#start()
    })
  }

  /** After `tls-refused`: log in over the open channel, under the rules for one. */
  continueInClear(): void {
    this.#guard(() => {
      if (this.#state.kind !== 'tls-refused') throw this.#illegal('continueInClear')
      this.#start()
    })
  }

  /** After `salt-password`. */
  passwordSalted(salted: Uint8Array): void {
    this.#guard(() => {
      if (this.#state.kind !== 'authenticating') throw this.#illegal('passwordSalted')
      this.#state.exchange.salted(salted, this.#output)
    })
  }

  /** Bytes for the socket, the caller's to keep; empty where there are none. */
  takeOutput(): Buffer {
    return this.#output.take()
  }

  /** After `ready`: bytes beyond ReadyForQuery, which belong to the session. */
  takeRemaining(): Buffer {
    if (this.#state.kind !== 'ready') throw this.#illegal('takeRemaining')
    const remaining = this.#input
    this.#input = Buffer.alloc(0)
    return remaining
  }

  #messagesUntilEvent(): UpstreamLoginEvent {
    for (;;) {
      const found = this.#cursor.next(this.#input, 0, this.#input.length)
      if (found !== 'frame') return { kind: 'need-data' }
      const { type, bodyStart, frameEnd } = this.#cursor
      if (++this.#messages > LOGIN_MESSAGES_MAX) {
        throw new ProtocolError('too-large', 'remote', `over ${LOGIN_MESSAGES_MAX} messages`)
      }
      const body = this.#input.subarray(bodyStart, frameEnd)
      this.#input = this.#input.subarray(frameEnd)
      const event = this.#message(type, body)
      if (event !== null) return event
    }
  }

  #message(type: number, body: Buffer): UpstreamLoginEvent | null {
    if (type === BACKEND.ERROR_RESPONSE || type === BACKEND.NOTICE_RESPONSE) {
      const fields = decodeErrorFields(body, 0, body.length, { lossy: true })
      if (type === BACKEND.NOTICE_RESPONSE) return { kind: 'notice', fields }
      this.#state = { kind: 'dead' }
      return { kind: 'error', fields }
    }
    const message = decodeBackend(type, body, 0, body.length)
    const state = this.#state
    if (state.kind === 'settling') return this.#settle(state.method, message)
    if (state.kind !== 'authenticating') throw this.#unexpected(message.kind)
    if (message.kind === 'NegotiateProtocolVersion') {
      this.#negotiate(state.exchange, message.version, message.unrecognized)
    } else if (isAuthentication(message)) {
      const method = state.exchange.answer(message, this.#output)
      if (method !== null) this.#state = { kind: 'settling', method }
      const challenge = state.exchange.takeChallenge()
      if (challenge !== null) return { kind: 'salt-password', challenge }
    } else throw this.#unexpected(message.kind)
    return null
  }

  /** §54.2.1: only before authentication, only downwards, and never below what we can speak. */
  #negotiate(
    exchange: UpstreamAuthentication,
    version: number,
    unrecognized: readonly string[],
  ): void {
    // Servers before 18 put the whole version there; the documents say the minor. Both are low 16 bits.
    const major = version >>> 16
    const minor = version & 0xffff
    if (!exchange.untouched || this.#unrecognized !== null) {
      throw this.#unexpected('NegotiateProtocolVersion')
    }
    if ((major !== 3 && major !== 0) || minor > this.#options.minor) {
      throw new ProtocolError(
        'unsupported-protocol',
        'remote',
        `protocol ${major}.${minor} offered`,
      )
    }
    this.#minor = minor
    this.#unrecognized = unrecognized
  }

  #settle(method: UpstreamMethod, message: BackendMessage): UpstreamLoginEvent | null {
    switch (message.kind) {
      case 'ParameterStatus':
        this.#parameters.set(message.name, message.value)
        return null
      case 'BackendKeyData':
        if (this.#key !== null) throw this.#unexpected(message.kind)
        if (this.#minor < 2 && message.secret.length !== CANCEL_KEY_BYTES_MIN) {
          throw new ProtocolError('bad-length', 'remote', 'a cancel secret protocol 3.0 has not')
        }
        this.#key = { pid: message.pid, secret: ownCopy(message.secret) }
        return null
      case 'ReadyForQuery':
        if (message.status !== 'I') throw this.#unexpected('ReadyForQuery in a transaction')
        this.#state = { kind: 'ready' }
        return { kind: 'ready', session: this.#session(method) }
      default:
        throw this.#unexpected(message.kind)
    }
  }

  #session(method: UpstreamMethod): UpstreamSession {
    return {
      parameters: this.#parameters,
      key: this.#key,
      minor: this.#minor,
      method,
      unrecognized: this.#unrecognized ?? [],
    }
  }

  #unexpected(what: string): ProtocolError {
    return new ProtocolError(
      'unexpected-message',
      'remote',
      `${what} while the login is \`${this.#state.kind}\``,
    )
  }

  #illegal(call: string): ProtocolError {
    return new ProtocolError('illegal-call', 'local', `\`${call}\` while \`${this.#state.kind}\``)
  }

  #guard<T>(step: () => T): T {
    try {
      return step()
    } catch (error) {
      this.#state = { kind: 'dead' }
      throw error
    }
  }
}

function bytesBeforeTls(): ProtocolError {
  return new ProtocolError(
    'bytes-before-tls',
    'remote',
    'the upstream sent unencrypted data after its answer to SSLRequest',
  )
}
