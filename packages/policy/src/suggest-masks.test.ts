import type { CatalogColumn, CatalogRelation } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from './compile.ts'
import { suggestMask } from './suggest-masks.ts'

const relation: CatalogRelation = {
  id: 1,
  schema: 'public',
  name: 'people',
  kind: 'table',
  columns: [],
  parents: [],
  rules: false,
  triggers: false,
  rowSecurity: false,
}
const column = (name: string, type = 'text'): CatalogColumn => ({
  name,
  number: 1,
  type,
  typeId: 25,
})

describe('by name', () => {
  test.each([
    ['email', 'text', 'email'],
    ['customerEmail', 'varchar', 'email'],
    ['password_hash', 'text', 'redact'],
    ['ssn', 'text', 'redact'],
    ['date_of_birth', 'date', { 'truncate-date': 'year' }],
    ['salary', 'numeric', 'redact'],
    ['phone_number', 'text', { partial: { 'keep-last': 2 } }],
    ['card_number', 'text', { partial: { 'keep-last': 4 } }],
    ['name', 'text', 'redact'],
    ['line1', 'varchar', 'redact'],
    ['title', 'text', null],
    ['company', 'text', null],
    ['email_sent_at', 'timestamptz', null],
    ['pan', 'int4', null],
    ['born', 'text', null],
    ['id', 'int4', null],
  ])('%s %s: %j', (name, type, expected) => {
    expect(suggestMask(relation, column(name, type), null)?.with ?? null).toEqual(expected)
  })
})

describe('by values', () => {
  const suggestion = (values: readonly (string | null)[]) =>
    suggestMask(relation, column('c'), values)
  test('that are addresses throughout', () => {
    const found = suggestion(['a@example.org', 'b.c@example.com', null, ''])
    expect(found?.with).toBe('email')
    expect(found?.why).toEqual(['2 of 2 sampled values have an e-mail address'])
  })
  test('that hold some in longer texts', () => {
    const found = suggestion(['write to a@example.org today', 'nothing', 'call +49 30 1234567890'])
    expect(found?.with).toEqual({ detect: ['email', 'phone'] })
  })
  test('a shape in one of many is none', () => {
    expect(suggestion([...Array(20).fill('plain'), 'a@example.org'])).toBeNull()
  })
  test('no value is repeated', () => {
    expect(JSON.stringify(suggestion(['4111 1111 1111 1111']))).not.toMatch(/\d{3}/)
  })
})

test('a suggestion is a mask that a policy file may have', () => {
  const found = suggestMask(relation, column('note'), ['x 4111 1111 1111 1111', 'a@b.example'])
  const text = JSON.stringify({
    version: 1,
    masks: [{ columns: ['public.people.note'], with: found?.with }],
  })
  expect(compilePolicy([{ path: 'p.yaml', text }]).kind).toBe('policy')
})

test('a name is somebody’s in a table of people alone', () => {
  const named = (name: string) => suggestMask({ ...relation, name }, column('name'), null)
  expect(['users', 'app_customers', 'Employee'].map((name) => named(name)?.with)).toEqual([
    'redact',
    'redact',
    'redact',
  ])
  expect(['products', 'user_roles', 'departments'].map(named)).toEqual([null, null, null])
})
