/**
 * Sessions are at one gateway, what is meant for them comes to another of the same store: a cancel request behind a
 * load balancer, KILL, an operator's word.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openAuditReader } from '@sallyport/audit'
import mysql from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { freePort } from '../support/ports.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cancelAt, errorsOf, say, WireClient } from '../support/wire.ts'

const POLICY = new URL('../../policies/allow-everything.yaml', import.meta.url)
const FOREVER = 'SELECT pg_sleep(3600)'

let store: TestDatabase
const open: { close(): unknown }[] = []

beforeAll(async () => {
  store = await usePostgres()
})
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})
afterAll(async () => {
  await store.drop()
})

async function until(met: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await met())) {
    if (Date.now() > deadline) throw new Error('it did not come to that')
    await sleep(20)
  }
}

describe('on PostgreSQL', () => {
  let database: TestDatabase
  let first: TestGateway
  let second: TestGateway

  beforeAll(async () => {
    database = await usePostgres()
    const start = (): Promise<TestGateway> =>
      startTestGateway({
        upstream: database,
        database: database.database,
        via: 'tcp',
        policies: [POLICY],
        config: {
          admin: { port: 0, operators: { groups: ['ops'] } },
          store: { url: `plain:${store.url}` },
        },
      })
    first = await start()
    second = await start()
  })
  afterAll(async () => {
    await first.close()
    await second.close()
    await database.drop()
  })

  async function client(minor: 0 | 2 = 0): Promise<WireClient> {
    const wire = await WireClient.connect({
      host: first.host,
      port: first.plainPort,
      user: 'ann',
      password: await first.token({ subject: 'ann' }),
      database: first.connection,
      minor,
    })
    open.push(wire)
    return wire
  }
  async function forever(wire: WireClient): Promise<void> {
    wire.send({ kind: 'Query', text: FOREVER })
    await until(async () => (await running()) === 1)
  }
  async function running(): Promise<number> {
    const rows = await database.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query = $1 AND state = 'active'`,
      [FOREVER],
    )
    return rows.length
  }

  test.each([0, 2] as const)('a cancel request of protocol 3.%i cancels', async (minor) => {
    const wire = await client(minor)
    const { key } = wire
    if (key === null) throw new Error('no key')
    await forever(wire)
    const elsewhere = { host: second.host, port: second.plainPort }
    const wrong = Buffer.from(key.secret)
    wrong[0] = (wrong[0] ?? 0) ^ 1
    await cancelAt(elsewhere, { pid: key.pid, secret: wrong })
    expect(await running()).toBe(1)
    await cancelAt(elsewhere, key)
    expect(say(await wire.replies())).toMatch(/E:57014 Z:I$/)
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test('secrets of cancel keys are not stored', async () => {
    const wire = await client()
    const { key } = wire
    if (key === null) throw new Error('no key')
    await forever(wire)
    await cancelAt({ host: second.host, port: second.plainPort }, key)
    await wire.replies()
    const rows = await store.sql<{ secret: string }>(
      `SELECT question->>'secret' AS secret FROM sallyport_questions WHERE question->>'kind' = 'cancel'`,
    )
    expect(rows.length).toBeGreaterThan(0)
    // The secret of protocol 3.0 has four bytes.
    for (const { secret } of rows) expect(secret).toMatch(/^[0-9a-f]{64}$/)
  })

  test('every gateway’s are listed at each, to who may see them; to watch one, its own is named', async () => {
    await client()
    const operator = await controlOf(second, { subject: 'olga', groups: ['ops'] })
    const ann = await controlOf(second, { subject: 'ann' })
    const bob = await controlOf(second, { subject: 'bob' })
    const { body } = await operator.get('/v1/sessions')
    expect(body.unanswered).toBe(0)
    expect(body.sessions).toMatchObject([{ subject: 'ann', gateway: expect.any(String) }])
    const own = (await ann.get('/v1/sessions')).body.sessions
    expect(own.map(({ id }: { id: string }) => id)).toEqual([body.sessions[0].id])
    expect((await bob.get('/v1/sessions')).body.sessions).toEqual([])
    const watched = await operator.get(`/v1/sessions/${body.sessions[0].id}/events`)
    expect(watched).toMatchObject({ status: 409, body: { error: 'elsewhere' } })
    expect((await bob.get(`/v1/sessions/${body.sessions[0].id}/events`)).status).toBe(404)
  })

  test('a gateway that died a moment ago keeps nobody waiting, and is said to be silent', async () => {
    await store.sql(`INSERT INTO sallyport_gateways VALUES ('dead', now() + interval '1 minute')`)
    const operator = await controlOf(second, { subject: 'olga', groups: ['ops'] })
    await client()
    const { body } = await operator.get('/v1/sessions')
    expect(body.unanswered).toBe(1)
    expect(body.sessions).toHaveLength(1)
    await store.sql(`DELETE FROM sallyport_gateways WHERE id = 'dead'`)
  })

  test('an operator ends it, and is named in the record; another person cannot', async () => {
    const wire = await client()
    const operator = await controlOf(second, { subject: 'olga', groups: ['ops'] })
    const bob = await controlOf(second, { subject: 'bob' })
    const ann = await controlOf(first, { subject: 'ann' })
    const [session] = (await ann.get('/v1/sessions')).body.sessions
    expect((await bob.delete(`/v1/sessions/${session.id}`)).status).toBe(404)
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
    expect((await operator.delete(`/v1/sessions/${session.id}`)).status).toBe(204)
    expect(errorsOf(await wire.until(({ type }) => type === 'E'))[0]?.message).toMatch(
      /administrator/,
    )
    const reader = await openAuditReader({ directory: first.auditDirectory, update: true })
    open.push(reader)
    const cancel = (await reader.tail(20)).find(({ event }) => event.type === 'cancel')
    expect(cancel?.event).toMatchObject({ session: session.id, source: 'operator', by: 'olga' })
  })
})

test('two gateways listen on one port, and the system spreads the clients over them', async () => {
  const database = await usePostgres()
  open.push({ close: () => database.drop() })
  const port = await freePort()
  const listener = { protocol: 'postgres', host: '127.0.0.1', port, tls: 'off', 'reuse-port': true }
  const start = async (name: string): Promise<TestGateway> => {
    const gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      connection: 'crm',
      via: 'tcp',
      policies: [POLICY],
      config: {
        listeners: [listener],
        admin: { port: 0 },
        store: { url: `plain:${store.url}`, gateway: name },
      },
    })
    open.push(gateway)
    return gateway
  }
  const first = await start('first')
  await start('second')
  const password = await first.token({ subject: 'ann' })
  const ann = await controlOf(first, { subject: 'ann' })
  const served = async (): Promise<number> => {
    const { sessions } = (await ann.get('/v1/sessions')).body
    return new Set(sessions.map((one: { gateway: string }) => one.gateway)).size
  }
  // The system chooses by a hash of the addresses: of enough clients, each gateway gets some.
  await until(async () => {
    const wire = await WireClient.connect({
      host: '127.0.0.1',
      port,
      user: 'ann',
      password,
      database: 'crm',
    })
    open.push(wire)
    return (await served()) === 2
  })
})

onMysqlServers('on %s', () => {
  let database: TestMysqlDatabase
  let first: TestGateway
  let second: TestGateway

  beforeAll(async () => {
    database = await useMysql('mariadb')
    const start = (): Promise<TestGateway> =>
      startTestGateway({
        upstream: database,
        database: database.database,
        policies: [POLICY],
        config: { store: { url: `plain:${store.url}` } },
      })
    first = await start()
    second = await start()
  })
  afterAll(async () => {
    await first.close()
    await second.close()
    await database.drop()
  })

  async function client(gateway: TestGateway, subject: string): Promise<mysql.Connection> {
    const connection = await mysql.createConnection(await mysqlThrough(gateway, { subject }))
    open.push({ close: () => connection.end().catch(() => undefined) })
    return connection
  }

  test('KILL QUERY cancels what runs at the other, for the same person only', async () => {
    const connection = await client(first, 'ann')
    let ended = false
    const running = connection.query('SELECT SLEEP(3600)').then(
      ([rows]) => JSON.stringify(rows),
      (error: Error) => error.message,
    )
    void running.then(() => {
      ended = true
    })
    await until(async () => {
      const rows = await database.sql(
        `SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(3600)' AND db = '${database.database}'`,
      )
      return rows.length === 1
    })
    const bob = await client(second, 'bob')
    await expect(bob.query(`KILL QUERY ${connection.threadId}`)).rejects.toThrow()
    expect(ended).toBe(false)
    await (await client(second, 'ann')).query(`KILL QUERY ${connection.threadId}`)
    // SLEEP answers 1 when it is interrupted, or the statement fails.
    expect(await running).toMatch(/interrupted|:1/)
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('KILL ends a session at the other', async () => {
    const connection = await client(first, 'ann')
    const ended = new Promise((resolve) => connection.on('error', resolve))
    await (await client(second, 'ann')).query(`KILL ${connection.threadId}`)
    await ended
    await expect(connection.query('SELECT 1')).rejects.toThrow()
  })
}, ['mariadb'])
