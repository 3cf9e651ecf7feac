/**
 * The one error class of this package. Match on `code`, never on the message.
 */

export type AuditErrorCode =
  /** The log has failed, is closed, or holds too much unflushed: refuse the statement. */
  | 'unavailable'
  /** The event is not plain JSON data, or cannot be made to fit a record. Nothing was appended. */
  | 'invalid-event'
  /** Another process (or another log in this one) writes this directory. */
  | 'locked'
  /** What is on disk is not what this log wrote; it is not continued. Run verifyLog. */
  | 'corrupt'
  /** The directory holds a log but the signing key file does not exist. */
  | 'key-missing'
  /** The signing key file can be read by others, or is not an Ed25519 private key. */
  | 'key-unsafe'
  /** An option is out of range. */
  | 'invalid-option'
  /** A legal hold forbids it. */
  | 'on-hold'
  /** No such record, session or segment. */
  | 'not-found'
  /** The index does not exist or cannot be read. */
  | 'index-unavailable'

/** Thrown by everything in this package. The message names files and record numbers, never content. */
export class AuditError extends Error {
  readonly code: AuditErrorCode

  constructor(code: AuditErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AuditError'
    this.code = code
  }
}

/** The system error code (`ENOSPC`, `EIO`, …) of a failure, or `unknown`. */
export function systemCodeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'unknown'
}
