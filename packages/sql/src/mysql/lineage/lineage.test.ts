import { describe, expect, test } from 'vitest'
import {
  catalogOf,
  factsOf,
  outputsText,
  RELATIONS,
  relation,
  usesText,
} from '../facts/fixtures.ts'
import { MARIADB } from '../fixtures.ts'

/** sql → outputs; see `lineageText` for the notation. */
const OUTPUTS: readonly (readonly [string, string])[] = [
  ['select id, ssn as s from people', 'id=people.id s=people.ssn'],
  ['select ID, `Ssn` from people', 'ID=people.id Ssn=people.ssn'],
  ['select p.SSN, crm.p.email from people p', 'SSN=people.ssn email=people.email'],
  ['select crm.people.ssn from people', 'ssn=people.ssn'],
  ['select ssn from (people)', 'ssn=people.ssn'],
  ['select * from dept', 'id=dept.id title=dept.title'],
  [
    'select note, o.* from orders o',
    'note=orders.note id=orders.id person=orders.person total=orders.total note=orders.note',
  ],
  ['select * from hidden', 'a=hidden.a b=hidden.b'],
  ['select s, h.* from hidden h', 's=hidden.s a=hidden.a b=hidden.b'],
  ['select a, b from gen', 'a=gen.a b~gen.b,gen.a'],
  [
    "select 1, 'a', null, ?, now(), @x, @@sql_mode, database()",
    '?- ?- ?- ?- now()- @x- @@sql_mode- database()-',
  ],
  [
    'select upper(ssn), concat(ssn, email) from people',
    'upper(ssn)~people.ssn concat(ssn, email)~people.ssn,people.email',
  ],
  [
    'select ssn is null s, isnull(ssn) i, count(ssn) c, count(*) n, count(distinct ssn) d from people',
    's#people.ssn i#people.ssn c#people.ssn n# d#people.ssn',
  ],
  [
    'select ssn collate utf8mb4_bin c, cast(ssn as char) k, binary ssn b from people',
    'c=people.ssn k~people.ssn b~people.ssn',
  ],
  ['select max(ssn) m, group_concat(ssn) g from people', 'm~people.ssn g~people.ssn'],
  [
    'select case when dept = 1 then ssn else email end x from people',
    'x~people.dept,people.ssn,people.email',
  ],
  [
    "select if(dept = 1, ssn, '') x, ifnull(ssn, email) y from people",
    'x~people.dept,people.ssn y~people.ssn,people.email',
  ],
  ["select profile->'$.a' x, profile->>'$.b' y from people", 'x~people.profile y~people.profile'],
  ['select (select ssn from people limit 1) x', 'x=people.ssn'],
  ['select (select upper(p.ssn)) x from people p', 'x~people.ssn'],
  ['select exists (select 1 from people where ssn = 1) x', 'x#'],
  ['select d.s from (select ssn as s from people) d', 's=people.ssn'],
  ['select d.b from (select id, ssn from people) d (a, b)', 'b=people.ssn'],
  ['select x.s from people p, lateral (select p.ssn as s) x', 's=people.ssn'],
  ['with c as (select ssn s from people) select s from c', 's=people.ssn'],
  [
    'with c (a, b) as (select id, ssn from people) select b, c.a from c',
    'b=people.ssn a=people.id',
  ],
  ['with people as (select 1 as ssn) select ssn from people', 'ssn-'],
  ['with people as (select * from people) select ssn from people', 'ssn=people.ssn'],
  ['with c as (select ssn from people) select ssn from crm.c', 'ssn?'],
  [
    'with recursive r as (select id, ssn from people union all select r.id + 1, p.ssn from r join people p on p.id = r.id) select * from r',
    'id~people.id ssn=people.ssn',
  ],
  [
    'with recursive n as (select 1 as i union all select i + 1 from n where i < 9) select i from n',
    'i-',
  ],
  ['select ssn from people union select email from people', 'ssn~people.ssn,people.email'],
  ['select ssn from people union all select ssn from people', 'ssn=people.ssn'],
  ['select id from orders except select ssn from people', 'id=orders.id'],
  ['select id from orders intersect select id from dept', 'id~orders.id,dept.id'],
  ['(select ssn from people) limit 1', 'ssn=people.ssn'],
  ['table dept', 'id=dept.id title=dept.title'],
  ["values row(1, 'a'), row(2, 'b')", 'column_0- column_1-'],
  ['select v.a from (values row(1), row(2)) v (a)', 'a-'],
  [
    'select * from people natural join dept',
    'id=people.id name=people.name ssn=people.ssn email=people.email dept=people.dept active=people.active pay=people.pay profile=people.profile title=dept.title',
  ],
  [
    'select * from dept right join orders using (id)',
    'id=orders.id person=orders.person total=orders.total note=orders.note title=dept.title',
  ],
  [
    'select * from dept right join orders on dept.id = orders.id',
    'id=dept.id title=dept.title id=orders.id person=orders.person total=orders.total note=orders.note',
  ],
  ['select id, dept.id from dept join orders using (id)', 'id=dept.id id=dept.id'],
  [
    'select o.*, d.* from (orders o, dept d) join dept e on e.id = d.id',
    'id=orders.id person=orders.person total=orders.total note=orders.note id=dept.id title=dept.title',
  ],
  [
    'select d.* from (orders o left join (dept d join contacts c on true) on true)',
    'id=dept.id title=dept.title',
  ],
  ['select mail, id from contacts', 'mail=people.email id=people.id'],
  ['select l from low', 'l~people.email'],
  ['select x from looped', 'x?'],
  ['select x from broken', 'x?'],
  [
    "select j.* from people, json_table(profile, '$[*]' columns (o for ordinality, a int path '$.a', nested path '$.b[*]' columns (c text path '$'))) j",
    'o~people.profile a~people.profile c~people.profile',
  ],
  [
    'select secret(id), crm.secret(ssn) from people',
    'secret(id)?people.id crm.secret(ssn)?people.ssn',
  ],
  [
    'select row_number() over (order by ssn) n, lag(ssn) over w l from people window w as (partition by dept)',
    'n~people.ssn l~people.ssn,people.dept',
  ],
  [
    'select dept, grouping(dept) from people group by dept with rollup',
    'dept=people.dept grouping(dept)#',
  ],
  ['select @v := ssn from people', '@v := ssn~people.ssn'],
  [
    'select nothing from people',
    'nothing?people.id,people.name,people.ssn,people.email,people.dept,people.active,people.pay,people.profile,people.nothing',
  ],
  ['select id from people, orders', 'id?people.id,orders.id'],
  ['select * from nowhere', 'unknown'],
  ['select nick from other.people', 'nick=other.people.nick'],
  ['select people.nick from other.people', 'nick=other.people.nick'],
  ['select ssn a, (select a) b from people', 'a=people.ssn b=people.ssn'],
  ['select 1 from dual', '?-'],
  [
    'select TABLE_NAME from information_schema.tables',
    'TABLE_NAME=information_schema.TABLES.TABLE_NAME',
  ],
]

describe('outputs', () => {
  test.each(OUTPUTS)('%s', (sql, expected) => {
    expect(outputsText(factsOf(sql))).toBe(expected)
  })

  test('VALUES in MariaDB names its columns by the first row', () => {
    const sql = 'select v.`2` from (values (1, 2)) v'
    expect(outputsText(factsOf(sql, { dialect: MARIADB }))).toBe('2-')
    expect(outputsText(factsOf('values (1, 2)', { dialect: MARIADB }))).toBe('?- ?-')
  })

  test('without a catalog nothing is known', () => {
    expect(outputsText(factsOf('select id from people', { catalog: null }))).toBe('id?')
  })

  test('RETURNING of MariaDB', () => {
    const sql = "insert into people (ssn) values ('1') returning id, upper(ssn)"
    expect(outputsText(factsOf(sql, { dialect: MARIADB }))).toBe(
      'id=people.id upper(ssn)~people.ssn',
    )
  })
})

describe('names', () => {
  test('table names are case-sensitive where the server says so', () => {
    expect(outputsText(factsOf('select ssn from PEOPLE'))).toContain('?')
    expect(outputsText(factsOf('select p.ssn from people P'))).toContain('?')
  })

  test('and not where it does not', () => {
    const catalog = catalogOf(RELATIONS, { lowerCaseTableNames: 1 })
    expect(outputsText(factsOf('select p.ssn from PEOPLE P', { catalog }))).toBe('ssn=people.ssn')
    expect(outputsText(factsOf('select Crm.People.ssn from PEOPLE', { catalog }))).toBe(
      'ssn=people.ssn',
    )
  })

  test('a temporary table hides the stored one, also under its full name', () => {
    const names = { temporaries: new Map([['crm.people', ['id', 'x']]]) }
    expect(outputsText(factsOf('select x from crm.people', { names }))).toBe('x=people.x')
    expect(outputsText(factsOf('select ssn from people', { names }))).toContain('?')
  })

  test('an uncertain temporary table leaves columns unknown', () => {
    const facts = factsOf('select ssn from people', { names: { temporariesCertain: false } })
    expect(outputsText(facts)).toBe('ssn?people.ssn')
  })

  test('an uncertain database makes every table of the name a candidate', () => {
    const facts = factsOf('select * from people', { names: { databaseCertain: false } })
    expect(facts.outputs).toBe('unknown')
    expect(facts.relations.map((use) => use.schema)).toEqual(['crm', 'other'])
  })

  test('without a current database an unqualified name is unresolved', () => {
    const facts = factsOf('select id from people', { names: { database: null } })
    expect(facts.relations).toMatchObject([{ schema: null, kind: 'unresolved' }])
  })

  test('columns of tables that are inner take precedence, columns of others are found outside', () => {
    const sql =
      'select (select max(title) from dept where dept.id = people.dept and ssn = 1) from people'
    expect(usesText(factsOf(sql))).toContain('people.ssn')
  })
})

/** sql → uses. */
const USES: readonly (readonly [string, string])[] = [
  ["select 1 from people where ssn = 'x'", 'people.ssn equality-constant'],
  [
    "select 1 from people where ssn in ('x', 'y') and email <=> ?",
    'people.email equality-constant; people.ssn equality-constant',
  ],
  ['select 1 from people where ssn = 123', 'people.ssn predicate'],
  [
    "select 1 from people where ssn in ('x', 1)",
    'people.ssn equality-constant; people.ssn predicate',
  ],
  ["select 1 from people where pay = 1 or pay = 'x'", 'people.pay equality-constant'],
  ['select 1 from people where ssn = concat(1, 2)', 'people.ssn equality-constant'],
  ['select 1 from people where ssn = 1 + 1', 'people.ssn predicate'],
  ['select 1 from people where ssn = @x', 'people.ssn predicate'],
  ['select 1 from people where ssn = cast(0 as signed)', 'people.ssn predicate'],
  ['select 1 from people where ssn = cast(0 as double)', 'people.ssn predicate'],
  ['select 1 from people where ssn = sec_to_time(0)', 'people.ssn predicate'],
  ["select 1 from people where ssn = binary 'x'", 'people.ssn equality-constant'],
  ['select 1 from people where ssn = cast(0 as char)', 'people.ssn equality-constant'],
  ['select 1 from people where ssn = uuid()', 'people.ssn predicate'],
  ["select 1 from people where ssn collate utf8mb4_general_ci = 'x'", 'people.ssn predicate'],
  ["select 1 from people where ssn like 'x%'", 'people.ssn predicate'],
  ["select 1 from people where ssn regexp 'x'", 'people.ssn failure; people.ssn predicate'],
  ["select 1 from people where not (ssn > 'x')", 'people.ssn predicate'],
  ["select 1 from people where ssn between 'a' and 'b'", 'people.ssn predicate'],
  ["select 1 from people where upper(ssn) = 'X'", 'people.ssn predicate'],
  ['select 1 from people where ssn is not null', 'people.ssn is-null'],
  ['select 1 from people where isnull(ssn)', 'people.ssn is-null'],
  ['select 1 from people where ssn', 'people.ssn predicate'],
  ['select 1 from people where active', 'people.active equality-constant'],
  ['select 1 from people where active is true', 'people.active equality-constant'],
  [
    'select 1 from people p join orders o on p.id = o.person',
    'orders.person equality-column people.id; people.id equality-column orders.person',
  ],
  [
    'select 1 from people p join orders o on p.ssn = o.person',
    'orders.person predicate; people.ssn predicate',
  ],
  [
    'select 1 from people join dept using (id)',
    'dept.id equality-column people.id; people.id equality-column dept.id',
  ],
  [
    "select 1 from people where (id, ssn) = (1, 'x')",
    'people.id equality-constant; people.ssn equality-constant',
  ],
  [
    'select 1 from orders where note in (select ssn from people)',
    'orders.note equality-column people.ssn; people.ssn equality-column orders.note',
  ],
  [
    'select 1 from orders where note < all (select ssn from people)',
    'orders.note predicate; people.ssn predicate',
  ],
  ['select id from people order by ssn', 'people.ssn order'],
  ['select ssn from people order by 1', 'people.ssn order'],
  ['select ssn from people order by ?', 'people.ssn order'],
  ['select upper(ssn) u from people order by u', 'people.ssn order'],
  ['select id ssn from people order by ssn', 'people.id order'],
  ['select id ssn from people group by ssn', 'people.ssn group'],
  ['select id from people group by upper(ssn)', 'people.ssn predicate'],
  ['select ssn s from people having s = "x"', 'people.ssn equality-constant'],
  ['select id from people having ssn > "x"', 'people.ssn predicate'],
  ['select distinct ssn from people', 'people.ssn distinct'],
  [
    'select ssn from people union select note from orders',
    'orders.note distinct; orders.note equality-column people.ssn; people.ssn distinct; people.ssn equality-column orders.note',
  ],
  ['select count(distinct ssn) from people', 'people.ssn equality-column people.ssn'],
  ['select group_concat(id order by ssn) from people', 'people.ssn order'],
  [
    'select sum(1) over (partition by dept order by ssn) from people',
    'people.dept group; people.ssn window',
  ],
  ['select 1 from people limit 5', ''],
  ["select case when ssn like '1%' then 1 end from people", 'people.ssn predicate'],
  ["select if(ssn = 'x', 1, 2) from people", 'people.ssn equality-constant'],
  ["select nullif(ssn, 'x') from people", 'people.ssn equality-constant'],
  [
    "select match (name) against ('x') from people where match (name) against ('x')",
    'people.name predicate',
  ],
  ['select pay + 1, pay * 1.5 from people', ''],
  ['select pay * pay * pay from people', 'people.pay failure'],
  ['select pay / 12, round(pay / 12, 2), ssn / 2 from people', ''],
  ['select ssn / 0.5, round(ssn / 2) from people', 'people.ssn failure'],
  ['select exp(pay) from people', 'people.pay failure'],
  ['select abs(pay), round(pay, 2), std(pay), variance(dept) from people', ''],
  ['select abs(ssn), round(1, dept) from people', 'people.dept failure; people.ssn failure'],
  ['select cast(pay as float), cast(profile as json) from people', ''],
  [
    'select cast(ssn as float), cast(email as json) from people',
    'people.email failure; people.ssn failure',
  ],
  ["select json_object('a', ssn), json_object(email, 1) from people", 'people.email failure'],
  ['select dept / 2, dept div 0, dept - 1, -dept from people', ''],
  ['select ssn + 1 from people', 'people.ssn failure'],
  ["select extractvalue(1, concat('~', ssn)) from people", 'people.ssn failure'],
  ["select json_extract(ssn, '$') from people", 'people.ssn failure'],
  ["select json_extract(profile, '$.a') from people", ''],
  [
    'select (ssn > 5) and (select id from orders) from people',
    'orders.id predicate; people.ssn predicate',
  ],
  // NULL where one operand is: the other is not looked at.
  ['select concat(unhex(ssn), (select id from orders)) from people', 'people.ssn predicate'],
  ['select concat(ssn, (select id from orders)) from people', 'people.ssn is-null'],
  ['select unhex(ssn) like (select id from orders) from people', 'people.ssn predicate'],
  ['select unhex(ssn) = (select id from orders) from people', 'people.ssn predicate'],
  ["select concat(unhex(ssn), get_lock('a', 1)) from people", 'people.ssn predicate'],
  ['select concat(unhex(ssn), email) from people', ''],
  ['select coalesce(dept, 0) + greatest(dept, 1), max(dept) - min(dept) from people', ''],
  ['select coalesce(dept, 9223372036854775807) + 1 from people', 'people.dept failure'],
  ['(select id from people) order by ssn', 'people.ssn order'],
  ['select id from dept force index (i)', 'dept.id order; dept.title order'],
  ['select id from dept ignore index (i)', ''],
  ['select /*+ INDEX(dept i) */ id from dept', 'dept.id order; dept.title order'],
  ['select /*+ MAX_EXECUTION_TIME(100) */ id from dept', ''],
]

describe('uses', () => {
  test.each(USES)('%s', (sql, expected) => {
    expect(usesText(factsOf(sql))).toBe(expected)
  })

  test.each([
    [
      "insert into people (id, ssn) values (1, 'x') on duplicate key update ssn = 'x'",
      'equality-constant',
    ],
    ["replace into people (id, ssn) values (1, 'x')", 'equality-constant'],
    ['insert into people (id) select 1 on duplicate key update ssn = concat(id, 1)', 'predicate'],
  ])('%s tells whether the row is another now', (sql, context) => {
    expect(usesText(factsOf(sql))).toContain(`people.ssn ${context}`)
  })

  test('how many values a column is compared with, and which parameters as text', () => {
    const facts = factsOf("select 1 from people where ssn in ('a', 'b', ?) or id = ?")
    expect(facts.uses).toMatchObject([
      { context: 'equality-constant', values: 2, parameters: [1], asText: true },
      { context: 'equality-constant', parameters: [2] },
    ])
    expect(facts.uses[1]).not.toHaveProperty('asText')
  })

  test('rows of a recursive query are any number of values', () => {
    const sql = `with recursive n as (select 0 as i union all select i + 1 from n where i < 999999999)
      select 1 from people join n on people.pay = n.i`
    expect(usesText(factsOf(sql))).toBe('people.pay predicate')
  })

  test('a variable that the statement changes is any number of values', () => {
    const sql = 'select @i := @i + 1 from people where pay = @i'
    expect(usesText(factsOf(sql))).toBe('people.pay predicate')
  })

  test('sums over groups of a known size', () => {
    const sql = 'select dept, avg(pay) a from people group by dept having count(*) >= 5'
    const [, output] = factsOf(sql).outputs as readonly { lineage: unknown }[]
    expect(output?.lineage).toMatchObject({ kind: 'derived', groups: 5 })
  })
})

test('a merged join column has the protection of both sides', () => {
  const facts = factsOf('select id from people join dept using (id)')
  expect(facts.outputs).toMatchObject([
    { lineage: { source: { relation: 'people', kin: [{ relation: 'dept', column: 'id' }] } } },
  ])
})

test('a view of a view lists every relation behind it', () => {
  const facts = factsOf('select * from low')
  expect(facts.relations.map(({ name, through }) => [name, through])).toEqual([
    ['low', undefined],
    ['contacts', 'crm.low'],
    ['people', 'crm.low'],
  ])
})

test('what a view does inside is its author’s, not a use of the statement', () => {
  expect(usesText(factsOf('select mail from contacts'))).toBe('')
})

test('a MERGE table shares the protection of the tables it shows', () => {
  const catalog = catalogOf([
    relation('all_people', 'id ssn'),
    relation('people_1', 'id ssn', { parents: ['crm.all_people'] }),
  ])
  const facts = factsOf('select ssn from all_people', { catalog })
  expect(facts.outputs).toMatchObject([
    { lineage: { source: { relation: 'all_people', kin: [{ relation: 'people_1' }] } } },
  ])
})

describe('names that stand for nothing', () => {
  test.each([
    ['select nme from people', ['column', 'nme', ['id', 'name', 'ssn']]],
    ['select 1 from people p where p.nme = 1', ['column', 'p.nme', ['id', 'name', 'ssn']]],
    ['select x.id from people p, orders o', ['qualifier', 'x', ['p', 'o']]],
    ['select date_trunc(id) from people', ['function', 'date_trunc', []]],
    ['select 1 from nowhere.people', ['relation', 'nowhere.people', []]],
  ])('%s', (sql, expected) => {
    const { missing = [] } = factsOf(sql)
    expect(missing.map(({ kind, name, there }) => [kind, name, there.slice(0, 3)])).toEqual([
      expected,
    ])
  })
})
