/** MySQL and MariaDB: a statement runs as what it means when it runs, and as what was read of it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const RULES = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*', '@catalog-data'], functions: ['*'], settings: ['*'] } }
`
const masking = (database: string): string =>
  `${RULES}masks: [{ columns: ['${database}.people.v'], with: redact }]\n`

onMysqlServers('on %s', (flavour) => {
  let open: TestMysqlDatabase
  let hidden: TestMysqlDatabase
  let gateway: TestGateway
  let connection: Connection

  beforeAll(async () => {
    open = await useMysql(flavour)
    hidden = await useMysql(flavour)
    for (const [db, value] of [
      [open, 'shown'],
      [hidden, 'secret'],
    ] as const) {
      await db.sql('CREATE TABLE people (id INT PRIMARY KEY, v VARCHAR(20))')
      await db.sql('INSERT INTO people VALUES (1, ?)', [value])
    }
    gateway = await startTestGateway({
      upstream: open,
      database: open.database,
      databases: [hidden.database],
      policies: [masking(hidden.database)],
    })
  })
  afterEach(() => connection?.end())
  afterAll(async () => {
    await gateway?.close()
    await open?.drop()
    await hidden?.drop()
  })

  async function policy(text: string): Promise<void> {
    await writeFile(join(gateway.directory, 'policies', '1.yaml'), text)
    await gateway.running?.reload()
  }

  async function connect(database = gateway.connection): Promise<Connection> {
    connection = await mysql.createConnection({
      host: 'localhost',
      port: gateway.port,
      user: 'tester',
      password: await gateway.token(),
      database,
      ssl: { ca: gateway.ca },
    })
    return connection
  }

  // An expression: the result's metadata names no column whose mask could be seen there.
  const TEXT = "SELECT CONCAT(v, '') AS v FROM people WHERE id = ?"

  async function run(statement: mysql.PreparedStatementInfo): Promise<unknown> {
    const [rows] = (await statement.execute([1])) as unknown as [{ v: unknown }[]]
    return rows[0]?.v
  }

  test('what was prepared in a database stays a statement of that database', async () => {
    const client = await connect(`${gateway.connection}/${hidden.database}`)
    const there = await client.prepare(TEXT)
    const before = await run(there)
    await client.query(`USE ${open.database}`)
    // The driver prepares a text once; this is another.
    const here = await client.prepare(`${TEXT} `)
    expect(await run(here)).toBe('shown')
    expect(await run(there)).toBe(before)
    expect(before).not.toBe('secret')
    await client.query(`USE ${hidden.database}`)
    expect(await run(here)).toBe('shown')
    expect(await run(there)).toBe(before)
  })

  test('what was prepared under one policy runs under the one in force', async () => {
    const client = await connect()
    const statement = await client.prepare(TEXT)
    expect(await run(statement)).toBe('shown')
    try {
      await policy(masking(open.database))
      expect(await run(statement)).not.toBe('shown')
      await policy(`${RULES}  - { name: no, who: everyone, deny: { relations: ['*.people'] } }\n`)
      await expect(run(statement)).rejects.toThrow('denied by the rule')
    } finally {
      await policy(masking(hidden.database))
    }
    expect(await run(statement)).toBe('shown')
  })

  test('what is sent is what was read: what a comment says is not', async () => {
    // Under masks nobody sees what others run.
    await policy(RULES)
    const client = await connect()
    const [rows] = await client.query<mysql.RowDataPacket[]>(
      "SELECT /*!99999 'other', */ INFO AS text /* note */ FROM information_schema.processlist WHERE ID = CONNECTION_ID()",
    )
    const text = String(rows[0]?.['text'])
    expect(text).toContain('processlist')
    expect(text).not.toMatch(/note|other/)
  })
})
