/**
 * Of several statements in one MySQL text all are read before the first of them runs: behind one that defines something
 * a name may mean another table or view. (PostgreSQL texts are read with what each of their statements does to names.)
 */
import type { StateChange, StatementFacts } from '@sallyport/sql'
import { type Deny, deny } from './verdict.ts'
import type { PrincipalView } from './view.ts'

const REDEFINES: ReadonlySet<StateChange['kind']> = new Set([
  'catalog',
  'create-relation',
  'drop-relation',
  'create-temporary',
  'drop-temporary',
])

/** Null where no statement may mean something else than what it was decided by. */
export function guardRedefined(
  view: PrincipalView,
  statements: readonly StatementFacts[],
): Deny | null {
  if (!view.masked || statements.length < 2) return null
  const first = statements.findIndex(
    ({ engine, state }) => engine !== 'postgres' && state.some(({ kind }) => REDEFINES.has(kind)),
  )
  if (first === -1 || statements.slice(first + 1).every(isFreeOfNames)) return null
  return deny('masked-state', {
    message:
      'behind a definition in the same text names may mean others, and columns are masked for you',
    detail: 'a statement behind it reads or writes what it may have changed',
    hint: 'Send the definition on its own, and then the rest.',
  })
}

/** It only defines, or is about the session: whatever names mean, it reads and writes no rows. */
const isFreeOfNames = ({ command, relations, functions, state }: StatementFacts): boolean =>
  command !== 'execute' &&
  relations.every(({ access }) => access === 'define') &&
  functions.every(({ purity }) => purity !== 'opaque') &&
  state.every(({ kind }) => kind !== 'prepare' && kind !== 'declare-cursor')
