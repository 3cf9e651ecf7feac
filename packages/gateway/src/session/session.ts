/**
 * A live session: one client socket, one upstream socket, the relay between them, and its end.
 *
 * Owns both sockets and every timer of the session. Whatever ends it (either side closing, token expiry,
 * revocation, limits, drain, a protocol error) goes through `end`, once.
 */
import type { Socket } from 'node:net'
import type { Principal } from '@sallyport/identity'
import { ProtocolError, Relay, SQLSTATE } from '@sallyport/protocol-postgres'
import { Leg, type LegOwner } from '../sockets/leg.ts'
import type { Logger } from '../telemetry/index.ts'
import { type GatekeeperOptions, SessionGatekeeper } from './postgres/gatekeeper.ts'
import { errorFrame, type Report } from './reports.ts'
import type { Turnstile, Waiting } from './turnstile.ts'

/** How long a client may take to read the last error before its socket is closed, ms. */
const LAST_WORDS_MS = 2_000
/** Requests up to this wait for the turnstile as a copy, bytes. */
const KEPT_REQUEST_BYTES_MAX = 16 * 1024
/** Requests waiting for the turnstile or the upstream before the client is no longer read, bytes. */
const QUEUED_REQUEST_BYTES_MAX = 256 * 1024
const NOTHING = Buffer.alloc(0)
/** `I`: no transaction is open. */
const TX_IDLE = 0x49

export type EndReason =
  | 'client-closed'
  | 'client-terminated'
  | 'upstream-closed'
  | 'token-expired'
  | 'token-revoked'
  | 'idle-timeout'
  | 'session-timeout'
  | 'drain'
  | 'killed'
  | 'protocol-error'
  | 'audit-unavailable'
  | 'internal-error'

export interface UpstreamHandle {
  readonly socket: Socket
  /** Bytes that arrived behind the login. */
  readonly rest: Buffer
  readonly pid: number
  /** `recycle` may want it. */
  readonly recyclable: boolean
  /** Asks the server to cancel what this connection runs; never throws. */
  cancel(): Promise<void>
  /** Takes the connection back after Terminate, for another client; false: it was not wanted. */
  recycle(): boolean
}

export interface SessionOptions {
  readonly id: string
  readonly principal: Principal
  readonly role: string | null
  readonly connection: string
  readonly database: string
  readonly client: Socket
  /** Bytes the client sent behind its login. */
  readonly clientRest: Buffer
  readonly upstream: UpstreamHandle
  readonly turnstile: Turnstile
  readonly gatekeeper: Omit<GatekeeperOptions, 'seeTo' | 'cancelUpstream' | 'recorded' | 'session'>
  readonly nonce: string
  readonly statementBytesMax: number
  readonly log: Logger
  /** Makes the ground of decisions available, then resolves. */
  readonly prepareGround: () => Promise<void>
  readonly recorded: () => void
  readonly onEnd: (session: Session, reason: EndReason) => void
}

export class Session implements Waiting {
  readonly id: string
  readonly principal: Principal
  readonly role: string | null
  readonly connection: string
  readonly database: string
  readonly startedAt: number
  /** Last time a byte came from the client, ms since 1970. */
  activeAt: number
  readonly #options: SessionOptions
  readonly #gatekeeper: SessionGatekeeper
  readonly #relay: Relay
  readonly #client: Leg
  readonly #upstream: Leg
  #entered = false
  #ended = false
  #draining = false
  /** Cancel requests on their way: they may still hit whatever this upstream runs. */
  #cancelling = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.id = options.id
    this.principal = options.principal
    this.role = options.role
    this.connection = options.connection
    this.database = options.database
    this.startedAt = options.gatekeeper.now()
    this.activeAt = this.startedAt
    this.#gatekeeper = new SessionGatekeeper({
      ...options.gatekeeper,
      session: options.id,
      seeTo: (what) => this.#seeTo(what),
      cancelUpstream: () => this.#cancelForLimit(),
      recorded: options.recorded,
    })
    this.#relay = new Relay(this.#gatekeeper, {
      nonce: options.nonce,
      statementBytesMax: options.statementBytesMax,
    })
    this.#gatekeeper.attach(this.#relay)
    this.#client = new Leg(options.client, this.#clientOwner(), {
      rest: options.clientRest,
      direct: true,
    })
    this.#upstream = new Leg(options.upstream.socket, this.#upstreamOwner(), {
      rest: options.upstream.rest,
      direct: !options.upstream.recyclable,
    })
  }

  /** Settings the server reported at login. */
  reported(parameters: ReadonlyMap<string, string>): void {
    for (const [name, value] of parameters) this.#gatekeeper.parameterStatus(name, value)
  }

  start(): void {
    this.#upstream.resume()
    this.#client.resume()
    // Whoever hung up while the upstream was opened has said so before anybody listened.
    if (this.#options.client.destroyed || this.#options.client.readableEnded) {
      this.end('client-closed', null)
    }
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Nothing is running and no transaction is open. */
  get idle(): boolean {
    return this.#relay.quiescent && this.#relay.transaction === TX_IDLE
  }

  /** The client is being waited for: nothing runs, whatever transaction is open. */
  get quiet(): boolean {
    return this.#relay.quiescent
  }

  /** Ends at once when idle, else as soon as it is. */
  drain(): void {
    this.#draining = true
    if (this.idle) this.#endDraining()
  }

  async cancel(): Promise<void> {
    if (this.#ended) return
    this.#cancelling++
    try {
      await this.#options.upstream.cancel()
    } finally {
      this.#cancelling--
    }
  }

  // Waiting: the turnstile.

  release(): void {
    this.#entered = false
    if (this.#ended) return
    this.#upstream.write(this.#relay.toUpstream)
    if (this.#upstream.backedUp) this.#client.pause()
    else if (!this.#clientHeldBack()) this.#client.resume()
  }

  blocked(error: unknown): void {
    this.#entered = false
    this.#options.log.error({ err: error, session: this.id }, 'audit log cannot be written')
    this.end('audit-unavailable', {
      sqlstate: SQLSTATE.SYSTEM_ERROR,
      message: 'terminating connection: the audit log cannot be written',
      hint: 'Nothing runs unrecorded. Tell whoever operates the gateway.',
    })
  }

  /**
   * Ends the session; `report` is what the client reads, as FATAL; `said`: the server has told it. Later
   * calls do nothing.
   */
  end(reason: EndReason, report: Report | 'said' | null): void {
    if (this.#ended) return
    this.#ended = true
    const { upstream } = this.#options
    const orderly = reason === 'client-terminated' && this.idle
    // Inside a message that can no longer be completed, an error would be read as part of it.
    if (report === null || this.#relay.midFrame) this.#client.destroy()
    else if (report === 'said') this.#client.end(NOTHING, LAST_WORDS_MS)
    else this.#client.end(errorFrame(report, 'FATAL'), LAST_WORDS_MS)
    if (!orderly || !this.#recycled()) {
      // A running statement of a session that is gone must not go on: closing alone does not stop it.
      if (!this.#relay.quiescent) void upstream.cancel()
      this.#upstream.destroy()
    }
    this.#options.onEnd(this, reason)
  }

  #recycled(): boolean {
    const { upstream } = this.#options
    if (!upstream.recyclable || this.#cancelling > 0) return false
    // First let go, then hand over: whoever takes it listens to the socket at once.
    this.#upstream.release()
    return upstream.recycle()
  }

  #clientOwner(): LegOwner {
    const relay = this.#relay
    return {
      take: (buf, start, end) =>
        this.#guarded(start, () => {
          this.activeAt = this.#options.gatekeeper.now()
          const at = relay.fromClient(buf, start, end)
          if (!relay.toClient.empty) this.#toClient()
          this.#toUpstream()
          if (relay.terminated) this.end('client-terminated', null)
          return at
        }),
      wanted: () => relay.wantedFromClient,
      heldBack: () => this.#clientHeldBack(),
      viewsHeld: () => relay.toUpstream.holdsViews || this.#upstream.backedUp,
      drained: () => {
        if (this.#ended) return
        this.#upstream.resume()
        if (!this.#clientHeldBack()) this.#client.resume()
      },
      closed: (_reason, error) => {
        this.#note(error)
        this.end('client-closed', null)
      },
    }
  }

  #upstreamOwner(): LegOwner {
    const relay = this.#relay
    return {
      take: (buf, start, end) =>
        this.#guarded(start, () => {
          const wasParked = relay.parked
          const at = relay.fromUpstream(buf, start, end)
          this.#toClient()
          this.#toUpstream()
          if (wasParked && !relay.parked) this.#client.resume()
          if (this.#draining && this.idle) this.#endDraining()
          return at
        }),
      wanted: () => relay.wantedFromUpstream,
      heldBack: () => this.#client.backedUp,
      viewsHeld: () => this.#client.backedUp,
      drained: () => {
        if (!this.#ended && !this.#clientHeldBack()) this.#client.resume()
      },
      closed: (_reason, error) => {
        this.#note(error)
        this.end(
          'upstream-closed',
          relay.farewell
            ? 'said'
            : {
                sqlstate: SQLSTATE.CONNECTION_FAILURE,
                message: 'terminating connection: the database closed its connection',
              },
        )
      },
    }
  }

  /** Who does not read replies is not read either: refusals would pile up. */
  /** Resets are everyday; anything else here is worth a look. */
  #note(error: Error | undefined): void {
    const code = (error as NodeJS.ErrnoException | undefined)?.code
    if (error === undefined || code === 'ECONNRESET' || code === 'EPIPE') return
    this.#options.log.warn({ err: error, session: this.id }, 'socket closed')
  }

  #clientHeldBack(): boolean {
    return (
      this.#relay.parked ||
      this.#client.backedUp ||
      this.#upstream.backedUp ||
      this.#relay.toUpstream.bytes > QUEUED_REQUEST_BYTES_MAX
    )
  }

  #toClient(): void {
    this.#client.write(this.#relay.toClient)
    const { sink } = this.#relay
    sink.reset(this.#client.backedUp)
    if (this.#relay.quiescent) sink.shrink()
  }

  /** What is short is copied, so that the read buffer is free again; what is long goes out at once. */
  #toUpstream(): void {
    const { toUpstream } = this.#relay
    if (toUpstream.empty) return
    const { turnstile } = this.#options
    if (!this.#entered) {
      this.#entered = true
      turnstile.enter(this)
    }
    if (toUpstream.bytes > KEPT_REQUEST_BYTES_MAX) turnstile.passNow()
    else toUpstream.keep()
  }

  /** A ProtocolError or a bug ends this session and no other. */
  #guarded(start: number, take: () => number): number {
    if (this.#ended) return start
    try {
      return take()
    } catch (error) {
      this.#failed(error)
      return start
    }
  }

  #failed(error: unknown): void {
    const { log } = this.#options
    if (error instanceof ProtocolError) {
      log.warn({ err: error, session: this.id }, 'protocol error')
      this.end('protocol-error', {
        sqlstate: error.sqlstate,
        message: `terminating connection: ${error.side === 'remote' ? error.message : 'internal error'}`,
      })
      return
    }
    log.error({ err: error, session: this.id }, 'session failed')
    this.end('internal-error', {
      sqlstate: SQLSTATE.INTERNAL_ERROR,
      message: 'terminating connection: internal error of the gateway',
    })
  }

  #endDraining(): void {
    this.end('drain', {
      sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
      message: 'terminating connection: the gateway is shutting down',
      hint: 'Connect again.',
    })
  }

  #seeTo(what: 'ground' | 'names' | 'reader'): void {
    switch (what) {
      case 'names':
        this.#askNames()
        return
      case 'ground':
        this.#whenReady(this.#options.prepareGround())
        return
      case 'reader':
        this.#whenReady(this.#options.gatekeeper.reader.ready() ?? Promise.resolve())
    }
  }

  /** Resumes after `ready`, however it ended: the gatekeeper is asked again and refuses if it must. */
  #whenReady(ready: Promise<void>): void {
    const resume = (): void => {
      if (this.#ended) return
      this.#relay.resume()
      this.#client.resume()
    }
    void ready.then(resume, resume)
  }

  /** What is sent next waits until the cancel has been acted on: it could hit that instead. */
  #cancelForLimit(): void {
    const over = (): void => {
      if (this.#ended) return
      this.#relay.cancelled()
      this.#client.resume()
    }
    void this.cancel().then(over, over)
  }

  #askNames(): void {
    const questions = this.#gatekeeper.names.questions(this.#relay.transaction === TX_IDLE)
    this.#relay.probe(questions, (answers) => {
      this.#gatekeeper.answered(answers)
      this.#relay.resume()
      // The bytes that waited are handed in after this read has been dealt with.
      setImmediate(() => {
        if (!this.#ended) this.#client.resume()
      })
    })
    this.#toUpstream()
  }
}
