import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { LAYOUT_LENGTH_MAX } from './layout.ts'
import type { Dialect } from './mysql/ast.ts'
import { BOTH } from './mysql/fixtures.ts'
import { layOutMysql } from './mysql/layout.ts'
import { lex } from './mysql/lex/lexer.ts'
import { layOutPostgres } from './postgres/layout.ts'
import { Parser } from './postgres/parse.ts'

const LAID_OUT: readonly (readonly [sql: string, lines: readonly string[]])[] = [
  [
    "DELETE FROM orders WHERE id = 7 /*reason='x'*/",
    ["DELETE FROM orders WHERE id = 7 /*reason='x'*/"],
  ],
  [
    "update public.customers c set name='Ada  Lovelace', status=case when c.n>1 then 'more' else 'less' end where " +
      "c.region in (select id from regions where name='north' and open) and c.n between 1 and 2 or c.id=7",
    [
      'update public.customers c',
      "set name='Ada  Lovelace', status=case when c.n>1 then 'more' else 'less' end",
      "where c.region in (select id from regions where name='north' and open)",
      '  and c.n between 1 and 2',
      '  or c.id=7',
    ],
  ],
  [
    "insert into notes (id,body) values (1,'one -- not a comment'),(2,'two, and (more)'),(3,'three') ; select 1",
    [
      'insert into notes (id, body)',
      "values (1, 'one -- not a comment'), (2, 'two, and (more)'), (3, 'three');",
      'select 1',
    ],
  ],
  [
    'select count (*), a -- the first\n from t join u on t.id = u.id where a = 1',
    ['select count (*), a -- the first', 'from t', 'join u on t.id = u.id', 'where a = 1'],
  ],
]

test.each(LAID_OUT)('%s', (sql, lines) => {
  expect(layOutPostgres(sql)?.split('\n')).toEqual(lines)
  for (const dialect of BOTH) expect(layOutMysql(sql, dialect)?.split('\n')).toEqual(lines)
})

test('what cannot be read with certainty is not laid out', () => {
  for (const sql of ["select 'open", 'select /* open', "select 'a\\', b, 'c'", '"open']) {
    expect(layOutPostgres(sql)).toBeNull()
  }
  for (const dialect of BOTH) expect(layOutMysql("select 'open", dialect)).toBeNull()
  const long = `select ${'1,'.repeat(LAYOUT_LENGTH_MAX)}1`
  expect(layOutPostgres(long)).toBeNull()
  expect(layOutMysql(long, BOTH[0])).toBeNull()
})

/** Everything that could be torn apart, glued together or lost. */
const TOKENS = (
  "select from where and or between case when then else end ( ) ( ) , , ; . * + - -- || :: -> = <> < 'a' 'it''s' " +
  `'x\\n' "q""t" \`b\` $1 $$d$$ $t$(,$t$ E'\\'' b'01' x'ff' 1 1.5 1e-3 .5 count values set update insert into on ` +
  '/*c*/ /*!50000 /*+ */ --x\n #y\n @v := ? { } ü left join'
).split(' ')
const GAPS = ['', '', ' ', '  ', '\n', '\t', ' /* why */ ', ' -- why\n ', '\r\n'] as const
const soup = fc
  .array(fc.tuple(fc.constantFrom(...TOKENS), fc.constantFrom(...GAPS)), { maxLength: 60 })
  .map((all) => all.map((one) => one.join('')).join(''))

const withoutSpace = (text: string): string => text.replace(/[ \t\n\r\f\v]+/g, '')

describe('whatever the text', () => {
  let parser: Parser
  beforeAll(async () => {
    parser = await Parser.create()
  })

  test('PostgreSQL reads the same statement', () => {
    fc.assert(
      fc.property(soup, (sql) => {
        const text = layOutPostgres(sql)
        if (text === null) return
        expect(withoutSpace(text)).toBe(withoutSpace(sql))
        expect(layOutPostgres(text)).toBe(text)
        expect(treeOf(parser, text)).toEqual(treeOf(parser, sql))
      }),
      { numRuns: 2_000 },
    )
  })

  test('MySQL and MariaDB read the same tokens', () => {
    fc.assert(
      fc.property(soup, fc.constantFrom(...BOTH), (sql, dialect) => {
        const text = layOutMysql(sql, dialect)
        if (text === null) return
        expect(withoutSpace(text)).toBe(withoutSpace(sql))
        const read = (one: string) =>
          lex(one, dialect).map(({ start, end, type, key }) => [type, key, one.slice(start, end)])
        expect(read(text)).toEqual(read(sql))
        // `count(` is a call, `count (` may be a column.
        expect(calls(text, dialect)).toEqual(calls(sql, dialect))
      }),
      { numRuns: 2_000 },
    )
  })
})

/** Where a parenthesis stands right behind a word. */
function calls(sql: string, dialect: Dialect): number[] {
  const tokens = lex(sql, dialect)
  return tokens.flatMap(({ gap, key }, i) =>
    key === '(' && gap === '' && /^(word|name)$/.test(tokens[i - 1]?.type ?? '') ? [i] : [],
  )
}

/** Without places in the text; null where it is none. */
function treeOf(parser: Parser, sql: string): unknown {
  const found = parser.parse(sql)
  if (found.kind !== 'tree') return null
  return JSON.parse(
    JSON.stringify(found, (key, value) =>
      /location|stmt_len|_start|_end$/.test(key) ? undefined : value,
    ),
  )
}
