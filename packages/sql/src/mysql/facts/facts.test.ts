import { describe, expect, test } from 'vitest'
import type { StateChange, StatementFacts } from '../../facts.ts'
import { MARIADB } from '../fixtures.ts'
import {
  analysisOf,
  factsOf,
  lineageText,
  type More,
  outputsText,
  relationsText,
  usesText,
} from './fixtures.ts'

/** Ran by MariaDB only. */
const maria: More = { dialect: MARIADB }

/** sql → `command | effects | relations`. */
const STATEMENTS: readonly (readonly [string, string, More?])[] = [
  ['select 1', 'select | read |'],
  [
    'select id from people for update',
    'select | read lock | lock crm.people table; read crm.people table',
  ],
  [
    'select id from people p join dept d on true for share of d',
    'select | read lock | lock crm.dept table; read crm.dept table; read crm.people table',
  ],
  ['select sleep(5)', 'select | read procedural |'],
  ["select load_file('/etc/passwd')", 'select | read admin |'],
  ["select get_lock('a', 1)", 'select | read lock |'],
  ['select secret(1)', 'select | read procedural |'],
  ['select @a := 1', 'select | read session |'],
  [
    "select id from people into outfile '/tmp/x'",
    'select | read admin copy | read crm.people table',
  ],
  ['select id into @x from people', 'select | read session | read crm.people table'],
  ['insert into dept values (1, 2)', 'insert | write | write crm.dept table'],
  [
    'insert into dept select id, name from people',
    'insert | read write | read crm.people table; write crm.dept table',
  ],
  ['replace into dept (id) values (1)', 'replace | write | write crm.dept table'],
  [
    'insert into contacts (mail) values (1)',
    'insert | write | write crm.contacts view; write crm.people table <crm.contacts',
  ],
  ['update people set ssn = 1 where id = 2', 'update | write | write crm.people table'],
  [
    'update people p, dept d set p.name = d.title where p.dept = d.id',
    'update | read write | read crm.dept table; write crm.people table',
  ],
  [
    'update people join dept using (id) set title = name',
    'update | read write | read crm.people table; write crm.dept table',
  ],
  ['delete from people where id = 1', 'delete | write | write crm.people table'],
  [
    'delete p from people p join dept d on d.id = p.dept',
    'delete | read write | read crm.dept table; write crm.people table',
  ],
  [
    'delete from p, o using people p join orders o on o.person = p.id',
    'delete | write | write crm.orders table; write crm.people table',
  ],
  [
    'with d as (select id from dept) delete from people where dept in (select id from d)',
    'delete | read write | read crm.dept table; write crm.people table',
  ],
  [
    "load data local infile 'x' into table people",
    'load data | write copy | write crm.people table',
  ],
  [
    "load data infile '/x' into table people",
    'load data | write admin copy | write crm.people table',
  ],
  ['call p(1)', 'call | procedural |'],
  ['do sleep(1)', 'do | read procedural |'],
  ['handler people open', 'handler open | read session | read crm.people table'],
  ['truncate people', 'truncate | write | write crm.people table'],
  ['explain select ssn from people', 'explain | read | read crm.people table'],
  [
    'explain analyze select secret(1) from people',
    'explain analyze | read procedural | read crm.people table',
  ],
  ['explain delete from people', 'explain | read | write crm.people table'],
  ['analyze delete from people', 'explain analyze | read write | write crm.people table', maria],
  ['explain for connection 5', 'explain | read | read information_schema.processlist table'],
  ['describe people', 'describe | read | read information_schema.columns table'],
  ['show tables', 'show tables | read | read information_schema.tables table'],
  ['show full processlist', 'show processlist | read | read information_schema.processlist table'],
  ['show create table people', 'show create table | read | read information_schema.columns table'],
  [
    'show engine innodb status',
    'show engine | read admin | read information_schema.innodb_trx table',
  ],
  ['show warnings', 'show warnings | session |'],
  [
    'show variables like "x%"',
    'show variables | read | read performance_schema.session_variables table',
  ],
  ['create table t (id int)', 'create table | ddl | define crm.t table'],
  ['create temporary table t (id int)', 'create temporary table | ddl | define crm.t temporary'],
  [
    'create table t as select ssn from people',
    'create table as | read write ddl | define crm.t table; read crm.people table',
  ],
  [
    'create table t like people',
    'create table | ddl | define crm.people table; define crm.t table',
  ],
  [
    'create view v as select ssn from people',
    'create view | read ddl | define crm.v view; read crm.people table',
  ],
  ['alter table people add x int', 'alter table | ddl | define crm.people table'],
  [
    'alter table people rename to p2',
    'alter table | ddl | define crm.p2 table; define crm.people table',
  ],
  [
    'rename table people to p2',
    'rename table | ddl | define crm.p2 table; define crm.people table',
  ],
  ['drop table people', 'drop table | ddl | define crm.people table'],
  ['drop database crm', 'drop database | ddl admin |'],
  ['create index i on people (ssn)', 'create index | ddl | define crm.people table'],
  [
    'create function f() returns int return (select max(ssn) from people)',
    'create function | ddl | read crm.people table',
  ],
  [
    'create trigger t before insert on people for each row set new.name = 1',
    'create trigger | ddl | define crm.people table',
  ],
  [
    'create event e on schedule every 1 day do delete from people',
    'create event | ddl procedural | write crm.people table',
  ],
  ["create function f returns string soname 'x.so'", 'create function | ddl admin |'],
  ["create user u identified by 'x'", 'create user | admin |'],
  ['grant select on crm.people to u', 'grant | admin | define crm.people table'],
  ['set @x = 1', 'set | session |'],
  ['set global max_connections = 1', 'set | admin session |'],
  ["set password = 'x'", 'set password | admin |'],
  ['use other', 'use | session |'],
  ['begin', 'begin | transaction |'],
  ['start transaction read only', 'start transaction | transaction |'],
  ['set transaction read write', 'set transaction | transaction |'],
  ['lock tables people read', 'lock tables | lock | lock crm.people table'],
  ['flush tables with read lock', 'flush | admin |'],
  ['kill 5', 'kill | admin |'],
  ['shutdown', 'shutdown | admin |'],
  ['analyze table people', 'analyze table | admin | lock crm.people table'],
  ["prepare s from 'delete from people'", 'prepare | write session | write crm.people table'],
  ['prepare s from @x', 'prepare | session unknown |'],
  ['execute s', 'execute | unknown |'],
  ['select next value for seq', 'select | read write | write crm.seq sequence', maria],
  [
    'begin not atomic delete from people; end',
    'begin not atomic | write procedural | write crm.people table',
    maria,
  ],
  [
    "execute immediate 'delete from people'",
    'execute immediate | write | write crm.people table',
    maria,
  ],
]

type Row<T> = readonly [sql: string, expected: T, more?: More]

const withMore = <T>(rows: readonly Row<T>[]) =>
  rows.map(([sql, expected, more]) => [sql, expected, more ?? {}] as const)

const summary = (facts: StatementFacts) =>
  `${facts.command} | ${facts.effects.join(' ')} | ${relationsText(facts)}`.trim()

describe('commands, effects and relations', () => {
  test.each(withMore(STATEMENTS))('%s', (sql, expected, more) => {
    expect(summary(factsOf(sql, more))).toBe(expected)
  })

  test('commands lists the nested ones', () => {
    expect(factsOf('explain update people set id = 1').commands).toEqual(['explain', 'update'])
    expect(factsOf("prepare s from 'delete from people'").commands).toEqual(['prepare', 'delete'])
  })

  test('several statements have facts each, and a text each', () => {
    const analysis = analysisOf('select 1; /* x */ delete from people')
    expect(analysis).toMatchObject({
      kind: 'statements',
      statements: [{ command: 'select' }, { command: 'delete' }],
    })
    expect(analysis.kind === 'statements' && analysis.texts?.[1]).not.toContain('x')
  })

  test('text that is no statement', () => {
    expect(analysisOf('select from where')).toMatchObject({ kind: 'unparsable', sqlstate: '42000' })
  })
})

describe('WHERE', () => {
  test.each([
    ['update people set id = 1 where id = 2', true],
    ['update people set id = 1', false],
    ['delete from people where true', false],
    ['delete from people where 1 = 1', false],
    ['delete p from people p join dept d on d.id = p.id', false],
    ['select 1', null],
    ["prepare s from 'delete from people'", false],
  ])('%s: %s', (sql, expected) => {
    expect(factsOf(sql).hasWhere).toBe(expected)
  })
})

const flows = ({ flows }: StatementFacts) =>
  flows.map(({ lineage, into }) => {
    const target =
      into.kind === 'column'
        ? `${into.column.relation}.${into.column.column}`
        : into.kind === 'new-relation'
          ? `new ${into.schema}.${into.name}.${into.column}`
          : into.kind === 'function'
            ? `function ${into.function.name}`
            : into.what
    return `${lineageText(lineage)} → ${target}`
  })

/** sql → flows. */
const FLOWS: readonly (readonly [string, readonly string[], More?])[] = [
  ['insert into dept (title) select ssn from people', ['=people.ssn → dept.title']],
  [
    'insert into dept select id, ssn from people',
    ['=people.id → dept.id', '=people.ssn → dept.title'],
  ],
  ['insert into dept set title = (select ssn from people)', ['=people.ssn → dept.title']],
  [
    'insert into dept (id, title) values (1, 2), (2, (select ssn from people))',
    ['=people.ssn → dept.title'],
  ],
  [
    "insert into dept (id, title) values (1, 'a') on duplicate key update title = values(title)",
    [],
  ],
  [
    'insert into dept (id, title) select id, ssn from people on duplicate key update title = values(title)',
    ['=people.id → dept.id', '=people.ssn → dept.title', '=people.ssn → dept.title'],
  ],
  [
    "insert into dept (id, title) values (1, 'x') as n on duplicate key update title = concat(n.title, dept.title)",
    ['~dept.title → dept.title'],
  ],
  [
    "insert into dept (id, title) values (1, 'x') as n (a, b) on duplicate key update title = b",
    [],
  ],
  [
    'insert into dept (id, title) select id, name from people on duplicate key update title = ssn',
    ['=people.id → dept.id', '=people.name → dept.title', '=people.ssn → dept.title'],
  ],
  ['replace into dept (title) select upper(ssn) from people', ['~people.ssn → dept.title']],
  ['update dept set title = (select ssn from people)', ['=people.ssn → dept.title']],
  ['update dept d join people p using (id) set d.title = p.ssn', ['=people.ssn → dept.title']],
  [
    'update people set name = ssn, email = name',
    ['=people.ssn → people.name', '=people.name → people.email'],
  ],
  ['select ssn into @x from people', ['=people.ssn → the user variable @x']],
  ['select @x := ssn from people', ['=people.ssn → the user variable @x']],
  ['set @x = (select ssn from people)', ['=people.ssn → the user variable @x']],
  ["select ssn from people into outfile '/x'", ['=people.ssn → a file of the server']],
  [
    'set sort_buffer_size = (select pay from people)',
    ['=people.pay → the setting sort_buffer_size'],
  ],
  ['select last_insert_id(pay) from people', ['~people.pay → function last_insert_id']],
  ['select get_lock(ssn, 0) from people', ['~people.ssn → function get_lock']],
  ['select secret(ssn) from people', ['~people.ssn → function secret']],
  ['do benchmark(1, (select ssn from people))', ['~people.ssn → function benchmark']],
  ['call p((select ssn from people))', ['~people.ssn → procedure p']],
  ['call p(@x)', ['? → the user variable @x']],
  ['create table t as select ssn s from people', ['=people.ssn → new crm.t.s']],
  ['create table other.t select ssn from people', ['=people.ssn → new other.t.ssn']],
  ['create view v (a) as select ssn from people', []],
  [
    'create table m (id int, ssn int) engine=merge union=(people)',
    [
      '=people.id → new crm.m.id',
      '=people.name → new crm.m.name',
      '=people.ssn → new crm.m.ssn',
      '=people.email → new crm.m.email',
      '=people.dept → new crm.m.dept',
      '=people.active → new crm.m.active',
      '=people.pay → new crm.m.pay',
      '=people.profile → new crm.m.profile',
    ],
  ],
  ['rename table dept to d2', ['=dept.id → new crm.d2.id', '=dept.title → new crm.d2.title']],
  ['alter table people rename column ssn to x', ['=people.ssn → new crm.people.x']],
  ['alter table people change ssn x varchar(9)', ['=people.ssn → new crm.people.x']],
  ['alter table people change ssn SSN varchar(9)', []],
  ['alter table people add x varchar(9) as (upper(ssn))', ['~people.ssn → new crm.people.x']],
  [
    'alter table dept exchange partition p with table orders',
    [
      '=dept.id → new crm.orders.id',
      '=dept.title → new crm.orders.title',
      '=orders.id → new crm.dept.id',
      '=orders.person → new crm.dept.person',
      '=orders.total → new crm.dept.total',
      '=orders.note → new crm.dept.note',
    ],
  ],
  [
    'create event e on schedule every 1 day do insert into dept (title) select ssn from people',
    ['=people.ssn → dept.title'],
  ],
  ['create procedure p() select ssn from people', ['=people.ssn → a routine']],
  ['get diagnostics condition 1 @m = message_text', ['? → the user variable @m']],
  ['select setval(seq, pay) from people', ['~people.pay → the sequence seq'], maria],
]

describe('flows', () => {
  test.each(withMore(FLOWS))('%s', (sql, expected, more) => {
    expect(flows(factsOf(sql, more))).toEqual(expected)
  })
})

describe('files of the client', () => {
  test.each([
    ["load data local infile 'a\\tb''c' into table people", "a\tb'c"],
    ["load xml local infile 'x' into table people", 'x'],
    ["load data infile '/x' into table people", undefined],
  ])('%s', (sql, file) => {
    const { localFile, literalIndependent } = factsOf(sql)
    expect(localFile).toBe(file)
    expect(literalIndependent).toBe(false)
  })
})

describe('constants written', () => {
  test.each([
    [
      "insert into people (name, ssn) values ('a', '***'), (?, null)",
      ['name a', 'name ?1', 'ssn ***', 'ssn null'],
    ],
    ["update people set ssn = '***', email = concat('x', ?)", ['ssn ***', 'email x', 'email ?1']],
    ["insert into people set ssn = 'x' on duplicate key update ssn = 'y'", ['ssn x', 'ssn y']],
    ["replace people (ssn) values ('x')", ['ssn x']],
    ["load data local infile 'f' into table dept (id, title)", ['id sent 0', 'title sent 1']],
    ["load data local infile 'f' into table dept", ['id sent 0', 'title sent 1']],
  ])('%s', (sql, expected) => {
    const found = factsOf(sql).constantWrites.map(({ column, value }) => {
      const text =
        value.kind === 'literal'
          ? value.text
          : value.kind === 'parameter'
            ? `?${value.index}`
            : value.kind === 'sent'
              ? `sent ${value.field}`
              : value.kind
      return `${column.column} ${text}`
    })
    expect(found).toEqual(expected)
  })
})

const set = (name: string, values: readonly string[] | null, more: object = {}) => ({
  kind: 'set',
  name,
  local: false,
  values,
  ...more,
})

/** sql → state changes. */
const STATE: readonly (readonly [string, readonly object[], More?])[] = [
  ['use other', [set('database', ['other'])]],
  [
    'set names utf8mb4 collate utf8mb4_bin',
    [set('names', ['utf8mb4']), set('collation_connection', ['utf8mb4_bin'])],
  ],
  ['set names default', [set('names', null)]],
  ['set character set latin1', [set('character_set', ['latin1'])]],
  [
    "set sql_mode = 'ansi', @@session.autocommit = 0, time_zone = default",
    [set('sql_mode', ['ansi']), set('autocommit', ['0']), set('time_zone', null)],
  ],
  ['set autocommit = on', [set('autocommit', ['on'])]],
  [
    "set sql_mode = concat(@@sql_mode, ',ANSI_QUOTES')",
    [set('sql_mode', ['STRICT_TRANS_TABLES,ANSI_QUOTES'])],
  ],
  [
    "set sql_mode = (select replace(@@sql_mode, 'STRICT_TRANS_TABLES', ''))",
    [set('sql_mode', [], { computed: true })],
  ],
  ["set sql_mode = replace(@@sql_mode, 'STRICT_TRANS_TABLES', 'X')", [set('sql_mode', ['X'])]],
  ['set sql_mode = @old', [set('sql_mode', [], { computed: true })]],
  ['set character_set_results = null', [set('character_set_results', ['null'])]],
  ['set global sort_buffer_size = 1', [set('global.sort_buffer_size', ['1'])]],
  ['set persist max_connections = 5', [set('persist.max_connections', ['5'])]],
  [
    'set session transaction isolation level read committed, read only',
    [set('transaction_isolation', ['read-committed']), set('transaction_read_only', ['1'])],
  ],
  ['set role none', [set('role', ['none'])]],
  [
    "select /*+ SET_VAR(sql_mode = 'ANSI') SET_VAR(x=1) */ 1",
    [set('sql_mode', ['ANSI'], { local: true }), set('x', ['1'], { local: true })],
  ],
  ['/* nothing */', []],
  ['begin', [{ kind: 'begin' }]],
  [
    'start transaction read only',
    [{ kind: 'begin' }, set('transaction_read_only', ['1'], { local: true })],
  ],
  ['commit and chain', [{ kind: 'commit' }, { kind: 'begin' }]],
  ['rollback to savepoint a', [{ kind: 'rollback-to' }]],
  [
    'create temporary table t (a int, b int)',
    [{ kind: 'create-temporary', relation: 'crm.t', columns: ['a', 'b'] }],
  ],
  [
    'create temporary table `o.x`.t select ssn, id i from people',
    [{ kind: 'create-temporary', relation: '`o.x`.t', columns: ['ssn', 'i'] }],
  ],
  ['create table t (a int)', [{ kind: 'commit' }, { kind: 'catalog' }]],
  [
    'drop temporary table t',
    [{ kind: 'drop-temporary', relation: 'crm.t' }],
    { names: { temporaries: new Map([['crm.t', null]]) } },
  ],
  [
    'alter table t rename to people',
    [
      { kind: 'create-temporary', relation: 'crm.t', columns: null },
      { kind: 'commit' },
      { kind: 'catalog' },
      { kind: 'create-temporary', relation: 'crm.people', columns: null },
      { kind: 'commit' },
      { kind: 'catalog' },
    ],
    { names: { temporaries: new Map([['crm.t', null]]) } },
  ],
  ['deallocate prepare S', [{ kind: 'deallocate', name: 's' }]],
  ['call p()', [{ kind: 'uncertain', why: 'CALL' }, { kind: 'catalog' }]],
  ['handler people close', [{ kind: 'close-cursor', name: 'people' }]],
  ['lock tables people read', [{ kind: 'commit' }]],
]

describe('session state', () => {
  test.each(withMore(STATE))('%s', (sql, expected, more) => {
    expect(factsOf(sql, more).state).toEqual(expected as unknown as StateChange[])
  })

  test('PREPARE keeps the facts of its text, with its parameters', () => {
    const [change] = factsOf("prepare S from 'select ssn from people where id = ?'").state
    expect(change).toMatchObject({
      kind: 'prepare',
      name: 's',
      facts: { command: 'select', parameters: 1 },
    })
  })

  test('EXECUTE has the facts of what was prepared', () => {
    const facts = factsOf('select ssn from people where ssn = ?')
    const names = { prepared: (name: string) => (name === 's' ? facts : undefined) }
    const executed = factsOf('execute S using @x', { names })
    expect(outputsText(executed)).toBe('ssn=people.ssn')
    expect(executed.parameters).toBe(0)
    // A variable may be a number.
    expect(usesText(executed)).toBe('people.ssn predicate')
  })

  test('HANDLER ... READ has the columns of the table it was opened on', () => {
    const [change] = factsOf('handler people open as h').state
    const opened = change?.kind === 'declare-cursor' ? change.facts : undefined
    const read = factsOf("handler h read `primary` = (1) where ssn > 'x'", {
      names: { handlers: (name) => (name === 'h' ? opened : undefined) },
    })
    expect(outputsText(read)).toContain('ssn=people.ssn')
    expect(usesText(read)).toContain('people.ssn predicate')
  })
})

describe('columns of a plan', () => {
  test.each([
    ['explain select ssn from people', 1, {}],
    ['explain format=traditional select ssn from people', 12, {}],
    ['explain select ssn from people', 12, { dialect: { version: 80_400 } }],
    ['explain select ssn from people', 10, maria],
    ['explain extended select ssn from people', 11, maria],
    ['analyze select ssn from people', 13, maria],
  ] as const)('%s: %i', (sql, width, more) => {
    const { outputs } = factsOf(sql, more)
    expect(outputs).toHaveLength(width)
    expect(outputs).toContainEqual(
      expect.objectContaining({
        lineage: expect.objectContaining({ kind: 'derived', revealsNoValue: false }),
      }),
    )
  })
})

describe('what a plan tells of how much is stored', () => {
  test.each([
    ['explain select id from people', 'EXPLAIN', {}],
    ['explain format=json select 1 from contacts', 'EXPLAIN', {}],
    ['explain format=traditional update people set dept = 1', 'rows filtered', {}],
    ['explain select id from people', 'rows', maria],
    ['analyze select id from people', 'rows filtered', maria],
  ] as const)('%s: in %s', (sql, names, more) => {
    const { outputs } = factsOf(sql, more)
    if (!Array.isArray(outputs)) throw new Error('no outputs')
    const telling = outputs.filter(({ lineage }) => lineage.amounts?.length > 0)
    expect(telling.map(({ name }) => name).join(' ')).toBe(names)
    expect(telling[0]?.lineage.amounts).toContainEqual(
      expect.objectContaining({ relation: 'people', column: 'ssn' }),
    )
  })

  test('of a temporary table, too', () => {
    const names = { temporaries: new Map([['crm.copies', ['ssn']]]) }
    expect(factsOf('explain select 1 from copies', { names }).outputs).toEqual([
      expect.objectContaining({
        lineage: expect.objectContaining({
          amounts: [{ schema: 'crm', relation: 'copies', column: 'ssn' }],
        }),
      }),
    ])
  })
})

describe('sizes of tables', () => {
  test.each([
    ["show table status like 'people'", ''],
    ["show table status where name = 'people' and engine = 'InnoDB'", ''],
    ['show table status where Data_length > 5', 'information_schema.tables.data_length predicate'],
    [
      'show index from people where Cardinality = 2',
      'information_schema.statistics.cardinality predicate',
    ],
  ])('%s: %s', (sql, uses) => {
    const facts = factsOf(sql)
    expect(facts.rows).toBe('amounts')
    expect(facts.missing).toBeUndefined()
    expect(usesText(facts)).toBe(uses)
  })

  test('of a table that may be a temporary one', () => {
    const temporary = new Map([['crm.people', ['id']]])
    expect(factsOf('show index from people', { names: { temporaries: temporary } }).rows).toBe(
      'temporary-amounts',
    )
    expect(factsOf('show index from people', { names: { temporariesCertain: false } }).rows).toBe(
      'temporary-amounts',
    )
  })

  test('how far the binary log has grown is no metadata', () => {
    expect(relationsText(factsOf('show binary log status'))).toContain('mysql.binary_logs')
  })
})

describe('rows that are not of relations', () => {
  test.each([
    ['show tables', 'metadata'],
    ['describe people', 'metadata'],
    ['show warnings', 'diagnostics'],
    ['show count(*) warnings', 'metadata'],
  ])('%s: %s', (sql, rows) => {
    expect(factsOf(sql)).toMatchObject({ rows, outputs: [] })
  })
})

describe('literals that matter', () => {
  test.each([
    ["select * from people where ssn = 'x' limit 5", true],
    ['select id from people order by 1', false],
    ["insert into people (ssn) values ('x')", false],
    ["select x.a from (select 'a') x", false],
    ["set sql_mode = ''", false],
    ['select id from people where id in (1, 2, 3)', true],
  ])('%s: %s', (sql, expected) => {
    expect(factsOf(sql).literalIndependent).toBe(expected)
  })
})

describe('writes that a constraint may refuse', () => {
  test('see the test of checks', () => {
    const facts = factsOf('update people set name = concat(ssn, ssn)')
    expect(usesText(facts)).toBe('people.ssn failure')
  })
})

describe('what asks for the diagnostics of the statement before', () => {
  test.each([
    'select @@warning_count',
    'select @@session.error_count + 1',
    'show count(*) warnings',
    'show warnings',
  ])('%s', (sql) => {
    expect(factsOf(sql).diagnostics).toBe(true)
  })

  test.each(['select @@sql_mode', 'select 1'])('not %s', (sql) => {
    expect(factsOf(sql).diagnostics).toBeUndefined()
  })
})

test.each([
  ['alter table people modify ssn varchar(3)', 'people.ssn failure'],
  ['alter table people change ssn ssn varchar(3)', 'people.ssn failure'],
  ['alter table people change column pay PAY smallint', 'people.pay failure'],
  [
    'alter table people convert to character set ascii',
    'people.email failure; people.name failure; people.ssn failure',
  ],
  ['alter table people default character set ascii', ''],
])('values that a new type refuses: %s', (sql, uses) => {
  expect(usesText(factsOf(sql))).toBe(uses)
})
