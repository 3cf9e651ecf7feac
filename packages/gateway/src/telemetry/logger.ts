/**
 * The process log: JSON lines by pino. What must never be in it is kept out three times: secrets print
 * as `[secret]` by themselves (secrets/secret.ts), fields with telling names are replaced, and an error
 * is cut down to what says where and what: no properties that drivers attach (`query`, `detail`,
 * `parameters`), and nothing quoted from a statement or a row.
 */
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import { REDACTED } from '../secrets/secret.ts'
import { LogOutput, unblocked } from './log-output.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type { Logger }

/** Longest error message in the log, characters. */
export const ERROR_MESSAGE_CHARS_MAX = 500
/** How many causes of an error are shown. */
export const ERROR_CAUSES_MAX = 4

/** How deep fields are shown; what lies deeper is replaced. */
export const FIELD_DEPTH_MAX = 2

/** Field names whose values are replaced, at the top and two levels down. */
const SENSITIVE = [
  'password',
  'token',
  'secret',
  'authorization',
  'cookie',
  'credential',
  'assertion',
  'sql',
  'statement',
  'query',
  'parameters',
  'params',
  'literals',
]

const STDOUT = 1

export interface LoggerOptions {
  readonly level: LogLevel
  /** Where lines go; standard output when absent. */
  readonly destination?: DestinationStream
}

/** Makes the root logger; children (`logger.child({ session })`) inherit everything. */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { name: 'sallyport' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: describeErrors },
    // An error is cut down under whatever name it is logged.
    serializers: {
      err: (value: unknown) => (value instanceof Error ? describeError(value) : value),
    },
    redact: {
      paths: SENSITIVE.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
      // Numbers under these names are counts and ids.
      censor: (value: unknown) => (typeof value === 'number' ? value : REDACTED),
    },
    hooks: { logMethod: withOwnMessage },
  }
  return pino(options, destination ?? new LogOutput(unblocked(STDOUT)))
}

/** pino takes an error's message as the line's when the line has none: give it one. */
function withOwnMessage(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [first, message, ...rest] = args as unknown[]
  const fields = first instanceof Error ? { err: first } : first
  const bare = typeof fields === 'object' && fields !== null && message === undefined
  method.apply(this, [fields, bare ? 'no message' : message, ...rest] as Parameters<LogFn>)
}

/** Errors in fields of plain objects and arrays, however named, down to the depth of the redaction. */
function describeErrors(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, withoutErrors(value, FIELD_DEPTH_MAX)]),
  )
}

function withoutErrors(value: unknown, depth: number): unknown {
  if (value instanceof Error) return describeError(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    return depth === 0 ? REDACTED : value.map((item) => withoutErrors(item, depth - 1))
  }
  // Other classes (Secret, Date) know how they print.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  if (depth === 0) return REDACTED
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, withoutErrors(inner, depth - 1)]),
  )
}

/** What the log says of an error. */
export interface LoggedError {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: LoggedError
}

/** An error as plain data, without what it may have picked up from a statement, a row or a token. */
export function describeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: REDACTED }
  const code = (error as { code?: unknown }).code
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return {
    type: error.name,
    message: redactText(error.message),
    ...(typeof code === 'string' ? { code } : {}),
    ...(frames !== undefined && depth === 0 ? { stack: frames.join('\n') } : {}),
    ...(error.cause !== undefined && depth < ERROR_CAUSES_MAX
      ? { cause: describeError(error.cause, depth + 1) }
      : {}),
  }
}

/**
 * A message without tokens and quoted values. Names in backticks stay: our own messages put names
 * there, and only names.
 */
export function redactText(text: string): string {
  const redacted = text
    .slice(0, 4 * ERROR_MESSAGE_CHARS_MAX)
    .replace(/\beyJ[\w-]*(\.[\w-]*)*/g, REDACTED) // a JWT, or a piece of one
    .replace(/\bspt_\w+/g, REDACTED)
    .replace(/\b(bearer|basic)\s+\S+/gi, `$1 ${REDACTED}`)
    .replace(/:\/\/[^\s/@]*@/g, `://${REDACTED}@`)
    .replace(/\$(\w*)\$[\s\S]*?(\$\1\$|$)/g, REDACTED)
    .replace(/'(?:[^'\\]|\\.|'')*('|$)/g, `'${REDACTED}'`)
    .replace(/"(?:[^"\\]|\\.|"")*("|$)/g, `"${REDACTED}"`)
  return redacted.length > ERROR_MESSAGE_CHARS_MAX
    ? `${redacted.slice(0, ERROR_MESSAGE_CHARS_MAX)}…`
    : redacted
}
