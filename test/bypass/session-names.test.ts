/**
 * Attacks on what names stand for: statements, cursors and relations whose meaning the session changes
 * between being decided and being run. A statement must never run under the facts of another.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { cells, type Frame, type WireClient } from '../support/wire.ts'
import { agentWire } from './agent-wire.ts'

const SECRET = 'q7Zx-9914-canary'
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.people.ssn'], with: redact, predicates: open }
`
/** Allowed, and redacted because it is computed from the masked column. */
const DERIVED = `SELECT ssn || '' AS x FROM public.people`
const CLEAN = `SELECT 'clean'::text AS x`

let database: TestDatabase
let gateway: TestGateway
let wire: WireClient

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(`
    CREATE TABLE public.people (id int PRIMARY KEY, ssn text);
    INSERT INTO public.people VALUES (1, '${SECRET}');
    CREATE SCHEMA open;
    CREATE TABLE open.people2 (id int, ssn text); INSERT INTO open.people2 VALUES (1, 'open');
    CREATE SCHEMA other; CREATE TABLE other.things (ssn text); INSERT INTO other.things VALUES ('public thing');
    CREATE TABLE public.things AS SELECT ssn FROM public.people;
    CREATE DOMAIN public.d AS text;
  `)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [POLICY.replace("['*.people.ssn']", "['*.people.ssn', 'public.things.ssn']")],
  })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})
beforeEach(async () => {
  wire = await agentWire(gateway)
})
afterEach(async () => {
  await wire[Symbol.asyncDispose]()
})

function expectNoLeak(): void {
  expect(Buffer.concat(wire.received).includes(SECRET)).toBe(false)
}

async function run(...texts: readonly string[]): Promise<Frame[]> {
  const frames: Frame[] = []
  for (const text of texts) frames.push(...(await wire.query(text)))
  return frames
}

const parse = (statement: string, text: string) =>
  ({ kind: 'Parse', statement, text, parameterTypes: [] }) as const
const bind = (portal: string, statement: string) =>
  ({
    kind: 'Bind',
    portal,
    statement,
    parameterFormats: [],
    values: [],
    resultFormats: [],
  }) as const
const execute = (portal: string) => ({ kind: 'Execute', portal, maxRows: 0 }) as const
const close = (target: 'statement' | 'portal', name: string) =>
  ({ kind: 'Close', target, name }) as const
const query = (text: string) => ({ kind: 'Query', text }) as const
const SYNC = { kind: 'Sync' } as const

test('the derived column is allowed and redacted, the clean statement passes', async () => {
  expect(cells(await wire.query(DERIVED))).toEqual([['[redacted]']])
  expect(cells(await wire.query(CLEAN))).toEqual([['clean']])
  expectNoLeak()
})

test('what a text makes, the rest of it may use', async () => {
  const texts: readonly (readonly [string, string])[] = [
    [`BEGIN; DECLARE c CURSOR FOR ${DERIVED}; FETCH c; COMMIT`, '[redacted]'],
    [`PREPARE w AS ${DERIVED}; EXECUTE w; DEALLOCATE w`, '[redacted]'],
    [
      'CREATE TEMP TABLE w1 (v text); INSERT INTO w1 VALUES ($$made$$); TABLE w1; DROP TABLE w1',
      'made',
    ],
    [
      'CREATE TABLE w2 (v text); INSERT INTO w2 VALUES ($$made$$); SELECT v FROM w2; DROP TABLE w2',
      'made',
    ],
    [
      'CREATE SCHEMA w3; CREATE TABLE w3.t AS SELECT $$made$$::text AS v; TABLE w3.t; DROP SCHEMA w3 CASCADE',
      'made',
    ],
    [
      'BEGIN; CREATE TABLE w4 (v int); ALTER TABLE w4 ADD t text; INSERT INTO w4 (t) VALUES ($$made$$); SELECT t FROM w4; ROLLBACK',
      'made',
    ],
    ['SET search_path TO other; SELECT ssn FROM things; SET search_path TO public', 'public thing'],
  ]
  for (const [text, cell] of texts) expect([text, cells(await run(text))]).toEqual([text, [[cell]]])
})

describe('a statement under the name of another', () => {
  test('SQL EXECUTE after the wire closed and took the name', async () => {
    await run(`PREPARE a AS ${CLEAN}`)
    wire.send(close('statement', 'a'), parse('a', DERIVED), SYNC)
    await wire.replies()
    await run('EXECUTE a')
    expectNoLeak()
  })

  test('SQL EXECUTE pipelined behind a Parse that fails because the name is taken', async () => {
    wire.send(parse('a', DERIVED), SYNC)
    await wire.replies()
    wire.send(parse('a', CLEAN), SYNC, query('EXECUTE a'))
    await wire.replies(2)
    expectNoLeak()
  })

  test('a Parse of EXECUTE, its target replaced before Bind and before Execute', async () => {
    wire.send(parse('a', CLEAN), parse('e', 'EXECUTE a'), SYNC)
    await wire.replies()
    wire.send(close('statement', 'a'), parse('a', DERIVED), bind('', 'e'), execute(''), SYNC)
    await wire.replies()
    wire.send(close('statement', 'a'), parse('a', CLEAN), bind('', 'e'))
    wire.send(close('statement', 'a'), parse('a', DERIVED), execute(''), SYNC)
    await wire.replies()
    expectNoLeak()
  })

  test('a Parse of EXECUTE, its target replaced by SQL', async () => {
    await run(`PREPARE a AS ${CLEAN}`)
    wire.send(parse('e', 'EXECUTE a'), SYNC)
    await wire.replies()
    await run('DEALLOCATE a', `PREPARE a AS ${DERIVED}`)
    wire.send(bind('', 'e'), execute(''), SYNC)
    await wire.replies()
    expectNoLeak()
  })

  test('names that differ only where the server does not look', async () => {
    const stem = 'n'.repeat(63)
    wire.send(parse(`${stem}A`, CLEAN), SYNC)
    await wire.replies()
    wire.send(close('statement', `${stem}B`), parse(`${stem}B`, DERIVED), SYNC)
    await wire.replies()
    wire.send(bind('', `${stem}A`), execute(''), SYNC)
    await wire.replies()
    expectNoLeak()
  })

  test('one text that deallocates, prepares and executes', async () => {
    await run(`PREPARE a AS ${CLEAN}`)
    await run(`DEALLOCATE a; PREPARE a AS ${DERIVED}; EXECUTE a`)
    expectNoLeak()
  })

  test('Close and Parse skipped by an error, then EXECUTE', async () => {
    wire.send(parse('a', DERIVED), SYNC)
    await wire.replies()
    wire.send(parse('', 'SELECT 1/0'), bind('', ''), execute(''), close('statement', 'a'))
    wire.send(parse('a', CLEAN), SYNC, query('EXECUTE a'), bind('', 'a'), execute(''), SYNC)
    await wire.replies(3)
    expectNoLeak()
  })

  test('a Parse that fails and a Close that an error skips, in pipelined segments', async () => {
    wire.send(parse('a', DERIVED), SYNC)
    await wire.replies()
    wire.send(parse('a', CLEAN), SYNC)
    wire.send(parse('', 'SELECT 1/0'), bind('', ''), execute(''), close('statement', 'a'), SYNC)
    await wire.replies(2)
    wire.send(bind('', 'a'), execute(''), SYNC)
    await wire.replies()
    expectNoLeak()
  })
})

describe('a cursor under the name of another', () => {
  test('FETCH after the wire closed and bound the name', async () => {
    await run('BEGIN', `DECLARE c CURSOR FOR ${CLEAN}`)
    wire.send(close('portal', 'c'), parse('', DERIVED), bind('c', ''), SYNC)
    await wire.replies()
    await run('FETCH ALL FROM c')
    expectNoLeak()
  })

  test('FETCH after the block ended and the wire bound the name', async () => {
    await run('BEGIN', `DECLARE c CURSOR FOR ${CLEAN}`, 'COMMIT', 'BEGIN')
    wire.send(parse('', DERIVED), bind('c', ''), SYNC)
    await wire.replies()
    await run('FETCH ALL FROM c')
    expectNoLeak()
  })

  test('one text that closes, declares and fetches', async () => {
    await run('BEGIN', `DECLARE c CURSOR FOR ${CLEAN}`)
    await run(`CLOSE c; DECLARE c CURSOR FOR ${DERIVED}; FETCH ALL FROM c`)
    expectNoLeak()
  })

  test('a binary cursor is masked as binary', async () => {
    await run('BEGIN', 'DECLARE c BINARY CURSOR FOR SELECT id, ssn FROM people')
    expect(cells(await wire.query('FETCH 1 FROM c'))).toEqual([['\0\0\0\x01', '[redacted]']])
    await run('CLOSE c', 'DECLARE c BINARY CURSOR FOR SELECT id, ssn FROM people')
    wire.send(execute('c'), SYNC)
    expect(cells(await wire.replies())).toEqual([['1', '[redacted]']])
    expectNoLeak()
  })
})

describe('a relation under the name of another', () => {
  const ASK = `SELECT ssn || '' FROM things`

  test('search_path changed by the same text', async () => {
    await run('SET search_path TO other', ASK)
    await run(`SET search_path TO public; ${ASK}`)
    await run(`SET search_path TO other`, `RESET search_path; ${ASK}`)
    expectNoLeak()
  })

  test('a relation dropped or renamed away by the open transaction, or by the same text', async () => {
    const make = [
      'CREATE SCHEMA IF NOT EXISTS front',
      'CREATE TABLE IF NOT EXISTS front.things (ssn text)',
    ]
    const here = 'SET search_path TO front, public'
    await run(...make, here, ASK, 'BEGIN', 'DROP TABLE front.things', ASK, 'ROLLBACK')
    await run(`DROP TABLE front.things; ${ASK}`, ASK)
    await run(...make, 'BEGIN', 'ALTER TABLE front.things RENAME TO gone', ASK, 'ROLLBACK')
    await run(`ALTER TABLE front.things RENAME TO gone; ${ASK}`, 'DROP SCHEMA front CASCADE', ASK)
    expectNoLeak()
  })

  test('a temporary relation that goes with its transaction', async () => {
    await run('BEGIN', 'CREATE TEMP TABLE things (ssn text)')
    await run(`ROLLBACK; ${ASK}`)
    await run('BEGIN', 'CREATE TEMP TABLE things (ssn text)', 'ROLLBACK', ASK)
    await run('CREATE TEMP TABLE things (ssn text); SELECT 1/0', ASK)
    await run(
      'BEGIN',
      'SAVEPOINT s',
      'CREATE TEMP TABLE things (ssn text)',
      'ROLLBACK TO s',
      ASK,
      'COMMIT',
    )
    expectNoLeak()
  })

  test('a temporary relation of an implicit transaction that fails later', async () => {
    wire.send(parse('', 'CREATE TEMP TABLE things (ssn text)'), bind('', ''), execute(''))
    wire.send(parse('', 'SELECT 1/0'), bind('', ''), execute(''), SYNC)
    await wire.replies()
    await run(ASK)
    wire.send(parse('', 'CREATE TEMP TABLE things (ssn text)'), bind('', ''), execute(''))
    wire.send(parse('', 'no such statement at all'), SYNC)
    await wire.replies()
    await run(ASK)
    expectNoLeak()
  })

  test('a temporary relation dropped by the same text, or by its own end', async () => {
    await run('CREATE TEMP TABLE things (ssn text)', `DROP TABLE pg_temp.things; ${ASK}`)
    await run('BEGIN', 'CREATE TEMP TABLE things (ssn text) ON COMMIT DROP', 'COMMIT', ASK)
    await run('CREATE TEMP TABLE things (ssn text)', 'DISCARD TEMP', ASK)
    await run('CREATE TEMP TABLE things (ssn text)', 'DISCARD ALL', ASK)
    expectNoLeak()
  })

  test('a plan made before a temporary relation took the name', async () => {
    await run('CREATE TEMP TABLE unrelated (x int)')
    wire.send(parse('s', ASK), bind('', 's'), execute(''), SYNC)
    expect(cells(await wire.replies())).toEqual([['[redacted]']])
    await run('CREATE TEMP TABLE things (ssn text)')
    wire.send(bind('', 's'), execute(''), SYNC)
    await wire.replies()
    await run(`PREPARE p AS ${ASK.replace('things', 'public.things')}`)
    expectNoLeak()
  })

  test('a SQL-prepared plan made before a temporary relation took the name', async () => {
    await run('CREATE TEMP TABLE unrelated (x int)', `PREPARE p AS ${ASK}`, 'EXECUTE p')
    await run('CREATE TEMP TABLE things (ssn text)', 'EXECUTE p')
    expectNoLeak()
  })

  test('a SQL-prepared statement re-read under another search_path', async () => {
    await run('SET search_path TO other', `PREPARE p AS ${ASK}`, 'EXECUTE p')
    await run('SET search_path TO public', 'EXECUTE p')
    wire.send(parse('e', 'EXECUTE p'), bind('', 'e'), execute(''), SYNC)
    await wire.replies()
    expectNoLeak()
  })

  test('a COPY bound under one search_path and run under another', async () => {
    await run('SET search_path TO other')
    wire.send(parse('c', 'COPY things TO STDOUT'), bind('c', 'c'))
    wire.send(parse('', 'SET search_path TO public'), bind('', ''), execute(''))
    wire.send(execute('c'), SYNC)
    await wire.replies()
    expectNoLeak()
  })

  test.each([
    [['BEGIN', 'SET search_path TO other', ASK, 'ROLLBACK', ASK]],
    [['BEGIN', 'SET LOCAL search_path TO other', 'COMMIT', ASK]],
    [['BEGIN', 'SAVEPOINT s', 'SET search_path TO other', 'ROLLBACK TO s', ASK, 'COMMIT']],
    [['SET search_path TO other; SELECT 1/0', ASK]],
    [['BEGIN', 'SET search_path TO other', 'SELECT 1/0', 'COMMIT', ASK]],
  ])('search_path set in a block that does not commit: %j', async (texts) => {
    await run('SET search_path TO public', ...texts)
    expectNoLeak()
  })

  test('search_path set in an implicit transaction that fails', async () => {
    await run('SET search_path TO public')
    wire.send(parse('', 'SET search_path TO other'), bind('', ''), execute(''))
    wire.send(parse('', ASK), bind('', ''), execute(''), parse('', 'SELECT 1/0'), bind('', ''))
    wire.send(execute(''), SYNC, query(ASK))
    await wire.replies(2)
    expectNoLeak()
  })

  const sequences: readonly (readonly string[])[] = [
    // `things` and `people` of public hold the secret, those of other and open do not.
    [`SET search_path TO other`, `PREPARE a AS ${ASK}`, `SET search_path TO public; EXECUTE a`],
    [`SET search_path TO other; PREPARE a AS ${ASK}; SET search_path TO public; EXECUTE a`],
    [
      `SET search_path TO other; BEGIN; SET LOCAL search_path TO other; COMMIT; SET search_path TO public; ${ASK}`,
    ],
    [`SET search_path TO public`, `BEGIN; SET LOCAL search_path TO other; COMMIT; ${ASK}`],
    [`SET search_path TO public`, `BEGIN; SET search_path TO other; ROLLBACK; ${ASK}`],
    [`SET search_path TO public`, `SET search_path TO other; BEGIN; ROLLBACK; ${ASK}`],
    [
      `SET search_path TO public`,
      `BEGIN; SAVEPOINT s; SET search_path TO other; ROLLBACK TO s; ${ASK}; COMMIT`,
    ],
    [`SET search_path TO public`, 'BEGIN', 'SET search_path TO other', `ROLLBACK; ${ASK}`],
    [`SET search_path TO public`, `BEGIN; CREATE TEMP TABLE things (ssn text); ROLLBACK; ${ASK}`],
    [
      `SET search_path TO public`,
      `BEGIN; CREATE TEMP TABLE things (ssn text) ON COMMIT DROP; COMMIT; ${ASK}`,
    ],
    [`SET search_path TO public`, `CREATE TEMP TABLE things (ssn text); DROP TABLE things; ${ASK}`],
    [
      `SET search_path TO public`,
      `CREATE TEMP TABLE things (ssn text); ALTER TABLE things RENAME TO x; ${ASK}`,
    ],
    [
      `SET search_path TO nowhere, public`,
      `CREATE TABLE new_one (ssn text); ALTER TABLE new_one RENAME TO y; ${ASK}`,
    ],
    [
      `SET search_path TO other, public`,
      `BEGIN; ALTER TABLE other.things RENAME TO x; ${ASK}; ROLLBACK`,
    ],
    [`SET search_path TO other, public`, `BEGIN; DROP TABLE things; ${ASK}; ROLLBACK`],
    [`SET search_path TO other, public`, 'BEGIN', 'DROP TABLE things', ASK, 'ROLLBACK'],
    [`SET search_path TO other, public`, `BEGIN; DROP SCHEMA other CASCADE; ${ASK}; ROLLBACK`],
    [`SET search_path TO other, public`, 'BEGIN', 'DROP SCHEMA other CASCADE', ASK, 'ROLLBACK'],
    [
      `BEGIN; CREATE TABLE open.n1 (ssn text); DROP TABLE open.n1; CREATE VIEW open.n1 AS SELECT ssn FROM public.people; SELECT ssn || '' FROM open.n1; ROLLBACK`,
    ],
    [
      `BEGIN; CREATE VIEW open.n2 AS SELECT ssn AS x FROM public.people; SELECT x, x || '' FROM open.n2; ROLLBACK`,
    ],
    [
      'BEGIN',
      `CREATE VIEW open.n3 AS SELECT ssn AS x FROM public.people`,
      'SELECT x FROM open.n3',
      `SELECT x || '' FROM open.n3`,
      'ROLLBACK',
    ],
    [
      'BEGIN',
      'CREATE TABLE open.n4 (x text)',
      'INSERT INTO open.n4 SELECT ssn FROM public.people',
      'TABLE open.n4',
      'ROLLBACK',
    ],
    [
      'BEGIN',
      'CREATE TABLE open.n5 (y int) INHERITS (public.people)',
      `SELECT ssn || '' FROM public.people`,
      'ROLLBACK',
    ],
    [
      'BEGIN',
      'CREATE TABLE open.n6 (LIKE public.people)',
      'ALTER TABLE open.n6 INHERIT public.people',
      `SELECT ssn || '' FROM open.n6`,
      'ROLLBACK',
    ],
    ['BEGIN', 'CREATE TABLE open.n7 (x text REFERENCES public.things)', 'ROLLBACK'],
    [
      'BEGIN',
      'ALTER TABLE public.people ADD COLUMN z text GENERATED ALWAYS AS (upper(ssn)) STORED',
      `SELECT z || '' FROM public.people`,
      'ROLLBACK',
    ],
    [
      'BEGIN',
      'ALTER TABLE public.people RENAME COLUMN ssn TO z',
      `SELECT z || '', z FROM public.people`,
      'ROLLBACK',
    ],
    [
      'BEGIN',
      'SAVEPOINT s',
      'CREATE TABLE open.things (ssn text)',
      'ROLLBACK TO s',
      'SET search_path TO open, public',
      ASK,
      'ROLLBACK',
    ],
    [
      `BEGIN; DECLARE c CURSOR FOR ${CLEAN}; CLOSE c; DECLARE c CURSOR FOR ${DERIVED}; FETCH c; COMMIT`,
    ],
    [
      `BEGIN; DECLARE c CURSOR FOR ${CLEAN}; COMMIT; BEGIN; DECLARE c CURSOR FOR ${DERIVED}; FETCH c; COMMIT`,
    ],
    [`PREPARE a AS ${CLEAN}; DEALLOCATE a; PREPARE a AS ${DERIVED}; EXECUTE a`],
    [`PREPARE a AS ${CLEAN}; DEALLOCATE ALL; PREPARE a AS ${DERIVED}; EXECUTE a`],
  ]
  test.each(sequences.map((texts) => [texts.join(' | '), texts] as const))(
    '%s',
    async (_, texts) => {
      for (const text of texts) await run(text)
      expectNoLeak()
    },
  )

  test('"$user" after the role was changed', async () => {
    const role = `r_${database.database}`
    await database.sql(`CREATE ROLE ${role}; GRANT ALL ON SCHEMA public TO ${role};
      CREATE SCHEMA ${role} AUTHORIZATION ${role}; CREATE TABLE ${role}.people AS SELECT * FROM public.people;
      ALTER TABLE ${role}.people OWNER TO ${role}`)
    await run(`SET ROLE ${role}`, 'SET search_path TO "$user"', `SELECT ssn || '' FROM people`)
    await run('RESET ROLE', `SELECT ssn || '' FROM people`)
    expectNoLeak()
  })
})
