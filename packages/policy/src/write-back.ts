/**
 * Recognises masked values on their way back: an agent that read `[redacted]` must not write it over the value.
 * Literals are checked by `decide`, parameters by `checkBind` when the client binds them.
 */

import type { ColumnRef, StatementFacts } from '@sallyport/sql'
import { parameterText } from './masks/parameter.ts'
import { placeholderOf } from './masks/placeholder.ts'
import type { ColumnMask } from './model.ts'
import type { Deny } from './verdict.ts'
import { deny } from './verdict.ts'
import type { PrincipalView } from './view.ts'

/** One bound value as it came over the wire. */
export interface BindParameter {
  readonly format: 'text' | 'binary'
  /** Null: SQL NULL. */
  readonly value: Uint8Array | null
  /** Parameter type OID (PostgreSQL) or type code (MySQL); 0 when the client left it open. */
  readonly typeId: number
  readonly engine?: 'postgres' | 'mysql' | 'mariadb'
}

/** Could this value be what the mask shows? `null` is SQL NULL. */
export function isPlaceholder(mask: ColumnMask, value: string | null): boolean {
  return placeholderOf(mask.spec, value)
}

/** What a new row may well have where there is no value, whatever masks show: nothing, an empty text, 0, false. */
export const isEmpty = (value: string | null): boolean =>
  value === null || /^\s*([-+]?0+(\.0+)?|f|false)?\s*$/i.test(value)

/** Does `checkBind` look at the values of such a statement? */
export function bindMatters({ uses, constantWrites }: StatementFacts): boolean {
  return (
    uses.some(({ asText }) => asText === true) ||
    constantWrites.some(({ value }) => value.kind === 'parameter')
  )
}

/**
 * Refuses parameters that would write a mask over a value, or search a masked text by the number or time it starts with; null
 * when there is none.
 */
export function checkBind(
  view: PrincipalView,
  facts: StatementFacts,
  parameters: readonly BindParameter[],
): Deny | null {
  if (!view.masked || !bindMatters(facts)) return null
  for (const use of facts.uses) {
    if (use.asText !== true) continue
    const typed = use.parameters?.some((index) => isNoText(parameters[index - 1])) === true
    const mask = typed ? view.maskFor(use.column) : null
    if (mask !== null && mask.predicates !== 'open') return notAsText(use.column, mask)
  }
  for (const write of facts.constantWrites) {
    if (write.value.kind !== 'parameter') continue
    const mask = view.maskFor(write.column)
    if (mask === null) continue
    const parameter = parameters[write.value.index - 1]
    if (parameter === undefined) continue
    if (write.fresh && parameter.value === null) continue
    const empties = write.fresh === true ? isEmpty : () => false
    if (parameterText(parameter).some((text) => !empties(text) && isPlaceholder(mask, text)))
      return writeBack(write.column, mask)
  }
  return null
}

/** MYSQL_TYPE_ numbers: varchar, JSON, ENUM, SET, blobs, var string, string, geometry. */
const TEXTS: ReadonlySet<number> = new Set([15, 245, 247, 248, 249, 250, 251, 252, 253, 254, 255])

/** A number or a time, which text that it is compared with is read as. */
function isNoText(parameter: BindParameter | undefined): boolean {
  if (parameter === undefined || parameter.value === null) return false
  return parameter.engine !== undefined && parameter.engine !== 'postgres'
    ? !TEXTS.has(parameter.typeId)
    : false
}

function notAsText(column: ColumnRef, mask: ColumnMask): Deny {
  return deny('masked-predicate', {
    message: `the masked column ${column.schema}.${column.relation}.${column.column} holds text and may not be compared with a number or a time`,
    detail: `masked by: ${mask.names.join(', ')}; the server would compare what the text starts with, read as one`,
    hint: 'Bind the value as a string.',
  })
}

/** The refusal of a masked value written over a real one. */
export function writeBack(column: ColumnRef, mask: ColumnMask): Deny {
  return deny('masked-write-back', {
    message: `the value for ${column.schema}.${column.relation}.${column.column} looks like its mask; writing it would overwrite the real value`,
    detail: `masked by: ${mask.names.join(', ')}`,
    hint: 'Leave columns out of the statement whose values you have only seen masked.',
  })
}
