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

/** Refuses parameters that would write a mask over a value; null when there is none. */
export function checkBind(
  view: PrincipalView,
  facts: StatementFacts,
  parameters: readonly BindParameter[],
): Deny | null {
  if (!view.masked) return null
  for (const write of facts.constantWrites) {
    if (write.value.kind !== 'parameter') continue
    const mask = view.maskFor(write.column)
    if (mask === null) continue
    const parameter = parameters[write.value.index - 1]
    if (parameter === undefined) continue
    if (write.fresh && parameter.value === null) continue
    if (parameterText(parameter).some((text) => isPlaceholder(mask, text)))
      return writeBack(write.column, mask)
  }
  return null
}

/** The refusal of a masked value written over a real one. */
export function writeBack(column: ColumnRef, mask: ColumnMask): Deny {
  return deny('masked-write-back', {
    message: `the value for ${column.schema}.${column.relation}.${column.column} looks like its mask; writing it would overwrite the real value`,
    detail: `masked by: ${mask.names.join(', ')}`,
    hint: 'Leave columns out of the statement whose values you have only seen masked.',
  })
}
