/**
 * A bound on the work of one analysis, counted in steps (nodes walked, columns and sources copied) rather
 * than time, so that the same text is refused everywhere. Analysis is synchronous: one count at a time.
 */
import { ANALYSIS_STEPS_MAX } from './limits.ts'

export class AnalysisTooComplex extends Error {
  readonly code = 'too-complex'
}

let left = ANALYSIS_STEPS_MAX

/** To be called before each text. */
export function resetBudget(): void {
  left = ANALYSIS_STEPS_MAX
}

/** Throws `AnalysisTooComplex` when the text has used up its steps. */
export function spend(steps: number): void {
  left -= steps
  if (left < 0) throw new AnalysisTooComplex(`analysis takes more than ${ANALYSIS_STEPS_MAX} steps`)
}
