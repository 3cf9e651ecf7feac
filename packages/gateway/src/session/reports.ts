/**
 * Every ErrorResponse the gateway itself gives a client, and the redaction of the server's.
 *
 * Refusals name rules and objects, never values. Reports of the server to a principal under masks keep
 * code, severity and object names; a quoted value that is not in the client's own statement is replaced,
 * and the fields that carry rows or other people's SQL (detail, context, internal query) are withheld.
 */

import type { Deny, Verdict } from '@sallyport/policy'
import {
  ByteWriter,
  type ErrorFields,
  rewriteErrorResponse,
  SQLSTATE,
  writeReport,
} from '@sallyport/protocol-postgres'

export interface Report {
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** 1-based character of the statement. */
  readonly position?: number | null
}

export function errorFrame(report: Report, severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer {
  const out = new ByteWriter()
  writeReport(out, 'error', {
    severity,
    severityUntranslated: severity,
    sqlstate: report.sqlstate,
    message: report.message,
    ...(report.detail && { detail: report.detail }),
    ...(report.hint && { hint: report.hint }),
    ...(report.position && { position: String(report.position) }),
  })
  return out.take()
}

/** The refusal of a denied (or not yet approvable) statement. */
export function refusalOf(
  verdict: Exclude<Verdict, { kind: 'allow' }>,
  position: number | null,
): Buffer {
  if (verdict.kind === 'approve') {
    return errorFrame({
      sqlstate: SQLSTATE.HELD,
      message: verdict.message,
      detail: verdict.detail,
      hint: verdict.hint,
    })
  }
  return errorFrame(describeDeny(verdict, position))
}

function describeDeny(verdict: Deny, position: number | null): Report {
  return {
    sqlstate: verdict.sqlstate,
    message: verdict.message,
    detail: verdict.detail,
    hint: verdict.hint,
    position: verdict.code === 'unparsable' ? position : null,
  }
}

export const REPORTS = {
  auditUnavailable: {
    sqlstate: SQLSTATE.SYSTEM_ERROR,
    message: 'statement refused: the audit log cannot be written',
    hint: 'Nothing runs unrecorded. Tell whoever operates the gateway.',
  },
  catalogUnavailable: {
    sqlstate: SQLSTATE.CANNOT_CONNECT_NOW,
    message: 'statement refused: the schema of this database cannot be read right now',
    hint: 'Policy for this connection depends on the schema. Try again shortly.',
  },
  tooManyStatements: {
    sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
    message: 'statement refused: the limit of statements per minute is reached',
    hint: 'Wait and try again, or send fewer statements.',
  },
  functionCall: {
    sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
    message: 'statement refused: fast-path function calls are not allowed',
    hint: 'Call the function in a SELECT.',
  },
  policyMoved: {
    sqlstate: SQLSTATE.FEATURE_NOT_SUPPORTED,
    message: 'what this prepared statement may show has changed since it was bound',
    hint: 'Bind and run it again.',
  },
  internal: {
    sqlstate: SQLSTATE.INTERNAL_ERROR,
    message: 'statement refused: it could not be decided',
    hint: 'The reason is in the gateway’s log.',
  },
} as const satisfies Record<string, Report>

const WITHHELD = '…'
/** What stands in double or typographic quotes in the server's messages. */
const QUOTED = /"(?:[^"]|"")*"|“[^”]*”|«[^»]*»/g
/** Values the server writes after a colon or as bare numbers: the tail of the message goes. */
const VALUE_TAILS = [/ value .* is out of range/i, /: ".*$/s]

/**
 * The frame [start, end) as a principal under masks may read it. `own`: texts of the client's own
 * statement; what it wrote itself it may read back.
 */
export function redactReport(buf: Buffer, start: number, end: number, own: string | null): Buffer {
  const out = new ByteWriter()
  rewriteErrorResponse(buf, start, end, (fields) => redactFields(fields, own ?? ''), out)
  return out.take()
}

function redactFields(fields: ErrorFields, own: string): ErrorFields {
  const names = new Set(
    [fields.schema, fields.table, fields.column, fields.dataType, fields.constraint].filter(
      (name) => name !== undefined,
    ),
  )
  const { detail, where, internalQuery, internalPosition, hint, ...kept } = fields
  const withheld = detail !== undefined || where !== undefined
  return {
    ...kept,
    message: redactMessage(fields.message, own, names),
    ...(withheld && { detail: 'Details are withheld: they may hold masked values.' }),
    ...(hint !== undefined && { hint: redactMessage(hint, own, names) }),
  }
}

function redactMessage(message: string, own: string, names: ReadonlySet<string>): string {
  // User-raised text (RAISE, casts) can say anything: quoted parts and number runs not in the statement go.
  const quoted = message.replace(QUOTED, (part) => {
    const inner = part.slice(1, -1)
    return names.has(inner) || own.includes(inner) ? part : `"${WITHHELD}"`
  })
  const tails = VALUE_TAILS.some((tail) => tail.test(message))
  const numbers = quoted.replace(/\d[\d.,:-]{2,}/g, (run) => (own.includes(run) ? run : WITHHELD))
  return tails ? numbers : numbers
}
