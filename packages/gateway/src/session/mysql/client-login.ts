/**
 * A client's login: greeting, TLS, HandshakeResponse, token. Everything up to knowing what it wants and who it
 * says it is; whether it may is decided by whoever called.
 */
import type { Socket } from 'node:net'
import {
  ClientLogin,
  type ClientLoginOptions,
  encodeErr,
  encodePacket,
  type Greeting,
  type OkPacket,
  ProtocolError,
  type RsaKey,
  type Startup,
} from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { ChunkReader } from '../../sockets/chunk-reader.ts'
import { acceptTls, closeWith } from '../../sockets/handover.ts'
import type { Leg } from '../../sockets/leg.ts'
import type { ServerTls } from '../../tls/server.ts'
import type { Report } from '../reports.ts'
import { errPacketOf } from './errors.ts'

export type Arrival =
  | { readonly kind: 'gone' }
  | { readonly kind: 'login'; readonly startup: Startup; readonly token: string }

export interface ClientChannel {
  readonly tls: ServerTls | null
  /** May a token come over plain TCP from this address? */
  readonly plainAllowed: boolean
  /** For tokens over plain TCP; of the stock clients only MariaDB's Connector/C sends them unencrypted there. */
  readonly rsa: RsaKey
}

/** Whoever is logging in: on a connection just accepted, or inside a session (COM_CHANGE_USER). */
export interface Caller {
  /** What the client has been told its connection is called. */
  readonly connectionId: number
  /** What the client asked for; null until it has. */
  readonly startup: Startup | null
  /** Throws ProtocolError when the bytes are not a login. */
  arrive(): Promise<Arrival>
  /** Lets the client in. It is the caller's from now on, with what it sent behind its login. */
  accept(ok: OkPacket): { readonly client: Socket | Leg; readonly rest: Buffer }
  /** Tells the client why not, and closes. */
  refuse(report: Report): void
  /** Closes what is not closing by itself. */
  leave(): void
  destroy(): void
}

/** One accepted socket until it is a session, or gone. */
export class MysqlGreeting implements Caller {
  #socket: Socket
  #reader: ChunkReader
  readonly #machine: ClientLogin
  readonly #channel: ClientChannel
  readonly connectionId: number

  constructor(socket: Socket, channel: ClientChannel, greeting: Greeting) {
    this.#socket = socket
    this.#channel = channel
    this.connectionId = greeting.connectionId
    this.#machine = new ClientLogin({ greeting, ...loginOptions(channel) })
    this.#reader = new ChunkReader(socket)
    // Errors end the reader; without a listener of our own they would end the process.
    socket.on('error', () => undefined)
  }

  get socket(): Socket {
    return this.#socket
  }
  get startup(): Startup | null {
    return this.#machine.startup
  }

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
          if (!(await this.#tls(event.bytes))) return { kind: 'gone' }
          break
        case 'startup': {
          const refusal = this.#refusalOf(event.startup, event.encrypted)
          if (refusal !== null) {
            this.refuse(refusal)
            return { kind: 'gone' }
          }
          this.#machine.askPassword()
          break
        }
        case 'password':
          if (this.startup === null) {
            throw new ProtocolError('illegal-call', 'local', 'no start-up')
          }
          return { kind: 'login', startup: this.startup, token: event.password }
        default: {
          const never: never = event
          throw new ProtocolError('illegal-call', 'local', `unexpected event ${String(never)}`)
        }
      }
    }
  }

  accept(ok: OkPacket): { client: Socket; rest: Buffer } {
    this.#machine.accept(ok)
    this.#send()
    const rest = Buffer.concat([this.#machine.takeRemaining(), this.#reader.release()])
    return { client: this.#socket, rest }
  }

  refuse(report: Report): void {
    try {
      this.#machine.refuse(errPacketOf(report))
      closeWith(this.#socket, this.#machine.takeOutput())
    } catch {
      this.destroy()
    }
  }

  leave(): void {
    if (!this.#socket.writableEnded) this.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #refusalOf(startup: Startup, encrypted: boolean): Report | null {
    if (!encrypted && !this.#channel.plainAllowed) {
      return {
        sqlstate: SQLSTATE.INVALID_AUTHORIZATION,
        message: 'this gateway takes tokens only over TLS',
        hint: 'Connect with ssl-mode=REQUIRED or stricter.',
      }
    }
    return charsetRefusal(startup)
  }

  #send(): void {
    const out = this.#machine.takeOutput()
    if (out.length > 0) this.#socket.write(out)
  }

  async #tls(bytes: Uint8Array): Promise<boolean> {
    const { tls } = this.#channel
    if (tls === null) return false
    this.#send()
    const raw = this.#socket
    // A client need not wait for anything between its request for TLS and its first TLS record.
    const early = Buffer.concat([bytes, this.#reader.release()])
    if (early.length > 0) raw.unshift(early)
    const secure = await acceptTls(raw, tls)
    if (secure === null) return false
    this.#machine.tlsEstablished()
    this.#socket = secure
    this.#reader = new ChunkReader(secure)
    return true
  }
}

/** What a login takes on this channel. */
export function loginOptions({
  plainAllowed,
  rsa,
}: ClientChannel): Pick<ClientLoginOptions, 'rsa' | 'passwordInClear'> {
  return plainAllowed ? { rsa, passwordInClear: true } : {}
}

/** Null: its statements can be read. */
export function charsetRefusal({ charset }: Startup): Report | null {
  if (charset !== null) return null
  return {
    sqlstate: SQLSTATE.FEATURE_NOT_SUPPORTED,
    message: 'this gateway cannot read statements in the character set of this client',
    hint: 'Connect with the character set utf8mb4.',
  }
}

/** To a client that cannot even be greeted: a server's first packet may be an error. */
export function turnAway(socket: Socket, report: Report): void {
  socket.on('error', () => undefined)
  closeWith(socket, turnAwayPacket(report))
}

/** Before the client has said a word the SQLSTATE is left out, as servers do. */
export function turnAwayPacket(report: Report): Buffer {
  return encodePacket(0, encodeErr({ ...errPacketOf(report), sqlstate: null }))
}
