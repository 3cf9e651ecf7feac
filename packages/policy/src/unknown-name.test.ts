import type { MissingName } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import { facts, judge, policyOf, use, viewOf } from './testing.ts'

const view = viewOf(
  policyOf(`
rules:
  - { name: shop, who: everyone, allow: { effects: [read], relations: [public.orders, public.customers] } }
masks:
  - { columns: [public.customers.email], with: redact }
`),
)
const ORDERS = use('public.orders')
const missing = (kind: MissingName['kind'], name: string, ...there: string[]): MissingName => ({
  kind,
  name,
  there,
})

describe('a name that stands for nothing is said to', () => {
  test.each([
    [
      'a column',
      { outputs: 'unknown', missing: [missing('column', 'o.totl', 'id', 'total', 'note')] },
      {
        sqlstate: '42703',
        message: 'column "o.totl" does not exist',
        detail: 'there are: id, total, note',
        hint: 'Perhaps you meant "total".',
      },
    ],
    [
      'a column that may be a function',
      {
        effects: ['read', 'procedural'],
        functions: [{ schema: null, name: 'zip', purity: 'opaque' }],
        missing: [missing('column', 'o.zip', 'id', 'total')],
      },
      {
        sqlstate: '42703',
        message: 'column "o.zip" does not exist',
        hint: 'Use one of these, or look it up in information_schema.columns.',
      },
    ],
    [
      'a qualifier',
      { outputs: 'unknown', missing: [missing('qualifier', 'x', 'orders', 'c')] },
      {
        sqlstate: '42P01',
        message: 'missing FROM-clause entry for "x"',
        detail: 'there are: orders, c',
      },
    ],
    [
      'a function',
      {
        effects: ['read', 'procedural'],
        functions: [{ schema: null, name: 'strftime', purity: 'opaque' }],
        missing: [missing('function', 'strftime')],
      },
      { sqlstate: '42883', message: 'function "strftime" does not exist' },
    ],
  ] as const)('%s', (_, more, expected) => {
    const verdict = judge(view, facts({ relations: [ORDERS], ...more }))
    expect(verdict).toMatchObject({ kind: 'deny', code: 'unknown-name', ...expected })
  })

  test('a relation; only one that may be read is suggested', () => {
    const nowhere = (name: string) => ({ ...use(`public.${name}`), kind: 'unresolved' }) as const
    const of = (name: string) =>
      judge(
        view,
        facts({
          relations: [nowhere(name)],
          missing: [missing('relation', name, 'public.orders', 'public.salaries')],
        }),
      )
    expect(of('order')).toMatchObject({
      code: 'unknown-name',
      sqlstate: '42P01',
      message: 'relation "order" does not exist',
      hint: 'Perhaps you meant "orders".',
    })
    expect(of('salary')).toMatchObject({ hint: 'Look it up in information_schema.tables.' })
  })
})

test('nothing is said of what is not granted', () => {
  const verdict = judge(
    view,
    facts({
      relations: [use('public.salaries')],
      outputs: 'unknown',
      missing: [missing('column', 'amont', 'amount')],
    }),
  )
  expect(verdict).toMatchObject({ code: 'not-allowed' })
  expect(JSON.stringify(verdict)).not.toContain('amount')
})
