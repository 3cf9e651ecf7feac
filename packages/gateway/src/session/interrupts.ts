/**
 * What comes to a session from outside it: a cancel request, KILL over another session, an operator's word. The
 * session may be at another gateway of the same store: behind a load balancer, a cancel request is a connection
 * of its own and arrives anywhere.
 */
import { createHash } from 'node:crypto'
import type { AuditEvent, Cancel } from '@sallyport/audit'
import type { SessionRegistry } from './registry.ts'
import type { Session } from './session.ts'

export interface Owner {
  readonly issuer: string
  readonly subject: string
}

export type Interrupt =
  /** PostgreSQL's CancelRequest. `secret`: see secretHash. */
  | { readonly kind: 'cancel'; readonly pid: number; readonly secret: string }
  /** MySQL's KILL and COM_PROCESS_KILL of one's own sessions. `query`: only what runs there. */
  | {
      readonly kind: 'kill'
      readonly connectionId: number
      readonly query: boolean
      readonly owner: Owner
    }
  /** Over the control API. `owner`: only a session of theirs; null: anybody's. `by`: the subject who ends it. */
  | {
      readonly kind: 'end'
      readonly session: string
      readonly owner: Owner | null
      readonly by: string
    }

/** The other gateways that share a store. */
export interface Elsewhere {
  /** Resolves to whether one of them had that session and has done it. Never rejects. */
  interrupt(interrupt: Interrupt): Promise<boolean>
}

export interface InterruptsOptions {
  readonly registry: SessionRegistry
  /** Written before it is done. Throws when it cannot be. */
  readonly record: (event: AuditEvent) => void
  /** Null: this gateway is alone. */
  readonly elsewhere: Elsewhere | null
}

export class Interrupts {
  readonly #options: InterruptsOptions

  constructor(options: InterruptsOptions) {
    this.#options = options
  }

  /** Null: no session here is meant, and there is nobody else to ask. Resolves to whether it has been done. */
  send(interrupt: Interrupt): Promise<boolean> | null {
    const here = this.here(interrupt)
    if (here !== null) return here.then(() => true)
    return this.#options.elsewhere?.interrupt(interrupt) ?? null
  }

  /** Only among the sessions of this gateway; null: none is meant. Resolves when it has been done. */
  here(interrupt: Interrupt): Promise<void> | null {
    switch (interrupt.kind) {
      case 'cancel':
        return this.#cancel(this.#options.registry.byCancelKey(interrupt.pid, interrupt.secret))
      case 'kill': {
        const { connectionId, query, owner } = interrupt
        const session = this.#options.registry
          .byConnectionId(connectionId)
          .find(({ principal }) => isOf(owner, principal))
        if (query || session === undefined) return this.#cancel(session)
        this.#record({ session: session.id, source: 'client' })
        // Not a word to its client, as servers do it: drivers tell a kill by the connection that is gone.
        session.end('killed', 'said')
        return Promise.resolve()
      }
      case 'end': {
        const session = this.#options.registry.byId(interrupt.session)
        if (session === undefined || !isOf(interrupt.owner, session.principal)) return null
        this.#record({ session: session.id, source: 'operator', by: interrupt.by })
        this.#options.registry.kill(session)
        return Promise.resolve()
      }
    }
  }

  #cancel(session: Session | undefined): Promise<void> | null {
    if (session === undefined) return null
    this.#record({ session: session.id, source: 'client' })
    return session.cancel()
  }

  #record(cancel: Omit<Cancel, 'type' | 'v'>): void {
    this.#options.record({ type: 'cancel', v: 1, ...cancel })
  }
}

/** Of a cancel key's secret (4 bytes, up to 256 since protocol 3.2): what other gateways are told instead of it. */
export function secretHash(secret: Uint8Array): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Is this principal `owner`, by issuer and subject? Everybody is, where it is null. */
export function isOf(owner: Owner | null, principal: Owner): boolean {
  return (
    owner === null || (owner.subject === principal.subject && owner.issuer === principal.issuer)
  )
}
