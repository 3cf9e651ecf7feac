import mysql from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

onMysqlServers('%s for tests', (flavour) => {
  let db: TestMysqlDatabase
  beforeAll(async () => {
    db = await useMysql(flavour)
  })
  afterAll(() => db?.drop())

  test('has a database of its own and is of the flavour it says', async () => {
    expect(/mariadb/i.test(db.version)).toBe(flavour === 'mariadb')
    const rows = await db.sql(
      'CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); SELECT sum(a) + 0 AS s, database() AS d FROM t',
    )
    expect(rows).toEqual([{ s: '3', d: db.database }])
    expect(await db.sql('SELECT ? + 1 AS n', [41])).toEqual([{ n: 42 }])
  })

  test('shows a certificate of its authority', async (context) => {
    context.skip(db.ca === undefined, 'a server with a certificate of its own')
    const { host, port, superuser } = db
    const ssl = { ca: db.ca ?? '', verifyIdentity: true }
    const client = await mysql.createConnection({ host, port, ...superuser, ssl })
    const [rows] = await client.query("SHOW STATUS LIKE 'Ssl_cipher'")
    await client.end()
    expect(rows).toMatchObject([{ Value: expect.stringMatching(/^TLS|AES/) }])
  })
})
