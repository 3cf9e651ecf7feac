import { expect, test } from 'vitest'
import { MYSQL } from './fixtures.ts'
import { mysqlChangedRows } from './preview.ts'

test.each([
  [
    "UPDATE LOW_PRIORITY crm.t AS `a``b` SET X = 1, a.y = 2 WHERE a.n = '1 WHERE 2' -- x",
    {
      table: 'crm.t AS `a``b`',
      called: '`a``b`',
      where: "a.n = '1 WHERE 2'",
      assigned: ['x', 'y'],
    },
  ],
  [
    'DELETE FROM `odd t` WHERE a = 1 OR b = (SELECT 2 FROM dual WHERE 1)',
    {
      table: '`odd t`',
      called: '`odd t`',
      where: 'a = 1 OR b = (SELECT 2 FROM dual WHERE 1)',
      assigned: [],
    },
  ],
  ['DELETE FROM t ORDER BY a', { table: 't', called: '`t`', where: null, assigned: [] }],
])('%s', (sql, rows) => {
  expect(mysqlChangedRows(sql, MYSQL)).toEqual(rows)
})

test.each([
  'DELETE FROM t WHERE a = 1 LIMIT 1',
  'DELETE a FROM t a JOIN b WHERE a.x = b.x',
  'UPDATE t, b SET t.x = b.x',
  'UPDATE (SELECT 1 AS x) t SET x = 1',
  'INSERT INTO t VALUES (1)',
  'DELETE FROM t; DELETE FROM t',
])('not by a WHERE alone: %s', (sql) => {
  expect(mysqlChangedRows(sql, MYSQL)).toBeNull()
})
