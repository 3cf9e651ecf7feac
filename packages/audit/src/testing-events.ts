/** Events for this package's tests. Not exported. */

import type { AuditEvent, Outcome, Statement } from './event.ts'

export function statement(fields: Partial<Statement> = {}): Statement {
  return {
    type: 'statement',
    v: 1,
    session: 's1',
    ordinal: 1,
    via: 'simple',
    sql: 'SELECT name FROM customers',
    verdict: 'allow',
    rule: 'analysts read',
    relations: [{ access: 'read', name: 'public.customers' }],
    effects: ['read'],
    masks: [],
    ...fields,
  }
}

export function outcome(fields: Partial<Outcome> & { statement: number }): Outcome {
  return {
    type: 'outcome',
    v: 1,
    session: 's1',
    status: 'ok',
    rows: 2,
    bytes: 64,
    micros: 350,
    ...fields,
  }
}

/** The three records a session begins with. */
export function opening(session: string, subject: string, connection = 'crm'): AuditEvent[] {
  return [
    { type: 'connection-opened', v: 1, session, client: '127.0.0.1:1', listener: 'pg', tls: null },
    {
      type: 'authentication',
      v: 1,
      session,
      outcome: 'ok',
      code: 'ok',
      subject,
      connection,
      applicationName: 'psql',
    },
    {
      type: 'session-started',
      v: 1,
      session,
      subject,
      kind: 'human',
      groups: ['analysts'],
      role: 'analyst',
      connection,
      database: connection,
      upstreamUser: 'reader',
      serverVersion: '16.4',
    },
  ]
}
