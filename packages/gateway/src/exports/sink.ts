/** Where an export goes. */
import type { AuditRecord } from '@sallyport/audit'

export interface Message {
  readonly record: AuditRecord
  /** The record in the export's format: one line of JSON, without newline. */
  readonly line: string
}

export interface Sink {
  /** What people call it. */
  readonly name: string
  /** Resolves when the receiver has them all; rejects when it is not known to. May be called again then. */
  send(messages: readonly Message[]): Promise<void>
  close(): void
}
