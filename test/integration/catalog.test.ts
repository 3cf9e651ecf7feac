import { setTimeout as sleep } from 'node:timers/promises'
import { buildCatalog, type Catalog, type CatalogRelation } from '@sallyport/sql'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connectCatalog } from '../../packages/gateway/src/catalog/connection.ts'
import { loadCatalogData, probeCatalog } from '../../packages/gateway/src/catalog/postgres.ts'
import { POSTGRES_CATALOG } from '../../packages/gateway/src/catalog/postgres-source.ts'
import type { CatalogLogin } from '../../packages/gateway/src/catalog/source.ts'
import {
  type CatalogEvent,
  CatalogStore,
  type CatalogStoreOptions,
} from '../../packages/gateway/src/catalog/store.ts'
import { Secret } from '../../packages/gateway/src/secrets/secret.ts'
import { UpstreamTls } from '../../packages/gateway/src/tls/upstream.ts'
import { type PostgresServer, startPostgres } from '../support/servers.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'

let database: TestDatabase
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await usePostgres({ demo: true })
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => database?.drop())

const login = (over: Partial<CatalogLogin> = {}): CatalogLogin => ({
  host: database.host,
  port: database.port,
  database: database.database,
  user: database.superuser.user,
  password: new Secret(database.superuser.password),
  tls: new UpstreamTls({ mode: 'require' }),
  ...over,
})

async function connect(over: Partial<CatalogLogin> = {}): Promise<pg.Client> {
  const client = await connectCatalog(login(over))
  closers.push(() => client.end())
  return client
}

async function load(over: Partial<CatalogLogin> = {}): Promise<Catalog> {
  return buildCatalog((await loadCatalogData(await connect(over))).data, 1)
}

function relation(catalog: Catalog, name: string): CatalogRelation {
  const [schema = '', table = ''] = name.split('.')
  const found = catalog.relation(schema, table)
  if (found === undefined) throw new Error(`no ${name}`)
  return found
}

function open(over: Partial<CatalogStoreOptions> = {}) {
  const events: CatalogEvent[] = []
  const store = new CatalogStore({
    source: POSTGRES_CATALOG,
    login: async () => login(),
    build: buildCatalog,
    now: () => performance.now(),
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...over,
  })
  closers.push(() => store[Symbol.asyncDispose]())
  return { store, events }
}

describe('a loaded catalog', () => {
  test('has every relation of the demo with its kind', async () => {
    const catalog = await load()
    const kinds = Object.fromEntries(
      catalog.data.relations
        .filter(({ schema, kind }) => schema === 'public' && kind !== 'sequence')
        .map(({ name, kind }) => [name, kind]),
    )
    expect(kinds).toEqual({
      api_keys: 'table',
      customer_overview: 'view',
      customer_revenue: 'materialized-view',
      customers: 'table',
      employees: 'table',
      events: 'partitioned-table',
      events_2025: 'table',
      events_2026: 'table',
      events_other: 'table',
      order_items: 'table',
      orders: 'table',
      payments: 'table',
      support_tickets: 'table',
      ticket_inbox: 'view',
    })
    expect(relation(catalog, 'public.events_2026').parents).toEqual(['public.events'])
    expect(relation(catalog, 'public.support_tickets')).toMatchObject({
      triggers: true,
      rules: false,
    })
    expect(catalog.data).toMatchObject({ database: database.database })
    expect(catalog.data.serverVersion).toBeGreaterThanOrEqual(130_000)
  })

  test('gives columns as the server numbers them, with types and generation expressions', async () => {
    const id = `columns_${Date.now()}`
    await database.sql(`
      CREATE SCHEMA ${id};
      CREATE TYPE ${id}.pair AS (x int4, y text);
      CREATE TABLE ${id}.t (gone int, a int4[], "B c" ${id}.pair, d numeric(9, 2),
                            e text GENERATED ALWAYS AS (upper(ssn)) STORED, ssn text);
      ALTER TABLE ${id}.t DROP COLUMN gone`)
    const table = relation(await load(), `${id}.t`)
    expect(table.columns).toMatchObject([
      { name: 'a', number: 2, type: '_int4', typeId: 1007 },
      { name: 'B c', number: 3, type: `${id}.pair` },
      { name: 'd', number: 4, type: 'numeric' },
      { name: 'e', number: 5, type: 'text', typeId: 25, generated: 'upper(ssn)' },
      { name: 'ssn', number: 6, type: 'text' },
    ])
    expect(table.columns[0]).not.toHaveProperty('generated')
    const [row] = await database.sql<{ oid: number }>(`SELECT '${id}.t'::regclass::oid AS oid`)
    expect(table.id).toBe(row?.oid)
  })

  test('gives what writes are checked against', async () => {
    const id = `checked_${Date.now()}`
    await database.sql(`
      CREATE SCHEMA ${id};
      CREATE TABLE ${id}.a (id int PRIMARY KEY, mail text, low int, high int, CHECK (low < high));
      CREATE UNIQUE INDEX ON ${id}.a (lower(mail)) WHERE high > 0;
      CREATE TABLE ${id}.b (x int, y int, during int4range, FOREIGN KEY (y) REFERENCES ${id}.a (id),
                            EXCLUDE USING gist (during WITH &&))`)
    const catalog = await load()
    const of = (name: string) =>
      [...(relation(catalog, `${id}.${name}`).constraints ?? [])].sort((one, other) =>
        one.kind.localeCompare(other.kind),
      )
    expect(of('a')).toEqual([
      { kind: 'check', columns: ['low', 'high'] },
      { kind: 'unique', columns: ['id'], primary: true },
      { kind: 'unique', columns: expect.arrayContaining(['mail', 'high']) },
    ])
    expect(of('b')).toEqual([
      { kind: 'exclusion', columns: ['during'] },
      { kind: 'reference', columns: ['y'], schema: id, relation: 'a', referenced: ['id'] },
    ])
  })

  test('qualifies every name in a view, whatever the role has as search_path', async () => {
    await database.sql(`
      CREATE SCHEMA IF NOT EXISTS shadow;
      CREATE TABLE IF NOT EXISTS shadow.customers (email text);
      ALTER ROLE ${database.superuser.user} IN DATABASE ${database.database}
        SET search_path = shadow, public, pg_catalog`)
    const catalog = await load()
    const overview = relation(catalog, 'public.customer_overview').definition ?? ''
    expect(overview).toContain('public.customers c')
    expect(overview).toContain('public.orders o')
    expect(relation(catalog, 'public.ticket_inbox').definition).toContain(
      'public.customer_overview v',
    )
    expect(relation(catalog, 'public.customer_revenue').definition).toContain('public.payments')
  })

  test('includes the system catalogs and their views, and no toast table or index', async () => {
    const catalog = await load()
    expect(relation(catalog, 'pg_catalog.pg_stats').definition).toContain('pg_statistic')
    expect(relation(catalog, 'information_schema.columns').kind).toBe('view')
    expect(relation(catalog, 'pg_catalog.pg_class').columns.map(({ name }) => name)).toContain(
      'relname',
    )
    expect(catalog.data.relations.filter(({ schema }) => schema.startsWith('pg_toast'))).toEqual([])
    expect(catalog.relationsNamed('orders_customer')).toEqual([])
  })

  test('describes user functions, and those of the server only when asked', async () => {
    await database.sql(`
      CREATE OR REPLACE FUNCTION public.found(a int, OUT b text, OUT int, INOUT c int) RETURNS SETOF record
        LANGUAGE sql IMMUTABLE SECURITY DEFINER AS 'SELECT ''x'', 1, 2';
      CREATE OR REPLACE FUNCTION public.tabular() RETURNS TABLE (k text, v text)
        LANGUAGE plpgsql AS 'BEGIN END';
      CREATE OR REPLACE FUNCTION public.all_orders() RETURNS SETOF public.orders
        LANGUAGE sql STABLE AS 'SELECT * FROM public.orders';
      CREATE OR REPLACE PROCEDURE public.act() LANGUAGE sql AS '';
      CREATE OR REPLACE AGGREGATE public.total(int) (SFUNC = int4pl, STYPE = int)`)
    const client = await connect()
    const { data } = await loadCatalogData(client)
    const named = (name: string) => data.functions.find((entry) => entry.name === name)
    expect(named('found')).toMatchObject({
      schema: 'public',
      language: 'sql',
      volatility: 'immutable',
      kind: 'function',
      securityDefiner: true,
      returnsSet: true,
      outputs: ['b', 'column2', 'c'],
      returnType: 'record',
      builtin: false,
    })
    expect(named('tabular')).toMatchObject({ outputs: ['k', 'v'], language: 'plpgsql' })
    expect(named('all_orders')).toMatchObject({
      outputs: ['id', 'customer_id', 'status', 'placed_at', 'note'],
      returnType: 'public.orders',
    })
    expect(named('open_tickets')).toMatchObject({ outputs: [], volatility: 'stable' })
    expect(named('act')).toMatchObject({ kind: 'procedure' })
    expect(named('total')).toMatchObject({ kind: 'aggregate', language: 'internal' })
    expect(data.functions.filter((entry) => entry.builtin)).toEqual([])
    const full = (await loadCatalogData(client, { builtins: true })).data
    expect(full.functions.length).toBeGreaterThan(2_500)
    expect(full.functions.find(({ name }) => name === 'pg_read_file')).toMatchObject({
      builtin: true,
      language: 'internal',
    })
  })

  test('tells when a function of the server has been replaced', async () => {
    const own = await startPostgres()
    closers.push(() => own.stop())
    await own.sql(
      'postgres',
      `CREATE OR REPLACE FUNCTION pg_catalog.upper(text) RETURNS text LANGUAGE plpgsql
         IMMUTABLE AS 'BEGIN RETURN (SELECT passwd FROM pg_catalog.pg_shadow LIMIT 1); END'`,
    )
    const client = await connect({
      port: own.port,
      database: 'postgres',
      password: new Secret(own.superuser.password),
    })
    const { data } = await loadCatalogData(client)
    expect(data.functions).toMatchObject([
      { schema: 'pg_catalog', name: 'upper', language: 'plpgsql', builtin: false },
    ])
  })

  test('lists operators, casts and types behind which a user function runs', async () => {
    await database.sql(`
      CREATE SCHEMA IF NOT EXISTS op;
      CREATE OR REPLACE FUNCTION op.leak(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
      CREATE OPERATOR op.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = op.leak);
      CREATE TYPE op.pair AS (x int);
      CREATE OR REPLACE FUNCTION op.to_pair(text) RETURNS op.pair LANGUAGE sql AS 'SELECT ROW(1)';
      CREATE CAST (text AS op.pair) WITH FUNCTION op.to_pair(text)`)
    expect((await load()).data.userOperators).toEqual([
      { name: '::op.pair', function: 'op.to_pair' },
      { name: '===', function: 'op.leak', left: 'text', right: 'text' },
    ])
  })

  test('knows functions of extensions that compute from their arguments, while nobody has changed them', async () => {
    await database.sql(
      'CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION dblink SCHEMA ext',
    )
    await database.sql(
      `CREATE OR REPLACE FUNCTION ext.strpos(ext.citext, ext.citext) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'`,
    )
    const { data } = await load()
    const pure = (name: string) =>
      data.functions
        .filter((entry) => entry.schema === 'ext' && entry.name === name)
        .map((entry) => entry.pure)
    expect(['citext_eq', 'max', 'split_part', 'strpos', 'dblink_connect'].map(pure)).toEqual([
      [true],
      [true],
      [true],
      [undefined],
      [undefined, undefined],
    ])
    expect(data.userOperators.filter((entry) => entry.function.startsWith('ext.'))).toEqual([])
    await database.sql('DROP SCHEMA ext CASCADE')
  })

  test('sees rules, row security and security barriers', async () => {
    await database.sql(`
      CREATE TABLE public.ruled (a int);
      CREATE RULE spy AS ON UPDATE TO public.ruled DO ALSO SELECT 1;
      CREATE TABLE public.guarded (a int);
      ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
      CREATE VIEW public.barrier WITH (security_barrier) AS SELECT a FROM public.guarded`)
    const catalog = await load()
    expect(relation(catalog, 'public.ruled')).toMatchObject({ rules: true, rowSecurity: false })
    expect(relation(catalog, 'public.guarded')).toMatchObject({ rules: false, rowSecurity: true })
    expect(relation(catalog, 'public.barrier')).toMatchObject({ rules: false, rowSecurity: true })
  })

  test('can be read by a role that may only log in', async () => {
    await database.sql(`DROP ROLE IF EXISTS catalog_only;
                        CREATE ROLE catalog_only LOGIN PASSWORD 'c'`)
    const byOwner = await load()
    const byRole = await load({ user: 'catalog_only', password: new Secret('c') })
    expect(byRole.data.relations).toEqual(byOwner.data.relations)
    await database.sql('DROP ROLE catalog_only')
  })
})

describe('the change probe', () => {
  const changes: [what: string, ddl: string][] = [
    ['a new column', 'ALTER TABLE probed.t ADD COLUMN z int'],
    ['a renamed column', 'ALTER TABLE probed.t RENAME COLUMN a TO a2'],
    ['a renamed table', 'ALTER TABLE probed.t RENAME TO t2'],
    ['another schema', 'ALTER TABLE probed.t SET SCHEMA public'],
    ['a redefined view', 'CREATE OR REPLACE VIEW probed.v AS SELECT b AS a FROM probed.t'],
    ['a dropped table', 'DROP TABLE probed.t CASCADE'],
    ['a new function', "CREATE FUNCTION probed.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
    ['a renamed schema', 'ALTER SCHEMA probed RENAME TO probed2'],
    ['a new trigger', 'CREATE TRIGGER x BEFORE INSERT ON probed.t EXECUTE FUNCTION probed.g()'],
    ['a new rule', 'CREATE RULE r AS ON DELETE TO probed.t DO NOTHING'],
    ['inheritance', 'CREATE TABLE probed.c () INHERITS (probed.t)'],
    ['no inheritance', 'ALTER TABLE probed.child NO INHERIT probed.t'],
    ['row security', 'ALTER TABLE probed.t ENABLE ROW LEVEL SECURITY'],
    ['a renamed type', 'ALTER TYPE probed.kind RENAME TO sort'],
    ['a temporary view', 'CREATE TEMP VIEW tv AS SELECT b FROM probed.t'],
    ['volatility', 'ALTER FUNCTION probed.g() STABLE'],
  ]
  test.each(changes)('differs after %s', async (_what, ddl) => {
    await database.sql(`
      DROP SCHEMA IF EXISTS probed CASCADE; DROP SCHEMA IF EXISTS probed2 CASCADE;
      DROP TABLE IF EXISTS public.t;
      CREATE SCHEMA probed; CREATE TABLE probed.t (a text, b text);
      CREATE TABLE probed.child () INHERITS (probed.t);
      CREATE VIEW probed.v AS SELECT a FROM probed.t;
      CREATE TYPE probed.kind AS ENUM ('x');
      CREATE FUNCTION probed.g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`)
    const [client, other] = [await connect(), await connect()]
    const before = await probeCatalog(client)
    expect(await probeCatalog(client)).toBe(before)
    await other.query(ddl)
    expect(await probeCatalog(client)).not.toBe(before)
  })

  test('stays through everything that changes no definition', async () => {
    const [client, other] = [await connect(), await connect()]
    await other.query('CREATE TABLE public.busy (a int PRIMARY KEY, b text)')
    const before = await probeCatalog(client)
    await other.query('INSERT INTO public.busy SELECT n, n FROM generate_series(1, 5000) AS n')
    await other.query('UPDATE public.busy SET b = b || 1')
    await other.query('VACUUM (FREEZE) public.busy')
    await other.query('VACUUM (FREEZE) pg_catalog.pg_class')
    await other.query('VACUUM (FREEZE) pg_catalog.pg_attribute')
    await other.query('ANALYZE public.busy')
    await other.query('CREATE TEMP TABLE scratch (id serial PRIMARY KEY, b text DEFAULT 1)')
    await other.query('DROP TABLE scratch')
    expect(await probeCatalog(client)).toBe(before)
  })
})

describe('the store', () => {
  test('is absent, then loaded, then confirmed by a probe while nothing changes', async () => {
    const { store, events } = open()
    expect(store.get()).toBeNull()
    expect(store.status()).toEqual({ kind: 'absent', error: undefined })
    const catalog = await store.ensure()
    expect(store.get()).toBe(catalog)
    expect(await store.ensure()).toBe(catalog)
    expect(await store.refresh('interval')).toBe(catalog)
    expect(events).toMatchObject([
      { kind: 'loaded', reason: 'first-use', changed: true, settled: true },
      { kind: 'confirmed', reason: 'interval' },
    ])
    expect(store.status()).toMatchObject({ kind: 'current', version: catalog.version })
  })

  test('gives another version exactly when the content changed', async () => {
    const { store, events } = open()
    const first = await store.ensure()
    await database.sql('CREATE TABLE public.later (a int)')
    const second = await store.refresh('operator')
    expect(second.version).toBeGreaterThan(first.version)
    expect(second.relation('public', 'later')).toBeDefined()
    expect(first.relation('public', 'later')).toBeUndefined()
    // The row in pg_class is new, what it says is not.
    await database.sql('TRUNCATE public.later')
    expect((await store.refresh('interval')).version).toBe(second.version)
    expect(events.at(-1)).toMatchObject({ kind: 'loaded', changed: false })
  })

  test('sees a temporary table after the DDL of its session, without a probe', async () => {
    const { store } = open()
    await store.ensure()
    const session = await connect()
    await session.query('CREATE TEMP TABLE mine (a int)')
    expect((await store.refresh('interval')).relationsNamed('mine')).toEqual([])
    expect((await store.refresh('ddl')).relationsNamed('mine')).toHaveLength(1)
  })

  test('answers a refresh with what was committed before it was asked for', async () => {
    const { store, events } = open()
    await store.ensure()
    const under = store.refresh('ddl')
    await sleep(5)
    await database.sql('CREATE TABLE public.raced (a int)')
    const [catalog] = await Promise.all([
      store.refresh('ddl'),
      store.refresh('interval'),
      store.refresh('metadata'),
      under,
    ])
    expect(catalog.relation('public', 'raced')).toBeDefined()
    expect(events.length).toBeLessThanOrEqual(3)
  })

  test('coalesces a crowd into one load and keeps its pace', async () => {
    const { store, events } = open()
    await Promise.all(Array.from({ length: 50 }, () => store.ensure()))
    expect(events).toHaveLength(1)
    const started = performance.now()
    for (let round = 0; round < 3; round += 1) await store.refresh('ddl')
    expect(performance.now() - started).toBeGreaterThan(600)
  })

  test('looks for changes by itself', async () => {
    const { store } = open({ intervalMs: 100 })
    await store.ensure()
    await database.sql('CREATE TABLE public.noticed (a int)')
    await expect
      .poll(() => store.get()?.relation('public', 'noticed'), { timeout: 5000 })
      .toBeDefined()
  })

  test('survives its connection being cut', async () => {
    const { store, events } = open()
    await store.ensure()
    await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE application_name = 'sallyport-catalog'
                           AND datname = '${database.database}'`)
    await store.refresh('interval')
    expect(events.map(({ kind }) => kind)).toEqual(['loaded', 'loaded'])
  })

  test('keeps a consistent snapshot while another session never stops changing the schema', async () => {
    const { store, events } = open()
    const other = await connect()
    let running = true
    const churn = (async () => {
      while (running) {
        await other.query('CREATE TABLE public.churn (a int)')
        await other.query('CREATE VIEW public.churn_view AS SELECT a FROM public.churn')
        await other.query('DROP TABLE public.churn CASCADE')
      }
    })()
    try {
      for (let round = 0; round < 4; round += 1) await store.refresh('ddl')
    } finally {
      running = false
      await churn
    }
    for (const event of events) expect(event.kind).toBe('loaded')
    for (const entry of store.get()?.data.relations ?? []) {
      if (entry.kind === 'view') expect(entry.definition).toBeDefined()
    }
  })
})

describe('a store whose database fails', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  const there = (over: Partial<CatalogLogin> = {}): CatalogLogin =>
    login({
      port: server.port,
      database: 'postgres',
      password: new Secret(server.superuser.password),
      ...over,
    })

  test('asks for the credential again when it is refused, once', async () => {
    let asked = 0
    let refusals = 0
    const { store } = open({
      login: async () => {
        asked += 1
        return there(asked === 1 ? { password: new Secret('rotated away') } : {})
      },
      onCredentialRefused: () => {
        refusals += 1
        return true
      },
    })
    await store.ensure()
    expect([asked, refusals]).toEqual([2, 1])
  })

  test('says that the credential is refused, and then waits before it tries again', async () => {
    let asked = 0
    const { store, events } = open({
      login: async () => {
        asked += 1
        return there({ password: new Secret('wrong') })
      },
      onCredentialRefused: () => false,
    })
    await expect(store.ensure()).rejects.toMatchObject({ code: 'credential-refused' })
    await expect(store.ensure()).rejects.toMatchObject({ code: 'backing-off' })
    expect(asked).toBe(1)
    expect(store.status()).toMatchObject({
      kind: 'absent',
      error: { code: 'credential-refused' },
    })
    expect(JSON.stringify(events)).not.toContain('wrong')
  })

  test('keeps the old snapshot while it is young, then has none, then recovers by itself', async () => {
    const own = await startPostgres()
    closers.push(() => own.stop())
    let port = own.port
    const { store } = open({
      login: async () => there({ port, password: new Secret(own.superuser.password) }),
      intervalMs: 100,
      staleMs: 1_500,
    })
    const catalog = await store.ensure()
    await own.stop()
    await expect(store.refresh('operator')).rejects.toMatchObject({ code: 'unreachable' })
    expect(store.get()).toBe(catalog)
    expect(store.status()).toMatchObject({ kind: 'stale', error: { code: 'unreachable' } })
    await expect.poll(() => store.get(), { timeout: 5_000 }).toBeNull()
    expect(store.status()).toMatchObject({ kind: 'absent' })
    const next = await startPostgres()
    closers.push(() => next.stop())
    await next.sql('postgres', `ALTER ROLE postgres PASSWORD '${own.superuser.password}'`)
    port = next.port
    await expect.poll(() => store.get(), { timeout: 15_000 }).not.toBeNull()
  })

  test('loses only the views over a table that a migration has locked, until it ends', async () => {
    await server.sql(
      'postgres',
      `CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;
       CREATE TABLE u (a int); CREATE VIEW w AS SELECT a FROM u`,
    )
    const { store, events } = open({ login: async () => there(), intervalMs: 100 })
    const catalog = await store.ensure()
    const migration = new pg.Client(server.url('postgres'))
    await migration.connect()
    await migration.query('BEGIN; ALTER TABLE t ADD COLUMN b int')
    // Nothing is committed: the probe confirms the snapshot without touching a lock.
    expect(await store.refresh('interval')).toBe(catalog)
    const during = await store.refresh('ddl')
    expect(during.relation('public', 'v')).toBeUndefined()
    expect(during.relation('public', 'w')?.definition).toContain('public.u')
    expect(events.at(-1)).toMatchObject({ settled: false })
    // A rollback changes no row, so no probe would tell.
    await migration.query('ROLLBACK')
    await migration.end()
    await expect.poll(() => store.get()?.relation('public', 'v'), { timeout: 5_000 }).toBeDefined()
  })

  test('verifies the server like any other connection to it', async () => {
    await expect(
      connectCatalog(there({ tls: new UpstreamTls({ mode: 'verify-full' }) })),
    ).rejects.toMatchObject({ code: 'unreachable' })
    const plain = await startPostgres({ tls: 'off' })
    closers.push(() => plain.stop())
    const password = new Secret(plain.superuser.password)
    const to = (mode: 'require' | 'prefer' | 'disable') =>
      connectCatalog(there({ port: plain.port, password, tls: new UpstreamTls({ mode }) }))
    await expect(to('require')).rejects.toMatchObject({ code: 'unreachable' })
    for (const mode of ['prefer', 'disable'] as const) await (await to(mode)).end()
    const unix = await connectCatalog(
      there({ host: server.socketDir, tls: new UpstreamTls({ mode: 'require' }) }),
    )
    await unix.end()
  })

  test('gives nothing after it is closed', async () => {
    const { store } = open({ login: async () => there() })
    await store.ensure()
    const under = store.refresh('ddl')
    await store[Symbol.asyncDispose]()
    await expect(under).rejects.toMatchObject({ code: 'closed' })
    await expect(store.refresh('operator')).rejects.toMatchObject({ code: 'closed' })
    expect(store.get()).toBeNull()
  })
})
