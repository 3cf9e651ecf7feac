/** Samples → summary → table and JSON. */
import type { Machine } from './machine.ts'
import type { Options, TargetName } from './options.ts'
import { median, medianRatio } from './statistics.ts'
import type { Target } from './targets/target.ts'
import type { Sample, Workload } from './workloads/workload.ts'

/** Of the shape below; raised when a reader of old results would misread new ones. */
const FORMAT = 1

/** One measurement that took place. */
export interface Measured {
  readonly workload: string
  readonly target: TargetName
  readonly round: number
  readonly sample: Sample
}

/** One that did not. */
export interface Failed {
  readonly workload: string
  readonly target: TargetName
  readonly round: number
  readonly message: string
}

export interface Row {
  readonly workload: string
  readonly target: TargetName
  readonly unit: string
  readonly better: Workload['better']
  readonly operation: string
  readonly rounds: number
  /** Median over the rounds; of memory the most: a process that has grown once has room the next time. */
  readonly value: number
  /** Medians of the ratios within each round: above 1 is more of the unit than the other target. */
  readonly toDirect: number | null
  readonly toPgbouncer: number | null
  /** What recording costs, where a target records. */
  readonly toGateway: number | null
  /** Median CPU microseconds of an operation: all threads, main thread. */
  readonly cpuAll: number | null
  readonly cpuMain: number | null
  readonly p50: number | null
}

export interface Result {
  readonly format: typeof FORMAT
  readonly finishedAt: string
  readonly command: string
  readonly options: Options
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly absent: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
  readonly samples: readonly Measured[]
  readonly failures: readonly Failed[]
}

export function summarise(
  workloads: readonly Workload[],
  targets: readonly Target[],
  samples: readonly Measured[],
): Row[] {
  return workloads.flatMap(({ name, unit, better, operation }) => {
    const of = (target: TargetName): Sample[] => {
      // By round, with holes where one is missing.
      const found: Sample[] = []
      for (const one of samples) {
        if (one.workload === name && one.target === target) found[one.round] = one.sample
      }
      return found
    }
    const values = (target: TargetName): (number | undefined)[] =>
      Array.from(of(target), (sample: Sample | undefined) => sample?.value)
    return targets.flatMap(({ name: target }) => {
      const own = of(target).filter(Boolean)
      if (own.length === 0) return []
      return {
        workload: name,
        target,
        unit,
        better,
        operation,
        rounds: own.length,
        value: (better === 'lower' ? largest : median)(own.map((sample) => sample.value)),
        toDirect: medianRatio(values(target), values('direct')),
        toPgbouncer: medianRatio(values(target), values('pgbouncer')),
        toGateway: medianRatio(values(target), values('gateway')),
        cpuAll: medianOf(own.map((sample) => sample.cpu?.all)),
        cpuMain: medianOf(own.map((sample) => sample.cpu?.main)),
        p50: medianOf(own.map((sample) => sample.p50 ?? undefined)),
      }
    })
  })
}

const largest = (values: readonly number[]): number => Math.max(...values)

function medianOf(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? null : median(known)
}

export function resultOf(parts: Omit<Result, 'format' | 'finishedAt'>): Result {
  return { format: FORMAT, finishedAt: new Date().toISOString(), ...parts }
}

const HEAD = [
  'workload',
  'target',
  'median or most',
  '/direct',
  '/pgbouncer',
  '/gateway',
  'CPU µs/op (main)',
  'p50 µs',
] as const

/** For a terminal; numbers to the right. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row, i) => [
    rows[i - 1]?.workload === row.workload ? '' : row.workload,
    row.target,
    `${digits(row.value)} ${row.unit}`,
    ratio(row.toDirect),
    ratio(row.toPgbouncer),
    ratio(row.toGateway),
    row.cpuAll === null ? '' : `${digits(row.cpuAll)} (${digits(row.cpuMain ?? 0)})`,
    row.p50 === null ? '' : digits(row.p50),
  ])
  const all = [[...HEAD], ...lines]
  const widths = HEAD.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)))
  return all
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return column < 2 ? cell.padEnd(width) : cell.padStart(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const ratio = (value: number | null): string => (value === null ? '' : value.toFixed(2))

function digits(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}
