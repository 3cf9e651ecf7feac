/**
 * A statement that is refused because a name in it stands for nothing, in the words that the server would have: to say
 * "not allowed", or that lineage cannot be proven, would send people and models looking in the wrong place.
 */
import type { MissingName, StatementFacts } from '@sallyport/sql'
import { examine } from './examine.ts'
import { nearest } from './suggest.ts'
import { type Deny, deny, SQLSTATE_NO_RELATION } from './verdict.ts'
import type { PrincipalView } from './view.ts'

/** Names listed in a detail. */
const LISTED_MAX = 30

/** `undefined_column`, `undefined_function`. */
const SQLSTATE_OF: Readonly<Record<MissingName['kind'], string>> = {
  relation: SQLSTATE_NO_RELATION,
  qualifier: SQLSTATE_NO_RELATION,
  column: '42703',
  function: '42883',
}

/** Null: every name may stand for something, or what is left without them is refused for itself. */
export function unknownName(view: PrincipalView, facts: StatementFacts, now: number): Deny | null {
  const [missing] = facts.missing ?? []
  if (missing === undefined || !isGranted(view, withoutMissing(facts), now)) return null
  return deny(
    'unknown-name',
    {
      message: sayMissing(missing),
      detail: sayThere(missing),
      hint: sayMeant(missing, (name) => isReadable(view, { facts, name, now })),
    },
    { sqlstate: SQLSTATE_OF[missing.kind] },
  )
}

/** The statement as far as its names are known. Only words hang on it: what is refused stays so. */
function withoutMissing(facts: StatementFacts): StatementFacts {
  const missing = new Set(facts.missing?.map(({ name }) => name.slice(name.lastIndexOf('.') + 1)))
  return {
    ...facts,
    effects: facts.effects.filter((effect) => effect !== 'procedural'),
    relations: facts.relations.filter((use) => use.kind !== 'unresolved'),
    functions: facts.functions.filter((use) => !missing.has(use.name)),
    columns: facts.columns.filter(({ column }) => !missing.has(column)),
    outputs: null,
    unknowns: [],
    state: facts.state.filter((change) => change.kind !== 'uncertain'),
  }
}

function isGranted(view: PrincipalView, facts: StatementFacts, now: number): boolean {
  const { denied, needs } = examine(view, facts, now)
  return denied === null && needs.every(({ by }) => by.length > 0)
}

/** Would the principal get to read this relation? What it would not is not suggested. */
function isReadable(
  view: PrincipalView,
  { facts, name, now }: { facts: StatementFacts; name: string; now: number },
): boolean {
  const at = name.indexOf('.')
  const use = { schema: name.slice(0, at), name: name.slice(at + 1), access: 'read' } as const
  const reading: StatementFacts = {
    ...withoutMissing(facts),
    effects: ['read'],
    relations: [{ ...use, kind: 'table' }],
  }
  return isGranted(view, reading, now)
}

function sayMissing({ kind, name }: MissingName): string {
  switch (kind) {
    case 'relation':
      return `relation "${name}" does not exist`
    case 'column':
      return `column "${name}" does not exist`
    case 'qualifier':
      return `missing FROM-clause entry for "${name}"`
    case 'function':
      return `function "${name}" does not exist`
  }
}

function sayThere({ kind, there }: MissingName): string {
  switch (kind) {
    case 'relation':
      return 'no table or view of this name is known here; one created a moment ago is known shortly'
    case 'function':
      return 'no function of this name is known here'
    case 'column':
    case 'qualifier': {
      const listed = there.slice(0, LISTED_MAX).join(', ')
      const more = there.length > LISTED_MAX ? ', …' : ''
      return there.length === 0 ? 'there is nothing in its place' : `there are: ${listed}${more}`
    }
  }
}

function sayMeant({ kind, name, there }: MissingName, readable: (name: string) => boolean): string {
  const last = (full: string): string => full.slice(full.lastIndexOf('.') + 1)
  const near = nearest(last(name), there.map(last))
  const meant = there.filter((full) => last(full) === near)
  if (near !== null && (kind !== 'relation' || meant.some(readable)))
    return `Perhaps you meant "${near}".`
  switch (kind) {
    case 'relation':
      return 'Look it up in information_schema.tables.'
    case 'column':
      return 'Use one of these, or look it up in information_schema.columns.'
    case 'qualifier':
      return 'Use one of these, or name it in FROM.'
    case 'function':
      return 'Use a function that this server has.'
  }
}
