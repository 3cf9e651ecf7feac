/** Why a MySQL or MariaDB text is refused. */

/**
 * syntax: the server's grammar has no such statement. unsupported: it may have, but it is not read here.
 * too-large, too-complex: a cap of limits.ts. encoding: not text the server would read as it was decoded.
 */
export type SqlErrorCode = 'syntax' | 'unsupported' | 'too-large' | 'too-complex' | 'encoding'

export class SqlError extends Error {
  readonly code: SqlErrorCode
  /** Offset into the text, UTF-16 code units; null when it is about all of it. */
  readonly position: number | null

  constructor(code: SqlErrorCode, message: string, position: number | null) {
    super(message)
    this.name = 'SqlError'
    this.code = code
    this.position = position
  }
}
