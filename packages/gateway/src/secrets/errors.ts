/**
 * Why a secret could not be had. Messages name the place a secret comes from, never anything that was
 * read there; a reference that is not understood may be a password itself and is not repeated.
 */

export type SecretErrorCode =
  /** Not `env:`, `file:`, `exec:` or `plain:`, or malformed after it. */
  | 'reference-invalid'
  | 'variable-missing'
  | 'file-unreadable'
  | 'command-failed'
  | 'command-timeout'
  /** More than SECRET_BYTES_MAX. */
  | 'secret-too-large'
  /** Empty, not UTF-8, or with a NUL in it: no database takes that as a password. */
  | 'secret-unusable'
  | 'aborted'

export class SecretError extends Error {
  readonly code: SecretErrorCode

  constructor(code: SecretErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SecretError'
    this.code = code
  }
}
