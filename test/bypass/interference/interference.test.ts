/**
 * Statements nobody wrote: what is accepted of them may not tell two worlds apart that differ in masked values
 * alone. `run.ts` beside this file does the same for as long as one likes, from any seed.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type {} from '../../support/global-setup.ts'
import { MASKED } from '../identities.ts'
import { openWorlds, type World } from '../world.ts'
import { Comparison } from './compare.ts'
import { statements } from './postgres-language.ts'

/** The same statements in every run: a new finding belongs into the corpus, not into somebody's next build. */
const SEED = 20_261_123
const RUNS = 500

let world: World

beforeAll(async () => {
  world = await openWorlds(inject('postgres'), { statistics: 'none' })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
})

// Hashes are of the values and differ with them.
test.each(MASKED.filter((who) => who !== 'hashed'))(
  '%s',
  async (who) => {
    using comparison = await Comparison.open(world, who)
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(statements(), async (statement) => {
        const outcome = await comparison.run(statement)
        if (outcome === 'same') accepted++
        expect(outcome, statement).not.toMatch(/^different$/)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    // A guard that refuses everything would pass.
    expect(accepted).toBeGreaterThan(RUNS / 10)
  },
  120_000,
)
