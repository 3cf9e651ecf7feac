/** What events say about their session's row in the index. Pure. */

import type { AuditEvent } from '../event.ts'

/** Null: nothing has said so. A value once said stays until another is. */
export interface SessionDescription {
  session: string
  started_at: number
  ended_at: number | null
  ended: string | null
  subject: string | null
  kind: string | null
  role: string | null
  connection: string | null
  database: string | null
  client: string | null
  application: string | null
  graph: string | null
  node: string | null
  run: string | null
}

/** What later events may add to. */
export const DESCRIBED = [
  'ended_at',
  'ended',
  'subject',
  'kind',
  'role',
  'connection',
  'database',
  'client',
  'application',
  'graph',
  'node',
  'run',
] as const satisfies readonly (keyof SessionDescription)[]

export interface SessionTotals {
  statements: number
  /** Statements denied, or held and then refused. */
  refused: number
  rows: number
  bytes: number
}

/** A session of which nothing is known but a record at this time. */
export function blankSession(session: string, at: number): SessionDescription {
  return {
    session,
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

/** Notes in `to` what an event of the session says of it. */
export function describeSession(to: SessionDescription, event: AuditEvent, at: number): void {
  switch (event.type) {
    case 'connection-opened':
      to.client = event.client
      break
    case 'authentication':
      to.subject = event.subject ?? to.subject
      to.role = event.role ?? to.role
      to.connection = event.connection
      to.application = event.applicationName ?? to.application
      break
    case 'session-started':
      to.subject = event.subject
      to.kind = event.kind
      to.role = event.role
      to.connection = event.connection
      to.database = event.database
      to.graph = event.graph ?? to.graph
      to.node = event.node ?? to.node
      to.run = event.run ?? to.run
      break
    case 'session-ended':
      to.ended_at = at
      to.ended = event.reason
      break
    default:
      break
  }
}

/** Adds what a statement or outcome counts for to its session's totals. */
export function addToTotals(sum: SessionTotals, event: AuditEvent): void {
  if (event.type === 'statement') {
    sum.statements++
    if (event.verdict === 'deny') sum.refused++
  } else if (event.type === 'outcome') {
    if (event.status === 'refused') sum.refused++
    sum.rows += event.rows
    sum.bytes += event.bytes
  }
}
