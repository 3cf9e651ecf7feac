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
