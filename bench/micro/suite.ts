/**
 * Nanoseconds per operation, with tinybench. Its clock costs as much as many an operation here, so each of
 * its iterations does a batch of them.
 */
import { Bench } from 'tinybench'

const BATCH = 200
/** Milliseconds a case is run for, after as much warming up. */
const TIME_MS = Number(process.env['BENCH_MS'] ?? 300)

export interface Case {
  readonly name: string
  /** Called BATCH times with 0, 1, 2, ... and again. */
  readonly run: (i: number) => void
  /** Called after each batch. */
  readonly after?: () => void
}

/** Runs the cases and prints one line for each. */
export async function suite(title: string, cases: readonly Case[]): Promise<void> {
  const bench = new Bench({ time: TIME_MS, warmupTime: TIME_MS })
  for (const { name, run, after } of cases) {
    bench.add(name, () => {
      for (let i = 0; i < BATCH; i++) run(i)
      after?.()
    })
  }
  await bench.warmup()
  await bench.run()
  process.stdout.write(`${title}\n`)
  for (const task of bench.tasks) {
    const { result } = task
    if (result?.error !== undefined) throw result.error
    const nanos = ((result?.mean ?? Number.NaN) * 1e6) / BATCH
    const error = (result?.rme ?? Number.NaN).toFixed(1)
    process.stdout.write(`  ${task.name.padEnd(52)} ${format(nanos)} ns  ±${error} %\n`)
  }
}

const format = (nanos: number): string => nanos.toFixed(nanos < 100 ? 1 : 0).padStart(9)

export interface Comparison {
  readonly name: string
  readonly base: (i: number) => unknown
  readonly run: (i: number) => unknown
}

/** Turns of both, one after the other, so that whatever else the machine does falls on both. */
const TURNS = 40
const TURN_MS = 25

/** How many times as long as its base each takes: the median of the turns, with the quartiles. */
export function ratios(title: string, comparisons: readonly Comparison[]): void {
  process.stdout.write(`${title}\n`)
  for (const { name, base, run } of comparisons) {
    const found = Array.from({ length: TURNS * 2 }, () => perCall(run) / perCall(base))
      // The first half warms up.
      .slice(TURNS)
      .sort((a, b) => a - b)
    const at = (part: number): string => (found[Math.floor(part * TURNS)] ?? Number.NaN).toFixed(2)
    process.stdout.write(`  ${name.padEnd(52)} ${at(0.5)} times  (${at(0.25)} to ${at(0.75)})\n`)
  }
}

function perCall(run: (i: number) => unknown): number {
  const start = process.cpuUsage()
  const began = performance.now()
  let calls = 0
  while (performance.now() - began < TURN_MS) for (let i = 0; i < 10; i++) run(calls++)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / calls
}
