/**
 * Lineage against a real server: what RowDescription traces to a stored column, lineage must trace to
 * it, too; and no result may depend on a column that its facts do not name.
 */
import { buildCatalog, type Catalog, PostgresReader } from '@sallyport/sql'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, usePostgres } from '../support/use-postgres.ts'
import { readCatalog } from './lineage/catalog.ts'
import { mismatch, PUBLIC } from './lineage/compare.ts'
import { describeStatement } from './lineage/describe.ts'
import { FUZZ_SCHEMA, queries } from './lineage/generate.ts'
import { changedBy } from './lineage/perturb.ts'
import { SCHEMA } from './lineage/schema.ts'
import { STATEMENTS } from './lineage/statements.ts'

let reader: PostgresReader

beforeAll(async () => {
  reader = await PostgresReader.create()
})

interface Fixture {
  readonly database: TestDatabase
  readonly client: pg.Client
  readonly catalog: Catalog
}

async function open(schema: string): Promise<Fixture> {
  const database = await usePostgres()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query(schema)
  const data = await readCatalog(async <R>(text: string) => (await client.query(text)).rows as R[])
  return { database, client, catalog: buildCatalog(data, 1) }
}

async function close({ client, database }: Fixture): Promise<void> {
  await client.end()
  await database.drop()
}

function factsOf(sql: string, catalog: Catalog) {
  const analysis = reader.analyze(sql, { catalog, names: PUBLIC })
  if (analysis.kind !== 'statements') throw new Error(`does not parse: ${sql}`)
  return analysis.statements[0]!
}

describe('statements over a schema with views of views, partitions, inheritance and composites', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await open(SCHEMA)
  })
  afterAll(() => close(fixture))

  test.each(STATEMENTS.map((sql) => [sql]))('%s', async (sql) => {
    const fields = await describeStatement(fixture.client, sql)
    expect(fields, 'the server must accept it').not.toBeNull()
    const { outputs, effects, unknowns } = factsOf(sql, fixture.catalog)
    expect(effects, unknowns.join()).not.toContain('unknown')
    expect(outputs, unknowns.join()).not.toBe('unknown')
    expect(
      mismatch(reader, fixture.catalog, { outputs: outputs ?? [], fields: fields ?? [] }),
    ).toBeNull()
  })
})

describe('random queries', () => {
  let fixture: Fixture
  beforeAll(async () => {
    fixture = await open(FUZZ_SCHEMA)
    await fixture.client.query("set statement_timeout = '500ms'")
  })
  afterAll(() => close(fixture))

  const runs = { numRuns: Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? 300) }

  test('name and trace every output as the server does', async () => {
    await fc.assert(
      fc.asyncProperty(queries, async (sql) => {
        const fields = await describeStatement(fixture.client, sql)
        if (fields === null) return
        const { outputs } = factsOf(sql, fixture.catalog)
        expect(outputs).not.toBe('unknown')
        const found = outputs === 'unknown' || outputs === null ? [] : outputs
        expect(mismatch(reader, fixture.catalog, { outputs: found, fields })).toBeNull()
      }),
      runs,
    )
  })

  test('depend on no column that their facts do not name', async () => {
    await fc.assert(
      fc.asyncProperty(queries, async (sql) => {
        const facts = factsOf(sql, fixture.catalog)
        expect(await changedBy(fixture.client, fixture.catalog, sql, facts)).toBeNull()
      }),
      runs,
    )
  })
})
