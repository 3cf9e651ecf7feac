/** What the planner expects of a statement decides about it, and is shown to whoever approves it. */
import type { FrontendMessage } from '@sallyport/protocol-postgres'
import mysql, { type Connection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cancelAt, errorsOf, extended, type Frame, say, WireClient } from '../support/wire.ts'

const AGENT = { subject: 'agent', kind: 'machine' } as const
const READER = { subject: 'reader', kind: 'human', groups: ['readers', 'free'] } as const
const FREE = { subject: 'free', kind: 'human', groups: ['free'] } as const

/** `schema`: of the tables; `functions`: an allow rule for one that nobody has read. */
const policyOf = (schema: string, functions: string): string => `version: 1
rules:
  - name: working
    who: everyone
    allow: { effects: ['*'], functions: [${functions}], settings: ['*'] }
  - name: big changes wait
    who: { kind: machine }
    approve: { effects: [write], relations: [${schema}.big], estimated-rows: 100 }
    approvers: { groups: [dba], within: 60s }
  - name: some changes wait
    who: everyone
    approve: { effects: [write], relations: [${schema}.held] }
    approvers: { groups: [dba], within: 60s }
limits:
  - name: reading
    who: { groups: [readers] }
    estimated-rows: 500
masks:
  - { columns: ['${schema}.secret.*'], with: redact, except: { groups: [free] } }
`

describe('postgres', () => {
  let database: TestDatabase
  let gateway: TestGateway
  let ann: Control

  beforeAll(async () => {
    database = await usePostgres()
    for (const name of ['big', 'held']) {
      await database.sql(`CREATE TABLE public.${name} (n int PRIMARY KEY, x text)`)
      await database.sql(`INSERT INTO public.${name} SELECT i, 'x' FROM generate_series(1, 1000) i`)
    }
    await database.sql('CREATE TABLE public.traces (n int)')
    await database.sql(`CREATE FUNCTION public.trace(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql
      AS $$ BEGIN INSERT INTO traces VALUES (n); RETURN n; END $$`)
    await database.sql('CREATE SCHEMA other')
    await database.sql('CREATE TABLE other.held AS SELECT 1 AS n')
    await database.sql('ANALYZE')
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [policyOf('public', 'public.trace')],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  })
  afterAll(async () => {
    await gateway?.close()
    await database?.drop()
  })

  const open = async (who: object = AGENT): Promise<WireClient> =>
    WireClient.connect({
      host: gateway.host,
      port: gateway.plainPort,
      user: 'agent',
      password: await gateway.token(who),
      database: gateway.connection,
    })
  const noticeOf = (wire: WireClient): Promise<Frame[]> => wire.until(({ type }) => type === 'N')
  const shown = async (id: string) => (await ann.get(`/v1/approvals/${id}`)).body.shown
  const decide = (id: string, decision: 'approve' | 'deny') =>
    ann.post(`/v1/approvals/${id}/decision`, { decision })

  test('a change the planner expects to be small runs, a big one waits', async () => {
    await using wire = await open()
    const small = "UPDATE big SET x = 'y' WHERE n = 1"
    const big = "UPDATE big SET x = 'y' WHERE n > 10"
    expect(say(await wire.query(small))).toBe('C:UPDATE 1 Z:I')
    wire.send({ kind: 'Query', text: big })
    await noticeOf(wire)
    const { id, rule } = await pendingApproval(ann)
    expect(rule).toBe('big changes wait')
    const { estimate } = await shown(id)
    expect(estimate).toMatchObject({ kind: 'estimate', cost: expect.any(Number) })
    expect(estimate.rows).toBeGreaterThan(900)
    expect(estimate.plan).toEqual([
      'Update on big, 0 rows',
      expect.stringMatching(/^ {2}Seq Scan on big, \d+ rows$/),
    ])
    await decide(id, 'approve')
    expect(say(await wire.replies())).toBe('C:UPDATE 990 Z:I')
  })

  test('a COPY is what its query or table is', async () => {
    await using wire = await open({ ...AGENT, groups: ['readers'] })
    const copied = async (sql: string): Promise<string> =>
      say(await wire.query(sql))
        .split(' ')
        .slice(-3)
        .join(' ')
    expect(await copied('COPY (SELECT n FROM big WHERE n < 3 /* ) TO */) TO STDOUT')).toMatch(
      /C:COPY/,
    )
    expect(await copied('copy(select n from big) to stdout')).toMatch(/E:53400 Z:I$/)
    expect(await copied('COPY other.held (n) TO STDOUT WITH (FORMAT csv)')).toMatch(/C:COPY/)
    expect(await copied('COPY public.big TO STDOUT')).toMatch(/E:53400 Z:I$/)
  })

  test('parameters decide, at each Bind of a prepared statement', async () => {
    await using wire = await open()
    const parse = {
      kind: 'Parse',
      statement: 's',
      text: 'DELETE FROM big WHERE n < $1',
      parameterTypes: [23],
    } as const
    wire.send(parse, { kind: 'Sync' })
    await wire.replies()
    const run = (n: string): void => {
      const [, bind, , execute, sync] = extended('', [n])
      if (!bind || !execute || !sync) throw new Error('five messages')
      wire.send({ ...bind, statement: 's', resultFormats: [1] } as typeof bind, execute, sync)
    }
    run('0')
    expect(say(await wire.replies())).toBe('2 C:DELETE 0 Z:I')
    run('900')
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    expect((await shown(id)).estimate.rows).toBeGreaterThan(500)
    await decide(id, 'deny')
    expect(say(await wire.replies())).toBe('E:SP002 Z:I')
    run('0')
    expect(say(await wire.replies())).toBe('2 C:DELETE 0 Z:I')
  })

  test('a limit refuses what is too much, and says what was expected', async () => {
    await using wire = await open(READER)
    expect(say(await wire.query('SELECT n FROM held LIMIT 3'))).toBe('T D3 C:SELECT 3 Z:I')
    const [error] = errorsOf(await wire.query('SELECT n FROM held'))
    expect(error).toMatchObject({
      sqlstate: '53400',
      message: expect.stringMatching(/expects more .* "reading" lets it: 1000 rows, cost/),
    })
    expect(errorsOf(await wire.extended('SELECT n FROM held'))[0]?.sqlstate).toBe('53400')
    expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
  })

  test.each([
    ['what a setting before it may change', 'SET search_path = other; SELECT n FROM held LIMIT 1'],
    ['what is not there yet', 'CREATE TEMP TABLE t AS SELECT 1 AS n; SELECT n FROM held LIMIT 1'],
    ['EXPLAIN ANALYZE', 'EXPLAIN ANALYZE SELECT n FROM held'],
    ['a block of code', 'DO $$ BEGIN END $$'],
  ])('what cannot be estimated is over every limit: %s', async (_what, text) => {
    await using wire = await open(READER)
    expect(errorsOf(await wire.query(text))[0]).toMatchObject({
      sqlstate: '53400',
      message: expect.stringMatching(/does not say/),
    })
  })

  test.each([
    [
      'small ones',
      "SELECT n FROM held LIMIT 1; /* ; é */ SELECT n FROM held WHERE x = ';' LIMIT 2;",
      '',
    ],
    [
      'a transaction',
      'BEGIN; SELECT n FROM held LIMIT 1; COPY (SELECT n FROM held LIMIT 1) TO STDOUT; COMMIT',
      '',
    ],
    ['small ones that are many', `${'SELECT n FROM held LIMIT 100;'.repeat(6)}`, '53400'],
    ['one that is too much', 'SELECT n FROM held LIMIT 1; SELECT n FROM held', '53400'],
  ])('of several statements it is the sum: %s', async (_what, text, sqlstate) => {
    await using wire = await open(READER)
    expect(errorsOf(await wire.query(text)).map((one) => one.sqlstate)).toEqual(
      sqlstate === '' ? [] : [sqlstate],
    )
  })

  test('of several changes approvers see all plans', async () => {
    await using wire = await open(FREE)
    wire.send({
      kind: 'Query',
      text: 'UPDATE held SET n = n WHERE n = 20; DELETE FROM held WHERE n = 21',
    })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    expect((await shown(id)).estimate).toMatchObject({
      kind: 'estimate',
      rows: 2,
      plan: [/^Update on held/, /Index Scan/, /^Delete on held/, /Index Scan/].map((line) =>
        expect.stringMatching(line),
      ),
    })
    await decide(id, 'approve')
    expect(say(await wire.replies())).toBe('C:UPDATE 1 C:DELETE 1 Z:I')
  })

  test('catalogs, transactions and settings need no estimate', async () => {
    await using wire = await open(READER)
    for (const text of ['BEGIN', 'SET work_mem = 1000', 'SELECT 1', 'SHOW work_mem', 'COMMIT']) {
      expect(errorsOf(await wire.query(text))).toEqual([])
    }
    const types = 'SELECT oid FROM pg_catalog.pg_type WHERE oid < 100'
    expect(errorsOf(await wire.query(types))).toEqual([])
  })

  test('a node-postgres pool works as ever', async () => {
    const pool = new pg.Pool({
      connectionString: gateway.url(await gateway.token(READER), { plain: true }),
      max: 2,
    })
    try {
      const all = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          pool.query('SELECT n FROM held WHERE n = $1::int', [i + 1]),
        ),
      )
      expect(all.map(({ rows }) => rows)).toEqual([1, 2, 3, 4, 5, 6].map((n) => [{ n }]))
    } finally {
      await pool.end()
    }
  })

  test('is asked with the session’s search_path, and leaves no trace in its transaction', async () => {
    await using wire = await open(FREE)
    await wire.query('SET search_path = other, public')
    await wire.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await wire.query("UPDATE big SET x = 'mine' WHERE n = 5")
    // Not the rule's table: nothing waits.
    expect(say(await wire.query('DELETE FROM held'))).toBe('C:DELETE 1 Z:T')
    wire.send({ kind: 'Query', text: 'DELETE FROM public.held WHERE n = 1' })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    expect((await shown(id)).estimate).toMatchObject({ kind: 'estimate', rows: 1 })
    await decide(id, 'approve')
    expect(say(await wire.replies())).toBe('C:DELETE 1 Z:T')
    expect(say(await wire.query("UPDATE big SET x = 'mine' WHERE n = 6"))).toBe('C:UPDATE 1 Z:T')
    await wire.query('COMMIT')
    const kept = await database.sql("SELECT n FROM public.big WHERE x = 'mine' ORDER BY n")
    expect(kept).toEqual([{ n: 5 }, { n: 6 }])
  })

  test('runs nothing: functions nobody has read are not planned, others are planned read-only', async () => {
    await using wire = await open(FREE)
    wire.send({ kind: 'Query', text: 'DELETE FROM held WHERE n = trace(2)' })
    await noticeOf(wire)
    const { id } = await pendingApproval(ann)
    expect((await shown(id)).estimate).toEqual({
      kind: 'none',
      why: 'it calls functions that might run while it is planned',
    })
    await decide(id, 'deny')
    await wire.replies()
    expect(await database.sql('SELECT * FROM traces')).toEqual([])
  })

  test.each([
    ['ANALYZE) DELETE FROM held', 'E:42601 Z:I'],
    ['/* ; */ DELETE FROM held WHERE n = 3 -- ;', 'C:DELETE 1 Z:I'],
    ['(((SELECT 1)))', 'T D1 C:SELECT 1 Z:I'],
    ['DELETE FROM held WHERE n = 4;', 'C:DELETE 1 Z:I'],
  ])('a text cannot make EXPLAIN run it: %s', async (text, expected) => {
    await using wire = await open(FREE)
    wire.send({ kind: 'Query', text })
    if (expected.startsWith('C:DELETE')) {
      await noticeOf(wire)
      const before = await database.sql('SELECT count(*) FROM public.held')
      const { id } = await pendingApproval(ann)
      expect(await database.sql('SELECT count(*) FROM public.held')).toEqual(before)
      await decide(id, 'approve')
    }
    expect(say(await wire.replies())).toBe(expected)
  })

  test('what the server refuses to plan is its error at once: nobody is asked', async () => {
    await using wire = await open(FREE)
    const frames = await wire.query('DELETE FROM held WHERE n = $$many$$::text::int')
    expect(say(frames)).toBe('E:22P02 Z:I')
    wire.send(...extended('DELETE FROM held WHERE n = $1', ['many']))
    const [error] = errorsOf(await wire.replies())
    expect(error).toMatchObject({
      sqlstate: '22P02',
      message: 'invalid input syntax for type integer: "many"',
    })
  })

  describe('in the middle of a pipeline', () => {
    /** Without its Sync, and without a Describe. */
    const inside = (text: string, ...parameters: string[]) =>
      extended(text, parameters).filter(({ kind }) => kind !== 'Sync' && kind !== 'Describe')
    const SYNC = { kind: 'Sync' } as const
    const openReading = (): Promise<WireClient> => open({ ...AGENT, groups: ['readers'] })

    test('the estimate sees what is before it, and what is small runs, in one transaction', async () => {
      await using wire = await openReading()
      wire.send(
        ...inside('CREATE TEMP TABLE mine AS SELECT i AS n FROM generate_series(1, 5) i'),
        ...inside('SELECT n FROM mine WHERE n = $1', '3'),
        ...inside("UPDATE big SET x = 'p' WHERE n = $1", '20'),
        ...inside("UPDATE big SET x = 'p' WHERE n = $1", '21'),
        SYNC,
      )
      expect(say(await wire.replies())).toBe(
        '1 2 C:SELECT 5 1 2 D1 C:SELECT 1 1 2 C:UPDATE 1 1 2 C:UPDATE 1 Z:I',
      )
      const changed = await database.sql("SELECT n FROM big WHERE x = 'p' ORDER BY n")
      expect(changed).toEqual([{ n: 20 }, { n: 21 }])
    })

    test('what is too much fails it there: nothing before it commits, the rest is skipped', async () => {
      await using wire = await openReading()
      wire.send(
        ...inside("UPDATE big SET x = 'q' WHERE n = $1", '30'),
        ...inside('SELECT n FROM big WHERE n > $1', '1'),
        ...inside("UPDATE big SET x = 'q' WHERE n = $1", '31'),
        SYNC,
      )
      expect(say(await wire.replies())).toBe('1 2 C:UPDATE 1 1 E:53400 Z:I')
      expect(await database.sql("SELECT n FROM big WHERE x = 'q'")).toEqual([])
      expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
    })

    test('people are asked about a big one, and it runs with the rest', async () => {
      await using wire = await open()
      wire.send(
        ...inside("UPDATE big SET x = 'r' WHERE n = $1", '40'),
        ...inside("UPDATE big SET x = 's' WHERE n > $1", '10'),
        SYNC,
      )
      await noticeOf(wire)
      const { id } = await pendingApproval(ann)
      expect((await shown(id)).estimate.rows).toBeGreaterThan(900)
      await decide(id, 'approve')
      expect(say(await wire.replies())).toMatch(/C:UPDATE \d+ Z:I$/)
      expect(await database.sql("SELECT n FROM big WHERE x = 'r'")).toEqual([])
    })

    test('what the server does not plan is its error, as at the statement itself', async () => {
      await using wire = await openReading()
      wire.send(
        ...inside("UPDATE big SET x = 't' WHERE n = $1", '50'),
        ...inside('SELECT n FROM big WHERE n < $1', 'many'),
        ...inside("UPDATE big SET x = 't' WHERE n = $1", '51'),
        SYNC,
      )
      const frames = await wire.replies()
      expect(say(frames)).toBe('1 2 C:UPDATE 1 1 E:22P02 Z:I')
      expect(JSON.stringify(errorsOf(frames))).not.toContain('sallyport')
      expect(await database.sql("SELECT n FROM big WHERE x = 't'")).toEqual([])
      expect(say(await wire.query('SELECT 1'))).toBe('T D1 C:SELECT 1 Z:I')
    })

    test('in a transaction block it fails as the block does, and goes on after ROLLBACK', async () => {
      await using wire = await openReading()
      wire.send(
        ...inside('BEGIN'),
        ...inside('SELECT n FROM big WHERE n = $1', '7'),
        ...inside('SELECT n FROM big WHERE n > $1', '1'),
        SYNC,
        { kind: 'Query', text: 'ROLLBACK' },
      )
      const answered = say(await wire.replies(2))
      expect(answered).toBe('1 2 C:BEGIN 1 2 D1 C:SELECT 1 1 E:53400 Z:E C:ROLLBACK Z:I')
    })

    test('a cancel request ends it while the server is asked', async () => {
      await using wire = await openReading()
      const { key } = wire
      if (key === null) throw new Error('no key')
      const named = { ...inside('SELECT x FROM held WHERE n = $1')[0], statement: 's' }
      wire.send(named as FrontendMessage, SYNC)
      await wire.replies()
      const locker = new pg.Client({ ...database, ...database.superuser })
      await locker.connect()
      await locker.query('BEGIN; LOCK TABLE held')
      const [, bind, execute] = inside('', '1')
      wire.send(...inside('SELECT 1'), { ...bind, statement: 's' } as FrontendMessage)
      wire.send(execute as FrontendMessage, SYNC)
      await wire.until(({ type }) => type === 'C')
      await vi.waitFor(async () => expect(await waitingFor('held')).toBe(1), 20_000)
      await cancelAt({ host: gateway.host, port: gateway.plainPort }, key)
      expect(say(await wire.replies())).toBe('E:57014 Z:I')
      await locker.end()
    })

    const waitingFor = async (table: string): Promise<number> => {
      const [row] = await database.sql<{ n: string }>(
        `SELECT count(*) n FROM pg_locks WHERE relation = '${table}'::regclass AND NOT granted`,
      )
      return Number(row?.n)
    }
  })

  describe('held at Bind', () => {
    const locksOn = async (table: string): Promise<number> => {
      const rows = await database.sql<{ n: string }>(
        `SELECT count(*) n FROM pg_locks WHERE relation = '${table}'::regclass AND pid <> pg_backend_pid()`,
      )
      return Number(rows[0]?.n)
    }

    test('keeps no lock of its Parse', async () => {
      await using wire = await open(FREE)
      wire.send(...extended('DELETE FROM held WHERE n = $1', ['7']))
      await noticeOf(wire)
      const { id } = await pendingApproval(ann)
      expect(await locksOn('public.held')).toBe(0)
      await database.sql('ALTER TABLE public.held ADD COLUMN added int')
      await decide(id, 'deny')
      expect(say(await wire.replies())).toBe('E:SP002 Z:I')
    })

    test('a Parse that fails skips what follows to the client’s own Sync', async () => {
      await using wire = await open(FREE)
      const text = 'DELETE FROM held WHERE nowhere = $1'
      wire.send(...extended(text, ['7']), { kind: 'Query', text: 'SELECT 1' })
      expect(say(await wire.replies(2))).toBe('E:42703 Z:I T D1 C:SELECT 1 Z:I')
    })

    test('in the middle of a pipeline has its estimate too, and nothing commits early', async () => {
      await using wire = await open(FREE)
      const insert = extended("INSERT INTO big VALUES (5001, 'x')").slice(0, 4)
      wire.send(...insert, ...extended('DELETE FROM held WHERE n = $1', ['8']))
      await noticeOf(wire)
      const { id } = await pendingApproval(ann)
      expect((await shown(id)).estimate).toMatchObject({
        kind: 'estimate',
        rows: expect.any(Number),
      })
      await decide(id, 'deny')
      expect(errorsOf(await wire.replies())).toHaveLength(1)
      expect(await database.sql('SELECT * FROM big WHERE n = 5001')).toEqual([])
    })

    test('a long Bind is decided whole: another tail is another statement', async () => {
      await using wire = await open(FREE)
      const long = 'x'.repeat(600_000)
      const text = 'UPDATE held SET x = $1 WHERE n = $2'
      wire.send(...extended(text, [long, '9']))
      await noticeOf(wire)
      const { id } = await pendingApproval(ann)
      const { parameters } = await shown(id)
      expect(parameters).toEqual([long, '9'])
      await decide(id, 'approve')
      expect(say(await wire.replies())).toMatch(/C:UPDATE 1 Z:I$/)
    })
  })
})

onMysqlServers('%s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let ann: Control
  const open: Connection[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    const values = Array.from({ length: 1000 }, (_, i) => `(${i}, 'x')`).join(', ')
    for (const name of ['big', 'held']) {
      await db.sql(`CREATE TABLE ${name} (n INT PRIMARY KEY, x VARCHAR(20))`)
      await db.sql(`INSERT INTO ${name} VALUES ${values}`)
      await db.sql(`ANALYZE TABLE ${name}`)
    }
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [policyOf(db.database, "'*'")],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  })
  afterAll(async () => {
    for (const one of open) one.destroy()
    await gateway?.close()
    await db?.drop()
  })

  async function client(who: object = AGENT): Promise<Connection> {
    const connection = await mysql.createConnection({
      ...(await mysqlThrough(gateway, who)),
      multipleStatements: true,
    })
    open.push(connection)
    return connection
  }

  test('a change the planner expects to be small runs, a big one waits', async () => {
    const connection = await client()
    const [small] = await connection.query("UPDATE big SET x = 'y' WHERE n = 1")
    expect(small).toMatchObject({ affectedRows: 1 })
    const running = connection.query("UPDATE big SET x = 'y' WHERE n > 100")
    const { id, rule } = await pendingApproval(ann)
    expect(rule).toBe('big changes wait')
    const { estimate } = (await ann.get(`/v1/approvals/${id}`)).body.shown
    expect(estimate).toMatchObject({ kind: 'estimate' })
    expect(estimate.rows).toBeGreaterThan(100)
    expect(estimate.plan.join('\n')).toContain('big')
    await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
    expect((await running)[0]).toMatchObject({ affectedRows: 899 })
  })

  test('parameters decide, at each execution of a prepared statement', async () => {
    const connection = await client()
    const text = 'DELETE FROM big WHERE n > ? AND x <> ?'
    const [none] = await connection.execute(text, [5000, "z' OR '1'='1"])
    expect(none).toMatchObject({ affectedRows: 0 })
    const running = connection.execute(text, [2, 'z']).catch((error: unknown) => error)
    const { id } = await pendingApproval(ann)
    await ann.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
    expect(await running).toMatchObject({ sqlState: 'SP002' })
  })

  test('a limit refuses what is too much; what cannot be estimated is over it', async () => {
    const connection = await client(READER)
    const [rows] = await connection.query('SELECT n FROM held WHERE n < 3 ORDER BY n')
    expect(rows).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
    // The same but for a literal, which decides how many they are.
    for (const n of [980, 970, 960]) {
      await expect(
        connection.query(`SELECT n FROM held WHERE n < ${n} ORDER BY n`),
      ).rejects.toMatchObject({ message: expect.stringMatching(/expects more/) })
    }
    expect((await connection.query('SELECT n FROM held LIMIT 2'))[0]).toHaveLength(2)
    await expect(connection.query('SELECT n FROM held LIMIT 950')).rejects.toMatchObject({
      message: expect.stringMatching(/expects more .* 950 rows/),
    })
    const refused = { message: expect.stringMatching(/expects more .* 1000 rows/) }
    await expect(connection.query('SELECT n FROM held')).rejects.toMatchObject(refused)
    await expect(connection.execute('SELECT n FROM held')).rejects.toMatchObject(refused)
    const two =
      "SELECT n FROM held WHERE n = 1; /* ; é */ SELECT n FROM held WHERE n = 2 AND x <> ';'"
    expect((await connection.query(two))[0]).toEqual([[{ n: 1 }], [{ n: 2 }]])
    await expect(connection.query(`${two}; SELECT n FROM held`)).rejects.toMatchObject({
      message: expect.stringMatching(/expects more .* 1002 rows/),
    })
    const moved = 'SET @n = 1; SELECT n FROM held WHERE n = @n'
    await expect(connection.query(moved)).rejects.toMatchObject({
      message: expect.stringMatching(/does not say/),
    })
    expect((await connection.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
  })

  test('rows of an INSERT are counted', async () => {
    const connection = await client()
    const rows = (from: number, count: number): string =>
      Array.from({ length: count }, (_, i) => `(${from + i}, 'a(b')`).join(', ')
    const [few] = await connection.query(`INSERT INTO big VALUES ${rows(10_000, 3)}`)
    expect(few).toMatchObject({ affectedRows: 3 })
    const running = connection
      .query(`INSERT INTO big VALUES ${rows(20_000, 101)}`)
      .catch((error: unknown) => error)
    const { id } = await pendingApproval(ann)
    const { estimate } = (await ann.get(`/v1/approvals/${id}`)).body.shown
    expect(estimate.rows).toBe(101)
    await ann.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
    expect(await running).toMatchObject({ sqlState: 'SP002' })
  })
})
