import { expect, test } from 'vitest'
import { killRequestOf, withServerIds } from './kill.ts'

test.each([
  ['KILL 12', { connectionId: 12, query: false }],
  ['kill query 1073741824;', { connectionId: 1_073_741_824, query: true }],
  ['KILL CONNECTION 7', { connectionId: 7, query: false }],
  ['KILL HARD QUERY 7', { connectionId: 7, query: true }],
])('%s is read', (text, expected) => {
  expect(killRequestOf(text)).toEqual(expected)
})

test.each([
  'KILL',
  'KILL USER tom',
  'KILL 12; DROP TABLE t',
  'KILL QUERY ID 5',
  'KILL 1 + 1',
  'SELECT 1',
])('%s is left to policy', (text) => {
  expect(killRequestOf(text)).toBeNull()
})

test('among other statements, the id of a greeting becomes the one the server knows', () => {
  const ids = (id: number): number | null => (id === 1_073_741_824 ? 12 : null)
  const texts = ["SELECT '1073741824'", 'KILL QUERY 1073741824', 'kill 1073741825']
  expect(withServerIds(texts, ids)).toEqual([texts[0], 'KILL QUERY 12', texts[2]])
  expect(withServerIds(['SELECT 1', 'KILL 5'], ids)).toBeNull()
})
