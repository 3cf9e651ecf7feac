/**
 * Every cap of this package, with its unit and the reason for its value.
 * The README lists the same table; a new cap goes into both.
 */

/** Longest token looked at, bytes of ASCII. Entra tokens with 200 groups are about 10 KiB. */
export const TOKEN_BYTES_MAX = 16_384
/** Longest `kid`, UTF-16 units: it is matched against keys and may be quoted in a diagnostic. */
export const KEY_ID_CHARS_MAX = 256
/** Deepest nesting in a token's header or claims: they are walked and frozen. */
export const CLAIMS_DEPTH_MAX = 16
/** Most groups one principal may have (Entra stops at 200 in a JWT, Keycloak does not). */
export const GROUPS_MAX = 1_000
/** Longest subject, group, graph, node or run name, UTF-16 units. */
export const NAME_CHARS_MAX = 256
/** Most names in one narrowing list (connections, roles). */
export const NARROWING_NAMES_MAX = 64
/** Longest chain of exchanges behind one session token. */
export const EXCHANGE_DEPTH_MAX = 16

/** Whole time for one HTTP answer of an issuer, body included, milliseconds. */
export const FETCH_TIMEOUT_MS = 5_000
/** Largest discovery document or key set read, bytes. */
export const ISSUER_DOCUMENT_BYTES_MAX = 262_144
/** Most keys in one key set; more is a failed load. */
export const KEYS_MAX = 100
/** Most keys tried for a token without `kid` that fits several (each try is a signature check). */
export const KEYS_TRIED_MAX = 4
/** Age at which keys are fetched again while the old ones still serve, milliseconds. */
export const KEYS_REFRESH_MS = 300_000
/** Age past which a verification waits for fresh keys, milliseconds. */
export const KEYS_FRESH_MS_MAX = 900_000
/** Age past which last good keys of an issuer that does not answer are dropped, milliseconds. */
export const KEYS_STALE_MS_MAX = 14_400_000
/** Shortest time between two fetches asked for by an unknown `kid`, milliseconds. */
export const UNKNOWN_KEY_COOLDOWN_MS = 30_000
/** Shortest time between two fetches while an issuer fails, milliseconds. */
export const ISSUER_RETRY_MS = 5_000

/** Verified JWTs remembered, so that a reconnect costs no signature check. */
export const VERIFIED_TOKENS_MAX = 10_000
/** Records the in-memory session token store keeps; past it minting fails. */
export const MEMORY_TOKENS_MAX = 100_000
/** Entries the in-memory revocation store keeps; past it revoking fails. */
export const MEMORY_REVOCATIONS_MAX = 100_000
/** Live session tokens of one subject unless configured otherwise. */
export const LIVE_TOKENS_PER_SUBJECT_MAX = 1_000

/** Random bytes in a session token: 192 bits. */
export const SESSION_TOKEN_RANDOM_BYTES = 24
/** Longest clock skew that may be configured, seconds. */
export const CLOCK_SKEW_SECONDS_MAX = 300
/** Longest life of a session token that may be configured, seconds (24 hours). */
export const SESSION_LIFETIME_SECONDS_MAX = 86_400
