/** What a held statement would do, on MySQL and MariaDB: run, rolled back, and run again once it is approved. */
import { openAuditReader } from '@sallyport/audit'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const WRITTEN = 't people named ran returned unseen old fires parent child paired counted'.split(
  ' ',
)
const policyOf = (name: string): string => `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read, session, transaction, lock], relations: ['${name}.*'] } }
  - { name: settings, who: everyone, allow: { settings: [transaction_isolation, insert_id, sql_select_limit] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: [${WRITTEN.map((table) => `${name}.${table}`).join(', ')}] }
    approvers: { groups: [dba], within: 60s, use-within: 60s }
    preview: { rows: 2 }
  - name: returned
    who: everyone
    approve: { effects: [write], relations: [${name}.returned] }
    approvers: { groups: [dba], within: 60s, use-within: 60s }
    mode: return
    preview: { rows: 1 }
  - name: inside
    who: everyone
    approve: { effects: [write], relations: [${name}.inside] }
    approvers: { groups: [dba], within: 60s, use-within: 60s }
    preview: { rows: 2, in-transactions: true }
  - name: unseen
    who: everyone
    approve: { effects: [write], relations: [${name}.unseen] }
    approvers: { groups: [dba] }
masks:
  - { columns: [${name}.people.email], with: redact, except: { subjects: [agent] } }
`
const AGENT = { subject: 'agent', kind: 'machine' } as const

onMysqlServers('%s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let ann: Control
  let agent: Control
  const open: Connection[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(`
      CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT UNIQUE, x VARCHAR(20), b VARBINARY(4));
      INSERT INTO t (n, x, b) VALUES (1, 'x1', x'ff00'), (2, 'x2', NULL), (3, 'é"3', NULL), (4, 'x4', NULL), (5, 'x5', NULL);
      CREATE TABLE people (id INT PRIMARY KEY, email TEXT, note TEXT, loud TEXT AS (CONCAT(note, '!')));
      INSERT INTO people (id, email, note) VALUES (1, 'ada@example.com', 'one');
      CREATE TABLE named (name VARCHAR(20) PRIMARY KEY, n INT);
      INSERT INTO named VALUES ('007', 1), ('7', 2);
      CREATE TABLE paired (a INT, b INT, n INT, PRIMARY KEY (a, b));
      INSERT INTO paired VALUES (1, 1, 5), (1, 2, 7);
      CREATE TABLE counted (n INT);
      INSERT INTO counted VALUES (0);
      CREATE TABLE ran (n INT);
      INSERT INTO ran VALUES (1);
      CREATE TABLE returned (n INT);
      CREATE TABLE unseen (n INT);
      CREATE TABLE inside (id INT AUTO_INCREMENT PRIMARY KEY, n INT);
      INSERT INTO inside (n) VALUES (1), (2), (3), (4);
      CREATE TABLE old (n INT) ENGINE = MyISAM;
      CREATE TABLE fires (n INT);
      CREATE TABLE parent (id INT PRIMARY KEY);
      CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE);
      INSERT INTO parent VALUES (1);
      INSERT INTO child VALUES (1, 1);
      CREATE TRIGGER fires BEFORE INSERT ON fires FOR EACH ROW SET NEW.n = 1`)
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [policyOf(db.database)],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
    agent = await controlOf(gateway, AGENT)
  })
  afterEach(() => {
    for (const one of open.splice(0)) one.destroy()
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function client(): Promise<Connection> {
    const connection = await mysql.createConnection({
      ...(await mysqlThrough(gateway, AGENT)),
      multipleStatements: true,
    })
    open.push(connection)
    return connection
  }
  /** Somebody else at the database. */
  async function other(): Promise<Connection> {
    const connection = await mysql.createConnection(db.url)
    open.push(connection)
    return connection
  }

  async function pending() {
    const { id } = await pendingApproval(ann)
    const { shown } = (await ann.get(`/v1/approvals/${id}`)).body
    return { id, preview: shown.preview }
  }
  const decide = (id: string, decision: 'approve' | 'deny') =>
    ann.post(`/v1/approvals/${id}/decision`, { decision })

  /** What approvers are shown of it; denied then. */
  async function previewOf(sql: string, on?: Connection, values?: unknown[]) {
    const connection = on ?? (await client())
    const running = (
      values ? connection.execute(sql, values as never) : connection.query(sql)
    ).catch((error: unknown) => error)
    const { id, preview } = await pending()
    await decide(id, 'deny')
    expect(await running).toMatchObject({ sqlState: 'SP002' })
    return preview
  }
  const tableT = () => db.sql('SELECT n, x FROM t ORDER BY n')

  async function records() {
    const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
    try {
      return [...(await reader.search({ limit: 1000 })).items].reverse()
    } finally {
      reader.close()
    }
  }

  test('an UPDATE: rows before and after, nothing changed until it is approved, nothing left in the session', async () => {
    const before = await tableT()
    const connection = await client()
    const settings =
      'SELECT @@innodb_lock_wait_timeout a, @@lock_wait_timeout b, @@autocommit c, LAST_INSERT_ID() d'
    const [were] = await connection.query(settings)
    const running = connection.query("UPDATE t SET x = 'new' WHERE n >= 4; ")
    const { id, preview } = await pending()
    expect(preview).toEqual({
      kind: 'preview',
      affected: 2,
      columns: ['id', 'n', 'x', 'b'],
      rows: [
        { before: ['4', '4', 'x4', null], after: ['4', '4', 'new', null] },
        { before: ['5', '5', 'x5', null], after: ['5', '5', 'new', null] },
      ],
    })
    expect(await tableT()).toEqual(before)
    // Its locks are given back: nobody else waits.
    await db.sql("UPDATE t SET x = 'x5' WHERE n = 5")
    await decide(id, 'approve')
    expect((await running)[0]).toMatchObject({ affectedRows: 2 })
    expect((await connection.query(settings))[0]).toEqual(were)
    await db.sql("UPDATE t SET x = CONCAT('x', n) WHERE n >= 4")
  })

  test('the run is on record before it is made, bound to what is approved; so is what it came to', async () => {
    await previewOf('DELETE FROM t WHERE n = 4')
    const events = (await records()).map(({ event }) => event)
    const at = events.findLastIndex(({ type }) => type === 'statement-previewed')
    const asked = events.findLast(({ type }) => type === 'approval-requested')
    expect(events[at]).toMatchObject({
      statement: asked?.['statement'],
      binding: asked?.['binding'],
    })
    expect(events.slice(at).findIndex(({ type }) => type === 'approval-requested')).toBeGreaterThan(
      0,
    )
    expect(asked).toMatchObject({ preview: { affected: 1 } })
  })

  test('the requester, who may not be let to read the table, is not shown it', async () => {
    const running = (await client()).query('DELETE FROM t WHERE n = 1').catch(() => undefined)
    const { id, preview } = await pending()
    expect(preview).toMatchObject({ affected: 1 })
    const { shown } = (await agent.get(`/v1/approvals/${id}`)).body
    expect(shown).toMatchObject({ sql: 'DELETE FROM t WHERE n = 1', preview: null })
    await decide(id, 'deny')
    await running
  })

  test.each([
    ["INSERT INTO t (n, x) VALUES (9, 'in')", 1, []],
    ['DELETE FROM t WHERE n = 1 -- gone', 1, [{ before: ['1', '1', 'x1', '0xFF00'], after: null }]],
    ["UPDATE t SET x = 'y' WHERE n > 100", 0, []],
    ["UPDATE t SET x = 'y' ORDER BY n LIMIT 1", 1, []],
    ['UPDATE t SET id = 90 WHERE n = 1', 1, []],
    [
      'UPDATE t AS a SET x = NULL WHERE a.n = 3',
      1,
      [{ before: ['3', '3', 'é"3', null], after: ['3', '3', null, null] }],
    ],
    ['UPDATE t JOIN people p ON p.id = t.n SET t.x = p.id', 1, []],
    [
      "INSERT INTO people (id, email, note) VALUES (1, 'eve@example.com', 'two') ON DUPLICATE KEY UPDATE note = 'two'",
      2,
      [],
    ],
    [
      "UPDATE people SET note = 'two'",
      1,
      [
        {
          before: ['1', '[masked]', 'one', '[masked]'],
          after: ['1', '[masked]', 'two', '[masked]'],
        },
      ],
    ],
    [
      'UPDATE people SET note = email',
      1,
      [
        {
          before: ['1', '[masked]', '[masked]', '[masked]'],
          after: ['1', '[masked]', '[masked]', '[masked]'],
        },
      ],
    ],
    ["UPDATE named SET n = 3 WHERE name = '7'", 1, [{ before: ['7', '2'], after: ['7', '3'] }]],
    ['DELETE FROM parent', 1, [{ before: ['1'], after: null }]],
  ])('%s', async (sql, affected, rows) => {
    const before = await tableT()
    expect(await previewOf(sql)).toMatchObject({ kind: 'preview', affected, rows })
    expect(await tableT()).toEqual(before)
    expect(
      await db.sql('SELECT (SELECT COUNT(*) FROM child) c, (SELECT MAX(n) FROM named) n'),
    ).toEqual([{ c: 1, n: 2 }])
  })

  test('of statements that differ in their literals, each its own', async () => {
    const connection = await client()
    for (const n of ['1', '2', '4']) {
      expect(await previewOf(`DELETE FROM t WHERE t.n = ${n}`, connection)).toMatchObject({
        affected: 1,
        rows: [{ before: [n, n, expect.anything(), n === '1' ? '0xFF00' : null], after: null }],
      })
    }
  })

  test('a prepared statement, with its values', async () => {
    expect(await previewOf('UPDATE t SET x = ? WHERE n = ?', undefined, ["o'p", 2])).toMatchObject({
      affected: 1,
      rows: [{ before: ['2', '2', 'x2', null], after: ['2', '2', "o'p", null] }],
    })
  })

  test.each([
    ['INSERT INTO fires VALUES (1)', /triggers/],
    ['INSERT INTO old VALUES (1)', /rolled back/],
    ['INSERT INTO t (n) VALUES (1)', /does not run it/],
    ['UPDATE t SET n = (@a := n)', /more than read and write/],
    ['INSERT INTO t (n) VALUES (50); DELETE FROM t', /not one statement/],
  ])('no preview: %s', async (sql, why) => {
    const before = await tableT()
    expect(await previewOf(sql)).toEqual({ kind: 'none', why: expect.stringMatching(why) })
    expect(await tableT()).toEqual(before)
    expect(await db.sql('SELECT COUNT(*) c FROM old')).toEqual([{ c: 0 }])
  })

  test.each([
    ['in a transaction', ['START TRANSACTION', 'SELECT 1 FROM t'], /in a transaction.*locks/],
    ['without autocommit', ['SET autocommit = 0'], /in a transaction.*locks/],
    ['that would take up an id', ['SET insert_id = 77'], /takes up/],
    ['under table locks', ['LOCK TABLES t WRITE'], /locked/],
    [
      'before a transaction of its kind',
      ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'],
      /next transaction/,
    ],
  ])('no preview %s', async (_what, before, why) => {
    const connection = await client()
    for (const text of before) await connection.query(text)
    expect(await previewOf('DELETE FROM t WHERE n = 1', connection)).toEqual({
      kind: 'none',
      why: expect.stringMatching(why),
    })
  })

  describe('in a transaction, where policy says so', () => {
    const inside = () => db.sql('SELECT id, n FROM inside ORDER BY id')

    test.each([
      ['begun', ['START TRANSACTION']],
      ['without autocommit', ['SET autocommit = 0']],
    ])(
      '%s: what the client did before is there after, and what was tried is not',
      async (_what, begin) => {
        const before = await inside()
        const connection = await client()
        for (const text of begin) await connection.query(text)
        await connection.query('SAVEPOINT own')
        // Of another table, by another rule: nobody has to be asked.
        await connection.query('SELECT LAST_INSERT_ID(41)')
        const preview = await previewOf('UPDATE inside SET n = n + 10 WHERE n >= 3', connection)
        expect(preview).toEqual({
          kind: 'preview',
          affected: 2,
          columns: ['id', 'n'],
          rows: [
            { before: ['3', '3'], after: ['3', '13'] },
            { before: ['4', '4'], after: ['4', '14'] },
          ],
        })
        expect((await connection.query('SELECT id, n FROM inside ORDER BY id'))[0]).toEqual(before)
        expect(
          (await connection.query('SELECT LAST_INSERT_ID() id, @@innodb_lock_wait_timeout w'))[0],
        ).toEqual([{ id: 41, w: 50 }])
        await connection.query('ROLLBACK TO SAVEPOINT own')
        await connection.query('COMMIT')
        expect(await inside()).toEqual(before)
      },
    )

    test('approved, it is part of the client’s transaction, and goes with it', async () => {
      const before = await inside()
      const connection = await client()
      await connection.query('START TRANSACTION')
      for (const sql of ['DELETE FROM inside WHERE n = 1', 'DELETE FROM inside WHERE n = 2']) {
        const running = connection.query(sql)
        const { id, preview } = await pending()
        expect(preview).toMatchObject({ affected: 1, rows: [{ after: null }] })
        await decide(id, 'approve')
        expect((await running)[0]).toMatchObject({ affectedRows: 1 })
      }
      expect((await connection.query('SELECT COUNT(*) c FROM inside'))[0]).toEqual([{ c: 2 }])
      expect(await inside()).toEqual(before)
      await connection.query('ROLLBACK')
      expect(await inside()).toEqual(before)
    })

    test('a deadlock ends the transaction as the server ends it, and nothing runs', async () => {
      const connection = await client()
      await connection.query('START TRANSACTION')
      const first = connection.query('UPDATE inside SET n = 101 WHERE id = 1')
      await decide((await pending()).id, 'approve')
      await first
      const somebody = await other()
      await somebody.query('BEGIN')
      await somebody.query('UPDATE inside SET n = n + 200 WHERE id >= 2')
      const running = connection.query('DELETE FROM inside WHERE id = 2').catch((error) => error)
      const isLocked = async (): Promise<boolean> => {
        const sql = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%FOR UPDATE'"
        return (await db.sql(sql)).length > 0
      }
      while (!(await isLocked())) await new Promise((next) => setTimeout(next, 5))
      await somebody.query('UPDATE inside SET n = 301 WHERE id = 1')
      expect(await running).toMatchObject({
        errno: 1213,
        sqlState: '40001',
        message: expect.stringContaining('tried for its approvers'),
      })
      await somebody.query('ROLLBACK')
      const rows = [1, 2, 3, 4].map((n) => ({ id: n, n }))
      expect(await inside()).toEqual(rows)
      expect((await ann.get('/v1/approvals?open=true')).body.approvals).toEqual([])
      // The session goes on, outside of a transaction, with the settings that it had.
      const [[state]] = (await connection.query(
        'SELECT @@innodb_lock_wait_timeout w, (SELECT COUNT(*) FROM inside) c',
      )) as unknown as [[object]]
      expect(state).toEqual({ w: 50, c: 4 })
      const events = (await records()).map(({ event }) => event)
      expect(events.findLast(({ type }) => type === 'statement')).toMatchObject({
        verdict: 'allow',
      })
      expect(events.some((event) => event['code'] === 'transaction-lost')).toBe(true)
    })

    test('a lock of somebody else’s ends nothing', async () => {
      const connection = await client()
      await connection.query('START TRANSACTION')
      const first = connection.query('UPDATE inside SET n = 101 WHERE id = 1')
      await decide((await pending()).id, 'approve')
      await first
      const somebody = await other()
      await somebody.query('BEGIN')
      await somebody.query('SELECT 1 FROM inside WHERE id = 3 FOR UPDATE')
      expect(await previewOf('DELETE FROM inside WHERE id = 3', connection)).toEqual({
        kind: 'none',
        why: 'the database does not run it',
      })
      await somebody.query('ROLLBACK')
      expect((await connection.query('SELECT n FROM inside WHERE id = 1'))[0]).toEqual([{ n: 101 }])
      await connection.query('ROLLBACK')
    })
  })

  test('a session that asks for few rows shows no fewer, and each by its whole key', async () => {
    const connection = await client()
    await connection.query('SET sql_select_limit = 1')
    expect((await previewOf('UPDATE paired SET n = n + 1', connection)).rows).toEqual([
      { before: ['1', '1', '5'], after: ['1', '1', '6'] },
      { before: ['1', '2', '7'], after: ['1', '2', '8'] },
    ])
    await connection.query('SET sql_select_limit = 0')
    expect(await previewOf('UPDATE paired SET n = n + 1', connection)).toMatchObject({
      affected: 2,
      rows: [{ after: ['1', '1', '6'] }, { after: ['1', '2', '8'] }],
    })
  })

  test.each([
    ['ROW_COUNT()', 'DO 0'],
    ['FOUND_ROWS()', 'SELECT name FROM named'],
  ])(
    '%s is of the client’s statement before, whatever was asked in between',
    async (counted, before) => {
      const connection = await client()
      const text = `UPDATE counted SET n = ${counted} + 10`
      const alone = await other()
      await alone.query(before)
      await alone.query(text)
      const meant = await db.sql('SELECT n FROM counted')
      await db.sql('UPDATE counted SET n = 0')
      await connection.query(before)
      const running = connection.query(text)
      const { id, preview } = await pending()
      expect(preview).toEqual({ kind: 'none', why: 'it asks about the statement before it' })
      await decide(id, 'approve')
      await running
      expect(await db.sql('SELECT n FROM counted')).toEqual(meant)
    },
  )

  test('an id that was inserted last stays the last', async () => {
    const connection = await client()
    await connection.query('SELECT LAST_INSERT_ID(41)')
    await previewOf('INSERT INTO t (n) VALUES (60)', connection)
    expect((await connection.query('SELECT LAST_INSERT_ID() id'))[0]).toEqual([{ id: 41 }])
  })

  test('one rule that shows nothing is enough for nothing to be shown', async () => {
    expect(await previewOf('INSERT INTO unseen VALUES (1)')).toBeNull()
  })

  test('a lock of somebody else’s is not waited for long, and the statement is held all the same', async () => {
    const somebody = await other()
    await somebody.query('BEGIN')
    await somebody.query('SELECT 1 FROM t WHERE n = 3 FOR UPDATE')
    expect(await previewOf("UPDATE t SET x = 'z' WHERE n = 3")).toEqual({
      kind: 'none',
      why: 'the database does not run it',
    })
  })

  test('a deadlock while rows are looked for runs nothing', async () => {
    const before = await tableT()
    const somebody = await other()
    await somebody.query('BEGIN')
    // More than the gateway has changed: who has changed less is undone.
    await somebody.query("UPDATE t SET b = x'01' WHERE n IN (4, 5)")
    const running = previewOf("UPDATE t SET x = 'dead' WHERE id >= 3")
    const isLocked = async (): Promise<boolean> => {
      const sql = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%FOR UPDATE'"
      return (await db.sql(sql)).length > 0
    }
    while (!(await isLocked())) await new Promise((next) => setTimeout(next, 5))
    await somebody.query("UPDATE t SET b = x'01' WHERE n = 3")
    await somebody.query('ROLLBACK')
    expect(await running).toEqual({ kind: 'none', why: 'the database does not run it' })
    expect(await tableT()).toEqual(before)
  })

  test('sent again after SP001 it is not tried again', async () => {
    const connection = await client()
    const sql = 'INSERT INTO returned VALUES (1)'
    await expect(connection.query(sql)).rejects.toMatchObject({ sqlState: 'SP001' })
    const { id, preview } = await pending()
    expect(preview).toMatchObject({ affected: 1 })
    await decide(id, 'approve')
    expect((await connection.query(sql))[0]).toMatchObject({ affectedRows: 1 })
    const all = await records()
    const statements = all.filter(({ event }) => event['sql'] === sql).map(({ seq }) => seq)
    const tried = all.filter(({ event }) => event.type === 'statement-previewed')
    expect(
      tried.filter(({ event }) => statements.includes(event['statement'] as number)),
    ).toHaveLength(1)
  })

  test('whoever leaves while it is tried does not ask', async () => {
    const somebody = await other()
    await somebody.query('BEGIN')
    await somebody.query('SELECT n FROM ran FOR UPDATE')
    const connection = await client()
    const running = connection.query('DELETE FROM ran').catch((error: unknown) => error)
    const isTried = async (): Promise<boolean> => {
      const sql = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DELETE FROM ran%'"
      return (await db.sql(sql)).length > 0
    }
    const asked = async () => (await ann.get('/v1/approvals?open=true')).body.approvals
    // On a busy machine it has been tried and asked for in between: leaving ends that, too.
    while (!(await isTried()) && (await asked()).length === 0) {
      await new Promise((next) => setTimeout(next, 5))
    }
    await (await client()).query(`KILL QUERY ${connection.threadId}`)
    expect(await running).toMatchObject({ errno: 1317 })
    expect(await asked()).toEqual([])
  })
})
