/**
 * Every attack of attacks.ts by a principal whose every right is granted and whose columns are masked: no
 * byte the gateway sends may hold any of the protected values. The same statements by a principal without
 * masks show that most of them would.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { extended, WireClient } from '../support/wire.ts'
import { ATTACKS, type Attack, ERROR_ORACLES } from './attacks.ts'
import { type Canary, LeakDetector } from './canary-leaks.ts'

const word = (): string => randomBytes(9).toString('base64url').replaceAll(/[-_]/g, 'k')
const salary = randomInt(50_000_000, 99_000_000)
const born = '1961-07-23'
const uid = randomUUID()
const raw = randomBytes(12)
const VALUES = {
  ssn: `Z${word()}-${word()}`,
  email: `${word()}@${word()}.example`,
  phone: `+49 ${randomInt(1e9, 9e9)}`,
  json: word(),
  tag: word(),
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const CANARIES: readonly Canary[] = [
  { name: 'ssn', text: VALUES.ssn },
  { name: 'email', text: VALUES.email },
  { name: 'phone', text: VALUES.phone },
  { name: 'profile', text: VALUES.json },
  { name: 'tags', text: VALUES.tag },
  { name: 'salary', text: String(salary), binary: [int32(salary)] },
  { name: 'born', text: born },
  { name: 'uid', text: uid, binary: [Buffer.from(uid.replaceAll('-', ''), 'hex')] },
  { name: 'raw', text: raw.toString('latin1'), binary: [raw] },
]
const detector = new LeakDetector(CANARIES)

const COLUMNS = ['ssn', 'email', 'phone', 'salary', 'born', 'profile', 'tags', 'uid', 'raw']
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*', '@catalog-data'], functions: ['*'], settings: ['*'] } }
masks:
${COLUMNS.map((column) => `  - { columns: ['*.people.${column}'], with: redact, who: { groups: [masked] } }`).join('\n')}
  - { columns: ['*.parted.ssn'], with: redact, who: { groups: [masked] } }
`

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('fine');
  CREATE TYPE pair AS (a int, b text);
  CREATE TABLE people (id int PRIMARY KEY, city text, ssn text, email text UNIQUE, phone text, salary int, born date,
    profile jsonb, tags text[], uid uuid, raw bytea, note text);
  INSERT INTO people VALUES (1, 'Bonn', '${VALUES.ssn}', '${VALUES.email}', '${VALUES.phone}', ${salary}, '${born}',
    '{"phone": "${VALUES.json}"}', '{${VALUES.tag}}', '${uid}', '\\x${raw.toString('hex')}', 'open');
  CREATE TABLE notes (id int PRIMARY KEY, body text);
  CREATE TABLE checked (v text CONSTRAINT short CHECK (length(v) < 3));
  CREATE SCHEMA open;
  CREATE VIEW people_view AS SELECT id, ssn AS x FROM people;
  CREATE VIEW people_view2 AS SELECT x FROM people_view;
  CREATE VIEW people_expr_view AS SELECT upper(ssn) AS y FROM people;
  CREATE MATERIALIZED VIEW people_mat AS SELECT id, ssn AS x, salary FROM people;
  CREATE TABLE people_child () INHERITS (people);
  INSERT INTO people_child SELECT 2, 'Ulm', ssn, 'child ' || email, phone, salary, born, profile, tags, uid, raw, note FROM people;
  CREATE TABLE parted (id int, ssn text) PARTITION BY LIST (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
  INSERT INTO parted VALUES (1, '${VALUES.ssn}');
  CREATE TABLE people_generated (id int) ;
  CREATE FUNCTION leak_fn() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM people LIMIT 1';
  CREATE FUNCTION definer_fn() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ssn FROM public.people LIMIT 1';
  CREATE FUNCTION lookup(int) RETURNS people LANGUAGE sql AS 'SELECT * FROM people WHERE id = $1';
  CREATE FUNCTION hstore_like(record) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN $1::text; END';
  CREATE FUNCTION raise_it(text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''got %'', $1; END';
  CREATE PROCEDURE leak() LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', (SELECT ssn FROM people LIMIT 1); END';
  CREATE FUNCTION second(text, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
  CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = second);
  ALTER TABLE people_generated ADD COLUMN g text;
  ANALYZE;
`

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(SCHEMA)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    policies: [POLICY],
    via: 'tcp',
    config: { limits: { 'connections-per-subject': 1000 } },
  })
})
afterAll(async () => {
  await gateway.close()
  await database.drop()
})

const tokens = new Map<string, string>()

async function tokenFor(groups: readonly string[]): Promise<string> {
  const key = groups.join()
  const known = tokens.get(key) ?? (await gateway.token({ groups: [...groups] }))
  tokens.set(key, known)
  return known
}

type Way = 'simple' | 'extended text' | 'extended binary'

/** Runs an attack in a session of its own, inside a block that is undone; what came over the wire. */
async function attack(texts: Attack, way: Way, groups: readonly string[]): Promise<Buffer> {
  await using wire = await WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'agent',
    password: await tokenFor(groups),
    database: gateway.connection,
  })
  for (const text of typeof texts === 'string' ? [texts] : texts) {
    if (way === 'simple') await wire.query(text)
    else {
      wire.send(...extended(text, [], way === 'extended binary' ? 1 : 0))
      await wire.replies()
    }
    if (wire.ended) break
  }
  return Buffer.concat(wire.received)
}

/** The values an attack's second world replaced are put back. */
async function restore(): Promise<void> {
  // One of the attacks is an UPDATE of every id.
  await database.sql(`UPDATE people_child SET id = 2; UPDATE people SET ssn = '${VALUES.ssn}', phone = '${VALUES.phone}', salary = ${salary},
    email = CASE id WHEN 1 THEN '' ELSE 'child ' END || '${VALUES.email}', born = '${born}',
    profile = '{"phone": "${VALUES.json}"}', tags = '{${VALUES.tag}}', uid = '${uid}',
    raw = '\\x${raw.toString('hex')}'; TRUNCATE notes`)
}

const all = Object.entries(ATTACKS).flatMap(([category, attacks]) =>
  attacks.map((one) => [category, one] as const),
)

describe.each(Object.keys(ATTACKS))('%s', (category) => {
  test.each(['simple', 'extended text', 'extended binary'] as const)('%s', async (way) => {
    const leaks: unknown[] = []
    for (const one of ATTACKS[category] ?? []) {
      const found = detector.find(await attack(one, way, ['masked']))
      if (found.length > 0) leaks.push({ attack: one, found })
    }
    expect(leaks).toEqual([])
  })
})

describe('other values under the masks give the same bytes', () => {
  const categories = [
    'columns by any name',
    'set operations and CTEs',
    'whole rows and composites',
    'expressions and casts',
    'aggregates and windows',
    'predicates that tell',
    'NULL or not',
  ]
  const other = `UPDATE people SET ssn = 'aaaa', salary = 7, born = '2001-01-01', email = id || 'b@c.de', phone = '1',
    profile = '{"phone": "2"}', tags = '{t}', uid = '00000000-0000-0000-0000-000000000001', raw = 'x'`

  test.each(['simple', 'extended binary'] as const)(
    '%s',
    async (way) => {
      await database.sql('TRUNCATE notes')
      const told: unknown[] = []
      const runs = all.filter(([category]) => categories.includes(category))
      const before = new Map<Attack, string>()
      const visible = (bytes: Buffer): string => bytes.toString('latin1')
      for (const [, one] of runs) before.set(one, visible(await attack(one, way, ['masked'])))
      await database.sql(`${other}; TRUNCATE notes`)
      for (const [, one] of runs) {
        const after = visible(await attack(one, way, ['masked']))
        if (before.get(one) !== after) told.push({ attack: one, before: before.get(one), after })
      }
      await restore()
      expect(told).toEqual([])
    },
    120_000,
  )
})

test('an expression that fails tells nothing', async () => {
  const one = (): Promise<Buffer[]> =>
    Promise.all(ERROR_ORACLES.map((text) => attack(text, 'simple', ['masked'])))
  const before = await one()
  await database.sql(`UPDATE people SET salary = 7, raw = 'x', ssn = 'aaaa'`)
  const after = await one()
  await restore()
  expect(after).toEqual(before)
})

test('the protected values are still there and unchanged', async () => {
  const [row] = await database.sql('SELECT ssn, email, salary FROM people WHERE id = 1')
  expect(row).toEqual({ ssn: VALUES.ssn, email: VALUES.email, salary })
})

test('without masks most attacks that only read succeed, so the detector sees them', async () => {
  await restore()
  const quiet: Attack[] = []
  const categories = ['columns by any name', 'set operations and CTEs', 'whole rows and composites']
  for (const [category, one] of all) {
    // Statements that change something depend on what other attacks have left behind.
    if (!categories.includes(category) || /INSERT|UPDATE/.test(String(one))) continue
    if (detector.find(await attack(one, 'simple', [])).length === 0) quiet.push(one)
  }
  expect(quiet).toEqual([])
}, 120_000)
