/** Why a catalog snapshot can't be had. Messages name the database's error code, not its text. */

export type CatalogErrorCode =
  /** No connection, or it broke. */
  | 'unreachable'
  /** The database refuses the catalog's credential (SQLSTATE 28xxx). */
  | 'credential-refused'
  /** More relations, columns or functions than the caps in limits.ts. */
  | 'too-large'
  /** The server is older than SERVER_VERSION_MIN. */
  | 'unsupported-server'
  /** A statement of the loader failed: time-out, lock time-out, or a catalog of another shape. */
  | 'query-failed'
  /** An earlier attempt failed a moment ago; the next one is not due yet. */
  | 'backing-off'
  | 'closed'

export class CatalogError extends Error {
  readonly code: CatalogErrorCode

  constructor(code: CatalogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CatalogError'
    this.code = code
  }
}
