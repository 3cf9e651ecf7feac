/** Expressions that fail for some values, and comparisons with more constants than the statement lists. */
import { describe, expect, test } from 'vitest'
import type { ColumnUse } from '../../facts.ts'
import { columnText, factsOf } from '../fixtures.ts'

const usesOf = (sql: string, context: ColumnUse['context']) =>
  factsOf(sql)
    .uses.filter((use) => use.context === context)
    .map((use) => columnText(use.column))
    .sort()

describe('may fail for some values of', () => {
  test.each([
    ['select 1 / (pay - 7) from people', ['people.pay']],
    ['select pay * 12 / 0 from people', ['people.pay']],
    ['select pay * $1 from people', ['people.pay']],
    ['select id * 12 from people', ['people.id']],
    ['select pay * 1e131071 from people', ['people.pay']],
    ['select ssn::int from people', ['people.ssn']],
    ['select cast(ssn as uuid) from people', ['people.ssn']],
    ["select convert_from(ssn::bytea, 'UTF8') from people", ['people.ssn']],
    ['select substr(name, 1, id) from people', ['people.id']],
    ['select chr(id) from people', ['people.id']],
    ['select 1 from people where 1 / id = 1', ['people.id']],
    ["select ssn like 'h' from people", ['people.ssn']],
    [
      'select array_agg(x) from (select string_to_array(ssn, $1) as x from people) s',
      ['people.ssn'],
    ],
    ['select array[string_to_array(ssn, $1), array[$2]] from people', ['people.ssn']],
    ['select sum(pay::float8) from people', ['people.pay']],
    ['select jsonb_array_length(profile) from people', ['people.profile']],
    ["select json_value(name, '$.a') from people", ['people.name']],
    ["select json_value(profile, '$.a' error on error) from people", ['people.profile']],
    ['select json_object(ssn: 1) from people', ['people.ssn']],
    ['select json(ssn) from people', ['people.ssn']],
    ['select jsonb_build_object(ssn, name) from people', ['people.ssn']],
    ['select format($1, ssn) from people', ['people.ssn']],
    ['select repeat(ssn, 100) from people', ['people.ssn']],
    ["select repeat('x', 1000000000) || ssn from people", ['people.ssn']],
    ["select regexp_replace(ssn, 'a', $1) from people", ['people.ssn']],
    ['select xmlparse(document ssn) from people', ['people.ssn']],
    ['select (pay::text)::numeric from people', ['people.pay']],
    ['select max(x) from (select 1 / id as x from people) s', ['people.id']],
  ])('%s', (sql, expected) => {
    expect(usesOf(sql, 'failure')).toEqual(expected)
  })

  test('a text that doubles in every round', () => {
    const sql =
      'with recursive r (x, n) as (select ssn, 1 from people union all select x || x, n + 1 from r where n < 40) select length(x) from r'
    expect(usesOf(sql, 'failure')).toContain('people.ssn')
  })
})

describe('fails for no value', () => {
  test.each([
    "select upper(ssn), ssn || '-' || email, left(ssn, 3), substr(ssn, 1, 3) from people",
    "select md5(ssn), length(ssn), ssn::text, pay::text, id::numeric, profile ->> 'a' from people",
    "select replace(ssn, '-', ''), concat_ws(' ', name, email), coalesce(email, '-') from people",
    'select sum(pay), avg(pay), min(ssn), max(id), count(email), array_agg(ssn) from people',
    "select ssn = 'x', ssn is null, id between 1 and 2, id in (1, 2) from people",
    'select row_to_json(p), to_jsonb(p), jsonb_build_object($$a$$, ssn) from people p',
    "select ssn::varchar(3), round(pay, 2), to_char(pay, '999') from people",
    'select pay * 12, round(pay / 12, 2), 100 - pay * 1.19 from people',
    "select case when active then ssn else '' end from people",
    "select json_value(profile, '$.a'), json_object('a': ssn) from people",
    'select lag(ssn) over (order by id), string_agg(email, $1) from people group by id, ssn',
  ])('%s', (sql) => {
    expect(usesOf(sql, 'failure')).toEqual([])
  })
})

describe('what decides whether something that fails is computed counts as a condition', () => {
  test.each([
    [
      "select ssn < 'm' and 1 / (id - id) = 0 from people",
      'predicate',
      ['people.id', 'people.ssn'],
    ],
    [
      "select 1 / (id - id) = 0 or ssn like 'a%' from people",
      'predicate',
      ['people.id', 'people.ssn'],
    ],
    ["select ssn in ('a', (1 / id)::text) from people", 'equality-constant', ['people.ssn']],
    [
      "select ssn between 'm' and (1 / id)::text from people",
      'predicate',
      ['people.id', 'people.ssn'],
    ],
    ["select row(ssn, 1 / id) < row('m', 1) from people", 'predicate', ['people.id', 'people.ssn']],
    ['select coalesce(ssn, (1 / id)::text) from people', 'is-null', ['people.ssn']],
    ["select ssn < 'm' and secret(id) from people", 'predicate', ['people.id', 'people.ssn']],
    [
      'select d.c from (select ssn < $1 and x = 0 as c from (select ssn, 1 / id as x from people) s) d',
      'predicate',
      ['people.id', 'people.ssn'],
    ],
  ] as const)('%s', (sql, context, expected) => {
    expect(usesOf(sql, context)).toEqual(expected)
  })

  test.each([
    "select ssn < 'm' and name = 'a' from people",
    "select coalesce(ssn, email, '-') from people",
  ])('%s is none', (sql) => {
    expect(factsOf(sql).uses).toEqual([])
  })
})

describe('equality', () => {
  const probes = (sql: string) =>
    factsOf(sql)
      .uses.filter((use) => use.context === 'equality-constant')
      .map(({ values, parameters }) => ({ values, parameters }))

  test.each([
    ["select 1 from people where ssn = 'x'", [{ values: 1 }]],
    ["select 1 from people where ssn in ('x', 'y', 'z')", [{ values: 3 }]],
    ['select 1 from people where ssn in ($1, $2)', [{ values: 0, parameters: [1, 2] }]],
    ["select 1 from people where ssn = any('{a,b,c}')", [{ values: 3 }]],
    ["select 1 from people where ssn = 'x' or ssn = 'y'", [{ values: 2 }]],
    ["select 1 from people join (values ('a'), ('b')) v (x) on ssn = x", [{ values: 2 }]],
    [
      'select 1 from people join unnest($1::text[]) u (x) on ssn = x',
      [{ values: 0, parameters: [1] }],
    ],
    ['select 1 from people where ssn = current_user', [{ values: 1 }]],
    ["select 1 from people where ssn = lower('X')", [{ values: 1 }]],
    ["select 1 from people where ssn in (select 'a' union select 'b')", [{ values: 2 }]],
  ])('%s', (sql, expected) => {
    expect(probes(sql)).toEqual(expected)
  })

  test.each([
    'select i from generate_series(1, 999) i join people on ssn = i::text',
    "select a.x || b.x from (values ('0'), ('1')) a (x), (values ('0'), ('1')) b (x), people where ssn = a.x || b.x",
    "select n from (with recursive r (n) as (select '0' union all select n || '0' from r) select n from r) d, people where ssn = n",
    "select x from string_to_table('a,b', ',') x join people on ssn = x",
    'select r from (select random()::text as r from generate_series(1, 9)) d, people where ssn = r',
    "select x from people, regexp_split_to_table('a b', ' ') x where x in (ssn)",
    "select 1 from people where ssn in (select jsonb_array_elements_text('[]'))",
    'select 1 from people where ssn = ctid::text',
  ])('with values computed row by row is a search: %s', (sql) => {
    expect(probes(sql)).toEqual([])
    expect(usesOf(sql, 'predicate')).toContain('people.ssn')
  })
})
