/** LOAD DATA LOCAL: the server asks the client for a file, through the gateway. */
import { Readable } from 'node:stream'
import mysql, { type Connection, type ResultSetHeader } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

onMysqlServers('files of clients on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: Connection[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      `CREATE TABLE people (id INT PRIMARY KEY, ssn VARCHAR(40));
       CREATE TABLE guarded (id INT, ssn VARCHAR(40));
       CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW SIGNAL SQLSTATE '45000'`,
    )
    const relations = `relations: ['${db.database}.*']`
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      connectionOptions: { 'local-infile': true },
      policies: [
        `version: 1
rules:
  - { name: loaders, who: { groups: [loaders] }, allow: { effects: [read, write, copy], ${relations}, functions: ['*'] } }
  - { name: writers, who: { groups: [writers] }, allow: { effects: [read, write], ${relations}, functions: ['*'] } }
masks:
  - { columns: ['*.people.ssn'], with: { partial: { keep-last: 2 } } }
`,
      ],
    })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.end().catch(() => undefined)
    await db.sql('TRUNCATE people')
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function client(group: string): Promise<Connection> {
    const connection = await mysql.createConnection(
      await mysqlThrough(gateway, { groups: [group] }),
    )
    open.push(connection)
    return connection
  }

  async function load(
    connection: Connection,
    file: Iterable<string>,
    table = 'people',
  ): Promise<number> {
    const [done] = await connection.query<ResultSetHeader>({
      sql: `LOAD DATA LOCAL INFILE 'people.csv' INTO TABLE ${table} FIELDS TERMINATED BY ','`,
      infileStreamFactory: () => Readable.from([...file].map((line) => Buffer.from(line))),
    })
    return done.affectedRows
  }

  test('are loaded where connection and policy allow it, and the session goes on', async () => {
    const connection = await client('loaders')
    const lines = Array.from({ length: 20_000 }, (_, id) => `${id},ssn-${id}\n`)
    expect(await load(connection, lines)).toBe(lines.length)
    const [rows] = await connection.query('SELECT COUNT(*) AS n FROM people')
    expect(rows).toEqual([{ n: lines.length }])
    expect(await db.sql('SELECT ssn FROM people WHERE id = 19999')).toEqual([{ ssn: 'ssn-19999' }])
  })

  test('are read to their end when a line fails, and the session goes on', async () => {
    const connection = await client('loaders')
    const lines = Array.from({ length: 20_000 }, (_, at) => `${at % 7},refused\n`)
    await expect(load(connection, lines, 'guarded')).rejects.toMatchObject({ errno: 1644 })
    expect((await connection.query('SELECT COUNT(*) AS n FROM guarded'))[0]).toEqual([{ n: 0 }])
  })

  test('are not asked for where policy does not allow to copy', async () => {
    const connection = await client('writers')
    await expect(load(connection, ['1,x\n'])).rejects.toMatchObject({ errno: 1227 })
    expect((await connection.query('SELECT COUNT(*) AS n FROM people'))[0]).toEqual([{ n: 0 }])
  })
})
