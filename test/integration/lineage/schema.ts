/** A schema with what makes lineage hard: views of views, partitions, inheritance, composites, generated columns. */
export const SCHEMA = `
create type address as (street text, city text, zip varchar(10));
create domain email_address as text check (value ~ '@');
create table departments (id int primary key, name text, budget numeric, head int);
create table people (
  id int primary key, name text, email email_address, ssn varchar(11), birth date, department_id int references departments,
  manager_id int, home address, tags text[], profile jsonb, salary numeric(10,2), active boolean,
  name_upper text generated always as (upper(name)) stored,
  contact text generated always as (name || ' ' || ssn) virtual);
create table orders (id int primary key, person_id int references people, placed timestamptz, total numeric, note text, status varchar(20));
create table items (order_id int references orders, line int, product_id int, quantity int, price numeric, primary key (order_id, line));
create table products (id int primary key, name text, cost numeric, secret_code text);
create table events (id int, at timestamptz, kind text, payload jsonb, person_id int) partition by range (at);
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
create table events_2025 (person_id int, payload jsonb, kind text, at timestamptz, id int);
alter table events attach partition events_2025 for values from ('2025-01-01') to ('2026-01-01');
create table accounts (id int, owner text, iban text);
create table savings (rate numeric) inherits (accounts);
create table gold (perk text) inherits (savings);
create table "Mixed Case" ("Id" int, "The ""Secret""" text, "a.b" text);
create table wide (id int, c1 text, c2 text, c3 text, c4 text, c5 text, c6 text, c7 text, c8 text, dropped int, c9 text, c10 text);
alter table wide drop column dropped;
create view people_public as select id, name, department_id, active from people where active;
create view people_contact (person, mail, home) as select id, email, home from people;
create view contact_names as select c.person, c.mail, p.name, p.ssn || '' as ssn_text from people_contact c join people p on p.id = c.person;
create view deep as select * from contact_names where mail is not null;
create view order_totals as
  select p.id as person_id, p.email, count(*) as orders, sum(o.total) as total, max(o.placed) as latest
    from people p left join orders o on o.person_id = p.id group by p.id, p.email;
create view everyone as select id, name, ssn as code from people union all select id, name, secret_code from products;
create view chain as with recursive up as (select id, manager_id, name, email from people where manager_id is null
  union all select p.id, p.manager_id, p.name, p.email from people p join up on p.manager_id = up.id) select * from up;
create view event_view as select at, payload, kind from events;
create materialized view people_cache as select id, email, lower(name) as low from people;
create schema other;
create table other.people (id int, nickname text, ssn text);
create view other.mirror as select a.nickname, b.email from other.people a, public.people b where a.id = b.id;
create function full_name(people) returns text language sql stable as $$ select $1.name || $1.ssn $$;
create function secret_of(int) returns text language sql stable as $$ select ssn from people where id = $1 $$;
create function people_of(int) returns table (id int, mail text) language sql stable as $$ select id, email from people where department_id = $1 $$;
create function as_people() returns setof people language sql stable as $$ select * from people $$;
insert into departments values (1, 'd', 1, 1);
insert into people (id, name, email, ssn, birth, department_id, tags, home, profile, salary, active)
  values (1, 'n', 'a@b', '1', '2000-01-01', 1, '{a,b}', row('s', 'c', 'z'), '{"a": [1]}', 1, true);
insert into orders values (1, 1, now(), 1, 'x', 'new');
`
