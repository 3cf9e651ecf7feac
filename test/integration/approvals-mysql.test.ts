/** Statements that wait for people on the MySQL protocol, with mysql2. */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mysqlRunner, type SallyportError } from '@sallyport/langgraph'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const policyOf = (database: string): string => `version: 1
limits:
  - { name: long results, who: { groups: [readers] }, rows: 10, on-exceed: approve, approvers: { groups: [dba] } }
rules:
  - { name: reading, who: everyone, allow: { effects: [read], relations: ['${database}.*'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [${database}.t] }
    approvers: { groups: [dba], within: 30s }
  - name: soon
    who: everyone
    approve: { effects: [write], relations: [${database}.soon] }
    approvers: { groups: [dba], within: 1s }
`

onMysqlServers('approvals on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let ann: Control
  const open: Connection[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql('CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE soon (id INT)')
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [policyOf(db.database)],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) one.destroy()
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function client(
    attributes: Record<string, string> = {},
    groups: readonly string[] = [],
  ): Promise<Connection> {
    const connection = await mysql.createConnection({
      ...(await mysqlThrough(gateway, { subject: 'agent', kind: 'machine', groups: [...groups] })),
      connectAttributes: attributes,
    })
    open.push(connection)
    return connection
  }
  const decide = (id: string, body: object) => ann.post(`/v1/approvals/${id}/decision`, body)
  const count = async (id: number): Promise<number> =>
    ((await (await client()).query('SELECT id FROM t WHERE id = ?', [id]))[0] as unknown[]).length

  test('waits, runs when it is approved; others are served meanwhile', async () => {
    const connection = await client()
    const running = connection.query('INSERT INTO t VALUES (1)')
    const { id } = await pendingApproval(ann)
    expect((await ann.get(`/v1/approvals/${id}`)).body.shown.sql).toBe('INSERT INTO t VALUES (1)')
    expect(await count(1)).toBe(0)
    await decide(id, { decision: 'approve' })
    expect((await running)[0]).toMatchObject({ affectedRows: 1 })
    expect(await count(1)).toBe(1)
  })

  test('a prepared statement waits with its parameters, at each execution', async () => {
    const connection = await client()
    for (const n of [2, 3]) {
      const running = connection.execute('INSERT INTO t VALUES (?)', [n])
      const { id } = await pendingApproval(ann)
      await decide(id, { decision: 'approve' })
      expect((await running)[0]).toMatchObject({ affectedRows: 1 })
    }
  })

  test('is refused with the comment when denied, and the connection goes on', async () => {
    const connection = await client()
    const running = connection.query('INSERT INTO t VALUES (4)').catch((error: unknown) => error)
    const { id } = await pendingApproval(ann)
    await decide(id, { decision: 'deny', reason: 'not on Friday' })
    expect(await running).toMatchObject({
      sqlState: 'SP002',
      message: expect.stringMatching(new RegExp(`approval ${id} was denied by ann.*not on Friday`)),
    })
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('expires', async () => {
    const connection = await client()
    await expect(connection.query('INSERT INTO soon VALUES (1)')).rejects.toMatchObject({
      sqlState: 'SP003',
    })
  })

  test('KILL QUERY ends the wait, hanging up withdraws the request', async () => {
    const connection = await client()
    const running = connection.query('INSERT INTO t VALUES (5)').catch((error: unknown) => error)
    const { id } = await pendingApproval(ann)
    await (await client()).query(`KILL QUERY ${connection.threadId}`)
    expect(await running).toMatchObject({ errno: 1317 })
    expect((await ann.get(`/v1/approvals/${id}`)).body.status).toBe('cancelled')
    connection.query('INSERT INTO t VALUES (6)').catch(() => undefined)
    const second = await pendingApproval(ann)
    connection.destroy()
    let status = 'pending'
    for (let i = 0; i < 100 && status === 'pending'; i++) {
      await sleep(20)
      status = (await ann.get(`/v1/approvals/${second.id}`)).body.status
    }
    expect(status).toBe('cancelled')
  })

  test.runIf(spawnSync('mysql', ['--version']).status === 0)(
    '`sallyport mysql` fills in address, token and TLS for the client that is here',
    async () => {
      const cli = join(import.meta.dirname, '../../packages/cli/src/main.ts')
      const tls = ['--host', 'localhost', '--ca', gateway.caFile]
      const args = [cli, 'mysql', gateway.connection, ...tls, '--', '-N', '-e', 'SELECT 6 * 7']
      const token = await gateway.token({ subject: 'agent', kind: 'machine' })
      const env = { ...process.env, SALLYPORT_URL: ann.base, SALLYPORT_TOKEN: token }
      const child = spawn(process.execPath, args, { env })
      let said = ''
      child.stdout.on('data', (chunk) => {
        said += chunk
      })
      child.stderr.on('data', (chunk) => {
        said += chunk
      })
      const code = await new Promise((resolve) => child.once('close', resolve))
      expect({ code, said }).toEqual({ code: 0, said: expect.stringMatching(/(^|\n)42\n$/) })
    },
  )

  test('a client that says so is refused with leave to come back; the same statement runs once', async () => {
    const run = mysqlRunner(await client({ 'sallyport.approvals': 'return' }))
    const error: SallyportError = await run('INSERT INTO t VALUES (?)', [7]).then(
      () => {
        throw new Error('it ran')
      },
      (refused) => refused,
    )
    expect(error).toMatchObject({ kind: 'approval-needed', approval: { rule: 'writes' } })
    const id = error.approval?.id ?? ''
    await decide(id, { decision: 'approve' })
    expect((await run('INSERT INTO t VALUES (?)', [7])).count).toBe(1)
    await expect(run('INSERT INTO t VALUES (?)', [7])).rejects.toMatchObject({
      kind: 'approval-needed',
    })
  })

  describe('a result beyond its limit', () => {
    const MANY = Array.from({ length: 500 }, (_, i) => `SELECT ${i} AS n`).join(' UNION ALL ')
    const long = (n: number): string =>
      `SELECT a.n FROM (${MANY}) a JOIN (${MANY}) b WHERE a.n < ${n}`

    const run = (connection: Connection, way: 'query' | 'execute', sql: string) =>
      way === 'query' ? connection.query(sql) : connection.execute(sql)
    /** Others may be open: requests to come back with. */
    const asked = async () => {
      const { body } = await ann.get('/v1/approvals?open=true')
      const others = body.approvals.filter((one: { what: string }) => one.what !== 'result')
      return pendingApproval(
        ann,
        others.map((one: { id: string }) => one.id),
      )
    }

    test.each(['query', 'execute'] as const)('waits, and comes with leave: %s', async (way) => {
      const connection = await client({}, ['readers'])
      const running = run(connection, way, long(400))
      const { id, rule } = await asked()
      expect(rule).toBe('long results')
      await decide(id, { decision: 'approve' })
      expect((await running)[0]).toHaveLength(200_000)
      expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    })

    test('ends in an error when denied, and the connection goes on', async () => {
      const connection = await client({}, ['readers'])
      for (const way of ['query', 'execute'] as const) {
        const running = run(connection, way, long(499)).catch((error: unknown) => error)
        await decide((await asked()).id, { decision: 'deny', reason: 'too much' })
        expect(await running).toMatchObject({ sqlState: 'SP002' })
        expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
      }
    })

    test('KILL QUERY ends the wait and the statement', async () => {
      const connection = await client({}, ['readers'])
      const running = connection.query(long(450)).catch((error: unknown) => error)
      const { id } = await asked()
      await (await client()).query(`KILL QUERY ${connection.threadId}`)
      expect(await running).toMatchObject({ errno: 1317 })
      expect((await ann.get(`/v1/approvals/${id}`)).body.status).toBe('cancelled')
    })
  })
})
