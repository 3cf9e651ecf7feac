/**
 * The name of an output column without alias: a column's own, a string's value, else the expression's text as
 * written. What the server would name otherwise is a name that nothing finds.
 */
import type { Expression, SelectItem } from '../ast.ts'
import type { Walk } from './walk.ts'

export function outputName(walk: Walk, { expression, alias }: SelectItem): string {
  if (alias !== null) return alias.value
  switch (expression.kind) {
    case 'column':
      return expression.name.value
    case 'literal':
      if (expression.type === 'string') walk.draft.literalIndependent = false
      return expression.type === 'string' ? expression.value : textOf(walk, expression)
    case 'wildcard':
      return ''
    case 'function':
      return constantName(expression) ?? textOf(walk, expression)
    default:
      return textOf(walk, expression)
  }
}

/** NAME_CONST('name', value). */
function constantName(call: Extract<Expression, { kind: 'function' }>): string | null {
  const [name] = call.arguments
  const given = call.name.value.toLowerCase() === 'name_const' && name?.kind === 'literal'
  return given ? name.value : null
}

function textOf(walk: Walk, { start, end }: Expression): string {
  return walk.text.slice(start, end)
}
