/**
 * Conditions: which columns they test, and how. Only a bare column compared for equality with a constant, a
 * parameter or another bare column of its kind, or tested for NULL, counts as that; every other condition
 * over a column is `predicate`.
 */
import { probesOf, type Value } from '../../lineage/value.ts'
import type { Binary, Expression, FunctionCall } from '../ast.ts'
import type { Scope } from './scope.ts'
import { comparesWhole, isNumeric } from './types.ts'
import type { Walk } from './walk.ts'

export function notePredicate(walk: Walk, node: Expression, scope: Scope): void {
  walk.visited.add(node)
  switch (node.kind) {
    case 'logical':
      for (const term of node.terms) notePredicate(walk, term, scope)
      return
    case 'unary':
      if (node.operator === 'not') notePredicate(walk, node.operand, scope)
      else noteOther(walk, node, scope)
      return
    case 'is':
      if (node.test === 'null') noteNullTest(walk, walk.value(node.operand, scope))
      else notePredicate(walk, node.operand, scope)
      return
    case 'binary':
      noteComparison(walk, node, scope)
      return
    case 'in': {
      const left = walk.value(node.operand, scope)
      const plain = isPlain(node.operand)
      for (const item of node.list) {
        const right = walk.value(item, scope)
        if (!plain || !isPlain(item)) noteUnequal(walk, [left, right])
        else if (left.row === null && right.row === null) compare(walk, left, right)
        else comparison(walk, { operator: '=', left: fieldsOf(left), right: fieldsOf(right) })
      }
      return
    }
    case 'column': {
      // A number by itself is a comparison with 0; text is read as a number.
      const value = walk.value(node, scope)
      const whole = value.kind === 'direct' && isNumeric(value)
      walk.draft.useAll(value, whole ? 'equality-constant' : 'predicate')
      return
    }
    case 'in-query':
    case 'quantified-comparison':
    case 'exists':
      // Their comparison and their own conditions are noted when they are evaluated.
      walk.value(node, scope)
      return
    case 'function':
      if (isNullFunction(node)) {
        noteNullTest(walk, walk.value(node.arguments[0]!, scope))
        walk.value(node, scope)
      } else noteOther(walk, node, scope)
      return
    default:
      noteOther(walk, node, scope)
  }
}

export const isNullFunction = (node: FunctionCall) =>
  node.database === null &&
  node.name.value.toLowerCase() === 'isnull' &&
  node.arguments.length === 1

function noteOther(walk: Walk, node: Expression, scope: Scope): void {
  const value = walk.value(node, scope)
  walk.draft.useAll(value, value.revealsNoValue ? 'is-null' : 'predicate')
}

function noteNullTest(walk: Walk, value: Value): void {
  walk.draft.useAll(value, value.kind === 'direct' ? 'is-null' : 'predicate')
}

export const EQUALITY: ReadonlySet<string> = new Set(['=', '<=>', '<>'])

function noteComparison(walk: Walk, node: Binary, scope: Scope): void {
  if (!EQUALITY.has(node.operator)) return noteOther(walk, node, scope)
  const left = walk.value(node.left, scope)
  const right = walk.value(node.right, scope)
  if (!isPlain(node.left) || !isPlain(node.right)) return noteUnequal(walk, [left, right])
  if (left.row === null && right.row === null) return compare(walk, left, right)
  comparison(walk, { operator: node.operator, left: fieldsOf(left), right: fieldsOf(right) })
}

/** A collation of one's own decides what is equal: with one that ignores much, much is learnt. */
function isPlain(node: Expression): boolean {
  return node.kind !== 'collate' || /_bin$/i.test(node.collation) || node.collation === 'binary'
}

function noteUnequal(walk: Walk, values: readonly Value[]): void {
  for (const value of values) {
    walk.draft.useAll(value, value.revealsNoValue ? 'is-null' : 'predicate')
  }
}

export function fieldsOf(value: Value): readonly Value[] {
  return value.row === null ? [value] : value.row.map((field) => field.value)
}

/** `left operator right` over rows of one or more fields. */
export function comparison(
  walk: Walk,
  {
    operator,
    left,
    right,
  }: {
    readonly operator: string
    readonly left: readonly Value[]
    readonly right: readonly Value[]
  },
): void {
  if (!EQUALITY.has(operator) || left.length !== right.length) {
    for (const value of [...left, ...right]) walk.draft.useAll(value, 'predicate')
    return
  }
  for (let i = 0; i < left.length; i++) compare(walk, left[i]!, right[i]!)
}

/** Notes what a test of two values for equality tells about their columns. */
export function compare(walk: Walk, left: Value, right: Value): void {
  const { draft } = walk
  if (left.kind === 'direct' && right.kind === 'direct') {
    const whole = comparesWhole(left, right) && comparesWhole(right, left)
    if (!whole) return noteUnequal(walk, [left, right])
    draft.use(left.sources[0]!, 'equality-column', { with: right.sources[0]! })
    draft.use(right.sources[0]!, 'equality-column', { with: left.sources[0]! })
  } else if (left.kind === 'direct' && isGiven(right) && comparesWhole(left, right)) {
    draft.use(left.sources[0]!, 'equality-constant', probes(left, right))
  } else if (right.kind === 'direct' && isGiven(left) && comparesWhole(right, left)) {
    draft.use(right.sources[0]!, 'equality-constant', probes(right, left))
  } else noteUnequal(walk, [left, right])
}

function probes(column: Value, constant: Value): ReturnType<typeof probesOf> {
  const given = probesOf(constant)
  return given.parameters === undefined || isNumeric(column) ? given : { ...given, asText: true }
}

/** Given by the statement: of values computed row by row there may be all that a column can have. */
const isGiven = (value: Value) => value.kind === 'constant' && value.varies !== 'computed'
