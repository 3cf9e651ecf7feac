/**
 * Which statements of a text the planner can be asked about before any of them has run: alike on both protocols. None
 * may mean something else, or find more rows, for what one before it does.
 */
import type { RelationUse, StatementFacts } from '@sallyport/sql'
import type { Estimated } from '../approvals/journal.ts'

/** Statements of a text that are planned; more are not asked about. */
const PLANNED_MAX = 50
const BEGINS = /^(begin|start transaction)$/
/** Changes rows and adds none. */
const CHANGES = /^(select|update|delete)$/

/** Indexes of those that are planned, or why there is no estimate. `explained`: what the planner takes. */
export function plannedOf(
  statements: readonly StatementFacts[],
  explained: (facts: StatementFacts) => boolean,
): readonly number[] | string {
  const planned: number[] = []
  for (const [at, facts] of statements.entries()) {
    const isFrame =
      statements.length > 1 &&
      ((at === 0 && BEGINS.test(facts.command)) ||
        (at === statements.length - 1 && facts.command === 'commit'))
    if (isFrame) continue
    if (!explained(facts)) return 'the planner has no plan for it'
    if (facts.functions.some(({ purity }) => purity === 'opaque')) {
      return 'it calls functions that might run while it is planned'
    }
    planned.push(at)
  }
  if (planned.length === 0 || planned.length > PLANNED_MAX) return 'it is not one statement'
  const [last = 0] = planned.slice(-1)
  for (const at of planned) {
    if (at === last) continue
    const earlier = statements[at]
    const later = statements.slice(at + 1)
    if (earlier === undefined || mayMatter(earlier, later)) {
      return 'what it does first may matter to the rest of it'
    }
  }
  return planned
}

function mayMatter(
  { commands, effects, state, relations }: StatementFacts,
  later: readonly StatementFacts[],
): boolean {
  if (state.length > 0) return true
  if (!effects.every((effect) => effect === 'read' || effect === 'write')) return true
  if (commands.every((command) => CHANGES.test(command))) return false
  const written = relations.filter(({ access }) => access !== 'read').map(keyOf)
  return later.some((one) => one.relations.some((use) => written.includes(keyOf(use))))
}

const keyOf = ({ schema, name }: RelationUse): string => JSON.stringify([schema, name])

/** Lines of a plan that approvers are shown. */
const LINES_MAX = 40

/** What is expected of a text with these statements in it. */
export function togetherOf(estimates: readonly Estimated[]): Estimated {
  const all: Extract<Estimated, { readonly kind: 'estimate' }>[] = []
  for (const one of estimates) {
    if (one.kind === 'none') return one
    all.push(one)
  }
  const sum = (values: readonly number[]): number => values.reduce((total, n) => total + n, 0)
  const costs = all.map(({ cost }) => cost).filter((cost) => cost !== null)
  return {
    kind: 'estimate',
    rows: sum(all.map(({ rows }) => rows)),
    cost: costs.length < all.length ? null : sum(costs),
    plan: all.flatMap(({ plan }) => plan).slice(0, LINES_MAX),
  }
}
