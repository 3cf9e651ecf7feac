/**
 * What the server answers where its grammar refuses a text: SQLSTATE, hint and detail by message, as
 * scan.l, gram.y and parser.c of PostgreSQL 18 have them. Everything else is 42601 without a hint.
 */
interface Rejection {
  readonly sqlstate: string
  readonly hint: string | null
  readonly detail: string | null
}

interface Known extends Partial<Rejection> {
  readonly message: RegExp
  /** Function of the parser that raises it, where the message alone is not enough. */
  readonly raisedIn?: RegExp
}

const KNOWN: readonly Known[] = [
  {
    message: /^invalid Unicode escape$/,
    raisedIn: /^str_udeescape$/,
    hint: 'Unicode escapes must be \\XXXX or \\+XXXXXX.',
  },
  {
    message: /^invalid Unicode escape$/,
    sqlstate: '22025',
    hint: 'Unicode escapes must be \\uXXXX or \\UXXXXXXXX.',
  },
  {
    message: /^unsafe use of \\' in a string literal$/,
    sqlstate: '22P06',
    hint: "Use '' to write quotes in strings. \\' is insecure in client-only encodings.",
  },
  { message: /^invalid byte sequence for encoding/, sqlstate: '22021' },
  {
    message:
      /^(precision for type float must be|unrecognized partitioning strategy|unrecognized JSON encoding)/,
    sqlstate: '22023',
  },
  { message: /^frame (start|end) |^frame starting from/, sqlstate: '42P20' },
  {
    message: /^role name ".*" is reserved|cannot be used as a role name here$/,
    sqlstate: '42939',
  },
  {
    message: /^UNENCRYPTED PASSWORD is no longer supported/,
    sqlstate: '0A000',
    hint: 'Remove UNENCRYPTED to store the password in encrypted form instead.',
  },
  {
    message:
      /not yet implemented$|is not implemented$|^.* constraints cannot be marked |^aggregates cannot have output arguments|^current database cannot be changed|^CREATE SCHEMA IF NOT EXISTS cannot include|^WITH CHECK OPTION not supported on recursive views/,
    sqlstate: '0A000',
  },
  {
    message: /^LIMIT #,# syntax is not supported/,
    hint: 'Use separate LIMIT and OFFSET clauses.',
  },
  {
    message: /^missing argument/,
    hint: 'Use NONE to denote the missing argument of a unary operator.',
  },
  {
    message: /^unrecognized row security option/,
    hint: 'Only PERMISSIVE or RESTRICTIVE policies are supported currently.',
  },
  {
    message: /^invalid publication object list/,
    detail:
      'One of TABLE or TABLES IN SCHEMA must be specified before a standalone table or schema name.',
  },
]

export function rejectionFor(message: string, raisedIn: string): Rejection {
  const known = KNOWN.find(
    (entry) =>
      entry.message.test(message) &&
      (entry.raisedIn === undefined || entry.raisedIn.test(raisedIn)),
  )
  return {
    sqlstate: known?.sqlstate ?? '42601',
    hint: known?.hint ?? null,
    detail: known?.detail ?? null,
  }
}
