/**
 * What is wrong with a policy file, as data a person can act on. Loading never throws: `compilePolicy` returns
 * these. The one thrown error marks a broken promise inside this package.
 */

export type PolicyErrorCode =
  | 'too-large'
  | 'yaml'
  | 'schema'
  | 'value'
  | 'pattern'
  | 'condition'
  | 'regex'
  | 'duplicate'

export interface PolicyError {
  readonly code: PolicyErrorCode
  readonly path: string
  /** 1-based. */
  readonly line: number
  /** 1-based, in characters. */
  readonly column: number
  readonly message: string
  /** The key or word that was probably meant; null when nothing is near. */
  readonly suggestion: string | null
}

/** Thrown where a value outside a closed union turns up: a bug, never a policy author's mistake. */
export class PolicyBug extends Error {
  readonly code = 'unreachable'
}

export function assertNever(value: never): never {
  throw new PolicyBug(`unexpected value \`${JSON.stringify(value)}\``)
}

/** `path:line:column: message`, the form editors and terminals link. */
export function formatPolicyError(error: PolicyError): string {
  const hint = error.suggestion === null ? '' : ` (did you mean \`${error.suggestion}\`?)`
  return `${error.path}:${error.line}:${error.column}: ${error.message}${hint}`
}
