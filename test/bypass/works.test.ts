/**
 * The other half of a guard: what applications, ORMs, BI tools and psql send every day must pass. Where a
 * statement does not touch a masked column the answer through the gateway is the server's own, for a reader
 * without masks and for an agent with masks; where it does, the agent is answered with masks, not refused.
 */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { WireClient } from '../support/wire.ts'
import { answers, fits, isLike } from './works/answers.ts'
import { CLEAN } from './works/index.ts'
import { works as masked } from './works/masked.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'] } }
masks:
  - { columns: [public.customers.email, public.customers.name, '*.*.phone', '*.*.ssn'], with: redact, who: { groups: [agents] } }
  - { columns: [public.payments.card_number, public.payments.iban, public.employees.salary], with: redact, who: { groups: [agents] } }
trusted-functions: [public.open_tickets]
`

let database: TestDatabase
let gateway: TestGateway
const wires: Record<'direct' | 'reader' | 'agent', WireClient> = {} as never

beforeAll(async () => {
  database = await usePostgres({ demo: true })
  await database.sql(await readFile(new URL('works/schema.sql', import.meta.url), 'utf8'))
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
  })
  const through = {
    host: gateway.host,
    port: gateway.plainPort,
    user: 'app',
    database: gateway.connection,
  }
  const { host, port, superuser } = database
  wires.direct = await WireClient.connect({ host, port, database: database.database, ...superuser })
  wires.reader = await WireClient.connect({ ...through, password: await gateway.token() })
  wires.agent = await WireClient.connect({
    ...through,
    password: await gateway.token({ groups: ['agents'] }),
  })
})
afterAll(async () => {
  for (const wire of Object.values(wires)) wire.close()
  await gateway.close()
  await database.drop()
})

/** Statements after another are sent one by one. */
const messagesOf = (text: string): readonly string[] =>
  text.startsWith('BEGIN; ') ? text.split(/;\s+/) : [text]

describe.each(['simple', 'extended'] as const)('%s', (way) => {
  describe.each(['reader', 'agent'] as const)('%s', (who) => {
    test.each(Object.keys(CLEAN))('%s', async (category) => {
      const different: unknown[] = []
      for (const wire of [wires.direct, wires[who]]) await wire.query('DISCARD ALL')
      for (const text of (CLEAN[category] ?? []).filter((one) => fits(messagesOf(one), way))) {
        const expected = await answers(wires.direct, messagesOf(text), way)
        const got = await answers(wires[who], messagesOf(text), way)
        if (JSON.stringify(got) !== JSON.stringify(expected))
          different.push({ text, got, expected })
      }
      expect(different).toEqual([])
    })
  })

  test('masked columns come masked, in as many rows', async () => {
    const refused: unknown[] = []
    for (const text of masked.filter((one) => fits(messagesOf(one), way))) {
      const expected = await answers(wires.direct, messagesOf(text), way)
      const got = await answers(wires.agent, messagesOf(text), way)
      if (!isLike(got, expected)) refused.push({ text, got: got.errors, expected: expected.errors })
    }
    expect(refused).toEqual([])
  })
})
