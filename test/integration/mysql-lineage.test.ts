/**
 * Lineage against real servers: what result metadata traces to a stored column, lineage must trace to it, too; and
 * no result may depend on a column that its facts do not name.
 */
import { buildCatalog, type Catalog, type MysqlContext, MysqlReader } from '@sallyport/sql'
import fc from 'fast-check'
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadMysqlCatalog, prepareReader } from '../../packages/gateway/src/catalog/mysql.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'
import { answerOf, changedBy, mismatch } from './mysql-lineage/compare.ts'
import { queries } from './mysql-lineage/generate.ts'
import { SCHEMA, STATEMENTS } from './mysql-lineage/schema.ts'

onMysqlServers('%s', (flavour) => {
  const reader = new MysqlReader()
  let database: TestMysqlDatabase
  let connection: Connection
  let catalog: Catalog
  let context: MysqlContext

  beforeAll(async () => {
    database = await useMysql(flavour)
    await database.sql(SCHEMA)
    connection = await mysql.createConnection(database.url)
    const server = await prepareReader(connection)
    const { data } = await loadMysqlCatalog(connection, server)
    catalog = buildCatalog(data, 1)
    context = {
      catalog,
      dialect: {
        flavour,
        version: server.version,
        ansiQuotes: false,
        noBackslashEscapes: false,
        pipesAsConcat: false,
        ignoreSpace: false,
        highNotPrecedence: false,
      },
      names: {
        database: database.database,
        databaseCertain: true,
        temporaries: new Map(),
        temporariesCertain: true,
        sqlMode: '',
        prepared: () => undefined,
        handlers: () => undefined,
      },
    }
  })
  afterAll(async () => {
    await connection.end()
    await database.drop()
  })

  const factsOf = (sql: string) => {
    const analysis = reader.analyze(sql, context)
    if (analysis.kind !== 'statements') throw new Error(`${analysis.message}: ${sql}`)
    return analysis.statements[0]!
  }

  test.each(STATEMENTS)('%s', async (sql) => {
    const answer = await answerOf(connection, sql)
    expect(answer, 'the server must accept it').not.toBeNull()
    if (answer === null) return
    const facts = factsOf(sql)
    expect(facts.effects, facts.unknowns.join()).not.toContain('unknown')
    expect(facts.outputs, facts.unknowns.join()).not.toBe('unknown')
    expect(mismatch(catalog, facts, answer)).toBeNull()
    expect(
      await changedBy(connection, catalog, { sql, facts, database: database.database }),
    ).toBeNull()
  })

  describe('random queries', () => {
    // Not shrunk: that takes longer than the test may, and hides what was found.
    const runs = { numRuns: Number(process.env['SALLYPORT_FUZZ_RUNS'] ?? 150), endOnFailure: true }
    const random = queries({ lateral: flavour === 'mysql' })

    test('name and trace every output as the server does', async () => {
      await fc.assert(
        fc.asyncProperty(random, async (sql) => {
          const answer = await answerOf(connection, sql)
          if (answer === null) return
          const facts = factsOf(sql)
          expect(facts.outputs).not.toBe('unknown')
          expect(mismatch(catalog, facts, answer)).toBeNull()
        }),
        runs,
      )
    })

    test('depend on no column that their facts do not name', async () => {
      await fc.assert(
        fc.asyncProperty(random, async (sql) => {
          const facts = factsOf(sql)
          expect(
            await changedBy(connection, catalog, { sql, facts, database: database.database }),
          ).toBeNull()
        }),
        runs,
      )
    })
  })
})
