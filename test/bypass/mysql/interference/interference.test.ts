/** Statements nobody wrote, on MySQL and MariaDB: see `../../interference/interference.test.ts`. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onMysqlServers } from '../../../support/use-mysql.ts'
import { MASKED } from '../../identities.ts'
import { type MysqlWorld, openMysqlWorlds } from '../world.ts'
import { keepEstimates, MysqlComparison } from './compare.ts'
import { statements } from './language.ts'

const SEED = 20_261_123
const RUNS = 150

onMysqlServers('statements on %s', (flavour, server) => {
  let world: MysqlWorld
  beforeAll(async () => {
    world = await openMysqlWorlds(server)
    await keepEstimates(world)
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
  })

  // Hashes are of the values and differ with them.
  test.each(MASKED.filter((who) => who !== 'hashed'))(
    '%s',
    async (who) => {
      using comparison = await MysqlComparison.open(world, who)
      let accepted = 0
      await fc.assert(
        fc.asyncProperty(statements(flavour), async (statement) => {
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
})
