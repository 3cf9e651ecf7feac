/** postgres.js (`postgres`): pipelining by default, described parameters, cursors, COPY, subscriptions to channels. */
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import postgres from 'postgres'
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

type Sql = postgres.Sql

function connect(target: Target, more: postgres.Options<Record<string, never>> = {}): Sql {
  const { host, port, user, password, database, ca } = target
  return postgres({
    host,
    port,
    user,
    password,
    database,
    ssl: ca === null ? false : { ca },
    onnotice: () => undefined,
    ...more,
  })
}

function withSql<T>(
  program: (sql: Sql) => Promise<T>,
  more: postgres.Options<Record<string, never>> = { max: 1 },
): (target: Target) => Promise<T> {
  return async (target) => {
    const sql = connect(target, more)
    try {
      return await program(sql)
    } finally {
      await sql.end({ timeout: 5 })
    }
  }
}

const plain = (rows: Iterable<object>) => [...rows].map((row) => ({ ...row }))

describe('sees the same through the gateway', () => {
  same(
    () => targets,
    'a pipeline of queries on one connection, some of them failing',
    withSql(async (sql) => {
      const asked = Array.from({ length: 200 }, (_, n) =>
        n % 17 === 3
          ? failure(sql`SELECT ${n}::int / 0`).then(errorFields)
          : n % 17 === 7
            ? failure(sql`SELECT * FROM shop.nothing`).then(errorFields)
            : sql`SELECT ${n}::int AS n, name FROM shop.items WHERE id = ${1 + (n % 50)}`.then(
                plain,
              ),
      )
      return Promise.all(asked)
    }),
    (result) => expect(result).toHaveLength(200),
  )

  same(
    () => targets,
    'prepared, unprepared, simple, raw, described and value-typed queries',
    withSql(async (sql) => {
      const described =
        await sql`SELECT id, name, price, raw FROM shop.items WHERE id = ${1}`.describe()
      const many = await sql.unsafe('SELECT 1 AS a; SELECT 2 AS b, 3 AS c').simple()
      return {
        statement: {
          types: described.types,
          columns: described.columns.map(({ name, type }) => [name, type]),
        },
        prepared: plain(await sql`SELECT * FROM shop.items WHERE id IN ${sql([1, 2])} ORDER BY id`),
        unprepared: plain(await sql.unsafe('SELECT $1::int + 1 AS n', [41], { prepare: false })),
        kept: plain(await sql.unsafe('SELECT $1::int + 1 AS n', [41], { prepare: true })),
        many: many.map((one) => plain(one as unknown as object[])),
        raw: (await sql`SELECT id, data FROM shop.items WHERE id = 1`.raw()).map((row) =>
          row.map(String),
        ),
        values: [...(await sql`SELECT id, tags FROM shop.items WHERE id < 3 ORDER BY id`.values())],
        inserted: plain(
          await sql`INSERT INTO shop.sales ${sql({ item_id: 1, quantity: 5 })} RETURNING item_id, quantity`,
        ),
        json: plain(
          await sql`SELECT ${sql.json({ a: [1, null] })}::jsonb AS j, ${sql.array([1, 2])}::int[] AS l`,
        ),
        dates: plain(
          await sql`SELECT ${new Date(0)}::timestamptz AS t, ${Buffer.from('00ff', 'hex')}::bytea AS b`,
        ),
      }
    }),
    (result) =>
      expect(result).toMatchObject({ many: [[{ a: 1 }], [{ b: 2, c: 3 }]], kept: [{ n: 42 }] }),
  )

  same(
    () => targets,
    'transactions, savepoints and pipelines inside them',
    withSql(async (sql) => {
      const seen: unknown[] = []
      await sql.begin('isolation level repeatable read', async (tx) => {
        await Promise.all([
          tx`UPDATE shop.items SET price = 1`,
          tx`DELETE FROM shop.sales WHERE id < 4`,
        ])
        await failure(
          tx.savepoint(async (point) => {
            await point`DELETE FROM shop.items`
            await point`SELECT * FROM shop.nothing`
          }),
        )
        seen.push(plain(await tx`SELECT count(*)::int AS n FROM shop.items`))
      })
      seen.push(
        errorFields(
          await failure(
            sql.begin(async (tx) => {
              await tx`DELETE FROM shop.items`
              await tx`SELECT 1/0`
            }),
          ),
        ),
      )
      seen.push(plain(await sql`SELECT count(*)::int AS n, sum(price)::text AS s FROM shop.items`))
      const reserved = await sql.reserve()
      seen.push(plain(await reserved`SELECT 1 AS reserved`))
      reserved.release()
      return seen
    }),
    (result) =>
      expect(result).toMatchObject([
        [{ n: 50 }],
        { code: '22012' },
        [{ n: 50, s: '50.00' }],
        [{ reserved: 1 }],
      ]),
  )

  same(
    () => targets,
    'cursors and forEach',
    withSql(async (sql) => {
      const pages: unknown[] = []
      for await (const rows of sql`SELECT id FROM shop.items ORDER BY id`.cursor(20))
        pages.push(plain(rows))
      await sql`SELECT g FROM generate_series(1, 100) g`.cursor(10, (rows) => {
        pages.push(rows.length)
        return pages.length > 6 ? sql.CLOSE : undefined
      })
      await sql`SELECT id FROM shop.items WHERE id < 4 ORDER BY id`.forEach((row) => {
        pages.push({ ...row })
      })
      return pages
    }),
    (result) => expect((result as unknown[]).length).toBeGreaterThan(8),
  )

  same(
    () => targets,
    'COPY both ways',
    withSql(async (sql) => {
      await sql`CREATE TEMP TABLE loaded (id integer, name text)`
      const lines = Array.from({ length: 5000 }, (_, n) => `${n}\tname ${n}\n`)
      await pipeline(Readable.from(lines), await sql`COPY loaded FROM STDIN`.writable())
      const counted = plain(await sql`SELECT count(*)::int AS n FROM loaded`)
      const chunks: Buffer[] = []
      const sink = new Writable({
        write(chunk, _encoding, done) {
          chunks.push(chunk)
          done()
        },
      })
      await pipeline(
        await sql`COPY (SELECT * FROM shop.items ORDER BY id) TO STDOUT`.readable(),
        sink,
      )
      return { counted, text: Buffer.concat(chunks).toString() }
    }),
    (result) => expect(result).toMatchObject({ counted: [{ n: 5000 }] }),
  )

  same(
    () => targets,
    'LISTEN and NOTIFY',
    withSql(async (sql) => {
      const heard: string[] = []
      const listening = await sql.listen('news', (payload) => heard.push(payload))
      await sql.notify('news', 'one')
      await sql`SELECT pg_notify('news', 'two')`
      while (heard.length < 2) await sql`SELECT pg_sleep(0.01)`
      await listening.unlisten()
      return heard
    }),
    (result) => expect(result).toEqual(['one', 'two']),
  )

  same(
    () => targets,
    'cancelling a running query',
    withSql(async (sql) => {
      // Connected first: what is cancelled before it is sent never settles in this driver.
      await sql`SELECT 1`
      const query = sql`SELECT pg_sleep(30)`
      const running = failure(query.execute())
      await new Promise((resolve) => setTimeout(resolve, 700))
      query.cancel()
      return { cancelled: errorFields(await running), after: plain(await sql`SELECT 1 AS fine`) }
    }),
    (result) =>
      expect(result).toMatchObject({ cancelled: { code: '57014' }, after: [{ fine: 1 }] }),
  )

  same(
    () => targets,
    'many connections with types of their own, fetched from the catalog',
    withSql(
      async (sql) => {
        const asked = Array.from({ length: 80 }, (_, n) =>
          sql`SELECT mood, tags, ${n}::int AS n FROM shop.items WHERE id = ${1 + (n % 50)}`.then(
            plain,
          ),
        )
        return Promise.all(asked)
      },
      { max: 5, fetch_types: true, connection: { application_name: 'many', search_path: 'shop' } },
    ),
    (result) => expect(result).toHaveLength(80),
  )
})

describe('under masks', () => {
  async function tapped<T>(program: (sql: Sql) => Promise<T>): Promise<T> {
    await using tap = await openTap(targets.masked.port)
    const result = await withSql(program)({ ...targets.masked, port: tap.port })
    expect(tap.received().length).toBeGreaterThan(500)
    expect(canariesIn(tap.received())).toEqual([])
    return result
  }

  test('rows keep their types, in pipelines and cursors too', async () => {
    const rows = await tapped(async (sql) => {
      const [first] = await Promise.all([
        sql`SELECT * FROM crm.people ORDER BY id`,
        sql`SELECT * FROM crm.people WHERE id = ${1}`,
        sql`SELECT p FROM crm.people p`,
        sql`SELECT * FROM crm.people`.simple(),
        sql`SELECT * FROM crm.people`.raw(),
      ])
      for await (const _ of sql`SELECT * FROM crm.people`.cursor(1));
      return plain(first)
    })
    expect(Object.keys(rows[0] ?? {}).join(' ')).toBe(PEOPLE_COLUMNS)
    expect(rows).toMatchObject([
      {
        id: 1,
        note: 'plain',
        born: expect.any(Date),
        seen: expect.any(Date),
        amount: expect.any(Number),
      },
      { id: 2, note: 'plain too', born: null },
    ])
    expect(rows).toMatchObject([
      { raw: expect.any(Buffer), tags: expect.any(Array), active: expect.any(Boolean) },
      {},
    ])
  })
})

describe('a refused statement', () => {
  const aborted = { code: '25P02' }

  test('in a pipeline fails alone', async () => {
    await targets.reset()
    const seen = await withSql((sql) =>
      Promise.all([
        sql`SELECT 1 AS a`.then(plain),
        failure(sql`DELETE FROM shop.sales WHERE id = ${1}`).then(errorFields),
        sql`SELECT count(*)::int AS n FROM shop.sales`.then(plain),
      ]),
    )(targets.ruled)
    expect(seen).toMatchObject([[{ a: 1 }], { code: '42501' }, [{ n: 100 }]])
  })

  test('in a transaction aborts it; a savepoint brings it back', async () => {
    await targets.reset()
    const seen = await withSql(async (sql) => {
      const errors: unknown[] = []
      await sql.begin(async (tx) => {
        await tx`UPDATE shop.items SET price = 3 WHERE id = 1`
        await failure(
          tx.savepoint(async (point) => {
            errors.push(errorFields(await failure(point`DELETE FROM shop.sales`)))
            errors.push(errorFields(await failure(point`SELECT 1`)))
            throw new Error('undo')
          }),
        )
      })
      const outer = await failure(
        sql.begin(async (tx) => {
          await tx`UPDATE shop.items SET price = 4 WHERE id = 1`
          await tx`DELETE FROM shop.sales`
        }),
      )
      const rows = plain(await sql`SELECT price FROM shop.items WHERE id = 1`)
      return { errors, outer: errorFields(outer), rows }
    })(targets.ruled)
    expect(seen).toMatchObject({
      errors: [{ code: '42501' }, aborted],
      outer: { code: '42501' },
      rows: [{ price: '3.00' }],
    })
  })
})
