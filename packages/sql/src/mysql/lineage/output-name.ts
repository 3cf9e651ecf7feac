/**
 * The name of an output column without alias: a column's own, a string's value, else the expression's text as
 * written. What the server would name otherwise is a name that nothing finds.
 */
import type { Column, Value } from '../../lineage/value.ts'
import type { Expression, SelectItem } from '../ast.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

/** The column of a select list's item that is no wildcard. */
export function outputColumn(
  walk: Walk,
  { expression, alias }: Pick<SelectItem, 'alias'> & { readonly expression: Expression },
  { value, scope }: { readonly value: Value; readonly scope: Scope },
): Column {
  if (alias !== null) return { name: alias.value, value }
  if (expression.kind === 'column') return { name: expression.name.value, value }
  return columnByText(walk, expression, { value, scope })
}

/** A column that is named by its expression's text. */
export function columnByText(
  walk: Walk,
  expression: Expression,
  { value, scope }: { readonly value: Value; readonly scope: Scope },
): Column {
  const column = { name: nameOf(walk, expression), value }
  if (!hasLiteral(expression)) return column
  walk.namedByLiterals.add(column)
  // The query around may name it.
  if (scope.parent !== null) walk.draft.literalIndependent = false
  return column
}

function nameOf(walk: Walk, expression: Expression): string {
  const { kind, start, end } = expression
  if (kind === 'literal' && expression.type === 'string') return expression.value
  if (kind === 'function' && expression.name.value.toLowerCase() === 'name_const') {
    const [name] = expression.arguments
    if (name?.kind === 'literal') return name.value
  }
  return walk.text.slice(start, end)
}

function hasLiteral(root: Expression): boolean {
  const open: unknown[] = [root]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    if ((next as { kind?: string }).kind === 'literal') return true
    open.push(...Object.values(next))
  }
  return false
}
