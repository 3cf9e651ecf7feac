import { describe, expect, test } from 'vitest'
import { catalogOf, factsOf, NAMES, outputsText, relation } from './fixtures.ts'
import { PostgresReader } from './reader.ts'

const many = (n: number, text: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => text(i))
const wide = many(1_600, (i) => `c${i}`).join(' ')
const catalog = catalogOf([
  relation('t', 'c0 c1 c2'),
  ...many(400, (i) => `w${i}`).map((name) => relation(name, wide)),
])
const context = { catalog, names: NAMES }

describe('a short text that means a lot of work', () => {
  test.each([
    [
      'set operations over wide tables',
      `select * from w0${many(390, (i) => ` union select * from w${i}`).join('')}`,
    ],
    [
      'natural joins of wide tables',
      `select * from w0${many(390, (i) => ` natural join w${i}`).join('')}`,
    ],
  ])('%s is refused', async (_, sql) => {
    const reader = await PostgresReader.create()
    expect(reader.analyze(sql, context)).toMatchObject({
      kind: 'unparsable',
      code: 'too-complex',
      sqlstate: '54001',
    })
    expect(reader.analyze('select c1 from t', context).kind).toBe('statements')
  })

  test('nested conditions and chained windows take no time exponential in their depth', () => {
    const before = process.cpuUsage()
    for (const sql of [
      `select ${'case when '.repeat(150)}true${' then true end'.repeat(150)} from t`,
      `select ${'count(*) filter (where '.repeat(100)}true${')'.repeat(100)} from t`,
      `select sum(c1) over w200 from t window w0 as ()${many(200, (i) => `, w${i + 1} as (w${i} order by c1)`).join('')}`,
    ]) {
      expect(factsOf(sql, { catalog }).effects).toEqual(['read'])
    }
    // Processor time, so that a busy machine changes nothing; quadratic work takes far longer.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3_000)
  })

  test('columns that double with every CTE stop at the limit of the server', () => {
    const ctes = many(60, (i) => `a${i + 1} as (select *, * from a${i})`)
    const sql = `with a0 as (select * from t), ${ctes.join(', ')} select * from a60`
    expect(outputsText(factsOf(sql, { catalog }))).toBe('unknown')
  })

  test('a recursive query that does not settle is unknown', () => {
    const columns = (from: number) => many(100, (i) => `c${(i + from) % 100}`).join()
    const sql = `with recursive r as (select ${columns(0)} from w0 union all select ${columns(1)} from r) select c1 from r`
    const facts = factsOf(sql, { catalog })
    expect(facts.effects).toContain('unknown')
    expect(facts.outputs).toBe('unknown')
  })

  test('a recursive query with a merged join column settles, with and without its kin', () => {
    const sql =
      'with recursive r as (select c0, c1 from t union all select c0, w0.c1 from w0 join r using (c0)) select c0 from r'
    expect(outputsText(factsOf(sql, { catalog }))).toBe('c0~t.c0,w0.c0,w0.c0')
  })
})
