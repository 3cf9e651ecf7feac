/**
 * Native functions against real servers: one that is not said to fail for some values does not, over a table of
 * values that functions choke on. A call that fails without any row fails for the statement, not for a value.
 */
import mysql, { type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AGGREGATES,
  FAILING,
  PURITY,
  WINDOWS,
} from '../../packages/sql/src/mysql/builtin-functions.ts'
import { onMysqlServers, type TestMysqlDatabase, useMysql } from '../support/use-mysql.ts'

const words = (text: string) => text.trim().split(/\s+/)

/** Judged by their arguments: see failingArguments in packages/sql/src/mysql/lineage/call.ts. */
const BY_ARGUMENT = new Set([
  'abs',
  'aes_decrypt',
  'aes_encrypt',
  'json_object',
  'round',
  // Of a binary string always, whatever it holds.
  'json_quote',
])
const skipped = new Set([
  ...words(FAILING),
  ...words(AGGREGATES),
  ...words(WINDOWS),
  ...BY_ARGUMENT,
])

const SCHEMA = `
CREATE TABLE nasty (s TEXT, b BLOB, n BIGINT, u BIGINT UNSIGNED, d DOUBLE, m DECIMAL(30, 5), t DATETIME);
INSERT INTO nasty VALUES
  ('', '', 0, 0, 0, 0, '1000-01-01'),
  ('abc[', '(((', -1, 1, 1e308, -1.5, '9999-12-31 23:59:59'),
  ('{"a":', '[1', 9223372036854775807, 18446744073709551615, -1e308, 9999999999999999999999999.99999, NULL),
  ('1e400', '%', -9223372036854775808, 2, 0.5, 1, '2020-02-29'),
  ('2020-13-45', '::1', 64, 64, -0.5, 1, NULL),
  ('999999999999999999999', X'00', 2, 3, 1e-300, 0, NULL),
  (REPEAT('x', 4000), REPEAT('y', 4000), 1000000, 5, 7, 7, NULL),
  ('$.a', 'é', 1, 1, 1, 1, NULL),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL);
`
const COLUMNS = ['s', 'b', 'n', 'u', 'd', 'm', 't']
const CONSTANTS = ["'a'", '1', "'2020-01-01'", '1e308']

/** `c` stands for a column. */
const ARGUMENTS = [
  'c',
  'c, c',
  ...CONSTANTS.flatMap((one) => [`c, ${one}`, `${one}, c`]),
  'c, 1, 1',
  "'a', c, 1",
  "1, 'a', c",
  "c, 1, 1, 'a'",
]

onMysqlServers('%s', (flavour) => {
  let database: TestMysqlDatabase
  let connection: Connection

  beforeAll(async () => {
    database = await useMysql(flavour)
    await database.sql(SCHEMA)
    connection = await mysql.createConnection(database.url)
  })
  afterAll(async () => {
    await connection.end()
    await database.drop()
  })

  const errorOf = async (sql: string) => {
    try {
      await connection.query(sql)
      return null
    } catch (error) {
      return (error as Error).message
    }
  }

  test('functions that fail for no value', { timeout: 180_000 }, async () => {
    const names = Object.entries(PURITY[flavour]).flatMap(([purity, list]) =>
      purity.startsWith('opaque') ? [] : words(list).filter((name) => !skipped.has(name)),
    )
    const failures: string[] = []
    for (const name of names) {
      for (const args of ARGUMENTS) {
        const calls = COLUMNS.map((column) => `${name}(${args.replaceAll(/\bc\b/g, column)})`)
        if ((await errorOf(`SELECT ${calls.join()} FROM nasty`)) === null) continue
        for (const call of calls) {
          if ((await errorOf(`SELECT ${call} FROM nasty WHERE n < n`)) !== null) break
          const message = await errorOf(`SELECT ${call} FROM nasty`)
          if (message !== null) failures.push(`${call}: ${message}`)
        }
      }
    }
    expect(failures).toEqual([])
  })
})
