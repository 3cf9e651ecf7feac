/**
 * What can be recorded: plain data of its own version, owing nothing to any other package's types.
 *
 * Redaction contract: this package writes what it is given. Whoever builds an event has already removed
 * passwords, tokens and the values of protected columns; `tokenId` is a public identifier or a hash.
 *
 * A field once published keeps its meaning. A new meaning is a new `type` or a higher `v`; old records
 * stay verifiable because verification hashes lines and never interprets events.
 */

/** A field the log shortened because it was over its cap. Set by the log, not by the caller. */
export type Cut = {
  readonly field: string
  /** UTF-8 length of the original: of the text, or of the canonical JSON of a list or map. */
  readonly bytes: number
  /** SHA-256 of those bytes, hex. */
  readonly sha256: string
}

type Base<T extends string> = {
  readonly type: T
  readonly v: 1
  readonly cut?: readonly Cut[]
}

/** What a signed head says: this log had exactly these records. See heads.ts for the signed bytes. */
export type SignedHead = HeadBody & (HeadLink | { readonly v: 1 })

type HeadBody = {
  /** Time of the last record covered, milliseconds since 1970. */
  readonly at: number
  readonly segment: number
  /** Sequence number of the last record covered. */
  readonly seq: number
  /** Hash of that record, hex: commits to every record before it. */
  readonly head: string
  /** Records of this segment covered, and their RFC 6962 Merkle root, hex. */
  readonly records: number
  readonly root: string
  readonly keyId: string
  /** Ed25519, base64url. */
  readonly signature: string
}

/** Version 1 has no link: a head of those could go unnoticed. */
export type HeadLink = {
  readonly v: 2
  /** Linked heads that heads.jsonl had got before this one, since the log began. */
  readonly heads: number
  /** Hash (leafHash) of the newest line it had got, hex; zeros: there was none. */
  readonly previous: string
}

/** A signing key vouches for the next one. See key-changes.ts for the signed bytes. */
export type KeyChange = {
  readonly v: 1
  readonly at: number
  /** Number of the record that says so: heads over later records are the new key's. */
  readonly seq: number
  /** Key ids. */
  readonly from: string
  readonly to: string
  /** The new public key, SPKI, DER, base64url. */
  readonly publicKey: string
  /** Ed25519 of the old key, base64url. */
  readonly signature: string
}

/** What stands in a removed segment's place. See retention/tombstone.ts for the signed bytes. */
export type Tombstone = {
  readonly v: 1
  /** When the segment was removed, and the number of the record that says so. */
  readonly at: number
  readonly seq: number
  readonly segment: number
  /** Its first record: number, time, hash, and the hash of the record in front of it, hex. */
  readonly first: {
    readonly seq: number
    readonly at: number
    readonly hash: string
    readonly prev: string
  }
  /** Its last record, the line itself: the footer, with a signed head over every record before. */
  readonly footer: string
  /** The policy by which it was removed: records are kept so many days. */
  readonly keepDays: number
  /** The policy that its last record stands under: what a removed `log-started` said. Null: none. */
  readonly keepDaysBehind: number | null
  readonly by: string
  readonly keyId: string
  /** Ed25519, base64url. */
  readonly signature: string
}

// The log about itself.

export type LogStarted = Base<'log-started'> & {
  readonly keyId: string
  /** Records older than this may be removed while this run lasts; absent: none may. */
  readonly keepDays?: number
  /** How the run before this one ended. */
  readonly previous: 'none' | 'stopped' | 'killed'
}
export type LogStopped = Base<'log-stopped'>
/** At start, bytes after the last whole record were dropped: the process died inside a write. */
export type LogRecovered = Base<'log-recovered'> & {
  readonly segment: number
  readonly offset: number
  readonly bytes: number
  /** SHA-256 of the dropped bytes, hex. */
  readonly sha256: string
}
/** The log could not be written for a while and refused everything; it works again. */
export type LogFailed = Base<'log-failed'> & {
  /** System error code, as ENOSPC. */
  readonly code: string
  readonly since: number
  /** Appends refused meanwhile: statements that were not executed, outcomes that were not recorded. */
  readonly refused: number
}
export type ClockStepped = Base<'clock-stepped'> & {
  /** What the clock says; records keep the time of the record before until it catches up. */
  readonly wall: number
}
export type SegmentClosed = Base<'segment-closed'> & { readonly head: SignedHead }
export type KeyRotated = Base<'key-rotated'> & { readonly change: KeyChange }
/** A segment past its time is removed; what is left of it is the tombstone. */
export type SegmentRemoved = Base<'segment-removed'> & { readonly tombstone: Tombstone }
export type AnchorFailed = Base<'anchor-failed'> & { readonly seq: number; readonly code: string }
/** An export stands still: its receiver does not take records. They are sent when it does. */
export type ExportFailed = Base<'export-failed'> & { readonly name: string; readonly code: string }
/** Someone read or searched the trail. */
export type TrailRead = Base<'trail-read'> & {
  readonly actor: string
  readonly action: string
  readonly query: string
}

// Configuration.

export type PolicyLoaded = Base<'policy-loaded'> & {
  readonly version: string
  readonly files: readonly string[]
  readonly rules: number
  readonly masks: number
}
/** A policy was offered and not taken; the one before stays in force. */
export type PolicyRejected = Base<'policy-rejected'> & { readonly reason: string }
export type ConfigLoaded = Base<'config-loaded'> & { readonly version: string }

// Sessions. `session` is the gateway's session id; it is chosen once and never reused.

export type ConnectionOpened = Base<'connection-opened'> & {
  readonly session: string
  /** Client address as `ip:port`, or `unix`. */
  readonly client: string
  readonly listener: string
  readonly tls: { readonly version: string; readonly cipher: string } | null
}
export type Authentication = Base<'authentication'> & {
  readonly session: string
  readonly outcome: 'ok' | 'refused'
  /** Why: a stable code of the authenticator; `ok` when accepted. */
  readonly code: string
  readonly subject?: string
  readonly issuer?: string
  readonly tokenId?: string
  readonly role?: string
  /** Configured connection asked for. */
  readonly connection: string
  /** What the client calls itself: asserted, never proven. */
  readonly applicationName?: string
}
export type SessionStarted = Base<'session-started'> & {
  readonly session: string
  readonly subject: string
  readonly kind: 'human' | 'machine'
  readonly groups: readonly string[]
  readonly role: string
  readonly connection: string
  readonly database: string
  /** Verified by the token; absent when it carries none. */
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly upstreamUser: string
  readonly serverVersion: string
}
export type Cancel = Base<'cancel'> & {
  readonly session: string
  readonly source: 'client' | 'operator' | 'deadline' | 'revocation' | 'gateway'
  /** Subject of the operator. */
  readonly by?: string
  /** Log sequence number of the statement, when one was running. */
  readonly statement?: number
}
export type SessionEnded = Base<'session-ended'> & {
  readonly session: string
  readonly reason: string
}

// Recordings: what a session's client was shown; the log proves them by their hash.

export type RecordingSealed = Base<'recording-sealed'> & {
  readonly session: string
  /** The recording's first `bytes` bytes have this SHA-256, hex. */
  readonly bytes: number
  readonly sha256: string
  /** The session has ended: the recording has no more. */
  readonly final: boolean
}

/** A recording, or the key without which it says nothing, was destroyed. */
export type RecordingErased = Base<'recording-erased'> & {
  readonly session: string
  readonly what: 'recording' | 'key'
  readonly by: string
  readonly reason: string
}
/** Data keys of so many recordings are wrapped by another key from here on, `to` being its id. */
export type RecordingsRewrapped = Base<'recordings-rewrapped'> & {
  readonly to: string
  readonly recordings: number
  readonly by: string
}
/** Nothing of what it names is to be destroyed while it stands, whatever its age. */
export type LegalHold = Base<'legal-hold'> & {
  /** It names one of these: a session, whatever a subject did, or whatever happened from one time to another. */
  readonly session?: string
  readonly subject?: string
  /** First and first-no-longer-included time, milliseconds since 1970. */
  readonly time?: { readonly since: number; readonly until: number }
  readonly state: 'placed' | 'lifted'
  readonly by: string
  readonly reason: string
}

// Statements: two records each, so both have hand-written encoders (record-writer.ts).

export type RelationAccess = {
  readonly access: 'read' | 'write' | 'define' | 'lock'
  /** `schema.relation`, or the bare name when it was not resolved. */
  readonly name: string
}
/** Written and flushed before the first byte of the statement is forwarded. */
export type Statement = Base<'statement'> & {
  readonly session: string
  /** Which statement of the session, from 1. */
  readonly ordinal: number
  readonly via: 'simple' | 'parse' | 'bind' | 'execute' | 'copy' | 'function'
  /** Text as received, already redacted where policy asks. */
  readonly sql: string
  readonly fingerprint?: string
  readonly verdict: 'allow' | 'deny' | 'approve'
  /** The deciding rule; null when none matched (which is a deny). */
  readonly rule: string | null
  readonly code?: string
  readonly reason?: string
  readonly relations: readonly RelationAccess[]
  readonly effects: readonly string[]
  /** Masked base columns, `schema.relation.column`. */
  readonly masks: readonly string[]
  /** Bound values as text, only where policy records them; null is SQL NULL. */
  readonly parameters?: readonly (string | null)[]
  /** Tags of a sqlcommenter comment: asserted, never proven. */
  readonly tags?: Readonly<Record<string, string>>
  /**
   * What was left out of the text and the parameters, where it could be a protected value: comments, or comments and
   * every literal and bound value (`…` stands for each). Absent: nothing was.
   */
  readonly withheld?: 'comments' | 'values'
}
export type Outcome = Base<'outcome'> & {
  readonly session: string
  /** Log sequence number of the statement's record. */
  readonly statement: number
  readonly status: 'ok' | 'error' | 'cancelled' | 'refused'
  readonly rows: number
  /** Bytes sent to the client for this statement. */
  readonly bytes: number
  readonly micros: number
  readonly sqlstate?: string
  readonly commandTag?: string
}

/**
 * A statement that waits for approval is run and rolled back, so that approvers see what it would do. Written and
 * flushed before that.
 */
export type StatementPreviewed = Base<'statement-previewed'> & {
  readonly session: string
  /** Log sequence number of the statement's record. */
  readonly statement: number
  /** What an approval of it is bound to: see ApprovalRequested. */
  readonly binding: string
}

// Tokens.

export type TokenMinted = Base<'token-minted'> & {
  readonly tokenId: string
  readonly subject: string
  readonly expiresAt: number
  readonly connection?: string
  readonly graph?: string
  readonly node?: string
  readonly run?: string
}
export type TokenRevoked = Base<'token-revoked'> & {
  readonly tokenId: string
  readonly by: string
  readonly reason: string
}
// Approvals. An approval's state is the fold of its events: AuditReader.search({ about }).

/** Who may decide, as one rule says; every rule of an approval must be satisfied. */
export type ApproversNeeded = {
  readonly groups: readonly string[]
  readonly subjects: readonly string[]
  /** Distinct people. */
  readonly count: number
  /** Regular expression for all of the ticket they name; null: none is asked for. */
  readonly ticket: string | null
}
export type ApprovalRequested = Base<'approval-requested'> & {
  readonly approval: string
  /** What is asked for: to run a statement, to send more of a result, or a role for a time. */
  readonly what: 'statement' | 'result' | 'grant'
  /** `hold`: a session waits for it; `return`: the statement was refused and may be sent again. */
  readonly mode: 'hold' | 'return'
  /** Empty for what was not asked on a session. */
  readonly session: string
  /** Log sequence number of the held statement's record; 0 where there is none. */
  readonly statement: number
  readonly subject: string
  readonly issuer: string
  readonly connection: string
  readonly database: string
  readonly role: string
  readonly graph?: string
  readonly node?: string
  readonly run?: string
  readonly rule: string
  /** SHA-256, hex, of everything the approval is bound to. */
  readonly binding: string
  readonly approvers: readonly ApproversNeeded[]
  /** A decision comes before this, milliseconds since 1970. */
  readonly decideBy: number
  /** From the approval on, how long it may be used, milliseconds. */
  readonly useMs: number
  /** Why, in the requester's words. */
  readonly reason?: string
  /** A preview was asked for: how many rows it changed before it was rolled back, or why there is none. */
  readonly preview?: { readonly affected: number } | { readonly none: string }
  /** For a grant: the role, and how long it is held from its beginning, milliseconds. */
  readonly grant?: {
    readonly role: string
    readonly forMs: number
    /** Taken at once by a named responder, to be reviewed afterwards. */
    readonly breakGlass: boolean
  }
}
export type ApprovalDecided = Base<'approval-decided'> & {
  readonly approval: string
  readonly by: string
  readonly issuer: string
  readonly kind: 'human' | 'machine'
  /** Groups of the decider that the approval asks for. */
  readonly groups: readonly string[]
  readonly decision: 'approve' | 'deny'
  /** Why, in the decider's words; the requester reads it. */
  readonly reason: string
  readonly ticket?: string
}
export type ApprovalClosed = Base<'approval-closed'> & {
  readonly approval: string
  /** A denial closes by itself. */
  readonly outcome: 'used' | 'expired' | 'cancelled'
  /** Used: the binding of what ran. */
  readonly binding?: string
  /** Cancelled: why. */
  readonly reason?: string
}

/** A grant ended before its time. */
export type GrantEnded = Base<'grant-ended'> & {
  readonly approval: string
  readonly by: string
  readonly reason: string
}

export type AuditEvent =
  | LogStarted
  | LogStopped
  | LogRecovered
  | LogFailed
  | ClockStepped
  | SegmentClosed
  | KeyRotated
  | SegmentRemoved
  | AnchorFailed
  | ExportFailed
  | TrailRead
  | PolicyLoaded
  | PolicyRejected
  | ConfigLoaded
  | ConnectionOpened
  | Authentication
  | SessionStarted
  | Cancel
  | SessionEnded
  | RecordingSealed
  | RecordingErased
  | RecordingsRewrapped
  | LegalHold
  | Statement
  | Outcome
  | StatementPreviewed
  | TokenMinted
  | TokenRevoked
  | ApprovalRequested
  | ApprovalDecided
  | ApprovalClosed
  | GrantEnded

/** An event as read back: it may be of a later release, so only `type` and `v` are known. */
export type StoredEvent = {
  readonly type: string
  readonly v: number
  readonly [field: string]: unknown
}

const TYPES: Readonly<Record<AuditEvent['type'], true>> = {
  'log-started': true,
  'log-stopped': true,
  'log-recovered': true,
  'log-failed': true,
  'clock-stepped': true,
  'segment-closed': true,
  'key-rotated': true,
  'segment-removed': true,
  'anchor-failed': true,
  'export-failed': true,
  'trail-read': true,
  'policy-loaded': true,
  'policy-rejected': true,
  'config-loaded': true,
  'connection-opened': true,
  authentication: true,
  'session-started': true,
  cancel: true,
  'session-ended': true,
  'recording-sealed': true,
  'recording-erased': true,
  'recordings-rewrapped': true,
  'legal-hold': true,
  statement: true,
  outcome: true,
  'statement-previewed': true,
  'token-minted': true,
  'token-revoked': true,
  'approval-requested': true,
  'approval-decided': true,
  'approval-closed': true,
  'grant-ended': true,
}

/**
 * Whether a stored event is of a type and version this release writes. Its fields are then those of
 * AuditEvent provided the chain verifies: only a log writes records, and it writes typed events.
 */
export function isKnownEvent(event: StoredEvent): event is AuditEvent & StoredEvent {
  return event.v === 1 && Object.hasOwn(TYPES, event.type)
}
