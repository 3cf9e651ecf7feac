import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dialect, Expression, Join, Select, Statement, Table, TableReference } from './ast.ts'
import { SqlError } from './errors.ts'
import { BOTH, MARIADB, MYSQL, nodesOf, shape } from './fixtures.ts'
import { NESTING_MAX, STATEMENTS_MAX, TREE_HEIGHT_MAX } from './limits.ts'
import { parseMysql } from './parse.ts'

function one(sql: string, dialect: Dialect = MYSQL): Statement {
  const statements = parseMysql(sql, dialect)
  expect(statements).toHaveLength(1)
  return (statements[0] as (typeof statements)[0]).statement
}

function refusal(sql: string, dialect: Dialect = MYSQL): SqlError {
  try {
    parseMysql(sql, dialect)
  } catch (error) {
    if (error instanceof SqlError) return error
    throw error
  }
  throw new Error(`parses: ${sql}`)
}

function tables(sql: string, dialect: Dialect = MYSQL): string[] {
  return nodesOf<Table>(one(sql, dialect), 'table').map(({ name }) => name.name.value)
}

/** The first select's first item. */
function expressionOf(sql: string, dialect: Dialect = MYSQL): Expression {
  const [select] = nodesOf<Select>(one(`select ${sql}`, dialect), 'select')
  return (select as Select).items[0]?.expression as Expression
}

describe('what has fooled other readers', () => {
  test('an executable comment is a statement', () => {
    expect(one('/*! DROP TABLE t */').kind).toBe('drop')
    expect(tables('SELECT 1 /*! FROM hidden */')).toEqual(['hidden'])
    expect(tables('SELECT 1 /*!50700 FROM hidden */', MARIADB)).toEqual([])
    expect(tables('SELECT 1 /*M!100100 FROM hidden */', MARIADB)).toEqual(['hidden'])
  })

  test('the text to send has no comment that could be read in another way', () => {
    const [parsed] = parseMysql('SELECT /* a */ 1 /*!50000 + 1 */ /*!99999 + 2 */', MYSQL)
    expect(parsed?.text).toBe('SELECT 1 + 1')
  })

  test('`--1` is minus minus one', () => {
    expect(shape(expressionOf('2 --1'))).toBe('(2 - (- 1))')
    expect(tables('SELECT 1 --1 FROM t')).toEqual(['t'])
  })

  test('ANSI_QUOTES makes a column of what was a string', () => {
    expect(expressionOf('"a"').kind).toBe('literal')
    expect(expressionOf('"a"', { ...MYSQL, ansiQuotes: true }).kind).toBe('column')
  })

  test('a backslash in front of a quote depends on NO_BACKSLASH_ESCAPES', () => {
    const sql = "SELECT '\\' UNION SELECT ssn FROM people -- '"
    expect(tables(sql)).toEqual([])
    expect(tables(sql, { ...MYSQL, noBackslashEscapes: true })).toEqual(['people'])
  })

  test('tables in brackets are found', () => {
    expect(
      tables('SELECT * FROM ((a)), (b JOIN (c, d)) LEFT JOIN ((e CROSS JOIN f)) ON 1'),
    ).toEqual([...['a', 'b', 'c', 'd', 'e', 'f']])
    expect(tables('SELECT * FROM ((SELECT * FROM a) UNION (SELECT * FROM b)) x JOIN c')).toEqual([
      ...['a', 'b', 'c'],
    ])
    expect(tables('SELECT * FROM (((SELECT * FROM a)) x)')).toEqual(['a'])
  })

  test('IGNORE, LOW_PRIORITY and hints hide no table', () => {
    expect(tables('UPDATE LOW_PRIORITY IGNORE a, b SET x = 1')).toEqual(['a', 'b'])
    expect(one('DELETE QUICK IGNORE FROM t WHERE a = 1')).toMatchObject({
      modifiers: ['quick', 'ignore'],
    })
    expect(one('SELECT /*+ SET_VAR(sql_mode = "ANSI") */ 1')).toMatchObject({
      body: { hints: ' SET_VAR(sql_mode = "ANSI") ' },
    })
  })

  test('a second statement is a second statement', () => {
    const parsed = parseMysql("SELECT ';' /* ; */; DROP TABLE t;", MYSQL)
    expect(parsed.map(({ statement }) => statement.kind)).toEqual(['query', 'drop'])
    expect(parsed.map(({ text }) => text)).toEqual(["SELECT ';'", 'DROP TABLE t'])
  })

  test('a function word with white space is no function, unless IGNORE_SPACE', () => {
    expect(refusal('SELECT count (*) FROM t').code).toBe('syntax')
    expect(one('SELECT count (*) FROM t', { ...MYSQL, ignoreSpace: true }).kind).toBe('query')
    expect(refusal('SELECT count/**/(*) FROM t', { ...MYSQL, ignoreSpace: true }).code).toBe(
      'syntax',
    )
    expect(one('SELECT count FROM t').kind).toBe('query')
  })

  test('PREPARE of a literal is read, of anything else is marked', () => {
    expect(one("PREPARE s FROM 'DELETE FROM t WHERE a = ?'")).toMatchObject({
      source: { kind: 'prepared-text', statement: { kind: 'delete' }, parameters: 1 },
    })
    expect(one('PREPARE s FROM @text')).toMatchObject({ source: { kind: 'dynamic-text' } })
    expect(one("EXECUTE IMMEDIATE CONCAT('DROP ', @t)", MARIADB)).toMatchObject({
      source: { kind: 'dynamic-text' },
    })
    expect(refusal("PREPARE s FROM 'SELECT 1; DROP TABLE t'").code).toBe('syntax')
    expect(refusal("PREPARE s FROM 'PREPARE t FROM ''SELECT 1'''").code).toBe('syntax')
  })

  test('a reserved word of one server is a name on the other', () => {
    expect(one('SELECT 1 AS rank', MARIADB).kind).toBe('query')
    expect(refusal('SELECT 1 AS rank').code).toBe('syntax')
    expect(tables('SELECT 1 FROM t qualify', { ...MYSQL, version: 80046 })).toEqual(['t'])
    expect(refusal('SELECT 1 FROM t qualify').code).toBe('syntax')
  })

  test('a MariaDB word that starts a clause is no alias', () => {
    expect(one('SELECT 1 FROM t FOR SYSTEM_TIME ALL', MARIADB)).toMatchObject({
      body: { from: [{ alias: null, systemTime: { range: 'all' } }] },
    })
  })

  test('nothing but a comment is an empty statement', () => {
    expect(parseMysql(' -- ping', MYSQL)).toMatchObject([{ statement: { kind: 'empty' } }])
    expect(refusal('').message).toBe('no statement')
    expect(refusal(' ; ').code).toBe('syntax')
  })
})

describe('precedence', () => {
  // Each as EXPLAIN and the values of both servers have it.
  test.each([
    ['a or b and c xor d', '(a or ((b and c) xor d))'],
    ['not a = b and c', '((not (a = b)) and c)'],
    ['a = b is null', '((a = b) is null)'],
    ['a between b and c = d', '((a between b and c) = d)'],
    ['a between 0 and 1 in (0)', '(a between 0 and (1 in (0)))'],
    ['a | b & c << d + e * f ^ g', '(a | (b & (c << (d + (e * (f ^ g))))))'],
    ['- a ^ b', '((- a) ^ b)'],
    ['- a collate x', '(- (a collate))'],
    ['binary a = b', '((binary a) = b)'],
    ['! a = b', '((not a) = b)'],
    ['a - b - c', '((a - b) - c)'],
    ['a - interval 1 day + b', '((a - (interval 1 day)) + b)'],
    ['interval (1) + 1 day + a', '((interval (1 + 1) day) + a)'],
    ['((a) - b)', '(a - b)'],
    ['((a) not in (b))', '(a not in (b))'],
    ['((select 1) - b)', '(subquery - b)'],
    ['((a), b)', 'row'],
    ['a || b', '(a or b)'],
    ['a && b', '(a and b)'],
    ['a div b mod c', '((a div b) % c)'],
  ])('%s', (sql, expected) => {
    for (const dialect of BOTH) expect(shape(expressionOf(sql, dialect))).toBe(expected)
  })

  test('modes change it', () => {
    expect(shape(expressionOf('a || b ^ c', { ...MYSQL, pipesAsConcat: true }))).toBe(
      '((a || b) ^ c)',
    )
    expect(shape(expressionOf('not a = b', { ...MYSQL, highNotPrecedence: true }))).toBe(
      '((not a) = b)',
    )
    expect(shape(expressionOf('a like b | c', MARIADB))).toBe('(a like (b | c))')
  })
})

describe('joins', () => {
  function tree(reference: TableReference): string {
    if (reference.kind === 'table') return reference.name.name.value
    const { left, right, on } = reference as Join
    return `(${tree(left)} ${tree(right)}${on === null ? '' : ` ${shape(on)}`})`
  }

  test.each([
    ['a join b join c', '((a b) c)'],
    ['a join b on x join c on y', '((a b x) c y)'],
    ['a join b join c on x on y', '(a (b c x) y)'],
    ['a join b join c on x', '((a b) c x)'],
    ['a join b left join c on x', '((a b) c x)'],
    ['a left join b join c on x on y', '(a (b c x) y)'],
    ['a join b join c join d on x', '(((a b) c) d x)'],
    ['a natural join b join c on x', '((a b) c x)'],
    ['a join (b join c on x)', '(a (b c x))'],
  ])('%s', (sql, expected) => {
    const [select] = nodesOf<Select>(one(`select 1 from ${sql}`), 'select')
    expect(tree((select as Select).from[0] as TableReference)).toBe(expected)
  })

  test('an outer join needs its condition', () => {
    expect(refusal('select 1 from a left join b').message).toMatch(/ON/)
  })
})

describe('set operations', () => {
  test('INTERSECT binds tighter', () => {
    expect(one('select 1 union select 2 intersect select 3')).toMatchObject({
      body: {
        first: { kind: 'select' },
        rest: [{ operator: 'union', body: { kind: 'set-operation' } }],
      },
    })
  })

  test('ORDER BY belongs to the whole, unless in brackets', () => {
    expect(one('select 1 union select 2 order by 1 limit 1')).toMatchObject({
      orderBy: [{}],
      limit: {},
    })
    expect(one('(select 1 order by 1) union select 2')).toMatchObject({
      orderBy: [],
      body: { first: { kind: 'query', orderBy: [{}] } },
    })
  })
})

describe('values of the tree', () => {
  test('parameters are numbered by statement', () => {
    const parsed = parseMysql('select ?, ?; select ?', MYSQL)
    expect(parsed.map(({ parameters }) => parameters)).toEqual([2, 1])
    expect(
      nodesOf<{ kind: 'parameter'; index: number }>(parsed, 'parameter').map(({ index }) => index),
    ).toEqual([...[1, 2, 1]])
  })

  test('names keep how they were written, positions are of the text', () => {
    const sql = 'select `A`.b from d.`A`'
    expect(expressionOf('`A`.b')).toMatchObject({
      table: { value: 'A', quote: '`' },
      name: { value: 'b', quote: '' },
    })
    const [table] = nodesOf<Table>(one(sql), 'table')
    expect(sql.slice(table?.start, table?.end)).toBe('d.`A`')
  })

  test('SET gives each variable its scope, which holds until another is said', () => {
    expect(one('set global a = 1, b = 2, @@session.c = 3, @d = 4')).toMatchObject({
      items: [
        { target: { scope: 'global', name: 'a' } },
        { target: { scope: 'global', name: 'b' } },
        { target: { scope: 'session', name: 'c' } },
        { target: { kind: 'user-variable', name: 'd' } },
      ],
    })
  })

  test('a routine is its statements', () => {
    const sql = `create procedure p(in a int) begin declare c cursor for select x from t;
      if a > 1 then update u set y = 1; elseif a then delete from v; else call q(); end if; end`
    expect(nodesOf<Table>(one(sql), 'table').map(({ name }) => name.name.value)).toEqual([
      't',
      'u',
      'v',
    ])
    expect(one('begin not atomic select 1; end', MARIADB)).toMatchObject({ kind: 'block' })
    expect(one('begin')).toMatchObject({ kind: 'transaction' })
  })

  test('passwords are not in the tree', () => {
    for (const sql of [
      "create user a@b identified by 'hunter2'",
      "set password = 'hunter2'",
      "change replication source to source_password = 'hunter2'",
    ])
      expect(JSON.stringify(one(sql))).not.toContain('hunter2')
  })
})

describe('caps', () => {
  test.each([
    ['brackets', (n: number) => `select ${'('.repeat(n)}1${')'.repeat(n)}`],
    ['NOT', (n: number) => `select ${'not '.repeat(n)}1`],
    ['signs', (n: number) => `select ${'- '.repeat(n)}1`],
    ['subqueries', (n: number) => `select ${'(select '.repeat(n)}1${')'.repeat(n)}`],
    ['functions', (n: number) => `select ${'f('.repeat(n)}1${')'.repeat(n)}`],
    ['MATCH', (n: number) => `select ${'match a against ('.repeat(n)}`],
    ['INTERVAL', (n: number) => `select ${'interval ('.repeat(n)}`],
    ['joins in brackets', (n: number) => `select 1 from ${'('.repeat(n)}t`],
    ['joins without conditions', (n: number) => `select 1 from a${' join a'.repeat(n)}`],
    ['blocks', (n: number) => `create procedure p() ${'begin '.repeat(n)}`],
    ['WITH', (n: number) => 'with a as ('.repeat(n)],
    ['BETWEEN', (n: number) => `select 1${' between 1 and 1'.repeat(n)}`],
  ])('%s nest to a limit', (_, text) => {
    expect(refusal(text(20_000)).code).toBe('too-complex')
    for (const n of [1, 10]) expect(() => parseMysql(text(n), MYSQL)).not.toThrow(RangeError)
  })

  test('chains of AND and OR may be long, chains of signs may not', () => {
    const chain = (n: number, operator: string) => `select ${Array(n).fill('a = 1').join(operator)}`
    expect(nodesOf(one(chain(10_000, ' or ')), 'logical')).toHaveLength(1)
    expect(one(`select 1${'+1'.repeat(TREE_HEIGHT_MAX - 100)}`).kind).toBe('query')
    expect(refusal(`select 1${'+1'.repeat(TREE_HEIGHT_MAX)}`).code).toBe('too-complex')
    expect(one(`select 1${' union select 1'.repeat(5_000)}`).kind).toBe('query')
    expect(NESTING_MAX).toBeLessThan(TREE_HEIGHT_MAX)
  })

  test('statements in one text', () => {
    expect(parseMysql('do 1;'.repeat(STATEMENTS_MAX), MYSQL)).toHaveLength(STATEMENTS_MAX)
    expect(refusal('do 1;'.repeat(STATEMENTS_MAX + 1)).code).toBe('too-large')
  })
})

describe('any text', () => {
  const dialect = fc.constantFrom(...BOTH, { ...MYSQL, ansiQuotes: true, ignoreSpace: true })
  const survives = (sql: string, of: Dialect): void => {
    try {
      parseMysql(sql, of)
    } catch (error) {
      expect(error, sql).toBeInstanceOf(SqlError)
    }
  }

  test('of random characters gives trees or an SqlError', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), dialect, survives), {
      numRuns: 3_000,
    })
  })

  const statements = [
    "select a.*, count(distinct b), 'x' from t a left join (u, v) using (c) where d in (select 1) group by e with rollup",
    'insert into t (a, b) values (1, default), (2, @x) on duplicate key update a = values(a)',
    'update t, u set t.a = u.b where t.c = u.c order by 1 limit 3',
    'delete a from t a join u on a.x = u.x',
    'create table t (a int not null default (1 + 1), b text generated always as (a) stored, key k (a desc)) engine = x',
    'alter table t add column (a int), drop primary key, rename to u, partition by hash (a) partitions 4',
    'create procedure p() begin declare continue handler for not found set @a = 1; while 1 do leave l; end while; end',
    'with recursive c as (select 1 union all select 2) select sum(a) over (partition by b rows between 1 preceding and current row) from c',
    "load data local infile 'f' into table t fields terminated by ',' lines starting by 'x' (a, @b) set c = @b",
    'grant select (a), insert on d.* to u@h with grant option',
    "set names utf8mb4, global x = on, @a := 'b'",
    "select * from json_table('[]', '$[*]' columns (a int path '$.a', nested path '$.b' columns (c for ordinality))) j",
  ]

  test('of statements cut up and mixed gives trees or an SqlError', () => {
    const words = statements.flatMap((sql) => sql.split(/(?<=\W)|(?=\W)/))
    const mixed = fc
      .array(fc.constantFrom(...words), { maxLength: 40 })
      .map((parts) => parts.join(' '))
    const damaged = fc
      .tuple(fc.constantFrom(...statements), fc.nat(200), fc.nat(20), fc.constantFrom(...words, ''))
      .map(([sql, at, length, word]) => `${sql.slice(0, at)} ${word} ${sql.slice(at + length)}`)
    fc.assert(fc.property(fc.oneof(mixed, damaged), dialect, survives), { numRuns: 10_000 })
  })

  test.each(statements)('%s', (sql) => {
    for (const of of BOTH) expect(one(sql, of).kind).toBeTypeOf('string')
  })
})
