/**
 * The gateway's own errors, and the one place where what a client may read is built.
 * No token, password, literal, parameter or upstream host appears in any of these texts.
 */

export type GatewayErrorCode =
  | 'config'
  | 'policy'
  | 'listen'
  | 'upstream-unreachable'
  | 'upstream-refused'
  | 'upstream-tls'
  | 'upstream-protocol'
  | 'closed'

export class GatewayError extends Error {
  readonly code: GatewayErrorCode
  /** SQLSTATE to show a client when this ends its login. */
  readonly sqlstate: string

  constructor(
    code: GatewayErrorCode,
    message: string,
    options: { cause?: unknown; sqlstate?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.sqlstate = options.sqlstate ?? '08006'
  }
}

/** A configuration file that cannot be used: every problem with its place. */
export class ConfigError extends GatewayError {
  readonly problems: readonly ConfigProblem[]

  constructor(path: string, problems: readonly ConfigProblem[]) {
    super('config', `${path}: ${problems.map(describeProblem).join('; ')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export interface ConfigProblem {
  /** 1-based; null when the problem has no one place. */
  readonly line: number | null
  readonly column: number | null
  /** Dotted path of the key. */
  readonly key: string
  readonly message: string
}

function describeProblem(problem: ConfigProblem): string {
  const place = problem.line === null ? '' : `line ${problem.line}: `
  return `${place}${problem.key === '' ? '' : `\`${problem.key}\` `}${problem.message}`
}
