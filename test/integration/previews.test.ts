/** What a held statement would do, shown to whoever decides: run, rolled back, and run again once it is approved. */
import { openAuditReader } from '@sallyport/audit'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../packages/cli/src/testing.ts'
import { type Control, controlOf, pendingApproval } from '../support/control.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cancelAt, errorsOf, extended, say, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: reading, who: everyone, allow: { effects: [read, session, transaction], relations: ['public.*'] } }
  - { name: own functions, who: everyone, allow: { functions: [public.noisy] } }
  - name: writes
    who: everyone
    approve: { effects: [write], relations: ['public.*'] }
    approvers: { groups: [dba], within: 60s, use-within: 60s }
    preview: { rows: 2 }
  - name: returned
    who: everyone
    approve: { effects: [write], relations: [public.returned] }
    approvers: { groups: [dba], within: 60s, use-within: 60s }
    mode: return
    preview: { rows: 1 }
  - name: unseen
    who: everyone
    approve: { effects: [write], relations: [public.unseen] }
    approvers: { groups: [dba] }
masks:
  - { columns: [public.people.email], with: redact, except: { subjects: [agent] } }
`
const AGENT = { subject: 'agent', kind: 'machine' } as const

let database: TestDatabase
let gateway: TestGateway
let ann: Control
let agent: Control

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(`
    CREATE TABLE public.t (id serial PRIMARY KEY, n int UNIQUE DEFERRABLE, x text);
    INSERT INTO public.t (n, x) SELECT i, 'x' || i FROM generate_series(1, 5) i;
    CREATE TABLE public.people (id int PRIMARY KEY, email text, note text, loud text GENERATED ALWAYS AS (note || '!') STORED);
    INSERT INTO public.people VALUES (1, 'ada@example.com', 'one');
    CREATE TABLE public.parts (id int) PARTITION BY RANGE (id);
    CREATE TABLE public.part PARTITION OF public.parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE public.returned (n int);
    CREATE TABLE public.unseen (n int);
    CREATE TABLE public.ran (n int);
    CREATE TABLE public.defaults (n int, at float8);
    CREATE FUNCTION public.noisy() RETURNS float8 LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    ALTER TABLE public.defaults ALTER at SET DEFAULT public.noisy();
    CREATE FUNCTION public.fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER fires BEFORE INSERT ON public.part FOR EACH ROW EXECUTE FUNCTION public.fires();`)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
    config: { admin: { port: 0 } },
  })
  ann = await controlOf(gateway, { subject: 'ann', kind: 'human', groups: ['dba'] })
  agent = await controlOf(gateway, AGENT)
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

async function open(): Promise<WireClient> {
  return WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await gateway.token(AGENT),
    database: gateway.connection,
  })
}

async function pending() {
  const { id } = await pendingApproval(ann)
  const { shown } = (await ann.get(`/v1/approvals/${id}`)).body
  return { id, preview: shown.preview }
}

/** What approvers are shown of it; denied then. */
async function previewOf(sql: string) {
  await using wire = await open()
  wire.send({ kind: 'Query', text: sql })
  await wire.until(({ type }) => type === 'N')
  const { id, preview } = await pending()
  await ann.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
  expect(say(await wire.replies())).toBe('E:SP002 Z:I')
  return preview
}

/** What is in the log, oldest first. */
async function records() {
  const reader = await openAuditReader({ directory: gateway.auditDirectory, update: true })
  try {
    return [...(await reader.search({ limit: 1000 })).items].reverse()
  } finally {
    reader.close()
  }
}

/** Somebody else at the database. */
async function other(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  return client
}

const tableT = () => database.sql('SELECT n, x FROM public.t ORDER BY n')

test('in the middle of a pipeline there is none, and approvers read why', async () => {
  await using wire = await open()
  const read = extended('SELECT 1').slice(0, 4)
  wire.send(...read, ...extended("UPDATE t SET x = 'piped' WHERE n = 1"))
  await wire.until(({ type }) => type === 'N')
  const { id, preview } = await pending()
  expect(preview).toEqual({
    kind: 'none',
    why: expect.stringContaining('the middle of a pipeline'),
  })
  const told = await run(['approvals', 'show', id], {
    env: { SALLYPORT_URL: ann.base, SALLYPORT_TOKEN: ann.token },
  })
  expect(told.stdout).toMatch(/preview +none: it is in the middle of a pipeline/)
  await ann.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
  expect(errorsOf(await wire.replies())).toHaveLength(1)
  expect(await database.sql('SELECT x FROM public.t WHERE n = 1')).toEqual([{ x: 'x1' }])
})

test('an UPDATE: rows before and after, nothing changed until it is approved', async () => {
  const before = await tableT()
  await using wire = await open()
  wire.send({ kind: 'Query', text: "UPDATE t SET x = 'new' WHERE n >= 4; " })
  await wire.until(({ type }) => type === 'N')
  const { id, preview } = await pending()
  expect(preview).toEqual({
    kind: 'preview',
    affected: 2,
    columns: ['id', 'n', 'x'],
    rows: [
      { before: ['4', '4', 'x4'], after: ['4', '4', 'new'] },
      { before: ['5', '5', 'x5'], after: ['5', '5', 'new'] },
    ],
  })
  expect(await tableT()).toEqual(before)
  // Its locks are given back: nobody else waits.
  await database.sql("UPDATE public.t SET x = 'x5' WHERE n = 5")
  await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
  expect(say(await wire.replies())).toBe('C:UPDATE 2 Z:I')
  expect((await tableT()).slice(3)).toEqual([
    { n: 4, x: 'new' },
    { n: 5, x: 'new' },
  ])
})

test('the run is on record before it is made, bound to what is approved; so is what it came to', async () => {
  await previewOf('DELETE FROM t WHERE n = 4')
  const events = (await records()).map(({ event }) => event)
  const at = events.findLastIndex(({ type }) => type === 'statement-previewed')
  const asked = events.findLast(({ type }) => type === 'approval-requested')
  expect(events[at]).toMatchObject({ statement: asked?.['statement'], binding: asked?.['binding'] })
  expect(events.slice(at).findIndex(({ type }) => type === 'approval-requested')).toBeGreaterThan(0)
  expect(asked).toMatchObject({ preview: { affected: 1 } })
})

test('the requester, who may not be let to read the table, is not shown it', async () => {
  await using wire = await open()
  wire.send({ kind: 'Query', text: 'DELETE FROM t WHERE n = 1' })
  await wire.until(({ type }) => type === 'N')
  const { id, preview } = await pending()
  expect(preview).toMatchObject({ affected: 1 })
  const { shown } = (await agent.get(`/v1/approvals/${id}`)).body
  expect(shown).toMatchObject({ sql: 'DELETE FROM t WHERE n = 1', preview: null })
})

test.each([
  [
    "INSERT INTO t (n, x) VALUES (9, 'in')",
    1,
    [{ before: null, after: [expect.any(String), '9', 'in'] }],
  ],
  ['DELETE FROM t WHERE n = 1 RETURNING x -- gone', 1, [{ before: ['1', '1', 'x1'], after: null }]],
  ["UPDATE t SET x = 'y' WHERE n > 100", 0, []],
  [
    'WITH one AS (SELECT 1 AS n) UPDATE t AS a SET x = NULL FROM one WHERE a.n = one.n',
    1,
    [{ before: ['1', '1', 'x1'], after: ['1', '1', null] }],
  ],
  [
    'MERGE INTO t USING (VALUES (1), (77)) AS v (n) ON t.n = v.n WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (n) VALUES (v.n)',
    2,
    expect.arrayContaining([{ before: ['1', '1', 'x1'], after: null }]),
  ],
  [
    "INSERT INTO people VALUES (1, 'eve@example.com', 'two') ON CONFLICT (id) DO UPDATE SET note = excluded.note",
    1,
    [{ before: ['1', '[masked]', 'one', '[masked]'], after: ['1', '[masked]', 'two', '[masked]'] }],
  ],
  [
    "UPDATE people SET note = 'two'",
    1,
    [{ before: ['1', '[masked]', 'one', '[masked]'], after: ['1', '[masked]', 'two', '[masked]'] }],
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
])('%s', async (sql, affected, rows) => {
  expect(await previewOf(sql)).toMatchObject({ kind: 'preview', affected, rows })
})

test.each([
  ['INSERT INTO parts VALUES (1)', /triggers/],
  ['INSERT INTO defaults VALUES (1)', /defaults/],
  ['INSERT INTO t (n) VALUES (1)', /SQLSTATE 23505/],
  ["UPDATE t SET n = nextval('t_id_seq')", /nextval|more than one/],
  [
    'WITH gone AS (DELETE FROM ran RETURNING n) INSERT INTO t (n) SELECT n FROM gone',
    /more than one/,
  ],
  ['INSERT INTO t (n) VALUES (50); DELETE FROM t', /not one statement/],
])('no preview: %s', async (sql, why) => {
  const before = await tableT()
  expect(await previewOf(sql)).toEqual({ kind: 'none', why: expect.stringMatching(why) })
  expect(await tableT()).toEqual(before)
})

test('one rule that shows nothing is enough for nothing to be shown', async () => {
  expect(await previewOf('INSERT INTO unseen VALUES (1)')).toBeNull()
})

test('in a transaction: what went before is there, what was tried is not', async () => {
  await using wire = await open()
  await wire.query('BEGIN')
  wire.send(...extended("UPDATE t SET x = 'p' WHERE n = $1", ['2']))
  await wire.until(({ type }) => type === 'N')
  const { id, preview } = await pending()
  expect(preview).toMatchObject({
    affected: 1,
    rows: [{ before: ['2', '2', 'x2'], after: ['2', '2', 'p'] }],
  })
  await ann.post(`/v1/approvals/${id}/decision`, { decision: 'deny' })
  await wire.replies()
  await wire.query('ROLLBACK')
  expect(say(await wire.query('SELECT x FROM t WHERE n = 2'))).toBe('T D1 C:SELECT 1 Z:I')
})

test('a lock of somebody else’s is not waited for long, and the statement is held all the same', async () => {
  const somebody = await other()
  await somebody.query('BEGIN')
  await somebody.query('SELECT 1 FROM public.t WHERE n = 3 FOR UPDATE')
  expect(await previewOf("UPDATE t SET x = 'z' WHERE n = 3")).toEqual({
    kind: 'none',
    why: 'the database does not run it: SQLSTATE 55P03',
  })
  await somebody.query('ROLLBACK')
  await somebody.end()
})

test('sent again after SP001 it is not tried again', async () => {
  await using wire = await open()
  const sql = 'INSERT INTO returned VALUES (1)'
  expect(say(await wire.query(sql))).toBe('E:SP001 Z:I')
  const { id, preview } = await pending()
  expect(preview).toMatchObject({ affected: 1 })
  await ann.post(`/v1/approvals/${id}/decision`, { decision: 'approve' })
  expect(say(await wire.query(sql))).toBe('C:INSERT 0 1 Z:I')
  const tried = (await records()).filter(({ event }) => event.type === 'statement-previewed')
  const statements = (await records()).filter(({ event }) => event['sql'] === sql)
  expect(
    tried.filter(({ event }) => statements.some(({ seq }) => seq === event['statement'])),
  ).toHaveLength(1)
})

test('whoever leaves while it is tried does not ask', async () => {
  const somebody = await other()
  await somebody.query('BEGIN')
  await somebody.query('LOCK TABLE public.ran')
  await using wire = await open()
  wire.send({ kind: 'Query', text: 'DELETE FROM ran' })
  const running =
    "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'WITH sallyport_preview%' AND wait_event_type = 'Lock'"
  while ((await database.sql(running)).length === 0)
    await new Promise((next) => setTimeout(next, 5))
  if (wire.key === null) throw new Error('no key')
  await cancelAt({ host: gateway.host, port: gateway.plainPort }, wire.key)
  expect(say(await wire.replies())).toBe('E:57014 Z:I')
  await somebody.query('ROLLBACK')
  await somebody.end()
})
