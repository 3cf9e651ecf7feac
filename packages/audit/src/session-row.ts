/** What an event says about its session's row in the index. Pure. */

import type { AuditEvent } from './event.ts'
import type { AuditRecord } from './record.ts'

/** Null: this event does not say. A value once said stays. */
export interface SessionDescription {
  readonly session: string
  readonly first_seq: number
  readonly started_at: number
  readonly ended_at: number | null
  readonly ended: string | null
  readonly subject: string | null
  readonly kind: string | null
  readonly role: string | null
  readonly connection: string | null
  readonly database: string | null
  readonly client: string | null
  readonly application: string | null
  readonly graph: string | null
  readonly node: string | null
  readonly run: string | null
}

export interface SessionTotals {
  statements: number
  /** Statements denied, or held and then refused. */
  refused: number
  rows: number
  bytes: number
}

export function describeSession(event: AuditEvent, record: AuditRecord): SessionDescription | null {
  const { seq, at } = record
  switch (event.type) {
    case 'connection-opened':
      return { ...blank(event.session, seq, at), client: event.client }
    case 'authentication':
      return {
        ...blank(event.session, seq, at),
        subject: event.subject ?? null,
        role: event.role ?? null,
        connection: event.connection,
        application: event.applicationName ?? null,
      }
    case 'session-started':
      return {
        ...blank(event.session, seq, at),
        subject: event.subject,
        kind: event.kind,
        role: event.role,
        connection: event.connection,
        database: event.database,
        graph: event.graph ?? null,
        node: event.node ?? null,
        run: event.run ?? null,
      }
    case 'session-ended':
      return { ...blank(event.session, seq, at), ended_at: at, ended: event.reason }
    default:
      return null
  }
}

/** Adds what a statement or outcome counts for to its session's totals. */
export function addToTotals(totals: Map<string, SessionTotals>, event: AuditEvent): void {
  if (event.type !== 'statement' && event.type !== 'outcome') return
  let sum = totals.get(event.session)
  if (sum === undefined) {
    sum = { statements: 0, refused: 0, rows: 0, bytes: 0 }
    totals.set(event.session, sum)
  }
  if (event.type === 'statement') {
    sum.statements++
    if (event.verdict === 'deny') sum.refused++
    return
  }
  if (event.status === 'refused') sum.refused++
  sum.rows += event.rows
  sum.bytes += event.bytes
}

function blank(session: string, seq: number, at: number): SessionDescription {
  return {
    session,
    first_seq: seq,
    started_at: at,
    ended_at: null,
    ended: null,
    subject: null,
    kind: null,
    role: null,
    connection: null,
    database: null,
    client: null,
    application: null,
    graph: null,
    node: null,
    run: null,
  }
}
