/** Records as a receiver wants them: as recorded, ECS or OCSF; one JSON object each, records in order. */

import type { AuditRecord } from '../record.ts'
import { ecsOf } from './ecs.ts'
import { ocsfOf } from './ocsf.ts'
import { SessionContexts } from './session-context.ts'

export const EXPORT_FORMATS = ['jsonl', 'ecs', 'ocsf'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export class Exported {
  readonly #format: ExportFormat
  readonly #sessions = new SessionContexts()

  constructor(format: ExportFormat) {
    this.#format = format
  }

  /** Learns from a record that is not sent: what was sent before a restart. */
  pass(record: AuditRecord): void {
    this.#sessions.note(record)
  }

  /** A line of JSON, without newline. */
  line(record: AuditRecord): string {
    const context = this.#sessions.note(record)
    switch (this.#format) {
      case 'jsonl':
        return JSON.stringify(record)
      case 'ecs':
        return JSON.stringify(ecsOf(record, context))
      case 'ocsf':
        return JSON.stringify(ocsfOf(record, context))
    }
  }
}
