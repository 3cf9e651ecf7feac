/**
 * What earlier records said of a session, for exports: a SIEM looks at a statement by itself and asks who ran it and
 * from where. Records in order in; bounded.
 */

import type { StoredEvent } from '../event.ts'
import { EXPORT_SESSIONS_MAX } from '../limits.ts'
import type { AuditRecord } from '../record.ts'
import { textOf } from './plain.ts'

export interface SessionContext {
  readonly subject?: string
  readonly role?: string
  readonly groups?: readonly string[]
  readonly connection?: string
  readonly database?: string
  /** `ip:port`, or `unix`. */
  readonly client?: string
  readonly applicationName?: string
  /** Of the agent, as its token says. */
  readonly graph?: string
  readonly node?: string
  readonly run?: string
}

const AGENT = ['graph', 'node', 'run'] as const
const TEXTS = [
  'subject',
  'role',
  'connection',
  'database',
  'client',
  'applicationName',
  ...AGENT,
] as const
const SAYS: ReadonlySet<string> = new Set([
  'connection-opened',
  'authentication',
  'session-started',
])
const NOTHING: SessionContext = {}

export class SessionContexts {
  /** The one begun longest ago first. */
  readonly #sessions = new Map<string, SessionContext>()

  /** Notes what the record says of its session, and returns all that is known of it. */
  note({ event }: AuditRecord): SessionContext {
    const { session } = event
    if (typeof session !== 'string') return NOTHING
    const known = this.#sessions.get(session) ?? NOTHING
    if (event.type === 'session-ended') this.#sessions.delete(session)
    if (!SAYS.has(event.type)) return known
    const texts = TEXTS.filter((name) => typeof event[name] === 'string' && event[name] !== '')
    const groups = event['groups']
    const next: SessionContext = {
      ...known,
      ...Object.fromEntries(texts.map((name) => [name, event[name]])),
      ...(Array.isArray(groups) && { groups: groups.map(String) }),
    }
    this.#sessions.set(session, next)
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > EXPORT_SESSIONS_MAX && oldest !== undefined) {
      this.#sessions.delete(oldest)
    }
    return next
  }
}

/** The agent's graph, node and run, as far as they are known, by name. */
export function agentOf(
  event: StoredEvent,
  context: SessionContext,
): [name: string, text: string][] {
  return AGENT.flatMap((name) => {
    const text = textOf(event, name) ?? context[name]
    return text === undefined ? [] : [[name, text] as [string, string]]
  })
}
