/** The public names of @sallyport/audit. */

export {
  anchorToAll,
  anchorToStore,
  anchorToWebhook,
  type ObjectStore,
} from './anchors.ts'
export { askDesk } from './desk/ask.ts'
export {
  DESK_CHARS_MAX,
  type DeskAnswer,
  type DeskRequest,
  deskPath,
  type HoldTarget,
} from './desk/contract.ts'
export { AuditError, type AuditErrorCode } from './errors.ts'
export {
  type ApprovalClosed,
  type ApprovalDecided,
  type ApprovalRequested,
  type ApproversNeeded,
  type AuditEvent,
  type Authentication,
  type Cancel,
  type ConnectionOpened,
  type Cut,
  type GrantEnded,
  isKnownEvent,
  type KeyChange,
  type LegalHold,
  type Outcome,
  type RecordingErased,
  type RecordingSealed,
  type RelationAccess,
  type SegmentRemoved,
  type SessionEnded,
  type SessionStarted,
  type SignedHead,
  type Statement,
  type StatementPreviewed,
  type StoredEvent,
  type Tombstone,
} from './event.ts'
export { EXPORT_FORMATS, Exported, type ExportFormat } from './export/formats.ts'
export type { Finding, FindingCode } from './findings.ts'
export { type FollowedRecord, type LogPosition, recordsFrom } from './follow.ts'
export { type Anchor, anchorToFile } from './heads.ts'
export { rebuildIndex, updateIndex } from './index/indexer.ts'
export type { SharedDatabase } from './index/postgres-pool.ts'
export {
  type AuditReader,
  type FoundRecord,
  openAuditReader,
  openSharedReader,
  type Page,
} from './index/reader.ts'
export {
  SEARCH_FIELDS,
  type SearchField,
  type SearchQuery,
  type SessionsQuery,
} from './index/search.ts'
export type { RemovedRecords, SessionSummary } from './index/store.ts'
export type { SharedIndex } from './index/worker.ts'
export { generateSigningKey } from './keys.ts'
export type { AuditLog } from './log.ts'
export { openAuditLog } from './open.ts'
export type { AuditLogOptions, SyncPolicy } from './options.ts'
export {
  checkInclusion,
  type InclusionCheck,
  type InclusionProof,
  inclusionProof,
  isInclusionProof,
} from './proof.ts'
export type { AuditRecord } from './record.ts'
export type { RecordingFrame, RecordingOpen, ResultShape } from './recording/frames.ts'
export { type WrappingKey, wrappingKey } from './recording/keys.ts'
export {
  type ReadRecordingOptions,
  readRecording,
  recordingKeyPath,
  recordingPath,
} from './recording/recording-file.ts'
export {
  Recordings,
  type RecordingsOptions,
  type SessionRecording,
} from './recording/recordings.ts'
export {
  type Erasure,
  type Expiry,
  eraseRecording,
  expireRecordings,
} from './recording/retention.ts'
export { type Rewrapped, type Rewrapping, rewrapRecordings } from './recording/rewrap.ts'
export type { Removed } from './retention/check.ts'
export type { Due, Reason } from './retention/plan.ts'
export { type Pruned, type Pruning, pruneLog } from './retention/prune.ts'
export { type StatementFields, StatementForm } from './statement-form.ts'
export { type Unproven, type VerifyOptions, type VerifyReport, verifyLog } from './verify.ts'
