import { describe, expect, test } from 'vitest'
import { catalogOf, factsOf, outputsText, relation, usesText } from '../fixtures.ts'

/** sql → outputs; see `lineageText` for the notation. */
const OUTPUTS: readonly (readonly [string, string])[] = [
  ['select id, ssn as s from people', 'id=people.id s=people.ssn'],
  ['select people.ssn, public.people.email from people', 'ssn=people.ssn email=people.email'],
  [
    'select p.* from orders p',
    'id=orders.id person=orders.person total=orders.total note=orders.note',
  ],
  [
    'select note, * from orders',
    'note=orders.note id=orders.id person=orders.person total=orders.total note=orders.note',
  ],
  ['select a, c from orders o (a, b, c)', 'a=orders.id c=orders.total'],
  [
    'select ssn::text, ssn::varchar(3), email::text, name collate "C" from people',
    'ssn=people.ssn ssn~people.ssn email=people.email name=people.name',
  ],
  [
    'select ssn || email, upper(ssn) from people',
    '?column?~people.ssn,people.email upper~people.ssn',
  ],
  [
    "select 1, 'a', null, $1, now(), current_user",
    '?column?- ?column?- ?column?- ?column?- now- current_user-',
  ],
  [
    'select ssn is null, name = ssn from people',
    '?column?#people.ssn ?column?~people.name,people.ssn',
  ],
  [
    'select count(*), count(ssn), count(distinct ssn), count(ssn || name) from people',
    'count# count#people.ssn count#people.ssn count~people.ssn,people.name',
  ],
  [
    'select max(ssn), count(p), sum(id) from people p',
    'max~people.ssn count#people.id,people.name,people.ssn,people.email,people.dept,people.active,people.pay,people.profile sum~people.id',
  ],
  ['select row_number() over (order by ssn) from people', 'row_number~people.ssn'],
  [
    'select lag(name) over w from people window w as (partition by dept order by pay)',
    'lag~people.name,people.dept,people.pay',
  ],
  [
    "select string_agg(name, ',' order by ssn) filter (where email = 'x') from people",
    'string_agg~people.name,people.email,people.ssn',
  ],
  [
    'select case when ssn = name then email end from people',
    'case~people.ssn,people.name,people.email',
  ],
  [
    'select coalesce(ssn, name), greatest(ssn, name), nullif(ssn, name) from people',
    'coalesce~people.ssn,people.name greatest~people.ssn,people.name nullif~people.ssn,people.name',
  ],
  [
    'select profile, profile -> $1, (profile)[$1] from people',
    'profile=people.profile ?column?~people.profile profile~people.profile',
  ],
  ['select o from orders o', 'o~orders.id,orders.person,orders.total,orders.note'],
  [
    'select o::text, row_to_json(o), (o).note from orders o',
    'o~orders.id,orders.person,orders.total,orders.note row_to_json~orders.id,orders.person,orders.total,orders.note note=orders.note',
  ],
  [
    'select (o).* from orders o',
    'id=orders.id person=orders.person total=orders.total note=orders.note',
  ],
  ['select (q.o).note from (select o from orders o) q', 'note=orders.note'],
  [
    'select secret(name), o.nothing from people, orders o',
    'secret?people.name nothing?orders.id,orders.person,orders.total,orders.note,orders.nothing',
  ],
  ["select name ~~> 'x' from people", '?column??people.name'],
  [
    'select (select ssn from people), exists (select from people), array(select ssn from people)',
    'ssn=people.ssn exists# array~people.ssn',
  ],
  ['select id in (select person from orders) from people', '?column?~people.id,orders.person'],
  ['select * from (select ssn as x from people) d', 'x=people.ssn'],
  ['select * from (select ssn from people) d (y)', 'y=people.ssn'],
  ['select l.x from people p, lateral (select p.ssn as x) l', 'x=people.ssn'],
  ['select ssn from people union all select ssn from people', 'ssn=people.ssn'],
  ['select ssn from people union select name from people', 'ssn~people.ssn,people.name'],
  ['select ssn from people except select name from people', 'ssn=people.ssn'],
  ["values (1, 'a')", 'column1- column2-'],
  ['select x from (values ((select ssn from people)), ($1)) v (x)', 'x~people.ssn'],
  ['with c (a) as (select ssn from people) select * from c', 'a=people.ssn'],
  ['with orders as (select ssn from people) select * from orders', 'ssn=people.ssn'],
  [
    'with orders as (select ssn from people) select * from public.orders',
    'id=orders.id person=orders.person total=orders.total note=orders.note',
  ],
  [
    'with recursive t as (select id, ssn from people union all select p.id, p.ssn from people p, t) select * from t',
    'id=people.id ssn=people.ssn',
  ],
  [
    'with recursive t as (select name as a, ssn as b, email as c from people union all select b, c, a from t) select * from t',
    'a~people.name,people.ssn,people.email b~people.ssn,people.email,people.name c~people.email,people.name,people.ssn',
  ],
  [
    'with recursive a as (select * from b), b as (select ssn from people) select * from a',
    'ssn=people.ssn',
  ],
  [
    'with recursive t as (select id from people union all select t.id from t) search depth first by id set s cycle id set c using p select * from t',
    'id=people.id s~people.id c~people.id p~people.id',
  ],
  ['with d as (delete from orders returning note) select * from d', 'note=orders.note'],
  [
    'select * from people p join dept d using (id)',
    'id=people.id name=people.name ssn=people.ssn email=people.email dept=people.dept active=people.active pay=people.pay profile=people.profile title=dept.title',
  ],
  [
    'select * from dept natural join (select id, note from orders) o',
    'id=dept.id title=dept.title note=orders.note',
  ],
  ['select id from people full join dept using (id)', 'id~people.id,dept.id'],
  ['select id from people right join dept using (id)', 'id=dept.id'],
  ['select j.title from (people join dept using (id)) j', 'title=dept.title'],
  ['select x.id from people join dept using (id) as x', 'id=people.id'],
  ['select mail from contacts', 'mail=people.email'],
  ['select * from cached', 'id=people.id mail=people.email low~cached.low,people.name'],
  ['select x from loop', 'x?'],
  ['select x from opaque', 'x?'],
  ['select a, b from gen', 'a=gen.a b~gen.b,gen.a'],
  ['select payload from events_1', 'payload=events.payload'],
  ['select payload from only events', 'payload=events.payload'],
  ['select ctid, tableoid from people', 'ctid# tableoid#'],
  [
    'select most_common_vals from pg_stats',
    'most_common_vals=pg_catalog.pg_stats.most_common_vals',
  ],
  ['select g from generate_series(1, 3) g', 'g-'],
  [
    'select * from people, jsonb_each(profile) e (k, v) where false',
    'id=people.id name=people.name ssn=people.ssn email=people.email dept=people.dept active=people.active pay=people.pay profile=people.profile k~people.profile v~people.profile',
  ],
  ['select e.* from people, jsonb_array_elements(profile) e', 'value~people.profile'],
  [
    'select x.* from people, jsonb_to_record(profile) x (a int, b text)',
    'a~people.profile b~people.profile',
  ],
  ["select u.* from unnest(array['a'], array[1]) with ordinality u (x, y, n)", 'x- y- n#'],
  [
    "select j.* from people p, json_table(p.profile, '$' columns (a text path '$.a', n for ordinality)) j",
    'a~people.profile n#',
  ],
  [
    'select json_object(id: ssn), json_arrayagg(name) from people',
    'json_object~people.id,people.ssn json_arrayagg~people.name',
  ],
  [
    'update people set name = $1 returning id, old.name, new.name',
    'id=people.id name=people.name name=people.name',
  ],
  ['update people set name = o.note from orders o returning o.note', 'note=orders.note'],
  [
    'insert into orders values (1) returning with (old as o, new as n) o.note, n.id',
    'note=orders.note id=orders.id',
  ],
  [
    'merge into orders o using people p on true when matched then delete returning merge_action(), p.ssn, o.id',
    'merge_action- ssn=people.ssn id=orders.id',
  ],
  ['copy people (ssn) to stdout', 'ssn=people.ssn'],
  ['copy gen to stdout', 'a=gen.a'],
  ['explain select * from orders', 'QUERY PLAN~orders.id,orders.person,orders.total,orders.note'],
  ['explain select ssn from people', 'QUERY PLAN~'],
  ['show search_path', 'search_path-'],
  ['call p()', 'unknown'],
  ['select nothing.x from people', 'x?'],
  ['select * from secret(1)', 'secret?'],
  ["select * from dblink('x') as t (a int)", 'a?'],
  ["select * from dblink('x')", 'unknown'],
]

/** sql → uses. */
const USES: readonly (readonly [string, string])[] = [
  ["select 1 from people where ssn = 'x'", 'people.ssn equality-constant'],
  [
    "select 1 from people where 'x' <> ssn and email is distinct from $1",
    'people.email equality-constant; people.ssn equality-constant',
  ],
  ["select 1 from people where ssn in ('a', $1, 'b' || 'c')", 'people.ssn equality-constant'],
  [
    "select 1 from people where ssn = any($1) or ssn <> all('{}'::text[])",
    'people.ssn equality-constant',
  ],
  [
    "select 1 from people where ssn::text = 'x' and not active",
    'people.active equality-constant; people.ssn equality-constant',
  ],
  [
    "select 1 from people where (ssn, name) = ('a', $1)",
    'people.name equality-constant; people.ssn equality-constant',
  ],
  ['select 1 from people where ssn is not null', 'people.ssn is-null'],
  ['select 1 from people where upper(ssn) is null', 'people.ssn predicate'],
  ["select 1 from people where ssn > 'x'", 'people.ssn predicate'],
  [
    "select 1 from people where ssn like 'x' or email ~ 'y'",
    'people.email failure; people.email predicate; people.ssn failure; people.ssn predicate',
  ],
  ["select 1 from people where ssn between 'a' and 'b'", 'people.ssn predicate'],
  [
    'select 1 from people where ssn = any(array[name])',
    'people.name predicate; people.ssn predicate',
  ],
  ["select 1 from people where ssn::varchar(1) = 'x'", 'people.ssn predicate'],
  ["select 1 from people where lower(ssn) = 'x'", 'people.ssn predicate'],
  ["select 1 from people where (ssn = 'x') = true", 'people.ssn predicate'],
  [
    "select 1 from people where case when ssn = 'x' then true end",
    'people.ssn equality-constant; people.ssn predicate',
  ],
  ["select 1 from people where ssn ~~> 'x'", 'people.ssn predicate'],
  [
    'select 1 from people p join orders o on p.ssn = o.note',
    'orders.note equality-column people.ssn; people.ssn equality-column orders.note',
  ],
  [
    'select 1 from people join dept using (id)',
    'dept.id equality-column people.id; people.id equality-column dept.id',
  ],
  [
    'select 1 from people where ssn in (select note from orders)',
    'orders.note equality-column people.ssn; people.ssn equality-column orders.note',
  ],
  [
    'select 1 from people where ssn < any (select note from orders)',
    'orders.note predicate; people.ssn predicate',
  ],
  [
    'select 1 from people where ssn = (select max(note) from orders)',
    'orders.note predicate; people.ssn predicate',
  ],
  [
    "select 1 from people where exists (select 1 from orders where note like 'x')",
    'orders.note failure; orders.note predicate',
  ],
  ["select * from (select lower(ssn) as x from people) d where x = 'a'", 'people.ssn predicate'],
  ["select * from contacts where mail = 'x'", 'people.email equality-constant'],
  ['select 1 from people order by ssn, lower(name)', 'people.name order; people.ssn order'],
  ['select ssn as s from people order by s', 'people.ssn order'],
  ['select ssn from people order by 1', 'people.ssn order'],
  [
    'select ssn from people union select $1 order by 1',
    'people.ssn distinct; people.ssn equality-constant; people.ssn order',
  ],
  [
    'select ssn from people intersect select note from orders',
    'orders.note distinct; orders.note equality-column people.ssn; people.ssn distinct; people.ssn equality-column orders.note',
  ],
  [
    'select count(*) from people group by ssn, lower(name)',
    'people.name predicate; people.ssn group',
  ],
  ['select ssn as s from people group by s', 'people.ssn group'],
  ['select 1 from people group by rollup (ssn, name)', 'people.name group; people.ssn group'],
  [
    "select 1 from people group by name having max(ssn) > 'x'",
    'people.name group; people.ssn predicate',
  ],
  ['select distinct ssn from people', 'people.ssn distinct'],
  [
    'select dept, count(ssn) from people group by 1 order by 2',
    'people.dept group; people.ssn is-null',
  ],
  ['select id from people order by ssn is null', 'people.ssn is-null'],
  ['select distinct on (ssn) name from people', 'people.ssn distinct; people.ssn order'],
  ['select count(distinct ssn) from people', 'people.ssn equality-column people.ssn'],
  [
    'select count(distinct ssn), array_agg(id) from people',
    'people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), json_arrayagg(id) from people',
    'people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), array_agg(id order by 2) from people',
    'people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), array_agg(id order by dept) from people',
    'people.dept order; people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), json_arrayagg(id order by dept) from people',
    'people.dept order; people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), sum(case id when 1 then 1e16::float8 else -1e16::float8 end) from people',
    'people.id equality-constant; people.id failure; people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), max(case id when 1 then 1.0 else 1.00 end) from people',
    'people.id equality-constant; people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), percentile_disc(0) within group (order by id * 1.0) from people',
    'people.id failure; people.ssn equality-column people.ssn; people.ssn order',
  ],
  [
    'select count(distinct ssn), sum(id * 2 + 1.5), avg(id), bool_or(id > 1) from people',
    'people.id failure; people.ssn equality-column people.ssn',
  ],
  [
    'select count(distinct ssn), max(id), array_agg(id order by id) from people',
    'people.id order; people.ssn equality-column people.ssn',
  ],
  [
    'select rank() over (partition by dept order by pay) from people',
    'people.dept group; people.pay window',
  ],
  ["select count(*) filter (where ssn > 'x') from people", 'people.ssn predicate'],
  ['select array_agg(name order by ssn) from people', 'people.ssn order'],
  ['select case when ssn > $1 then 1 end from people', 'people.ssn predicate'],
  ["select case ssn when 'x' then 1 end from people", 'people.ssn equality-constant'],
  ['select generate_series(1, id) from people', 'people.id cardinality'],
  [
    'select 1 from people, generate_series(1, pay::int8)',
    'people.pay cardinality; people.pay failure',
  ],
  ['select 1 limit (select id from people)', 'people.id cardinality'],
  ['update people set id = 1 where ssn > $1', 'people.ssn predicate'],
  ["delete from people where ssn = 'x'", 'people.ssn equality-constant'],
  [
    "merge into people p using orders o on o.person = p.id when matched and p.ssn > 'x' then do nothing",
    'orders.person equality-column people.id; people.id equality-column orders.person; people.ssn predicate',
  ],
  ['select 1 from events_2 where payload = $1', 'events.payload equality-constant'],
]

describe('outputs', () => {
  test.each(OUTPUTS)('%s', (sql, expected) => {
    expect(outputsText(factsOf(sql))).toBe(expected)
  })
})

describe('uses', () => {
  test.each(USES)('%s', (sql, expected) => {
    expect(usesText(factsOf(sql))).toBe(expected)
  })
})

describe('kin', () => {
  const kinOf = (sql: string, catalog = catalogOf()) => {
    const { outputs } = factsOf(sql, { catalog })
    const lineage = Array.isArray(outputs) ? outputs[0]?.lineage : undefined
    return lineage?.kind === 'direct'
      ? [lineage.source, ...(lineage.source.kin ?? [])].map(
          (ref) => `${ref.relation}.${ref.column}`,
        )
      : lineage
  }
  test('a partition names its parent and itself, not its siblings', () => {
    expect(kinOf('select payload from events_1')).toEqual(['events.payload', 'events_1.payload'])
  })
  test('a parent names its partitions', () => {
    expect(kinOf('select payload from events')).toEqual([
      'events.payload',
      'events_1.payload',
      'events_2.payload',
    ])
  })
  test('inheritance reaches through columns that an ancestor lacks', () => {
    const catalog = catalogOf([
      relation('top', 'a'),
      relation('middle', 'a b', { parents: ['public.top'] }),
      relation('bottom', 'a b c', { parents: ['public.middle'] }),
    ])
    expect(kinOf('select a from bottom', catalog)).toEqual(['top.a', 'middle.a', 'bottom.a'])
    expect(kinOf('select b from bottom', catalog)).toEqual(['middle.b', 'bottom.b'])
    expect(kinOf('select c from bottom', catalog)).toEqual(['bottom.c'])
  })
  test('a merged join column is as protected as both sides', () => {
    expect(kinOf('select id from people join dept using (id)')).toEqual(['people.id', 'dept.id'])
  })
  test('a materialized view column is as protected as its base', () => {
    expect(kinOf('select mail from cached')).toEqual(['people.email', 'cached.mail'])
  })
})

test('relations behind views are listed with the view they were reached through', () => {
  expect(factsOf('select mail from contacts').relations).toEqual([
    { schema: 'public', name: 'contacts', access: 'read', kind: 'view' },
    { schema: 'public', name: 'people', access: 'read', kind: 'table', through: 'public.contacts' },
  ])
})

test("a view's own conditions are its author's, not the statement's", () => {
  expect(factsOf('select id from contacts').uses).toEqual([])
})

describe('names that stand for nothing', () => {
  const missing = (sql: string) =>
    (factsOf(sql).missing ?? []).map(({ kind, name, there }) => [kind, name, there.slice(0, 3)])

  test.each([
    ['select nme from people', ['column', 'nme', ['id', 'name', 'ssn']]],
    ['select 1 from people p where p.nme = 1', ['column', 'p.nme', ['id', 'name', 'ssn']]],
    ['select x.id from people p, orders o', ['qualifier', 'x', ['p', 'o']]],
    ['select nofunc(id) from people', ['function', 'nofunc', []]],
    ['select 1 from nowhere.people', ['relation', 'nowhere.people', []]],
  ])('%s', (sql, expected) => {
    expect(missing(sql)).toEqual([expected])
  })

  test.each([
    'select p.length from people p',
    'select ctid, p.tableoid from people p',
    'select id from people order by id',
    'select f.a from unknown_set() f (a)',
    'create table nowhere (id int)',
  ])('not: %s', (sql) => {
    expect(missing(sql).filter(([kind]) => kind !== 'function')).toEqual([])
  })

  test('a relation, with those there are', () => {
    expect(factsOf('select id from peeple').missing).toMatchObject([
      { kind: 'relation', name: 'peeple', there: expect.arrayContaining(['public.people']) },
    ])
  })
})
