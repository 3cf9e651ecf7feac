/**
 * Every live session: found by cancel key, counted per subject, ended when its time is over.
 */
import { type Revocation, revocationApplies } from '@sallyport/identity'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { secretHash } from './interrupts.ts'
import type { Report } from './reports.ts'
import type { EndReason, Session } from './session.ts'

/** How often deadlines are looked at, milliseconds: the error of every timeout here. */
const SWEEP_MS = 500
/** Ended grants remembered for sessions that are being opened. */
const ENDED_GRANTS_MAX = 1_000

export interface Deadlines {
  readonly idleMs: number
  readonly sessionMs: number
}

interface Entry {
  readonly session: Session
  readonly pid: number
  /** Of its cancel key; empty: it has none. */
  readonly secret: Buffer
}

export class SessionRegistry {
  readonly #entries = new Map<string, Entry>()
  readonly #byPid = new Map<number, Set<Entry>>()
  readonly #bySubject = new Map<string, number>()
  /** A session may be opening with one of these: seen when it is added. */
  readonly #endedGrants = new Set<string>()
  readonly #now: () => number
  readonly #deadlines: () => Deadlines
  readonly #timer: NodeJS.Timeout
  #onEmpty: (() => void) | null = null
  readonly #onEnd = new Map<string, Set<() => void>>()

  constructor(now: () => number, deadlines: () => Deadlines) {
    this.#now = now
    this.#deadlines = deadlines
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#timer.unref()
  }

  get size(): number {
    return this.#entries.size
  }

  get sessions(): Session[] {
    return [...this.#entries.values()].map((entry) => entry.session)
  }

  /**
   * A place for a session that is being opened, so that logins at the same time cannot pass the cap
   * together; null: all `max` are taken. Call what is returned once the session is here, or will not be.
   */
  reserve(
    of: { readonly issuer: string; readonly subject: string },
    max: number,
  ): (() => void) | null {
    const key = subjectKey(of)
    if ((this.#bySubject.get(key) ?? 0) >= max) return null
    this.#count(key, 1)
    return () => this.#count(key, -1)
  }

  add(session: Session, key: { pid: number; secret: Buffer }): void {
    const entry: Entry = { session, ...key }
    this.#entries.set(session.id, entry)
    const sameBefore = this.#byPid.get(key.pid)
    if (sameBefore === undefined) this.#byPid.set(key.pid, new Set([entry]))
    else sameBefore.add(entry)
    this.#count(subjectKey(session.principal), 1)
    const { grant } = session
    if (grant !== null && this.#endedGrants.has(grant.id)) {
      session.end('grant-ended', ENDINGS['grant-ended'])
    }
  }

  remove(session: Session): void {
    const entry = this.#entries.get(session.id)
    if (entry === undefined) return
    this.#entries.delete(session.id)
    const samePid = this.#byPid.get(entry.pid)
    samePid?.delete(entry)
    if (samePid?.size === 0) this.#byPid.delete(entry.pid)
    this.#count(subjectKey(session.principal), -1)
    for (const ended of [...(this.#onEnd.get(session.id) ?? [])]) ended()
    this.#onEnd.delete(session.id)
    if (this.#entries.size === 0) this.#onEmpty?.()
  }

  /** Calls back once when a session that is here ends. */
  onEnd(session: Session, ended: () => void): () => void {
    const all = this.#onEnd.get(session.id) ?? new Set()
    all.add(ended)
    this.#onEnd.set(session.id, all)
    return () => {
      all.delete(ended)
    }
  }

  byId(id: string): Session | undefined {
    return this.#entries.get(id)?.session
  }

  /** The session a CancelRequest names. `hash`: of its secret, see secretHash; hashes say nothing by the time they take. */
  byCancelKey(pid: number, hash: string): Session | undefined {
    for (const { session, secret } of this.#byPid.get(pid) ?? []) {
      if (secret.length > 0 && secretHash(secret) === hash) return session
    }
    return undefined
  }

  /** Sessions that this id stands for, at the gateway or at their server. */
  byConnectionId(id: number): Session[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.pid === id || entry.session.upstreamPid === id)
      .map((entry) => entry.session)
  }

  revoked(revocation: Revocation): void {
    for (const session of this.sessions) {
      if (revocationApplies(revocation, session.principal)) this.endRevoked(session)
    }
  }

  endRevoked(session: Session): void {
    session.end('token-revoked', ENDINGS['token-revoked'])
  }

  /** A grant is over: so are the sessions that took its role. */
  endGrant(id: string): void {
    this.#endedGrants.add(id)
    const [oldest] = this.#endedGrants
    if (this.#endedGrants.size > ENDED_GRANTS_MAX) this.#endedGrants.delete(oldest ?? '')
    for (const session of this.sessions) {
      if (session.grant?.id === id) session.end('grant-ended', ENDINGS['grant-ended'])
    }
  }

  /** Policy has moved. */
  reconsider(): void {
    for (const session of this.sessions) session.reconsider()
  }

  /** On an operator's word. */
  kill(session: Session): void {
    session.end('killed', ENDINGS.killed)
  }

  /** Ends every session: idle ones now, busy ones when they finish or after `ms`. */
  async drain(ms: number): Promise<void> {
    for (const session of this.sessions) session.drain()
    if (this.#entries.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#onEmpty = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    for (const session of this.sessions) session.end('drain', ENDINGS['drain'])
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #count(key: string, by: number): void {
    const count = (this.#bySubject.get(key) ?? 0) + by
    if (count === 0) this.#bySubject.delete(key)
    else this.#bySubject.set(key, count)
  }

  #sweep(): void {
    const now = this.#now()
    const { idleMs, sessionMs } = this.#deadlines()
    for (const { session } of [...this.#entries.values()]) {
      const reason: keyof typeof ENDINGS | null =
        now >= session.principal.expiresAt
          ? 'token-expired'
          : session.grant !== null && now >= session.grant.until
            ? 'grant-ended'
            : now - session.startedAt >= sessionMs
              ? 'session-timeout'
              : now - session.activeAt >= idleMs && session.quiet
                ? 'idle-timeout'
                : null
      if (reason !== null) session.end(reason, ENDINGS[reason])
    }
  }
}

function subjectKey({
  issuer,
  subject,
}: {
  readonly issuer: string
  readonly subject: string
}): string {
  return `${issuer}\0${subject}`
}

const ENDINGS = {
  'token-expired': {
    sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
    message: 'terminating connection: the token has expired',
    hint: 'Get a fresh token and connect again.',
  },
  'token-revoked': {
    sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
    message: 'terminating connection: the token has been revoked',
  },
  'grant-ended': {
    sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
    message: 'terminating connection: the grant of its role is over',
    hint: 'Connect again with a role of your own, or ask for it again.',
  },
  killed: {
    sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
    message: 'terminating connection due to administrator command',
  },
  'session-timeout': {
    sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
    message: 'terminating connection: the session has reached its greatest length',
    hint: 'Connect again.',
  },
  'idle-timeout': {
    sqlstate: SQLSTATE.IDLE_SESSION_TIMEOUT,
    message: 'terminating connection due to idle-session timeout',
  },
  drain: {
    sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
    message: 'terminating connection: the gateway is shutting down',
    hint: 'Connect again.',
  },
} as const satisfies Partial<Record<EndReason, Report>>
