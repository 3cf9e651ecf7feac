/**
 * ColumnMask × type × format → the function that masks one cell. Compiled once per result column.
 * A kind that means nothing for a type becomes `redact`; a type without a constant becomes NULL.
 */

import type { ColumnMask } from '../model.ts'
import type { MaskKeys } from './keys.ts'
import { type CellMask, constantMask, NULL_MASK } from './sink.ts'
import { type CellType, typeInfo } from './types.ts'

export function compileCellMask(mask: ColumnMask, cell: CellType, _keys: MaskKeys): CellMask {
  if (mask.spec.kind === 'null') return NULL_MASK
  const info = typeInfo(cell)
  if (info.shape === 'opaque') return NULL_MASK
  return constantMask(cell.format === 'text' ? Buffer.from(info.text, 'utf8') : info.binary)
}
