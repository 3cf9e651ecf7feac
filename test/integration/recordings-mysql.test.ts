/** Recordings of real MySQL and MariaDB sessions: what clients saw, and what they must never hold. */
import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openAuditReader, readRecording, wrappingKey } from '@sallyport/audit'
import { replayFrames, type ShownItem } from '@sallyport/gateway'
import mariadb from 'mariadb'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const CLI = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const exec = promisify(execFile)
const CANARY = '078-05-1120'
const KEY = Buffer.alloc(32, 3)
const policyOf = (database: string): string => `version: 1
rules: [{ name: all, who: everyone, allow: { effects: ['*', unknown], relations: ['*', '@catalog-data'], functions: ['*'] } }]
masks:
  - { columns: [${database}.people.ssn], with: redact, except: { groups: [dba] } }
record:
  - { who: everyone, rows: 5, parameters: true }`

onMysqlServers('a recorded session on %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql(
      `CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20), ssn VARCHAR(20), born DATETIME(3), score DOUBLE, raw VARBINARY(8), UNIQUE (ssn, id));
       CREATE TABLE notes (id INT, body VARCHAR(20));
       CREATE PROCEDURE two() BEGIN SELECT 1 AS a; SELECT 'x' AS b, 'y' AS c; END`,
    )
    const rows = Array.from(
      { length: 12 },
      (_, i) => `(${i + 1}, 'name ${i + 1}', '${CANARY}',
      '2024-02-29 12:30:00', ${i} + 0.5, x'00ff')`,
    )
    await db.sql(`INSERT INTO people VALUES ${rows.join()}`)
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      connectionOptions: { 'local-infile': true },
      policies: [policyOf(db.database)],
      config: {
        audit: { directory: 'audit', recordings: { key: `plain:${KEY.toString('base64')}` } },
      },
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  const access = async (subject: string, groups: readonly string[]) => ({
    ...(await mysqlThrough(gateway, { subject, groups })),
  })

  async function run(
    subject: string,
    work: (client: Connection) => Promise<unknown>,
    groups: readonly string[] = [],
  ): Promise<{ items: ShownItem[]; session: string }> {
    const options = { ...(await access(subject, groups)), multipleStatements: true }
    const client = await mysql.createConnection(options)
    await work(client)
    await client.end()
    return shownTo(subject)
  }

  /** What the one session of a subject was shown, once it is archived to its end. */
  async function shownTo(subject: string): Promise<{ items: ShownItem[]; session: string }> {
    const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
    const [summary] = (await reader.sessions({ subject })).items
    await reader.close()
    const session = summary?.session ?? ''
    const directory = join(gateway.auditDirectory, 'recordings')
    const read = () => [
      ...replayFrames(readRecording({ directory, session, keys: [wrappingKey(KEY)] })),
    ]
    const last = () => {
      try {
        return read().at(-1)?.kind
      } catch {
        return 'not there yet'
      }
    }
    await expect.poll(last, { timeout: 20_000, interval: 200 }).toBe('end')
    return { items: read(), session }
  }

  async function recordsOf(session: string) {
    const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
    const { items } = await reader.showSession(session)
    await reader.close()
    return items
  }

  test('holds texts and prepared statements, masks and errors, and what they answer', async () => {
    const { items, session } = await run('all', async (client) => {
      await client.query('SELECT id, name, ssn FROM people ORDER BY id LIMIT 2')
      await client.execute('SELECT id, born, score, raw, ssn FROM people WHERE id = ?', [7])
      await client.query('SELEC').catch(() => undefined)
      await client.query('SELECT * FROM missing').catch(() => undefined)
      await client.query('SELECT 1 AS a; SELECT NULL AS b')
      await client.query('UPDATE people SET score = 1 WHERE id > 100')
    })
    expect(rowsOf(items)).toEqual([
      '1|name 1|[redacted]',
      '2|name 2|[redacted]',
      '7|2024-02-29 12:30:00.000|6.5|0x00ff|[redacted]',
      '1',
      'NULL',
    ])
    const columns = items.flatMap((item) =>
      item.kind === 'columns' ? [item.columns.map(({ name }) => name).join()] : [],
    )
    expect(columns).toEqual(['id,name,ssn', 'id,born,score,raw,ssn', 'a', 'b'])
    const errors = items.flatMap((item) => (item.kind === 'error' ? [item.report.severity] : []))
    expect(errors).toEqual(['ERROR 1064', 'ERROR 1146'])
    const tags = items.flatMap((item) => (item.kind === 'complete' ? [item.tag] : []))
    expect(tags[0]).toBe('2 rows')
    expect(tags.at(-1)).toBe('OK, 0 rows affected, Rows matched: 0  Changed: 0  Warnings: 0')
    const records = await recordsOf(session)
    const ran = records.filter(({ event }) => event.type === 'outcome')
    const answered = items.flatMap((item) => (item.kind === 'answered' ? [item.statement] : []))
    expect(answered).toEqual(ran.map(({ event }) => event['statement']))
    const bound = records.find(({ event }) => event['parameters'] !== undefined)
    expect(bound?.event).toMatchObject({ via: 'execute', parameters: ['7'] })
  })

  test('has the parameters of statements that touch nothing protected', async () => {
    const { session } = await run('bound', (client) =>
      client.execute('SELECT name FROM people WHERE id = ? AND name <> ?', [7, 'é']),
    )
    const records = await recordsOf(session)
    const bound = records.find(({ event }) => event['parameters'] !== undefined)
    expect(bound?.event['parameters']).toEqual(['7', 'é'])
  })

  test('keeps no more rows than policy says and counts the rest', async () => {
    const { items } = await run('limited', (client) =>
      client.query('SELECT id FROM people ORDER BY id; SELECT 5 AS five'),
    )
    expect(rowsOf(items)).toEqual(['1', '2', '3', '4', '5', '5'])
    expect(items.find((item) => item.kind === 'omitted')).toMatchObject({ rows: 7 })
    expect(items.find((item) => item.kind === 'complete')).toMatchObject({ tag: '12 rows' })
  })

  test('has every result of a CALL, and the warnings that are asked for', async () => {
    const { items } = await run('results', async (client) => {
      await client.query("SELECT 1 + CAST('2x' AS SIGNED) AS three")
      await client.query('SHOW COUNT(*) WARNINGS')
    })
    expect(rowsOf(items)).toEqual(['3', '1'])
    const tags = items.flatMap((item) => (item.kind === 'complete' ? [item.tag] : []))
    expect(tags[0]).toBe('1 row, 1 warning')
    const options = await access('caller', ['dba'])
    const client = await mysql.createConnection(options)
    await client.query('CALL two()')
    await client.end()
    const called = (await shownTo('caller')).items
    // What a routine shows is not known, and somebody is under masks: its rows are counted.
    expect(called.filter((item) => item.kind === 'omitted')).toHaveLength(2)
    expect(called.filter((item) => item.kind === 'columns')).toHaveLength(2)
  })

  test('is replayed: drawn, as data, on another database', async () => {
    const { session } = await run('replayed', async (client) => {
      await client.query('SELECT id, name FROM people ORDER BY id LIMIT 2')
      await client.execute('SELECT born, score FROM people WHERE id = ?', [7])
      await client.query('SELECT id FROM people WHERE id = 11; SELECT 1 AS one')
      await client.query('DELETE FROM people WHERE id = 1000')
    })
    const replay = (...args: string[]) =>
      exec(process.execPath, [CLI, 'replay', session, '-c', gateway.configFile, ...args]).catch(
        (error: unknown) => error as { stdout: string; stderr: string },
      )
    const drawn = (await replay()).stdout
    expect(drawn).toContain('│ 1  │ name 1 │')
    expect(drawn).toContain('│ 2024-02-29 12:30:00.000 │ 6.5   │')
    expect(drawn).toContain('OK, 0 rows affected')
    const next = join(gateway.directory, 'next.yaml')
    writeFileSync(
      next,
      `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['${db.database}.*'] } }
  - { name: no writes, who: everyone, deny: { effects: [write] } }`,
    )
    const judged = await replay('--policy', next)
    expect(judged.stdout).toContain('id = 1000\n- allow by all\n+ deny by no writes')
    expect(judged.stderr).toMatch(/4 statements, 1 decided otherwise/)
    const scratch = await useMysql(flavour)
    await scratch.sql(
      `CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(20), born DATETIME(3), score DOUBLE)`,
    )
    await scratch.sql(
      `INSERT INTO people VALUES (1, 'name 1', NULL, 1), (2, 'other', NULL, 1), (7, 'x', '2024-02-29 12:30:00', 6.5)`,
    )
    const { stdout, stderr } = await replay('--against', scratch.url)
    await scratch.drop()
    expect(stdout).toContain('row 2, name: `other`; it was `name 2`')
    expect(stdout).toContain('0 rows; there were 1')
    expect(stderr).toMatch(/2 statements as recorded, 2 different, \d not run/)
  })

  test('has the file of a LOAD DATA LOCAL, unless something in it is protected', async () => {
    const { items } = await run(
      'loading',
      async (client) => {
        const load = (sql: string, text: string) =>
          client.query({ sql, infileStreamFactory: () => Readable.from([Buffer.from(text)]) })
        await load("LOAD DATA LOCAL INFILE 'a' INTO TABLE notes", '1\ta\n2\tb\n')
        await load(
          "LOAD DATA LOCAL INFILE 'b' INTO TABLE people (id, ssn)",
          `90\t${CANARY}\n91\t${CANARY}\n`,
        )
      },
      ['dba'],
    )
    const sent = items.flatMap((item) => (item.kind === 'sent' ? [item.bytes.toString()] : []))
    expect(sent).toEqual(['1\ta\n2\tb\n'])
    expect(items.filter((item) => item.kind === 'omitted')).toMatchObject([{ rows: 2 }])
    await db.sql('DELETE FROM people WHERE id > 80')
  })

  test('of the MariaDB driver is as readable', async () => {
    const client = await mariadb.createConnection(await access('connector', []))
    await client.query('SELECT id, name FROM people WHERE id = 1')
    await client.execute('SELECT id, ssn FROM people WHERE id = ?', [2])
    await client.end()
    const rows = rowsOf((await shownTo('connector')).items)
    expect(rows.slice(-2)).toEqual(['1|name 1', '2|[redacted]'])
  })

  test('has what a stock client fetches from a cursor at the server, and no more of it than policy keeps', async ({
    skip,
  }) => {
    const has = spawnSync('php', ['-r', 'exit(extension_loaded("mysqli") ? 0 : 1);']).status
    if (has !== 0) return skip('php with mysqli is not installed (php-cli, php-mysql)')
    const script = fileURLToPath(new URL('../drivers/mysql/cursor.php', import.meta.url))
    const fetched = async (subject: string, last: number) => {
      const to = await access(subject, [])
      const env = {
        ...process.env,
        MYHOST: '127.0.0.1',
        MYPORT: String(to.port),
        MYUSER: to.user,
        MYPASSWORD: to.password,
        MYDATABASE: to.database,
        MYCA: gateway.caFile,
      }
      const sql = `SELECT id, born, ssn FROM people WHERE id <= ${last} ORDER BY id`
      const { stdout } = await exec('php', [script, sql], { env })
      const seen = JSON.parse(stdout) as (string | number)[][]
      return { seen: seen.map((cells) => cells.join('|')), ...(await shownTo(subject)) }
    }
    const { seen, items, session } = await fetched('fetching', 4)
    expect(seen).toHaveLength(4)
    expect(seen[0]).toBe('1|2024-02-29 12:30:00.000|[redacted]')
    expect(rowsOf(items)).toEqual(seen)
    const executed = (await recordsOf(session)).filter(({ event }) => event['via'] === 'execute')
    const answered = items.flatMap((item) => (item.kind === 'answered' ? [item.statement] : []))
    // Its execution, a fetch of each row, and one that finds no more.
    expect(executed).toHaveLength(6)
    expect(answered).toEqual(executed.map(({ seq }) => seq))
    const long = await fetched('fetching on', 12)
    expect(long.seen).toHaveLength(12)
    expect(rowsOf(long.items)).toEqual(long.seen.slice(0, 5))
    const omitted = long.items.flatMap((item) => (item.kind === 'omitted' ? [item.rows] : []))
    expect(omitted.reduce((sum, rows) => sum + rows, 0)).toBe(7)
  })

  test('of somebody without masks holds no protected value either', async () => {
    const { items, session } = await run(
      'clear',
      async (client) => {
        const [rows] = await client.query('SELECT ssn FROM people WHERE id = 1')
        expect(rows).toEqual([{ ssn: CANARY }])
        await client.execute('SELECT name FROM people WHERE ssn = ? LIMIT 1', [CANARY])
        await client
          .query(`INSERT INTO people (id, ssn) VALUES (1, '${CANARY}'), (1, '${CANARY}')`)
          .catch(() => undefined)
        await client.query(`SELECT CAST(ssn AS SIGNED) FROM people WHERE id = 1`)
        await client.query('SHOW WARNINGS')
        await client.query('SELECT id FROM people ORDER BY id LIMIT 1')
        await client.query('SELECT ssn INTO @kept FROM people WHERE id = 1')
        const [kept] = await client.query('SELECT @kept AS kept')
        expect(kept).toEqual([{ kept: CANARY }])
      },
      ['dba'],
    )
    expect(JSON.stringify(items)).not.toContain(CANARY)
    expect(JSON.stringify(items)).not.toContain('078')
    expect(rowsOf(items)).toEqual(['1'])
    const log = readdirSync(gateway.auditDirectory).filter((name) => name.endsWith('.jsonl'))
    const texts = log.map((name) => readFileSync(join(gateway.auditDirectory, name), 'utf8'))
    expect(texts.join('')).toContain(session)
    expect(texts.join('')).not.toContain(CANARY)
  })
})

const rowsOf = (items: readonly ShownItem[]) =>
  items.flatMap((item) =>
    item.kind === 'row' ? [item.cells.map((cell) => cell ?? 'NULL').join('|')] : [],
  )
