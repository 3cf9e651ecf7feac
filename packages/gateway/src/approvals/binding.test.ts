import { expect, test } from 'vitest'
import { type Bound, bindingOf } from './binding.ts'

const text = (value: string) => Buffer.from(value)
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
  statement: text('DELETE FROM t WHERE id = $1'),
  parameters: text('\0\x017'),
  state: ['search_path=public', 'role=none'],
}

test('is the same for the same', () => {
  expect(bindingOf({ ...BOUND, statement: new Uint8Array(BOUND.statement) })).toBe(bindingOf(BOUND))
  expect(bindingOf(BOUND)).toMatch(/^[0-9a-f]{64}$/)
})

test.each<[string, Partial<Bound>]>([
  ['engine', { engine: 'mysql' }],
  ['issuer', { issuer: 'https://other' }],
  ['subject', { subject: 'agent2' }],
  ['role', { role: '' }],
  ['graph', { graph: null }],
  ['graph, empty', { graph: '' }],
  ['node', { node: 'm' }],
  ['run', { run: 'r2' }],
  ['connection', { connection: 'hr' }],
  ['database', { database: 'other' }],
  ['policy', { policyVersion: 'v2' }],
  ['one byte of the statement', { statement: text('DELETE FROM t WHERE id = $2') }],
  ['a trailing space', { statement: text('DELETE FROM t WHERE id = $1 ') }],
  ['parameters', { parameters: text('\0\x018') }],
  ['no parameters', { parameters: null }],
  ['empty parameters', { parameters: text('') }],
  ['state', { state: ['search_path=other', 'role=none'] }],
  ['state, joined differently', { state: ['search_path=publicrole=none'] }],
  ['where one field ends', { connection: 'crmc', database: 'rm' }],
])('differs by %s', (_what, other) => {
  expect(bindingOf({ ...BOUND, ...other })).not.toBe(bindingOf(BOUND))
})
