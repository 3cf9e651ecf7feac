/**
 * A client's login: TLS, start-up packet, token. Everything up to knowing what it wants and who it says it
 * is; whether it may is decided by whoever called.
 */
import type { Socket } from 'node:net'
import { discoveryUrlOf } from '@sallyport/identity'
import {
  type Acceptance,
  type BearerFailure,
  type CancelRequest,
  ClientLogin,
  type ErrorFields,
  ProtocolError,
  SQLSTATE,
  type Startup,
  settingFor,
} from '@sallyport/protocol-postgres'
import type { ListenerOauth } from '../../config/model.ts'
import { ChunkReader } from '../../sockets/chunk-reader.ts'
import { acceptTls, closeWith } from '../../sockets/handover.ts'
import type { ServerTls } from '../../tls/server.ts'
import { AUTH_SETTING } from '../admission.ts'
import type { Report } from '../reports.ts'
import { errorFrame } from './frames.ts'

export type Arrival =
  | { readonly kind: 'cancel'; readonly request: CancelRequest }
  | { readonly kind: 'gone' }
  | { readonly kind: 'login'; readonly startup: Startup; readonly token: string }

export interface ClientChannel {
  readonly tls: ServerTls | null
  /** May a token come over plain TCP from this address? */
  readonly plainAllowed: boolean
  /** What a database name that is no connection's is a database of; null: of none. */
  readonly connection: string | null
  readonly oauth: ListenerOauth | null
}

/** One accepted socket until it is a session, a cancel request, or gone. */
export class Greeting {
  #socket: Socket
  #reader: ChunkReader
  readonly #machine = new ClientLogin()
  readonly #channel: ClientChannel
  #encrypted = false
  #startup: Startup | null = null
  /** The client gave a token by OAUTHBEARER, and is told by it that it won't do. */
  #bearer = false

  constructor(socket: Socket, channel: ClientChannel) {
    this.#socket = socket
    this.#channel = channel
    this.#reader = new ChunkReader(socket)
    // Errors end the reader; without a listener of our own they would end the process.
    socket.on('error', () => undefined)
  }

  get encrypted(): boolean {
    return this.#encrypted
  }
  get socket(): Socket {
    return this.#socket
  }
  get protocolMinor(): number {
    return this.#machine.protocolMinor
  }
  /** What the client asked for; null until it has. */
  get startup(): Startup | null {
    return this.#startup
  }

  /** Throws ProtocolError when the bytes are not a login. */
  async arrive(): Promise<Arrival> {
    for (;;) {
      const event = this.#machine.nextEvent()
      switch (event.kind) {
        case 'need-data': {
          this.#send()
          const chunk = await this.#reader.next()
          if (chunk === null) return { kind: 'gone' }
          this.#machine.receive(chunk)
          break
        }
        case 'tls-requested':
          if (!(await this.#tls(event.direct, event.bytes))) return { kind: 'gone' }
          break
        case 'cancel':
          return { kind: 'cancel', request: event.request }
        case 'startup':
          this.#startup = event.startup
          if (!event.encrypted && !this.#channel.plainAllowed) {
            this.#end({
              sqlstate: SQLSTATE.INVALID_AUTHORIZATION,
              message: 'this gateway takes tokens only over TLS',
              hint: 'Connect with sslmode=require or stricter.',
            })
            return { kind: 'gone' }
          }
          if (!this.#ask(event.startup)) return { kind: 'gone' }
          break
        case 'password':
          return { kind: 'login', startup: this.#started(), token: event.password }
        case 'token':
          if (event.token !== null) {
            this.#bearer = true
            return { kind: 'login', startup: this.#started(), token: event.token }
          }
          // RFC 7628 §4.3: it asks where to get one.
          this.#machine.refuseToken(this.#bearerFailure())
          break
        case 'token-refused':
          // Not for a person to read: libpq opens another connection when it has a token.
          this.#end({ sqlstate: SQLSTATE.INVALID_AUTHORIZATION, message: 'no token was given' })
          return { kind: 'gone' }
        case 'terminated':
          return { kind: 'gone' }
        default: {
          const never: never = event
          throw new ProtocolError('illegal-call', 'local', `unexpected event ${String(never)}`)
        }
      }
    }
  }

  /** Lets the client in; returns what it sent behind its login. The socket is the caller's from now on. */
  accept(acceptance: Acceptance): Buffer {
    this.#machine.accept(acceptance)
    this.#send()
    const rest = Buffer.concat([this.#machine.takeRemaining(), this.#reader.release()])
    return rest
  }

  /** Tells the client why not, and closes. */
  async refuse(report: Report): Promise<void> {
    if (this.#bearer && report.sqlstate === SQLSTATE.INVALID_PASSWORD) {
      this.#bearer = false
      this.#machine.refuseToken(this.#bearerFailure())
      while (this.#machine.nextEvent().kind === 'need-data') {
        this.#send()
        const chunk = await this.#reader.next()
        if (chunk === null) return this.destroy()
        this.#machine.receive(chunk)
      }
    }
    this.#end(report)
  }

  #end(report: Report): void {
    try {
      closeWith(this.#socket, this.#refusal(report))
    } catch {
      this.destroy()
    }
  }

  /** Closes without a word, in order: libpq takes TLS that ends without its alert for a failed cancel. */
  dismiss(): void {
    closeWith(this.#socket, null)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** The machine's own words; after a protocol error it is dead and says none, so they are said for it. */
  #refusal(report: Report): Uint8Array {
    try {
      this.#machine.refuse(fatal(report))
      return this.#machine.takeOutput()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return errorFrame(report, 'FATAL')
    }
  }

  #started(): Startup {
    if (this.#startup === null) throw new ProtocolError('illegal-call', 'local', 'no start-up')
    return this.#startup
  }

  /** Asks for the token in the way that the listener and the client agree on. False: in none. */
  #ask(startup: Startup): boolean {
    const { oauth } = this.#channel
    const way = settingFor(startup, AUTH_SETTING) ?? (oauth?.required ? 'oauth' : 'password')
    if (way === 'oauth' && oauth !== null) this.#machine.askToken()
    else if (way === 'password' && !oauth?.required) this.#machine.askPassword()
    else {
      const ways = oauth === null ? 'password' : oauth.required ? 'oauth' : 'oauth or password'
      this.#end({
        sqlstate: SQLSTATE.INVALID_AUTHORIZATION,
        message: `the start-up setting ${AUTH_SETTING} can only be ${ways} here`,
      })
      return false
    }
    return true
  }

  #bearerFailure(): BearerFailure {
    const { oauth } = this.#channel
    if (oauth === null)
      throw new ProtocolError('illegal-call', 'local', 'no OAuth on this listener')
    const { issuer, scope } = oauth
    return { status: 'invalid_token', scope, openidConfiguration: discoveryUrlOf(issuer) }
  }

  #send(): void {
    const out = this.#machine.takeOutput()
    if (out.length > 0) this.#socket.write(out)
  }

  async #tls(direct: boolean, bytes: Uint8Array): Promise<boolean> {
    const { tls } = this.#channel
    if (tls === null) {
      if (direct) return false
      this.#machine.refuseTls()
      return true
    }
    this.#machine.acceptTls()
    this.#send()
    const raw = this.#socket
    const rest = this.#reader.release()
    if (direct) raw.unshift(Buffer.concat([bytes, rest]))
    else if (rest.length > 0) return false
    const secure = await acceptTls(raw, tls)
    if (secure === null) return false
    this.#machine.tlsEstablished({ alpn: secure.alpnProtocol || null })
    this.#socket = secure
    this.#encrypted = true
    this.#reader = new ChunkReader(secure)
    return true
  }
}

function fatal(report: Report): ErrorFields {
  return {
    severity: 'FATAL',
    severityUntranslated: 'FATAL',
    sqlstate: report.sqlstate,
    message: report.message,
    ...(report.detail && { detail: report.detail }),
    ...(report.hint && { hint: report.hint }),
  }
}
