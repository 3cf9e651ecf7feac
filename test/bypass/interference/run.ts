/**
 * The long run: `node test/bypass/interference/run.ts [statements] [seed]`. Says how many statements were
 * generated, accepted and refused, and lists those that told the worlds apart.
 */
import fc from 'fast-check'
import { startPostgres } from '../../support/servers.ts'
import { MASKED } from '../identities.ts'
import { openWorlds } from '../world.ts'
import { Comparison, type Outcome } from './compare.ts'
import { statements } from './grammar.ts'

const total = Number(process.argv[2] ?? 10_000)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const BATCH = 500
const SHOWN_MAX = 40

await using server = await startPostgres()
await using world = await openWorlds(server)
const counts: Record<Outcome, number> = {
  refused: 0,
  failed: 0,
  same: 0,
  'same rows': 0,
  different: 0,
}
const masks = MASKED.filter((who) => who !== 'hashed')
for (let done = 0, batch = 0; done < total; done += BATCH, batch++) {
  using comparison = await Comparison.open(world, masks[batch % masks.length] ?? 'redacted')
  for (const statement of fc.sample(statements(), { numRuns: BATCH, seed: seed + batch })) {
    const outcome = await comparison.run(statement)
    counts[outcome]++
    if (outcome === 'different' && counts.different <= SHOWN_MAX)
      console.log(`DIFFERENT ${statement}`)
  }
  if (batch % 20 === 19) console.log(`${done + BATCH} ${JSON.stringify(counts)}`)
}
console.log(`seed ${seed}: ${JSON.stringify(counts)}`)
process.exitCode = counts.different === 0 ? 0 : 1
