/**
 * Batches of MariaDB's connectors (COM_STMT_BULK_EXECUTE): every row of one is held to what a single execution is
 * held to, and the driver gets what the server gives.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as mariadb from 'mariadb'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { CONNECT_MS_MAX, mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const ROWS = 500
const PROBES_MAX = 4

onMysqlServers('batches on %s', () => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let client: mariadb.Connection

  beforeAll(async () => {
    db = await useMysql('mariadb')
    await db.sql(`CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, ssn VARCHAR(40), hits INT DEFAULT 5);
      CREATE TABLE guarded (ssn VARCHAR(40), hits INT); INSERT INTO guarded VALUES ('a', 0);
      CREATE TABLE held (id INT); CREATE TABLE hits (id INT PRIMARY KEY, label VARCHAR(9)); CREATE TABLE hidden (id INT)`)
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [
        `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
  - { name: asked, who: everyone, approve: { effects: [write], relations: ['*.held'] }, approvers: { groups: [dba] } }
  - { name: not this, who: everyone, deny: { relations: ['*.hidden'] } }
masks:
  - { columns: ['*.people.ssn'], with: redact, except: { groups: [clear] } }
  - { columns: ['*.guarded.ssn'], with: redact, predicates: equality, probes: { max: ${PROBES_MAX}, within: 10m } }
record:
  - { who: everyone, rows: 5, parameters: true }
`,
      ],
    })
  })
  beforeEach(async () => {
    await db.sql('TRUNCATE people')
    client = await connect()
  })
  afterEach(() => client?.end())
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function connect(groups: readonly string[] = []): Promise<mariadb.Connection> {
    return mariadb.createConnection(await mysqlThrough(gateway, { groups }))
  }

  const many = Array.from({ length: ROWS }, (_, i) => [`s${i}`, i])
  const count = async (): Promise<unknown> => db.sql('SELECT COUNT(*) AS n FROM people')
  const statements = (): { sql: string; parameters?: unknown[]; cut?: unknown; code?: string }[] =>
    readdirSync(gateway.auditDirectory)
      .filter((name) => /^\d+\.jsonl$/.test(name))
      .flatMap((name) => readFileSync(join(gateway.auditDirectory, name), 'utf8').split('\n'))
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line).event]))
      .filter(({ type }) => type === 'statement')

  test('a batch runs as one statement, with NULLs, and says how many rows there were', async () => {
    const done = await client.batch('INSERT INTO people (ssn, hits) VALUES (?, ?)', many)
    // One reply, or since MariaDB 11.5 what each row did.
    const affected = [done].flat().map((one: mariadb.UpsertResult) => one.affectedRows)
    expect(affected.reduce((sum, each) => sum + each)).toBe(ROWS)
    await client.batch('UPDATE people SET hits = ? WHERE id = ?', [
      [null, 1],
      [8, 2],
    ])
    expect(await db.sql('SELECT hits FROM people WHERE id < 4 ORDER BY id')).toEqual([
      { hits: null },
      { hits: 8 },
      { hits: 2 },
    ])
    const ran = statements().filter(({ sql }) => sql.startsWith('INSERT INTO people (ssn, hits)'))
    // Prepared once, run once.
    expect(ran).toHaveLength(2)
  })

  // Of each row since MariaDB 11.5, before that of all of them.
  test.each([
    ['INSERT INTO people (hits, ssn) VALUES (?, ?)', []],
    ['INSERT INTO people (hits, ssn) VALUES (?, ?)', ['clear']],
    ['INSERT INTO hits VALUES (?, ?) ON DUPLICATE KEY UPDATE label = VALUES(label)', []],
    ['INSERT INTO hits VALUES (?, ?) RETURNING id', []],
  ])('what %s did is told as without the gateway, to groups %j', async (sql, groups) => {
    const { host, port, database, superuser } = db
    await using direct = await mariadb.createConnection({
      ...superuser,
      host,
      port,
      database,
      connectTimeout: CONNECT_MS_MAX,
    })
    await using through = await connect(groups)
    const rows = [
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]
    const told = async (one: mariadb.Connection): Promise<unknown> => {
      await db.sql("TRUNCATE people; DELETE FROM hits; INSERT INTO hits VALUES (1, 'x'), (2, 'b')")
      if (sql.includes('RETURNING')) await db.sql('DELETE FROM hits')
      return one.batch(sql, rows)
    }
    expect(await told(through)).toEqual(await told(direct))
    expect(await through.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('what it returns is masked', async () => {
    const rows: unknown = await client.batch(
      'INSERT INTO people (ssn) VALUES (?) RETURNING id, ssn',
      [['secret 1'], ['secret 2']],
    )
    expect(rows).toEqual([
      { id: 1, ssn: '[redacted]' },
      { id: 2, ssn: '[redacted]' },
    ])
  })

  test('a masked value in one row refuses the batch, and none of it runs', async () => {
    const rows = [...many.slice(0, 3), ['[redacted]', 1], ...many.slice(3, 5)]
    const refused = client.batch('INSERT INTO people (ssn, hits) VALUES (?, ?)', rows)
    await expect(refused).rejects.toThrow(/looks like its mask/)
    expect(await count()).toEqual([{ n: 0 }])
    // The session goes on.
    expect(await client.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('each row is a probe of what it compares', async () => {
    const tries = Array.from({ length: PROBES_MAX + 1 }, (_, i) => [`guess ${i}`])
    const refused = client.batch('UPDATE guarded SET hits = 1 WHERE ssn = ?', tries)
    await expect(refused).rejects.toThrow(/more different values than policy allows/)
  })

  test('how many masked values were others than those they are set to is not told', async () => {
    await db.sql("INSERT INTO people (id, ssn) VALUES (1, 'a'), (2, 'b')")
    const guesses = [
      ['a', 1],
      ['guess', 2],
    ]
    const told = client.batch('UPDATE people SET ssn = ? WHERE id = ?', guesses)
    await expect(told).rejects.toThrow(/would tell of masked values/)
    const sql = 'UPDATE people SET ssn = ? WHERE id = ?'
    expect(await client.batch({ sql, bulk: false }, guesses)).toMatchObject([
      { affectedRows: 1 },
      { affectedRows: 1 },
    ])
  })

  test('what is refused, or needs approval, is so in a batch', async () => {
    const ids = [[1], [2]]
    await expect(client.batch('INSERT INTO hidden VALUES (?)', ids)).rejects.toMatchObject({
      errno: 1227,
    })
    const held = client.batch('INSERT INTO held VALUES (?)', ids)
    await expect(held).rejects.toThrow(/a batch of rows cannot be held/)
    expect(await db.sql('SELECT COUNT(*) AS n FROM held')).toEqual([{ n: 0 }])
  })

  test('its parameters are recorded row after row, those of protected columns not', async () => {
    await client.batch('INSERT INTO people (hits) VALUES (?)', [[11], [null], [13]])
    await client.batch('INSERT INTO people (ssn) VALUES (?)', [['secret'], ['other']])
    const ran = statements().filter(({ parameters }) => parameters !== undefined)
    expect(ran.map(({ parameters }) => parameters)).toEqual(
      expect.arrayContaining([
        ['11', null, '13'],
        ['[withheld]', '[withheld]'],
      ]),
    )
  })
}, ['mariadb'])
