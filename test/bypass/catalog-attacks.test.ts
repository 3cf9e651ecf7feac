/**
 * Every function, operator, type and system relation of the server, over or beside masked columns, in both
 * worlds: ~20,000 statements made from the server's own catalog.
 */
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type {} from '../support/global-setup.ts'
import {
  castAttacks,
  functionAttacks,
  operatorAttacks,
  relationAttacks,
} from './attacks/from-catalog.ts'
import { GAPS } from './attacks/gaps.ts'
import { Attacker } from './campaign.ts'
import { postgresArena } from './postgres-arena.ts'
import type { Attack, Way } from './run-attack.ts'
import { openWorlds, type World } from './world.ts'
import { PROTECTED } from './world-values.ts'

let world: World
let attacker: Attacker<Attack, Way>

beforeAll(async () => {
  world = await openWorlds(inject('postgres'))
  attacker = new Attacker(postgresArena(world))
})
afterAll(async () => {
  attacker.close()
  await world[Symbol.asyncDispose]()
})

const ask = (text: string) => world.sql('a', text)
const gaps = new Set(GAPS.flatMap(({ steps }) => steps))

async function told(texts: readonly string[]): Promise<unknown[]> {
  const attacks = texts.map((text) => ({ steps: [text] }))
  const { leaks } = await attacker.campaign(attacks, { who: 'redacted', way: 'simple' })
  return leaks.filter(({ steps }) => !steps.some((step) => gaps.has(String(step))))
}

test('functions', async () => {
  const texts = await functionAttacks(ask)
  expect(texts.length).toBeGreaterThan(10_000)
  expect(await told(texts)).toEqual([])
})

test('operators', async () => {
  const texts = await operatorAttacks(ask)
  expect(texts.length).toBeGreaterThan(2_500)
  expect(await told(texts)).toEqual([])
})

test('casts', async () => {
  const columns = PROTECTED.map(({ name }) => name)
  expect(await told(await castAttacks(ask, columns))).toEqual([])
})

test('system relations hold no protected value', async () => {
  const found: unknown[] = []
  for (const text of await relationAttacks(ask)) {
    const bytes = await attacker.run({ steps: [text] }, { who: 'redacted', way: 'simple' }, 'a')
    const leaks = world.detector.find(bytes)
    if (leaks.length > 0) found.push({ text, leaks })
  }
  expect(found).toEqual([])
})
