/**
 * Every attack on MySQL and MariaDB by principals whose every right is granted and whose columns are masked, in
 * two worlds that differ in protected values alone: see `../attacks.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onMysqlServers } from '../../support/use-mysql.ts'
import { Attacker, type Leak } from '../campaign.ts'
import { type Identity, MASKED } from '../identities.ts'
import { attackOf } from './attack-list.ts'
import { WRITTEN } from './attacks/index.ts'
import { renewed } from './attacks/writes.ts'
import { type Attack, mysqlArena, WAYS, type Way } from './run-attack.ts'
import { type MysqlWorld, openMysqlWorlds } from './world.ts'

/** In these the other ways and identities matter; MariaDB 10.11 does not survive a cursor over DELETE … RETURNING. */
const READING = new Set(['columns by any name', 'shapes of queries', 'expressions'])

onMysqlServers('attacks on %s', (flavour, server) => {
  let world: MysqlWorld
  let attacker: Attacker<Attack, Way>
  let contents: unknown

  beforeAll(async () => {
    world = await openMysqlWorlds(server)
    attacker = new Attacker(mysqlArena(world))
    contents = await world.contents('a')
  })
  afterAll(async () => {
    attacker?.close()
    await world?.[Symbol.asyncDispose]()
  })

  const attacksOf = (category: string): readonly Attack[] =>
    (WRITTEN[category] ?? [])
      .map(attackOf)
      .filter(({ only }) => only === undefined || only === flavour)

  async function told(
    category: string,
    options: { readonly who: Identity; readonly way: Way },
  ): Promise<readonly Leak<Attack, Way>[]> {
    const { leaks } = await attacker.campaign(attacksOf(category), options)
    return leaks
  }

  describe.each(Object.keys(WRITTEN))('%s', (category) => {
    test.each(WAYS.filter((way) => way === 'query' || READING.has(category)))(
      'redacted, %s',
      async (way) => {
        expect(await told(category, { who: 'redacted', way })).toEqual([])
      },
      180_000,
    )
    const others = MASKED.filter((who) => who !== 'redacted')
    test.each(
      others.filter((who) => READING.has(category) || (who === 'strict' && category === 'writes')),
    )('%s', async (who) => {
      expect(await told(category, { who, way: 'query' })).toEqual([])
    })
  })

  test('rows that are renewed tell nothing to whom nothing may be told', async () => {
    const { leaks } = await attacker.campaign(renewed.map(attackOf), {
      who: 'strict',
      way: 'query',
    })
    expect(leaks).toEqual([])
  })

  test('nothing stored has changed', async () => {
    expect(await world.contents('a')).toEqual(contents)
  })

  test('without masks the attacks that only read succeed, so that leaks are seen', async () => {
    let telling = 0
    for (const attack of attacksOf('shapes of queries')) {
      const bytes = await attacker.run(attack, { who: 'clear', way: 'query' }, 'a')
      if (world.detector.find(bytes).length > 0) telling++
    }
    // The others tell by order or number, or are of a grammar that this server does not have.
    expect(telling).toBeGreaterThan(70)
  })
})
