/** What gateways of both protocols record can be found by who, what, where and the statement's shape. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { run } from '../../packages/cli/src/testing.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { findMysql, useMysql } from '../support/use-mysql.ts'
import { usePostgres } from '../support/use-postgres.ts'

const policyFor = (schema: string): string => `version: 1
rules:
  - { name: analysts read, who: { groups: [analysts] }, allow: { effects: [read], relations: ['*'] } }
masks:
  - { columns: [${schema}.people.ssn], with: redact, predicates: equality }`

const PEOPLE = 'CREATE TABLE people (id int, name varchar(20), ssn varchar(20))'

interface Found {
  readonly event: { readonly sql: string; readonly session: string; readonly fingerprint: string }
}

const FLAVOURS = ['postgres', 'mysql', 'mariadb'] as const

describe.each(FLAVOURS)('the trail of %s', async (flavour) => {
  const missing = flavour === 'postgres' ? null : await missingServer(flavour)
  if (missing !== null) {
    test.skip(missing, () => undefined)
    return
  }
  let gateway: TestGateway
  let schema: string
  let drop: () => Promise<unknown>

  beforeAll(async () => {
    const database = flavour === 'postgres' ? await usePostgres() : await useMysql(flavour)
    drop = () => database.drop()
    schema = flavour === 'postgres' ? 'public' : database.database
    await (database.sql as (text: string) => Promise<unknown>)(PEOPLE)
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      connection: 'crm',
      policies: [policyFor(schema)],
    })
    await runAs(gateway, flavour, [
      "SELECT ssn FROM people WHERE name = 'ada'",
      "SELECT ssn FROM people WHERE name = 'grace hopper'",
      "SELECT ssn FROM people WHERE name = 'ada' AND id = 1",
      'DELETE FROM people WHERE id = 4711',
    ])
    // A denial is answered at once and written a moment later.
    await vi.waitFor(async () => expect(await search()).toHaveLength(4), { timeout: 20_000 })
  })
  afterAll(async () => {
    await gateway?.close()
    await drop?.()
  })

  async function search(...flags: readonly string[]): Promise<readonly Found[]> {
    const at = ['--dir', gateway.auditDirectory, '--type', 'statement', '--json']
    const { stdout } = await run(['audit', 'search', ...at, ...flags])
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Found)
  }

  test('holds statements that differ in literals only under one fingerprint', async () => {
    const masked = await search('--column', `${schema}.people.ssn`)
    const fingerprint = masked.at(-1)?.event.fingerprint ?? 'none'
    expect(fingerprint).toMatch(/^[0-9a-f]{32}$/)
    const alike = await search('--fingerprint', fingerprint)
    expect(alike).toHaveLength(2)
    expect(alike.every(({ event }) => !event.sql.includes('id ='))).toBe(true)
    expect(await search('--fingerprint', '0'.repeat(32))).toEqual([])
  })

  test.each([
    ['--subject', 'tester', 4],
    ['--subject', 'nobody', 0],
    ['--group', 'analysts', 4],
    ['--connection', 'crm', 4],
    ['--graph', 'support', 4],
    ['--node', 'research', 4],
    ['--run', 'r-1', 4],
    ['--relation', 'people', 4],
    ['--relation', 'persons', 0],
    ['--rule', 'analysts read', 3],
    ['--verdict', 'deny', 1],
    ['--since', '1h', 4],
    ['--until', '1h', 0],
  ])('is searched by %s %s', async (flag, value, count) => {
    expect(await search(flag, value)).toHaveLength(count)
  })

  test('is searched by a masked column, and by session', async () => {
    const masked = await search('--column', `${schema}.people.ssn`)
    expect(masked).toHaveLength(3)
    expect(await search('--session', masked[0]?.event.session ?? '')).toHaveLength(4)
  })
})

async function missingServer(flavour: 'mysql' | 'mariadb'): Promise<string | null> {
  const found = await findMysql(flavour)
  return 'unavailable' in found ? found.unavailable : null
}

async function runAs(
  gateway: TestGateway,
  flavour: (typeof FLAVOURS)[number],
  texts: readonly string[],
): Promise<void> {
  const password = await gateway.token({
    groups: ['analysts'],
    graph: 'support',
    node: 'research',
    run: 'r-1',
  })
  const { port, ca } = gateway
  const common = { host: 'localhost', port, user: 'tester', password, database: 'crm', ssl: { ca } }
  const run = async (query: (text: string) => Promise<unknown>): Promise<void> => {
    for (const text of texts) await query(text).catch(() => undefined)
  }
  if (flavour === 'postgres') {
    const client = new pg.Client(common)
    await client.connect()
    await run((text) => client.query(text))
    await client.end()
  } else {
    const client = await mysql.createConnection(common)
    await run((text) => client.query(text))
    await client.end()
  }
}
