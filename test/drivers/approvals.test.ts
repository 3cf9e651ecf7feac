/**
 * A statement that waits for people, as the clients people use live through it: approved it gives its rows, denied
 * it says why, it expires, Ctrl-C takes it back; of two approvers at once one decides; refused with SP001 it runs once
 * when it comes back. Programs that are not on this machine are skipped, visibly.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { onMysqlServers, useMysql } from '../support/use-mysql.ts'
import { usePostgres } from '../support/use-postgres.ts'

const policyOf = (schema: string): string => `version: 1
rules:
  - name: shown to people first
    who: everyone
    approve: { effects: [read], relations: [${schema}.t] }
    approvers: { groups: [dba], within: 60s }
  - name: quickly
    who: everyone
    approve: { effects: [read], relations: [${schema}.soon] }
    approvers: { groups: [dba], within: 1s }
  - name: later
    who: everyone
    approve: { effects: [read], relations: [${schema}.later] }
    approvers: { groups: [dba], within: 60s }
    mode: return
`
const ROWS = 'SELECT x FROM t WHERE n = 1'
const LATER = 'SELECT x FROM later'
const CELL = 'forty-two'

/** What came of a statement: what was printed or returned, or the error's words. */
interface Running {
  readonly ended: Promise<{ readonly failed: boolean; readonly said: string }>
  /** Ctrl-C, or the nearest thing the driver has. */
  interrupt(): void
}

interface Client {
  readonly name: string
  /** Null: not on this machine. */
  readonly run: ((gateway: TestGateway, token: string, sql: string) => Running) | null
}

function program(command: string, args: readonly string[], env: Record<string, string>): Running {
  const child: ChildProcess = spawn(command, args, { env: { ...process.env, ...env } })
  let said = ''
  const collect = (chunk: Buffer): void => {
    said += chunk.toString()
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  const ended = new Promise<{ failed: boolean; said: string }>((resolve) => {
    child.once('close', (code) => resolve({ failed: code !== 0, said }))
  })
  return { ended, interrupt: () => child.kill('SIGINT') }
}

const has = (command: string, ...args: string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore', timeout: 60_000 }).status === 0

function driver(query: Promise<unknown>, interrupt: () => void): Running {
  const ended = query.then(
    (rows) => ({ failed: false, said: JSON.stringify(rows) }),
    // `pg` has SQLSTATE and comment in `code` and `detail`, mysql2 in `sqlState` and the message.
    (error: { message: string; detail?: string; code?: string; sqlState?: string }) => ({
      failed: true,
      said: [error.sqlState ?? error.code, error.message, error.detail].join(' '),
    }),
  )
  return { ended, interrupt }
}

const PYTHON = [process.env['SALLYPORT_TEST_PYTHON'], '/usr/bin/python3', 'python3'].find(
  (path) => path !== undefined && has(path, '-c', 'import psycopg'),
)
const PSYCOPG = `import sys, psycopg
with psycopg.connect(sys.argv[1]) as db:
    try:
        print(db.execute(sys.argv[2]).fetchall())
    except psycopg.Error as error:
        sys.exit(f"{error.sqlstate} {error}")`
const MYSQL = ['mysql', 'mariadb'].find((name) => has(name, '--version'))

const POSTGRES: readonly Client[] = [
  {
    name: 'psql',
    run: has('psql', '--version')
      ? (gateway, token, sql) =>
          program(
            'psql',
            ['-XAt', '-vVERBOSITY=verbose', gateway.url(token, { plain: true }), '-c', sql],
            {},
          )
      : null,
  },
  {
    name: 'psycopg',
    run:
      PYTHON === undefined
        ? null
        : (gateway, token, sql) =>
            program(PYTHON, ['-c', PSYCOPG, gateway.url(token, { plain: true }), sql], {}),
  },
  {
    name: 'pg',
    run(gateway, token, sql) {
      const client = new pg.Client({ connectionString: gateway.url(token, { plain: true }) })
      client.on('error', () => undefined)
      const query = client.connect().then(async () => (await client.query(sql)).rows)
      return driver(
        query.finally(() => client.end().catch(() => undefined)),
        // It has no cancel of its own: whoever gives up hangs up.
        () => client.end(),
      )
    },
  },
]

const MYSQLS: readonly Client[] = [
  {
    name: 'mysql',
    run:
      MYSQL === undefined
        ? null
        : ({ port, caFile, connection }, token, sql) =>
            program(
              MYSQL,
              [
                '-h127.0.0.1',
                `-P${port}`,
                '-utester',
                `--ssl-ca=${caFile}`,
                '-N',
                '-e',
                sql,
                connection,
              ],
              { MYSQL_PWD: token },
            ),
  },
  {
    name: 'mysql2',
    run({ port, ca, connection: database }, token, sql) {
      const opened = mysql.createConnection({
        host: 'localhost',
        port,
        user: 'tester',
        password: token,
        database,
        ssl: { ca },
      })
      const query = opened.then(async (connection) => {
        try {
          return (await connection.query(sql))[0]
        } finally {
          connection.destroy()
        }
      })
      return driver(query, () => void opened.then((connection) => connection.destroy()))
    },
  },
]

interface World {
  readonly gateway: TestGateway
  readonly ann: Control
  readonly bob: Control
}

function lives({ name, run }: Client, world: () => World): void {
  const decide = (by: Control, id: string, body: object) =>
    by.post(`/v1/approvals/${id}/decision`, body)
  let starts = 0
  // One of its own, so that nobody decides about another test's statement.
  const newSubject = () => `${name} ${++starts}`
  const start = async (sql: string, subject = newSubject()) => {
    const { gateway, ann } = world()
    if (run === null) throw new Error(`${name} is not on this machine`)
    const running = run(gateway, await gateway.token({ subject, kind: 'machine' }), sql)
    const open = async (): Promise<string | undefined> => {
      const { body } = await ann.get('/v1/approvals?open=true')
      const all = body.approvals as { id: string; requester: { subject: string } }[]
      return all.find(({ requester }) => requester.subject === subject)?.id
    }
    /** The id of its approval; programs take their time to start. */
    const asked = async (): Promise<string> => {
      await expect.poll(open, { timeout: 40_000 }).toBeDefined()
      return (await open()) ?? ''
    }
    return { ...running, asked }
  }

  test.skipIf(run === null)(`${name}: approved, it gives its rows`, async () => {
    const running = await start(ROWS)
    await decide(world().ann, await running.asked(), { decision: 'approve' })
    const { failed, said } = await running.ended
    expect(said).toContain(CELL)
    expect(failed).toBe(false)
  })

  test.skipIf(run === null)(`${name}: of two approvers at once, one decides`, async () => {
    const { ann, bob } = world()
    const running = await start(ROWS)
    const id = await running.asked()
    const answers = await Promise.all([
      decide(ann, id, { decision: 'approve' }),
      decide(bob, id, { decision: 'approve' }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    expect((await running.ended).said).toContain(CELL)
  })

  test.skipIf(run === null)(
    `${name}: refused with SP001, it runs once when it comes back`,
    async () => {
      const subject = newSubject()
      const answer = async () => (await start(LATER, subject)).ended
      const refusal = /SP001[\s\S]*?"approval":"(ap_[\w-]+)"/
      const [, asked = ''] = refusal.exec((await answer()).said) ?? []
      // Too early: the same approval is still waited for.
      expect(refusal.exec((await answer()).said)?.[1]).toBe(asked)
      expect((await decide(world().ann, asked, { decision: 'approve' })).status).toBe(200)
      expect(await answer()).toEqual({ failed: false, said: expect.stringContaining(CELL) })
      expect(refusal.exec((await answer()).said)?.[1]).not.toBe(asked)
    },
  )

  test.skipIf(run === null)(`${name}: denied, it says who and why`, async () => {
    const { ann } = world()
    const running = await start(ROWS)
    const id = await running.asked()
    await decide(ann, id, { decision: 'deny', reason: 'not on Friday' })
    const { failed, said } = await running.ended
    expect(said).toMatch(/was denied by ann[\s\S]*not on Friday/)
    expect(failed).toBe(true)
  })

  test.skipIf(run === null)(`${name}: it expires`, async () => {
    const { failed, said } = await (await start('SELECT n FROM soon')).ended
    expect(said).toContain('expired before it was decided')
    expect(failed).toBe(true)
  })

  test.skipIf(run === null)(`${name}: Ctrl-C takes it back`, async () => {
    const { ann } = world()
    const running = await start(ROWS)
    const id = await running.asked()
    // Not awaited: a connection that mysql2 has destroyed never says how its query ended.
    running.interrupt()
    const status = async () => (await ann.get(`/v1/approvals/${id}`)).body.status
    await expect.poll(status, { timeout: 20_000 }).toBe('cancelled')
    expect((await decide(ann, id, { decision: 'approve' })).status).toBe(409)
  })
}

async function worldOf(
  upstream: Parameters<typeof startTestGateway>[0]['upstream'],
  database: string,
  schema: string,
): Promise<World> {
  const gateway = await startTestGateway({
    upstream,
    database,
    via: 'tcp',
    policies: [policyOf(schema)],
    config: { admin: { port: 0 } },
  })
  const person = (subject: string) =>
    controlOf(gateway, { subject, kind: 'human', groups: ['dba'] })
  return { gateway, ann: await person('ann'), bob: await person('bob') }
}

const TABLES = [
  'CREATE TABLE t (n int, x varchar(20))',
  `INSERT INTO t VALUES (1, '${CELL}')`,
  'CREATE TABLE soon (n int)',
  'CREATE TABLE later (x varchar(20))',
  `INSERT INTO later VALUES ('${CELL}')`,
]

describe('postgres', () => {
  let world: World
  let drop: () => Promise<void>
  beforeAll(async () => {
    const database = await usePostgres()
    drop = () => database.drop()
    for (const sql of TABLES) await database.sql(sql)
    world = await worldOf(database, database.database, 'public')
  })
  afterAll(async () => {
    await world?.gateway.close()
    await drop?.()
  })
  for (const client of POSTGRES) lives(client, () => world)
})

onMysqlServers('%s', (flavour) => {
  let world: World
  let drop: () => Promise<void>
  beforeAll(async () => {
    const db = await useMysql(flavour)
    drop = () => db.drop()
    for (const sql of TABLES) await db.sql(sql)
    world = await worldOf(db, db.database, db.database)
  })
  afterAll(async () => {
    await world?.gateway.close()
    await drop?.()
  })
  for (const client of MYSQLS) lives(client, () => world)
})
