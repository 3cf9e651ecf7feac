/**
 * Generated statements for as long as one likes, from any seed; what tells the worlds apart is printed. Several
 * batches run at once, in sessions of their own.
 */
import fc, { type Arbitrary } from 'fast-check'
import { CHANGES, type Outcome } from './compare.ts'

const BATCH = 250
const LANES = 4
const SHOWN_MAX = 40

export interface LongRun {
  readonly statements: () => Arbitrary<string>
  /** Sessions of both worlds, under masks that the batch's number picks. */
  readonly open: (
    batch: number,
  ) => Promise<Disposable & { run(statement: string): Promise<Outcome> }>
}

/** `[statements] [seed]`. The process fails where one told the worlds apart. */
export async function runLong(
  [total = '10000', given]: readonly string[],
  { statements, open }: LongRun,
): Promise<void> {
  const seed = Number(given ?? Date.now() % 1_000_000)
  const counts: Record<Outcome, number> = {
    refused: 0,
    failed: 0,
    same: 0,
    'same rows': 0,
    different: 0,
    unsteady: 0,
  }
  const oneChangeAtATime = turns()
  const runBatch = async (batch: number): Promise<void> => {
    using comparison = await open(batch)
    for (const statement of fc.sample(statements(), { numRuns: BATCH, seed: seed + batch })) {
      // What protected values make different is so every time; what the moment made is not.
      const run = async () => {
        const outcome = await comparison.run(statement)
        if (outcome !== 'different') return outcome
        return (await comparison.run(statement)) === 'different' ? outcome : 'unsteady'
      }
      const outcome = await (CHANGES.test(statement) ? oneChangeAtATime(run) : run())
      counts[outcome]++
      if (outcome === 'unsteady' || (outcome === 'different' && counts.different <= SHOWN_MAX))
        console.log(`${outcome.toUpperCase()} ${seed + batch} ${statement}`)
    }
    if (batch % 8 === 7) console.log(`batch ${batch + 1}: ${JSON.stringify(counts)}`)
  }
  const batches = Math.ceil(Number(total) / BATCH)
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < batches) await runBatch(next++)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  console.log(`seed ${seed}: ${JSON.stringify(counts)}`)
  process.exitCode = counts.different === 0 ? 0 : 1
}

/** Locks of one lane would make statements of another wait, or fail. */
function turns(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (run) => {
    const mine = last.then(run)
    last = mine.catch(() => undefined)
    return mine
  }
}
