/**
 * What a name stands for changes behind the gateway's back, in a session that does not pass through it: a view
 * shows another column, columns change names, a new relation hides an old one. Whoever is under masks sees
 * nothing of it unmasked, from the first statement on.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { extended, type WireClient } from '../support/wire.ts'
import { agentWire } from './agent-wire.ts'

const secret = randomBytes(9).toString('hex')
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.people.ssn', '*.staff.ssn', '*.grown_*.ssn'], with: redact }
`
const SCHEMA = `
  CREATE TABLE people (id int, nick text, ssn text);
  INSERT INTO people VALUES (1, 'nick', '${secret}');
  CREATE TABLE staff (id int);
  INSERT INTO staff VALUES (4711);
  CREATE VIEW named AS SELECT id, nick AS x FROM people;
  CREATE VIEW outer_named AS SELECT id, x || '' AS x FROM named;
  CREATE SCHEMA ahead;
  CREATE FUNCTION told1(a text) RETURNS text LANGUAGE sql STABLE AS 'SELECT nick FROM people LIMIT 1';
  CREATE FUNCTION told2(a text) RETURNS text LANGUAGE sql STABLE AS 'SELECT a';
  CREATE FUNCTION told3(a text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN a; END';
`

let database: TestDatabase
let gateway: TestGateway
let wire: WireClient

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(SCHEMA)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [POLICY],
    via: 'tcp',
  })
  wire = await agentWire(gateway)
})
afterAll(async () => {
  wire.close()
  await gateway.close()
  await database.drop()
})

const said = () => Buffer.concat(wire.received.splice(0)).toString('latin1')

async function ask(text: string, way: 'simple' | 'extended'): Promise<string> {
  if (way === 'simple') wire.send({ kind: 'Query', text })
  else wire.send(...extended(text))
  await wire.replies()
  return said()
}

test.each([
  ['SELECT x FROM named', 'nick AS x', 'ssn AS x', 'simple'],
  ["SELECT x || '' FROM named", 'nick AS x', 'ssn AS x', 'simple'],
  ["SELECT x || '' FROM named", 'nick AS x', 'ssn AS x', 'extended'],
  ['SELECT x FROM outer_named', 'nick AS x', 'ssn AS x', 'extended'],
  ["SELECT x || '' FROM named", 'nick AS x', 'upper(ssn) AS x', 'simple'],
] as const)('a view: %s, from %s to %s, %s', async (text, before, after, way) => {
  await database.sql(`CREATE OR REPLACE VIEW named AS SELECT id, ${before} FROM people`)
  expect(await ask(text, way)).toContain('nick')
  for (let round = 0; round < 3; round++) {
    await database.sql(`CREATE OR REPLACE VIEW named AS SELECT id, ${after} FROM people`)
    expect((await ask(text, way)).toLowerCase()).not.toContain(secret)
    await database.sql(`CREATE OR REPLACE VIEW named AS SELECT id, ${before} FROM people`)
    expect(await ask(text, way)).toContain('nick')
  }
})

test.each([
  ['told1', 'sql', `SELECT ssn FROM people LIMIT 1`],
  ['told2', 'sql', `SELECT ssn FROM people WHERE a IS NOT NULL LIMIT 1`],
  ['told3', 'plpgsql', `BEGIN RETURN (SELECT ssn FROM people LIMIT 1); END`],
] as const)('the function %s in %s becomes: %s', async (name, language, after) => {
  const text = `SELECT ${name}('nick')`
  expect(await ask(text, 'simple')).toContain('nick')
  await database.sql(
    `CREATE OR REPLACE FUNCTION ${name}(a text) RETURNS text LANGUAGE ${language} STABLE AS $b$ ${after} $b$`,
  )
  for (const way of ['simple', 'extended'] as const) {
    expect(await ask(text, way)).not.toContain(secret)
  }
  // One that takes the call from it.
  await database.sql(
    `CREATE FUNCTION ${name}(a varchar) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM people LIMIT 1'`,
  )
  expect(await ask(`SELECT ${name}('nick'::varchar)`, 'simple')).not.toContain(secret)
})

test('a column added a moment ago is searched as little as one that was there', async () => {
  expect(await ask('SELECT id FROM staff', 'simple')).toContain('4711')
  await database.sql(`ALTER TABLE staff ADD COLUMN ssn text DEFAULT '${secret}'`)
  for (const way of ['simple', 'extended'] as const) {
    for (const name of ['ssn', 'staff.ssn', 's.ssn']) {
      const from = name.startsWith('s.') ? 'staff s' : 'staff'
      const told = await ask(`SELECT id FROM ${from} WHERE ${name} LIKE '${secret[0]}%'`, way)
      expect(told).toMatch(/42501|42703/)
      expect(told).not.toContain('4711')
    }
  }
})

/** What takes all the columns of a table that gets another. */
const WIDE = [
  'SELECT * FROM grown',
  'SELECT g.* FROM grown g',
  'SELECT g::text FROM grown g',
  'SELECT g FROM grown g',
  'SELECT to_jsonb(g) FROM grown g',
  'SELECT json_agg(g) FROM grown g',
  'SELECT (g).* FROM (SELECT g FROM grown g) q',
  'SELECT * FROM grown UNION ALL SELECT * FROM grown',
  'WITH x AS MATERIALIZED (SELECT * FROM grown) SELECT * FROM x',
  'SELECT DISTINCT * FROM grown',
  'SELECT to_jsonb(q) FROM (SELECT * FROM grown) q',
  'SELECT q::text FROM (SELECT * FROM grown) q',
  'CREATE TEMP TABLE copied AS SELECT * FROM grown',
  'COPY grown TO STDOUT',
  'COPY (SELECT * FROM grown) TO STDOUT',
  'COPY (SELECT g::text FROM grown g) TO STDOUT',
  'UPDATE grown SET id = id RETURNING *',
  'UPDATE grown SET id = id RETURNING grown',
  'DELETE FROM grown RETURNING to_jsonb(grown)',
  'SELECT * FROM grown ORDER BY 2',
  'SELECT id FROM grown g ORDER BY g',
  'SELECT id FROM grown g GROUP BY id, g.*',
  "SELECT query_to_xml('SELECT * FROM grown', true, false, '')",
  'INSERT INTO taken SELECT * FROM grown RETURNING *',
  'INSERT INTO taken SELECT g::text FROM grown g RETURNING *',
  'SELECT hstore(g) FROM grown g',
  'SELECT row(g.*)::text FROM grown g',
  'SELECT array_agg(g)::text FROM grown g',
  'SELECT g IS NOT NULL, g = g FROM grown g',
  'SELECT max(g::text) FROM grown g',
  'SELECT * FROM grown NATURAL JOIN people',
  'TABLE grown',
  'SELECT x FROM (TABLE grown) x',
  'SELECT x.* FROM grown, LATERAL (SELECT grown.*) x',
  'SELECT * FROM shown',
  'SELECT j::text FROM shown',
  'INSERT INTO taken (a, b) SELECT * FROM grown RETURNING *',
  'CREATE TEMP TABLE copied AS SELECT * FROM grown; SELECT c::text FROM copied c',
]

describe('a column is added', () => {
  // Each is a snapshot read again: the ways take turns.
  const cases = WIDE.map((text, i) => ({
    text: text.replaceAll(/\b(grown|taken|shown)\b/g, `$1_${i}`),
    way: i % 2 === 0 ? ('simple' as const) : ('extended' as const),
    i,
  }))

  beforeAll(async () => {
    const made = cases.map(
      ({ i }) => `
        CREATE TABLE grown_${i} (id int); INSERT INTO grown_${i} VALUES (4711);
        CREATE VIEW shown_${i} AS SELECT id, to_jsonb(grown_${i}) AS j FROM grown_${i};
        CREATE TABLE taken_${i} (a text, b text);`,
    )
    await database.sql(made.join(''))
    const last = `SELECT id FROM grown_${cases.length - 1}`
    while (!(await ask(last, 'simple')).includes('4711')) await sleep(100)
  }, 90_000)

  test.each(cases)('$text, $way', async ({ text, way, i }) => {
    await database.sql(`ALTER TABLE grown_${i} ADD COLUMN ssn text DEFAULT '${secret}'`)
    expect(await ask(text, way)).not.toContain(secret)
  })
})

test('a prepared statement that goes on over a view redefined', async () => {
  wire.send(
    { kind: 'Parse', statement: 'p', text: "SELECT x || '' FROM named", parameterTypes: [] },
    { kind: 'Sync' },
  )
  await wire.replies()
  const run = async () => {
    wire.send(
      {
        kind: 'Bind',
        portal: '',
        statement: 'p',
        parameterFormats: [],
        values: [],
        resultFormats: [],
      },
      { kind: 'Execute', portal: '', maxRows: 0 },
      { kind: 'Sync' },
    )
    await wire.replies()
    return said()
  }
  expect(await run()).toContain('nick')
  await database.sql('CREATE OR REPLACE VIEW named AS SELECT id, ssn AS x FROM people')
  expect(await run()).not.toContain(secret)
  await database.sql('CREATE OR REPLACE VIEW named AS SELECT id, nick AS x FROM people')
})

test('columns that change names', async () => {
  expect(await ask('SELECT nick FROM people', 'simple')).toContain('nick')
  await database.sql(`ALTER TABLE people RENAME ssn TO hidden; ALTER TABLE people RENAME nick TO ssn;
    ALTER TABLE people RENAME hidden TO nick`)
  expect(await ask('SELECT nick FROM people', 'simple')).not.toContain(secret)
  await database.sql(`ALTER TABLE people RENAME ssn TO hidden; ALTER TABLE people RENAME nick TO ssn;
    ALTER TABLE people RENAME hidden TO nick`)
})

test('a new relation that hides the one known', async () => {
  await database.sql('CREATE TABLE plain (v text)')
  await ask('SET search_path = ahead, public', 'simple')
  // The snapshot learns of it.
  await expect
    .poll(() => ask('SELECT v FROM plain', 'simple'), { timeout: 10_000, interval: 300 })
    .not.toContain('42501')
  await database.sql('CREATE TABLE ahead.plain AS SELECT ssn AS v FROM public.people')
  expect(await ask('SELECT v FROM plain', 'simple')).not.toContain(secret)
})

test.each(['VIEW', 'MATERIALIZED VIEW'])('a %s made under masks has them', async (kind) => {
  const name = kind === 'VIEW' ? 'made' : 'stored'
  expect(
    await ask(`CREATE ${kind} ${name} AS SELECT id, ssn AS x FROM people`, 'simple'),
  ).not.toContain('42501')
  await expect
    .poll(() => ask(`SELECT x FROM ${name}`, 'simple'), { timeout: 10_000, interval: 300 })
    .toContain('[redacted]')
  expect(await ask(`SELECT x || '' FROM ${name}`, 'simple')).not.toContain(secret)
  expect(await ask(`CREATE TEMP VIEW t_${name} AS SELECT x FROM ${name}`, 'simple')).toContain(
    '42501',
  )
})
