import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Sorting, SortKey } from '../facts.ts'
import { factsOf } from './fixtures.ts'
import { Parser } from './parse.ts'
import { treeOf, treeText } from './same-tree.ts'
import { sortedText } from './sorted.ts'

let parser: Parser
beforeAll(async () => {
  parser = await Parser.create()
})

const sorted = (
  sql: string,
  keys: readonly SortKey[],
  { statement = 0, columns = 2 }: Partial<Sorting> = {},
) => sortedText(parser, sql, [{ statement, keys, columns }])

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
  [
    'select distinct t.* from t order by t.a',
    `select t.* from t GROUP BY 1, 2 ORDER BY ${FIRST},  t.a, 2, ${CHANCE} `,
  ],
  [
    'with c as (select distinct 1) select distinct a, b from t',
    `with c as (select distinct 1) select a, b from t GROUP BY 1, 2 ORDER BY ${FIRST}, 2, ${CHANCE}  `,
  ],
  [
    'select a, b from t union (select b, a from t limit 1) order by b limit 3',
    `SELECT * FROM (select a, b from t union (select b, a from t limit 1)) AS sallyport ORDER BY ${FIRST},  b, 2, ${CHANCE}  limit 3`,
  ],
  [
    'with c as (select 1) select a, b from t except select 1, 2 -- order by a\n;',
    `SELECT * FROM (with c as (select 1) select a, b from t except select 1, 2) AS sallyport ORDER BY ${FIRST}, 2, ${CHANCE}  -- order by a\n;`,
  ],
  [
    'declare "for" no scroll cursor with hold for select a, b from t group by 1, 2',
    `declare "for" no scroll cursor with hold for  select a, b from t group by 1, 2 ORDER BY ${FIRST}, 2, ${CHANCE} `,
  ],
  [
    'prepare p (int) as select a, b from t where a = $1 union select 1, 2',
    `prepare p (int) as SELECT * FROM ( select a, b from t where a = $1 union select 1, 2) AS sallyport ORDER BY ${FIRST}, 2, ${CHANCE} `,
  ],
])('%s', (sql, expected) => {
  expect(sorted(sql, [2, 'chance'])).toBe(expected)
})

test('one statement of several', () => {
  const text = 'begin; -- x\n declare c cursor for select a from t group by a; fetch 1 c'
  expect(sorted(text, [1], { statement: 1 })).toBe(
    `begin;\ndeclare c cursor for  select a from t group by a ORDER BY ${FIRST}, 1 ;\nfetch 1 c`,
  )
  expect(sorted(text, [1], { statement: 2 })).toBeNull()
})

test.each([
  'select distinct * from t',
  'select distinct a from t order by 1 + 1',
  'select distinct a, count(*) from t group by a',
  'select distinct a from t having true',
])('%s: not by chance', (sql) => {
  expect(sorted(sql, ['chance'], { columns: 0 })).toBeNull()
})

test.each([
  'select 1; insert into t values (1)',
  'insert into t values (1)',
  'explain select a from t group by a',
  "select 'a\\' from t",
])('%s: not with certainty', (sql) => {
  expect(sorted(sql, [1], { statement: sql.includes(';') ? 1 : 0 })).toBeNull()
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
      const text = sorted(sql, [1, 'chance'])
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
    'select distinct * from people',
    'select 1 from (select ssn from people group by ssn) s',
    'select count(*) from (select distinct id, ssn from people) s',
    'with s as (select ssn, max(id) as m from people group by ssn), t as (select * from s) select m from t where m > 1 order by m limit 3',
    'select ssn from people where id = 1 union select ssn from people',
    'select ssn from people union select ssn from people intersect select ssn from people order by 1 limit 1',
    'select ssn from people except all select ssn from people',
    'with people as (select * from people) select distinct ssn from people',
    'with recursive t as (select ssn, id from people union select t.ssn, p.id from people p join t on t.id > p.id) select 1 from t',
    'declare c cursor for select distinct ssn from people',
    'prepare p as select distinct ssn from people',
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
    'select 1 from (select ssn from people group by ssn limit 1) s',
    'select ssn from people union select name from people',
    'with recursive t as ((select ssn from people union select ssn from people) union (select ssn from t limit 1)) select 1 from t',
    'select 1 from (select ssn from people group by ssn) s, dept',
    'with a as (select * from a) select * from a',
    'select 1 from (select ssn from people group by ssn) s join dept on true',
    'select max(m) from (select max(id) as m from people group by ssn) s',
    'select m, count(*) from (select max(id) as m from people group by ssn) s group by m',
    'select distinct m from (select max(id) as m from people group by ssn) s',
    'select row_number() over () from (select ssn from people group by ssn) s',
    'select 1 from dept where id in (select max(id) from people group by ssn)',
    'select array(select max(id) from people group by ssn) from dept',
    'select exists (select from (select max(id) from people group by ssn) s) from dept',
    'with s as (select ssn, max(id) as m from people group by ssn) select m, (select max(m) from s) from s',
    'with s as (select ssn, max(id) as m from people group by ssn) select a.m from s a join s b on a.ssn = b.ssn',
    'with s as (select ssn, max(id) as m from people group by ssn) select m from s for update',
    'select ssn from people group by ssn union all select name from people',
    'select ssn from people group by ssn for update',
    'select ssn from people group by ssn order by count(*) fetch first 1 row with ties',
    'create table n as select ssn from people group by ssn',
    'explain select ssn from people group by ssn',
    'copy (select ssn from people group by ssn) to stdout',
    'declare c cursor for select ssn from people group by rollup (ssn)',
    'insert into dept (title) select ssn from people group by ssn',
  ])('%s: not', (sql) => {
    expect(apart(sql)).toBe(false)
  })
  test.each([
    '(select ssn from people union select ssn from people limit 1) union select ssn from people',
    'select ssn from people intersect (select ssn from people except select ssn from people offset 1)',
  ])('%s: not all that it combines', (sql) => {
    const uses = factsOf(sql).uses.filter(({ context }) => context === 'distinct')
    expect(uses.map((use) => use.apart === true)).toContain(false)
  })
})
