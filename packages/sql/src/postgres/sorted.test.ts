import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { factsOf } from './fixtures.ts'
import { Parser } from './parse.ts'
import { treeOf, treeText } from './same-tree.ts'
import { sortedText } from './sorted.ts'

let parser: Parser
beforeAll(async () => {
  parser = await Parser.create()
})

const CHANCE = 'pg_catalog.gen_random_uuid()'
const FIRST = `${CHANCE} IS NULL`

test.each([
  [
    'select a, count(*) from t group by a limit 3',
    `select a, count(*) from t group by a ORDER BY ${FIRST}, 2, ${CHANCE}  limit 3`,
  ],
  [
    'select a, b from t group by a, b order by b desc offset 2',
    `select a, b from t group by a, b ORDER BY ${FIRST},  b desc, 2, ${CHANCE}  offset 2`,
  ],
  [
    'select a as "limit", \'limit ; order by\' from t group by 1 -- limit\n;',
    `select a as "limit", 'limit ; order by' from t group by 1 ORDER BY ${FIRST}, 2, ${CHANCE}  -- limit\n;`,
  ],
  [
    'select t.limit, 1 from (select 1 from u order by 1 limit 1) t group by 1',
    `select t.limit, 1 from (select 1 from u order by 1 limit 1) t group by 1 ORDER BY ${FIRST}, 2, ${CHANCE} `,
  ],
  [
    'select distinct a, t.b from t where c order by a limit 3',
    `select a, t.b from t where c GROUP BY 1, 2 ORDER BY ${FIRST},  a, 2, ${CHANCE}  limit 3`,
  ],
  [
    '/* x */ SELECT\nDISTINCT upper(a), b FROM t ORDER BY upper(a)',
    `/* x */ SELECT upper(a), b FROM t GROUP BY 1, 2 ORDER BY ${FIRST},  upper(a), 2, ${CHANCE} `,
  ],
])('%s', (sql, expected) => {
  expect(sortedText(parser, sql, [2, 'chance'])).toBe(expected)
})

test.each([
  'select distinct * from t',
  'select distinct a from t order by 1 + 1',
  'select distinct a, count(*) from t group by a',
  'select distinct a from t having true',
  'with c as (select 1) select distinct a from t',
])('%s: not by chance', (sql) => {
  expect(sortedText(parser, sql, ['chance'])).toBeNull()
})

test.each([
  'select 1; select 2',
  'insert into t values (1)',
  'explain select a from t group by a',
  "select 'a\\' from t",
])('%s: not with certainty', (sql) => {
  expect(sortedText(parser, sql, [1])).toBeNull()
})

test('what is made differs from the text in nothing but what it is sorted by', () => {
  const part = fc.constantFrom(
    ...[
      'a',
      'limit',
      '"limit"',
      "'limit'",
      '/* for */',
      '-- fetch\n',
      '(',
      ')',
      ',',
      ';',
      '.',
      '1',
    ],
    ...[
      'from t',
      'group by a',
      'order by a',
      'limit 1',
      'for update',
      'select',
      'offset 2',
      '$$;$$',
    ],
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const sql = `select ${parts.join(' ')}`
      const text = sortedText(parser, sql, [1, 'chance'])
      if (text === null) return
      const [before, after] = [sql, text].map((one) => treeOf(parser, one)?.['SelectStmt'])
      expect(treeText(after, ['sortClause'])).toBe(treeText(before, ['sortClause']))
    }),
    { numRuns: 2000 },
  )
})

describe('sortable', () => {
  const apart = (sql: string): boolean => {
    const { sortable, uses } = factsOf(sql)
    return sortable === true && uses.some((use) => use.apart === true)
  }
  test.each([
    'select ssn, count(*) from people group by ssn',
    'select distinct ssn, id from people',
    'select p.ssn, sum(o.total) from people p join orders o on o.person = p.id group by 1 order by 2 desc limit 3',
    'select ssn, round(avg(id)), now() from people group by ssn having count(*) > 1',
  ])('%s', (sql) => {
    expect(apart(sql)).toBe(true)
  })
  test.each([
    'select ssn, row_number() over () from people group by ssn',
    'select ssn, array_agg(id) from people group by ssn',
    'select ssn, json_arrayagg(id) from people group by ssn',
    'select ssn, random() from people group by ssn',
    "select ssn, nextval('s') from people group by ssn",
    'select ssn, clock_timestamp() from people group by ssn',
    'select ssn, mine(1) from people group by ssn',
    'select ssn from people group by rollup (ssn)',
    'select upper(ssn) from people group by upper(ssn)',
    'select distinct upper(ssn) from people',
    'select distinct on (ssn) id from people',
    'select 1 from (select ssn from people group by ssn) s',
    'select ssn from people group by ssn union all select name from people',
    'select ssn from people group by ssn for update',
    'select ssn from people group by ssn order by count(*) fetch first 1 row with ties',
    'create table n as select ssn from people group by ssn',
    'explain select ssn from people group by ssn',
    'copy (select ssn from people group by ssn) to stdout',
    'insert into dept (title) select ssn from people group by ssn',
  ])('%s: not', (sql) => {
    expect(apart(sql)).toBe(false)
  })
})
