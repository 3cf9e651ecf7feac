/** The recorder's answers as the relay takes them. */
import type { Refusal } from '@sallyport/protocol-mysql'
import type { Decided } from '../decisions.ts'
import type { StatementRecorder, Via } from '../recorder.ts'
import { REPORTS, type Report } from '../reports.ts'
import { refusal } from './refusals.ts'

export class Records {
  readonly #recorder: StatementRecorder

  constructor(recorder: StatementRecorder) {
    this.#recorder = recorder
  }

  /** The record's number, or why nothing may run. */
  statement(
    via: Via,
    decided: Decided,
    text: string,
    parameters?: readonly (string | null)[],
  ): number | Refusal {
    const seq = this.#recorder.statement(via, decided, text, parameters)
    return seq ?? refusal(REPORTS.auditUnavailable)
  }

  /** Refuses what policy would let pass, and records it. */
  refuse(via: Via, text: string | null, code: string, report: Report): Refusal {
    this.#recorder.refused(via, text ?? '', { code, reason: report.message })
    return refusal(report)
  }
}
