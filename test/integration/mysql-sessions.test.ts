import { connect } from 'node:net'
import { Readable } from 'node:stream'
import mariadb from 'mariadb'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const EVERYTHING = new URL('../../policies/allow-everything.yaml', import.meta.url)

onMysqlServers('sessions on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: { end(): Promise<unknown> }[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20)); INSERT INTO t VALUES (1, 'one'), (2, 'two')",
    )
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [EVERYTHING],
    })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.end().catch(() => undefined)
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function client(over: mysql.ConnectionOptions = {}): Promise<Connection> {
    const connection = await mysql.createConnection({
      ...(await mysqlThrough(gateway)),
      ...over,
    })
    open.push(connection)
    return connection
  }

  test('mysql2 logs in over TLS with a token, in text and in prepared statements', async () => {
    const connection = await client()
    const [rows] = await connection.query('SELECT * FROM t ORDER BY id')
    expect(rows).toEqual([
      { id: 1, name: 'one' },
      { id: 2, name: 'two' },
    ])
    const [prepared] = await connection.execute('SELECT name FROM t WHERE id = ?', [2])
    expect(prepared).toEqual([{ name: 'two' }])
    const [again] = await connection.execute('SELECT name FROM t WHERE id = ?', [1])
    expect(again).toEqual([{ name: 'one' }])
  })

  test('the MariaDB driver logs in over TLS with a token', async () => {
    const connection = await mariadb.createConnection({
      ...(await mysqlThrough(gateway)),
    })
    open.push(connection)
    expect(await connection.query('SELECT name FROM t WHERE id = 1')).toMatchObject([
      { name: 'one' },
    ])
    expect(await connection.execute('SELECT name FROM t WHERE id = ?', [2])).toMatchObject([
      { name: 'two' },
    ])
  })

  test('a short token comes over plain TCP from this machine, encrypted for the gateway', async () => {
    const connection = await client({ port: gateway.plainPort, ssl: undefined as never })
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('a wrong token is a refused login', async () => {
    await expect(client({ password: 'spt_wrong' })).rejects.toMatchObject({
      errno: 1045,
      sqlState: '28000',
    })
  })

  test('a connection that is not there is an unknown database', async () => {
    await expect(client({ database: 'nothing' })).rejects.toMatchObject({ errno: 1049 })
  })

  test('who names no database gets the only connection, with none selected', async () => {
    const connection = await client({ database: undefined as never })
    const [rows] = await connection.query('SELECT DATABASE() AS d')
    expect(rows).toEqual([{ d: null }])
  })

  test('files of clients are not taken unless the connection says so', async () => {
    const connection = await client()
    const loading = connection.query({
      sql: "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
      infileStreamFactory: () => Readable.from([Buffer.from('9\tnine\n')]),
    })
    await expect(loading).rejects.toThrow(/disabled/)
    expect((await connection.query('SELECT COUNT(*) AS n FROM t'))[0]).toEqual([{ n: 2 }])
  })

  test('a name that is no connection’s is a database of the one the listener is for', async () => {
    const own = await startTestGateway({
      upstream: db,
      database: db.database,
      connection: 'crm',
      databases: ['information_schema'],
      listenerForConnection: true,
      policies: [EVERYTHING],
    })
    try {
      const there = { port: own.port, password: await own.token(), ssl: { ca: own.ca } }
      const named = await client({ ...there, database: 'information_schema' })
      expect((await named.query('SELECT DATABASE() AS d'))[0]).toEqual([
        { d: 'information_schema' },
      ])
      await expect(client({ ...there, database: 'mysql' })).rejects.toMatchObject({ errno: 1049 })
    } finally {
      for (const one of open.splice(0)) await one.end()
      await own.close()
    }
  })

  test('a connection that the server drops is lost, as without the gateway', async () => {
    const connection = await client()
    const [[row]] = await connection.query<mysql.RowDataPacket[]>('SELECT CONNECTION_ID() AS id')
    const running = connection.query('SELECT SLEEP(20)')
    const lost = expect(running).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' })
    await db.sql(`KILL ${row?.['id']}`)
    await lost
    await expect(connection.query('SELECT 1')).rejects.toThrow(/closed/)
    open.pop()
  })

  test('an error of the server is its own, and the connection stays', async () => {
    const connection = await client()
    await expect(connection.query('SELECT * FROM missing')).rejects.toMatchObject({ errno: 1146 })
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('several statements give several results', async () => {
    const connection = await client({ multipleStatements: true })
    const [results] = await connection.query('SELECT 1 AS a; SELECT 2 AS b')
    expect(results).toEqual([[{ a: 1 }], [{ b: 2 }]])
  })

  test('a running statement is ended by KILL QUERY with the id the client was greeted with', async () => {
    const connection = await client()
    const other = await client()
    const running = connection.query('SELECT SLEEP(30)').then(
      ([rows]) => rows,
      (error: unknown) => error,
    )
    await new Promise((resolve) => setTimeout(resolve, 300))
    await other.query(`KILL QUERY ${connection.threadId}`)
    // SLEEP answers 1 when it is interrupted, or the statement fails with 1317.
    expect(JSON.stringify(await running)).toMatch(/1317|"SLEEP\(30\)":1/)
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('KILL of one session by another of the same person ends it', async () => {
    const connection = await client()
    const other = await client()
    const [[row]] = (await connection.query('SELECT CONNECTION_ID() AS id')) as unknown as [
      [{ id: number }],
    ]
    const running = connection.query('SELECT SLEEP(30)')
    const lost = expect(running).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' })
    await other.query(`KILL ${row.id}`)
    await lost
    await expect(connection.query('SELECT 1')).rejects.toThrow()
  })

  const kills: [string, (other: Connection, id: number) => Promise<unknown>][] = [
    [
      'beside another statement',
      (other, id) => other.query(`SELECT '${id}'; KILL ${id}; DO SLEEP(0)`),
    ],
    [
      'as a literal of a text that was decided before',
      async (other, id) => {
        await other.query('DO 1; KILL QUERY 1').catch(() => null)
        await other.query(`DO 1; KILL ${id}`)
      },
    ],
  ]
  // MySQL takes no markers there.
  if (flavour === 'mariadb')
    kills.push(['as a parameter', (other, id) => other.execute('KILL ?', [id])])
  test.each(kills)('KILL with the id of the greeting %s', async (_name, kill) => {
    const connection = await client()
    const other = await client({ multipleStatements: true })
    const running = connection.query('SELECT SLEEP(30)')
    const lost = expect(running).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' })
    await kill(other, connection.threadId)
    await lost
    expect((await other.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('a probe that says nothing, and one that is no client, end without harm', async () => {
    const probe = connect({ host: '127.0.0.1', port: gateway.port })
    await new Promise<void>((resolve) => probe.once('data', () => resolve()))
    probe.end('GET / HTTP/1.0\r\n\r\n')
    await new Promise<void>((resolve) => probe.once('close', () => resolve()))
    expect((await (await client()).query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })
})
