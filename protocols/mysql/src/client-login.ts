/**
 * The login facing the client, where we are the server: HandshakeV10 to OK. Bytes go in with `receive`,
 * events come out of `nextEvent`, the caller answers each with one call, `takeOutput` is for the socket.
 * Verifies nothing: whether TLS is wanted, who the client is and what it is told is the caller's. So is every
 * deadline: this machine has no clock and waits for ever.
 *
 *     greeted --SSLRequest--> tls --tlsEstablished--> greeted        (COM_CHANGE_USER: changed --> startup)
 *     greeted --HandshakeResponse41--> startup --askPassword--> switching | full | password
 *     switching --(its answer)--> full --password--> decision --accept--> done
 *     full --request for the public key--> key --encrypted password--> decision
 *     full --encrypted password (the client has the key)--> decision
 *
 * The password arrives whole: full authentication of caching_sha2_password is always asked for, as a server
 * does whose cache is empty, and every stock client then sends it in clear inside TLS, or to our RSA key.
 *
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 */

import { isUtf8 } from 'node:buffer'
import { decryptPassword } from './auth/rsa.ts'
import { CACHING_SHA2, PLUGIN } from './auth/scramble.ts'
import { decodeUtf8 } from './bytes.ts'
import { agreed, CLIENT, has } from './capabilities.ts'
import type { ChangeUser } from './change-user.ts'
import { type ClientCharset, clientCharset, collationOf } from './charsets.ts'
import type { ClientLoginEvent, Greeting, RsaKey, Startup } from './client-login-events.ts'
import { assertNever, ProtocolError } from './errors.ts'
import {
  decodeClientHello,
  encodeAuthMoreData,
  encodeAuthSwitch,
  encodeHandshake,
  type HandshakeResponse,
} from './handshake.ts'
import { LOGIN_INPUT_BYTES_MAX, LOGIN_PACKET_BYTES_MAX, PASSWORD_BYTES_MAX } from './limits.ts'
import { encodePacket, outOfOrder, PayloadCursor } from './packets.ts'
import { type ErrPacket, encodeErr, encodeOk, HEADER, type OkPacket } from './responses.ts'

type State =
  | { readonly kind: 'greeted' }
  /** COM_CHANGE_USER: it has said who it is, and that has not been told yet. */
  | { readonly kind: 'changed'; readonly startup: Startup; readonly response: Answered }
  | { readonly kind: 'tls' }
  | { readonly kind: 'startup'; readonly response: Answered }
  | { readonly kind: 'switching' }
  | { readonly kind: 'full' }
  | { readonly kind: 'key' }
  /** It has come, and has not been told yet. */
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'decision' }
  | { readonly kind: 'done' }
  | { readonly kind: 'dead' }

/** What a client answered to a challenge before it was asked for its password. */
type Answered = Pick<HandshakeResponse, 'plugin' | 'authentication'>

export interface ClientLoginOptions {
  readonly greeting: Greeting
  /**
   * A login inside a session: the client has been greeted long ago and sent this. `greeting` has a new challenge;
   * `previous`: what it said of itself last.
   */
  readonly change?: { readonly command: ChangeUser; readonly previous: Startup }
  /** The channel is as good as TLS from its first byte: ended in front of us, or a unix socket. */
  readonly encrypted?: boolean
  /** For passwords on a channel in clear. */
  readonly rsa?: RsaKey
  /**
   * A password in clear is taken on a channel in clear too: from a loopback address, say, where MariaDB's
   * Connector/C sends it so without being told.
   */
  readonly passwordInClear?: boolean
}

/** One client's login. Any ProtocolError it throws ends it: only `refuse` and `takeOutput` are legal then. */
export class ClientLogin {
  readonly #greeting: Greeting
  readonly #rsa: RsaKey | null
  readonly #passwordInClear: boolean
  readonly #cursor = new PayloadCursor(LOGIN_PACKET_BYTES_MAX)
  #state: State = { kind: 'greeted' }
  #encrypted: boolean
  #input: Buffer = Buffer.alloc(0)
  #output: Buffer[] = []
  /** Sequence id of the next packet, whoever sends it. */
  #sequence = 0
  #startup: Startup | null = null

  constructor(options: ClientLoginOptions) {
    this.#greeting = options.greeting
    this.#encrypted = options.encrypted ?? false
    this.#rsa = options.rsa ?? null
    this.#passwordInClear = options.passwordInClear ?? false
    if (options.change === undefined) {
      this.#send(encodeHandshake({ ...options.greeting, plugin: PLUGIN.CACHING_SHA2 }))
    } else {
      const { command, previous } = options.change
      this.#state = { kind: 'changed', startup: startupAnew(command, previous), response: command }
      this.#sequence = 1
    }
  }

  /** What the client said of itself; null before that. */
  get startup(): Startup | null {
    return this.#startup
  }

  /**
   * Adds bytes from the socket, copied. Throws 'too-large' over LOGIN_INPUT_BYTES_MAX, 'illegal-call' once the
   * bytes belong to someone else (a TLS layer, the session).
   */
  receive(chunk: Uint8Array): void {
    this.#guard(() => {
      const state = this.#state
      if (state.kind === 'tls' || state.kind === 'done' || state.kind === 'dead') {
        throw illegal('receive', state)
      }
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
      for (;;) {
        const state = this.#state
        if (state.kind === 'dead') throw illegal('nextEvent', state)
        if (state.kind === 'password') {
          this.#state = { kind: 'decision' }
          return state
        }
        if (state.kind === 'changed') return this.#changed(state)
        if (!isReading(state)) return { kind: 'need-data' }
        const payload = this.#nextPayload()
        if (payload === null) return { kind: 'need-data' }
        const event = this.#take(state, payload)
        if (event !== null) return event
      }
    })
  }

  #nextPayload(): Buffer | null {
    const cursor = this.#cursor
    const input = this.#input
    if (input.length >= 4 && input[3] !== this.#sequence) throw outOfOrder(input[3]!)
    if (cursor.next(input, 0, input.length) !== 'payload') return null
    this.#sequence = (this.#sequence + cursor.packets) & 0xff
    this.#input = input.subarray(cursor.end)
    return cursor.bytes.subarray(cursor.payloadStart, cursor.payloadEnd)
  }

  #take(state: Reading, payload: Buffer): ClientLoginEvent | null {
    switch (state.kind) {
      case 'greeted':
        return this.#hello(payload)
      case 'switching':
        return this.#answered(payload)
      case 'full':
        return this.#full(payload)
      case 'key':
        return this.#encryptedPassword(payload)
      default:
        return assertNever(state)
    }
  }

  #hello(payload: Buffer): ClientLoginEvent {
    const hello = decodeClientHello(payload)
    if (hello.kind === 'ssl-request') {
      if (this.#encrypted || !has(this.#greeting.capabilities, CLIENT.SSL)) {
        throw new ProtocolError('tls', 'remote', 'TLS asked for where it is not offered')
      }
      this.#state = { kind: 'tls' }
      return { kind: 'tls-requested', bytes: this.#takeInput() }
    }
    const { response } = hello
    const { user, database, collation, packetBytesMax, attributes } = response
    const capabilities = agreed(this.#greeting.capabilities, response.capabilities)
    const charset = collation === 0 ? 'utf8mb4' : clientCharset(collation)
    const startup: Startup = {
      user,
      database,
      capabilities,
      collation,
      charset,
      packetBytesMax,
      attributes,
    }
    this.#startup = startup
    this.#state = { kind: 'startup', response }
    return { kind: 'startup', startup, encrypted: this.#encrypted }
  }

  #changed({ startup, response }: State & { kind: 'changed' }): ClientLoginEvent {
    this.#startup = startup
    // An answer to the challenge of another login is no answer; one in clear is.
    const plugin = response.plugin === PLUGIN.CLEAR ? PLUGIN.CLEAR : null
    this.#state = { kind: 'startup', response: { ...response, plugin } }
    return { kind: 'startup', startup, encrypted: this.#encrypted }
  }

  /** The handshake is done; what is received from now on is what TLS decrypted. */
  tlsEstablished(): void {
    this.#guard(() => {
      this.#expect('tlsEstablished', 'tls')
      this.#encrypted = true
      this.#state = { kind: 'greeted' }
    })
  }

  /**
   * Asks for the password. On a channel in clear only an RSA key can carry one, unless `passwordInClear`: a
   * client that sends it unencrypted anyway is refused ('unsupported-authentication').
   */
  askPassword(): void {
    this.#guard(() => {
      const { response } = this.#expect('askPassword', 'startup')
      this.#expectCharset('askPassword')
      const { plugin } = response
      const answer = Buffer.from(response.authentication)
      if (plugin === PLUGIN.CACHING_SHA2) this.#answered(answer)
      else if (plugin === PLUGIN.CLEAR) this.#clear(answer)
      else this.#switchPlugin()
    })
  }

  get #takesClear(): boolean {
    return this.#encrypted || this.#passwordInClear
  }

  /** A client that sends its password with its first packet: taken inside TLS, asked for by key outside. */
  #clear(answer: Buffer): null {
    return this.#takesClear ? this.#passwordIs(answer) : this.#switchPlugin()
  }

  #switchPlugin(): null {
    const data = Buffer.concat([this.#greeting.challenge, Buffer.of(0)])
    this.#send(encodeAuthSwitch({ plugin: PLUGIN.CACHING_SHA2, data }))
    this.#state = { kind: 'switching' }
    return null
  }

  /** The client's answer to the challenge proves nothing to us; an empty one says there is no password. */
  #answered(answer: Buffer): null {
    if (answer.length === 0 || (answer.length === 1 && answer[0] === 0)) {
      return this.#passwordIs(Buffer.alloc(0))
    }
    if (!this.#takesClear && this.#rsa === null) throw inClear()
    this.#send(encodeAuthMoreData(Buffer.of(CACHING_SHA2.FULL_AUTHENTICATION)))
    this.#state = { kind: 'full' }
    return null
  }

  #full(payload: Buffer): null {
    if (payload.length === 1 && payload[0] === CACHING_SHA2.REQUEST_PUBLIC_KEY) {
      if (this.#rsa === null) throw inClear()
      this.#send(encodeAuthMoreData(Buffer.from(this.#rsa.publicKeyPem)))
      this.#state = { kind: 'key' }
      return null
    }
    if (this.#isForOurKey(payload)) return this.#encryptedPassword(payload)
    if (!this.#takesClear) throw inClear()
    return this.#passwordIs(payload)
  }

  /** A client that has the key already (it logged in before, or was given a file) does not ask for it. */
  #isForOurKey(payload: Buffer): boolean {
    if (this.#encrypted || this.#rsa === null) return false
    const bits = this.#rsa.privateKey.asymmetricKeyDetails?.modulusLength ?? 0
    // A password in clear may be as long; what is encrypted is no text.
    return payload.length * 8 === bits && !isUtf8(payload)
  }

  #encryptedPassword(payload: Buffer): null {
    if (this.#rsa === null) throw inClear()
    const { challenge } = this.#greeting
    return this.#passwordIs(decryptPassword(payload, challenge, this.#rsa.privateKey))
  }

  /** Ends in a NUL, which some clients of mysql_clear_password leave out. */
  #passwordIs(bytes: Buffer): null {
    const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length
    if (end > PASSWORD_BYTES_MAX) {
      throw new ProtocolError('too-large', 'remote', `a password of ${end} bytes`)
    }
    if (bytes.subarray(0, end).includes(0)) {
      throw new ProtocolError('bad-authentication', 'remote', 'a password with a NUL inside')
    }
    this.#state = { kind: 'password', password: passwordText(bytes, end) }
    return null
  }

  /**
   * Lets the client in: OK. `ok.sessionState` is left out where the client does not take it.
   */
  accept(ok: OkPacket): void {
    this.#guard(() => {
      this.#expect('accept', 'decision')
      const startup = this.#expectCharset('accept')
      const sessionTrack = has(startup.capabilities, CLIENT.SESSION_TRACK)
      this.#send(encodeOk(ok, { sessionTrack, header: HEADER.OK }))
      this.#state = { kind: 'done' }
    })
  }

  /**
   * Sends the error; write the output, then close. Legal until `accept`, and after a ProtocolError, except
   * while TLS is being set up. To who has not said a word yet the SQLSTATE is left out, as servers do.
   */
  refuse(err: ErrPacket): void {
    const { kind } = this.#state
    if (kind === 'done' || kind === 'tls') throw illegal('refuse', this.#state)
    this.#send(encodeErr(err))
    this.#state = { kind: 'dead' }
  }

  /** Bytes for the socket, the caller's to keep; empty where there are none. */
  takeOutput(): Buffer {
    const taken = Buffer.concat(this.#output)
    this.#output = []
    return taken
  }

  /** After `accept`: bytes the client sent beyond its login, which belong to the session. */
  takeRemaining(): Buffer {
    if (this.#state.kind !== 'done') throw illegal('takeRemaining', this.#state)
    return this.#takeInput()
  }

  #send(payload: Buffer): void {
    this.#output.push(encodePacket(this.#sequence, payload))
    this.#sequence = (this.#sequence + 1) & 0xff
  }

  #takeInput(): Buffer {
    const input = this.#input
    this.#input = Buffer.alloc(0)
    return input
  }

  #expectCharset(call: string): Startup {
    const startup = this.#startup
    if (startup === null || startup.charset === null) throw illegal(call, this.#state)
    return startup
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

type Reading = State & { kind: 'greeted' | 'switching' | 'full' | 'key' }

function isReading(state: State): state is Reading {
  const { kind } = state
  return kind === 'greeted' || kind === 'switching' || kind === 'full' || kind === 'key'
}

/** What shapes packets stays as it was agreed when the client was greeted. */
function startupAnew(command: ChangeUser, previous: Startup): Startup {
  const { user, database, attributes } = command
  const collation = command.collation ?? previous.collation
  const charset = collation === 0 ? 'utf8mb4' : clientCharset(collation)
  return {
    ...previous,
    user,
    database,
    attributes,
    collation: narrowed(collation, charset),
    charset,
  }
}

/** A login's collation has 8 bits: of those with more, the character set is kept. */
function narrowed(collation: number, charset: ClientCharset | null): number {
  return collation > 0xff && charset !== null ? collationOf(charset) : collation & 0xff
}

/** A password that is not UTF-8 can be no token: told as a wrong password, not as broken text. */
function passwordText(bytes: Buffer, end: number): string {
  try {
    return decodeUtf8(bytes, 0, end)
  } catch (cause) {
    throw new ProtocolError('bad-authentication', 'remote', 'the password is not utf-8', { cause })
  }
}

function inClear(): ProtocolError {
  const what = 'a password on a channel that is not encrypted, and no key to encrypt it for'
  return new ProtocolError('unsupported-authentication', 'remote', what)
}

function illegal(call: string, state: State): ProtocolError {
  return new ProtocolError('illegal-call', 'local', `\`${call}\` in state \`${state.kind}\``)
}
