/**
 * MySQL's caching_sha2_password tells that it knows the password and that the login is done in two packets, which
 * come in one read more often than not; here always, because a proxy in front of the real server waits for both.
 */
import { type AddressInfo, createServer, connect as dial, type Server } from 'node:net'
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const LOGINS = 8
/** AuthMoreData, the fast path succeeded: one packet of two bytes, the second or fourth of the login. */
const FAST_AUTH_OK = Buffer.of(1, 3)
const OK = 0

onMysqlServers('caching_sha2_password on %s', () => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let proxy: Server
  let together = 0

  beforeAll(async () => {
    db = await useMysql('mysql')
    proxy = createServer((client) => {
      const server = dial(db.port, db.host)
      let kept = Buffer.alloc(0)
      client.pipe(server)
      server.on('data', (chunk) => {
        kept = Buffer.concat([kept, chunk])
        if (kept.length === 6 && kept.subarray(4).equals(FAST_AUTH_OK)) return
        if (kept.length > 10 && kept.subarray(4, 6).equals(FAST_AUTH_OK) && kept[10] === OK)
          together++
        client.write(kept)
        kept = Buffer.alloc(0)
      })
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        one.on('error', () => other.destroy())
        one.on('close', () => other.destroy())
      }
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    gateway = await startTestGateway({
      upstream: { ...db, port: (proxy.address() as AddressInfo).port },
      database: db.database,
      via: 'tcp',
      policies: [new URL('../../policies/allow-everything.yaml', import.meta.url)],
    })
  })
  afterAll(async () => {
    await gateway?.close()
    proxy?.close()
    await db?.drop()
  })

  test('the result of the fast path and the OK in one read open a session, every time', async () => {
    const before = together
    const options = await mysqlThrough(gateway)
    for (let i = 0; i < LOGINS; i++) {
      const client = await mysql.createConnection(options)
      const [rows] = await client.query('SELECT 1 AS one')
      expect(rows).toEqual([{ one: 1 }])
      await client.end()
    }
    expect(together - before).toBeGreaterThanOrEqual(LOGINS)
  })
}, ['mysql'])
