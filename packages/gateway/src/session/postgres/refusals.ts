/** Refusals as the relay takes them: an ErrorResponse each. */
import {
  type ProtocolError,
  type ProtocolErrorCode,
  type Refusal,
  SQLSTATE,
} from '@sallyport/protocol-postgres'
import { type Report, refusalReport } from '../reports.ts'
import { errorFrame } from './frames.ts'

export function refusal(report: Report): Refusal {
  return { kind: 'refusal', error: errorFrame(report) }
}

/** `position`: of a syntax error in the text, counted from 1; null: none. `offer`: see refusalReport. */
export function refusalOf(
  verdict: Parameters<typeof refusalReport>[0],
  position: number | null,
  offer = '',
): Refusal {
  return refusal(refusalReport(verdict, position, offer))
}

export function noSuchStatement(name: string): Refusal {
  return refusal({
    sqlstate: SQLSTATE.INVALID_SQL_STATEMENT_NAME,
    message:
      name === ''
        ? 'unnamed prepared statement does not exist'
        : `prepared statement "${name}" does not exist`,
  })
}

export function noSuchPortal(name: string): Refusal {
  return refusal({
    sqlstate: SQLSTATE.INVALID_CURSOR_NAME,
    message: `portal "${name}" does not exist`,
  })
}

/** What the server says of a message it cannot read. Source: libpq/pqformat.c. */
const MALFORMED: Partial<Record<ProtocolErrorCode, string>> = {
  truncated: 'insufficient data left in message',
  'bad-length': 'insufficient data left in message',
  'trailing-bytes': 'invalid message format',
  'unterminated-string': 'invalid string in message',
}

export function malformed({ code, sqlstate, message }: ProtocolError): Refusal {
  return refusal({ sqlstate, message: MALFORMED[code] ?? message })
}

export function tooManyNames(what: 'prepared statements' | 'portals'): Refusal {
  return refusal({
    sqlstate: SQLSTATE.PROGRAM_LIMIT_EXCEEDED,
    message: `this session has too many ${what}`,
    hint: 'Close the ones that are no longer used.',
  })
}
