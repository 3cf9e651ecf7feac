/**
 * The other half of a guard: what applications, ORMs, BI tools and psql send every day must pass. Where a
 * statement does not touch a masked column the answer through the gateway is the server's own, for a reader
 * without masks and for an agent with masks; where it does, the agent is answered with masks, not refused.
 */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cells, errorsOf, extended, type Frame, WireClient } from '../support/wire.ts'
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

type Way = 'simple' | 'extended'

interface Answer {
  readonly rows: (string | null)[][]
  readonly copied: string[]
  readonly errors: string[]
  readonly tags: string[]
}

/** Statements after another are sent one by one, as drivers send them. */
async function answer(wire: WireClient, text: string, way: Way): Promise<Answer> {
  const frames: Frame[] = []
  for (const one of text.startsWith('BEGIN; ') ? text.split(/;\s+/) : [text]) {
    if (way === 'simple') wire.send({ kind: 'Query', text: one })
    else wire.send(...extended(one))
    frames.push(...(await wire.replies()))
  }
  const last = frames.at(-1)?.message
  if (last?.kind === 'ReadyForQuery' && last.status !== 'I') await wire.query('ROLLBACK')
  return {
    rows: cells(frames),
    copied: frames.filter(({ type }) => type === 'd').map(({ bytes }) => bytes.toString('latin1')),
    errors: errorsOf(frames).map(({ sqlstate, message }) => `${sqlstate} ${message}`),
    tags: frames.flatMap(({ message }) =>
      message.kind === 'CommandComplete' ? [message.tag] : [],
    ),
  }
}

/** Several statements cannot be one of the extended protocol. */
const fits = (text: string, way: Way): boolean =>
  way === 'simple' || text.startsWith('BEGIN; ') || !/;\s*\S/.test(text)

describe.each(['simple', 'extended'] as const)('%s', (way) => {
  describe.each(['reader', 'agent'] as const)('%s', (who) => {
    test.each(Object.keys(CLEAN))('%s', async (category) => {
      const different: unknown[] = []
      for (const wire of [wires.direct, wires[who]]) await wire.query('DISCARD ALL')
      for (const text of (CLEAN[category] ?? []).filter((one) => fits(one, way))) {
        const expected = await answer(wires.direct, text, way)
        const got = await answer(wires[who], text, way)
        if (JSON.stringify(got) !== JSON.stringify(expected))
          different.push({ text, got, expected })
      }
      expect(different).toEqual([])
    })
  })

  test('masked columns come masked, in as many rows', async () => {
    const refused: unknown[] = []
    for (const text of masked.filter((one) => fits(one, way))) {
      const expected = await answer(wires.direct, text, way)
      const got = await answer(wires.agent, text, way)
      const isLike =
        expected.errors.length === 0 &&
        got.errors.length === 0 &&
        got.tags.join() === expected.tags.join() &&
        got.rows.length === expected.rows.length
      if (!isLike) refused.push({ text, got: got.errors, expected: expected.errors })
    }
    expect(refused).toEqual([])
  })
})
