/**
 * Attackers that go on: each asks its oracle question after question about where a masked value lies. What it is
 * told must be the same in both worlds, whose values lie elsewhere; then no sequence of such questions finds a
 * character. Whether a value *equals* a guess may be asked, so no question here is one of equality.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type {} from '../../support/global-setup.ts'
import type { WireClient } from '../../support/wire.ts'
import { openWorlds, type World } from '../world.ts'
import { ORACLES, type Oracle, type Question, separating } from './oracles.ts'

type Pair = readonly [a: WireClient, b: WireClient]

let world: World
let masked: Pair
let clear: Pair
let questions: readonly Question[]

beforeAll(async () => {
  world = await openWorlds(inject('postgres'))
  masked = [await world.connect('redacted', 'a'), await world.connect('redacted', 'b')]
  clear = [await world.connect('clear', 'a'), await world.connect('clear', 'b')]
  const secrets = await Promise.all((['a', 'b'] as const).map(secretOf))
  questions = secrets.flatMap((secret) => [...separating(secret, 0), ...separating(secret, 3)])
})
afterAll(async () => {
  for (const wire of [...masked, ...clear]) wire.close()
  await world[Symbol.asyncDispose]()
})

async function secretOf(name: 'a' | 'b'): Promise<string> {
  const [row] = await world.sql(name, 'SELECT ssn FROM ONLY people WHERE id = 1')
  return String(row?.['ssn'])
}

/** Everything that comes over the wire for all questions. */
async function transcript(wire: WireClient, oracle: Oracle): Promise<string> {
  const parts: string[] = []
  for (const question of questions) {
    for (const statement of oracle.ask(question))
      for (const { bytes } of await wire.query(statement)) parts.push(bytes.toString('latin1'))
    await wire.query('ROLLBACK')
  }
  return parts.join('\n')
}

async function isTold([a, b]: Pair, oracle: Oracle): Promise<boolean> {
  return (await transcript(a, oracle)) !== (await transcript(b, oracle))
}

describe('no oracle tells where a masked value lies', () => {
  test.each(ORACLES)('$name', async (oracle) => {
    expect(await isTold(masked, oracle)).toBe(false)
  })
})

test('without masks the oracles tell', async () => {
  const silent: string[] = []
  for (const oracle of ORACLES) if (!(await isTold(clear, oracle))) silent.push(oracle.name)
  expect(silent).toEqual([])
}, 120_000)
