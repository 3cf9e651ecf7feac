import { expect, test } from 'vitest'
import { buildCatalog } from '../build-catalog.ts'
import type { StatementFacts } from '../facts.ts'
import { MARIADB, MYSQL } from './fixtures.ts'
import { MysqlReader } from './reader.ts'
import { withholdMysql } from './withhold.ts'

const at = (sql: string, ...columns: readonly string[]) =>
  columns.map((column) => ({ at: sql.indexOf(column) }))

test.each([
  ['SELECT a, a > 5 AS x FROM t', 'a > 5', 'SELECT a,  NULL AS `x`  FROM t'],
  ['select a > 5 x from t', 'a > 5', 'select  NULL AS `x`  from t'],
  ["select a > 5 'x y'from t", 'a > 5', 'select  NULL AS `x y` from t'],
  ['select a > 5 from t', 'a > 5', 'select  NULL AS `a > 5`  from t'],
  ['select concat(`a`) from t', 'concat', 'select  NULL AS `concat(``a``)`  from t'],
  ['select (a > 5)x from t', 'a > 5', 'select  NULL AS `x`  from t'],
  // One row stays one row.
  ['select sum(a * 2) s from t', 'sum', 'select  MAX(NULL) AS `s`  from t'],
  ['select sum(a * 2) s from t group by b', 'sum', 'select  NULL AS `s`  from t group by b'],
  ['select sum(a) over () - a s from t', 'sum', 'select  NULL AS `s`  from t'],
  ['select a / (select sum(a) from t) s from t', 'a /', 'select  NULL AS `s`  from t'],
  // Parameters keep their places.
  [
    'select ?, if(a > ?, ?, b) as x from t where b = ?',
    'if',
    'select ?,  CASE WHEN FALSE THEN CONCAT(?, ?) END AS `x`  from t where b = ?',
  ],
  [
    'select min(a + ?) as x from t',
    'min',
    'select  MAX(CASE WHEN FALSE THEN CONCAT(?) END) AS `x`  from t',
  ],
])('%s without %s', (sql, column, expected) => {
  const [target] = at(sql, column)
  const first = target === undefined ? [] : [target, { at: target.at - 1 }]
  // Whether brackets belong to an expression is the tree's.
  const made = first.map((one) => withholdMysql(sql, [one], MYSQL)).find((one) => one !== null)
  expect(made?.trim()).toBe(expected)
})

test('several columns, whatever stands in comments before them', () => {
  const sql = 'select /* ) */ a > 5 as x, b, -- from\n a < 5 as y from t'
  expect(withholdMysql(sql, at(sql, 'a < 5', 'a > 5'), MARIADB)?.replaceAll(/\s+/g, ' ')).toBe(
    'select NULL AS `x` , b, NULL AS `y` from t',
  )
})

test('nothing where the column is not a result column of the text', () => {
  const sql = 'select a > 5 from t'
  expect(withholdMysql(sql, [{ at: 3 }], MYSQL)).toBeNull()
  const nested = 'select x from (select a > 5 as x from t) u'
  expect(withholdMysql(nested, at(nested, 'a > 5'), MYSQL)).toBeNull()
  expect(withholdMysql('select a > 5 from t; select 1', [{ at: 7 }], MYSQL)).toBeNull()
  expect(withholdMysql('update t set a = 5', [{ at: 13 }], MYSQL)).toBeNull()
})

const column = (name: string, number: number) => ({ name, type: 'int', number, typeId: 0 })
const catalog = buildCatalog(
  {
    database: 'd',
    relations: [
      {
        id: 0,
        schema: 'd',
        name: 't',
        kind: 'table',
        columns: [column('a', 1), column('b', 2)],
        parents: [],
        rules: false,
        triggers: false,
        rowSecurity: false,
      },
    ],
    serverVersion: MYSQL.version,
    functions: [],
    userOperators: [],
  },
  1,
)
const names = {
  database: 'd',
  databaseCertain: true,
  temporaries: new Map(),
  temporariesCertain: true,
  sqlMode: '',
  prepared: () => undefined,
  handlers: () => undefined,
}
const reader = new MysqlReader()
function factsOf(sql: string): StatementFacts {
  const analysis = reader.analyze(sql, { catalog, dialect: MYSQL, names })
  if (analysis.kind !== 'statements') throw new Error(analysis.message)
  return analysis.statements[0]!
}

test('columns whose uses are all their own may be withheld', () => {
  expect(
    factsOf('SELECT b, IF(a > 5, 1, 2) AS x FROM t').withholdable?.map(({ name }) => name),
  ).toEqual(['x'])
})

test.each([
  'SELECT IF(a > 5, 1, 2) AS x FROM t FOR UPDATE',
  'SELECT IF(a > 5, 1, 2) AS x INTO @x FROM t',
  'SELECT IF(a > 5, 1, 2) AS x, @y := 1 FROM t',
  'SELECT IF(a > 5, SLEEP(1), a) AS x FROM t',
  'SELECT IF(a > 5, 1, 2) AS x FROM t UNION ALL SELECT 1',
  'EXPLAIN SELECT IF(a > 5, 1, 2) AS x FROM t',
  'INSERT INTO t (b) SELECT IF(a > 5, 1, 2) FROM t',
])('%s computes what it says', (sql) => {
  expect(factsOf(sql).withholdable ?? []).toEqual([])
})

test('what stands in a WINDOW clause is not the column that names it', () => {
  const uses = factsOf('SELECT SUM(b) OVER w AS x FROM t WINDOW w AS (ORDER BY a)').uses
  expect(uses.filter(({ context }) => context === 'window')).toEqual([
    expect.not.objectContaining({ inColumns: expect.anything() }),
  ])
})
