/** The public names of @sallyport/audit. */

export { AuditError, type AuditErrorCode } from './errors.ts'
export {
  type ApprovalClosed,
  type ApprovalDecided,
  type ApprovalRequested,
  type AuditEvent,
  type Authentication,
  type Cancel,
  type ConnectionOpened,
  type Cut,
  isKnownEvent,
  type Outcome,
  type RelationAccess,
  type SessionEnded,
  type SessionStarted,
  type SignedHead,
  type Statement,
  type StoredEvent,
} from './event.ts'
export { type Anchor, anchorToFile } from './heads.ts'
export { rebuildIndex, updateIndex } from './indexer.ts'
export { generateSigningKey } from './keys.ts'
export { type AuditLog, type AuditLogOptions, openAuditLog } from './log.ts'
export {
  type AuditReader,
  openAuditReader,
  type Page,
  type SessionSummary,
} from './reader.ts'
export type { AuditRecord } from './record.ts'
export type { SearchQuery, SessionsQuery } from './search.ts'
