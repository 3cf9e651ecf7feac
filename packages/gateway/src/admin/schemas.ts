/**
 * The answers of contract.ts as JSON Schema, for the document at `/openapi.json`. Nothing is left out or added by
 * them: a test holds real answers against them.
 */

type Schema = Readonly<Record<string, unknown>>

const TEXT = { type: 'string' } as const
const TIME = { type: 'string', format: 'date-time' } as const
const WHOLE = { type: 'integer' } as const
const NUMBER = { type: 'number' } as const
const FLAG = { type: 'boolean' } as const
const one = (...values: readonly string[]): Schema => ({ type: 'string', enum: values })
const list = (items: Schema): Schema => ({ type: 'array', items })
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })

/** Closed, and everything in it is there. */
export const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})

const CONTEXT = { graph: orNull(TEXT), node: orNull(TEXT), run: orNull(TEXT) }
const CELLS = orNull(list(orNull(TEXT)))

const SHOWN = object({
  sql: TEXT,
  layout: orNull(TEXT),
  parameters: list(orNull(TEXT)),
  estimate: orNull({
    oneOf: [
      object({ kind: one('estimate'), rows: NUMBER, cost: orNull(NUMBER), plan: list(TEXT) }),
      object({ kind: one('none'), why: TEXT }),
    ],
  }),
  preview: orNull({
    oneOf: [
      object({
        kind: one('preview'),
        affected: WHOLE,
        columns: list(TEXT),
        rows: list(object({ before: CELLS, after: CELLS })),
      }),
      object({ kind: one('none'), why: TEXT }),
    ],
  }),
})

export const APPROVAL = object({
  id: TEXT,
  what: one('statement', 'result', 'grant'),
  mode: one('hold', 'return'),
  status: one('pending', 'approved', 'denied', 'used', 'expired', 'cancelled', 'ended'),
  requestedAt: TIME,
  decideBy: TIME,
  usableUntil: orNull(TIME),
  requester: object({ subject: TEXT, issuer: TEXT, role: orNull(TEXT), ...CONTEXT }),
  connection: TEXT,
  database: TEXT,
  session: orNull(TEXT),
  record: orNull(WHOLE),
  rule: TEXT,
  reason: orNull(TEXT),
  approvers: list(
    object({
      groups: list(TEXT),
      subjects: list(TEXT),
      count: WHOLE,
      missing: WHOLE,
      ticket: orNull(TEXT),
    }),
  ),
  decisions: list(
    object({
      at: TIME,
      by: TEXT,
      decision: one('approve', 'deny'),
      reason: TEXT,
      ticket: orNull(TEXT),
    }),
  ),
  grant: orNull(object({ seconds: NUMBER, breakGlass: FLAG })),
  ended: orNull(TEXT),
  mayDecide: FLAG,
  mayApprove: FLAG,
  shown: orNull(SHOWN),
})
export const APPROVALS = object({ approvals: list(APPROVAL) })

export const SESSIONS = object({
  unanswered: WHOLE,
  sessions: list(
    object({
      id: TEXT,
      gateway: orNull(TEXT),
      subject: TEXT,
      issuer: TEXT,
      kind: one('human', 'machine'),
      role: orNull(TEXT),
      ...CONTEXT,
      connection: TEXT,
      database: TEXT,
      startedAt: TIME,
      activeAt: TIME,
      expiresAt: TIME,
      state: one('idle', 'running', 'in-transaction', 'waiting-for-approval'),
    }),
  ),
})

export const GRANT = object({
  id: TEXT,
  status: one('pending', 'approved', 'held', 'denied', 'expired', 'cancelled', 'ended'),
  subject: TEXT,
  issuer: TEXT,
  role: TEXT,
  connection: TEXT,
  ...CONTEXT,
  reason: orNull(TEXT),
  seconds: NUMBER,
  until: orNull(TIME),
  breakGlass: FLAG,
  reviewed: FLAG,
})
export const GRANTS = object({ grants: list(GRANT) })

export const LISTENERS = object({
  listeners: list(
    object({ protocol: one('postgres', 'mysql'), host: TEXT, port: WHOLE, tls: FLAG }),
  ),
})

export const POLICY = object({
  version: TEXT,
  rules: WHOLE,
  masks: WHOLE,
  limits: WHOLE,
  grants: WHOLE,
  warnings: list(TEXT),
})

export const VALIDATION = {
  type: 'object',
  properties: { valid: FLAG, errors: list(TEXT), warnings: list(TEXT) },
  required: ['valid', 'errors'],
  additionalProperties: false,
} as const

/** Operators also get who it was explained for, and every statement with the rules behind it. */
export const EXPLANATION = {
  type: 'object',
  properties: {
    verdict: {
      type: 'object',
      properties: { kind: one('allow', 'deny', 'approve') },
      required: ['kind'],
    },
    policyVersion: TEXT,
    masked: FLAG,
  },
  required: ['verdict', 'policyVersion', 'masked'],
} as const

/** Records as the log has them: packages/audit/src/event.ts. */
export const RECORDS = object({
  records: list({ type: 'object' }),
  next: orNull(WHOLE),
  removed: list(
    object({
      gateway: orNull(TEXT),
      segments: WHOLE,
      records: WHOLE,
      first: WHOLE,
      last: WHOLE,
      since: WHOLE,
      until: WHOLE,
      by: orNull(TEXT),
      at: orNull(WHOLE),
      keepDays: orNull(WHOLE),
    }),
  ),
})

export const ERROR = object({ error: { ...TEXT, description: 'stable' }, message: TEXT })

/** Nothing is said but that it is done. */
export const DONE = { type: 'null', description: 'done' } as const
