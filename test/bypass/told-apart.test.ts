/**
 * Rows told apart by a masked column where an index gives them in its order: all of them are computed, so that which
 * of them a LIMIT stops before cannot be seen by which of them fail.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { errorsOf, WireClient } from '../support/wire.ts'

const POLICY = `version: 1
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }
masks:
  - { columns: [public.people.ssn], with: redact }
`

let database: TestDatabase
let gateway: TestGateway
let wire: WireClient

beforeAll(async () => {
  database = await usePostgres()
  await database.sql(`
    CREATE TABLE people (id int PRIMARY KEY, city text, ssn text);
    INSERT INTO people SELECT i, (ARRAY['Bonn', 'Ulm'])[1 + i % 2], md5(i::text) FROM generate_series(1, 500) i;
    CREATE INDEX ON people (ssn);
    CREATE INDEX ON people (city, ssn);
    ANALYZE people;
    ALTER DATABASE ${database.database} SET enable_seqscan = off;
    ALTER DATABASE ${database.database} SET enable_hashagg = off`)
  gateway = await startTestGateway({
    upstream: database,
    database: database.database,
    via: 'tcp',
    policies: [POLICY],
  })
  wire = await WireClient.connect({
    host: gateway.host,
    port: gateway.plainPort,
    user: 'app',
    database: gateway.connection,
    password: await gateway.token(),
  })
})
afterAll(async () => {
  wire.close()
  await gateway.close()
  await database.drop()
})

test.each([
  'SELECT DISTINCT ssn FROM people WHERE 1 / (id - 3) <> 5 LIMIT 1',
  'SELECT ssn, count(*) FROM people WHERE 1 / (id - 3) <> 5 GROUP BY ssn LIMIT 1',
  'SELECT DISTINCT city, ssn FROM people WHERE 1 / (id - 3) <> 5 ORDER BY city LIMIT 1',
  'SELECT city, min(id) FROM people WHERE 1 / (id - 3) <> 5 GROUP BY city, ssn ORDER BY city LIMIT 1',
  'SELECT * FROM (SELECT city, ssn FROM people WHERE 1 / (id - 3) <> 5 GROUP BY city, ssn) s LIMIT 1',
  'WITH s AS (SELECT ssn, min(1 / (id - 3)) AS m FROM people GROUP BY ssn) SELECT m FROM s LIMIT 1',
  'SELECT ssn, id FROM people WHERE 1 / (id - 3) <> 5 UNION SELECT ssn, id FROM people WHERE id < 0 LIMIT 1',
])('%s', async (statement) => {
  await expect(database.sql(statement)).resolves.toHaveLength(1)
  expect(errorsOf(await wire.query(statement)).map(({ sqlstate }) => sqlstate)).toEqual(['22012'])
})
