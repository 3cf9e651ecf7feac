import { describe, expect, test } from 'vitest'
import { NAMES } from './fixtures.ts'
import { refusalFor } from './guards.ts'
import {
  STATEMENT_BYTES_MAX,
  STATEMENT_TOKENS_MAX,
  STATEMENTS_MAX,
  TREE_DEPTH_MAX,
} from './limits.ts'
import { Parser } from './parse.ts'
import { PostgresReader } from './reader.ts'

/** Texts that nest `n` deep, each in its own way. */
const NESTING: Readonly<Record<string, (n: number) => string>> = {
  operators: (n) => `select 1${'+1'.repeat(n)}`,
  parentheses: (n) => `select ${'('.repeat(n)}1${')'.repeat(n)}`,
  unions: (n) => `select 1${' union select 1, 2'.repeat(n)}`,
  joins: (n) => `select 1 from t${' join t on a and b'.repeat(n)}`,
  'nested joins': (n) => `select 1 from ${'(t join '.repeat(n)}t${' on 1)'.repeat(n)}`,
  casts: (n) => `select 1${'::int'.repeat(n)}`,
  negations: (n) => `select ${'not '.repeat(n)}true`,
  'unary minus': (n) => `select ${'- '.repeat(n)}a`,
  calls: (n) => `select ${'f('.repeat(n)}1${')'.repeat(n)}`,
  cases: (n) => `select ${'case when 1 then '.repeat(n)}1${' end'.repeat(n)}`,
  'null tests': (n) => `select 1${' is null'.repeat(n)}`,
  subqueries: (n) => `select ${'(select '.repeat(n)}1${')'.repeat(n)}`,
  arrays: (n) => `select ${'array['.repeat(n)}1${']'.repeat(n)}`,
  collations: (n) => `select a${' collate "C"'.repeat(n)}`,
  ctes: (n) => `${'with a as ('.repeat(n)}select 1${') select 1'.repeat(n)}`,
  'time zones': (n) => `select a${" at time zone 'x'".repeat(n)}`,
}
const forms = Object.entries(NESTING)
const context = { catalog: null, names: NAMES }

describe('the pre-scan', () => {
  test('refuses a text over the byte cap', () => {
    expect(refusalFor(`select '${'é'.repeat(STATEMENT_BYTES_MAX / 2)}'`)?.code).toBe('too-large')
    expect(refusalFor(`select '${'x'.repeat(STATEMENT_BYTES_MAX - 9)}'`)).toBeNull()
  })

  test.each(['select 1\0; drop table t', 'select \ud800'])('refuses %j as badly encoded', (sql) => {
    expect(refusalFor(sql)?.code).toBe('encoding')
  })

  test('refuses comments that nest deeper than 32, in linear time', () => {
    const nested = (n: number) => `select ${'/*'.repeat(n)}${'*/'.repeat(n)} 1`
    expect(refusalFor(nested(32))).toBeNull()
    expect(refusalFor(nested(33))?.code).toBe('too-complex')
    const before = process.cpuUsage()
    expect(refusalFor(nested(100_000))?.code).toBe('too-complex')
    expect(refusalFor(`select ${'/**/'.repeat(100_000)} 1`)).toBeNull()
    // Processor time, so that a busy machine changes nothing; quadratic work takes far longer.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3_000)
  })

  test('knows strings, identifiers and dollar quotes from comments', () => {
    const opener = '/*'.repeat(40)
    for (const sql of [
      `'${opener}'`,
      `"${opener}"`,
      `$$${opener}$$`,
      `$a$${opener}$a$`,
      `E'\\'${opener}'`,
      `-- ${opener}\n1`,
    ]) {
      expect(refusalFor(`select ${sql}`), sql).toBeNull()
    }
    expect(refusalFor(`select 'a\\'${opener}`)?.code).toBe('too-complex')
    expect(refusalFor(`select a$$${opener}`)?.code).toBe('too-complex')
  })

  test('refuses more statements or tokens than the caps', () => {
    expect(refusalFor('select 1;'.repeat(STATEMENTS_MAX))?.code).toBe('too-complex')
    expect(refusalFor('select 1;'.repeat(STATEMENTS_MAX - 1))).toBeNull()
    expect(refusalFor(`select 1${',1'.repeat(STATEMENT_TOKENS_MAX / 2)}`)?.code).toBe('too-complex')
  })

  test('lets wide texts pass that are not deep', () => {
    for (const sql of [
      `select * from t where a in (1${',2'.repeat(10_000)})`,
      `insert into t values (1, 'a')${", (2, 'b' || 'c')".repeat(5_000)}`,
      `select * from t where a = 1${' or (b = 2 and c = 3)'.repeat(5_000)}`,
      `select ${Array.from({ length: 1_600 }, (_, i) => `c${i} + 1 as d${i}`).join()} from t`,
      `select case${' when a = 1 then b + 2'.repeat(3_000)} end`,
    ]) {
      expect(refusalFor(sql), sql.slice(0, 40)).toBeNull()
    }
  })

  test.each(forms)('refuses %s deeper than the cap', (_, form) => {
    expect(refusalFor(form(TREE_DEPTH_MAX + 1))?.code).toBe('too-complex')
  })
})

describe('the reader', () => {
  test.each(forms)('survives %s just below the cap, many times over', async (_, form) => {
    const reader = await PostgresReader.create()
    let depth = TREE_DEPTH_MAX
    while (refusalFor(form(depth)) !== null) depth -= 10
    const analysis = reader.analyze(form(depth), context)
    // Some of these are not SQL; none may break the parser.
    if (analysis.kind === 'unparsable') expect(analysis.code).toBe('syntax')
    const parser = await Parser.create()
    for (let round = 0; round < 50; round++) {
      expect(parser.parse(form(depth)).kind).not.toBe('broken')
    }
    expect(reader.analyze('select 1', context).kind).toBe('statements')
  })

  test('answers a refused text without parsing it', async () => {
    const reader = await PostgresReader.create()
    expect(reader.analyze('select 1\0', context)).toMatchObject({
      kind: 'unparsable',
      code: 'encoding',
    })
    expect(reader.ready()).toBeNull()
  })
})

describe('the parser', () => {
  test('is re-created after a fault and works again', async () => {
    const parser = await Parser.create()
    expect(parser.parse(`select 1${'+1'.repeat(60_000)}`).kind).toBe('broken')
    expect(parser.ready()).not.toBeNull()
    expect(parser.parse('select 1').kind).toBe('broken')
    await parser.ready()
    expect(parser.ready()).toBeNull()
    expect(parser.parse('select 1').kind).toBe('tree')
  })
})
