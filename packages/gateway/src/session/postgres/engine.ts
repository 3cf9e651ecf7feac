/** One session's PostgreSQL side: gatekeeper and relay, and what they need of the session around them. */
import {
  type ProbeAnswer,
  ProtocolError,
  type Question,
  Relay,
  SQLSTATE,
} from '@sallyport/protocol-postgres'
import type { Defined } from '@sallyport/sql'
import type { HoldState } from '../../approvals/wait.ts'
import type { SessionEngine } from '../engine.ts'
import { waitingReport } from '../hold-reports.ts'
import type { SessionHolds } from '../holds.ts'
import type { Report } from '../reports.ts'
import type { Session } from '../session.ts'
import type { ViewAnswer } from '../view-check.ts'
import { errorFrame, noticeFrame } from './frames.ts'
import { type GatekeeperOptions, SessionGatekeeper } from './gatekeeper.ts'
import type { PostgresShown } from './shown.ts'
import type { PostgresTexts } from './texts.ts'

/** `I`: no transaction is open. */
const TX_IDLE = 0x49

export interface EngineOptions {
  readonly gatekeeper: Omit<
    GatekeeperOptions,
    'seeTo' | 'ask' | 'resume' | 'resumeAfter' | 'confirmViews' | 'cancelUpstream'
  >
  readonly nonce: string
  readonly statementBytesMax: number
  /** Makes the ground of decisions available, then resolves. */
  readonly prepareGround: () => Promise<void>
  /** Are these views what the ground's catalog says? Where not, a newer one is there when it resolves. */
  readonly confirmViews: (views: readonly Defined[]) => Promise<boolean>
}

export class PostgresEngine implements SessionEngine {
  readonly relay: Relay
  readonly holds: SessionHolds
  readonly upstreamLost = {
    sqlstate: SQLSTATE.CONNECTION_FAILURE,
    message: 'terminating connection: the database closed its connection',
  }
  readonly shown: PostgresShown | null
  readonly #gatekeeper: SessionGatekeeper
  readonly #options: Pick<EngineOptions, 'prepareGround' | 'confirmViews'>
  readonly #texts: PostgresTexts
  #session: Session | null = null

  constructor(options: EngineOptions) {
    const { prepareGround, confirmViews, nonce, statementBytesMax } = options
    this.#options = { prepareGround, confirmViews }
    this.#texts = options.gatekeeper.texts
    this.shown = options.gatekeeper.shown
    this.#gatekeeper = new SessionGatekeeper({
      ...options.gatekeeper,
      seeTo: (what) => this.#seeTo(what),
      ask: (questions, done) => this.#ask(questions, done),
      resume: () => this.#resume(),
      resumeAfter: (ready) => this.#session?.resumeAfter(ready),
      confirmViews: (views, answered) => this.#confirmViews(views, answered),
      cancelUpstream: () => this.#session?.cancelForLimit(),
    })
    this.relay = new Relay(this.#gatekeeper, { nonce, statementBytesMax })
    this.#gatekeeper.attach(this.relay)
    this.holds = options.gatekeeper.holds
    this.holds.attach((state) => this.#heldOn(state))
  }

  /** `parameters`: settings the server reported at login. */
  attach(session: Session, parameters: ReadonlyMap<string, string>): void {
    this.#session = session
    for (const [name, value] of parameters) this.#gatekeeper.parameterStatus(name, value)
  }

  successor(): null {
    return null
  }

  farewell(report: Report): Buffer {
    return errorFrame(report, 'FATAL')
  }

  protocolError(error: unknown): { sqlstate: string; message: string } | null {
    if (!(error instanceof ProtocolError)) return null
    const { sqlstate, side, message } = error
    return { sqlstate, message: side === 'remote' ? message : 'internal error' }
  }

  #seeTo(what: 'ground' | 'names' | 'reader'): void {
    const session = this.#session
    if (session === null) return
    switch (what) {
      case 'names':
        this.#askNames()
        return
      case 'ground':
        session.resumeAfter(this.#options.prepareGround())
        return
      case 'reader':
        session.resumeAfter(this.#texts.ready() ?? Promise.resolve())
    }
  }

  #confirmViews(views: readonly Defined[], answered: (answer: ViewAnswer) => void): void {
    const asked = this.#options.confirmViews(views).then(
      (same) => answered(same ? 'same' : 'moved'),
      () => answered('unavailable'),
    )
    this.#session?.resumeAfter(asked)
  }

  /** What is held waits, and the client is told; or it has been decided, and the gatekeeper is asked again. */
  #heldOn(state: HoldState): void {
    const session = this.#session
    if (session === null) return
    switch (state.kind) {
      case 'asking':
        return
      case 'waiting':
        session.say(noticeFrame(waitingReport(state.approval, this.holds.link), 'NOTICE'))
        return
      case 'granted':
      case 'refused':
        session.resumeNow()
        return
      default: {
        const never: never = state
        throw new Error(`unexpected state ${String(never)}`)
      }
    }
  }

  #askNames(): void {
    const questions = this.#gatekeeper.names.questions(this.relay.transaction === TX_IDLE)
    const asked = questions.map((text) => ({ text, types: null, bind: null }))
    this.#ask(asked, (answer) => {
      this.#gatekeeper.answered(answer.kind === 'answers' ? answer.answers : null)
      this.#resume()
    })
  }

  #ask(questions: readonly Question[], done: (answer: ProbeAnswer) => void): void {
    this.relay.probe(questions, done)
    this.#session?.sendUpstream()
  }

  /** Between two messages of the server: what the client has sent is looked at after them. */
  #resume(): void {
    this.relay.resume()
    this.#session?.readOn()
  }
}
