/** node-postgres (`pg`) with its cursor, query stream and COPY packages, directly and through the gateway. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canariesIn, PEOPLE_COLUMNS } from './canaries.ts'
import { errorFields, failure, same } from './compare.ts'
import { openTap } from './tap.ts'
import { openTargets, type Target, type Targets } from './targets.ts'

let targets: Targets
beforeAll(async () => {
  targets = await openTargets()
})
afterAll(() => targets?.[Symbol.asyncDispose]())

function options(target: Target): pg.ClientConfig {
  const { host, port, user, password, database, ca } = target
  return { host, port, user, password, database, ...(ca !== null && { ssl: { ca } }) }
}

function withClient<T>(program: (client: pg.Client) => Promise<T>): (target: Target) => Promise<T> {
  return async (target) => {
    const client = new pg.Client(options(target))
    await client.connect()
    try {
      return await program(client)
    } finally {
      await client.end()
    }
  }
}

/** Asks for binary results, which the types of pg leave out. */
const binary = (text: string, values: unknown[]): pg.QueryConfig =>
  ({ text, values, binary: true }) as pg.QueryConfig

const shape = ({ rows, rowCount, command, fields }: pg.QueryResult) => ({
  rows,
  rowCount,
  command,
  fields: fields.map(({ name, dataTypeID, dataTypeModifier, columnID }) => ({
    name,
    dataTypeID: dataTypeID < 16384 ? dataTypeID : 'own type',
    dataTypeModifier,
    columnID,
  })),
})

async function copyIn(client: pg.Client, text: string, chunks: readonly string[]): Promise<number> {
  const stream = client.query(copyFrom(text))
  await pipeline(Readable.from(chunks), stream)
  return stream.rowCount
}

async function copyOut(client: pg.Client, text: string): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of client.query(copyTo(text))) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

describe('sees the same through the gateway', () => {
  same(
    () => targets,
    'simple queries, several statements, empty ones',
    withClient(async (client) => {
      const many = await client.query(
        'SELECT 1 AS one; SELECT id, name, mood FROM shop.items WHERE id < 3 ORDER BY id; UPDATE shop.items SET price = 1 WHERE id = 1',
      )
      const empty = await client.query('')
      return [...(many as unknown as pg.QueryResult[]).map(shape), shape(empty)]
    }),
    (result) =>
      expect(result).toMatchObject([{ rowCount: 1 }, { rowCount: 2 }, { rowCount: 1 }, {}]),
  )

  same(
    () => targets,
    'parameters, named statements, text and binary results',
    withClient(async (client) => {
      const text = 'SELECT * FROM shop.items WHERE id = ANY($1) ORDER BY id'
      const named = { name: 'by-id', text }
      return [
        shape(await client.query(text, [[1, 2]])),
        shape(await client.query({ ...named, values: [[3]] })),
        shape(await client.query({ ...named, values: [[4, 5]] })),
        shape(await client.query(binary('SELECT id, raw FROM shop.items WHERE id = $1', [7]))),
        shape(await client.query('INSERT INTO shop.sales (item_id) VALUES ($1) RETURNING *', [1])),
        shape(await client.query({ text: 'SELECT 1, 2', rowMode: 'array' })),
      ]
    }),
    (result) =>
      expect(result).toMatchObject([{ rowCount: 2 }, { rowCount: 1 }, { rowCount: 2 }, {}, {}, {}]),
  )

  same(
    () => targets,
    'errors with position, detail and constraint; the connection goes on',
    withClient(async (client) => {
      const errors = []
      for (const [text, values] of [
        ['SELECT nothing FROM shop.items', undefined],
        ['SELECT * FROM shop.itemz', []],
        ['SELEC 1', undefined],
        ['INSERT INTO shop.items (id, name, price) VALUES (1, $1, 1)', ['x']],
        ["INSERT INTO shop.items (id, name, price) VALUES (99, 'item 1', 1)", undefined],
        ['INSERT INTO shop.items (id, name, price) VALUES ($1, $2, $3)', [98, 'neg', -1]],
        ['INSERT INTO shop.sales (item_id) VALUES (12345)', undefined],
        ['INSERT INTO shop.items (id) VALUES (97)', undefined],
        ["SELECT 'x'::int", undefined],
        ['SELECT $1::int / 0', [1]],
        [
          "DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'XX123', DETAIL = 'd', HINT = 'h'; END $$",
          undefined,
        ],
      ] as const) {
        const asked = values === undefined ? client.query(text) : client.query(text, [...values])
        errors.push(errorFields(await failure(asked)))
      }
      return {
        errors,
        after: (await client.query('SELECT count(*)::int AS n FROM shop.items')).rows,
      }
    }),
    (result) => {
      expect(result).toMatchObject({
        errors: [
          { code: '42703', position: '8' },
          { code: '42P01' },
          { code: '42601' },
          { code: '23505', constraint: 'items_pkey' },
          {},
          { constraint: 'items_price_positive' },
          { code: '23503' },
          { code: '23502', column: 'name' },
          { code: '22P02' },
          { code: '22012' },
          { code: 'XX123', detail: 'd', hint: 'h' },
        ],
        after: [{ n: 50 }],
      })
    },
  )

  same(
    () => targets,
    'transactions, failed transactions and savepoints',
    withClient(async (client) => {
      const count = async () =>
        (await client.query('SELECT count(*)::int AS n FROM shop.items')).rows[0].n
      const seen: unknown[] = []
      await client.query('BEGIN')
      await client.query('DELETE FROM shop.items WHERE id > 40')
      await client.query('SAVEPOINT before')
      seen.push(errorFields(await failure(client.query('DELETE FROM shop.nothing'))))
      seen.push(errorFields(await failure(client.query('SELECT 1'))))
      await client.query('ROLLBACK TO before')
      seen.push(await count())
      await client.query('COMMIT')
      seen.push(await count())
      await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
      await failure(client.query('SELECT 1/0'))
      seen.push((await client.query('COMMIT')).command)
      return seen
    }),
    (result) =>
      expect(result).toMatchObject([{ code: '42P01' }, { code: '25P02' }, 40, 40, 'ROLLBACK']),
  )

  same(
    () => targets,
    'cursors and query streams',
    withClient(async (client) => {
      const cursor = client.query(
        new Cursor('SELECT id FROM shop.items WHERE id <= $1 ORDER BY id', [5]),
      )
      const pages = [
        await cursor.read(2),
        await cursor.read(2),
        await cursor.read(2),
        await cursor.read(2),
      ]
      await cursor.close()
      const early = client.query(new Cursor('SELECT id FROM shop.items ORDER BY id'))
      const first = await early.read(3)
      await early.close()
      const streamed: unknown[] = []
      const stream = client.query(
        new QueryStream('SELECT g FROM generate_series(1, 5000) g', [], { batchSize: 700 }),
      )
      for await (const row of stream) streamed.push(row)
      const cut = client.query(
        new QueryStream('SELECT id FROM shop.items ORDER BY id', [], { batchSize: 2 }),
      )
      for await (const row of cut) {
        streamed.push(row)
        break
      }
      return { pages, first, streamed, after: (await client.query('SELECT 1 AS a')).rows }
    }),
    (result) =>
      expect(result).toMatchObject({ first: [{ id: 1 }, { id: 2 }, { id: 3 }], after: [{ a: 1 }] }),
  )

  same(
    () => targets,
    'COPY in and out, failing and cut off',
    withClient(async (client) => {
      await client.query('CREATE TEMP TABLE loaded (id integer, name text)')
      const into = 'COPY loaded FROM STDIN'
      const lines = Array.from({ length: 20_000 }, (_, n) => `${n}\tname ${n}\n`)
      const loaded = await copyIn(client, into, lines)
      const failed = errorFields(await failure(copyIn(client, into, ['1\tfine\n', 'x\tbad\n'])))
      const counted = (
        await client.query('SELECT count(*)::int AS n, sum(id)::int AS s FROM loaded')
      ).rows
      const text = await copyOut(
        client,
        'COPY (SELECT id, name, price, data, tags FROM shop.items ORDER BY id) TO STDOUT',
      )
      const csv = await copyOut(client, 'COPY shop.items (id, name) TO STDOUT (FORMAT csv, HEADER)')
      const binary = await copyOut(
        client,
        'COPY (SELECT * FROM loaded ORDER BY id) TO STDOUT (FORMAT binary)',
      )
      await client.query('TRUNCATE loaded')
      return { loaded, failed, counted, text, csv, binary: binary.length }
    }),
    (result) =>
      expect(result).toMatchObject({
        loaded: 20_000,
        failed: { code: '22P02' },
        counted: [{ n: 20_000 }],
      }),
  )

  same(
    () => targets,
    'LISTEN, NOTIFY and the process id of the sender',
    async (target) => {
      const listener = new pg.Client(options(target))
      const sender = new pg.Client(options(target))
      await Promise.all([listener.connect(), sender.connect()])
      const heard: unknown[] = []
      const done = new Promise<void>((resolve) => {
        listener.on('notification', ({ channel, payload, processId }) => {
          heard.push({ channel, payload, own: processId === senderPid })
          if (heard.length === 3) resolve()
        })
      })
      const senderPid = (await sender.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
      await listener.query('LISTEN news')
      await sender.query("NOTIFY news, 'one'")
      await sender.query('SELECT pg_notify($1, $2)', ['news', 'two'])
      await sender.query("BEGIN; NOTIFY news, 'three'; COMMIT; NOTIFY other, 'unheard'")
      await done
      const own = (sender as unknown as { processID: number }).processID === senderPid
      await Promise.all([listener.end(), sender.end()])
      return { heard, own }
    },
    (result) =>
      expect(result).toMatchObject({ heard: [{ payload: 'one', own: true }, {}, {}], own: true }),
  )

  same(
    () => targets,
    'notices and warnings',
    withClient(async (client) => {
      const notices: unknown[] = []
      client.on('notice', (notice) => notices.push(errorFields(notice)))
      await client.query(
        "DO $$ BEGIN RAISE NOTICE 'hello %', 1; RAISE WARNING 'careful' USING HINT = 'h'; END $$",
      )
      await client.query('DROP TABLE IF EXISTS not_there')
      await client.query('COMMIT')
      return notices
    }),
    (result) =>
      expect(result).toMatchObject([{ message: 'hello 1' }, { hint: 'h' }, {}, { code: '25P01' }]),
  )

  same(
    () => targets,
    'cancelling a running statement',
    async (target) => {
      const client = new pg.Client(options(target))
      await client.connect()
      const running = failure(client.query('SELECT pg_sleep(30)'))
      await sleep(150)
      // What `pg` calls cancel: a connection of its own with the key that the login gave.
      const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
      const { Connection } = pg as unknown as { Connection: new (o: object) => CancelConnection }
      const connection = new Connection({ ssl: options(target).ssl ?? false })
      connection.on('error', () => undefined)
      connection.on('sslconnect', () => connection.cancel(processID, secretKey))
      if (target.ca === null)
        connection.on('connect', () => connection.cancel(processID, secretKey))
      else connection.on('connect', () => connection.requestSsl())
      connection.connect(target.port, target.host)
      const cancelled = errorFields(await running)
      const after = (await client.query('SELECT 1 AS fine')).rows
      await client.end()
      return { cancelled, after }
    },
    (result) =>
      expect(result).toMatchObject({ cancelled: { code: '57014' }, after: [{ fine: 1 }] }),
  )

  same(
    () => targets,
    'start-up settings, options and RESET to them',
    async (target) => {
      const client = new pg.Client({
        ...options(target),
        application_name: 'driver test',
        statement_timeout: 4321,
        options: '-c search_path=shop,public -c my.setting=first',
      })
      await client.connect()
      const show = async (name: string) => (await client.query(`SHOW ${name}`)).rows[0]
      const names = ['search_path', 'statement_timeout', 'application_name', 'my.setting']
      const before = []
      for (const name of names) before.push(await show(name))
      const bare = (await client.query('SELECT name FROM items WHERE id = 1')).rows
      await client.query('SET search_path = public; SET statement_timeout = 5')
      const lost = errorFields(await failure(client.query('SELECT name FROM items WHERE id = 1')))
      await client.query('RESET ALL')
      const after = []
      for (const name of names) after.push(await show(name))
      await client.end()
      return { before, bare, lost, after }
    },
    (result) =>
      expect(result).toMatchObject({ bare: [{ name: 'item 1' }], lost: { code: '42P01' } }),
  )

  same(
    () => targets,
    'a pool under more queries than connections',
    async (target) => {
      const pool = new pg.Pool({ ...options(target), max: 4 })
      const asked = Array.from({ length: 60 }, (_, n) =>
        pool.query('SELECT $1::int AS n, pg_sleep(0.001)', [n]),
      )
      const answers = (await Promise.all(asked)).map(({ rows }) => rows[0].n)
      await pool.end()
      return answers
    },
    (result) => expect(result).toEqual(Array.from({ length: 60 }, (_, n) => n)),
  )

  same(
    () => targets,
    'leaving before the login has begun',
    async (target) => {
      const errors: string[] = []
      const client = new pg.Client({ ...options(target), ssl: false })
      client.on('error', (error) => errors.push(error.message))
      const closed = new Promise<void>((resolve) => client.once('end', () => resolve()))
      client.connect().catch((error: Error) => errors.push(error.message))
      // It says Terminate where a start-up packet is due.
      client.end().catch((error: Error) => errors.push(error.message))
      await Promise.race([closed, sleep(1000)])
      return errors
    },
    (result) => expect(result).toEqual([]),
  )

  same(
    () => targets,
    'large values both ways',
    withClient(async (client) => {
      const large = 'abcdefgh'.repeat(400_000)
      const { rows } = await client.query('SELECT $1::text AS echo, length($1) AS n', [large])
      const made = await client.query(
        "SELECT repeat('x', 5000000) AS text, g FROM generate_series(1, 3) g",
      )
      return {
        same: rows[0].echo === large,
        n: rows[0].n,
        made: made.rows.map(({ text }) => text.length),
      }
    }),
    (result) => expect(result).toEqual({ same: true, n: 3_200_000, made: [5e6, 5e6, 5e6] }),
  )
})

interface CancelConnection {
  on(event: string, listener: () => void): void
  connect(port: number, host: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
}

describe('under masks', () => {
  const select = 'SELECT * FROM crm.people ORDER BY id'

  async function tapped<T>(program: (client: pg.Client) => Promise<T>): Promise<T> {
    await using tap = await openTap(targets.masked.port)
    const result = await withClient(program)({ ...targets.masked, port: tap.port })
    expect(tap.received().length).toBeGreaterThan(500)
    expect(canariesIn(tap.received())).toEqual([])
    return result
  }

  test.each([
    ['simple', { text: select } as pg.QueryConfig],
    ['parameters', { text: `${select} LIMIT $1`, values: [9] }],
    ['a named statement', { name: 'people', text: select }],
  ])('rows keep their types: %s', async (_, query) => {
    const direct = await withClient((client) => client.query<Row>(query))(targets.direct)
    const result = await tapped(async (client) => {
      await client.query(query)
      return client.query<Row>(query)
    })
    expect(result.fields.map(({ name }) => name).join(' ')).toBe(PEOPLE_COLUMNS)
    expect(result.rows.map(kinds)).toEqual(direct.rows.map(kinds))
    expect(result.rows.map(({ id, note }) => ({ id, note }))).toEqual([
      { id: 1, note: 'plain' },
      { id: 2, note: 'plain too' },
    ])
    expect(result.rows[0]?.card.trim()).toMatch(/^\*+5555$/)
  })

  test('binary results can be read', async () => {
    const { rows } = await tapped((client) => client.query(binary(select, [])))
    expect(rows.map(({ id, note }) => [id, note])).toEqual([
      [1, 'plain'],
      [2, 'plain too'],
    ])
  })

  test('cursors, COPY and RETURNING are masked too', async () => {
    const copied = await tapped(async (client) => {
      const cursor = client.query(new Cursor(select))
      await cursor.read(1)
      await cursor.read(1)
      await cursor.close()
      await client.query('UPDATE crm.people SET note = note WHERE id = 1 RETURNING *')
      await client.query('BEGIN')
      await client.query(`DECLARE c CURSOR FOR ${select}`)
      await client.query('FETCH ALL FROM c')
      await client.query('COMMIT')
      const out = await copyOut(client, 'COPY crm.people TO STDOUT')
      await copyOut(client, 'COPY crm.people TO STDOUT (FORMAT csv)')
      await copyOut(client, 'COPY crm.people TO STDOUT (FORMAT binary)')
      return out
    })
    expect(copied.split('\n').map((line) => line.split('\t').length)).toEqual([19, 19, 1])
  })
})

interface Row extends pg.QueryResultRow {
  readonly id: number
  readonly note: string
  readonly card: string
}

/** A row's values as their JavaScript types. */
function kinds(row: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value === null ? 'null' : nameOf(value)]),
  )
}

function nameOf(value: unknown): string {
  return typeof value === 'object' ? (value?.constructor.name ?? 'object') : typeof value
}

describe('a refused statement', () => {
  const refused = 'DELETE FROM shop.sales'

  test('is an error like any other; the connection goes on', async () => {
    await targets.reset()
    const seen = await withClient(async (client) => {
      const errors = [
        await failure<pg.DatabaseError>(client.query(refused)),
        await failure<pg.DatabaseError>(client.query(`${refused} WHERE id = $1`, [1])),
      ]
      const { rows } = await client.query('SELECT count(*)::int AS n FROM shop.sales')
      return { codes: errors.map(({ code }) => code), hint: errors[0]?.hint, rows }
    })(targets.ruled)
    expect(seen.codes).toEqual(['42501', '42501'])
    expect(seen.hint).toContain('Ask the shop owner.')
    expect(seen.rows).toEqual([{ n: 100 }])
  })

  test('aborts its transaction; a savepoint brings it back', async () => {
    await targets.reset()
    const seen = await withClient(async (client) => {
      await client.query('BEGIN')
      await client.query('UPDATE shop.items SET price = 7 WHERE id = 1')
      await client.query('SAVEPOINT here')
      await failure(client.query(refused))
      const aborted = await failure<pg.DatabaseError>(client.query('SELECT 1'))
      await client.query('ROLLBACK TO SAVEPOINT here')
      await client.query('COMMIT')
      const kept = (await client.query('SELECT price FROM shop.items WHERE id = 1')).rows
      await client.query('BEGIN')
      await client.query('UPDATE shop.items SET price = 8 WHERE id = 1')
      await failure(client.query(refused))
      const { command } = await client.query('COMMIT')
      const undone = (await client.query('SELECT price FROM shop.items WHERE id = 1')).rows
      return { aborted: aborted.code, kept, command, undone }
    })(targets.ruled)
    expect(seen).toEqual({
      aborted: '25P02',
      kept: [{ price: '7.00' }],
      command: 'ROLLBACK',
      undone: [{ price: '7.00' }],
    })
  })

  test('undoes what stood before it in the same simple query', async () => {
    await targets.reset()
    const rows = await withClient(async (client) => {
      await failure(client.query(`UPDATE shop.items SET price = 9 WHERE id = 2; ${refused}`))
      return (await client.query('SELECT price FROM shop.items WHERE id = 2')).rows
    })(targets.ruled)
    expect(rows).toEqual([{ price: '2.50' }])
  })
})
