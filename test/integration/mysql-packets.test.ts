/** What is between commands and texts: packets at their greatest length, several in one write, optional parts. */
import { CLIENT } from '@sallyport/protocol-mysql'
import mariadb from 'mariadb'
import mysql from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { CONNECT_MS_MAX } from '../support/mysql-through.ts'
import { MysqlWire } from '../support/mysql-wire.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const CANARY = 'canary'
/** A payload of this many bytes is followed by an empty packet. */
const PAYLOAD_BYTES = 0xff_ffff

onMysqlServers('packets of %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: { end(): Promise<unknown> }[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      `CREATE TABLE people (id INT PRIMARY KEY, ssn VARCHAR(40));
       INSERT INTO people VALUES (1, '${CANARY} 1'), (2, '${CANARY} 2')`,
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      config: { limits: { 'statement-bytes': 2 * PAYLOAD_BYTES } },
      policies: [
        `version: 1
rules:
  - { name: read, who: everyone, allow: { effects: [read, session], relations: ['*.people'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.people.ssn'], with: redact, except: { groups: [clear] } }
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

  async function wire(capabilities = 0, groups: string[] = []): Promise<MysqlWire> {
    const client = await MysqlWire.connect({
      host: '127.0.0.1',
      port: gateway.plainPort,
      user: 'tester',
      password: await gateway.token({ groups }),
      database: gateway.connection,
      capabilities,
    })
    open.push({ end: async () => client.close() })
    return client
  }

  async function driver(options: mysql.ConnectionOptions = {}): Promise<mysql.Connection> {
    const connection = await mysql.createConnection({
      host: '127.0.0.1',
      port: gateway.plainPort,
      user: 'tester',
      password: await gateway.token(),
      database: gateway.connection,
      ...options,
    })
    open.push(connection)
    return connection
  }

  test('a command and a row of exactly 16 MiB - 1 each have an empty packet behind them', async () => {
    const connection = await mariadb.createConnection({
      host: '127.0.0.1',
      port: gateway.plainPort,
      user: 'tester',
      password: await gateway.token(),
      database: gateway.connection,
      allowPublicKeyRetrieval: true,
      connectTimeout: CONNECT_MS_MAX,
    })
    open.push(connection)
    const around = ["SELECT LENGTH('", "') AS n"] as const
    const sent = PAYLOAD_BYTES - 1 - around.join('').length
    const [said] = await connection.query(around.join('x'.repeat(sent)))
    expect(Number(said.n)).toBe(sent)
    // The length of a value of this size takes four bytes.
    const [row] = await connection.query(`SELECT REPEAT('y', ${PAYLOAD_BYTES - 4}) AS v`)
    expect(row.v).toHaveLength(PAYLOAD_BYTES - 4)
    expect(await connection.query("SELECT 'z' AS z")).toEqual([{ z: 'z' }])
  })

  test('commands sent in one write are decided one by one, and answered in turn', async () => {
    const replies = await (await wire()).pipeline([
      'SELECT id FROM people',
      'DELETE FROM people',
      'SELECT ssn FROM people',
      'SELECT FROM people',
      'SELECT 5',
    ])
    expect(replies.map(({ error, rows }) => error?.errno ?? rows.length)).toEqual([
      2, 1227, 2, 1064, 1,
    ])
    expect(String(Buffer.concat([...(replies[2]?.packets ?? [])]))).not.toContain(CANARY)
  })

  test('query attributes stand before the text, and do not hide it', async () => {
    const connection = await driver()
    const attributes = { trace: "'; SELECT ssn FROM people -- ", none: null, n: 7 }
    const [rows] = await connection.query({
      sql: 'SELECT ssn FROM people WHERE id = 1',
      attributes,
    })
    expect(rows).toEqual([{ ssn: '[redacted]' }])
    await expect(connection.query({ sql: 'DELETE FROM people', attributes })).rejects.toMatchObject(
      {
        errno: 1227,
      },
    )
    const [[prepared]] = await connection.execute<mysql.RowDataPacket[]>({
      sql: 'SELECT ssn FROM people WHERE id = ?',
      values: [2],
      attributes,
    })
    expect(prepared).toEqual({ ssn: '[redacted]' })
    // MariaDB's servers do not have them, so that this driver does not send any.
    const attributed = wire(CLIENT.QUERY_ATTRIBUTES).then(
      () => 'mysql',
      () => 'mariadb',
    )
    expect(await attributed).toBe(flavour)
  })

  test.skipIf(flavour === 'mariadb')(
    'rows come without metadata to whom nothing is masked, to others not at all',
    async () => {
      const sql = 'SELECT id, ssn FROM people ORDER BY id'
      const clear = await wire(CLIENT.OPTIONAL_RESULTSET_METADATA, ['clear'])
      await clear.query('SET resultset_metadata = NONE')
      const { rows, packets } = await clear.query(sql)
      expect(rows.map(String)).toEqual([`\x011\x08${CANARY} 1`, `\x012\x08${CANARY} 2`])
      // Its count of columns, two rows and the end.
      expect(packets).toHaveLength(4)
      const masked = await wire(CLIENT.OPTIONAL_RESULTSET_METADATA)
      await masked.query('SET resultset_metadata = NONE')
      const refused = await masked.query(sql)
      expect(refused.error?.errno).toBe(1235)
      expect(String(Buffer.concat([...refused.packets]))).not.toContain(CANARY)
      await masked.query('SET resultset_metadata = FULL')
      expect((await masked.query(sql)).rows.map(String)).toEqual([
        '\x011\x0a[redacted]',
        '\x012\x0a[redacted]',
      ])
    },
  )

  test('a client that would compress is told that it cannot, and goes on', async () => {
    const client = await wire(CLIENT.COMPRESS)
    expect(client.capabilities.flags & CLIENT.COMPRESS).toBe(0)
    const [rows] = await (await driver({ compress: true })).query('SELECT 1 AS one')
    expect(rows).toEqual([{ one: 1 }])
  })
})
