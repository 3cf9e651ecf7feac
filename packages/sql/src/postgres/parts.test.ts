import { expect, test } from 'vitest'
import { PostgresReader } from './reader.ts'

const reader = await PostgresReader.create()

test.each([
  ['SELECT 1', ['SELECT 1']],
  ['', []],
  [' ; ;; ', []],
  [
    "SELECT 'é;' ; /* ; */ UPDATE t SET a = $$;$$ -- ;\n;",
    ["SELECT 'é;' ", 'UPDATE t SET a = $$;$$ -- ;'],
  ],
  ['BEGIN; SELECT 1; COMMIT', ['BEGIN', 'SELECT 1', 'COMMIT']],
  [
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3',
    ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END', 'SELECT 3'],
  ],
])('%j is cut into its statements', (sql, parts) => {
  expect(reader.parts(sql)?.map((one) => one.trim())).toEqual(parts.map((one) => one.trim()))
})

test('what cannot be parsed is not cut', () => {
  expect(reader.parts('SELECT 1; SELEC 2')).toBeNull()
})
