/**
 * KILL and COM_PROCESS_KILL of one's own sessions, by the id the gateway greeted them with or the one the server
 * gave them (`CONNECTION_ID()`, `SHOW PROCESSLIST`). Anybody else's is policy's to decide.
 */
import type { Principal } from '@sallyport/identity'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { record, type SessionDeps } from '../admission.ts'

export interface KillRequest {
  readonly connectionId: number
  /** Only what runs there, not the session itself. */
  readonly query: boolean
}

/** Resolves when it has been done; null: no session of this principal has that id. */
export type Killer = (request: KillRequest) => Promise<void> | null

export function killerFor(principal: Principal, deps: SessionDeps): Killer {
  return ({ connectionId, query }) => {
    const session = deps.registry
      .byConnectionId(connectionId)
      .find(
        ({ principal: other }) =>
          other.subject === principal.subject && other.issuer === principal.issuer,
      )
    if (session === undefined) return null
    record(deps, { type: 'cancel', v: 1, session: session.id, source: 'client' })
    if (query) return session.cancel()
    session.end('killed', {
      sqlstate: SQLSTATE.ADMIN_SHUTDOWN,
      message: 'terminating connection: it was killed',
    })
    return Promise.resolve()
  }
}

/** The KILL of one session that is under way: asked once, answered when it is done. */
export class Killing {
  readonly #kill: Killer
  #under: { readonly text: string; done: boolean } | null = null

  constructor(kill: Killer) {
    this.#kill = kill
  }

  /** `done`: it may be answered; a promise: wait for it and ask again; null: not the principal's to kill. */
  ask(request: KillRequest | null, text: string): 'done' | 'wait' | Promise<void> | null {
    if (request === null) return null
    const under = this.#under
    if (under?.text === text) {
      if (!under.done) return 'wait'
      this.#under = null
      return 'done'
    }
    const done = this.#kill(request)
    if (done === null) return null
    const killing = { text, done: false }
    this.#under = killing
    return done.finally(() => {
      killing.done = true
    })
  }
}

/** `KILL [HARD | SOFT] [CONNECTION | QUERY] id`, as text is forwarded: without comments. Null: another form. */
export function killRequestOf(text: string): KillRequest | null {
  const match =
    /^\s*KILL\s+(?:(?:HARD|SOFT)\s+)?(?:(CONNECTION|QUERY)\s+)?(\d{1,10})\s*;?\s*$/i.exec(text)
  if (match === null) return null
  return { connectionId: Number(match[2]), query: /^query$/i.test(match[1] ?? '') }
}
