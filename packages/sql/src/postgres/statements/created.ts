/** New and dropped relations: their use, and what they mean for the names of later statements. */
import type { RangeVar } from 'libpg-query'
import type { RelationUse } from '../../facts.ts'
import { resolveRelation } from '../resolve.ts'
import type { Run } from './run.ts'

/** Is the relation that this name would create a temporary one? */
export function isTemporary(name: RangeVar): boolean {
  return name.relpersistence === 't' || /^pg_temp(_\d+)?$/.test(name.schemaname ?? '')
}

export function noteCreated(
  run: Run,
  name: RangeVar,
  {
    kind,
    columns,
  }: { readonly kind: RelationUse['kind']; readonly columns: readonly string[] | null },
): void {
  run.walk.visited.add(name)
  const relation = name.relname ?? ''
  if (isTemporary(name)) {
    run.draft.relation({ schema: 'pg_temp', name: relation, access: 'define', kind: 'temporary' })
    run.draft.state.push({ kind: 'create-temporary', relation, columns })
    return
  }
  run.draft.relation({ schema: creationSchema(run, name), name: relation, access: 'define', kind })
  run.draft.state.push({ kind: 'catalog' })
}

/** Where the relation of this name is created: the first schema of the path; null when that is not certain. */
export function creationSchema(run: Run, name: RangeVar): string | null {
  if (isTemporary(name)) return 'pg_temp'
  if (name.schemaname !== undefined) return name.schemaname
  const { searchPath } = run.context.names
  return searchPath === 'uncertain' ? null : (searchPath[0] ?? null)
}

/** The name goes away, or changes so that its columns are no longer known. */
export function noteChanged(run: Run, name: RangeVar, change: 'dropped' | 'altered'): void {
  const candidates = resolveRelation(run.context, name)
  const relation = name.relname ?? ''
  if (candidates.some((candidate) => candidate.kind === 'temporary')) {
    run.draft.state.push(
      change === 'dropped'
        ? { kind: 'drop-temporary', relation }
        : { kind: 'create-temporary', relation, columns: null },
    )
  }
  if (candidates.some((candidate) => candidate.kind !== 'temporary')) {
    run.draft.state.push({ kind: 'catalog' })
  }
}
