/**
 * Relations that the open transaction has made are known by the text that made them. What that text reads may be changed by
 * other sessions, or by the transaction itself; nothing masked comes unmasked, and what is plain comes as it is.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { extended, type WireClient } from '../support/wire.ts'
import { agentWire } from './agent-wire.ts'

const secret = randomBytes(9).toString('hex')
const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'], functions: ['*'], settings: ['*'] } }
masks:
  - { columns: ['*.people.ssn', '*.grown.ssn'], with: redact }
`
const SCHEMA = `
  CREATE TABLE people (id int, nick text, ssn text);
  INSERT INTO people VALUES (1, 'nick', '${secret}');
  CREATE VIEW named AS SELECT id, nick AS x FROM people;
  CREATE VIEW outer_named AS SELECT id, x FROM named;
  CREATE VIEW hidden AS SELECT id, ssn AS x FROM people;
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
afterEach(async () => {
  await ask('ROLLBACK')
})

async function ask(text: string, way: 'simple' | 'extended' = 'simple'): Promise<string> {
  if (way === 'simple') wire.send({ kind: 'Query', text })
  else wire.send(...extended(text))
  await wire.replies()
  return Buffer.concat(wire.received.splice(0)).toString('latin1')
}

/** All that is said to these statements, sent one by one. */
async function askAll(texts: readonly string[]): Promise<string> {
  let said = ''
  for (const text of texts) said += await ask(text)
  return said
}

test.each(['simple', 'extended'] as const)('views are read as what they are, %s', async (way) => {
  await ask('BEGIN')
  await ask('CREATE VIEW mine AS SELECT id, nick AS a, ssn AS b FROM people')
  await ask('CREATE OR REPLACE VIEW mine2 AS SELECT b, a FROM mine')
  await ask('ALTER VIEW mine2 RENAME TO mine3')
  for (const view of ['mine', 'mine3']) {
    const told = await ask(`SELECT a, b FROM ${view}`, way)
    expect(told).toContain('nick')
    expect(told).toContain('[redacted]')
    expect(told).not.toContain(secret)
  }
  const told = await ask('SELECT * FROM mine3', way)
  expect(told).toMatch(/\[redacted\].*nick/s)
  expect(await ask("SELECT a FROM mine3 WHERE b LIKE 'a%'", way)).toContain('42501')
})

test('materialized views are read as what they are', async () => {
  await ask('BEGIN')
  await ask('CREATE MATERIALIZED VIEW stored AS SELECT nick AS a, ssn AS b FROM people')
  const told = await ask('SELECT a, b FROM stored')
  expect(told).toContain('nick')
  expect(told).not.toContain(secret)
})

test('another session changes what is behind a view', async () => {
  for (let round = 0; round < 3; round++) {
    await ask('BEGIN')
    await ask('CREATE VIEW mine AS SELECT x FROM outer_named')
    // It holds a lock on outer_named, not on what is behind that.
    await database.sql('CREATE OR REPLACE VIEW named AS SELECT id, ssn AS x FROM people')
    expect(await ask('SELECT x FROM mine')).not.toContain(secret)
    await ask('ROLLBACK')
    await database.sql('CREATE OR REPLACE VIEW named AS SELECT id, nick AS x FROM people')
  }
})

test.each([
  [
    'a view replaced below another',
    [
      'CREATE VIEW a AS SELECT nick AS x FROM people',
      'CREATE VIEW b AS SELECT x FROM a',
      'CREATE OR REPLACE VIEW a AS SELECT ssn AS x FROM people',
      'SELECT x FROM b',
      'SELECT x FROM a',
    ],
  ],
  [
    'a view over temporary relations is one',
    [
      'CREATE TEMP TABLE t (id int, nick text)',
      'CREATE OR REPLACE VIEW hidden AS SELECT id, nick AS x FROM t',
      'SELECT x FROM public.hidden',
      'SELECT x FROM hidden',
    ],
  ],
  [
    'a table gets a name that is masked, below a view',
    [
      'CREATE TABLE plain (ssn text)',
      'CREATE VIEW over_plain AS SELECT ssn AS y FROM plain',
      'ALTER TABLE plain RENAME TO grown',
      'INSERT INTO grown SELECT ssn FROM people',
      'SELECT y FROM over_plain',
    ],
  ],
  [
    'a savepoint brings the older view back',
    [
      'CREATE VIEW a AS SELECT ssn AS x FROM people',
      'SAVEPOINT s',
      'DROP VIEW a',
      'CREATE VIEW a AS SELECT nick AS x FROM people',
      'ROLLBACK TO s',
      'SELECT x FROM a',
    ],
  ],
  [
    'guesses in a view are guesses',
    [
      `CREATE VIEW guesses AS SELECT md5(n::text) AS g FROM generate_series(1, 9) n UNION ALL SELECT '${secret}'`,
      'SELECT id, ssn FROM people JOIN guesses ON ssn = g WHERE id > 0',
    ],
  ],
] as const)('%s', async (_, texts) => {
  await ask('BEGIN')
  expect(await askAll(texts.slice(0, -1))).not.toContain(secret)
  expect(await ask(texts.at(-1) ?? '')).toMatch(/C(42501|42P01|25P02)|\[redacted\]/)
})

test('IF NOT EXISTS makes what is not there', async () => {
  await ask('BEGIN')
  await ask('CREATE TABLE IF NOT EXISTS fresh (id serial PRIMARY KEY, t text)')
  expect(await ask("INSERT INTO fresh (t) VALUES ('written') RETURNING t")).toContain('written')
  expect(await ask('SELECT t FROM fresh', 'extended')).toContain('written')
  await ask('CREATE SEQUENCE IF NOT EXISTS counted START 4711')
  expect(await ask("SELECT nextval('counted')")).toContain('4711')
  await ask('ROLLBACK')
  const text =
    "BEGIN; CREATE TABLE IF NOT EXISTS fresh (t text); INSERT INTO fresh VALUES ('seen'); SELECT t FROM fresh; ROLLBACK"
  expect(await ask(text)).toContain('seen')
})

test('IF NOT EXISTS may find what another session has made a moment ago', async () => {
  for (let round = 0; round < 4; round++) {
    const name = `later${round}`
    const create = `CREATE TABLE IF NOT EXISTS ${name} (a text)`
    await ask('SELECT id FROM people')
    await database.sql(`CREATE VIEW ${name} AS SELECT ssn AS a FROM people`)
    if (round % 2 === 0) {
      expect(await askAll(['BEGIN', create, `SELECT a FROM ${name}`])).not.toContain(secret)
      await ask('ROLLBACK')
    } else expect(await ask(`${create}; SELECT a FROM ${name}`)).not.toContain(secret)
    await database.sql(`DROP VIEW ${name}`)
  }
})

test('strings read otherwise are refused, and there is a way back', async () => {
  await ask('SET standard_conforming_strings = off')
  expect(await ask("SELECT nick, '\\' FROM people --'")).toContain('0A000')
  await ask('BEGIN')
  expect(await ask('SELECT nick FROM people')).toContain('0A000')
  expect(await ask('ROLLBACK')).not.toContain('0A000')
  await ask('SET standard_conforming_strings = on')
  expect(await ask('SELECT nick FROM people')).toContain('nick')
  await ask('SET standard_conforming_strings = off')
  await ask('DISCARD ALL')
  expect(await ask('SELECT nick FROM people')).toContain('nick')
})
