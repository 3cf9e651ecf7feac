/** Guessing a masked column's values one by one: allowed under `predicates: equality`, as often as the mask says. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cells, errorsOf, extended, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { name: numbers, columns: ['*.people.ssn'], with: redact, probes: { max: 5, within: 1h } }
`

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(`CREATE TABLE people (id int, ssn text); INSERT INTO people VALUES (1, '123')`)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [POLICY],
    via: 'tcp',
  })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

async function connect(subject: string): Promise<WireClient> {
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token({ subject }),
    database: gateway.connection,
  })
}

const codes = (frames: Parameters<typeof errorsOf>[0]) => errorsOf(frames).map((e) => e.sqlstate)

test('a guess too many is refused, whatever protocol and session it comes by', async () => {
  await using first = await connect('guesser')
  await using second = await connect('guesser')
  const guess = async (wire: WireClient, text: string) => codes(await wire.query(text))
  expect(await guess(first, "SELECT id FROM people WHERE ssn = '1'")).toEqual([])
  expect(await guess(second, "SELECT id FROM people WHERE ssn IN ('2', '3')")).toEqual([])
  for (const value of ['4', '5', '5', '4', '6']) {
    first.send(...extended('SELECT id FROM people WHERE ssn = $1', [value], 0))
    const frames = await first.replies()
    expect(codes(frames)).toEqual(value === '6' ? ['53400'] : [])
  }
  expect(await guess(second, "SELECT id FROM people WHERE ssn = '7'")).toEqual(['53400'])
  expect(await guess(second, "SELECT id FROM people WHERE ssn = '1'")).toEqual([])
  expect(await guess(second, 'SELECT count(*) FROM people')).toEqual([])
})

test('a list longer than the budget runs not at all', async () => {
  await using wire = await connect('lister')
  wire.send(...extended('SELECT id FROM people WHERE ssn = ANY ($1)', ['{1,2,3,4,5,6}'], 0))
  expect(codes(await wire.replies())).toEqual(['53400'])
  wire.send(...extended('SELECT id FROM people WHERE ssn = ANY ($1)', ['{1,123}'], 0))
  expect(cells(await wire.replies())).toEqual([['1']])
})

test('EXECUTE compares with what it is given', async () => {
  await using wire = await connect('executor')
  await wire.query('PREPARE s AS SELECT id FROM people WHERE ssn = $1')
  const given = []
  for (let i = 0; i < 7; i++) given.push(codes(await wire.query(`EXECUTE s('${i}')`))[0])
  expect(given.filter((code) => code === undefined).length).toBeLessThanOrEqual(5)
  expect(given.at(-1)).toBe('53400')
})
