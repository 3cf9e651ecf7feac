/** Dialects and short forms of trees for this folder's tests. */
import type { Dialect, Expression } from './ast.ts'

const PLAIN = {
  ansiQuotes: false,
  noBackslashEscapes: false,
  pipesAsConcat: false,
  ignoreSpace: false,
  highNotPrecedence: false,
} as const

export const MYSQL: Dialect = { flavour: 'mysql', version: 90704, ...PLAIN }
export const MARIADB: Dialect = { flavour: 'mariadb', version: 101119, ...PLAIN }
export const BOTH = [MYSQL, MARIADB] as const

/** Every node of a kind below (and including) `root`, in the order of the text. */
export function nodesOf<T extends { readonly kind: string }>(root: unknown, kind: T['kind']): T[] {
  if (Array.isArray(root)) return root.flatMap((item) => nodesOf<T>(item, kind))
  if (typeof root !== 'object' || root === null) return []
  const below = Object.values(root).flatMap((value) => nodesOf<T>(value, kind))
  // Safe: `kind` is what tells one type of node from another.
  return 'kind' in root && root.kind === kind ? [root as unknown as T, ...below] : below
}

/** An expression with all its brackets, as SQL: what precedence made of it. */
export function shape(node: Expression): string {
  switch (node.kind) {
    case 'literal':
      return node.value
    case 'column':
      return node.name.value
    case 'logical':
      return `(${node.terms.map(shape).join(` ${node.operator} `)})`
    case 'binary':
      return `(${shape(node.left)} ${node.operator} ${shape(node.right)})`
    case 'unary':
      return `(${node.operator} ${shape(node.operand)})`
    case 'is':
      return `(${shape(node.operand)} is ${node.negated ? 'not ' : ''}${node.test})`
    case 'between':
      return `(${shape(node.operand)} ${node.negated ? 'not ' : ''}between ${shape(node.low)} and ${shape(node.high)})`
    case 'like':
      return `(${shape(node.operand)} ${node.negated ? 'not ' : ''}${node.operator} ${shape(node.pattern)})`
    case 'in':
      return `(${shape(node.operand)} ${node.negated ? 'not ' : ''}in (${node.list.map(shape).join(', ')}))`
    case 'collate':
      return `(${shape(node.operand)} collate)`
    case 'interval':
      return `(interval ${shape(node.value)} ${node.unit})`
    default:
      return node.kind
  }
}
