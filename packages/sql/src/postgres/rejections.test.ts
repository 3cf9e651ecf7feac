import { describe, expect, test } from 'vitest'
import { NAMES } from './fixtures.ts'
import { PostgresReader } from './reader.ts'

const reader = await PostgresReader.create()

/** As PostgreSQL 18.4 answers them. */
const CASES: readonly (readonly [string, object])[] = [
  ['selec 1', { sqlstate: '42601', message: 'syntax error at or near "selec"', position: 1 }],
  ['select 1 from', { sqlstate: '42601', message: 'syntax error at end of input', position: 14 }],
  ["select 'é', from", { message: 'syntax error at or near "from"', position: 13 }],
  ["select '😀', from", { position: 13 }],
  ["select 'abc", { message: 'unterminated quoted string at or near "\'abc"', position: 8 }],
  [
    'select 1 limit 1, 2',
    {
      message: 'LIMIT #,# syntax is not supported',
      hint: 'Use separate LIMIT and OFFSET clauses.',
    },
  ],
  [
    "select E'\\u00zz'",
    {
      sqlstate: '22025',
      message: 'invalid Unicode escape',
      hint: 'Unicode escapes must be \\uXXXX or \\UXXXXXXXX.',
    },
  ],
  [
    "select U&'\\00zz'",
    {
      sqlstate: '42601',
      message: 'invalid Unicode escape',
      hint: 'Unicode escapes must be \\XXXX or \\+XXXXXX.',
    },
  ],
  [
    'select 1::float(100)',
    { sqlstate: '22023', message: 'precision for type float must be less than 54 bits' },
  ],
  ['create role public', { sqlstate: '42939', message: 'role name "public" is reserved' }],
  [
    'create assertion a check (true)',
    { sqlstate: '0A000', message: 'CREATE ASSERTION is not yet implemented' },
  ],
  ['select sum(1) over (rows unbounded following)', { sqlstate: '42P20' }],
  [
    'drop operator + (int)',
    {
      message: 'missing argument',
      hint: 'Use NONE to denote the missing argument of a unary operator.',
    },
  ],
]

describe('a text that the grammar rejects', () => {
  test.each(CASES)('%s', (sql, expected) => {
    const analysis = reader.analyze(sql, { catalog: null, names: NAMES })
    expect(analysis).toMatchObject({ kind: 'unparsable', code: 'syntax', ...expected })
  })

  test('an empty text is no statement', () => {
    for (const sql of ['', ' ', ';', '-- x', '/* x */ ;']) {
      expect(reader.analyze(sql, { catalog: null, names: NAMES })).toMatchObject({
        kind: 'statements',
        statements: [],
      })
    }
  })
})
