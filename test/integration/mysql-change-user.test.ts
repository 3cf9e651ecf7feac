/** COM_CHANGE_USER: another login on the same connection, with everything a login is asked for. */
import { openAuditReader } from '@sallyport/audit'
import mariadb from 'mariadb'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { CONNECT_MS_MAX } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

onMysqlServers('COM_CHANGE_USER on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: { end(): Promise<unknown> }[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      'CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20)); INSERT INTO t VALUES (1, "one")',
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [
        `version: 1
rules:
  - { name: session, who: everyone, allow: { effects: [session], relations: ['*'], functions: ['*'], settings: ['*'] } }
  - { name: readers, who: { groups: [readers] }, allow: { effects: [read], relations: ['*'], functions: ['*'] } }
`,
      ],
    })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.end().catch(() => undefined)
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  /** Newest first. */
  async function events(): Promise<Readonly<Record<string, unknown>>[]> {
    const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
    try {
      const found: Readonly<Record<string, unknown>>[] = []
      for (const { event } of await reader.tail(200)) found.push(event)
      return found
    } finally {
      await reader.close()
    }
  }

  /** Of the sessions started last, in their order: whose, and how each ended. */
  async function sessions(count: number): Promise<unknown[][]> {
    const all = await events()
    const started = all.filter((event) => event['type'] === 'session-started').slice(0, count)
    return started.reverse().map(({ session, subject }) => {
      const end = all.find(
        (event) => event['type'] === 'session-ended' && event['session'] === session,
      )
      return [subject, end?.['reason'] ?? null]
    })
  }

  const token = (subject: string, groups: string[] = ['readers']): Promise<string> =>
    gateway.token({ subject, groups })

  async function client(plain = false): Promise<Connection> {
    const connection = await mysql.createConnection({
      host: 'localhost',
      port: plain ? gateway.plainPort : gateway.port,
      user: 'first',
      password: await token('first'),
      database: gateway.connection,
      ...(!plain && { ssl: { ca: gateway.ca } }),
    })
    open.push(connection)
    return connection
  }

  const NAMES = 'SELECT name FROM t'

  test.each([false, true])('is a new session, of another principal (plain: %s)', async (plain) => {
    const connection = await client(plain)
    await connection.query('SET @mine = 1')
    expect((await connection.query(NAMES))[0]).toEqual([{ name: 'one' }])
    await connection.changeUser({ user: 'second', password: await token('second', ['others']) })
    await expect(connection.query(NAMES)).rejects.toMatchObject({ errno: 1227 })
    await connection.changeUser({ user: 'third', password: await token('third') })
    const [rows] = await connection.query('SELECT name, @mine AS mine FROM t')
    expect(rows).toEqual([{ name: 'one', mine: null }])
    await connection.end()
    await expect
      .poll(() => sessions(3), { timeout: 10_000 })
      .toEqual([
        ['first', 'user-changed'],
        ['second', 'user-changed'],
        ['third', 'client-terminated'],
      ])
  })

  // The driver has it for MariaDB only.
  test.skipIf(flavour === 'mysql')('the MariaDB driver changes it', async () => {
    const connection = await mariadb.createConnection({
      host: 'localhost',
      port: gateway.port,
      user: 'first',
      password: await token('first'),
      database: gateway.connection,
      ssl: { ca: gateway.ca },
      connectTimeout: CONNECT_MS_MAX,
    })
    open.push(connection)
    await connection.changeUser({
      user: 'second',
      password: await token('second'),
      database: gateway.connection,
    })
    const [row] = await connection.query("SELECT name, 'größe' AS text FROM t")
    expect(row).toEqual({ name: 'one', text: 'größe' })
  })

  test('a token that is none ends the connection', async () => {
    const connection = await client()
    await expect(
      connection.changeUser({ user: 'second', password: 'spt_wrong' }),
    ).rejects.toMatchObject({ errno: 1045 })
    await expect(connection.query(NAMES)).rejects.toThrow()
    open.pop()
    connection.destroy()
    const last = (await events()).find((event) => event['type'] === 'authentication')
    expect(last).toMatchObject({ outcome: 'refused' })
  })
})
