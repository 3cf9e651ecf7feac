/**
 * Operators and casts that call a user's function. The catalog lists them by name; where it also gives the
 * operand types, an operator over operands that are known to be of other types is a built-in.
 */
import type { A_Expr_Kind, Node } from 'libpg-query'
import type { CatalogOperator } from '../catalog.ts'
import type { FactsDraft } from '../draft.ts'
import type { Value } from '../lineage/value.ts'
import type { AnalysisContext } from './context.ts'
import { stringsOf } from './tree.ts'

/** Operands of an operator; null for the missing side of a unary one. */
export interface Operands {
  readonly left: Value | null
  readonly right: Value | null
}

/** What the operator itself compares: of a list or an array its elements, whose type is not known. */
export function operandsOf(
  kind: A_Expr_Kind | undefined,
  left: Value | null,
  right: Value | null,
): Operands {
  return kind === 'AEXPR_OP' || right === null
    ? { left, right }
    : { left, right: { ...right, type: null } }
}

/** Notes the function behind a user's operator; false for a built-in. */
export function noteUserOperator(
  { context, draft }: { readonly context: AnalysisContext; readonly draft: FactsDraft },
  name: readonly Node[] | undefined,
  operands: Operands,
): boolean {
  const isNone = !context.catalog?.data.userOperators.length
  if (isNone && name?.length === 1) return false
  const parts = stringsOf(name)
  const symbol = parts.at(-1) ?? ''
  const schema = parts.at(-2)
  if (schema === 'pg_catalog') return false
  if (schema === undefined && isNone) return false
  const named = context.catalog?.data.userOperators.filter((entry) => entry.name === symbol) ?? []
  const found = named.find((entry) => mayApply(entry, operands))
  // An operator outside pg_catalog is a user's, known or not.
  if (found === undefined && schema === undefined) return false
  noteFunction(draft, found?.function ?? `${schema}.${symbol}`)
  return true
}

function noteFunction(draft: FactsDraft, path: string): void {
  const dot = path.indexOf('.')
  draft.function({ schema: path.slice(0, dot), name: path.slice(dot + 1), purity: 'opaque' })
  draft.effect('procedural')
}

function mayApply({ left, right }: CatalogOperator, operands: Operands): boolean {
  return mayBe(operands.left, left) && mayBe(operands.right, right)
}

/** Undefined: any type. A value without a known type (a literal, too) may be of any; a cast need not name the schema. */
function mayBe(value: Value | null, type: string | null | undefined): boolean {
  if (type === undefined) return true
  if (value === null || type === null) return value === null && type === null
  if (value.type === null || value.type === '' || value.type === type) return true
  return !value.type.includes('.') && type.endsWith(`.${value.type}`)
}

/** Does a cast to this type call a user's function? Notes it if so. */
export function noteUserCast(
  { context, draft }: { readonly context: AnalysisContext; readonly draft: FactsDraft },
  type: string,
): boolean {
  const found = context.catalog?.data.userOperators.find(({ name }) => {
    if (!name.startsWith('::')) return false
    const target = name.slice(2)
    return target === type || (!type.includes('.') && target.endsWith(`.${type}`))
  })
  if (found !== undefined) noteFunction(draft, found.function)
  return found !== undefined
}
