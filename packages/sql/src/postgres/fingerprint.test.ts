import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fingerprintPostgres } from './fingerprint.ts'
import { Parser } from './parse.ts'

const parser = await Parser.create()

/** The parse tree with literals' values and all positions taken out; null when the text does not parse. */
function treeOf(sql: string): string | null {
  const outcome = parser.parse(sql)
  if (outcome.kind !== 'tree') return null
  return JSON.stringify(outcome.statements, (key, value) => {
    if (/^(stmt_)?(location|len)$|_location$|^rexpr_list_(start|end)$/.test(key)) return undefined
    if (key !== 'A_Const') return value
    return Object.keys(value)
      .filter((name) => name !== 'location')
      .sort()
  })
}

describe('equal keys', () => {
  test.each([
    ["select * from t where a = 1 and b = 'x'", "select * from t where a = 42 and b = 'it''s'"],
    ["select $$a$$, E'\\'', 'b'", "select 'c', $x$ d'$$ $x$, E''"],
    ["select B'1', X'f', 1.5", "select B'', X'00', 3000000000"],
    ["insert into t values (1, 'a');", "insert into t values (2, '--');"],
    ['select a -- x\n from t where b = 1', 'select a -- x\n from t where b = 2'],
  ])('%s', (a, b) => {
    expect(fingerprintPostgres(a)).not.toBeNull()
    expect(fingerprintPostgres(a)).toBe(fingerprintPostgres(b))
  })
})

describe('different keys', () => {
  test.each([
    ['select 1', "select '1'"],
    ['select 1', 'select 1.5'],
    ['select 2147483647', 'select 2147483648'],
    ["select B'1'", "select X'1'"],
    ['select a from t', 'select A from t'],
    ['select "a" from t', 'select a from t'],
    ['select $1', 'select $2'],
    ['select 1', 'select  1'],
    ['select /* a */ 1', 'select /* b */ 1'],
    ["select 'a' 'b'", "select 'a'\n'b'"],
  ])('%s and %s', (a, b) => {
    expect(fingerprintPostgres(a)).not.toBe(fingerprintPostgres(b))
  })
})

describe('misses', () => {
  test.each([
    'select 1::float(24)',
    "select U&'\\0041'",
    'select U&"a" from t where b = 1',
    "select N'a'",
    'select 0x1F',
    'select 1_000',
    'select 1e5',
    'select 1.',
    'select .5',
    'select 1a',
    "select 'a'b",
    'select 1; select 2',
    "set search_path = 'x'",
    "create role a password 'x'",
    'explain (analyze 0) select 1',
    "select 'unterminated",
    'select /* /* */ */ 1',
    'select /* unterminated',
    'select a\u0001',
    "\\ 'a'",
    `select ${'a,'.repeat(40_000)} 1`,
  ])('%s', (sql) => {
    expect(fingerprintPostgres(sql)).toBeNull()
  })

  test('a text without literals is its own key, whatever it says', () => {
    for (const sql of ['begin', 'set a.b = c', 'create table t (a int); drop table t']) {
      if (!sql.includes(';')) expect(fingerprintPostgres(sql)).toBe(sql)
      else expect(fingerprintPostgres(sql)).toBeNull()
    }
  })
})

/** Pieces that lexers get wrong, put together at random. */
const piece = fc.constantFrom(
  'select',
  'insert into t',
  'values',
  'from t',
  'where',
  'union',
  'as',
  'a',
  'b',
  '"q"',
  '"q""r"',
  '*',
  ',',
  '(',
  ')',
  '=',
  '||',
  '-',
  '--x\n',
  '/*c*/',
  "/* ' */",
  ' ',
  '\n',
  '\t',
  "'s'",
  "'s''t'",
  "E'\\''",
  "e'\\\\'",
  "E'\\",
  "'\\'",
  '$$d$$',
  "$t$'$t$",
  '$1',
  '$12',
  'a$1',
  '$',
  '$a',
  '1',
  '12',
  '-1',
  '1.5',
  '.5',
  '1.',
  '1..2',
  '0x1',
  '1e3',
  '2147483648',
  '9999999999',
  "B'01'",
  "x'1f'",
  "N'n'",
  "U&'u'",
  'U&"u"',
  "uescape '!'",
  "'",
  '"',
  ';',
  '::',
  'float(5)',
  'limit',
  'interval',
  "date'2020-01-01'",
  'order by',
  'é',
  '\u00a0',
  '\u0001',
  'E',
  'b',
  'x',
)
const texts = fc.array(piece, { maxLength: 9 }).map((pieces) => `select ${pieces.join('')}`)
const spaced = fc.array(piece, { maxLength: 12 }).map((pieces) => `select ${pieces.join(' ')}`)

describe('for random texts', () => {
  test('two with one key have one tree but for literals', () => {
    const seen = new Map<string, string | null>()
    fc.assert(
      fc.property(fc.oneof(texts, spaced), (sql) => {
        const key = fingerprintPostgres(sql)
        if (key === null) return
        const tree = treeOf(sql)
        const known = seen.get(key)
        if (known === undefined) seen.set(key, tree)
        else expect(tree).toBe(known)
      }),
      { numRuns: 20_000 },
    )
  })

  test('changing literals within their class changes neither key nor tree', () => {
    const string = fc.constantFrom("'a'", "''", "'--'", "'/*'", "'$$'", "E'\\''", '$$x$$', "'\"'")
    const integer = fc.nat(2_147_483_647).map(String)
    const decimal = fc.constantFrom('1.5', '0.001', '9999999999')
    const template = fc.constantFrom(
      (s: string, i: string, d: string) =>
        `select ${s}, ${i} from t where a = ${d} and b in (${i}, ${i})`,
      (s: string, i: string, d: string) =>
        `insert into t values (${s}, ${i}, ${d}) on conflict do nothing`,
      (s: string, i: string, d: string) =>
        `update t set a = ${s} || ${s}, b = -${d} where c = ${i}::int`,
      (s: string, i: string, d: string) =>
        `with c as (select ${s}) select * from c order by ${i} limit ${i} offset ${d}`,
      (s: string, i: string) =>
        `select date ${s}, interval ${s}, numeric(${i}, ${i}) ${s}, a[${i}:${i}], $1`,
    )
    fc.assert(
      fc.property(
        template,
        fc.tuple(string, integer, decimal),
        fc.tuple(string, integer, decimal),
        (text, a, b) => {
          const first = text(...a)
          const second = text(...b)
          expect(fingerprintPostgres(first)).not.toBeNull()
          expect(fingerprintPostgres(first)).toBe(fingerprintPostgres(second))
          expect(treeOf(first)).toBe(treeOf(second))
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
