/**
 * COM_CHANGE_USER: the client of a session that has just ended logs in again, on the socket it has. It is asked
 * for its token as at first; whether it may is decided by whoever called.
 */
import {
  ClientLogin,
  type ClientLoginOptions,
  type Greeting,
  type OkPacket,
  ProtocolError,
  type Startup,
} from '@sallyport/protocol-mysql'
import type { Leg } from '../../sockets/leg.ts'
import { LegReader } from '../../sockets/leg-reader.ts'
import type { Report } from '../reports.ts'
import {
  type Arrival,
  type Caller,
  type ClientChannel,
  charsetRefusal,
  loginOptions,
} from './client-login.ts'
import { errPacketOf } from './errors.ts'

/** How long a refused client may take to read why, milliseconds. */
const LAST_WORDS_MS = 2_000

type Change = NonNullable<ClientLoginOptions['change']>

export class UserChangeLogin implements Caller {
  readonly connectionId: number
  readonly #leg: Leg
  readonly #reader: LegReader
  readonly #machine: ClientLogin

  /** `greeting`: what the client was greeted with, but for a challenge of its own. */
  constructor(
    leg: Leg,
    channel: ClientChannel & { readonly encrypted: boolean },
    login: { readonly greeting: Greeting; readonly change: Change },
  ) {
    this.#leg = leg
    this.#reader = new LegReader(leg)
    this.connectionId = login.greeting.connectionId
    this.#machine = new ClientLogin({
      ...login,
      ...loginOptions(channel),
      encrypted: channel.encrypted,
    })
  }

  get startup(): Startup | null {
    return this.#machine.startup
  }

  async arrive(): Promise<Arrival> {
    const machine = this.#machine
    for (;;) {
      const event = machine.nextEvent()
      switch (event.kind) {
        case 'need-data': {
          this.#send()
          const chunk = await this.#reader.next()
          if (chunk === null) return { kind: 'gone' }
          machine.receive(chunk)
          break
        }
        case 'startup': {
          const refusal = charsetRefusal(event.startup)
          if (refusal !== null) {
            this.refuse(refusal)
            return { kind: 'gone' }
          }
          machine.askPassword()
          break
        }
        case 'password': {
          const { startup } = machine
          if (startup === null) throw new ProtocolError('illegal-call', 'local', 'no start-up')
          return { kind: 'login', startup, token: event.password }
        }
        default:
          throw new ProtocolError('illegal-call', 'local', `unexpected event \`${event.kind}\``)
      }
    }
  }

  accept(ok: OkPacket): { client: Leg; rest: Buffer } {
    this.#machine.accept(ok)
    this.#send()
    return { client: this.#leg, rest: this.#machine.takeRemaining() }
  }

  /** As servers do, the connection ends with a login that failed. */
  refuse(report: Report): void {
    try {
      this.#machine.refuse(errPacketOf(report))
      this.#leg.end(this.#machine.takeOutput(), LAST_WORDS_MS)
    } catch {
      this.destroy()
    }
  }

  leave(): void {
    if (!this.#leg.closed) this.destroy()
  }

  destroy(): void {
    this.#leg.destroy()
  }

  #send(): void {
    const out = this.#machine.takeOutput()
    if (out.length > 0) this.#leg.say(out)
  }
}
