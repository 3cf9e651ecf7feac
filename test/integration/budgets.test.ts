/** What one token, or one run of a graph, may use in all: statements, rows, bytes, over all of its sessions. */
import type mysqlPlain from 'mysql2'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway, type TokenRequest } from '../support/gateway.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
limits:
  - { name: calls, who: { groups: [calls] }, per-token: { statements: 5 } }
  - { name: the run, who: { groups: [runs] }, per-run: { rows: 10 } }
  - { name: together, who: { groups: [together] }, per-run: { rows: 1000 }, rows: 900, on-exceed: truncate }
  - { name: volume, who: { groups: [volume] }, per-token: { bytes: 1KiB } }
`
const ROWS = (n: number): string =>
  Array.from({ length: n }, (_, i) => `SELECT ${i} AS n`).join(' UNION ALL ')

const MANY =
  'WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 600) SELECT n FROM r'

interface Client {
  /** How many rows came, whether or not an error did after them. */
  seen(sql: string): Promise<number>
  run(sql: string): Promise<number>
  runPrepared(sql: string): Promise<number>
  end(): Promise<void>
}

interface Engine {
  gateway(): TestGateway
  open(token: string): Promise<Client>
  readonly refusal: object
}

function budgets(engine: Engine): void {
  const open = async (...tokens: string[]): Promise<Client[]> =>
    Promise.all(tokens.map((token) => engine.open(token)))
  const token = (request: TokenRequest): Promise<string> => engine.gateway().token(request)
  const refused = (words: RegExp): object => ({
    ...engine.refusal,
    message: expect.stringMatching(words),
  })

  test('statements count over all sessions of a token; another token has its own', async () => {
    const one = await token({ groups: ['calls'] })
    const [a, b, other] = await open(one, one, await token({ groups: ['calls'] }))
    if (!a || !b || !other) throw new Error('three clients')
    for (const client of [a, b, a]) await client.run('SELECT 1 AS n')
    for (const client of [a, b]) await client.runPrepared('SELECT 1 AS n')
    for (const client of [a, b]) {
      await expect(client.run('SELECT 1 AS n')).rejects.toMatchObject(refused(/"calls" is spent/))
    }
    expect(await other.run('SELECT 1 AS n')).toBe(1)
    await Promise.all([a, b, other].map((client) => client.end()))
  })

  test('rows count over all tokens of a run; a result is stopped where the budget ends', async () => {
    const run = { groups: ['runs'], graph: 'g', run: 'r1' }
    const [a, b, other] = await open(
      await token(run),
      await token(run),
      await token({ ...run, run: 'r2' }),
    )
    if (!a || !b || !other) throw new Error('three clients')
    expect(await a.run(ROWS(4))).toBe(4)
    expect(await b.runPrepared(ROWS(4))).toBe(4)
    const over = refused(/what is left of the budget "the run"/)
    await expect(a.run(ROWS(3))).rejects.toMatchObject(over)
    await expect(b.run('SELECT 1 AS n')).rejects.toMatchObject(refused(/"the run" is spent/))
    expect(await other.run(ROWS(10))).toBe(10)
    await Promise.all([a, b, other].map((client) => client.end()))
  })

  test('results at once, and several of one text, have no more than the budget together', async () => {
    const run = { groups: ['together'], graph: 'g', run: 'many' }
    const clients = await open(...(await Promise.all([1, 2, 3].map(() => token(run)))))
    const [alone] = await open(await token({ ...run, run: 'alone' }))
    const seen = await Promise.all(clients.map((client) => client.seen(MANY)))
    const sum = seen.reduce((all, n) => all + n, 0)
    expect(sum).toBeLessThanOrEqual(1000)
    // Parts of a twentieth that others have taken are not there for one that is at the end of its own.
    expect(sum).toBeGreaterThanOrEqual(1000 - 3 * 50)
    expect(await alone?.seen(`${MANY}; ${MANY}`)).toBe(1000)
    for (const client of [...clients, alone]) await client?.end()
  })

  test('bytes count', async () => {
    const [client] = await open(await token({ groups: ['volume'] }))
    if (!client) throw new Error('a client')
    expect(await client.run(`SELECT '${'x'.repeat(500)}' AS n`)).toBe(1)
    const over = refused(/what is left of the budget "volume"/)
    await expect(client.run(`SELECT '${'x'.repeat(900)}' AS n`)).rejects.toMatchObject(over)
    await client.end()
  })
}

describe('postgres', () => {
  let database: TestDatabase
  let gateway: TestGateway
  beforeAll(async () => {
    database = await usePostgres()
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [POLICY],
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await database?.drop()
  })
  budgets({
    gateway: () => gateway,
    refusal: { code: '53400' },
    async open(token) {
      const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
      await client.connect()
      return {
        run: async (sql) => (await client.query(sql)).rows.length,
        seen: (sql) =>
          new Promise((resolve) => {
            let rows = 0
            const query = new pg.Query(sql)
            query.on('row', () => rows++)
            query.on('error', () => resolve(rows))
            query.on('end', () => resolve(rows))
            client.query(query)
          }),
        runPrepared: async (sql) => (await client.query({ text: sql, values: [] })).rows.length,
        end: () => client.end(),
      }
    },
  })
})

onMysqlServers('%s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  beforeAll(async () => {
    db = await useMysql(flavour)
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [POLICY],
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })
  budgets({
    gateway: () => gateway,
    refusal: { errno: 1226 },
    async open(token) {
      const client = await mysql.createConnection({
        host: 'localhost',
        port: gateway.port,
        user: 'agent',
        password: token,
        database: gateway.connection,
        ssl: { ca: gateway.ca },
        multipleStatements: true,
      })
      return {
        run: async (sql) => ((await client.query(sql))[0] as unknown[]).length,
        seen: (sql) =>
          new Promise((resolve) => {
            let rows = 0
            // The driver's own commands: promises give whole results only.
            const query = (
              client as unknown as { connection: mysqlPlain.Connection }
            ).connection.query(sql)
            query.on('result', () => rows++)
            query.on('error', () => resolve(rows))
            query.on('end', () => resolve(rows))
          }),
        runPrepared: async (sql) => ((await client.execute(sql))[0] as unknown[]).length,
        end: () => client.end(),
      }
    },
  })
})
