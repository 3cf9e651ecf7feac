/** A PostgreSQL plan, as EXPLAIN (FORMAT JSON) gives it, as an estimate: numbers and names, never a constant. */

import type { Estimated } from '../../approvals/journal.ts'
import { counted } from '../../counted.ts'

/** Nodes of the outline; a partitioned table has one for each partition. */
const NODES_MAX = 40
const NAME_CHARS_MAX = 128

interface PlanNode {
  readonly 'Node Type'?: unknown
  readonly Operation?: unknown
  readonly 'Relation Name'?: unknown
  readonly 'Index Name'?: unknown
  readonly 'Parent Relationship'?: unknown
  readonly 'Plan Rows'?: unknown
  readonly 'Total Cost'?: unknown
  readonly Plans?: unknown
}

/** `json`: the one cell of the answer. */
export function estimateIn(json: string): Estimated {
  try {
    const [explained] = JSON.parse(json) as [{ readonly Plan: PlanNode }]
    const { Plan: top } = explained
    const plan: string[] = []
    outline(top, 0, plan)
    return { kind: 'estimate', rows: rowsOf(top), cost: numberOf(top['Total Cost']), plan }
  } catch {
    return { kind: 'none', why: 'the plan could not be read' }
  }
}

/** Rows returned, or changed: what changes rows returns none of them by itself. */
function rowsOf(node: PlanNode): number {
  if (node['Node Type'] !== 'ModifyTable') return numberOf(node['Plan Rows'])
  return childrenOf(node)
    .filter((child) => ['Outer', 'Member'].includes(String(child['Parent Relationship'])))
    .reduce((sum, child) => sum + numberOf(child['Plan Rows']), 0)
}

function outline(node: PlanNode, depth: number, lines: string[]): void {
  if (lines.length >= NODES_MAX) return
  const { Operation: operation, 'Relation Name': relation, 'Index Name': index } = node
  const words = [
    operation ?? node['Node Type'],
    ...(relation === undefined ? [] : ['on', relation]),
    ...(index === undefined ? [] : ['by', index]),
  ].map((word) => String(word).slice(0, NAME_CHARS_MAX))
  lines.push(
    `${'  '.repeat(depth)}${words.join(' ')}, ${counted(numberOf(node['Plan Rows']), 'row')}`,
  )
  for (const child of childrenOf(node)) outline(child, depth + 1, lines)
}

function childrenOf({ Plans: plans }: PlanNode): readonly PlanNode[] {
  return Array.isArray(plans) ? (plans as PlanNode[]) : []
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error('not a number')
  return value
}
