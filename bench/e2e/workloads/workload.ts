/** One kind of work, run against one target at a time. */
import type { Site, Target } from '../targets/target.ts'

export interface Sample {
  /** In the workload's unit. */
  readonly value: number
  /** CPU time of the target's process per operation, microseconds; null: not known. */
  readonly cpu: { readonly all: number; readonly main: number } | null
  /** Median time of an operation, microseconds; null: not measured. */
  readonly p50: number | null
}

export interface Workload {
  readonly name: string
  readonly unit: string
  /** An operation, for the CPU time of one. */
  readonly operation: string
  readonly better: 'higher' | 'lower'
  /** Why it is not run against this target; null: it is. */
  unfit(target: Target): string | null
  run(target: Target, site: Site): Promise<Sample>
}
