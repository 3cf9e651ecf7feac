/** An approval is for one statement as it stood: what a session changes meanwhile makes it another one. */
import type { FrontendMessage } from '@sallyport/protocol-postgres'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Control, controlOf } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { mysqlThrough } from '../support/mysql-through.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, extended, type Frame, say, WireClient } from '../support/wire.ts'

const policyOf = (schema: string): string => `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read, session, transaction, lock], relations: ['${schema}.*'] } }
  - { name: settings, who: everyone, allow: { settings: ['my.*', timestamp] } }
  - { name: sequences, who: everyone, allow: { effects: [write], relations: ['${schema}.s', '${schema}.plain'] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: ['${schema}.t'] }
    approvers: { groups: [dba], within: 60s, use-within: 60s }
    mode: return
`
const AGENT = { subject: 'agent', kind: 'machine' } as const
const ANN = { subject: 'ann', kind: 'human', groups: ['dba'] } as const

describe('postgres', () => {
  let database: TestDatabase
  let gateway: TestGateway
  let ann: Control

  beforeAll(async () => {
    database = await usePostgres()
    await database.sql(
      'CREATE SEQUENCE public.s; CREATE TABLE public.t (id int); INSERT INTO public.t VALUES (1), (2), (3)',
    )
    gateway = await startTestGateway({
      upstream: database,
      database: database.database,
      via: 'tcp',
      policies: [policyOf('public')],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, ANN)
  })
  afterAll(async () => {
    await gateway?.close()
    await database?.drop()
  })

  const open = async (): Promise<WireClient> =>
    WireClient.connect({
      host: gateway.host,
      port: gateway.plainPort,
      user: 'agent',
      password: await gateway.token(AGENT),
      database: gateway.connection,
    })

  test.each([
    [
      'another statement under the same name',
      ['PREPARE s AS DELETE FROM t WHERE id = 1'],
      'EXECUTE s',
      ['DEALLOCATE s', 'PREPARE s AS DELETE FROM t WHERE id <> 1'],
    ],
    [
      'another cursor under the same name',
      [
        'BEGIN',
        'DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 1 FOR UPDATE',
        'FETCH c',
        'SAVEPOINT a',
      ],
      'DELETE FROM t WHERE CURRENT OF c',
      [
        'ROLLBACK TO a',
        'CLOSE c',
        'DECLARE c CURSOR FOR SELECT * FROM t WHERE id = 2 FOR UPDATE',
        'FETCH c',
      ],
    ],
    [
      'another row of the same cursor',
      ['BEGIN', 'DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE', 'FETCH c', 'SAVEPOINT a'],
      'DELETE FROM t WHERE CURRENT OF c',
      ['ROLLBACK TO a', 'FETCH c'],
    ],
    [
      'a setting of one’s own',
      ["SET my.id = '1'"],
      "DELETE FROM t WHERE id = current_setting('my.id')::int",
      ["SET my.id = '2'"],
    ],
    [
      'a setting that is computed',
      ["SELECT set_config('my.id', '1', false)"],
      "DELETE FROM t WHERE id = current_setting('my.id')::int",
      ["SELECT set_config('my.id', '2', false)"],
    ],
    [
      'a time zone',
      ["SET TIME ZONE 'UTC'"],
      'DELETE FROM t WHERE now()::time > localtime',
      ["SET TIME ZONE 'Asia/Tokyo'"],
    ],
    [
      'a format of dates',
      ["SET datestyle = 'ISO, DMY'"],
      "DELETE FROM t WHERE '01/02/2000'::date > now()",
      ["SET datestyle = 'ISO, MDY'"],
    ],
    [
      'a setting of the transaction, ended',
      ['BEGIN', "SET LOCAL my.id = '1'", 'SAVEPOINT a'],
      "DELETE FROM t WHERE id = coalesce(nullif(current_setting('my.id', true), '')::int, id)",
      ['ROLLBACK'],
    ],
    [
      'a setting that is rolled back',
      ["SET my.id = '2'", 'BEGIN', "SET my.id = '1'"],
      "DELETE FROM t WHERE id = current_setting('my.id')::int",
      ['ROLLBACK'],
    ],
    [
      'a setting that is rolled back to a savepoint',
      ["SET my.id = '2'", 'BEGIN', 'SAVEPOINT a', "SET my.id = '1'"],
      "DELETE FROM t WHERE id = current_setting('my.id')::int",
      ['ROLLBACK TO a'],
    ],
    [
      'RESET ALL',
      ["SET my.id = '1'"],
      "DELETE FROM t WHERE id = coalesce(nullif(current_setting('my.id', true), '')::int, id)",
      ['RESET ALL'],
    ],
  ])('%s', async (what, before, ending, after) => {
    // Of its own: what another case has been given is good for the same text.
    const statement = `${ending} /* ${what} */`
    await using wire = await open()
    const asked = (frames: Frame[]) => {
      const [error] = errorsOf(frames)
      expect(error ?? say(frames)).toMatchObject({ sqlstate: 'SP001' })
      return JSON.parse(error?.detail ?? '').approval
    }
    const approved = async (text: string): Promise<string> => {
      const id = asked(await wire.query(text))
      await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
      return id
    }
    const all = async (texts: readonly string[]): Promise<void> => {
      for (const text of texts) {
        // To prepare a statement is as good as to run it.
        if (text.startsWith('PREPARE')) await approved(text)
        const [, name, parsed] = /^Parse (\w+): (.*)$/.exec(text) ?? []
        if (name === undefined || parsed === undefined) wire.send({ kind: 'Query', text })
        else {
          const parse = {
            kind: 'Parse',
            statement: name,
            text: parsed,
            parameterTypes: [],
          } as const
          wire.send(parse, { kind: 'Sync' })
        }
        expect(errorsOf(await wire.replies())).toEqual([])
      }
    }
    await all(before)
    const id = await approved(statement)
    await all(after)
    expect(asked(await wire.query(statement))).not.toBe(id)
  })

  test('what stands as it stood is the same, in another session', async () => {
    const text = `DELETE FROM t WHERE id = current_setting('my.id')::int /* again */`
    const said: string[] = []
    for (const round of [1, 2]) {
      await using wire = await open()
      await wire.query("SET my.other = '1'")
      await wire.query('RESET my.other')
      if (round === 2) {
        await wire.query("BEGIN; SET my.id = '7'; ROLLBACK")
        await wire.query("SELECT set_config('my.third', random()::text, false)")
        // As asyncpg's pool has it, and npgsql's.
        await wire.query('SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;')
        await wire.query('DISCARD ALL')
      }
      await wire.query("BEGIN; SET LOCAL my.id = '3'")
      const frames = await wire.query(text)
      said.push(say(frames))
      const [refused] = errorsOf(frames)
      if (refused === undefined) continue
      const { approval } = JSON.parse(refused.detail ?? '')
      await ann.post(`/v1/approvals/${approval}/decision`, { decision: 'approve' })
    }
    expect(said).toEqual(['E:SP001 Z:E', 'C:DELETE 1 Z:T'])
  })

  /** One statement under a name: with types for its parameters, read under one DateStyle and run under another. */
  const named = (text: string, types: readonly number[], values: readonly string[]) => {
    const [, bind, ...rest] = extended(text, values)
    const parse = { kind: 'Parse', statement: 'p', text, parameterTypes: [...types] } as const
    return { parse, run: [{ ...bind, statement: 'p' } as FrontendMessage, ...rest] }
  }

  test('other types of its parameters', async () => {
    const text = 'DELETE FROM t WHERE $1 < $2 AND id < 0'
    const idOf = async (type: number): Promise<string> => {
      await using wire = await open()
      const { parse, run } = named(text, [type, type], ['9', '10'])
      wire.send(parse, ...run)
      const [error] = errorsOf(await wire.replies())
      return JSON.parse(error?.detail ?? '').approval
    }
    const asText = await idOf(25)
    await ann.post(`/v1/approvals/${asText}/decision`, { decision: 'approve' })
    expect(await idOf(23)).not.toBe(asText)
  })

  test('a statement that was read under other settings', async () => {
    const text = "DELETE FROM t WHERE '01/02/2000'::date = '2000-01-02' AND id < 0"
    const idOf = async (style: string): Promise<string> => {
      await using wire = await open()
      const { parse, run } = named(text, [], [])
      await wire.query(`SET datestyle = 'ISO, ${style}'`)
      wire.send(parse, { kind: 'Sync' })
      await wire.replies()
      await wire.query("SET datestyle = 'ISO, MDY'")
      wire.send(...run)
      const [error] = errorsOf(await wire.replies())
      return JSON.parse(error?.detail ?? '').approval
    }
    const asRead = await idOf('MDY')
    await ann.post(`/v1/approvals/${asRead}/decision`, { decision: 'approve' })
    expect(await idOf('DMY')).not.toBe(asRead)
  })

  test.each([true, false])('a setting that is under way: in one pipeline %s', async (isOne) => {
    const text = `DELETE FROM t WHERE id = current_setting('my.id')::int /* ${isOne} */`
    await using wire = await open()
    await wire.query("SET my.id = '1'")
    const [first] = errorsOf(await wire.extended(text))
    const { approval } = JSON.parse(first?.detail ?? '')
    await ann.post(`/v1/approvals/${approval}/decision`, { decision: 'approve' })
    const set = extended("SET my.id = '2'")
    wire.send(...(isOne ? set.slice(0, -1) : set), ...extended(text))
    const frames = [...(isOne ? [] : await wire.replies()), ...(await wire.replies())]
    expect(errorsOf(frames)[0]?.sqlstate).toBe('SP001')
  })
})

onMysqlServers('%s', (flavour) => {
  let db: TestMysqlDatabase
  let gateway: TestGateway
  let ann: Control
  const open: Connection[] = []

  beforeAll(async () => {
    db = await useMysql(flavour)
    await db.sql('CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)')
    await db.sql('CREATE TABLE s (id INT); CREATE TABLE plain (id INT)')
    await db.sql('CREATE TRIGGER assigns BEFORE INSERT ON s FOR EACH ROW SET @id = NEW.id')
    gateway = await startTestGateway({
      upstream: db,
      database: db.database,
      policies: [policyOf(db.database)],
      config: { admin: { port: 0 } },
    })
    ann = await controlOf(gateway, ANN)
  })
  afterEach(() => {
    for (const one of open.splice(0)) one.destroy()
  })
  afterAll(async () => {
    await gateway?.close()
    await db?.drop()
  })

  async function connect(): Promise<Connection> {
    const connection = await mysql.createConnection(await mysqlThrough(gateway, AGENT))
    open.push(connection)
    return connection
  }

  test('what does not change it leaves it as it is: a table without triggers', async () => {
    const text = 'DELETE FROM t WHERE id = @none /* plain */'
    const connection = await connect()
    const id = await asked(connection, text)
    await connection.query('INSERT INTO plain VALUES (1)')
    expect(await asked(connection, text)).toBe(id)
  })

  test('the collation of the login, and the one a statement was prepared under', async () => {
    const text = "DELETE FROM t WHERE 'a' = 'A' AND id < 0"
    const through = await mysqlThrough(gateway, AGENT)
    const connectAs = async (charset: string): Promise<Connection> => {
      const connection = await mysql.createConnection({ ...through, charset })
      open.push(connection)
      return connection
    }
    const [general, binary] = [
      await connectAs('UTF8MB4_GENERAL_CI'),
      await connectAs('UTF8MB4_BIN'),
    ]
    const id = await asked(general, text)
    expect(await asked(binary, text)).not.toBe(id)
    expect(await asked(await connectAs('UTF8MB4_GENERAL_CI'), text)).toBe(id)
    const preparedIn = async (connection: Connection): Promise<string> => {
      const statement = await connection.prepare(text)
      await connection.query('SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci')
      return asked({ query: () => statement.execute([]) } as never, text)
    }
    expect(await preparedIn(general)).not.toBe(await preparedIn(binary))
  })

  async function asked(connection: Connection, text: string): Promise<string> {
    const error = await connection.query(text).then(
      () => new Error('it ran'),
      (refused) => refused,
    )
    expect(error).toMatchObject({ sqlState: 'SP001' })
    return /approval (ap_[\w-]+)/.exec(error.message)?.[1] ?? ''
  }

  test('what stands as it stood is the same, in another session', async () => {
    const text = 'DELETE FROM t WHERE id = @id /* again */'
    const first = await connect()
    await first.query('SET @id = 3')
    const id = await asked(first, text)
    await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
    const second = await connect()
    await second.query('SET @id = 4')
    await second.query('SET @id = 3')
    expect((await second.query(text))[0]).toMatchObject({ affectedRows: 1 })
  })

  test.each([
    ['a variable', ['SET @id = 1'], 'DELETE FROM t WHERE id = @id', ['SET @id = 2']],
    [
      'a variable, by SELECT INTO',
      ['SET @id = 1'],
      'DELETE FROM t WHERE id = @id',
      ['SELECT 2 INTO @id'],
    ],
    [
      'a variable, assigned in an expression',
      ['SET @id = 1'],
      'DELETE FROM t WHERE id = @id',
      ['SELECT @id := 2'],
    ],
    [
      'a variable, assigned by a trigger',
      ['SET @id = 1'],
      'DELETE FROM t WHERE id = @id',
      ['INSERT INTO s VALUES (2)'],
    ],
    [
      'how strings compare',
      ['SET NAMES utf8mb4 COLLATE utf8mb4_general_ci'],
      "DELETE FROM t WHERE 'a' = 'A'",
      ['SET NAMES utf8mb4 COLLATE utf8mb4_bin'],
    ],
    [
      'the latest id',
      ['SELECT LAST_INSERT_ID(1)'],
      'DELETE FROM t WHERE id = LAST_INSERT_ID()',
      ['SELECT LAST_INSERT_ID(2)'],
    ],
    [
      'a variable that a prepared statement is executed with',
      ["PREPARE s FROM 'DELETE FROM t WHERE id = ?'", 'SET @id = 1'],
      'EXECUTE s USING @id',
      ['SET @id = 2'],
    ],
    [
      'another statement under the same name',
      ["PREPARE s FROM 'DELETE FROM t WHERE id = 1'"],
      'EXECUTE s',
      ["PREPARE s FROM 'DELETE FROM t WHERE id <> 1'"],
    ],
    [
      'a time zone',
      ["SET time_zone = '+00:00'"],
      'DELETE FROM t WHERE HOUR(FROM_UNIXTIME(0)) = 5',
      ["SET time_zone = '+05:00'"],
    ],
    [
      'a clock',
      ['SET timestamp = 1'],
      'DELETE FROM t WHERE NOW() < 20000000000000',
      ['SET timestamp = 2'],
    ],
    [
      'a session that is reset',
      ['SET @id = 1', "SET time_zone = '+05:00'"],
      'DELETE FROM t WHERE id = COALESCE(@id, id)',
      null,
    ],
  ] as const)('%s', async (what, before, ending, after) => {
    const statement = `${ending} /* ${what} */`
    const connection = await connect()
    const approved = async (text: string): Promise<string> => {
      const id = await asked(connection, text)
      await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
      return id
    }
    const all = async (texts: readonly string[]): Promise<void> => {
      for (const text of texts) {
        // To prepare a statement is as good as to run it.
        if (text.startsWith('PREPARE')) await approved(text)
        await connection.query(text)
      }
    }
    await all(before)
    const id = await approved(statement)
    if (after === null) await connection.reset()
    else await all(after)
    expect(await asked(connection, statement)).not.toBe(id)
  })
})
