import { describe, expect, test } from 'vitest'
import { MYSQL } from './fixtures.ts'
import { mysqlValuesRows, withMysqlParameters } from './with-parameters.ts'

describe('values in the places of markers', () => {
  test.each([
    [
      'SELECT a FROM t WHERE a = ? AND b > ?',
      ['1', "x'61'"],
      "SELECT a FROM t WHERE a =  1  AND b >  x'61' ",
    ],
    [
      "SELECT '?', `?` /* ? */ FROM t WHERE a=?",
      ['NULL'],
      "SELECT '?', `?` /* ? */ FROM t WHERE a= NULL ",
    ],
    ['SELECT ?', [], null],
    ["SELECT 'open", [], null],
  ])('%s', (sql, literals, expected) => {
    expect(withMysqlParameters(sql, literals, MYSQL)).toBe(expected)
  })
})

test.each([
  ['INSERT INTO t VALUES (1)', 1],
  ["INSERT INTO t (a, b) VALUES (1, f(2)), (3, '),('), (4, (5))", 3],
  ['INSERT INTO t VALUES (1), (2) ON DUPLICATE KEY UPDATE a = (3)', 2],
  ['REPLACE t VALUE (1), (2)', 2],
  ['INSERT INTO t SET a = (1)', 1],
])('rows of %s: %i', (sql, rows) => {
  expect(mysqlValuesRows(sql, MYSQL)).toBe(rows)
})
