/**
 * A client's login: TLS, start-up packet, token. Everything up to knowing what it wants and who it says it
 * is; whether it may is decided by whoever called.
 */
import type { Socket } from 'node:net'
import {
  type Acceptance,
  type CancelRequest,
  ClientLogin,
  type ErrorFields,
  ProtocolError,
  SQLSTATE,
  type Startup,
} from '@sallyport/protocol-postgres'
import { ChunkReader } from '../../sockets/chunk-reader.ts'
import { acceptTls, closeWith } from '../../sockets/handover.ts'
import type { ServerTls } from '../../tls/server.ts'
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
}

/** One accepted socket until it is a session, a cancel request, or gone. */
export class Greeting {
  #socket: Socket
  #reader: ChunkReader
  readonly #machine = new ClientLogin()
  readonly #channel: ClientChannel
  #encrypted = false
  #startup: Startup | null = null

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
            this.refuse({
              sqlstate: SQLSTATE.INVALID_AUTHORIZATION,
              message: 'this gateway takes tokens only over TLS',
              hint: 'Connect with sslmode=require or stricter.',
            })
            return { kind: 'gone' }
          }
          this.#machine.askPassword()
          break
        case 'password':
          if (this.#startup === null) {
            throw new ProtocolError('illegal-call', 'local', 'no start-up')
          }
          return { kind: 'login', startup: this.#startup, token: event.password }
        case 'token':
        case 'token-refused':
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
  refuse(report: Report): void {
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
