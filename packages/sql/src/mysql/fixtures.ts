/** Dialects and short forms of trees for this folder's tests. */
import type { Dialect } from './ast.ts'

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
