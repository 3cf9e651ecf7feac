/**
 * What a statement's tree holds, whatever it means: every node of it. The walk marks the nodes that it has
 * understood; a node with a meaning that it has not visited makes the statement unknown.
 */
import { spend } from '../budget.ts'
import type { FunctionCall, Node, NodeKind, ObjectName, Statement } from './ast.ts'

export interface Survey {
  /** Nodes that the walk must have visited. */
  readonly meaningful: readonly Node[]
  readonly calls: readonly FunctionCall[]
  /** Tables named in FROM, TABLE and the statements inside. */
  readonly tables: readonly ObjectName[]
  /** Lower-case names of user variables that it assigns. */
  readonly assigned: ReadonlySet<string>
}

/**
 * Nodes that only name or describe what the node around them means; `null` says which are the walk's to visit.
 * Listed one by one: a kind that is not here does not compile.
 */
const PARTS: Readonly<Record<Exclude<NodeKind, Statement['kind']>, 'part' | null>> = {
  // Names and descriptions.
  account: 'part',
  alias: 'part',
  'data-type': 'part',
  identifier: 'part',
  'object-name': 'part',
  option: 'part',
  'type-field': 'part',
  // Of definitions, accounts and routines: their handlers take them as a whole.
  'alter-action': 'part',
  check: 'part',
  'column-definition': 'part',
  'conditional-branch': 'part',
  'cursor-parameter': 'part',
  'declare-condition': 'part',
  'declare-cursor': 'part',
  'declare-handler': 'part',
  'declare-variables': 'part',
  'diagnostics-item': 'part',
  'dynamic-text': 'part',
  'foreign-key': 'part',
  'grant-level': 'part',
  'key-definition': 'part',
  'key-part': 'part',
  'partition-definition': 'part',
  partitioning: 'part',
  period: 'part',
  'prepared-text': 'part',
  privilege: 'part',
  references: 'part',
  'routine-parameter': 'part',
  'set-character-set': 'part',
  'set-default-role': 'part',
  'set-names': 'part',
  'set-password': 'part',
  'set-role': 'part',
  'set-transaction': 'part',
  'set-variable': 'part',
  'table-lock': 'part',
  'table-rename': 'part',
  // Of queries: what they hold is an expression of its own.
  frame: 'part',
  'frame-bound': 'part',
  'index-hint': 'part',
  assignment: null,
  between: null,
  binary: null,
  case: null,
  'case-branch': null,
  cast: null,
  collate: null,
  column: null,
  'common-table': null,
  'convert-using': null,
  default: null,
  'derived-table': null,
  exists: null,
  'explicit-table': null,
  function: null,
  'group-by': null,
  'ignore-value': null,
  in: null,
  'in-query': null,
  'insert-rows': null,
  'insert-set': null,
  'inserted-value': null,
  interval: null,
  into: null,
  is: null,
  join: null,
  'json-extract': null,
  'json-table': null,
  'json-table-column': null,
  like: null,
  limit: null,
  literal: 'part',
  locking: null,
  logical: null,
  match: null,
  'member-of': null,
  'named-argument': null,
  'named-window': null,
  'order-item': null,
  parameter: 'part',
  portion: null,
  'quantified-comparison': null,
  row: null,
  'row-alias': null,
  select: null,
  'select-item': null,
  'sequence-value': null,
  'set-branch': null,
  'set-operation': null,
  subquery: null,
  'system-time': null,
  'system-variable': 'part',
  table: null,
  'table-group': null,
  'table-values': null,
  unary: null,
  'user-variable': null,
  'variable-assignment': null,
  wildcard: null,
  window: null,
  with: null,
}

const isPart = (kind: string) => (PARTS as Readonly<Record<string, 'part' | null>>)[kind] === 'part'

/** `root` is a statement, or an expression of a definition. */
export function survey(root: Node): Survey {
  const meaningful: Node[] = []
  const calls: FunctionCall[] = []
  const tables: ObjectName[] = []
  const assigned = new Set<string>()
  const open: object[] = [root]
  while (open.length > 0) {
    const next = open.pop()
    if (Array.isArray(next)) {
      for (const item of next) if (typeof item === 'object' && item !== null) open.push(item)
      continue
    }
    spend(1)
    // Every object of the tree is a node: see ast/names.ts.
    const node = next as Node
    if (node !== root && !isPart(node.kind)) meaningful.push(node)
    switch (node.kind) {
      case 'function':
        calls.push(node)
        break
      case 'table':
        tables.push(node.name)
        break
      case 'explicit-table':
        tables.push(node.table)
        break
      case 'variable-assignment':
        assigned.add(node.variable.name.toLowerCase())
        break
      case 'into':
        for (const variable of node.variables) {
          if (variable.kind === 'user-variable') assigned.add(variable.name.toLowerCase())
        }
        break
    }
    for (const key in node) {
      const value = (node as unknown as Record<string, unknown>)[key]
      // Names are the most of a tree, and hold nothing.
      if (typeof value === 'object' && value !== null && (value as Node).kind !== 'identifier')
        open.push(value)
    }
  }
  return { meaningful, calls, tables, assigned }
}
