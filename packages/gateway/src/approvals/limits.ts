/** Every cap of approvals, in one place. */

/** Approvals that are neither used nor over, in one gateway; more are refused. */
export const OPEN_APPROVALS_MAX = 10_000
/** Of one requester: an agent that loops does not bury everybody else's. */
export const OPEN_PER_SUBJECT_MAX = 50
/** Approvals that are over and still listed; older ones are in the audit log. */
export const CLOSED_KEPT_MAX = 1_000
/** People's decisions on one approval; every requirement together asks for fewer. */
export const DECISIONS_MAX = 64
/** Reason, comment, ticket: UTF-16 code units. */
export const WORDS_CHARS_MAX = 1_000
/** Statement and parameters kept for approvers to read, bytes of each; longer is refused, never cut. */
export const SHOWN_BYTES_MAX = 1_048_576
/** How often clocks are looked at, ms: an approval is recorded as expired this much late. */
export const SWEEP_MS = 500
/** Attempts to append when others append at the same time. */
export const APPEND_ATTEMPTS_MAX = 16
/** The longest `within` and `use-within` together: what a restart reads back, ms. */
export const LIFETIME_MS_MAX = 14 * 24 * 3_600_000
