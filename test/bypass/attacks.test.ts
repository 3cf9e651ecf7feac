/**
 * Every attack by principals whose every right is granted and whose columns are masked, in two worlds that
 * differ in protected values alone: no byte the gateway sends may hold one, and all bytes must be the same in
 * both. The same statements by a principal without masks show that most of them would tell.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type {} from '../support/global-setup.ts'
import { attackOf } from './attacks/attack-list.ts'
import { combinations } from './attacks/combinations.ts'
import { GAPS } from './attacks/gaps.ts'
import { WRITTEN } from './attacks/index.ts'
import { Attacker, type CampaignOptions, type Leak } from './campaign.ts'
import { MASKED } from './identities.ts'
import { postgresArena } from './postgres-arena.ts'
import { type Attack, WAYS, type Way } from './run-attack.ts'
import { openWorlds, type World } from './world.ts'

let world: World
let attacker: Attacker<Attack, Way>
let contents: unknown

beforeAll(async () => {
  world = await openWorlds(inject('postgres'))
  attacker = new Attacker(postgresArena(world))
  contents = await world.contents('a')
})
afterAll(async () => {
  attacker.close()
  await world[Symbol.asyncDispose]()
})

const keyOf = (steps: Attack['steps']): string => JSON.stringify(steps)
const gaps = new Set(GAPS.map(({ steps }) => keyOf(steps)))
/** Leaks of the gaps. */
const known: Leak<Attack, Way>[] = []

/** Runs attacks; what they tell beside what is known. */
async function told(
  attacks: readonly Attack[],
  options: CampaignOptions<Way>,
): Promise<Leak<Attack, Way>[]> {
  const { leaks } = await attacker.campaign(attacks, options)
  known.push(...leaks.filter(({ steps }) => gaps.has(keyOf(steps))))
  return leaks.filter(({ steps }) => !gaps.has(keyOf(steps)))
}

/** Every definition makes the gateway read the schema again, so these run in fewer ways. */
const SLOW = new Set(['definitions', 'type names', 'made and named'])

/** What plans cost, and which the server chooses, hangs on what the attacks before left in the files of each world. */
const PLANNED = new Set(['order of rows, and plans', 'EXPLAIN and COPY', 'rows told apart'])

describe.each(Object.keys(WRITTEN))('%s', (category) => {
  beforeEach(() => (PLANNED.has(category) ? world.rewrite() : undefined))
  const attacks = (WRITTEN[category] ?? []).map(attackOf)
  test.each(WAYS)('redacted, %s', async (way) => {
    if (SLOW.has(category) && way !== 'simple') return
    expect(await told(attacks, { who: 'redacted', way })).toEqual([])
  })
  test.each(MASKED.filter((who) => who !== 'redacted'))('%s', async (who) => {
    if (SLOW.has(category)) return
    expect(await told(attacks, { who, way: 'simple' })).toEqual([])
  })
})

describe('every expression in every clause', () => {
  const all = Object.values(combinations).flat().map(attackOf)
  test.each(['simple', 'extended binary'] as const)('redacted, %s', async (way) => {
    expect(await told(all, { who: 'redacted', way })).toEqual([])
  })
  test.each(['partly', 'strict'] as const)('%s', async (who) => {
    expect(await told(all, { who, way: 'simple' })).toEqual([])
  })
})

describe.skipIf(GAPS.length === 0)('known gaps', () => {
  test.fails.each(GAPS)('$why: $steps', ({ steps }) => {
    expect(known.filter((leak) => keyOf(leak.steps) === keyOf(steps))).toEqual([])
  })
})

test('nothing stored has changed', async () => {
  expect(await world.contents('a')).toEqual(contents)
})

test('without masks most attacks that only read succeed, so that leaks are seen', async () => {
  const quiet: unknown[] = []
  for (const category of [
    'columns by any name',
    'set operations and CTEs',
    'whole rows and composites',
  ])
    for (const attack of (WRITTEN[category] ?? []).map(attackOf)) {
      const bytes = await attacker.run(attack, { who: 'clear', way: 'simple' }, 'a')
      if (world.detector.find(bytes).length === 0) quiet.push(attack.steps)
    }
  expect(quiet).toEqual([])
})
