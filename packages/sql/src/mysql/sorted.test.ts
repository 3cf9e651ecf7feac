import { expect, test } from 'vitest'
import { buildCatalog } from '../build-catalog.ts'
import type { StatementFacts } from '../facts.ts'
import { MARIADB, MYSQL } from './fixtures.ts'
import { MysqlReader } from './reader.ts'
import { sortedMysql } from './sorted.ts'

const CHANCE = 'RANDOM_BYTES(16)'

test.each([
  ['SELECT DISTINCT ssn FROM people', [], `SELECT DISTINCT ssn FROM people ORDER BY ${CHANCE}`],
  [
    'select a, count(*) from t group by a limit 3;',
    [2],
    `select a, count(*) from t group by a  ORDER BY 2, ${CHANCE} limit 3`,
  ],
  [
    "select a `limit 1`, 'order by 1 limit 2' /* limit */ from t group by a order by a desc -- limit",
    [2],
    `select a \`limit 1\`, 'order by 1 limit 2' from t group by a order by a desc, 2, ${CHANCE}`,
  ],
  [
    '(select distinct a from t limit 1) limit 3',
    [1],
    `(select distinct a from t limit 1)  ORDER BY 1, ${CHANCE} limit 3`,
  ],
  [
    'with x as (select 1 as a limit 1) select distinct a from x where a = ?',
    [],
    `with x as (select 1 as a limit 1) select distinct a from x where a = ? ORDER BY ${CHANCE}`,
  ],
])('%s, by %j and by chance', (sql, columns, expected) => {
  expect(sortedMysql(sql, [...columns, 'chance'], MYSQL)?.trim()).toBe(expected)
})

test('no text that would mean something else', () => {
  expect(sortedMysql('select 1; select 2', [1], MYSQL)).toBeNull()
  expect(sortedMysql('update t set a = 1', [1], MYSQL)).toBeNull()
  expect(sortedMysql('select a from t for update', [1], MYSQL)).toBeNull()
  expect(sortedMysql('select a from', [1], MYSQL)).toBeNull()
})

test('nothing where the server has no chance that nobody chooses', () => {
  const sql = 'select distinct a from t'
  expect(sortedMysql(sql, ['chance'], MARIADB)).not.toBeNull()
  expect(sortedMysql(sql, ['chance'], { ...MARIADB, version: 100_619 })).toBeNull()
})

const column = (name: string, type: string, number: number) => ({ name, type, number, typeId: 0 })
const catalog = buildCatalog(
  {
    database: 'd',
    relations: [
      {
        id: 0,
        schema: 'd',
        name: 't',
        kind: 'table',
        columns: [column('a', 'varchar', 1), column('b', 'int', 2), column('j', 'json', 3)],
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

function factsOf(sql: string): StatementFacts {
  const names = {
    database: 'd',
    databaseCertain: true,
    temporaries: new Map(),
    temporariesCertain: true,
    sqlMode: '',
    prepared: () => undefined,
    handlers: () => undefined,
  }
  const analysis = new MysqlReader().analyze(sql, { catalog, names, dialect: MYSQL })
  const facts = analysis.kind === 'statements' ? analysis.statements[0] : undefined
  if (facts === undefined) throw new Error(sql)
  return facts
}

test.each([
  'SELECT DISTINCT a FROM t',
  'SELECT a, COUNT(*) FROM t GROUP BY a',
  'SELECT a, SUM(b), NOW(), UPPER(a) FROM t WHERE b > @x GROUP BY 1 ORDER BY 2 LIMIT 3',
])('sortable, and apart: %s', (sql) => {
  const { sortable, uses } = factsOf(sql)
  expect(sortable).toBe(true)
  expect(uses.find(({ context }) => /group|distinct/.test(context))).toMatchObject({ apart: true })
})

test.each([
  'SELECT a FROM t',
  'SELECT a, RAND() FROM t GROUP BY a',
  'SELECT a, GROUP_CONCAT(b) FROM t GROUP BY a',
  'SELECT a, ROW_NUMBER() OVER () FROM t GROUP BY a',
  'SELECT a, @n := @n + 1 FROM t GROUP BY a',
  'SELECT a, LAST_INSERT_ID(b) FROM t GROUP BY a',
  'SELECT a, somebodys(b) FROM t GROUP BY a',
  'SELECT a FROM t GROUP BY a WITH ROLLUP',
  'SELECT DISTINCT a FROM t FOR UPDATE',
  'SELECT DISTINCT a INTO @x FROM t',
  'SELECT a FROM t UNION SELECT a FROM t',
  'SELECT DISTINCT a FROM t; SELECT 1',
  'EXPLAIN SELECT DISTINCT a FROM t',
  "PREPARE s FROM 'SELECT DISTINCT a FROM t'",
])('not sortable: %s', (sql) => {
  const { sortable, state } = factsOf(sql)
  expect(sortable).toBeUndefined()
  for (const change of state)
    if (change.kind === 'prepare') expect(change.facts.sortable).toBeUndefined()
})

test('only what = tells apart is told apart so', () => {
  const { uses } = factsOf('SELECT DISTINCT j FROM t')
  expect(uses.find(({ context }) => context === 'distinct')?.apart).toBeUndefined()
  const inner = factsOf('SELECT DISTINCT b FROM (SELECT DISTINCT a, b FROM t) x')
  expect(
    inner.uses.filter(({ apart }) => apart === true).map(({ column }) => column.column),
  ).toEqual(['b'])
})
