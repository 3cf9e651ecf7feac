/**
 * The login facing the client, where we are the server: first bytes to ReadyForQuery. Bytes go in with
 * `receive`, events come out of `nextEvent`, the caller answers each with one call, `takeOutput` is for
 * the socket. Verifies nothing: whether TLS is wanted, who the client is and what it is told is the
 * caller's. So is every deadline: this machine has no clock and waits for ever.
 *
 *     opening --SSLRequest--> tls-asked --acceptTls--> tls-handshake --tlsEstablished--> opening
 *     opening --StartupMessage--> startup --ask*--> credential --> decision --accept--> done
 *     startup, decision --refuse--> dead          opening --CancelRequest--> dead
 *
 * https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */

import { writeBackend } from './backend.ts'
import { asBuffer, ByteWriter, decodeUtf8, writeUint8 } from './bytes.ts'
import type { Acceptance, ClientLoginEvent } from './client-login-events.ts'
import { type ErrorFields, writeReport } from './error-fields.ts'
import { assertNever, ProtocolError, SQLSTATE } from './errors.ts'
import { FRONTEND, FrameCursor, frameTable } from './frames.ts'
import { LOGIN_INPUT_BYTES_MAX, PASSWORD_BYTES_MAX } from './limits.ts'
import {
  type BearerFailure,
  decodeBearer,
  encodeBearerFailure,
  OAUTHBEARER,
} from './oauth-bearer.ts'
import { decodePasswordMessage, decodeSaslInitialResponse } from './sasl-messages.ts'
import { decodeOpening, NEWEST_MINOR, type Startup } from './startup.ts'

type State =
  | { readonly kind: 'opening'; readonly sslRefused: boolean; readonly gssRefused: boolean }
  | { readonly kind: 'tls-asked'; readonly direct: boolean; readonly gssRefused: boolean }
  | { readonly kind: 'tls-handshake'; readonly direct: boolean }
  | { readonly kind: 'startup'; readonly startup: Startup }
  | { readonly kind: 'credential'; readonly startup: Startup; readonly want: Credential }
  | { readonly kind: 'decision'; readonly startup: Startup; readonly sasl: boolean }
  | { readonly kind: 'done' }
  | { readonly kind: 'dead' }

type Credential = 'password' | 'token' | 'acknowledgement'

const LOGIN_TABLE = frameTable('frontend', PASSWORD_BYTES_MAX)

/** One client's login. Any ProtocolError it throws ends it: every later call throws 'illegal-call'. */
export class ClientLogin {
  #state: State = { kind: 'opening', sslRefused: false, gssRefused: false }
  #encrypted: boolean
  #input: Buffer = Buffer.alloc(0)
  readonly #output = new ByteWriter()
  readonly #cursor = new FrameCursor(LOGIN_TABLE)
  #minor = 0

  /** `encrypted`: the channel is TLS from its first byte, e.g. ended by something in front of us. */
  constructor(options: { readonly encrypted?: boolean } = {}) {
    this.#encrypted = options.encrypted ?? false
  }

  /** The minor version agreed, 0 to 2; 0 before the StartupMessage. */
  get protocolMinor(): number {
    return this.#minor
  }

  /**
   * Adds bytes from the socket, copied. Throws 'bytes-before-tls' for bytes in clear where the client
   * should be waiting for our answer to SSLRequest, 'too-large' over LOGIN_INPUT_BYTES_MAX,
   * 'illegal-call' once the bytes belong to someone else (a TLS layer, the session).
   */
  receive(chunk: Uint8Array): void {
    this.#guard(() => {
      const state = this.#state
      const waits = state.kind === 'tls-asked' || state.kind === 'tls-handshake'
      if (waits && !state.direct) throw bytesBeforeTls()
      if (waits || state.kind === 'done' || state.kind === 'dead') throw illegal('receive', state)
      const length = this.#input.length + chunk.length
      if (length > LOGIN_INPUT_BYTES_MAX) {
        throw new ProtocolError('too-large', 'remote', `${length} bytes before authentication`)
      }
      this.#input = Buffer.concat([this.#input, chunk])
    })
  }

  /** What the bytes so far amount to. The same event is not given twice. */
  nextEvent(): ClientLoginEvent {
    return this.#guard(() => {
      const state = this.#state
      switch (state.kind) {
        case 'opening':
          return this.#opening(state)
        case 'credential':
          return this.#credential(state)
        case 'tls-asked':
        case 'tls-handshake':
        case 'startup':
        case 'decision':
        case 'done':
          return { kind: 'need-data' }
        case 'dead':
          throw illegal('nextEvent', state)
        default:
          return assertNever(state)
      }
    })
  }

  #opening(state: State & { kind: 'opening' }): ClientLoginEvent {
    for (let current = state; ; ) {
      const opening = decodeOpening(this.#input)
      switch (opening.kind) {
        case 'need-data':
          return { kind: 'need-data' }
        case 'direct-tls':
          if (this.#encrypted || current.sslRefused || current.gssRefused) throw noSecondTls()
          this.#state = { kind: 'tls-asked', direct: true, gssRefused: false }
          return { kind: 'tls-requested', direct: true, bytes: this.#takeInput() }
        case 'ssl-request':
          if (this.#encrypted || current.sslRefused) throw noSecondTls()
          this.#consume(opening.bytes)
          if (this.#input.length > 0) throw bytesBeforeTls()
          this.#state = { kind: 'tls-asked', direct: false, gssRefused: current.gssRefused }
          return { kind: 'tls-requested', direct: false, bytes: Buffer.alloc(0) }
        case 'gssenc-request':
          if (this.#encrypted || current.gssRefused) throw noSecondTls()
          this.#consume(opening.bytes)
          this.#answer('N')
          current = { ...current, gssRefused: true }
          this.#state = current
          break
        case 'cancel':
          this.#consume(opening.bytes)
          this.#state = { kind: 'dead' }
          return { kind: 'cancel', request: opening.request }
        case 'startup':
          this.#consume(opening.bytes)
          return this.#startup(opening.startup)
        default:
          return assertNever(opening)
      }
    }
  }

  #startup(startup: Startup): ClientLoginEvent {
    this.#minor = startup.minor
    this.#state = { kind: 'startup', startup }
    if (startup.negotiate) {
      writeBackend(this.#output, {
        kind: 'NegotiateProtocolVersion',
        version: (3 << 16) | startup.minor,
        unrecognized: startup.protocolOptions,
      })
    }
    return { kind: 'startup', startup, encrypted: this.#encrypted }
  }

  /** Answers SSLRequest with yes (or takes a direct handshake): do the handshake on the socket. */
  acceptTls(): void {
    this.#guard(() => {
      const state = this.#expect('acceptTls', 'tls-asked')
      if (!state.direct) this.#answer('S')
      this.#state = { kind: 'tls-handshake', direct: state.direct }
    })
  }

  /** Answers SSLRequest with no; the client may go on in clear. Not legal for a direct handshake. */
  refuseTls(): void {
    this.#guard(() => {
      const state = this.#expect('refuseTls', 'tls-asked')
      if (state.direct) throw illegal('refuseTls', state)
      this.#answer('N')
      this.#state = { kind: 'opening', sslRefused: true, gssRefused: state.gssRefused }
    })
  }

  /**
   * The handshake is done; what is received from now on is what TLS decrypted. `alpn`: the protocol
   * agreed, null for none. Throws 'tls' where a direct handshake did not agree on `postgresql`, or
   * any on something else.
   */
  tlsEstablished(options: { readonly alpn: string | null }): void {
    this.#guard(() => {
      const state = this.#expect('tlsEstablished', 'tls-handshake')
      if (options.alpn !== 'postgresql' && (state.direct || options.alpn !== null)) {
        throw new ProtocolError(
          'tls',
          'remote',
          'received direct SSL connection request without ALPN protocol negotiation extension',
        )
      }
      this.#encrypted = true
      this.#state = { kind: 'opening', sslRefused: false, gssRefused: false }
    })
  }

  /** Asks for a clear-text password. Whether the channel may carry one is the caller's to know. */
  askPassword(): void {
    this.#guard(() => {
      const { startup } = this.#expect('askPassword', 'startup')
      writeBackend(this.#output, { kind: 'AuthenticationCleartextPassword' })
      this.#state = { kind: 'credential', startup, want: 'password' }
    })
  }

  /** Asks for an OAuth bearer token (SASL OAUTHBEARER). */
  askToken(): void {
    this.#guard(() => {
      const { startup } = this.#expect('askToken', 'startup')
      writeBackend(this.#output, { kind: 'AuthenticationSASL', mechanisms: [OAUTHBEARER] })
      this.#state = { kind: 'credential', startup, want: 'token' }
    })
  }

  #credential(state: State & { kind: 'credential' }): ClientLoginEvent {
    const cursor = this.#cursor
    const input = this.#input
    const found = cursor.next(input, 0, input.length)
    if (found !== 'frame' && cursor.type !== FRONTEND.TERMINATE && cursor.type !== 0) {
      this.#onlyPassword(cursor.type)
    }
    if (found !== 'frame') return { kind: 'need-data' }
    if (cursor.type === FRONTEND.TERMINATE) {
      this.#state = { kind: 'dead' }
      return { kind: 'terminated' }
    }
    this.#onlyPassword(cursor.type)
    const event = this.#replyOf(state, input, cursor.bodyStart, cursor.frameEnd)
    this.#consume(cursor.frameEnd)
    return event
  }

  #onlyPassword(type: number): void {
    if (type === FRONTEND.PASSWORD) return
    throw new ProtocolError(
      'unexpected-message',
      'remote',
      `expected password response, got message type ${type}`,
    )
  }

  #replyOf(
    state: State & { kind: 'credential' },
    buf: Buffer,
    start: number,
    end: number,
  ): ClientLoginEvent {
    const { startup } = state
    switch (state.want) {
      case 'password': {
        const password = passwordText(asBuffer(decodePasswordMessage(buf, start, end)))
        this.#state = { kind: 'decision', startup, sasl: false }
        return { kind: 'password', password }
      }
      case 'token': {
        const { mechanism, data } = decodeSaslInitialResponse(buf, start, end)
        if (mechanism !== OAUTHBEARER || data === null) {
          throw new ProtocolError(
            'bad-authentication',
            'remote',
            'a mechanism that was not offered',
          )
        }
        const token = decodeBearer(asBuffer(data))
        this.#state = { kind: 'decision', startup, sasl: true }
        return { kind: 'token', token }
      }
      case 'acknowledgement': {
        // RFC 7628 §3.2.3: the dummy response is one ^A.
        if (end - start !== 1 || buf[start] !== 1) {
          throw new ProtocolError(
            'bad-authentication',
            'remote',
            'not the answer to a failed token',
          )
        }
        this.#state = { kind: 'decision', startup, sasl: false }
        return { kind: 'token-refused' }
      }
      default:
        return assertNever(state.want)
    }
  }

  /** Tells a client of OAUTHBEARER that its token won't do, and why; `token-refused` follows. */
  refuseToken(failure: BearerFailure): void {
    this.#guard(() => {
      const state = this.#expect('refuseToken', 'decision')
      if (!state.sasl) throw illegal('refuseToken', state)
      const data = encodeBearerFailure(failure)
      writeBackend(this.#output, { kind: 'AuthenticationSASLContinue', data })
      this.#state = { kind: 'credential', startup: state.startup, want: 'acknowledgement' }
    })
  }

  /**
   * Lets the client in: AuthenticationOk, ParameterStatus, BackendKeyData, notices, ReadyForQuery(I).
   * Throws 'bad-length' (local) where the secret does not suit `protocolMinor`.
   */
  accept(acceptance: Acceptance): void {
    this.#guard(() => {
      this.#expectAnswerable('accept')
      if (this.#minor < NEWEST_MINOR && acceptance.secret.length !== 4) {
        throw new ProtocolError('bad-length', 'local', 'protocol 3.0 has cancel secrets of 4 bytes')
      }
      const out = this.#output
      writeBackend(out, { kind: 'AuthenticationOk' })
      for (const [name, value] of acceptance.parameters) {
        writeBackend(out, { kind: 'ParameterStatus', name, value })
      }
      const { pid, secret } = acceptance
      writeBackend(out, { kind: 'BackendKeyData', pid, secret })
      for (const fields of acceptance.notices ?? []) writeReport(out, 'notice', fields)
      writeBackend(out, { kind: 'ReadyForQuery', status: 'I' })
      this.#state = { kind: 'done' }
    })
  }

  /** Sends the error; write the output, then close. Legal once a StartupMessage has been read. */
  refuse(fields: ErrorFields): void {
    this.#guard(() => {
      if (this.#state.kind !== 'credential') this.#expectAnswerable('refuse')
      writeReport(this.#output, 'error', fields)
      this.#state = { kind: 'dead' }
    })
  }

  #expectAnswerable(call: string): void {
    const state = this.#state
    if (state.kind !== 'startup' && state.kind !== 'decision') throw illegal(call, state)
  }

  /** Bytes for the socket, the caller's to keep; empty where there are none. */
  takeOutput(): Buffer {
    return this.#output.take()
  }

  /** After `accept`: bytes the client sent beyond its login, which belong to the session. */
  takeRemaining(): Buffer {
    if (this.#state.kind !== 'done') throw illegal('takeRemaining', this.#state)
    return this.#takeInput()
  }

  #answer(letter: 'S' | 'N'): void {
    writeUint8(this.#output, letter.charCodeAt(0))
  }

  #consume(bytes: number): void {
    this.#input = this.#input.subarray(bytes)
  }

  #takeInput(): Buffer {
    const input = this.#input
    this.#input = Buffer.alloc(0)
    return input
  }

  #expect<K extends State['kind']>(call: string, kind: K): State & { kind: K } {
    const state = this.#state
    if (state.kind !== kind) throw illegal(call, state)
    // Safe: the discriminant was compared on the line above.
    return state as State & { kind: K }
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

/** A password that is not UTF-8 can be no token: told as a wrong password, not as broken text. */
function passwordText(password: Buffer): string {
  try {
    return decodeUtf8(password, 0, password.length)
  } catch (cause) {
    throw new ProtocolError('bad-authentication', 'remote', 'the password is not utf-8', {
      sqlstate: SQLSTATE.INVALID_PASSWORD,
      cause,
    })
  }
}

function bytesBeforeTls(): ProtocolError {
  return new ProtocolError(
    'bytes-before-tls',
    'remote',
    'received unencrypted data after SSL request',
  )
}

function noSecondTls(): ProtocolError {
  return new ProtocolError('tls', 'remote', 'encryption asked for again')
}

function illegal(call: string, state: State): ProtocolError {
  return new ProtocolError('illegal-call', 'local', `\`${call}\` in state \`${state.kind}\``)
}
