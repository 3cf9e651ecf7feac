/**
 * How masked columns are used where they are not shown: what may be, and what may because the statement is sent so that it
 * does not compute it, or so that its rows are sorted by what is shown of them.
 */

import type {
  ColumnRef,
  ColumnUse,
  Lineage,
  OutputColumn,
  Sorting,
  SortKey,
  StateChange,
  StatementFacts,
  WithholdableColumn,
} from '@sallyport/sql'
import { assertNever } from './errors.ts'
import type { ColumnMask } from './model.ts'
import { columnPlan } from './plan.ts'
import { isSurplus } from './settings.ts'
import type { Rewriting, WithheldColumn } from './verdict.ts'
import type { PrincipalView } from './view.ts'

/** Uses that nothing allows. */
export const refusedUses = (view: PrincipalView, facts: StatementFacts): readonly ColumnUse[] =>
  facts.uses.filter(
    (use) =>
      !mayUse(view, use) &&
      withholding(view, facts, use) === null &&
      !mayTellApart(view, facts, use),
  )

/** What is to be done to the text of these statements so that their uses are as allowed; null: nothing. */
export function rewritingFor(
  view: PrincipalView,
  statements: readonly StatementFacts[],
): Rewriting | null {
  if (!view.masked) return null
  if (statements.every((facts) => surplusSettings(facts).length === 0 && mayUseAll(view, facts)))
    return null
  const withheld = statements.flatMap((facts) => withheldColumns(view, facts))
  const sortedBy = statements.flatMap((facts, at) => sortingOf(view, facts, at))
  const unset = statements.flatMap(surplusSettings)
  if (withheld.length + sortedBy.length + unset.length === 0) return null
  return {
    ...(withheld.length > 0 && { withheld }),
    ...(sortedBy.length > 0 && { sortedBy }),
    ...(unset.length > 0 && { unset }),
  }
}

function mayUseAll(view: PrincipalView, { uses }: StatementFacts): boolean {
  for (const use of uses) if (!mayUse(view, use)) return false
  return true
}

const NONE: readonly never[] = []

function surplusSettings({ dividable, state }: StatementFacts): readonly string[] {
  if (dividable === undefined) return NONE
  return state.flatMap((change) =>
    change.kind === 'set' && isSurplus(change.name) ? change.name : [],
  )
}

function mayUse(view: PrincipalView, use: ColumnUse): boolean {
  const mask = view.maskFor(use.column)
  if (mask === null && use.with === undefined) return true
  const other = use.with === undefined ? null : view.maskFor(use.with)
  return (
    (mask === null || allowsUse(mask, use, other)) &&
    (other === null || allowsUse(other, use, mask))
  )
}

/**
 * The result columns by which alone a masked column is used, where they are redacted and need not be computed; null:
 * the use may be noticed.
 */
function withholding(
  view: PrincipalView,
  { withholdable = [] }: StatementFacts,
  { inColumns }: ColumnUse,
): readonly WithholdableColumn[] | null {
  if (inColumns === undefined) return null
  const found = withholdable.filter(
    ({ at, lineage }) => inColumns.includes(at) && columnPlan(view, lineage).kind === 'mask',
  )
  return found.length === inColumns.length ? found : null
}

/** By what the rows must be sorted: their own order would tell that of masked values. */
function sortingOf(
  view: PrincipalView,
  facts: StatementFacts,
  statement: number,
): readonly Sorting[] {
  if (!isToldApart(view, facts)) return []
  const keys = shownColumns(view, facts)
  return keys === null ? [] : [{ statement, keys, columns: resultOf(facts)?.length ?? 0 }]
}

const isToldApart = (view: PrincipalView, facts: StatementFacts): boolean =>
  facts.sortable !== undefined &&
  facts.uses.some((use) => !mayUse(view, use) && withholding(view, facts, use) === null)

/** Which rows are alike in a masked column may be told, where which of them has the lesser value is not. */
function mayTellApart(view: PrincipalView, facts: StatementFacts, use: ColumnUse): boolean {
  if (use.apart === undefined || facts.sortable === undefined) return false
  if (view.maskFor(use.column)?.predicates !== 'equality') return false
  return shownColumns(view, facts) !== null
}

/**
 * By what to sort rows so that their order tells nothing: the columns that are not masked, and chance; null: it is not
 * known which these are.
 */
function shownColumns(view: PrincipalView, facts: StatementFacts): readonly SortKey[] | null {
  const plans = resultOf(facts)?.map(({ lineage }) => columnPlan(view, lineage))
  if (plans === undefined) return null
  if (plans.some(({ kind }) => kind !== 'clean' && kind !== 'mask')) return null
  return [...plans.flatMap(({ kind }, i) => (kind === 'clean' ? i + 1 : [])), 'chance']
}

/** The columns of its rows, or of those that will be asked for by the name it gives; null: that is not known. */
function resultOf(facts: StatementFacts): readonly OutputColumn[] | null {
  const [only, ...others] = facts.state
  const { outputs } = only !== undefined && others.length === 0 && isKept(only) ? only.facts : facts
  return Array.isArray(outputs) ? outputs : null
}

const isKept = (change: StateChange): change is KeptStatement =>
  change.kind === 'prepare' || change.kind === 'declare-cursor'
type KeptStatement = Extract<StateChange, { kind: 'prepare' | 'declare-cursor' }>

/**
 * Facts of a statement that has been rewritten for this view. What a session keeps of it, prepared or declared, is what the
 * server was sent: it does not use what is withheld, and its rows are in the order of the columns that are shown. Which of
 * them are alike it still tells, as a join of the column with itself does.
 */
export function keptAsSent(view: PrincipalView, facts: StatementFacts): StatementFacts {
  // What MySQL prepares is a string, or a variable: nothing in it is rewritten.
  if (facts.engine !== 'postgres' || !facts.state.some(isKept)) return facts
  const { withholdable, sortable } = facts
  const state = facts.state.map((change) => {
    if (!isKept(change)) return change
    const { withholdable: _, sortable: __, ...kept } = change.facts
    const offered = {
      ...kept,
      ...(withholdable && { withholdable }),
      ...(sortable && { sortable }),
    }
    return { ...change, facts: asSent(view, offered) }
  })
  return { ...facts, state }
}

function asSent(view: PrincipalView, facts: StatementFacts): StatementFacts {
  const { withholdable: _, sortable: __, ...sent } = facts
  if (!view.masked) return sent
  const uses = facts.uses.flatMap((use): ColumnUse | readonly ColumnUse[] => {
    if (mayUse(view, use)) return use
    if (withholding(view, facts, use) !== null) return []
    const { column } = use
    return mayTellApart(view, facts, use)
      ? { column, context: 'equality-column', with: column }
      : use
  })
  return { ...sent, uses: [...uses, ...sortedSources(view, facts)] }
}

/** Later they may be masked, too. */
function sortedSources(view: PrincipalView, facts: StatementFacts): readonly ColumnUse[] {
  const outputs = resultOf(facts) ?? []
  return sortingOf(view, facts, 0).flatMap(({ keys }) =>
    keys
      .flatMap((key) => sourcesOf((key === 'chance' ? undefined : outputs[key - 1])?.lineage))
      .map((column) => ({ column, context: 'order' as const })),
  )
}

function sourcesOf(lineage: Lineage | undefined): readonly ColumnRef[] {
  if (lineage === undefined || lineage.kind === 'constant') return []
  return lineage.kind === 'direct' ? [lineage.source] : lineage.sources
}

/** The result columns that must not be computed: what they would use of masked columns may not be used. */
function withheldColumns(view: PrincipalView, facts: StatementFacts): readonly WithheldColumn[] {
  if (facts.withholdable === undefined || facts.withholdable.length === 0) return []
  const found = new Set(
    facts.uses.flatMap((use) => (mayUse(view, use) ? [] : (withholding(view, facts, use) ?? []))),
  )
  return [...found].map(({ at, name }) => ({ at, name }))
}

/** May a masked column be used like this? `other` is the mask on the other side of a join. */
function allowsUse(mask: ColumnMask, use: ColumnUse, other: ColumnMask | null): boolean {
  if (mask.predicates === 'open') return true
  if (mask.groupMin !== null && (use.groups ?? 0) >= mask.groupMin) return true
  if (mask.predicates === 'deny') return false
  switch (use.context) {
    case 'equality-constant':
    case 'is-null':
      return true
    // Protected alike: else the less protected side tells the value of the other.
    case 'equality-column':
      return other !== null && other.strength === mask.strength
    case 'predicate':
    case 'order':
    case 'group':
    case 'distinct':
    case 'window':
    case 'cardinality':
    case 'failure':
      return false
    default:
      return assertNever(use.context)
  }
}
