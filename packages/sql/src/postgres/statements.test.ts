import { describe, expect, test } from 'vitest'
import { catalogOf, factsOf, lineageText, type NAMES, relation } from './fixtures.ts'

/** sql → command | effects | access:relation ... */
const CASES: readonly (readonly [string, string, string, string])[] = [
  ['select 1', 'select', 'read', ''],
  ['table people', 'select', 'read', 'read:people'],
  ['values (1)', 'select', 'read', ''],
  ['with x as (delete from orders) select 1', 'select', 'read write', 'write:orders'],
  [
    'with x as (merge into orders o using people p on true when matched then delete) select 1',
    'select',
    'read write',
    'write:orders read:people',
  ],
  ['select * from people for update', 'select', 'read lock', 'read:people lock:people'],
  [
    'select 1 from people p, orders o for share of o',
    'select',
    'read lock',
    'read:people read:orders lock:orders',
  ],
  ['select id into t2 from people', 'select into', 'read write ddl', 'read:people define:t2'],
  ['select (select 1 from orders for update)', 'select', 'read lock', 'read:orders lock:orders'],
  ["select nextval('seq')", 'select', 'read write', 'write:seq'],
  ["select setval('public.seq', 1)", 'select', 'read write', 'write:seq'],
  ['select lo_create(1)', 'select', 'read write', ''],
  ["select lo_import('/x')", 'select', 'read admin', ''],
  ["select pg_read_file('x')", 'select', 'read admin', ''],
  ["select * from pg_ls_dir('.')", 'select', 'read admin', ''],
  ['select pg_terminate_backend(1)', 'select', 'read admin', ''],
  ['select pg_catalog.pg_reload_conf()', 'select', 'read admin', ''],
  ['select pg_advisory_lock(1)', 'select', 'read lock', ''],
  ['select pg_try_advisory_xact_lock(1)', 'select', 'read lock', ''],
  ["select pg_notify('a', 'b')", 'select', 'read notify', ''],
  ["select set_config('a.b', 'c', false)", 'select', 'read session', ''],
  ["select query_to_xml('x', true, true, '')", 'select', 'read procedural', ''],
  ["select * from ts_stat('select x')", 'select', 'read procedural', ''],
  ["select ts_rewrite('a', 'select x')", 'select', 'read procedural', ''],
  ['select pg_sleep(1)', 'select', 'read procedural', ''],
  ["select dblink('x', 'y')", 'select', 'read procedural', ''],
  ['select secret(1)', 'select', 'read procedural', ''],
  ['select 1 where secret(1) is null', 'select', 'read procedural', ''],
  ['select 1 from people order by secret(1)', 'select', 'read procedural', 'read:people'],
  ['select * from secret(1) s', 'select', 'read procedural', ''],
  ['select lower(upper(name)) from people', 'select', 'read', 'read:people'],
  ['insert into orders values (1)', 'insert', 'write', 'write:orders'],
  [
    'insert into orders values (1) returning id',
    'insert',
    'read write',
    'write:orders read:orders',
  ],
  [
    'insert into orders (id) select id from people',
    'insert',
    'read write',
    'write:orders read:people',
  ],
  ['insert into contacts (id) values (1)', 'insert', 'write', 'write:contacts write:people'],
  ["insert into ruled values ('a')", 'insert', 'write procedural', 'write:ruled'],
  ['update people set id = 1', 'update', 'write', 'write:people'],
  ['update people set id = o.id from orders o', 'update', 'read write', 'write:people read:orders'],
  ['delete from people', 'delete', 'write', 'write:people'],
  ['delete from people using orders o', 'delete', 'read write', 'write:people read:orders'],
  [
    'merge into people p using orders o on true when matched then do nothing',
    'merge',
    'read write',
    'write:people read:orders',
  ],
  [
    "update pg_settings set setting = 'x'",
    'update',
    'write session procedural',
    'write:pg_settings',
  ],
  ['explain delete from people', 'explain', 'read', 'write:people'],
  ['explain analyze delete from people', 'explain', 'read write', 'write:people'],
  ['explain (analyze true) delete from people', 'explain', 'read write', 'write:people'],
  ['explain (analyze off) delete from people', 'explain', 'read', 'write:people'],
  ['explain select secret(1)', 'explain', 'read procedural', ''],
  ['explain create table t2 as select * from people', 'explain', 'read', 'read:people define:t2'],
  ['prepare p as delete from people', 'prepare', 'write session', 'write:people'],
  ['deallocate all', 'deallocate', 'session', ''],
  ['declare c cursor for select id from people', 'declare cursor', 'read', 'read:people'],
  ['close c', 'close cursor', 'session', ''],
  ['copy people to stdout', 'copy', 'read copy', 'read:people'],
  ['copy people from stdin', 'copy', 'write copy', 'write:people'],
  ["copy people to '/tmp/x'", 'copy', 'read admin copy', 'read:people'],
  ["copy people from program 'id'", 'copy', 'write admin copy', 'write:people'],
  [
    'copy (delete from people returning id) to stdout',
    'copy',
    'read write copy',
    'write:people read:people',
  ],
  ['create table t2 (a int)', 'create table', 'ddl', 'define:t2'],
  ['create temp table t2 (a int)', 'create table', 'ddl', 'define:pg_temp.t2'],
  [
    'create table t2 as select * from people',
    'create table as',
    'read write ddl',
    'read:people define:t2',
  ],
  ['create view v2 as select id from people', 'create view', 'read ddl', 'read:people define:v2'],
  [
    'create materialized view m as select id from people',
    'create materialized view',
    'read write ddl',
    'read:people define:m',
  ],
  ['refresh materialized view cached', 'refresh materialized view', 'write ddl', 'write:cached'],
  ['drop table people', 'drop table', 'ddl', 'define:people'],
  ['drop view contacts', 'drop view', 'ddl', 'define:contacts'],
  ['drop trigger t on people', 'drop trigger', 'ddl', 'define:people'],
  ['drop extension x', 'drop extension', 'ddl admin', ''],
  ['drop index i', 'drop index', 'ddl', ''],
  ['alter table people drop column ssn', 'alter table', 'ddl', 'define:people'],
  ['alter view contacts rename to c2', 'alter view', 'ddl', 'define:contacts'],
  ['alter table people owner to x', 'alter table', 'ddl admin', 'define:people'],
  ['alter table people set schema other', 'alter table', 'ddl', 'define:people'],
  ['create index on people (lower(name))', 'create index', 'ddl', 'define:people'],
  [
    'create function f() returns int language plpgsql as $$begin end$$',
    'create function',
    'ddl',
    '',
  ],
  [
    'create trigger t before insert on people execute function f()',
    'create trigger',
    'ddl',
    'define:people',
  ],
  [
    'create rule r as on select to people do instead select 1',
    'create rule',
    'ddl admin procedural',
    'define:people',
  ],
  ['create policy p on people using (true)', 'create policy', 'ddl admin', 'define:people'],
  ['create extension dblink', 'create extension', 'ddl admin', ''],
  ['create publication p for table people', 'create publication', 'ddl admin', 'define:people'],
  ["create subscription s connection 'x' publication p", 'create subscription', 'ddl admin', ''],
  ['create type t as enum ()', 'create type', 'ddl', ''],
  ['create aggregate a(int) (sfunc = f, stype = int)', 'create aggregate', 'ddl', ''],
  ['comment on table people is null', 'comment', 'ddl', 'define:people'],
  ['truncate people', 'truncate', 'write', 'write:people'],
  ['lock table people', 'lock table', 'lock', 'lock:people'],
  ['vacuum people', 'vacuum', 'admin', 'lock:people'],
  ['analyze', 'analyze', 'admin', ''],
  ['reindex table people', 'reindex', 'admin', 'lock:people'],
  ['checkpoint', 'checkpoint', 'admin', ''],
  ["load 'x'", 'load', 'admin', ''],
  ['grant select on people to x', 'grant', 'admin', 'define:people'],
  ['revoke x from y', 'revoke role', 'admin', ''],
  ['create role x', 'create role', 'admin', ''],
  ['alter system set a = 1', 'alter system', 'admin', ''],
  ['create database d', 'create database', 'admin', ''],
  ['alter database d set search_path = x', 'alter database', 'admin', ''],
  ['set search_path = x', 'set', 'session', ''],
  ['show all', 'show', 'session', ''],
  ['reset all', 'reset', 'session', ''],
  ['discard all', 'discard', 'session', ''],
  ['set role x', 'set', 'session', ''],
  ['begin', 'begin', 'transaction', ''],
  ['commit and chain', 'commit', 'transaction', ''],
  ["prepare transaction 'x'", 'prepare transaction', 'transaction', ''],
  ['set transaction read write', 'set transaction', 'transaction', ''],
  ['set constraints all deferred', 'set constraints', 'transaction', ''],
  ['listen a', 'listen', 'notify', ''],
  ["notify a, 'x'", 'notify', 'notify', ''],
  ['do $$ begin end $$', 'do', 'procedural', ''],
  ['call p()', 'call', 'procedural', ''],
  ['execute nothing', 'execute', 'unknown', ''],
  ['fetch nothing', 'fetch', 'unknown', ''],
]

const relationsText = (facts: ReturnType<typeof factsOf>) =>
  facts.relations
    .map(({ access, schema, name }) =>
      schema === 'public' || schema === 'pg_catalog'
        ? `${access}:${name}`
        : `${access}:${schema}.${name}`,
    )
    .join(' ')

describe('effects', () => {
  test.each(CASES)('%s', (sql, command, effects, relations) => {
    const facts = factsOf(sql)
    expect([facts.command, facts.effects.join(' '), relationsText(facts)]).toEqual([
      command,
      effects,
      relations,
    ])
  })

  test('a comment, a case or a second statement hides nothing', () => {
    expect(factsOf('/* select */ dElEtE -- x\n from "people"').effects).toEqual(['write'])
  })

  test('nested commands are listed after the own one', () => {
    const facts = factsOf(
      'with a as (update people set id = 1 where id = 2), b as (delete from orders) select 1',
    )
    expect(facts.commands).toEqual(['select', 'update', 'delete'])
    expect(facts.hasWhere).toBe(false)
  })

  test.each([
    ['delete from people where id = 1', true],
    ['delete from people where true', false],
    ["delete from people where 'a' = 'a'", false],
    ['delete from people where current of c', true],
    ['update people set id = 1', false],
    ['select 1', null],
    ['explain delete from people', false],
    ['prepare p as delete from people where id = $1', true],
  ])('%s has WHERE: %s', (sql, expected) => {
    expect(factsOf(sql).hasWhere).toBe(expected)
  })

  test.each([
    ['select 1 limit 5', 5],
    ['select 1 fetch first 3 rows only', 3],
    ['select 1 limit $1', null],
    ['select 1 limit all', null],
    ['select * from (select 1 limit 5) s', null],
    ["select 1 limit '5'", null],
  ])('%s has the limit %s', (sql, expected) => {
    expect(factsOf(sql).limit).toBe(expected)
  })
})

describe('prepared statements and cursors', () => {
  const inner = factsOf('select ssn from people where id = $1')
  const write = factsOf('update people set email = $2 where id = $1')
  const names = {
    prepared: (name: string) => ({ p: inner, w: write })[name],
    cursors: (name: string) => (name === 'c' ? inner : undefined),
  }
  test('EXECUTE has the facts of what was prepared', () => {
    const facts = factsOf('execute p(1)', { names })
    expect(facts).toMatchObject({
      command: 'execute',
      effects: ['read'],
      outputs: inner.outputs,
      parameters: 0,
    })
    expect(facts.uses.map((use) => use.column)).toEqual(inner.uses.map((use) => use.column))
  })
  test('EXECUTE compares with the constants it is given', () => {
    expect(inner.uses).toMatchObject([{ context: 'equality-constant', values: 0, parameters: [1] }])
    const probes = (sql: string) =>
      factsOf(sql, { names }).uses.map(({ values, parameters }) => ({ values, parameters }))
    expect(probes('execute p(1)')).toEqual([{ values: 1 }])
    expect(probes("execute p('{a,b}')")).toEqual([{ values: 2 }])
  })
  test('EXECUTE writes the constants it is given', () => {
    const [, given] = factsOf("execute w(1, '***')", { names }).constantWrites
    expect(given).toMatchObject({
      column: { column: 'email' },
      value: { kind: 'literal', text: '***' },
    })
  })
  test('FETCH returns the columns of the cursor, MOVE nothing', () => {
    expect(factsOf('fetch all in c', { names }).outputs).toEqual(inner.outputs)
    expect(factsOf('move 5 in c', { names }).outputs).toBeNull()
  })
  test('PREPARE and DECLARE hand over the facts', () => {
    expect(factsOf('prepare q as select ssn from people').state).toMatchObject([
      { kind: 'prepare', name: 'q', facts: { command: 'select' } },
    ])
    expect(factsOf('declare q cursor for select ssn from people').state).toMatchObject([
      { kind: 'declare-cursor', name: 'q' },
    ])
  })
})

describe('session state', () => {
  test.each([
    [
      "set search_path to a, 'B'",
      [{ kind: 'set', name: 'search_path', local: false, values: ['a', 'B'] }],
    ],
    ['set local Role none', [{ kind: 'set', name: 'role', local: true, values: ['none'] }]],
    [
      'set session authorization x',
      [{ kind: 'set', name: 'session_authorization', local: false, values: ['x'] }],
    ],
    [
      "set names 'latin1'",
      [{ kind: 'set', name: 'client_encoding', local: false, values: ['latin1'] }],
    ],
    [
      'set standard_conforming_strings = off',
      [{ kind: 'set', name: 'standard_conforming_strings', local: false, values: ['off'] }],
    ],
    ['reset search_path', [{ kind: 'set', name: 'search_path', local: false, values: null }]],
    [
      "select set_config('Search_Path', 'x', true)",
      [{ kind: 'set', name: 'search_path', local: true, values: ['x'] }],
    ],
    [
      'begin read write',
      [
        { kind: 'begin' },
        { kind: 'set', name: 'transaction_read_only', local: true, values: ['0'] },
      ],
    ],
    ['rollback and chain', [{ kind: 'rollback' }, { kind: 'begin' }]],
    ['savepoint a', [{ kind: 'savepoint' }]],
    ['rollback to a', [{ kind: 'rollback-to' }]],
    ['deallocate p', [{ kind: 'deallocate', name: 'p' }]],
    [
      'create temp table t as select 1 as a',
      [{ kind: 'create-temporary', relation: 't', columns: ['a'] }],
    ],
    [
      'create temp table t (a int, b int)',
      [{ kind: 'create-temporary', relation: 't', columns: ['a', 'b'] }],
    ],
    [
      'create table pg_temp.t (like dept, n int)',
      [{ kind: 'create-temporary', relation: 't', columns: ['id', 'title', 'n'] }],
    ],
    [
      'create table pg_temp.t (like nowhere)',
      [{ kind: 'create-temporary', relation: 't', columns: null }],
    ],
    [
      'create table pg_temp.t (like gen including all)',
      [{ kind: 'create-temporary', relation: 't', columns: null }],
    ],
    [
      'create temp view t as select * from nope',
      [{ kind: 'create-temporary', relation: 't', columns: null }],
    ],
    ['create table nowhere () inherits (people)', [{ kind: 'catalog', keepsColumns: true }]],
    [
      'create table if not exists nowhere (a int)',
      [
        {
          kind: 'create-relation',
          relation: expect.objectContaining({ name: 'nowhere', unlessThere: true }),
        },
      ],
    ],
    ['create table if not exists people (a int)', [{ kind: 'catalog', keepsNames: true }]],
    ['drop table people', [{ kind: 'drop-relation', schema: 'public', name: 'people' }]],
    ['create schema s', [{ kind: 'create-schema', name: 's' }]],
    ['select 1', []],
  ])('%s', (sql, state) => {
    expect(factsOf(sql).state).toEqual(state)
  })

  test.each([
    "select set_config('search_path', name, false) from people",
    'select set_config($1, $2, false)',
    'reset all',
    'discard all',
    'select secret(1)',
    'do $$ $$',
    'call p()',
    "select query_to_xml('x', true, true, '')",
    "update pg_settings set setting = 'x'",
  ])('%s leaves it uncertain', (sql) => {
    expect(factsOf(sql).state).toContainEqual(expect.objectContaining({ kind: 'uncertain' }))
  })

  test('dropping a temporary relation says so', () => {
    const names = { temporaries: new Map([['t', ['a']]]) }
    expect(factsOf('drop table t', { names }).state).toContainEqual({
      kind: 'drop-temporary',
      relation: 't',
    })
    expect(factsOf('alter table t add column b int', { names }).state).toEqual([
      { kind: 'create-temporary', relation: 't', columns: null },
    ])
  })
})

describe('COPY', () => {
  test.each([
    [
      'copy people to stdout',
      { direction: 'to-client', format: 'text', delimiter: '\t', nullText: '\\N', header: false },
    ],
    [
      'copy people from stdin (format csv, header)',
      {
        direction: 'from-client',
        format: 'csv',
        delimiter: ',',
        nullText: '',
        quote: '"',
        escape: '"',
        header: true,
      },
    ],
    [
      "copy people to stdout csv quote '''' escape 'x' delimiter ';' null 'N'",
      { format: 'csv', quote: "'", escape: 'x', delimiter: ';', nullText: 'N' },
    ],
    ['copy people to stdout (format binary)', { format: 'binary' }],
    ['copy people to stdout (format csv, header match)', { header: true }],
    ['copy people to stdout (format csv, header off)', { header: false }],
  ])('%s', (sql, copy) => {
    expect(factsOf(sql).copy).toMatchObject(copy)
  })

  test('to a file has no wire facts and lets the columns flow out', () => {
    const facts = factsOf("copy (select ssn from people) to '/tmp/x'")
    expect(facts.copy).toBeNull()
    expect(facts.flows.map((flow) => lineageText(flow.lineage))).toEqual(['=people.ssn'])
  })
})

describe('flows and constants written', () => {
  const flows = (sql: string) =>
    factsOf(sql).flows.map(({ lineage, into }) => {
      const where =
        into.kind === 'column'
          ? `${into.column.relation}.${into.column.column}`
          : into.kind === 'new-relation'
            ? `new ${into.name}.${into.column}`
            : into.kind === 'function'
              ? `function ${into.function.schema}.${into.function.name}`
              : into.what
      return `${lineageText(lineage)} > ${where}`
    })
  test.each([
    ['insert into orders (note) select ssn from people', ['=people.ssn > orders.note']],
    ['update people set name = ssn', ['=people.ssn > people.name']],
    [
      'update people set (name, email) = (select note, id::text from orders)',
      ['=orders.note > people.name', '~orders.id > people.email'],
    ],
    ['update people set (name, email) = row(ssn, $1)', ['=people.ssn > people.name']],
    [
      'insert into people (id, ssn) select id, note from orders on conflict (id) do update set email = excluded.ssn',
      ['=orders.id > people.id', '=orders.note > people.ssn', '=orders.note > people.email'],
    ],
    [
      'merge into people p using orders o on true when matched then update set name = o.note when not matched then insert (ssn) values (o.note)',
      ['=orders.note > people.name', '=orders.note > people.ssn'],
    ],
    ['create table t2 as select ssn as s, 1 as one from people', ['=people.ssn > new t2.s']],
    ['create temp view v2 (a) as select ssn from people', ['=people.ssn > new v2.a']],
    ['create view v2 (a) as select ssn from people', []],
    ['create materialized view v2 (a) as select ssn from people', []],
    [
      'alter table people no inherit orders',
      expect.arrayContaining(['=people.ssn > what is kept with people']),
    ],
    [
      'alter table people disable trigger all',
      expect.arrayContaining(['=people.ssn > what is kept with people']),
    ],
    ['alter table people add column y int default 5', []],
    [
      'alter table people set schema other',
      expect.arrayContaining(['=people.ssn > new people.ssn']),
    ],
    [
      "select set_config('a.b', ssn, false) from people",
      ['~people.ssn > function pg_catalog.set_config'],
    ],
    ["select pg_notify('x', ssn) from people", ['~people.ssn > function pg_catalog.pg_notify']],
    ['select secret(ssn) from people', ['~people.ssn > function public.secret']],
    ['alter table people rename column ssn to harmless', ['=people.ssn > new people.harmless']],
    [
      'alter table people add column x text generated always as (ssn) stored',
      ['=people.ssn > new people.x'],
    ],
    ["update people set name = 'x'", []],
  ])('%s', (sql, expected) => {
    expect(flows(sql)).toEqual(expected)
  })

  const written = (sql: string) =>
    factsOf(sql).constantWrites.map(
      ({ column, value }) =>
        `${column.column} ${value.kind === 'literal' ? value.text : value.kind === 'parameter' ? `$${value.index}` : value.kind}`,
    )
  test.each([
    [
      "insert into people (name, email) values ('a', $1), ('b', default)",
      ['name a', 'name b', 'email $1'],
    ],
    [
      "update people set name = '***', email = lower('x' || $2)",
      ['name ***', 'email x', 'email $2'],
    ],
    ["update people set name = v.m from (values ('***')) v(m)", ['name ***']],
    ["with w as (select '***' as m) update people set name = w.m from w", ['name ***']],
    ['insert into people (id) select -5 union all select 6', ['id -5', 'id 6']],
    ["insert into contacts (mail) values ('x')", ['email x']],
  ])('%s', (sql, expected) => {
    expect(written(sql)).toEqual(expected)
  })
})

describe('literals that matter', () => {
  test.each([
    ['select * from people where id = 5', true],
    ["select name || 'x' from people", true],
    ['select 1 from people order by 1', false],
    ['select name from people group by 1', false],
    ['select 1 limit 5', true],
    ['select 1 from people order by name limit 5 offset 2', true],
    ["select nextval('seq')", false],
    ["select 'people'::regclass", false],
    ["insert into people (name) values ('x')", false],
    ["set a.b = 'x'", false],
    ['copy people to stdout', false],
    ["select set_config('a.b', 'x', false)", false],
  ])('%s: independent %s', (sql, expected) => {
    expect(factsOf(sql).literalIndependent).toBe(expected)
  })
})

describe('names', () => {
  const other = relation('other.orders', 'id x')
  const catalog = catalogOf([
    ...catalogOf().data.relations,
    other,
    relation('pg_catalog.orders', 'id y'),
  ])
  const relationOf = (names: Partial<typeof NAMES>, sql = 'select * from orders') =>
    relationsText(factsOf(sql, { catalog, names }))
  test('pg_catalog comes before the path unless the path lists it', () => {
    expect(relationOf({ searchPath: ['public'] })).toBe('read:orders')
    expect(
      factsOf('select y from orders', { catalog, names: { searchPath: ['public'] } }).relations[0]
        ?.schema,
    ).toBe('pg_catalog')
    expect(
      factsOf('select x from orders', { catalog, names: { searchPath: ['other', 'pg_catalog'] } })
        .relations[0]?.schema,
    ).toBe('other')
  })
  test('a temporary relation comes before everything unless the path lists pg_temp later', () => {
    const temporaries = new Map([['orders', ['t']]])
    expect(relationOf({ temporaries })).toBe('read:pg_temp.orders')
    expect(relationOf({ temporaries, searchPath: ['other', 'pg_temp', 'pg_catalog'] })).toBe(
      'read:other.orders',
    )
  })
  test('an uncertain path makes every relation of the name a candidate', () => {
    const facts = factsOf('select id from orders', { catalog, names: { searchPath: 'uncertain' } })
    expect(facts.relations.map((use) => use.schema)).toEqual(['public', 'other', 'pg_catalog'])
    expect(facts.outputs).toMatchObject([{ lineage: { kind: 'unknown', sources: [{}, {}, {}] } }])
  })
  test('a temporary relation that may exist makes its columns unknown', () => {
    const facts = factsOf('select ssn from people', { names: { temporariesCertain: false } })
    expect(facts.outputs).toMatchObject([
      { lineage: { kind: 'unknown', sources: [{ column: 'ssn' }] } },
    ])
    expect(facts.relations.map((use) => use.schema)).toEqual(['pg_temp', 'public'])
  })
  test('a name that resolves nowhere is unresolved and its columns are unknown', () => {
    const facts = factsOf('select x from nope')
    expect(facts.relations).toMatchObject([{ schema: null, name: 'nope', kind: 'unresolved' }])
    expect(facts.outputs).toMatchObject([{ lineage: { kind: 'unknown' } }])
    expect(factsOf('select * from nope').outputs).toBe('unknown')
  })
  test('without a catalog every output is unknown', () => {
    const facts = factsOf('select 1, ssn from people', { catalog: null })
    expect(facts.effects).toEqual(['read'])
    expect(facts.outputs).toMatchObject([
      { lineage: { kind: 'unknown' } },
      { lineage: { kind: 'unknown' } },
    ])
  })
  test('a user function hides a built-in of its name, pg_catalog names the built-in', () => {
    expect(factsOf("select replace('a', 'b', 'c')").functions[0]?.purity).toBe('opaque')
    expect(factsOf("select pg_catalog.replace('a', 'b', 'c')").functions[0]?.purity).toBe('pure')
    expect(
      factsOf("select replace('a', 'b', 'c')", { names: { searchPath: ['other'] } }).functions[0]
        ?.purity,
    ).toBe('pure')
  })
})
