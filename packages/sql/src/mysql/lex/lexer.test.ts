import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Dialect } from '../ast.ts'
import { SqlError } from '../errors.ts'
import { BOTH, MARIADB, MYSQL } from '../fixtures.ts'
import { STATEMENT_LENGTH_MAX } from '../limits.ts'
import { lex } from './lexer.ts'

/** `type:text` of every token but the last. */
function tokens(sql: string, dialect: Dialect = MYSQL): string[] {
  return lex(sql, dialect)
    .slice(0, -1)
    .map(({ type, start, end }) => `${type}:${sql.slice(start, end)}`)
}

/** The texts of the tokens, or why there are none. */
function texts(sql: string, dialect: Dialect): string {
  try {
    return tokens(sql, dialect)
      .map((token) => token.slice(token.indexOf(':') + 1))
      .join(' ')
  } catch (error) {
    if (error instanceof SqlError) return 'error'
    throw error
  }
}

const RUNS = '1 + 1'
const COMMENT = '1'

describe('executable comments', () => {
  // As MySQL 9.7.4 and MariaDB 10.11.19 take them; test/integration asks the servers the same.
  test.each([
    ['1 /*! + 1 */', RUNS, RUNS],
    ['1 /*!50000 + 1 */', RUNS, RUNS],
    ['1 /*!50699 + 1 */', RUNS, RUNS],
    ['1 /*!050000 + 1 */', RUNS, RUNS],
    ['1 /*!50700 + 1 */', RUNS, COMMENT],
    ['1 /*!80400 + 1 */', RUNS, COMMENT],
    ['1 /*!90704 + 1 */', RUNS, COMMENT],
    ['1 /*!90705 + 1 */', COMMENT, COMMENT],
    ['1 /*!99999 + 1 */', COMMENT, COMMENT],
    ['1 /*!080000 + 1 */', RUNS, COMMENT],
    ['1 /*!100000 + 1 */', COMMENT, RUNS],
    ['1 /*!101119 + 1 */', COMMENT, RUNS],
    ['1 /*!101120 + 1 */', COMMENT, COMMENT],
    ['1 /*!110000 + 1 */', COMMENT, COMMENT],
    ['1 /*!999999 + 1 */', COMMENT, COMMENT],
    ['1 + /*!5 */', '1 + 5', '1 + 5'],
    ['1 + /*!5000 */', '1 + 5000', '1 + 5000'],
    ['1 + /*!0500001 */', '1 + 01', '1 + 1'],
    ['1 + /*!050000+ 1 */', '1 + 0 + 1', '1 + + 1'],
    ['1 + /*!100000, 1 */', '1 + 0 , 1', '1 + , 1'],
    ['1 /*!100000\t+ 1 */', COMMENT, RUNS],
    ['1 /*M! + 1 */', COMMENT, RUNS],
    ['1 /*M!100100 + 1 */', COMMENT, RUNS],
    ['1 /*M!50700 + 1 */', COMMENT, RUNS],
    ['1 /*M!101120 + 1 */', COMMENT, COMMENT],
    ['1 /*m! + 1 */', COMMENT, COMMENT],
    ['1 /* ! + 1 */', COMMENT, COMMENT],
    ['1 /*! /* b */ + 1 */', RUNS, RUNS],
    ['1 /*!99999 a /* b */ c */ + 1', RUNS, RUNS],
    ['1 /*!99999 /*! x */ y */ + 1', RUNS, RUNS],
    ['1 /*! /*! + 1 */ */', 'error', 'error'],
    ['1 /*! + 1', 'error', 'error'],
    ['1 /*!99999 + 1', 'error', 'error'],
    ['1 /* + 1', 'error', 'error'],
    ['1 /*/ + 1', 'error', 'error'],
    ["1 /*! , '*/' */", "1 , '*/'", "1 , '*/'"],
  ])('%s', (sql, mysql, mariadb) => {
    expect(texts(sql, MYSQL)).toBe(mysql)
    expect(texts(sql, MARIADB)).toBe(mariadb)
  })
})

describe('line comments', () => {
  const ends = ['\t', '\n', '\r', '\v', '\f', ' ', '\x01', '\x1f', '\x7f']
  test.each(ends)('two dashes and %j begin one', (char) => {
    for (const dialect of BOTH)
      expect(texts(`1 --${char}x`, dialect)).toBe(char === '\n' ? '1 x' : '1')
  })

  test('at the end of the text two dashes are one', () => {
    expect(texts('1 --', MYSQL)).toBe('1')
  })

  test('two dashes in front of anything else are two signs', () => {
    expect(texts('1 --1', MYSQL)).toBe('1 - - 1')
    expect(texts('1 ---1', MYSQL)).toBe('1 - - - 1')
    expect(texts('1 --\u00a01', MYSQL)).toBe('1 - - \u00a01')
  })

  test('only a line feed ends them', () => {
    expect(texts('1 # x\r2\n3', MYSQL)).toBe('1 3')
  })
})

describe('strings', () => {
  test('a backslash takes the quote behind it, unless NO_BACKSLASH_ESCAPES', () => {
    expect(tokens("'a\\' or 1=1 -- '")).toEqual(["string:'a\\' or 1=1 -- '"])
    const plain = { ...MYSQL, noBackslashEscapes: true }
    expect(tokens("'a\\' or 1", plain)).toEqual(["string:'a\\'", 'word:or', 'integer:1'])
  })

  test('double quotes hold strings, or names under ANSI_QUOTES', () => {
    expect(tokens('"a"')).toEqual(['string:"a"'])
    expect(tokens('"a\\"', { ...MYSQL, ansiQuotes: true })).toEqual(['name:"a\\"'])
  })

  test.each([
    ["'it''s'", "it's"],
    ["'\\n\\0\\Z\\'\\q\\%\\_'", "\n\0\x1a'q\\%\\_"],
    ['"a""b\'\'"', "a\"b''"],
    ["N'x'", 'x'],
    ["x'4142'", '4142'],
    ["b'01'", '01'],
    ['0x1F', '1F'],
    ['`a``b`', 'a`b'],
  ])('%s says %j', (sql, value) => {
    expect(lex(sql, MYSQL)[0]?.value).toBe(value)
  })

  test.each(["'a", '"a', '`a', "N'a", "x'4'", "x'4g'", "b'2'", "@'a", '@`a', "'a\\'"])(
    '%s is refused',
    (sql) => {
      for (const dialect of BOTH) expect(texts(sql, dialect)).toBe('error')
    },
  )
})

describe('names and numbers', () => {
  test('a word next to a dot is no keyword, and may begin with a digit', () => {
    expect(tokens('select.from.1a')).toEqual([
      'name:select',
      'operator:.',
      'name:from',
      'operator:.',
      'name:1a',
    ])
    expect(tokens('select . from').map((token) => token.split(':')[0])).toEqual([
      'word',
      'operator',
      'word',
    ])
  })

  test.each([
    ['1e5', ['float:1e5']],
    ['1e5x', ['float:1e5', 'word:x']],
    ['1e', ['name:1e']],
    ['1.5e3', ['float:1.5e3']],
    ['1.', ['decimal:1.']],
    ['.5', ['decimal:.5']],
    ['0x1', ['hex:0x1']],
    ['0X1', ['name:0X1']],
    ['0xg', ['name:0xg']],
    ['0b12', ['name:0b12']],
    ['1a', ['name:1a']],
    ['_utf8mb4 _nope', ['introducer:_utf8mb4', 'word:_nope']],
    ['@a.b @@global.x', ['variable:@a.b', 'operator:@@', 'word:global', 'operator:.', 'name:x']],
  ])('%s', (sql, expected) => {
    expect(tokens(sql)).toEqual(expected)
  })

  test('a word with a letter beyond ASCII is a name, though its upper case is a keyword', () => {
    expect(lex('\u017felect', MYSQL)[0]?.key).toBe('')
  })

  test.each(['1.5e', '@@ version', '`\u{1f600}`', 'a\u{1f600}', '?a', '\ud800'])(
    '%s is refused',
    (sql) => {
      for (const dialect of BOTH) expect(texts(sql, dialect)).toBe('error')
    },
  )
})

describe('operators', () => {
  test('MySQL takes comparison signs greedily, and what it takes must be an operator', () => {
    for (const sql of ['1=!1', '!!1', '!<1', '1><1', '1=<1', '1<=!1'])
      expect(texts(sql, MYSQL)).toBe('error')
    expect(texts('1=!1', MARIADB)).toBe('1 = ! 1')
    expect(texts('1<=>1<>1<<1', MYSQL)).toBe('1 <=> 1 <> 1 << 1')
  })

  test('`->` is MySQL, `..` and \\N are MariaDB', () => {
    expect(texts("a->>'$'", MYSQL)).toBe("a ->> '$'")
    expect(texts("a->>'$'", MARIADB)).toBe("a - > > '$'".replace('> >', '>>'))
    expect(texts('1..2', MARIADB)).toBe('1 .. 2')
    expect(texts('\\N', MARIADB)).toBe('\\N')
    expect(texts('\\N', MYSQL)).toBe('error')
  })
})

describe('optimizer hints', () => {
  test('stand right behind five words, on MySQL', () => {
    expect(tokens('select /*+ a(b) */ 1')).toEqual(['word:select', 'hint:/*+ a(b) */', 'integer:1'])
    expect(tokens('select /*+ a(b) */ 1', MARIADB)).toEqual(['word:select', 'integer:1'])
    expect(tokens('select /**/ /*+ a(b) */ 1')).toEqual(['word:select', 'integer:1'])
    expect(tokens('show /*+ a(b) */ x')).toEqual(['word:show', 'word:x'])
  })

  test('are refused where their own lexer may see another end', () => {
    for (const sql of [
      'select /*+ "*/" */ 1',
      "select /*+ ' */ 1",
      'select /*+ \\ */ 1',
      'select /*+ a',
    ])
      expect(texts(sql, MYSQL)).toBe('error')
  })
})

describe('NUL', () => {
  test('is taken at the end behind a semicolon, nowhere else', () => {
    for (const dialect of BOTH) {
      expect(texts('1;\0', dialect)).toBe('1 ;')
      for (const sql of ['1\0', '1;\0 ', 'a\0b', '-- a\0', '/* \0 */ 1', '`a\0`'])
        expect(texts(sql, dialect)).toBe('error')
    }
  })
})

test('a text at the cap is read, one character longer is refused', () => {
  const text = `'${'a'.repeat(STATEMENT_LENGTH_MAX - 2)}'`
  expect(tokens(text)).toHaveLength(1)
  expect(() => lex(`${text} `, MYSQL)).toThrow(/longer than/)
})

test('any text gives tokens that cover it in order, or an SqlError', () => {
  const dialect = fc.constantFrom(MYSQL, MARIADB, {
    ...MYSQL,
    ansiQuotes: true,
    noBackslashEscapes: true,
  })
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), dialect, (sql, of) => {
      try {
        let at = 0
        for (const { start, end } of lex(sql, of)) {
          expect(start).toBeGreaterThanOrEqual(at)
          expect(end).toBeGreaterThanOrEqual(start)
          at = end
        }
      } catch (error) {
        expect(error).toBeInstanceOf(SqlError)
      }
    }),
    { numRuns: 5_000 },
  )
})
