/**
 * Everything the gateway itself tells a client, before a protocol puts it in frames. Refusals name rules and
 * objects, never values. Codes are PostgreSQL's SQLSTATEs; another protocol's room translates them.
 */

import { AuditError } from '@sallyport/audit'
import type { Deny, PrincipalView } from '@sallyport/policy'
import { SQLSTATE } from '@sallyport/protocol-postgres'
import { counted } from '../counted.ts'

export interface Report {
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** 1-based character of the statement. */
  readonly position?: number | null
}

const NOTHING_UNRECORDED = 'Nothing runs unrecorded. Tell whoever operates the gateway.'

/** A login came to an error that is not the client's. */
export function failedLogin(error: unknown): Report {
  if (error instanceof AuditError) {
    const message = 'connection refused: the audit log cannot be written'
    return { sqlstate: SQLSTATE.SYSTEM_ERROR, message, hint: NOTHING_UNRECORDED }
  }
  return { sqlstate: SQLSTATE.INTERNAL_ERROR, message: 'internal error of the gateway' }
}

type Limits = PrincipalView['limits']

function sayLimits({ rows, bytes }: Limits): string {
  const said = [rows !== null && counted(rows, 'row'), bytes !== null && `${bytes} bytes`]
  return said.filter((one) => one !== false).join(', ')
}

/** A result went over its limit and was stopped. `stands`: what the statement changed is committed. */
export function limitReport(limits: Limits, { stands }: { readonly stands: boolean }): Report {
  const detail = [
    `At most: ${sayLimits(limits)}.`,
    ...(stands ? ['The statement had completed by then: what it changed stands.'] : []),
  ]
  return {
    sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
    message: 'the result is larger than policy allows',
    detail: detail.join(' '),
    hint: 'Ask for less: add a LIMIT or a narrower WHERE, or aggregate in the database.',
  }
}

/** `left`: a result is larger than what is left of it. */
export function budgetReport(name: string, left?: { readonly stands: boolean }): Report {
  return {
    sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
    message:
      left === undefined
        ? `statement refused: the budget "${name}" is spent`
        : `the result is larger than what is left of the budget "${name}"`,
    ...(left?.stands === true && {
      detail: 'The statement had completed by then: what it changed stands.',
    }),
    hint: 'Nothing more runs on it: finish with what there is, or ask for another token or run.',
  }
}

export function truncationReport(limits: Limits, rows: number): Report {
  return {
    // warning
    sqlstate: '01000',
    message: `only the first ${rows === 1 ? 'row was' : `${rows} rows were`} sent: the result is larger than policy allows`,
    detail: `At most: ${sayLimits(limits)}.`,
    hint: 'Ask for less: add a LIMIT or a narrower WHERE, or aggregate in the database.',
  }
}

export function tooLongReport(bytes: number): Report {
  return {
    sqlstate: SQLSTATE.PROGRAM_LIMIT_EXCEEDED,
    message: `statement refused: its ${bytes} bytes are more than this gateway reads`,
    hint: 'Send values as parameters or with COPY, or raise limits.statement-bytes.',
  }
}

export function parametersTooLongReport(bytes: number): Report {
  return {
    sqlstate: SQLSTATE.PROGRAM_LIMIT_EXCEEDED,
    message: `statement refused: its ${bytes} bytes of parameters are more than this gateway inspects`,
    hint: 'Send them with several statements, or with COPY.',
  }
}

/** `offer`: how to come by what would be allowed; '': nothing to say. */
export function refusalReport(verdict: Deny, position: number | null, offer: string): Report {
  return {
    sqlstate: verdict.sqlstate,
    message: verdict.message,
    detail: verdict.detail,
    hint: [verdict.hint, offer].filter((part) => part !== '').join(' '),
    position: verdict.code === 'unparsable' ? position : null,
  }
}

export const REPORTS = {
  auditUnavailable: {
    sqlstate: SQLSTATE.SYSTEM_ERROR,
    message: 'statement refused: the audit log cannot be written',
    hint: NOTHING_UNRECORDED,
  },
  catalogUnavailable: {
    sqlstate: SQLSTATE.CANNOT_CONNECT_NOW,
    message: 'statement refused: the schema of this database cannot be read right now',
    hint: 'Policy for this connection depends on the schema. Try again shortly.',
  },
  diagnosticsWithheld: {
    sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
    message: 'statement refused: the warnings of a statement that read masked columns are withheld',
    hint: 'Whether there are any tells of values. Run a statement over other columns, then ask.',
  },
  transactionLost: {
    sqlstate: SQLSTATE.DEADLOCK_DETECTED,
    message:
      'the database has rolled the transaction back: a deadlock, or a lock it waited for too long',
    detail:
      'It was met while the statement was tried for its approvers, and nothing of it is left.',
    hint: 'Begin the transaction again.',
  },
  budgetUnknown: {
    sqlstate: SQLSTATE.SYSTEM_ERROR,
    message: 'statement refused: what is left of its budget cannot be known right now',
    hint: 'Try again later; the reason is in the gateway’s log.',
  },
  tooManyStatements: {
    sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
    message: 'statement refused: the limit of statements per minute is reached',
    hint: 'Wait and try again, or send fewer statements.',
  },
  probesSpent: {
    sqlstate: SQLSTATE.CONFIGURATION_LIMIT_EXCEEDED,
    message:
      'statement refused: it compares masked columns with more different values than policy allows',
    hint: 'Look rows up by columns that are not masked, or wait.',
  },
  batchHeld: {
    sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
    message: 'statement refused: it needs approval, and a batch of rows cannot be held for it',
    hint: 'Run it row by row: turn bulk execution off in the driver.',
  },
  batchTells: {
    sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
    message: 'statement refused: how many rows a batch changes would tell of masked values',
    hint: 'Run it row by row: turn bulk execution off in the driver.',
  },
  functionCall: {
    sqlstate: SQLSTATE.INSUFFICIENT_PRIVILEGE,
    message: 'statement refused: fast-path function calls are not allowed',
    hint: 'Call the function in a SELECT.',
  },
  nameTooLong: {
    sqlstate: SQLSTATE.NAME_TOO_LONG,
    message: 'names of prepared statements and portals may have at most 63 bytes',
    hint: 'The server would cut the name, and take two of them for one.',
  },
  policyMoved: {
    sqlstate: SQLSTATE.FEATURE_NOT_SUPPORTED,
    message: 'what this prepared statement may do or show has changed since it was bound',
    hint: 'Bind and run it again.',
  },
  internal: {
    sqlstate: SQLSTATE.INTERNAL_ERROR,
    message: 'statement refused: it could not be decided',
    hint: 'The reason is in the gateway’s log.',
  },
} as const satisfies Record<string, Report>
