import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dialect } from './ast.ts'
import { SqlError } from './errors.ts'
import { fingerprintMysql } from './fingerprint.ts'
import { BOTH, MARIADB, MYSQL } from './fixtures.ts'
import { parseMysql } from './parse.ts'

/** The tree with positions, values of literals and their number in a row taken out; null where it does not parse. */
function treeOf(sql: string, dialect: Dialect): string | null {
  try {
    const [parsed, ...more] = parseMysql(sql, dialect)
    expect(more).toEqual([])
    // What is sent is the text itself.
    expect(sql.startsWith(parsed?.text ?? '?', sql.search(/\S/))).toBe(true)
    return JSON.stringify(parsed?.statement, (key, value) => {
      if (key === 'start' || key === 'end') return undefined
      return value?.kind === 'literal' ? [value.type, value.charset] : value
    })
  } catch (error) {
    if (error instanceof SqlError) return null
    throw error
  }
}

describe('equal keys', () => {
  test.each([
    ["select * from t where a = 1 and b = 'x'", "select * from t where a = 42 and b = 'it\\'s'"],
    ['select 1.5, 1e3, "a"', "select 0.1, 9e-7, 'b'"],
    ["insert into t values (1, 'a');", "insert into t values (2, '-- /* #');"],
    ["select 'a' 'b' from t", "select 'c' 'd' from t"],
    ["update t set a = _utf8mb4'x'", "update t set a = _utf8mb4'y'"],
    ['select a --1', 'select a --2'],
  ])('%s', (a, b) => {
    expect(fingerprintMysql(a, MYSQL)).not.toBeNull()
    expect(fingerprintMysql(a, MYSQL)).toBe(fingerprintMysql(b, MYSQL))
  })
})

describe('different keys', () => {
  test.each([
    ['select 1', "select '1'"],
    ['select 1', 'select 1.5'],
    ['select 1.5', 'select 1e5'],
    ['select a from t', 'select A from t'],
    ['select `a` from t', 'select a from t'],
    ["select 'a' 'b'", "select 'a'"],
    ['select @a', 'select @b'],
    ['select 1', 'select  1'],
  ])('%s and %s', (a, b) => {
    expect(fingerprintMysql(a, MYSQL)).not.toBe(fingerprintMysql(b, MYSQL))
  })
})

describe('no key', () => {
  test.each([
    "select 1 'alias'",
    "select a 'alias' from t",
    "select (1) 'alias'",
    "select 1 as 'alias'",
    "select `a` 'alias' from t",
    "select 1 into outfile 'f'",
    "select a collate 'x' from t",
    "select a->'$.b' from t",
    "select {d '2020-01-01'}",
    "select date '2020-01-01'",
    'select cast(a as char(3)) from t',
    'select cast(a as decimal (5, 2)) from t',
    "select _nope'a'",
    'select /* a */ 1',
    'select 1 /*! + 1 */',
    'select 1 -- a',
    'select 1 # a',
    'select /*+ a(b) */ 1',
    'select 1; select 2',
    "set a = 'b'",
    'create table t (a int default 1)',
    "select N'a'",
    "select x'41'",
    'select 0x41',
    'select t.1a from t',
    'select .5',
    'select 1e',
    'select 1234567890123456789',
    "select 'a",
    'select a\u0001',
    'select \\N',
    'select $$a$$',
    "select @'a'",
    `select ${'a,'.repeat(40_000)} 1`,
  ])('%s', (sql) => {
    for (const dialect of BOTH) expect(fingerprintMysql(sql, dialect)).toBeNull()
  })

  test('where double quotes are names under ANSI_QUOTES, they are kept', () => {
    const ansi = { ...MYSQL, ansiQuotes: true }
    expect(fingerprintMysql('select "a"', ansi)).toBe('select "a"')
  })
})

/** Pieces that lexers get wrong, put together at random. */
const piece = fc.constantFrom(
  ...'select|from t|where|and|as|a|b|`q`|"d"|*|,|(|)|=|||-|--|--1|#|/*|*/|/*!|.|..|@a|@@b|;|!|<|>|?|:='
    .split('|')
    .filter((text) => text !== ''),
  ...[
    "'s'",
    "'it''s'",
    "'\\'",
    "'\\\\'",
    "'",
    '1',
    '12',
    '1.5',
    '.5',
    '1.',
    '1e5',
    '1e',
    '0x1',
    "x'41'",
    "N'n'",
    '_utf8',
    ' ',
    '\n',
    '$a',
    '$$',
    '\\N',
    'like',
    'é',
    '\u00a0',
    '->',
    '||',
    'interval',
    'limit',
    'order by',
    'group by',
    'count',
    'date',
  ],
)
const texts = fc.array(piece, { maxLength: 9 }).map((pieces) => `select ${pieces.join('')}`)
const spaced = fc.array(piece, { maxLength: 12 }).map((pieces) => `select ${pieces.join(' ')}`)
const dialects = fc.constantFrom<Dialect>(
  MYSQL,
  MARIADB,
  { ...MYSQL, ansiQuotes: true },
  { ...MARIADB, noBackslashEscapes: true, ignoreSpace: true },
)

test('two random texts with one key have one tree but for literals', () => {
  const seen = new Map<string, string | null>()
  fc.assert(
    fc.property(fc.oneof(texts, spaced), dialects, (sql, dialect) => {
      const key = fingerprintMysql(sql, dialect)
      if (key === null) return
      const tree = treeOf(sql, dialect)
      const name = `${JSON.stringify(dialect)}${key}`
      const known = seen.get(name)
      if (known === undefined) seen.set(name, tree)
      else expect(tree).toBe(known)
    }),
    { numRuns: 20_000 },
  )
})

test('changing literals within their class changes neither key nor tree', () => {
  const string = fc.constantFrom(
    "'a'",
    "''",
    "'--'",
    "'/*'",
    "'#'",
    "'\"'",
    "'\\''",
    "'a''b'",
    '"x"',
  )
  const integer = fc.nat(2_147_483_647).map(String)
  const decimal = fc.constantFrom('1.5', '0.001', '123456789012.5')
  const template = fc.constantFrom(
    (s: string, i: string, d: string) =>
      `select ${s}, ${i} from t where a = ${d} and b in (${i}, ${i}) limit ${i}`,
    (s: string, i: string, d: string) =>
      `insert into t values (${s}, ${i}, ${d}) on duplicate key update a = ${s}`,
    (s: string, i: string, d: string) =>
      `update t set a = concat(${s}, ${s}), b = -${d} where c = --${i}`,
    (s: string, i: string) =>
      `with c as (select ${s} ${s}) select interval ${i} day + a from c where b like ${s}`,
    (s: string, i: string) =>
      `replace into t set a = case when ${i} then ${s} else _utf8mb4${s} end`,
  )
  const literals = fc.tuple(string, integer, decimal)
  fc.assert(
    fc.property(template, literals, literals, fc.constantFrom(...BOTH), (text, a, b, dialect) => {
      const first = text(...a)
      const second = text(...b)
      expect(fingerprintMysql(first, dialect)).not.toBeNull()
      expect(fingerprintMysql(first, dialect)).toBe(fingerprintMysql(second, dialect))
      expect(treeOf(first, dialect)).not.toBeNull()
      expect(treeOf(first, dialect)).toBe(treeOf(second, dialect))
    }),
    { numRuns: 1_000 },
  )
})
