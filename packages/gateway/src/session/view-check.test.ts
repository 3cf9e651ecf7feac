import type { CatalogRelation } from '@sallyport/sql'
import { expect, test } from 'vitest'
import { ViewCheck } from './view-check.ts'

const view = (name: string): CatalogRelation => ({
  id: 1,
  schema: 'public',
  name,
  kind: 'view',
  columns: [],
  definition: 'SELECT 1',
  parents: [],
  rules: false,
  triggers: false,
  rowSecurity: false,
})
const v = view('v')

test('a statement without views runs at once', () => {
  expect(new ViewCheck().of([], 0)).toBe('run')
})

test('a statement waits for the answer, runs once on it, and the next one asks again', () => {
  const check = new ViewCheck()
  expect([check.of([v], 0), check.of([v], 0)]).toEqual(['ask', 'wait'])
  check.answered('same')
  expect(check.of([v], 0)).toBe('run')
  check.ended()
  expect(check.of([v], 0)).toBe('ask')
})

test('the answer for one view is none for another of the name', () => {
  const check = new ViewCheck()
  check.of([v], 0)
  check.answered('same')
  expect(check.of([view('v')], 0)).toBe('ask')
})

test('what cannot be known, or never settles, is refused', () => {
  const check = new ViewCheck()
  check.of([v], 0)
  check.answered('unavailable')
  expect(check.of([v], 0)).toBe('refuse')
  const answers = Array.from({ length: 6 }, () => {
    const answer = check.of([v], 0)
    check.answered('moved')
    return answer
  })
  expect(answers).toEqual(['ask', 'ask', 'ask', 'ask', 'ask', 'refuse'])
})

test('within a pipeline an answer stands for a moment', () => {
  const check = new ViewCheck()
  check.of([v], 0)
  check.answered('same')
  expect([check.of([v], 0), check.of([v], 9), check.of([v], 10)]).toEqual(['run', 'run', 'ask'])
})
