/**
 * What tools and people send to MySQL and MariaDB. Where no masked column is touched the answer is the server's own;
 * where one is, the answer comes masked, in as many rows.
 */
import { readFile } from 'node:fs/promises'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../../support/use-mysql.ts'
import { clean, cleanOnly, type Messages } from './works/clean.ts'
import { masked, maskedOnly } from './works/masked.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.users.full_name', '*.users.ssn', '*.users.phone', '*.users.date_of_birth', '*.users.password'], with: redact }
  - { columns: ['*.users.email', '*.wp_users.user_email'], with: email }
  - { columns: ['*.wp_users.user_pass', '*.employees.salary', '*.employees.bonus', '*.invoices.iban'], with: redact }
`

interface Answer {
  readonly rows: unknown[][]
  readonly errors: string[]
}

type Way = 'query' | 'execute'

/** Not known to the protocol of prepared statements: sent as text. */
const TEXT_ONLY =
  /^(begin|start|commit|rollback|savepoint|use|lock|unlock|prepare|execute|deallocate|values|handler|show (function|procedure) status|show errors|show count|check)\b/i

onMysqlServers('works on %s', (flavour) => {
  let database: TestMysqlDatabase
  let gateway: TestGateway
  let direct: Connection
  let agent: Connection

  beforeAll(async () => {
    database = await useMysql(flavour)
    await database.sql(await readFile(new URL('works/schema.sql', import.meta.url), 'utf8'))
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      policies: [POLICY],
    })
    const options = { rowsAsArray: true, dateStrings: true, database: database.database }
    direct = await mysql.createConnection({
      host: database.host,
      port: database.port,
      ...database.superuser,
      ...options,
    })
    agent = await mysql.createConnection({
      host: gateway.host,
      port: gateway.port,
      user: 'app',
      password: await gateway.token(),
      ssl: { ca: gateway.ca },
      ...options,
    })
  })
  afterAll(async () => {
    await agent?.end()
    await direct?.end()
    await gateway?.close()
    await database?.drop()
  })

  async function answers(connection: Connection, messages: Messages, way: Way): Promise<Answer> {
    const answer: Answer = { rows: [], errors: [] }
    for (const message of typeof messages === 'string' ? [messages] : messages) {
      const text = message.replaceAll('{db}', database.database)
      const asText = way === 'query' || TEXT_ONLY.test(text)
      try {
        const [rows] = await (asText
          ? connection.query<RowDataPacket[]>(text)
          : connection.execute<RowDataPacket[]>(text))
        if (Array.isArray(rows)) answer.rows.push(...(rows as unknown[][]))
        else answer.rows.push([(rows as { affectedRows: number }).affectedRows])
      } catch (error) {
        const { errno, message: words } = error as { errno: number; message: string }
        answer.errors.push(`${errno} ${words} in ${text}`)
      }
    }
    return answer
  }

  const isLike = (got: Answer, expected: Answer): boolean =>
    expected.errors.length === 0 &&
    got.errors.length === 0 &&
    got.rows.length === expected.rows.length

  describe.each(['query', 'execute'] as const)('%s', (way) => {
    const categories = { ...clean, [flavour]: cleanOnly[flavour] }

    test.each(Object.keys(categories))('%s', async (category) => {
      const different: unknown[] = []
      for (const texts of categories[category] ?? []) {
        const expected = await answers(direct, texts, way)
        const got = await answers(agent, texts, way)
        if (expected.errors.length > 0 || JSON.stringify(got) !== JSON.stringify(expected))
          different.push({ texts, got, expected })
      }
      expect(different).toEqual([])
    })

    test('masked columns come masked, in as many rows', async () => {
      const refused: unknown[] = []
      for (const texts of [...masked, ...maskedOnly[flavour]]) {
        const expected = await answers(direct, texts, way)
        const got = await answers(agent, texts, way)
        if (!isLike(got, expected))
          refused.push({ texts, got: got.errors, expected: expected.errors })
      }
      expect(refused).toEqual([])
    })
  })
})
