/** For tests: requests and people. */
import type { ApprovalDecided, ApprovalRequested, AuditEvent } from '@sallyport/audit'
import type { Request } from './approvals.ts'
import type { Shown } from './journal.ts'
import type { ApprovalLog } from './local-journal.ts'

export const SHOWN: Shown = {
  sql: 'DELETE FROM t',
  layout: null,
  parameters: [],
  estimate: null,
  preview: null,
}

export function request(given: Partial<Request> = {}): Request {
  return {
    what: 'statement',
    mode: 'hold',
    session: 's1',
    statement: 1,
    subject: 'agent',
    issuer: 'https://login',
    connection: 'crm',
    database: 'crm',
    role: '',
    rule: 'writes need a human',
    binding: 'b1',
    approvers: [{ groups: ['dba'], subjects: [], count: 1, ticket: null }],
    useMs: 1_000,
    withinMs: 1_000,
    ...given,
  }
}

export function requested(given: Partial<ApprovalRequested> = {}): ApprovalRequested {
  const { withinMs, ...rest } = request()
  return {
    type: 'approval-requested',
    v: 1,
    approval: 'a1',
    decideBy: withinMs,
    ...rest,
    ...given,
  }
}

export function decision(by: string, given: Partial<ApprovalDecided> = {}): ApprovalDecided {
  return {
    type: 'approval-decided',
    v: 1,
    approval: 'a1',
    by,
    issuer: 'https://login',
    kind: 'human',
    groups: ['dba'],
    decision: 'approve',
    reason: '',
    ...given,
  }
}

/** What an audit log would hold. */
export class MemoryLog implements ApprovalLog {
  readonly events: { at: number; event: AuditEvent }[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  append(event: AuditEvent): number {
    return this.events.push({ at: this.#now(), event })
  }

  flush(): void {}
}
