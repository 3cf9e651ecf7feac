/** Budgets outlive a gateway that is killed, and are one for all gateways of a store. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: [public.people.ssn], who: { groups: [guessing] }, with: 'null', probes: { max: 7, within: 1h } }
limits:
  - { name: calls, who: { groups: [calls] }, per-token: { statements: 60 } }
  - { name: many, who: { groups: [many] }, per-token: { rows: 1000000 } }
  - { name: slowly, who: { groups: [slow] }, statements-per-minute: 40 }
  - { name: long, who: { groups: [long] }, per-run: { rows: 60000 } }
  - { name: the run, who: { groups: [runs] }, per-run: { rows: 10 } }
`
const SPENT = { code: '53400' }
const WAIT_MS_MAX = 30_000

let database: TestDatabase
let store: TestDatabase
const gateways: TestGateway[] = []

beforeAll(async () => {
  database = await usePostgres()
  store = await usePostgres()
  await database.sql('CREATE TABLE people (id int, ssn text)')
})
afterAll(async () => {
  for (const gateway of gateways) await gateway.close()
  await database?.drop()
  await store?.drop()
})

async function start(more: Pick<TestGatewayOptions, 'spawn' | 'config'>): Promise<TestGateway> {
  const gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    ...more,
  })
  gateways.push(gateway)
  return gateway
}
const sharing = () => start({ config: { store: { url: `plain:${store.url}` } } })

async function open(gateway: TestGateway, token: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
  // A gateway that is killed takes its sessions along.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Until the gateway has kept it. */
async function written(gateway: TestGateway, what: string): Promise<void> {
  const file = join(gateway.stateDirectory, 'budgets.jsonl')
  const deadline = Date.now() + WAIT_MS_MAX
  while (!readFileSync(file, 'utf8').includes(what)) {
    if (Date.now() > deadline) throw new Error('it is not kept')
    await new Promise((next) => setTimeout(next, 20))
  }
}

/** Until it fails as it should. */
async function refused(client: pg.Client, as: object): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX
  for (;;) {
    const error = await client.query('SELECT 1').then(
      () => null,
      (failure: unknown) => failure,
    )
    if (error !== null) return expect(error).toMatchObject(as)
    if (Date.now() > deadline) throw new Error('it is still let')
    await new Promise((next) => setTimeout(next, 20))
  }
}

test('a gateway that is killed does not forget what was used', async () => {
  const gateway = await start({ spawn: true })
  const token = await gateway.token({ groups: ['runs'], graph: 'g', run: 'killed' })
  const before = await open(gateway, token)
  await before.query('SELECT generate_series(1, 10)')
  await refused(before, SPENT)
  await written(gateway, '"total":10,')
  await gateway.crash()
  await gateway.revive()
  const after = await open(gateway, token)
  await expect(after.query('SELECT 1')).rejects.toMatchObject(SPENT)
  await after.end()
})

test('statements at two gateways at once are no more than the budget', async () => {
  const [one, other] = await Promise.all([sharing(), sharing()])
  const token = await one.token({ groups: ['calls'] })
  const clients = await Promise.all([one, other, one, other].map((at) => open(at, token)))
  const ran = await Promise.all(
    clients.map(async (client) => {
      for (let n = 0; ; n++) {
        try {
          await client.query('SELECT 1')
        } catch (error) {
          expect(error).toMatchObject(SPENT)
          return n
        }
      }
    }),
  )
  const sum = ran.reduce((all, n) => all + n, 0)
  expect(sum).toBeLessThanOrEqual(60)
  // What each has taken ahead, and not used, is a twentieth of it.
  expect(sum).toBeGreaterThanOrEqual(60 - 2 * 3)
  await Promise.all(clients.map((client) => client.end()))
})

test('long results at two gateways at once are together no more than the budget', async () => {
  const both = gateways.slice(-2)
  const run = { groups: ['long'], graph: 'g', run: 'long' }
  const clients = await Promise.all(
    [...both, ...both].map(async (at) => open(at, await at.token(run))),
  )
  const seen = await Promise.all(
    clients.map(
      (client) =>
        new Promise<number>((resolve) => {
          let rows = 0
          const query = new pg.Query('SELECT generate_series(1, 50000)')
          query.on('row', () => rows++)
          query.on('error', () => resolve(rows))
          query.on('end', () => resolve(rows))
          client.query(query)
        }),
    ),
  )
  const sum = seen.reduce((all, n) => all + n, 0)
  expect(sum).toBeLessThanOrEqual(60_000)
  // A twentieth at most waits at each gateway, or with each result, for who might come.
  expect(sum).toBeGreaterThanOrEqual(60_000 - 4 * 3_000)
  await Promise.all(clients.map((client) => client.end()))
})

test('probes of a masked column are counted over all gateways; while the store does not answer, by each', async () => {
  const both = gateways.slice(-2)
  /** How many of twenty values it could look for, at both by turns, and then of the first two at the other. */
  const found = async (subject: string): Promise<number> => {
    const clients = await Promise.all(
      both.map(async (at) => open(at, await at.token({ subject, groups: ['guessing'] }))),
    )
    let ran = 0
    const look = async (value: number, at: number): Promise<void> => {
      const text = `SELECT id FROM people WHERE ssn = ${value < 3 ? `'${value}'` : '$1'}`
      const query = value < 3 ? text : { text, values: [String(value)] }
      await clients[at]?.query(query).then(
        () => ran++,
        (error: unknown) => expect(error).toMatchObject({ code: '53400' }),
      )
    }
    for (let value = 0; value < 20; value++) await look(value, value % 2)
    for (const value of [0, 3]) await look(value, 1 - (value % 2))
    await Promise.all(clients.map((client) => client.end()))
    return ran
  }
  expect(await found('guess')).toBe(7 + 2)
  await store.sql('ALTER TABLE sallyport_probes RENAME TO away')
  expect(await found('alone')).toBe(14)
  await store.sql('ALTER TABLE away RENAME TO sallyport_probes')
})

test('a rate is one for all gateways; while the store does not answer, each counts its own', async () => {
  const both = gateways.slice(-2)
  const minute = () => Math.floor(Date.now() / 60_000)
  /** How many run of 60, sent by turns to both. */
  const ranOf = async (subject: string): Promise<number> => {
    const clients = await Promise.all(
      both.map(async (at) => open(at, await at.token({ subject, groups: ['slow'] }))),
    )
    let ran = 0
    for (let n = 0; n < 60; n++) {
      const answer = clients[n % 2]?.query('SELECT 1').then(
        () => ran++,
        (error: unknown) => expect(error).toMatchObject({ code: '53400' }),
      )
      await answer
    }
    await Promise.all(clients.map((client) => client.end()))
    return ran
  }
  const withinOneMinute = async (subject: string): Promise<number> => {
    for (let round = 0; ; round++) {
      const began = minute()
      const ran = await ranOf(`${subject}${round}`)
      if (minute() === began) return ran
    }
  }
  // What each has taken ahead, and not used, is a twentieth of it.
  expect(await withinOneMinute('slow')).toSatisfy((ran: number) => ran <= 40 && ran >= 36)
  await store.sql('ALTER TABLE sallyport_rates RENAME TO away')
  expect(await withinOneMinute('alone')).toBe(60)
  await store.sql('ALTER TABLE away RENAME TO sallyport_rates')
})

test('rows used at one are used at the other; without the store nothing runs on a budget', async () => {
  const [one, other] = gateways.slice(-2)
  if (!one || !other) throw new Error('two gateways')
  const run = { groups: ['runs'], graph: 'g', run: 'r1' }
  const [a, b] = [await open(one, await one.token(run)), await open(other, await one.token(run))]
  await a.query('SELECT generate_series(1, 10)')
  await refused(b, SPENT)
  const c = await open(other, await one.token({ groups: ['many'] }))
  await c.query('SELECT 1')
  await store.sql('ALTER TABLE sallyport_budget_meters RENAME TO elsewhere')
  await refused(c, { code: '58000', message: expect.stringContaining('cannot be known') })
  await store.sql('ALTER TABLE elsewhere RENAME TO sallyport_budget_meters')
  const deadline = Date.now() + WAIT_MS_MAX
  while (Date.now() < deadline) {
    if (await c.query('SELECT 1').then(Boolean, () => false)) break
    await new Promise((next) => setTimeout(next, 50))
  }
  expect((await c.query('SELECT 1')).rowCount).toBe(1)
  await Promise.all([a, b, c].map((client) => client.end()))
})
