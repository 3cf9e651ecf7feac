/** What the audit log holds of a statement, and what it must never hold. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }]
masks:
  - { columns: [public.people.ssn], with: redact, predicates: equality, except: { groups: [dba] } }`
const CANARY = '078-05-1120'

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await usePostgres()
  await database.sql('CREATE TABLE people (id int, name text, ssn text)')
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    connection: 'crm',
    policies: [POLICY],
  })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

async function run(groups: readonly string[], ...texts: readonly string[]): Promise<void> {
  await runAt(gateway, groups, ...texts)
}

async function runAt(
  at: TestGateway,
  groups: readonly string[],
  ...texts: readonly string[]
): Promise<void> {
  const client = new pg.Client({
    host: at.host,
    port: at.port,
    user: 'someone',
    database: 'crm',
    password: await at.token({ groups }),
    ssl: { ca: at.ca },
  })
  await client.connect()
  for (const text of texts) await client.query(text).catch(() => undefined)
  await client.end()
}

function recorded(
  at = gateway,
): { sql: string; verdict: string; code?: string; withheld?: string }[] {
  const folder = at.auditDirectory
  return readdirSync(folder)
    .filter((name) => /^\d+\.jsonl$/.test(name))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map(
      (line) =>
        (
          JSON.parse(line) as {
            event: { type: string; sql: string; verdict: string; code?: string }
          }
        ).event,
    )
    .filter((event) => event.type === 'statement')
}

test('no literal of a protected column is recorded, whoever wrote it and whatever became of it', async () => {
  const texts = [
    `SELECT id FROM people WHERE ssn = '${CANARY}'`,
    `SELECT id FROM people WHERE ssn LIKE '${CANARY}%'`,
    `INSERT INTO people (id, ssn) VALUES (1, '${CANARY}')`,
    `UPDATE people SET ssn = E'${CANARY}' WHERE id = 1`,
    `PREPARE p AS SELECT 1 FROM people WHERE ssn = $$${CANARY}$$`,
    `SELEC '${CANARY}'`,
    `SELECT id FROM people WHERE ssn = '${CANARY}`,
    `/* ${CANARY} */ SELECT ssn FROM people`,
  ]
  await run(['dba'], ...texts)
  await run(['analysts'], ...texts)
  const statements = recorded()
  expect(statements.filter((one) => one.sql.includes('people')).length).toBeGreaterThan(10)
  expect(statements.filter((one) => one.sql.includes(CANARY))).toEqual([])
  expect(statements.map((one) => one.sql)).toContain("SELECT id FROM people WHERE ssn = '…'")
})

test('where a protected column is only shown, the values of the text are recorded', async () => {
  const text = `SELECT name, ssn FROM people WHERE id = 4711 LIMIT 3`
  await run(['analysts'], `${text} /* ${CANARY} */`)
  expect(recorded()).toContainEqual(
    expect.objectContaining({ sql: `${text} /*…*/`, withheld: 'comments' }),
  )
})

test('numbers that are left out are not taken for numbers that were sent', async () => {
  await run(['dba'], `SELECT ssn = '${CANARY}' FROM people WHERE id < 5 LIMIT 3`)
  expect(recorded()).toContainEqual(
    expect.objectContaining({
      sql: `SELECT ssn = '…' FROM people WHERE id < … LIMIT …`,
      withheld: 'values',
    }),
  )
})

test('other statements are recorded as they were sent', async () => {
  const text = `SELECT name FROM people WHERE id = 4711 AND name <> 'nobody' -- why not`
  await run(['analysts'], text)
  expect(recorded().map((one) => one.sql)).toContain(text)
})

test('nor in what the gateway refuses before anybody decided it', async () => {
  const limited = await startTestGateway({
    upstream: database,
    database: database.database,
    connection: 'crm',
    policies: [`${POLICY}\nlimits: [{ who: everyone, statements-per-minute: 1 }]`],
  })
  try {
    const text = `SELECT id FROM people WHERE ssn = '${CANARY}'`
    await runAt(limited, ['analysts'], 'SELECT 1', text)
    // A refusal is answered before its record is written.
    await expect
      .poll(() => recorded(limited)[1], { timeout: 10_000 })
      .toMatchObject({
        code: 'rate-limit',
        verdict: 'deny',
        sql: "SELECT id FROM people WHERE ssn = '…'",
      })
  } finally {
    await limited.close()
  }
})
