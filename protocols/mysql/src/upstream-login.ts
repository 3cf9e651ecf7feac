/**
 * The login facing the database, where we are the client: HandshakeV10 to OK. Bytes go in with `receive`,
 * events come out of `nextEvent`, `takeOutput` is for the socket. The caller does the TLS handshake, gives
 * the credential, and owns every deadline.
 *
 *     greeting --HandshakeV10--> tls --tlsEstablished--> authenticating --OK--> ready
 *     greeting --HandshakeV10--> authenticating                  (without TLS)
 *
 * A server is not trusted with more than it needs: a password in clear only on a channel that is encrypted
 * (or declared good enough), and never TLS given up because it offers none.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 */

import { type Capabilities, CLIENT, has, requestFor } from './capabilities.ts'
import { UTF8MB4_GENERAL_CI } from './charsets.ts'
import { ProtocolError } from './errors.ts'
import {
  AUTH_MORE_DATA,
  AUTH_SWITCH,
  decodeAuthSwitch,
  decodeHandshake,
  encodeHandshakeResponse,
  encodeSslRequest,
  type HandshakeV10,
} from './handshake.ts'
import {
  PAYLOAD_BYTES_MAX,
  UPSTREAM_LOGIN_PACKET_BYTES_MAX,
  UPSTREAM_LOGIN_PACKETS_MAX,
} from './limits.ts'
import { encodePacket, outOfOrder, PayloadCursor } from './packets.ts'
import { decodeErr, decodeOk, type ErrPacket, HEADER, type OkPacket } from './responses.ts'
import { parseServerVersion, type ServerVersion } from './server-version.ts'
import {
  UPSTREAM_METHODS,
  UpstreamAuthentication,
  type UpstreamMethod,
} from './upstream-authentication.ts'

export interface UpstreamLoginOptions {
  /** Speak TLS: an upstream that offers none is an event, never a fall back. */
  readonly tls: boolean
  /** The channel is as good as TLS already (a tunnel, a unix socket). */
  readonly encrypted?: boolean
  readonly user: string
  /** Empty or null where there is none. */
  readonly password: string | null
  readonly database: string | null
  /** What the client chose: see `Startup.capabilities`. */
  readonly capabilities: Capabilities
  /** The client's collation id; 0: utf8mb4. */
  readonly collation: number
  readonly attributes: readonly (readonly [string, string])[]
  /** What may be used; all of UPSTREAM_METHODS unless said. */
  readonly methods?: readonly UpstreamMethod[]
  /** The server's RSA key in PEM, for passwords on a channel in clear. */
  readonly publicKeyPem?: string
  /** Believe the key the server sends. Whoever sits in between learns the password. */
  readonly trustSentKey?: boolean
}

/** What the upstream is, once it has let us in. */
export interface UpstreamSession {
  readonly serverVersion: string
  /** Null where `serverVersion` is no version. */
  readonly version: ServerVersion | null
  /** The upstream's: what KILL takes. */
  readonly connectionId: number
  /** All it offers: for `offerTo`. */
  readonly offered: Capabilities
  /** What is in force on this leg: pass it to `Relay`. */
  readonly capabilities: Capabilities
  /** Its default collation, low 8 bits. */
  readonly collation: number
  readonly method: UpstreamMethod | null
  /** Copied. */
  readonly ok: OkPacket
}

export type UpstreamLoginEvent =
  | { readonly kind: 'need-data' }
  /** Write the output, do the TLS handshake on the socket, then call `tlsEstablished`. */
  | { readonly kind: 'start-tls' }
  /** The upstream has no TLS; close. */
  | { readonly kind: 'tls-refused' }
  /** The upstream refuses; close. */
  | { readonly kind: 'error'; readonly err: ErrPacket }
  /** Logged in and idle. */
  | { readonly kind: 'ready'; readonly session: UpstreamSession }

type State =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'tls'; readonly handshake: HandshakeV10 }
  | {
      readonly kind: 'authenticating'
      readonly handshake: HandshakeV10
      readonly exchange: UpstreamAuthentication
      readonly capabilities: Capabilities
    }
  | { readonly kind: 'ready' }
  | { readonly kind: 'dead' }

const INPUT_BYTES_MAX = 2 * UPSTREAM_LOGIN_PACKET_BYTES_MAX

/** One login at one upstream. Any ProtocolError it throws ends it. */
export class UpstreamLogin {
  readonly #options: UpstreamLoginOptions
  readonly #cursor = new PayloadCursor(UPSTREAM_LOGIN_PACKET_BYTES_MAX)
  #state: State = { kind: 'greeting' }
  #encrypted: boolean
  #input: Buffer = Buffer.alloc(0)
  #output: Buffer[] = []
  #sequence = 0
  #packets = 0

  constructor(options: UpstreamLoginOptions) {
    this.#options = options
    this.#encrypted = options.encrypted ?? false
  }

  /**
   * Adds bytes from the socket, copied. Throws 'tls' for bytes in clear where the handshake should be,
   * 'too-large' where more has piled up than a login can need.
   */
  receive(chunk: Uint8Array): void {
    this.#guard(() => {
      const { kind } = this.#state
      if (kind === 'tls') throw bytesBeforeTls()
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
      for (;;) {
        const state = this.#state
        if (state.kind === 'dead') throw this.#illegal('nextEvent')
        if (state.kind === 'tls' || state.kind === 'ready') return { kind: 'need-data' }
        const payload = this.#nextPayload()
        if (payload === null) return { kind: 'need-data' }
        const event =
          state.kind === 'greeting' ? this.#greeted(payload) : this.#continue(state, payload)
        if (event !== null) return event
      }
    })
  }

  #nextPayload(): Buffer | null {
    const cursor = this.#cursor
    const input = this.#input
    if (cursor.next(input, 0, input.length) !== 'payload') return null
    // Servers that refuse a connection at once (1040, 1129) do not all begin at 0.
    const isErr = cursor.bytes[cursor.payloadStart] === HEADER.ERR
    if (cursor.sequence !== this.#sequence && !isErr) throw outOfOrder(cursor.sequence)
    if (++this.#packets > UPSTREAM_LOGIN_PACKETS_MAX) {
      throw new ProtocolError('too-large', 'remote', 'more packets than a login can need')
    }
    this.#sequence = (this.#sequence + cursor.packets) & 0xff
    this.#input = input.subarray(cursor.end)
    if (cursor.payloadEnd === cursor.payloadStart) {
      throw new ProtocolError('truncated', 'remote', 'an empty packet')
    }
    return cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd)
  }

  #greeted(payload: Buffer): UpstreamLoginEvent | null {
    if (payload[0] === HEADER.ERR) return this.#refused(payload)
    const handshake = decodeHandshake(payload)
    if (!this.#options.tls) return this.#respond(handshake)
    if (!has(handshake.capabilities, CLIENT.SSL)) {
      this.#state = { kind: 'dead' }
      return { kind: 'tls-refused' }
    }
    if (this.#input.length > 0) throw bytesBeforeTls()
    const capabilities = this.#request(handshake)
    this.#send(encodeSslRequest({ ...this.#head(), capabilities }))
    this.#state = { kind: 'tls', handshake }
    return { kind: 'start-tls' }
  }

  /** The handshake is done; what is received from now on is what TLS decrypted. */
  tlsEstablished(): void {
    this.#guard(() => {
      const state = this.#state
      if (state.kind !== 'tls') throw this.#illegal('tlsEstablished')
      this.#encrypted = true
      this.#respond(state.handshake)
    })
  }

  #request(handshake: HandshakeV10): Capabilities {
    const { capabilities, tls, database } = this.#options
    return requestFor(handshake.capabilities, capabilities, { tls, database: database !== null })
  }

  #head(): { packetBytesMax: number; collation: number } {
    return {
      packetBytesMax: PAYLOAD_BYTES_MAX,
      collation: this.#options.collation === 0 ? UTF8MB4_GENERAL_CI : this.#options.collation,
    }
  }

  #respond(handshake: HandshakeV10): null {
    const { user, password, database, attributes, methods } = this.#options
    const capabilities = this.#request(handshake)
    const exchange = new UpstreamAuthentication({
      password: Buffer.from(password ?? '', 'utf8'),
      methods: new Set(methods ?? UPSTREAM_METHODS),
      clear: this.#encrypted,
      publicKeyPem: this.#options.publicKeyPem ?? null,
      trustSentKey: this.#options.trustSentKey ?? false,
    })
    const { plugin, answer } = exchange.begin(handshake.plugin, handshake.challenge)
    const head = { ...this.#head(), capabilities }
    const authentication = answer
    this.#send(
      encodeHandshakeResponse({ ...head, user, authentication, database, plugin, attributes }),
    )
    this.#state = { kind: 'authenticating', handshake, exchange, capabilities }
    return null
  }

  #continue(state: State & { kind: 'authenticating' }, payload: Buffer): UpstreamLoginEvent | null {
    switch (payload[0]) {
      case HEADER.OK:
        return this.#ready(state, payload)
      case HEADER.ERR:
        return this.#refused(payload)
      case AUTH_SWITCH:
        this.#send(state.exchange.switchTo(decodeAuthSwitch(payload)))
        return null
      case AUTH_MORE_DATA: {
        const answer = state.exchange.more(payload.subarray(1))
        if (answer !== null) this.#send(answer)
        return null
      }
      default:
        throw new ProtocolError('bad-authentication', 'remote', `packet ${payload[0]} at login`)
    }
  }

  #ready(state: State & { kind: 'authenticating' }, payload: Buffer): UpstreamLoginEvent {
    const { handshake, exchange, capabilities } = state
    const sessionTrack = has(capabilities, CLIENT.SESSION_TRACK)
    const ok = decodeOk(Buffer.from(payload), { sessionTrack, header: HEADER.OK })
    const { serverVersion, connectionId, collation } = handshake
    this.#state = { kind: 'ready' }
    const session: UpstreamSession = {
      serverVersion,
      version: parseServerVersion(serverVersion),
      connectionId,
      offered: handshake.capabilities,
      capabilities,
      collation,
      method: exchange.method,
      ok,
    }
    return { kind: 'ready', session }
  }

  #refused(payload: Buffer): UpstreamLoginEvent {
    this.#state = { kind: 'dead' }
    return { kind: 'error', err: decodeErr(payload) }
  }

  /** Bytes for the socket, the caller's to keep; empty where there are none. */
  takeOutput(): Buffer {
    const taken = Buffer.concat(this.#output)
    this.#output = []
    return taken
  }

  /** Once ready: bytes that arrived behind the login. A server sends none by itself. */
  takeRemaining(): Buffer {
    if (this.#state.kind !== 'ready') throw this.#illegal('takeRemaining')
    const input = this.#input
    this.#input = Buffer.alloc(0)
    return input
  }

  #send(payload: Buffer): void {
    this.#output.push(encodePacket(this.#sequence, payload))
    this.#sequence = (this.#sequence + 1) & 0xff
  }

  #illegal(call: string): ProtocolError {
    return new ProtocolError(
      'illegal-call',
      'local',
      `\`${call}\` in state \`${this.#state.kind}\``,
    )
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
  return new ProtocolError('tls', 'remote', 'bytes in clear where TLS was to begin')
}
