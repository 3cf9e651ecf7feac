/**
 * A second schema, as an outsider would draw it, and what tools and people send to it. Where no masked column is touched
 * the answer is the server's own; where one is, the answer comes masked, in as many rows.
 */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { WireClient } from '../support/wire.ts'
import { answers, fits, isLike } from './works/answers.ts'
import { clean } from './works/company/clean.ts'
import { masked } from './works/company/masked.ts'
import { tools } from './works/company/tools.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }
masks:
  - { columns: [public.users.full_name, public.users.ssn, public.users.phone, public.users.date_of_birth], with: redact }
  - { columns: [public.users.email], with: email }
  - { columns: [hr.employees.salary, hr.employees.bonus, sales.invoices.iban], with: redact }
`

let database: TestDatabase
let gateway: TestGateway
let direct: WireClient
let agent: WireClient

beforeAll(async () => {
  database = await usePostgres()
  const schema = new URL('works/company/schema.sql', import.meta.url)
  await database.sql(await readFile(schema, 'utf8'))
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
  })
  const { host, port, superuser } = database
  direct = await WireClient.connect({ host, port, database: database.database, ...superuser })
  agent = await WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'app',
    database: gateway.connection,
    password: await gateway.token(),
  })
})
afterAll(async () => {
  direct.close()
  agent.close()
  await gateway.close()
  await database.drop()
})

const messagesOf = (one: string | readonly string[]): readonly string[] =>
  typeof one === 'string' ? [one] : one

const CLEAN = { ...clean, ...tools }

describe.each(['simple', 'extended'] as const)('%s', (way) => {
  test.each(Object.keys(CLEAN))('%s', async (category) => {
    const different: unknown[] = []
    for (const wire of [direct, agent]) await wire.query('DISCARD ALL')
    for (const texts of (CLEAN[category] ?? []).map(messagesOf).filter((one) => fits(one, way))) {
      const expected = await answers(direct, texts, way)
      const got = await answers(agent, texts, way)
      if (expected.errors.length > 0 || JSON.stringify(got) !== JSON.stringify(expected))
        different.push({ texts, got, expected })
    }
    expect(different).toEqual([])
  })

  test('masked columns come masked, in as many rows', async () => {
    const refused: unknown[] = []
    for (const texts of masked.map(messagesOf).filter((one) => fits(one, way))) {
      const expected = await answers(direct, texts, way)
      const got = await answers(agent, texts, way)
      if (!isLike(got, expected))
        refused.push({ texts, got: got.errors, expected: expected.errors })
    }
    expect(refused).toEqual([])
  })
})
