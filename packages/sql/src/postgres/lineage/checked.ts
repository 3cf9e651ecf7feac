/** What a write tells by failing: the relations behind its name, with this engine's rules of types. */
import type { RangeVar } from 'libpg-query'
import type { CatalogColumn } from '../../catalog.ts'
import {
  noteChecks as noteChecksOf,
  noteDeleted as noteDeletedFrom,
  type Target,
  type Written,
} from '../../lineage/checks.ts'
import type { Value } from '../../lineage/value.ts'
import { resolveRelation } from '../resolve.ts'
import { castMayFail } from '../total.ts'
import type { Walk } from './walk.ts'

/** Notes what an INSERT, UPDATE or COPY of these columns can tell by failing. */
export function noteChecks(walk: Walk, name: RangeVar, written: Written): void {
  for (const target of targetsOf(walk, name)) noteChecksOf(target, written)
}

/** A DELETE fails where a row elsewhere still refers to the one it takes. */
export function noteDeleted(walk: Walk, name: RangeVar): void {
  for (const target of targetsOf(walk, name)) noteDeletedFrom(target)
}

function targetsOf({ context, draft }: Walk, name: RangeVar): readonly Target[] {
  const { catalog } = context
  if (catalog === null) return []
  return resolveRelation(context, name).flatMap((candidate) =>
    candidate.kind === 'relation'
      ? { draft, catalog, relation: candidate.relation, mayNotFit }
      : [],
  )
}

/** Types whose columns may refuse a value of the same type for its size. */
const LIMITED = new Set(['varchar', 'bpchar', 'numeric', 'bit', 'varbit'])

function mayNotFit({ type }: Value, column: CatalogColumn): boolean {
  if (LIMITED.has(column.type)) return true
  return type !== column.type && castMayFail(type, column.type, { modified: true })
}
