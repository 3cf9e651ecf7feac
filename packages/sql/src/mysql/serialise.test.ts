import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dialect } from './ast.ts'
import { SqlError } from './errors.ts'
import { MARIADB, MYSQL } from './fixtures.ts'
import { lex } from './lex/lexer.ts'
import { serialise } from './serialise.ts'

function again(sql: string, dialect: Dialect = MYSQL): string {
  return serialise(sql, lex(sql, dialect).slice(0, -1), dialect)
}

describe('serialise', () => {
  test('leaves a text without comments as it is', () => {
    expect(again("select  'a\\'',\n\t`b`")).toBe("select  'a\\'',\n\t`b`")
  })

  test.each([
    ['select /* a */ 1 -- b\n, 2 # c', 'select 1 , 2'],
    ['select 1 /*! union select ssn from t */', 'select 1 union select ssn from t'],
    ['select 1 /*!99999 + 1 */ + 2', 'select 1 + 2'],
    ['select/**/1', 'select 1'],
    [
      'select /*+ max_execution_time(1) */ 1 /* x */ + 1',
      'select /*+ max_execution_time(1) */ 1 + 1',
    ],
    ["select 'a'/**/'b'", "select 'a' 'b'"],
    ['select --/*!1*/ 2', 'select - - 1 2'],
    ['select count/**/(1)', 'select count (1)'],
  ])('%s', (sql, expected) => {
    expect(again(sql)).toBe(expected)
  })

  test('keeps a function word and its bracket apart under IGNORE_SPACE', () => {
    expect(again('select count/* x */(1)', { ...MYSQL, ignoreSpace: true })).toBe(
      'select/**/count/**/(1)'.replace('select/**/', 'select '),
    )
  })

  const piece = fc.constantFrom(
    'select',
    'a',
    '1',
    '.5',
    "'s'",
    '"d"',
    '`q`',
    '.',
    '-',
    '--',
    '--1',
    '/',
    '*',
    '/**/',
    '/*!',
    '/*!50000',
    '/*!99999',
    '/*M!',
    '/*+ x */',
    '*/',
    '-- c\n',
    '# c\n',
    ' ',
    '\n',
    '@a',
    '@@b',
    '(',
    ')',
    'count',
    '_utf8',
    "x'41'",
    "N'n'",
    'e5',
    '1e',
    '<',
    '=',
    '>',
    '!',
    ':',
    '?',
    ';',
    '\\N',
    '$$x$$',
    '|',
    '&',
    '0x1',
    '->',
    ',',
  )
  const dialect = fc.constantFrom(MYSQL, MARIADB, { ...MYSQL, ignoreSpace: true, ansiQuotes: true })

  test('what it gives reads as the same tokens, for any text that reads', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), dialect, (pieces, of) => {
        const sql = pieces.join('')
        let tokens: ReturnType<typeof lex>
        try {
          tokens = lex(sql, of)
        } catch (error) {
          expect(error).toBeInstanceOf(SqlError)
          return
        }
        const shape = (list: typeof tokens) =>
          list.map(({ type, key, value, quote }) => [type, key, value, quote])
        // It refuses by itself where this would not hold.
        const text = serialise(sql, tokens.slice(0, -1), of)
        expect(shape(lex(text, of))).toEqual(shape(tokens))
        expect(text).not.toMatch(/--[\s]/)
      }),
      { numRuns: 20_000 },
    )
  })
})
