import { expect, test } from 'vitest'
import { type Bound, bindingOf } from './binding.ts'

const BOUND: Bound = {
  engine: 'postgres',
  issuer: 'https://login',
  subject: 'agent',
  role: 'writer',
  graph: 'g',
  node: 'n',
  run: 'r',
  connection: 'crm',
  database: 'crm',
  policyVersion: 'v1',
  statement: Buffer.from('DELETE FROM t WHERE n = $1'),
  parameters: Buffer.from([0, 0, 0, 1, 0x31]),
  state: ['search_path=public', 'role=none'],
}

test('is the same for the same', () => {
  expect(bindingOf({ ...BOUND, statement: Buffer.from(BOUND.statement) })).toBe(bindingOf(BOUND))
})

test.each<[string, Partial<Bound>]>([
  ['engine', { engine: 'mysql' }],
  ['issuer', { issuer: 'https://other' }],
  ['subject', { subject: 'agent2' }],
  ['role', { role: '' }],
  ['graph', { graph: null }],
  ['node', { node: 'm' }],
  ['run', { run: 'r2' }],
  ['connection', { connection: 'shop' }],
  ['database', { database: 'crm2' }],
  ['policy', { policyVersion: 'v2' }],
  ['statement, by one byte', { statement: Buffer.from('DELETE FROM t WHERE n = $1 ') }],
  ['parameters', { parameters: Buffer.from([0, 0, 0, 1, 0x32]) }],
  ['parameters, none or empty', { parameters: Buffer.alloc(0) }],
  ['parameters, none at all', { parameters: null }],
  ['a setting', { state: ['search_path=other', 'role=none'] }],
  ['a setting more', { state: [...BOUND.state, 'x=1'] }],
  ['settings joined otherwise', { state: ['search_path=publicrole=none'] }],
  ['fields joined otherwise', { graph: 'gn', node: '' }],
])('is another for another %s', (_what, other) => {
  expect(bindingOf({ ...BOUND, ...other })).not.toBe(bindingOf(BOUND))
})
