/** Statements over the schema in schema.ts, each shape that has misled a masking product, and more. */
export const STATEMENTS: readonly string[] = `
select * from people
select id, * from people
select p.*, p.ssn from people p
select ssn s, email as e, name from people
select people.ssn, public.people.email from people
select public.people.* from public.people
select * from people p join orders o on o.person_id = p.id
select p.*, o.* from people p, orders o
select o.*, p.* from people p left join orders o on true
select * from people join departments using (id)
select * from people natural join departments
select * from departments natural join people natural join orders
select * from people a join people b using (id, name) join people c using (id)
select * from people full join departments using (id)
select * from people right join departments using (id, name)
select id from people join departments using (id)
select people.id, departments.id, id from people join departments using (id)
select x.id, people.name from people join departments using (id) as x
select * from (people p join orders o using (id)) as j
select j.total, j.id from (people p join orders o using (id)) as j
select * from (people p join orders o using (id)) as j(a, b, c)
select a from (people p join orders o using (id)) as j(a, b, c)
select * from orders o cross join lateral (select * from items i where i.order_id = o.id) l
select l.q, o.note from orders o, lateral (select quantity as q, o.note from items i where i.order_id = o.id) l
select * from (select ssn as x from people) d
select x from (select y as x from (select email as y from people) a) b
select d.* from (select p.*, 1 as one from people p) d
select * from (select ssn, ssn as again from people) d(a)
select (select ssn from people limit 1)
select (select p.name), (select max(ssn) from people) from people p
select (select name from departments d where d.id = p.department_id) from people p
select exists (select from people), array(select ssn from people), 1 in (select id from people)
select ssn from people union select name from products
select ssn from people union all select ssn from people
select id, name from people except select id, name from products
select id, name from people intersect select id, name from products
(select id from people order by ssn limit 1) union all select id from orders
select * from (select id, email from people union all select id, name from products) u
values (1, 'a'), (2, 'b')
select * from (values (1, 'a'), (2, 'b')) v
select * from (values (1, 'a'), (2, 'b')) v(x, y)
select v.y from people p, (values (1, 'a')) v(x, y)
select column1 from (values ((select ssn from people limit 1))) v
table people
table people_contact
with c as (select * from people) select * from c
with c(a, b) as (select id, ssn from people) select b, a from c
with c as (select ssn from people), d as (select ssn as t from c) select t from d
with c as (select id from people) select c.id from c, (with c as (select email from people) select * from c) e
with recursive t as (select id, manager_id, email from people union all select p.id, p.manager_id, p.email from people p join t on t.id = p.manager_id) select * from t
with recursive t(n, m) as (select id, ssn::text from people union all select n + 1, m || 'x' from t where n < 3) select * from t
with recursive t as (select id, email::text, name from people union all select id, name, email from t where id < 0) select * from t
with recursive t as (select 1 as n, ssn::text as a, email::text as b, name as c from people union all select n + 1, b, c, a from t where n < 4) select a, b, c from t
with recursive a as (select * from b), b as (select ssn from people) select * from a
with recursive t as (select id, manager_id from people union all select p.id, p.manager_id from people p, t where p.manager_id = t.id) search depth first by id set ord select * from t
with recursive t as (select id, manager_id from people union all select p.id, p.manager_id from people p, t where p.manager_id = t.id) cycle id set is_cycle using path select * from t
with recursive t as (select id, manager_id from people union all select p.id, p.manager_id from people p, t where p.manager_id = t.id) search breadth first by id, manager_id set ord cycle id set c to 'y' default 'n' using path select * from t
with d as (delete from items returning *) select * from d
with i as (insert into products (id, name) select id, ssn from people returning name, id) select * from i
with u as (update people set name = name returning ssn, email) select email, ssn from u
insert into orders (id, note) values (1, 'x') returning *
insert into orders (id, note) values (1, 'x') returning id, note as n, total + 1
insert into orders as o (id) values (1) on conflict (id) do update set note = excluded.note returning o.note, old.note, new.total
insert into orders values (9) returning with (old as o, new as n) o.id, n.note, o.*
update people p set name = d.name from departments d where d.id = p.department_id returning p.ssn, d.budget, *
update people set salary = 1 returning old.salary, new.salary, old.*
delete from orders o using people p where p.id = o.person_id returning *, p.email
delete from orders returning note
merge into products t using orders o on o.id = t.id when matched then update set name = o.note when not matched then insert values (o.id, o.note) returning merge_action(), *
merge into products t using (select id, ssn from people) s on s.id = t.id when matched then delete returning old.name, s.ssn, t.*
select p from people p
select q.* from (select p from people p) q(p)
select (p).ssn from people p
select (p).* from people p
select (q.p).ssn, (q.p).id from (select p from people p) q
select (q.p).* from (select p from people p) q
select row_to_json(p) from people p
select p::text from people p
select row(p.*), row(p.ssn, p.id) from people p
select (home).city from people
select (p.home).street, (p.home).* from people p
select tags[1], tags[1:2], profile -> 'a', profile ->> 'a', profile['a'] from people
select ssn::text, ssn::varchar, ssn::varchar(3), ssn::varchar(11), email::text, salary::numeric, salary::int, id::int4, id::int8 from people
select cast(ssn as text) as t, (ssn collate "C"), name collate "C" from people
select upper(ssn), ssn || email, length(ssn), substr(ssn, 1, 2), reverse(ssn), concat(ssn, ''), format('%s', ssn) from people
select coalesce(ssn, 'x'), nullif(ssn, 'y'), greatest(ssn, name), least(name, ssn), case when active then ssn else name end, case ssn when 'a' then 1 end from people
select ssn is null, ssn = 'x', ssn like 'a%', ssn in ('a', 'b'), active and true, active is true, not active from people
select count(*), count(ssn), count(distinct ssn), min(ssn), max(email), array_agg(name), string_agg(ssn, ','), sum(salary), avg(salary), bool_and(active) from people
select json_agg(p), jsonb_agg(ssn), json_object_agg(id, ssn), xmlagg(xmlelement(name x, ssn)) from people p
select percentile_cont(0.5) within group (order by salary), mode() within group (order by ssn) from people
select count(*) filter (where ssn like 'a%'), string_agg(name, ',' order by ssn) from people
select department_id, count(*) from people group by department_id having max(ssn) > 'a' order by 2
select department_id, name, grouping(department_id), count(*) from people group by rollup (department_id, name)
select ssn as x from people group by x
select row_number() over (order by ssn), lag(ssn) over w, first_value(email) over w, rank() over (partition by department_id order by salary) from people window w as (partition by active order by id)
select sum(salary) over (order by id rows between 1 preceding and current row), ntile(4) over (w order by name) from people window w as (partition by department_id)
select distinct ssn from people
select distinct on (ssn) name from people order by ssn, id
select * from people order by ssn limit 3
select name from people where ssn = '1' for update
select name from people for share of people skip locked
select ctid, xmin, tableoid, id from people
select p.ctid, p.tableoid::regclass from people p
select * from events
select * from events_2025
select e.payload, e.person_id from events e
select id, payload from events_2024 union all select id, payload from events_2025
select * from only accounts
select * from accounts
select * from savings
select rate, iban, perk from gold
select * from "Mixed Case"
select "The ""Secret""", "a.b" from "Mixed Case"
select * from wide
select c8, c9, c10 from wide
select * from people_public
select * from people_contact
select mail, person from people_contact
select * from contact_names
select * from deep
select ssn_text, mail from deep
select * from order_totals
select * from everyone
select code from everyone
select * from chain
select * from event_view
select * from people_cache
select p.email, c.low from people_cache c join people p using (id)
select * from other.people
select * from other.mirror
select people.ssn from other.people
select name_upper, contact from people
select contact from (select * from people) x
select full_name(p), p.full_name from people p
select p.full_name from people p
select secret_of(1), secret_of(id) from people
select * from people_of(1)
select mail from people_of(1) x
select * from as_people()
select * from generate_series(1, 3)
select * from generate_series(1, 3) g
select * from generate_series(1, 3) g(n)
select g.n, p.ssn from people p, generate_series(1, p.id) g(n)
select * from unnest(array[1, 2])
select * from people p, unnest(p.tags)
select * from people p, unnest(p.tags) with ordinality
select t, n from people p, unnest(p.tags) with ordinality as u(t, n)
select * from unnest(array[1, 2], array['a', 'b'])
select * from unnest(array[1, 2], array['a', 'b']) u(x, y)
select * from rows from (generate_series(1, 2), unnest(array['a'])) as r
select * from rows from (generate_series(1, 2), unnest(array['a'])) with ordinality as r(a, b, c)
select * from jsonb_each('{"a": 1}')
select * from people p, jsonb_each(p.profile)
select e.key, e.value from people p, jsonb_each_text(p.profile) e
select * from people p, jsonb_array_elements(p.profile -> 'a')
select * from people p, jsonb_array_elements(p.profile -> 'a') elem
select * from people p, jsonb_to_record(p.profile) as x(a text, b int)
select * from json_to_recordset('[]') as x(a int)
select jsonb_array_elements(profile -> 'a') from people
select * from people p, json_table(p.profile, '$' columns (n for ordinality, a text path '$.a', nested path '$.b[*]' columns (c int path '$')))
select * from people p, xmltable('/x' passing xmlparse(content p.name) columns a text path 'a', o for ordinality) x
select json_object('a': ssn), json_array(ssn, name), json_array(select ssn from people), json_objectagg(name: ssn), json_arrayagg(ssn), json_value(profile, '$.a'), json_query(profile, '$'), json_exists(profile, '$.a'), profile is json, json_scalar(ssn) from people group by ssn, name, profile
select xmlelement(name a, ssn), xmlforest(ssn, name as n), xmlconcat(null), xmlserialize(content xmlparse(content ssn) as text) from people
select regexp_split_to_table(ssn, '-'), string_to_array(ssn, '-') from people
select current_user, current_date, now(), version(), current_setting('x', true), pg_backend_pid(), current_schema, localtime, session_user
select 1, 'a', null, true, $1::int, -1, 1.5, array[1], b'1', interval '1 day', date '2020-01-01'
select extract(year from birth), overlay(ssn placing 'x' from 1), trim(ssn), position('a' in ssn), substring(ssn from 1 for 2), birth at time zone 'utc' from people
select lastval() from people
select (select (select p.ssn)) from people p
select x.a from people p cross join lateral (select p.ssn) x(a)
select (array_agg(ssn))[1], (select array_agg(p) from people p) from people
select case when exists (select 1 from people where ssn = 'a') then 1 end
select p1.ssn, p2.email from people p1 left join people p2 on p1.manager_id = p2.id
select * from people p left join lateral (select total from orders o where o.person_id = p.id order by total desc limit 1) t on true
select d.name, p.* from departments d join people p on p.department_id = d.id
select a.id from people a, people b where a.ssn = b.ssn
select pg_stats.most_common_vals, histogram_bounds from pg_stats
select stavalues1 from pg_statistic
select query, usename from pg_stat_activity
select * from pg_class
select attname, relname from pg_attribute a join pg_class c on c.oid = a.attrelid
select table_name, column_name from information_schema.columns
select relname from pg_class where oid = 'people'::regclass
show search_path
explain select ssn from people
explain (analyze, verbose) select ssn from people where email = 'x'
select
select from people
select p.ssn from people as p (a, b, c)
select p.a, p.c, ssn from people as p (a, b, c)
select * from people as p (a, b, c)
select sum(total) over () as t, o.* from orders o
select * from items i join orders o on i.order_id = o.id join people p on p.id = o.person_id join departments d on d.id = p.department_id join products r on r.id = i.product_id
select id as email, email as id from people
select distinct p.email, o.total from people p join orders o on o.person_id = p.id where o.total > 10 group by 1, 2 order by 2
select (select count(*) from orders o where o.person_id = p.id), p.id from people p
select count(p), count(p.*) from people p
select bool_or(ssn is null), every(active) from people
select name || $1 from people
select any_value(ssn), bit_and(id), corr(id, salary) from people
select ssn from people tablesample system (10) repeatable (1)
select (('{"a":1}'::jsonb) -> 'a'), ('a' || 'b')::text
select p.id, s.* from people p, lateral (values (p.ssn, p.email), ('x', 'y')) s(one, two)
select t.* from people p join lateral (select p.ssn union all select p.name) t on true
select u.* from (select 'k' as k, ssn as v from people union all select 'n', name from products union all select 'd', name from departments) u
select merge.ssn from people merge
select old.ssn, new.ssn from people old, people new
select id, lag(ssn, 1, 'none') over (order by id) from people
select department_id, (array_agg(name order by salary desc))[1] from people group by department_id
select coalesce(p.email, c.mail) from people p full join people_contact c on c.person = p.id
select mail from people_contact natural join (select id as person from orders) o
select * from (select * from people) a natural join (select id, note from orders) b
select a.*, b.note from (select id, name from people) a left join orders b using (id)
select * from departments d left join (people p left join orders o on o.person_id = p.id) on p.department_id = d.id
select to_jsonb(p) - 'ssn' from people p
select jsonb_build_object('ssn', p.ssn, 'id', p.id) from people p
select md5(ssn), encode(sha256(ssn::bytea), 'hex') from people
select width_bucket(salary, 0, 100, 5), round(salary, -3), salary::money from people
select name, (select jsonb_agg(to_jsonb(o) order by o.id) from orders o where o.person_id = p.id) as orders from people p
`
  .trim()
  .split('\n')
