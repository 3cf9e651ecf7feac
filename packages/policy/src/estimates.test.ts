import type { StatementFacts } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile.ts'
import { decide } from './decide.ts'
import { type Estimate, settleEstimate } from './estimates.ts'
import { facts, policyOf, viewOf } from './testing.ts'
import type { Verdict } from './verdict.ts'

const orders = (access: 'read' | 'write') =>
  ({ schema: 'public', name: 'orders', access, kind: 'table' }) as const
const SELECT = facts({ relations: [orders('read')] })
const UPDATE = facts({ command: 'update', effects: ['write'], relations: [orders('write')] })

const RULES = `rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
  - name: big changes wait
    who: everyone
    approve: { effects: [write], estimated-rows: 100 }
    approvers: { groups: [dba], within: 5m }
  - name: never this dear
    who: everyone
    deny: { effects: [read], estimated-rows: 10, estimated-cost: 1000 }
`

function verdictOf(text: string, all: readonly StatementFacts[], estimate: Estimate | null) {
  const view = viewOf(policyOf(text))
  const verdict: Verdict = decide(
    view,
    { kind: 'statements', statements: all, fingerprint: '' },
    { now: 0 },
  )
  return verdict.kind === 'deny' ? verdict : settleEstimate(verdict, estimate)
}

describe('rules', () => {
  test.each<[string, StatementFacts, Estimate | null, string]>([
    ['a change at the bound', UPDATE, { rows: 100, cost: 1 }, 'allow'],
    ['a change above it', UPDATE, { rows: 101, cost: 1 }, 'approve'],
    ['a change nobody can estimate', UPDATE, null, 'approve'],
    ['reading above one bound of two', SELECT, { rows: 11, cost: 1000 }, 'allow'],
    ['reading above both', SELECT, { rows: 11, cost: 1001 }, 'deny'],
    ['reading where the cost is not said', SELECT, { rows: 11, cost: null }, 'deny'],
    ['reading nobody can estimate', SELECT, null, 'deny'],
  ])('%s', (_what, statement, estimate, expected) => {
    expect(verdictOf(RULES, [statement], estimate).kind).toBe(expected)
  })

  test('preparing is not running', () => {
    const prepare = facts({ ...UPDATE, command: 'prepare', commands: ['prepare', 'update'] })
    expect(verdictOf(RULES, [prepare], null).kind).toBe('allow')
  })

  test('several that ask must all be satisfied, in the shortest of their times', () => {
    const text = `${RULES}  - name: changes wait
    who: everyone
    approve: { effects: [write] }
    approvers: { groups: [leads], within: 20m }
`
    const settled = verdictOf(text, [UPDATE], { rows: 500, cost: 0 })
    expect(settled).toMatchObject({
      kind: 'approve',
      rule: 'changes wait + big changes wait',
      withinMs: 300_000,
      gates: [],
    })
    expect(verdictOf(text, [UPDATE], { rows: 5, cost: 0 })).toMatchObject({ rule: 'changes wait' })
  })

  test('give nothing: below its bounds such a rule would not match', () => {
    const text = `rules:
  - name: big changes
    who: everyone
    approve: { effects: [write], estimated-rows: 100 }
    approvers: { groups: [dba] }
  - { name: reading, who: everyone, allow: { effects: [read] } }
`
    expect(verdictOf(text, [UPDATE], { rows: 500, cost: 0 })).toMatchObject({ code: 'not-allowed' })
  })

  test('say what was too much, and never a value', () => {
    expect(verdictOf(RULES, [SELECT], { rows: 11, cost: 1001 })).toMatchObject({
      code: 'estimate',
      rule: 'never this dear',
      sqlstate: '53400',
      message:
        'the database expects more of this statement than "never this dear" lets it: 11 rows, cost 1001',
    })
    expect(verdictOf(RULES, [SELECT], null)).toMatchObject({ code: 'no-estimate' })
  })
})

describe('limits', () => {
  const limited = (limit: string): string => `rules:
  - { name: all, who: everyone, allow: { effects: ['*'], functions: ['*'], settings: ['*'] } }
limits:
  - { who: everyone, ${limit} }
`
  const DENY = limited('name: size, estimated-rows: 100, estimated-cost: 50')

  test.each<[string, string, StatementFacts, Estimate | null, string]>([
    ['at both bounds', DENY, SELECT, { rows: 100, cost: 50 }, 'allow'],
    ['above one of them', DENY, SELECT, { rows: 100, cost: 51 }, 'deny'],
    [
      'above, with people to ask',
      limited('estimated-rows: 100, on-exceed: approve, approvers: { groups: [dba] }'),
      UPDATE,
      { rows: 101, cost: 1 },
      'approve',
    ],
    ['of what cannot be estimated', DENY, SELECT, null, 'deny'],
    [
      'of a transaction',
      DENY,
      facts({ command: 'begin', effects: ['transaction'] }),
      null,
      'allow',
    ],
    ['of SELECT 1', DENY, facts(), null, 'allow'],
    [
      'of metadata',
      DENY,
      facts({
        relations: [{ schema: 'pg_catalog', name: 'pg_class', access: 'read', kind: 'table' }],
      }),
      null,
      'allow',
    ],
    ['of FETCH', DENY, facts({ ...SELECT, command: 'fetch' }), null, 'allow'],
    ['of DO', DENY, facts({ command: 'do', effects: ['procedural'] }), null, 'deny'],
  ])('%s', (_what, text, statement, estimate, expected) => {
    expect(verdictOf(text, [statement], estimate).kind).toBe(expected)
  })

  test('on estimates do not say what becomes of a result that is too long', () => {
    const { limits } = viewOf(
      policyOf(`limits:
  - { who: everyone, rows: 5, on-exceed: truncate }
  - { who: everyone, estimated-rows: 5, on-exceed: deny }
`),
    )
    expect(limits.onExceed).toBe('truncate')
  })
})

test.each([
  ['allow: { effects: [read], estimated-rows: 1 }', 5, 'belongs to an approve or deny rule'],
])('an allow rule has no estimate', (rule, line, message) => {
  const text = `version: 1\nrules:\n  - name: x\n    who: everyone\n    ${rule}\n`
  expect(compilePolicy([{ path: 'p', text }])).toMatchObject({
    errors: [{ line, message: expect.stringContaining(message) }],
  })
})

test.each([
  ['rows: 1, on-exceed: approve', 'needs `approvers`'],
  ['rows: 1, approvers: { groups: [a] }', 'belongs to a limit with'],
  ['estimated-rows: 1, on-exceed: truncate', 'cannot be cut'],
])('limit %s is a fault', (limit, message) => {
  const text = `version: 1\nlimits:\n  - { who: everyone, ${limit} }\n`
  expect(compilePolicy([{ path: 'p', text }])).toMatchObject({
    errors: [{ line: 3, message: expect.stringContaining(message) }],
  })
})
