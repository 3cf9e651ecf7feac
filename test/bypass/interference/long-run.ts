/** Generated statements for as long as one likes, from any seed; what tells the worlds apart is printed. */
import fc, { type Arbitrary } from 'fast-check'
import type { Outcome } from './compare.ts'

const BATCH = 250
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
    'other plan': 0,
    different: 0,
  }
  for (let done = 0, batch = 0; done < Number(total); done += BATCH, batch++) {
    using comparison = await open(batch)
    for (const statement of fc.sample(statements(), { numRuns: BATCH, seed: seed + batch })) {
      const outcome = await comparison.run(statement)
      counts[outcome]++
      if (outcome === 'different' && counts.different <= SHOWN_MAX)
        console.log(`DIFFERENT ${statement}`)
    }
    if (batch % 8 === 7) console.log(`${done + BATCH} ${JSON.stringify(counts)}`)
  }
  console.log(`seed ${seed}: ${JSON.stringify(counts)}`)
  process.exitCode = counts.different === 0 ? 0 : 1
}
