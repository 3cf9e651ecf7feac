/** Commands that no driver of npm sends, and texts that are not what they seem, against real servers. */
import { connect, type Socket } from 'node:net'
import { openAuditReader } from '@sallyport/audit'
import { COM, SET_OPTION } from '@sallyport/protocol-mysql'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type MysqlReply, MysqlWire } from '../support/mysql-wire.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const CANARY = 'canary'
const IDLE_CLIENTS = 5

const uint16 = (value: number): Buffer => Buffer.of(value & 0xff, value >>> 8)
const bytesOf = ({ packets }: MysqlReply): string => Buffer.concat(packets).toString('latin1')

onMysqlServers('commands on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: MysqlWire[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      `CREATE TABLE people (id INT PRIMARY KEY, ssn VARCHAR(40) DEFAULT 'none');
       INSERT INTO people VALUES (1, '${CANARY} 1'), (2, '${CANARY} 2'), (3, '${CANARY} 3');
       CREATE TABLE hidden (id INT)`,
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [
        `version: 1
rules:
  - { name: read, who: everyone, allow: { effects: [read, session], relations: ['*.people'], functions: ['*'], settings: ['*'] } }
  - { name: blind, who: { groups: [blind] }, deny: { commands: ['show columns'] } }
masks:
  - { columns: ['*.people.ssn'], with: redact }
`,
      ],
    })
  })
  afterEach(async () => {
    for (const wire of open.splice(0)) await wire[Symbol.asyncDispose]()
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function wire(groups: readonly string[] = []): Promise<MysqlWire> {
    const opened = await MysqlWire.connect({
      host: '127.0.0.1',
      port: gateway.plainPort,
      user: 'tester',
      password: await gateway.token({ groups: [...groups] }),
      database: gateway.connection,
    })
    open.push(opened)
    return opened
  }

  test('rows of a cursor are masked in every COM_STMT_FETCH', async () => {
    const client = await wire()
    const reply = await client.execute('SELECT id, ssn FROM people ORDER BY id', { cursor: true })
    expect(reply.rows).toHaveLength(3)
    expect(bytesOf(reply).split('[redacted]')).toHaveLength(4)
    expect(bytesOf(reply)).not.toContain(CANARY)
  })

  test('COM_FIELD_LIST is decided as SHOW COLUMNS is', async () => {
    const table = Buffer.from('people\0')
    const shown = await (await wire()).command(COM.FIELD_LIST, table)
    expect(bytesOf(shown)).toContain('ssn')
    const refused = await (await wire(['blind'])).command(COM.FIELD_LIST, table)
    expect(refused.error?.errno).toBe(1227)
  })

  test('texts that are decided alike are sent and recorded each as its own', async () => {
    const client = await wire()
    const texts = [41, 41, 42, 43].map((n) => `SELECT id + ${n} FROM people WHERE id = 1`)
    const replies: string[] = []
    for (const text of texts) replies.push(bytesOf(await client.query(text)))
    // Two characters, and their length before them.
    const cells = replies.map((reply) => reply.split('\x02').find((one) => /^4\d/.test(one)))
    expect(cells.map((cell) => cell?.slice(0, 2))).toEqual(['42', '42', '43', '44'])
    const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
    const recorded = (await reader.tail(50)).map(({ event }) => String(event['sql']))
    await reader.close()
    const own = recorded.filter((sql) => sql.startsWith('SELECT id + 4'))
    expect(own.reverse()).toEqual(texts)
  })

  test('COM_SET_OPTION takes several statements in one text away, and gives them back', async () => {
    const client = await wire()
    const two = 'SELECT 1; SELECT 2'
    expect((await client.query(two)).rows).toHaveLength(2)
    await client.command(COM.SET_OPTION, uint16(SET_OPTION.MULTI_STATEMENTS_OFF))
    expect((await client.query(two)).error?.errno).toBe(1064)
    await client.command(COM.SET_OPTION, uint16(SET_OPTION.MULTI_STATEMENTS_ON))
    expect((await client.query(two)).rows).toHaveLength(2)
  })

  test('COM_STATISTICS, COM_PING and a command that is none are answered in turn', async () => {
    const client = await wire()
    expect(bytesOf(await client.command(COM.STATISTICS))).toMatch(/Uptime|not allow/)
    expect((await client.command(0x15)).error?.errno).toBe(1047)
    expect((await client.command(COM.PING)).error).toBeNull()
  })

  test.each([
    '/*!50000 DROP TABLE people */',
    'SELECT 1; /*!50000 DROP TABLE people */',
    'UPDATE IGNORE people SET ssn = 1',
    'SELECT * FROM (people JOIN hidden ON TRUE)',
    'SELECT id FROM people UNION (SELECT id FROM hidden)',
  ])('refuses %s', async (sql) => {
    expect((await (await wire()).query(sql)).error?.errno).toBe(1227)
    expect(await db.sql('SELECT COUNT(*) AS n FROM people')).toEqual([{ n: 3 }])
  })

  test.each([
    ['SELECT 5--1', '6'],
    ['SELECT q.ssn FROM ((people AS q JOIN people AS p USING (id)))', '[redacted]'],
    ["SELECT 'a' /*! , ssn */ FROM people", '[redacted]'],
  ])('%s', async (sql, shown) => {
    const reply = await (await wire()).query(sql)
    expect(bytesOf(reply)).toContain(shown)
    expect(bytesOf(reply)).not.toContain(CANARY)
  })

  test('clients that never say a word hold nobody up', async () => {
    const silent: Socket[] = []
    for (let i = 0; i < IDLE_CLIENTS; i++) {
      silent.push(connect({ host: '127.0.0.1', port: gateway.plainPort }))
    }
    try {
      await Promise.all(
        silent.map((socket) => new Promise((resolve) => socket.once('data', resolve))),
      )
      const client = await wire()
      expect((await client.query('SELECT 1')).rows).toHaveLength(1)
    } finally {
      for (const socket of silent) socket.destroy()
    }
  })
})
