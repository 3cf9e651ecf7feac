/** Masked cells of every MySQL and MariaDB type, in text and binary rows, as stock drivers read them. */
import mariadb from 'mariadb'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

/** Column type, a value, and the constant that a redacted cell of it shows (as text; hex for bytes). */
const TYPES: readonly (readonly [type: string, value: string, shown: string | number])[] = [
  ['TINYINT', '-7', 0],
  ['TINYINT UNSIGNED', '200', 0],
  ['SMALLINT', '-3000', 0],
  ['MEDIUMINT UNSIGNED', '16000000', 0],
  ['INT(10) UNSIGNED ZEROFILL', '1234', 0],
  ['BIGINT UNSIGNED', '18446744073709551615', 0],
  ['DECIMAL(20,5)', '-12345.67890', '0'],
  ['FLOAT', '1.5', 0],
  ['DOUBLE', '-1e300', 0],
  ['BIT(12)', "b'101010101010'", '00'],
  ['DATE', "'2024-02-29'", '1900-01-01'],
  ['DATETIME(6)', "'2024-02-29 12:34:56.789012'", '1900-01-01 00:00:00'],
  ['TIMESTAMP(3) NULL', "'2024-02-29 12:34:56.789'", '1900-01-01 00:00:00'],
  ['TIME(3)', "'-838:59:59.000'", '00:00:00'],
  ['YEAR', '1999', 1901],
  ['CHAR(10)', "'secret'", '[redacted]'],
  ['VARCHAR(100)', "'secret ü'", '[redacted]'],
  ['TEXT', "'secret'", '[redacted]'],
  ['VARBINARY(40)', "X'736563726574'", Buffer.from('[redacted]').toString('hex')],
  ['BLOB', "X'736563726574'", Buffer.from('[redacted]').toString('hex')],
  ["ENUM('secret', 'other')", "'secret'", ''],
  ["SET('secret', 'other')", "'secret,other'", ''],
]

/** What takes all the columns of a table that gets another. */
const WIDE = [
  'INSERT INTO taken (id, v) SELECT * FROM grown',
  'INSERT INTO taken (id, v) SELECT * FROM (SELECT * FROM grown) d',
  'CREATE TABLE copied SELECT * FROM grown',
  'SELECT * FROM grown UNION ALL SELECT * FROM grown',
  'SELECT * FROM (SELECT * FROM grown LIMIT 5) d',
  'WITH d AS (SELECT * FROM grown) SELECT * FROM d',
]

onMysqlServers('masked cells of %s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  const open: { end(): Promise<unknown> }[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    const columns = TYPES.map(([type], i) => `c${i} ${type}`)
    await db.sql(`
      CREATE TABLE t (id INT PRIMARY KEY, ${columns.join(', ')}, doc JSON, place GEOMETRY, plain TEXT);
      INSERT INTO t VALUES (1, ${TYPES.map(([, value]) => value).join(', ')}, '{"secret": 1}', ST_GeomFromText('POINT(1 2)'), 'seen');
      INSERT INTO t (id, plain) VALUES (2, 'empty');
      CREATE TABLE small (n TINYINT, s VARCHAR(5)); INSERT INTO small VALUES (1, 'x');
      CREATE FUNCTION turning(n INT) RETURNS TEXT READS SQL DATA RETURN n;
      ${WIDE.map((_, i) => `CREATE TABLE grown_${i} (id INT); INSERT INTO grown_${i} VALUES (1); CREATE TABLE taken_${i} (id INT, v TEXT);`).join(' ')}`)
    const masked = [...TYPES.map((_, i) => `c${i}`), 'doc', 'place']
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [
        `
version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'] } }
masks:
  - { name: m, columns: [${masked.map((name) => `${db.database}.t.${name}`).join(', ')}, '${db.database}.grown_*.late'], with: redact }
`,
      ],
    })
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.end().catch(() => undefined)
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function client(): Promise<Connection> {
    const connection = await mysql.createConnection({
      ...(await mysqlThrough(gateway)),
      dateStrings: true,
    })
    open.push(connection)
    return connection
  }

  const run = (connection: Connection, how: 'query' | 'execute', sql: string) =>
    how === 'query'
      ? connection.query<RowDataPacket[]>(sql)
      : connection.execute<RowDataPacket[]>(sql)

  const asText = (value: unknown): unknown =>
    Buffer.isBuffer(value) ? value.toString('hex') : value

  test.each(['query', 'execute'] as const)(
    'decode as what their columns are, by %s',
    async (how) => {
      const connection = await client()
      const [rows] = await run(connection, how, 'SELECT * FROM t WHERE id = 1')
      const row: Record<string, unknown> = rows[0] ?? {}
      expect(TYPES.map((_, i) => asText(row[`c${i}`]))).toEqual(TYPES.map(([, , shown]) => shown))
      expect(row['plain']).toBe('seen')
      // A JSON string, which mysql2 reads by itself.
      expect(row['doc']).toBe('[redacted]')
      expect(row['place']).toEqual({ x: 0, y: 0 })
    },
  )

  test.each(['query', 'execute'] as const)('stay NULL where they are, by %s', async (how) => {
    const connection = await client()
    const [rows] = await run(connection, how, 'SELECT * FROM t WHERE id = 2')
    const { id: _, plain, ...rest } = (rows[0] ?? {}) as Record<string, unknown>
    expect(plain).toBe('empty')
    expect(new Set(Object.values(rest))).toEqual(new Set([null]))
  })

  test('decode in the MariaDB driver, which reads JSON by itself', async () => {
    const connection = await mariadb.createConnection({
      ...(await mysqlThrough(gateway)),
    })
    open.push(connection)
    for (const how of ['query', 'execute'] as const) {
      const rows: Record<string, unknown>[] = await connection[how](
        'SELECT c5, c6, c10, doc, place FROM t WHERE id = 1',
      )
      expect(rows[0]).toMatchObject({ c5: 0n, c6: '0' })
      expect(JSON.stringify(rows[0]?.['doc'])).toContain('[redacted]')
    }
  })

  test('are masked in a prepared statement that runs again, and after the table has changed', async () => {
    const connection = await client()
    const sql = 'SELECT id, c16 FROM t WHERE id = ?'
    for (let i = 0; i < 3; i++) {
      expect((await connection.execute(sql, [1]))[0]).toEqual([{ id: 1, c16: '[redacted]' }])
      if (i === 1) await db.sql('ALTER TABLE t ADD COLUMN later INT FIRST')
    }
    const [rows] = await connection.query<RowDataPacket[]>('SELECT * FROM t WHERE id = 1')
    expect(rows[0]?.['c16']).toBe('[redacted]')
    await db.sql('ALTER TABLE t DROP COLUMN later')
  })

  test('do not come out of SHOW WARNINGS or errors', async () => {
    const connection = await client()
    await connection.query("SELECT 'abc' + 1")
    const [warnings] = await connection.query<RowDataPacket[]>('SHOW WARNINGS')
    expect(warnings).toMatchObject([{ Code: 1292, Message: expect.not.stringContaining('abc') }])
    await db.sql("INSERT INTO small VALUES (2, 'y')")
    await expect(connection.query("INSERT INTO small VALUES (1000, 'z')")).rejects.toMatchObject({
      errno: 1264,
    })
    await expect(connection.query('INSERT INTO t (id) VALUES (1)')).rejects.toMatchObject({
      errno: 1062,
      sqlMessage: expect.not.stringMatching(/'1'/),
    })
  })

  test('a view redefined by somebody else a moment ago is masked as what it is now', async () => {
    const connection = await client()
    await db.sql('CREATE VIEW moving AS SELECT plain AS x FROM t')
    await connection.query('SELECT x FROM moving').catch(() => undefined)
    await expect
      .poll(async () => (await connection.query('SELECT x FROM moving WHERE x IS NOT NULL'))[0], {
        timeout: 40_000,
        interval: 500,
      })
      .toContainEqual({ x: 'seen' })
    await db.sql('CREATE OR REPLACE VIEW moving AS SELECT c16 AS x FROM t')
    const [rows] = await connection.query('SELECT x FROM moving')
    expect(rows).toEqual([{ x: '[redacted]' }, { x: null }])
  })

  test('a function redefined by somebody else a moment ago is read as it is now', async () => {
    const connection = await client()
    expect((await connection.query('SELECT turning(7) AS x'))[0]).toEqual([{ x: '7' }])
    await db.sql(
      'DROP FUNCTION turning; CREATE FUNCTION turning(n INT) RETURNS TEXT READS SQL DATA RETURN (SELECT c16 FROM t WHERE id = 1)',
    )
    await expect(connection.query('SELECT turning(7) AS x')).rejects.toThrow(/turning/)
  })

  test.each(WIDE.map((text, i) => [text, i] as const))(
    'a column added by somebody else a moment ago is masked: %s',
    async (text, i) => {
      const connection = await client()
      await db.sql(
        `ALTER TABLE grown_${i} ADD COLUMN late TEXT; UPDATE grown_${i} SET late = 'secret'`,
      )
      const said = async (sql: string) =>
        connection.query(sql.replaceAll(/\b(grown|taken|copied)\b/g, `$1_${i}`)).then(
          ([rows]) => JSON.stringify(rows),
          (error: Error) => error.message,
        )
      expect(await said(text)).not.toContain('secret')
      expect(await said('SELECT v FROM taken')).not.toContain('secret')
      expect(await said('SELECT * FROM copied')).not.toContain('secret')
    },
  )

  test('user variables, INTO and PREPARE give no way around', async () => {
    const connection = await client()
    for (const sql of [
      'SELECT @x := c16 FROM t',
      'SET @x = (SELECT c16 FROM t WHERE id = 1)',
      'SELECT c16 INTO @x FROM t WHERE id = 1',
      "SELECT c16 INTO OUTFILE '/tmp/x' FROM t",
      'HANDLER t OPEN',
      'CREATE TABLE copy AS SELECT c16 FROM t',
    ]) {
      const seen = await connection.query(sql).then(
        async () => {
          const [rows] = await connection.query('SELECT @x')
          return JSON.stringify(rows)
        },
        (error: { errno?: number }) => `refused ${error.errno}`,
      )
      expect(seen, sql).not.toContain('secret')
    }
    await connection.query("PREPARE p FROM 'SELECT c16 FROM t WHERE id = 1'")
    expect((await connection.query('EXECUTE p'))[0]).toEqual([{ c16: '[redacted]' }])
  })
})
