/** The policy tools over a snapshot of a MySQL server, as its DBA uses them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EXIT } from '../errors.ts'
import { run } from '../testing.ts'
import { catalogText } from './catalog.ts'

const folder = mkdtempSync(join(tmpdir(), 'sp-my-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const catalog = file(
  'catalog.json',
  catalogText({
    database: 'shop',
    serverVersion: 90_704,
    mysql: { flavour: 'mysql', lowerCaseTableNames: 0 },
    relations: [
      {
        id: 1,
        schema: 'shop',
        name: 'customers',
        kind: 'table',
        columns: ['id', 'email'].map((name, i) => ({
          name,
          number: i + 1,
          type: 'varchar',
          typeId: 0,
        })),
        parents: [],
        rules: false,
        triggers: false,
        rowSecurity: false,
      },
    ],
    functions: [],
    userOperators: [],
  }),
)
const policy = file(
  'shop.yaml',
  `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }
masks:
  - { columns: [shop.customers.email], with: email }
`,
)
const flags = ['--policy', policy, '--catalog', catalog]
const explain = (sql: string, ...more: string[]) =>
  run(['policy', 'explain', sql, ...flags, '--connection', 'shop', ...more])

test('names without a database are of the one the snapshot was taken in', async () => {
  const { exit, stdout } = await explain('SELECT `email` FROM `customers`')
  expect(exit).toBe(EXIT.ok)
  expect(stdout).toContain('shop.customers.email')
})

test.each([
  ["SELECT id FROM customers WHERE email LIKE 'a%'", 'masked-predicate', 1227, '42000'],
  ['SELECT idd FROM customers', 'unknown-name', 1054, '42S22'],
  ['SELECT id FROM customer', 'unknown-name', 1146, '42S02'],
  ['SELEC 1', 'unparsable', 1064, '42000'],
])('%s is refused with the number that clients see', async (sql, code, errno, sqlstate) => {
  const { exit, stdout } = await explain(sql)
  expect(exit).toBe(EXIT.notOk)
  expect(stdout).toContain(`${code}, error ${errno}, SQLSTATE ${sqlstate}`)
  const { verdict } = JSON.parse((await explain(sql, '--json')).stdout)
  expect(verdict).toMatchObject({ code, errno, sqlstate })
})

test('cases are decided over it', async () => {
  const cases = file(
    'shop.cases.yaml',
    `version: 1
connection: shop
subjects:
  agent: { kind: machine }
cases:
  - { name: masked, who: agent, sql: 'SELECT id, email FROM customers', expect: allow, masks: { id: none, email: email } }
  - { name: searched, who: agent, sql: "SELECT id FROM customers WHERE email > 'm'", expect: deny, code: masked-predicate }
`,
  )
  const { exit, stdout } = await run(['policy', 'test', cases, ...flags])
  expect({ exit, stdout }).toMatchObject({
    exit: EXIT.ok,
    stdout: expect.stringContaining('2 passed'),
  })
})
