/** Caps of the secret providers. */

/** Largest secret, bytes: room for a certificate chain or a service account's key. */
export const SECRET_BYTES_MAX = 65_536
/** How long a command may take to print a secret, milliseconds. */
export const EXEC_MS_MAX = 10_000
/** How long a command's secret is used before it runs again, milliseconds. */
export const EXEC_TTL_MS = 300_000
/** Two forced re-reads of one reference are at least this far apart, milliseconds. */
export const INVALIDATE_INTERVAL_MS = 5_000
/** References remembered at once; the oldest goes first. */
export const REFERENCES_MAX = 1_000
