import { expect, test } from 'vitest'
import { killRequestOf } from './kill.ts'

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
