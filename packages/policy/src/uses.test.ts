import type { ColumnUse, StatementFacts } from '@sallyport/sql'
import { describe, expect, test } from 'vitest'
import {
  column,
  derived,
  direct,
  facts,
  judge,
  outcome,
  policyOf,
  selecting,
  viewOf,
} from './testing.ts'
import { keptAsSent } from './uses.ts'

const viewWith = (...masked: readonly string[]) =>
  viewOf(
    policyOf(`
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }
masks:
  - { name: some, columns: [${masked.join(', ')}], with: redact }
`),
  )
const SSN = 'public.customers.ssn'
const CITY = 'public.customers.city'
const NAME = 'public.customers.name'

/** DECLARE c CURSOR FOR it. */
const declaring = (query: StatementFacts): StatementFacts => {
  const { withholdable, sortable, uses } = query
  return facts({
    command: 'declare cursor',
    outputs: null,
    uses,
    ...(withholdable && { withholdable }),
    ...(sortable && { sortable }),
    state: [{ kind: 'declare-cursor', name: 'c', facts: query }],
  })
}
/** FETCH, of what such a session has kept. */
function fetching(view: ReturnType<typeof viewWith>, query: StatementFacts): StatementFacts {
  const [change] = keptAsSent(view, declaring(query)).state
  if (change?.kind !== 'declare-cursor') throw new Error('nothing kept')
  const { sortable, withholdable, uses, outputs } = change.facts
  expect([sortable, withholdable]).toEqual([undefined, undefined])
  return facts({ command: 'fetch', uses, outputs })
}

describe('a cursor over rows told apart', () => {
  const apart: ColumnUse = { column: column(SSN), context: 'group', apart: true }
  const query = { ...selecting(direct(SSN), direct(CITY)), sortable: true, uses: [apart] } as const

  test('is sorted, and may be read', () => {
    const view = viewWith(SSN)
    expect(judge(view, declaring(query))).toMatchObject({
      kind: 'allow',
      sortedBy: [{ statement: 0, keys: [2, 'chance'], columns: 2 }],
    })
    expect(outcome(view, fetching(view, query))).toBe('allow')
  })
  test('may not be read on where what it was sorted by is masked by then', () => {
    expect(outcome(viewWith(SSN, CITY), fetching(viewWith(SSN), query))).toBe('masked-predicate')
    expect(outcome(viewWith(SSN, NAME), fetching(viewWith(SSN), query))).toBe('allow')
  })
  test('may not be read on where which of them are alike may no longer be told', () => {
    const denying = viewOf(
      policyOf(`
rules:
  - { name: all, who: everyone, allow: { effects: ['*'], relations: ['*'] } }
masks:
  - { name: some, columns: [${SSN}], with: redact, predicates: deny }
`),
    )
    expect(outcome(denying, fetching(viewWith(SSN), query))).toBe('masked-predicate')
  })
  test('may not be read on where it was sent unsorted', () => {
    expect(outcome(viewWith(SSN), fetching(viewWith(NAME), query))).toBe('masked-predicate')
  })
})

describe('a cursor with a column that is withheld', () => {
  const lineage = derived(SSN)
  const query = {
    ...selecting(lineage),
    withholdable: [{ at: 7, name: 'x', lineage }],
    uses: [{ column: column(SSN), context: 'failure', inColumns: [7] }],
  } as const

  test('may be read', () => {
    const view = viewWith(SSN)
    expect(judge(view, declaring(query))).toMatchObject({ withheld: [{ at: 7, name: 'x' }] })
    expect(outcome(view, fetching(view, query))).toBe('allow')
  })
  test('may not be read on where it was sent to be computed', () => {
    expect(outcome(viewWith(SSN), fetching(viewWith(NAME), query))).toBe('masked-predicate')
  })
})
