/**
 * What the gateway says of a statement, read from the errors of any driver that keeps the SQLSTATE: `pg`
 * (`code`), `mysql2` (`sqlState`). Match on `kind`; the message is written for a model to act on.
 */

export type RefusalKind =
  /** A person must approve it; see `approval`. */
  | 'approval-needed'
  | 'approval-denied'
  | 'approval-expired'
  /** Policy refuses it, and nobody is asked. */
  | 'denied'
  /** A result, rate or size over its limit. */
  | 'limit'
  /** The text is not SQL. */
  | 'syntax'
  /** The token is expired, revoked or not good for this. */
  | 'token'
  | 'unavailable'

/** What has to be decided, as the gateway describes it. */
export interface ApprovalNeeded {
  readonly id: string
  readonly rule: string
  /** ISO 8601. */
  readonly decideBy: string
  /** Once approved, how long it may be used. */
  readonly useWithinSeconds: number
  /** Where it is decided, if the gateway knows. */
  readonly link: string | null
}

export class SallyportError extends Error {
  readonly kind: RefusalKind
  readonly sqlstate: string
  readonly hint: string | null
  /** For `approval-needed`. */
  readonly approval: ApprovalNeeded | null

  constructor(
    kind: RefusalKind,
    said: { message: string; sqlstate: string; detail: string | null; hint: string | null },
    cause: unknown,
  ) {
    const approval = kind === 'approval-needed' ? approvalIn(said) : null
    const detail = approval === null ? said.detail : null
    super([said.message, detail, said.hint].filter(Boolean).join('\n'), { cause })
    this.name = 'SallyportError'
    this.kind = kind
    this.sqlstate = said.sqlstate
    this.hint = said.hint
    this.approval = approval
  }
}

const KINDS: Readonly<Record<string, RefusalKind>> = {
  SP001: 'approval-needed',
  SP002: 'approval-denied',
  SP003: 'approval-expired',
  '42501': 'denied',
  '53400': 'limit',
  '54000': 'limit',
  '42601': 'syntax',
  '28P01': 'token',
  '28000': 'token',
  '57P03': 'unavailable',
  '58000': 'unavailable',
}

/** Null: not an error of a kind the gateway gives; the database's own, or the network's. */
export function sallyportError(error: unknown): SallyportError | null {
  if (error instanceof SallyportError) return error
  if (!(error instanceof Error)) return null
  const { code, sqlState, detail, hint } = error as Error & {
    readonly code?: unknown
    readonly sqlState?: unknown
    readonly detail?: unknown
    readonly hint?: unknown
  }
  const sqlstate = typeof sqlState === 'string' ? sqlState : typeof code === 'string' ? code : ''
  const kind = KINDS[sqlstate]
  if (kind === undefined) return null
  const said = { message: error.message, sqlstate, detail: textOr(detail), hint: textOr(hint) }
  return new SallyportError(kind, said, error)
}

const textOr = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** The JSON of the detail; MySQL has no details, there it ends the message. */
function approvalIn(said: { message: string; detail: string | null }): ApprovalNeeded | null {
  const json = said.detail ?? /\{.*\}/s.exec(said.message)?.[0] ?? ''
  try {
    const { approval, rule, decideBy, useWithinSeconds, link } = JSON.parse(json) as Record<
      string,
      unknown
    >
    if (typeof approval !== 'string') return null
    return {
      id: approval,
      rule: textOr(rule) ?? '',
      decideBy: textOr(decideBy) ?? '',
      useWithinSeconds: typeof useWithinSeconds === 'number' ? useWithinSeconds : 0,
      link: textOr(link),
    }
  } catch {
    return null
  }
}
