/** What a write tells by failing: the relations behind its table, with this engine's rules of types. */
import type { CatalogColumn } from '../../catalog.ts'
import { noteChecks, noteDeleted, type Target, type Written } from '../../lineage/checks.ts'
import type { Value } from '../../lineage/value.ts'
import type { ObjectName } from '../ast.ts'
import { resolveRelation } from '../resolve.ts'
import type { Walk } from './walk.ts'

export function noteWritten(walk: Walk, table: ObjectName, written: Written): void {
  for (const target of targetsOf(walk, table)) noteChecks(target, written)
}

export function noteRowsDeleted(walk: Walk, table: ObjectName): void {
  for (const target of targetsOf(walk, table)) noteDeleted(target)
}

function targetsOf(walk: Walk, table: ObjectName): readonly Target[] {
  const { catalog } = walk.context
  if (catalog === null) return []
  return resolveRelation(walk.context, table).flatMap((candidate) =>
    candidate.kind === 'relation'
      ? { draft: walk.draft, catalog, relation: candidate.relation, mayNotFit }
      : [],
  )
}

/** Integer types by what they hold; each fits into those after it. */
const WIDTHS = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint']
/** Types whose columns refuse no value of the same type. */
const UNLIMITED = /^(tiny|medium|long)?(text|blob)$|^(float|double|date|json|year)$/

/** In strict mode a value that does not fit is an error. */
function mayNotFit({ type }: Value, column: CatalogColumn): boolean {
  if (type === null) return true
  const from = WIDTHS.indexOf(type)
  if (from !== -1) return WIDTHS.indexOf(column.type) < from
  return type !== column.type || !UNLIMITED.test(type)
}
