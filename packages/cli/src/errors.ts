/**
 * Exit codes, the CLI's own error, and what other packages' errors mean to whoever typed the command.
 * Errors are told apart by name and code, so that no command has to load a package only for its classes.
 */

/** Documented in README.md; scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** What was asked about is not in order: denied, not verified, errors in a policy. */
  notOk: 1,
  /** The command line or a file it names cannot be used. */
  usage: 2,
  /** Something could not be reached or is busy: trying again may help. */
  unavailable: 3,
  /** A fault of this program. */
  internal: 70,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export type CliErrorCode = 'not-ok' | 'usage' | 'config' | 'unavailable' | 'internal'

const EXIT_OF: Readonly<Record<CliErrorCode, ExitCode>> = {
  'not-ok': EXIT.notOk,
  usage: EXIT.usage,
  config: EXIT.usage,
  unavailable: EXIT.unavailable,
  internal: EXIT.internal,
}

/** A command that cannot go on. `message` is one line for people; it never holds a secret. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: CliErrorCode

  constructor(code: CliErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Closes a `switch` over a union; a value that reaches it is our bug. */
export function assertNever(value: never): never {
  throw new CliError('internal', `unexpected value ${JSON.stringify(value)}`)
}

export interface Failure {
  readonly message: string
  readonly exit: ExitCode
}

/** Error name → code → exit; `*` is every other code. */
const KNOWN: Readonly<Record<string, Readonly<Record<string, ExitCode>>>> = {
  ConfigError: { '*': EXIT.usage },
  PolicyLoadError: { '*': EXIT.usage },
  SecretError: { '*': EXIT.usage },
  TlsError: { '*': EXIT.usage },
  GatewayError: { config: EXIT.usage, policy: EXIT.usage, '*': EXIT.unavailable },
  IdentityError: {
    'issuer-unavailable': EXIT.unavailable,
    'store-unavailable': EXIT.unavailable,
    'invalid-request': EXIT.usage,
    configuration: EXIT.usage,
    internal: EXIT.internal,
    '*': EXIT.notOk,
  },
  AuditError: {
    locked: EXIT.unavailable,
    unavailable: EXIT.unavailable,
    'index-unavailable': EXIT.unavailable,
    'key-missing': EXIT.usage,
    'key-unsafe': EXIT.usage,
    'invalid-option': EXIT.usage,
    'invalid-event': EXIT.usage,
    '*': EXIT.notOk,
  },
  CatalogError: {
    unreachable: EXIT.unavailable,
    'backing-off': EXIT.unavailable,
    closed: EXIT.unavailable,
    '*': EXIT.usage,
  },
  SqliteError: { '*': EXIT.unavailable },
}

const FILE_CODES = ['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EROFS', 'EEXIST']
const NETWORK_CODES = [
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EPIPE',
  'ENOSPC',
]

/** Any thrown value as one line and an exit code. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError)
    return { message: oneLine(error.message), exit: EXIT_OF[error.code] }
  if (!(error instanceof Error)) return { message: 'internal fault', exit: EXIT.internal }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const message = oneLine(error.message)
  const known = KNOWN[error.name]
  if (known !== undefined) return { message, exit: known[code] ?? known['*'] ?? EXIT.internal }
  if (FILE_CODES.includes(code)) return { message: fileMessage(error, code), exit: EXIT.usage }
  if (NETWORK_CODES.includes(code)) return { message, exit: EXIT.unavailable }
  return { message: `internal fault: ${message} (--debug shows where)`, exit: EXIT.internal }
}

/** The system's code of an error, or of what caused it: `fetch failed` says nothing by itself. */
export function systemCodeOf(error: unknown): string | null {
  for (let one = error; one instanceof Error; one = one.cause) {
    if ('code' in one && typeof one.code === 'string') return one.code
    if (one instanceof AggregateError && one.errors.length > 0) return systemCodeOf(one.errors[0])
  }
  return null
}

const FILE_WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read or written by this account',
  EPERM: 'may not be read or written by this account',
  EISDIR: 'is a folder',
  ENOTDIR: 'is below something that is not a folder',
  EROFS: 'is on a read-only file system',
  EEXIST: 'exists already',
}

function fileMessage(error: Error, code: string): string {
  const path = 'path' in error && typeof error.path === 'string' ? `\`${error.path}\` ` : ''
  return path === '' ? oneLine(error.message) : `${path}${FILE_WORDS[code] ?? code}`
}

function oneLine(text: string): string {
  return text.split('\n').join('; ')
}
