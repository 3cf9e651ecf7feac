/** One session's MySQL side: gatekeeper and relay, and what they need of the session around them. */
import {
  type Capabilities,
  type ChangeUser,
  type ProbeAnswer,
  ProtocolError,
  Relay,
} from '@sallyport/protocol-mysql'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { Defined } from '@sallyport/sql'
import type { HoldState } from '../../approvals/wait.ts'
import type { Leg } from '../../sockets/leg.ts'
import type { SessionEngine } from '../engine.ts'
import type { SessionHolds } from '../holds.ts'
import type { Report } from '../reports.ts'
import type { Session } from '../session.ts'
import type { ViewAnswer } from '../view-check.ts'
import { errorPayloadOf } from './errors.ts'
import { type GatekeeperOptions, MysqlGatekeeper } from './gatekeeper.ts'
import { QUESTION } from './names.ts'
import type { MysqlShown } from './shown.ts'

export interface EngineOptions {
  readonly gatekeeper: Omit<
    GatekeeperOptions,
    'seeTo' | 'ask' | 'resume' | 'resumeAfter' | 'confirmViews' | 'cancelUpstream'
  >
  readonly capabilities: { readonly client: Capabilities; readonly upstream: Capabilities }
  /** STATUS bits of the upstream's OK at login. */
  readonly status: number
  readonly statementBytesMax: number
  /** Makes the ground of decisions available, then resolves. */
  readonly prepareGround: () => Promise<void>
  /** The session has ended by a COM_CHANGE_USER: the client logs in again. */
  readonly changeUser: (to: UserChange) => void
  /** Are these views what the ground's catalog says? Where not, a newer one is there when it resolves. */
  readonly confirmViews: (views: readonly Defined[]) => Promise<boolean>
}

export interface UserChange {
  readonly client: Leg
  readonly command: ChangeUser
  /** May texts hold several statements by now? */
  readonly multiStatements: boolean
}

export class MysqlEngine implements SessionEngine {
  readonly relay: Relay
  readonly holds: SessionHolds
  /** Drivers and their pools know a lost connection by its silence; an error of any number is a statement's. */
  readonly upstreamLost = null
  readonly shown: MysqlShown | null
  readonly #gatekeeper: MysqlGatekeeper
  readonly #options: EngineOptions
  #session: Session | null = null

  constructor(options: EngineOptions) {
    this.#options = options
    this.shown = options.gatekeeper.shown
    this.#gatekeeper = new MysqlGatekeeper({
      ...options.gatekeeper,
      seeTo: (what) => this.#seeTo(what),
      ask: (questions, done) => this.#ask(questions, done),
      resume: () => this.#resume(),
      resumeAfter: (ready) => this.#session?.resumeAfter(ready),
      confirmViews: (views, answered) => this.#confirmViews(views, answered),
      cancelUpstream: () => this.#session?.cancelForLimit(),
    })
    const { capabilities, status, statementBytesMax } = options
    this.relay = new Relay(this.#gatekeeper, { ...capabilities, status, statementBytesMax })
    this.#gatekeeper.attach(this.relay)
    this.holds = options.gatekeeper.holds
    this.holds.attach((state) => this.#heldOn(state))
  }

  attach(session: Session): void {
    this.#session = session
  }

  successor(): ((client: Leg) => void) | null {
    const { changeUser, multiStatements } = this.relay
    if (changeUser === null) return null
    return (client) => this.#options.changeUser({ client, command: changeUser, multiStatements })
  }

  farewell(report: Report): Buffer {
    return this.relay.lastWords(errorPayloadOf(report))
  }

  protocolError(error: unknown): { sqlstate: string; message: string } | null {
    if (!(error instanceof ProtocolError)) return null
    const { side, message } = error
    return {
      sqlstate: SQLSTATE.PROTOCOL_VIOLATION,
      message: side === 'remote' ? message : 'internal error',
    }
  }

  #seeTo(what: Parameters<GatekeeperOptions['seeTo']>[0]): void {
    const session = this.#session
    if (session === null) return
    if (what === 'names') this.#askNames()
    else if (what === 'ground') session.resumeAfter(this.#options.prepareGround())
    else session.resumeAfter(what)
  }

  #confirmViews(views: readonly Defined[], answered: (answer: ViewAnswer) => void): void {
    const asked = this.#options.confirmViews(views).then(
      (same) => answered(same ? 'same' : 'moved'),
      () => answered('unavailable'),
    )
    this.#session?.resumeAfter(asked)
  }

  /** What is held has been decided: the gatekeeper is asked again. Nobody can be told that it waits. */
  #heldOn(state: HoldState): void {
    if (state.kind === 'granted' || state.kind === 'refused') this.#session?.resumeNow()
  }

  #askNames(): void {
    this.#ask([QUESTION], (answers) => {
      this.#gatekeeper.names.answered(answers?.[0]?.[0] ?? null)
      this.#resume()
    })
  }

  #ask(
    questions: readonly (string | Buffer)[],
    done: (answers: readonly ProbeAnswer[] | null) => void,
  ): void {
    this.relay.probe(questions, done)
    this.#session?.sendUpstream()
  }

  /** Between two messages of the server: what the client has sent is looked at after them. */
  #resume(): void {
    this.relay.resume()
    this.#session?.readOn()
  }
}
