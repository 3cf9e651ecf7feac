/** Bounds how high a tree gets: whoever walks it by recursion must not run out of stack. */
import type { Node } from './ast.ts'
import { SqlError } from './errors.ts'
import { NESTING_MAX, TREE_HEIGHT_MAX } from './limits.ts'

/** Each nesting makes a tree at most two nodes higher; fewer steps than this cannot make it too high. */
const CHAINED_SAFE = TREE_HEIGHT_MAX - 2 * NESTING_MAX

/** `chained`: how many left-associative steps the tree may have. Throws SqlError. */
export function checkHeight(root: Node, chained: number): void {
  if (chained < CHAINED_SAFE) return
  let level: readonly object[] = [root]
  for (let height = 0; level.length > 0; height++) {
    if (height > TREE_HEIGHT_MAX)
      throw new SqlError('too-complex', `tree is higher than ${TREE_HEIGHT_MAX}`, root.start)
    level = level.flatMap(children)
  }
}

function children(node: object): object[] {
  const found: object[] = []
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) found.push(...value.filter(isNode))
    else if (isNode(value)) found.push(value)
  }
  return found
}

function isNode(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'kind' in value
}
