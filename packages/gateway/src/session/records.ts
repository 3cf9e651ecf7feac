/** The recorder's answers as a protocol's relay takes them. */
import type { Decided } from './decisions.ts'
import type { StatementRecorder, Via } from './recorder.ts'
import { REPORTS, type Report } from './reports.ts'

export class Records<Refusal> {
  readonly #recorder: StatementRecorder
  readonly #refusal: (report: Report) => Refusal

  /** `refusal`: a report as the protocol says it. */
  constructor(recorder: StatementRecorder, refusal: (report: Report) => Refusal) {
    this.#recorder = recorder
    this.#refusal = refusal
  }

  /** The record's number, or why nothing may run. */
  statement(
    via: Via,
    decided: Decided,
    text: string,
    parameters?: readonly (string | null)[],
  ): number | Refusal {
    const seq = this.#recorder.statement(via, decided, text, parameters)
    return seq ?? this.#refusal(REPORTS.auditUnavailable)
  }

  /** Refuses what policy would let pass, and records it. `text`: null where it is no text. */
  refuse(via: Via, text: string | null, code: string, report: Report): Refusal {
    this.#recorder.refused(via, text ?? '', { code, reason: report.message })
    return this.#refusal(report)
  }
}
