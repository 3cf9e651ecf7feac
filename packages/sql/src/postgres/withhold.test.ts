import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { factsOf } from './fixtures.ts'
import { Parser } from './parse.ts'
import { type WithheldTarget, withhold } from './withhold.ts'

let parser: Parser
beforeAll(async () => {
  parser = await Parser.create()
})

function withheldOf(sql: string, targets: readonly WithheldTarget[]): string | null {
  const outcome = parser.parse(sql)
  if (outcome.kind !== 'tree') throw new Error('no tree')
  return withhold(parser, { sql, original: outcome.statements }, targets)
}

/** All columns that the facts offer. */
const withheld = (text: string): string | null => withheldOf(text, factsOf(text).withholdable ?? [])

const OFF = 'CASE WHEN false THEN'

test.each([
  ['select id, 1/id from orders', `select id, ${OFF} 1/id END AS "?column?" from orders`],
  ['select 1/id as x from orders', `select ${OFF} 1/id END as x from orders`],
  [
    'explain select note, 1/id as x from orders where total > 1',
    `explain select ${OFF} note END AS "note", ${OFF} 1/id END as x from orders where total > 1`,
  ],
  [
    'copy (select note, 1/id from orders) to stdout',
    `copy (select note, ${OFF} 1/id END AS "?column?" from orders) to stdout`,
  ],
  ['select 1/id x from orders', `select ${OFF} 1/id END x from orders`],
  ['select 1/id "From" from orders', `select ${OFF} 1/id END "From" from orders`],
  ['select 1/id as from from orders', `select ${OFF} 1/id END as from from orders`],
  [
    'select (1/id) /* , */ -- from\n from orders',
    `select ${OFF} (1/id) END AS "?column?" /* , */ -- from\n from orders`,
  ],
  [
    "select 'ö', note || ',' || (1/id)::text from orders",
    `select 'ö', ${OFF} note || ',' || (1/id)::text END AS "?column?" from orders`,
  ],
  [
    'select 1/id is distinct from total from orders',
    `select ${OFF} 1/id is distinct from total END AS "?column?" from orders`,
  ],
  [
    'select extract(year from note::date) from orders',
    `select ${OFF} extract(year from note::date) END AS "extract" from orders`,
  ],
  [
    'select cast(note as int) from orders',
    `select ${OFF} cast(note as int) END AS "note" from orders`,
  ],
  [
    'select percentile_cont(1/id) within group (order by total) from orders group by id',
    `select ${OFF} percentile_cont(1/id) within group (order by total) END AS "percentile_cont" from orders group by id`,
  ],
  [
    'select rank() over (order by total desc) r from orders',
    `select ${OFF} rank() over (order by total desc) END r from orders`,
  ],
  [
    "select case when total > 5 then 'a' else 'b' end from orders",
    `select ${OFF} case when total > 5 then 'a' else 'b' end END AS "case" from orders`,
  ],
  [
    "select case when total > 5 then 'a' else 'b' end band from orders",
    `select ${OFF} case when total > 5 then 'a' else 'b' end END band from orders`,
  ],
  [
    'select x from (select 1/id as x from orders) s',
    `select x from (select ${OFF} 1/id END as x from orders) s`,
  ],
  [
    'with c as (select 1/id y from orders) select y from c',
    `with c as (select ${OFF} 1/id END y from orders) select y from c`,
  ],
  [
    'select 1/id from orders union all select 1/total from orders',
    `select ${OFF} 1/id END AS "?column?" from orders union all select ${OFF} 1/total END AS "?column?" from orders`,
  ],
  [
    'select (select max(1/o.id) from orders o) from people',
    `select (select ${OFF} max(1/o.id) END AS "max" from orders o) from people`,
  ],
  [
    'select 1; select 1/id from orders;',
    `select 1; select ${OFF} 1/id END AS "?column?" from orders;`,
  ],
  [
    "select E'\\'from', $$,$$ || (1/id)::text from orders",
    `select E'\\'from', ${OFF} $$,$$ || (1/id)::text END AS "?column?" from orders`,
  ],
  [
    'declare c cursor with hold for select note, 1/id from orders',
    `declare c cursor with hold for select note, ${OFF} 1/id END AS "?column?" from orders`,
  ],
  [
    'prepare p (int) as select $1/id as x from orders',
    `prepare p (int) as select ${OFF} $1/id END as x from orders`,
  ],
  ['select 1/id', null],
])('%s', (text, expected) => {
  const [columns, made] = [factsOf(text.replace('select 1; ', '')).withholdable, withheld(text)]
  if (expected === null) expect(columns).toEqual([])
  else if (text.startsWith('select 1;')) expect(columns).toHaveLength(1)
  else expect(made).toBe(expected)
})

test.each([
  'select generate_series(1, id) / total from orders',
  'insert into orders (id) select 1/id from orders',
  'with d as (delete from orders returning 1/id as x) select x from d',
  'select 1/id from orders for update',
  "select nextval('s') / id from orders",
  'select 1/id into t from orders',
  'prepare p as update orders set id = 1 returning 1/id',
  'declare c cursor for select 1/id from orders for update',
  'explain select 1/id from orders union select 2',
  "copy (select 1/id from orders) to '/tmp/x'",
  'select rank() over w from orders window w as (order by 1/id)',
  "select false, string_agg(note, ',' order by 1/total) from orders group by 1",
  'select false as f, max(1/total) from orders group by f',
  'select max(1/total) from orders group by (id, false)',
  'select max(1/total) from orders group by rollup (id, (1 = 2))',
])('nothing of it is withheld: %s', (text) => {
  const facts = factsOf(text)
  const offered = new Set(facts.withholdable?.map(({ at }) => at))
  const inside = facts.uses.filter(({ inColumns }) => inColumns?.every((at) => offered.has(at)))
  expect(inside).toEqual([])
})

test('whatever is asked for, the text is withheld as meant or not at all', () => {
  const text =
    'select a, b || \'x\' c, (select 1/d from e) from f where g > 1 union select 1, 2 as "q", 3'
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(text.length + 3), name: fc.string() }), { maxLength: 4 }),
      (columns) => {
        if (withheldOf(text, columns) === null) return
        const spans = ['a', "b || 'x'", '(select 1/d from e)', '1/d', '1, 2', '2 as', '3']
          .map((one) => ({ start: text.indexOf(one), end: text.indexOf(one) + one.length }))
          .filter(({ start }) => columns.some(({ at }) => at === start))
        // Where a column begins, or inside of one that is withheld.
        for (const { at } of columns)
          expect(spans.some(({ start, end }) => at >= start && at < end)).toBe(true)
      },
    ),
  )
})
