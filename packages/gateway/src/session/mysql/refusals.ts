/** Refusals as the relay takes them: an ERR packet each. */
import type { Refusal } from '@sallyport/protocol-mysql'
import { type Report, refusalReport } from '../reports.ts'
import { errorPayloadOf } from './errors.ts'

export function refusal(report: Report): Refusal {
  return { kind: 'refusal', error: errorPayloadOf(report) }
}

/** `position`: of a syntax error in the text, counted from 1; null: none. `offer`: see refusalReport. */
export function refusalOf(
  verdict: Parameters<typeof refusalReport>[0],
  position: number | null,
  offer = '',
): Refusal {
  return refusal(refusalReport(verdict, position, offer))
}
