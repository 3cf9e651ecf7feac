/**
 * A live session: one client socket, one upstream socket, the relay between them, and its end.
 *
 * Owns both sockets and every timer of the session. Whatever ends it (either side closing, token expiry,
 * revocation, limits, drain, a protocol error) goes through `end`, once.
 */
import type { Socket } from 'node:net'
import type { Principal } from '@sallyport/identity'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import type { HeldGrant } from '../grants/grants.ts'
import { Leg, type LegOwner } from '../sockets/leg.ts'
import type { Logger } from '../telemetry/index.ts'
import type { SessionEngine, SessionRelay } from './engine.ts'
import type { SessionHolds } from './holds.ts'
import type { Report } from './reports.ts'
import type { Shown } from './shown.ts'
import type { Turnstile, Waiting } from './turnstile.ts'

/** How long a client may take to read the last error before its socket is closed, ms. */
const LAST_WORDS_MS = 2_000
/** Requests up to this wait for the turnstile as a copy, bytes. */
const KEPT_REQUEST_BYTES_MAX = 16 * 1024
/** Requests waiting for the turnstile or the upstream before the client is no longer read, bytes. */
const QUEUED_REQUEST_BYTES_MAX = 256 * 1024
/** Read ahead of a client whose statement waits for people, bytes; beyond it, it is not watched. */
const HELD_UNREAD_BYTES_MAX = 64 * 1024
/** Recorded replies up to this wait for the turnstile as a copy, bytes: one write for many sessions. */
const KEPT_REPLY_BYTES_MAX = 4 * 1024
const NOTHING = Buffer.alloc(0)

export type EndReason =
  | 'client-closed'
  | 'client-terminated'
  | 'user-changed'
  | 'upstream-closed'
  | 'token-expired'
  | 'token-revoked'
  | 'grant-ended'
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
  readonly grant: HeldGrant | null
  readonly connection: string
  readonly database: string
  /** A leg: of the session that the client had before (COM_CHANGE_USER). */
  readonly client: Socket | Leg
  /** Bytes the client sent behind its login. */
  readonly clientRest: Buffer
  readonly upstream: UpstreamHandle
  readonly engine: SessionEngine
  readonly turnstile: Turnstile
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onEnd: (session: Session, reason: EndReason) => void
}

/** What a live session keeps of them: neither the sockets, which its legs have, nor what was read at login. */
type Kept = Omit<SessionOptions, 'client' | 'clientRest' | 'upstream'> & {
  readonly upstream: Pick<UpstreamHandle, 'pid' | 'recyclable' | 'cancel' | 'recycle'>
}

export class Session implements Waiting {
  readonly id: string
  readonly principal: Principal
  readonly role: string | null
  /** What its role is held by; it ends with it. */
  readonly grant: HeldGrant | null
  readonly connection: string
  readonly database: string
  readonly startedAt: number
  /** Last time a byte came from the client, ms since 1970. */
  activeAt: number
  readonly #options: Kept
  readonly #relay: SessionRelay
  readonly #client: Leg
  readonly #upstream: Leg
  readonly #holds: SessionHolds
  /** The client had hung up before anybody listened. */
  readonly #gone: boolean
  /** Waits for the end of a message that is being passed on. */
  readonly #unsaid: Buffer[] = []
  #entered = false
  /** Bytes of the replies queued that are noted for the recording and wait for it to be written. */
  #noted = 0
  /** The last replies noted were long: more are likely to follow. */
  #long = false
  #ended = false
  #draining = false
  /** Cancel requests on their way: they may still hit whatever this upstream runs. */
  #cancelling = 0

  constructor(options: SessionOptions) {
    const { client, clientRest, upstream, ...kept } = options
    const { pid, recyclable } = upstream
    const handle = {
      pid,
      recyclable,
      cancel: upstream.cancel,
      recycle: upstream.recycle,
    }
    this.#options = { ...kept, upstream: handle }
    this.id = options.id
    this.principal = options.principal
    this.role = options.role
    this.grant = options.grant
    this.connection = options.connection
    this.database = options.database
    this.startedAt = options.now()
    this.activeAt = this.startedAt
    this.#relay = options.engine.relay
    this.#holds = options.engine.holds
    // Whoever hung up while the upstream was opened has said so before anybody listened.
    this.#gone = client instanceof Leg ? client.closed : client.destroyed || client.readableEnded
    this.#client = this.#clientLeg(client, clientRest)
    this.#upstream = new Leg(upstream.socket, this.#upstreamOwner(), {
      rest: upstream.rest,
      direct: !recyclable,
      watched: false,
    })
  }

  start(): void {
    this.#upstream.resume()
    this.#client.resume()
    if (this.#gone) this.end('client-closed', null)
  }

  #clientLeg(client: Socket | Leg, clientRest: Buffer): Leg {
    const owner = this.#clientOwner()
    if (!(client instanceof Leg)) {
      return new Leg(client, owner, { rest: clientRest, direct: true, watched: true })
    }
    client.handTo(owner, clientRest)
    return client
  }

  get ended(): boolean {
    return this.#ended
  }

  /** What the server calls this connection. */
  get upstreamPid(): number {
    return this.#options.upstream.pid
  }

  /** Nothing is running and no transaction is open. */
  get idle(): boolean {
    return this.#relay.quiescent && !this.#relay.inTransaction
  }

  /** The client is being waited for: nothing runs, whatever transaction is open. */
  get quiet(): boolean {
    return this.#relay.quiescent && !this.#holds.waiting
  }

  /** A statement waits for people. */
  get held(): boolean {
    return this.#holds.waiting
  }

  /** Policy has moved: what waits for people is decided anew. */
  reconsider(): void {
    if (this.held) this.resumeNow()
  }

  /** Ends at once when idle, else as soon as it is. */
  drain(): void {
    this.#draining = true
    this.#holds.cancel('the gateway is shutting down')
    if (this.idle) this.#endDraining()
  }

  async cancel(): Promise<void> {
    if (this.#ended) return
    const { waiting } = this.#holds
    this.#holds.cancel('cancelled by the requester')
    // What waits is not sent; of a result that waits, the relay asks for the cancel itself.
    if (waiting) return
    this.#cancelling++
    try {
      await this.#options.upstream.cancel()
    } finally {
      this.#cancelling--
    }
  }

  // For the engine.

  /**
   * Sends what the relay has for the upstream, once it is recorded. What is short is copied, so that the read
   * buffer is free again; what is long goes out at once.
   */
  sendUpstream(): void {
    const { toUpstream } = this.#relay
    if (toUpstream.empty) return
    this.#enter()
    this.#options.turnstile.request()
    if (toUpstream.bytes > KEPT_REQUEST_BYTES_MAX) this.#options.turnstile.passNow()
    else toUpstream.keep()
  }

  /** Resumes after `ready`, however it ended: the gatekeeper is asked again and refuses if it must. */
  resumeAfter(ready: Promise<void>): void {
    const resume = (): void => this.resumeNow()
    void ready.then(resume, resume)
  }

  /** What was awaited is there. */
  resumeNow(): void {
    if (this.#ended) return
    this.#guarded(0, () => {
      this.#relay.resume()
      this.#upstream.resume()
      this.#client.resume()
      return 0
    })
  }

  /** Says something between two messages of the server; then goes on listening to the client. */
  say(frame: Buffer): void {
    if (this.#ended) return
    this.#unsaid.push(frame)
    this.#sayUnsaid()
    this.#client.resume()
  }

  /** Hands unread bytes of the client in again, after what is being read now has been dealt with. */
  readOn(): void {
    setImmediate(() => {
      if (!this.#ended) this.#client.resume()
    })
  }

  /** Cancels what the upstream runs. What is sent next waits until that has been acted on: it could hit it. */
  cancelForLimit(): void {
    const over = (): void => {
      if (this.#ended) return
      this.#relay.cancelled()
      this.#client.resume()
    }
    void this.cancel().then(over, over)
  }

  // Waiting: the turnstile.

  release(): void {
    this.#entered = false
    if (this.#ended) return
    if (this.#noted > 0) this.#writeReplies()
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
   * Ends the session; `report` is what the client reads, as FATAL; `said`: nothing, the server has told it or
   * would not; `stays`: the client does, for another session. Later calls do nothing.
   */
  end(reason: EndReason, report: Report | 'said' | 'stays' | null): void {
    // What the client is still to get comes before its end; that may itself end the session.
    if (this.#noted > 0 && reason !== 'audit-unavailable') this.#options.turnstile.passNow()
    if (this.#ended) return
    this.#ended = true
    const { upstream, engine } = this.#options
    const orderly = (reason === 'client-terminated' || reason === 'user-changed') && this.idle
    // Inside a message that can no longer be completed, an error would be read as part of it.
    if (report === null || this.#relay.midFrame) this.#client.destroy()
    else if (report === 'said') this.#client.end(NOTHING, LAST_WORDS_MS)
    else if (report !== 'stays')
      this.#client.end(this.#lastWords(engine.farewell(report)), LAST_WORDS_MS)
    if (!orderly || !this.#recycled()) {
      // A running statement of a session that is gone must not go on: closing alone does not stop it.
      if (!this.#relay.quiescent) void upstream.cancel()
      this.#upstream.destroy()
    }
    this.#holds.cancel('the session ended')
    this.#endRecording(reason)
    this.#options.onEnd(this, reason)
  }

  /** Whoever reads a long result faster than it is recorded waits. */
  #mustWait(): boolean {
    const { shown } = this.#options.engine
    return shown !== null && this.#long && shown.mustWait(this.#goOn)
  }

  readonly #goOn = (): void => {
    if (!this.#ended) this.#upstream.resume()
  }

  #sayUnsaid(): void {
    if (this.#unsaid.length === 0 || this.#relay.midFrame) return
    for (const frame of this.#unsaid.splice(0)) this.#relay.toClient.give(frame)
    this.#toClient()
  }

  #lastWords(message: Buffer): Buffer {
    try {
      const { engine, turnstile } = this.#options
      if (engine.shown !== null) {
        engine.shown.last(message)
        turnstile.write()
      }
    } catch {
      // It cannot be recorded why the session ends: most likely because nothing can.
    }
    return message
  }

  #endRecording(reason: EndReason): void {
    try {
      this.#options.engine.shown?.ended(reason)
    } catch {
      // The recording has no end; the log has the session's.
    }
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
          this.activeAt = this.#options.now()
          const at = relay.fromClient(buf, start, end)
          if (!relay.toClient.empty) this.#toClient()
          this.sendUpstream()
          if (relay.terminated) this.#terminated()
          return at
        }),
      wanted: () => relay.wantedFromClient,
      heldBack: (unread) => this.#clientHeldBack(unread),
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

  /** The client has said goodbye, or that it is somebody else now. */
  #terminated(): void {
    const next = this.#options.engine.successor()
    if (next === null) return this.end('client-terminated', null)
    if (this.#ended) return
    this.end('user-changed', 'stays')
    next(this.#client)
  }

  #upstreamOwner(): LegOwner {
    const relay = this.#relay
    return {
      take: (buf, start, end) =>
        this.#guarded(start, () => {
          const wasParked = relay.parked
          const at = relay.fromUpstream(buf, start, end)
          this.#toClient()
          this.#sayUnsaid()
          this.sendUpstream()
          if (wasParked && !relay.parked) this.#client.resume()
          if (this.#draining && this.idle) this.#endDraining()
          return at
        }),
      wanted: () => relay.wantedFromUpstream,
      heldBack: () => this.#client.backedUp || relay.holdsBack || this.#mustWait(),
      viewsHeld: () => this.#client.backedUp,
      drained: () => {
        if (!this.#ended && !this.#clientHeldBack()) this.#client.resume()
      },
      closed: (_reason, error) => {
        this.#note(error)
        const unsaid = relay.farewell ? null : this.#options.engine.upstreamLost
        this.end('upstream-closed', unsaid ?? 'said')
      },
    }
  }

  /** Resets are everyday; anything else here is worth a look. */
  #note(error: Error | undefined): void {
    const code = (error as NodeJS.ErrnoException | undefined)?.code
    if (error === undefined || code === 'ECONNRESET' || code === 'EPIPE') return
    this.#options.log.warn({ err: error, session: this.id }, 'socket closed')
  }

  /** Who does not read replies is not read either: refusals would pile up. */
  #clientHeldBack(unread = 0): boolean {
    return (
      (this.#relay.parked && !this.#isWatched(unread)) ||
      this.#client.backedUp ||
      this.#upstream.backedUp ||
      this.#relay.toUpstream.bytes > QUEUED_REQUEST_BYTES_MAX
    )
  }

  /** While people are awaited the client is read on: that is how its leaving is seen. */
  #isWatched(unread: number): boolean {
    return this.#holds.waiting && unread < HELD_UNREAD_BYTES_MAX
  }

  #toClient(): void {
    const { toClient, sink } = this.#relay
    const { shown } = this.#options.engine
    if (shown === null || toClient.empty) this.#writeReplies()
    else if (!this.#noteReplies(shown)) return
    sink.reset(this.#client.backedUp)
    if (this.#relay.quiescent) sink.shrink()
  }

  /** Replies of a recorded session wait until they are in the recording. False: it cannot be written. */
  #noteReplies(shown: Shown): boolean {
    const { toClient } = this.#relay
    try {
      shown.take(toClient, this.#noted)
    } catch (error) {
      this.blocked(error)
      return false
    }
    // Of a result that is kept no further there is nothing to wait for.
    if (!shown.pending) {
      this.#writeReplies()
      return true
    }
    this.#noted = toClient.bytes
    this.#long = toClient.bytes > KEPT_REPLY_BYTES_MAX
    this.#enter()
    if (this.#long) this.#options.turnstile.passNow()
    else toClient.keep()
    return !this.#ended
  }

  #writeReplies(): void {
    this.#client.write(this.#relay.toClient)
    this.#noted = 0
  }

  #enter(): void {
    if (this.#entered) return
    this.#entered = true
    this.#options.turnstile.enter(this)
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
    const { log, engine } = this.#options
    const broken = engine.protocolError(error)
    if (broken !== null) {
      log.warn({ err: error, session: this.id }, 'protocol error')
      const message = `terminating connection: ${broken.message}`
      this.end('protocol-error', { sqlstate: broken.sqlstate, message })
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
}
