/**
 * Relation names to relations, the way the server looks them up: pg_temp first unless the path lists it,
 * then pg_catalog unless listed, then the path. Where the session's state leaves more than one answer,
 * all of them are candidates.
 */
import type { RangeVar } from 'libpg-query'
import type { CatalogRelation } from '../catalog.ts'
import type { FactsDraft } from '../draft.ts'
import type { Access, RelationUse } from '../facts.ts'
import type { AnalysisContext } from './context.ts'

export type Candidate =
  | { readonly kind: 'relation'; readonly relation: CatalogRelation }
  | {
      readonly kind: 'temporary'
      readonly name: string
      readonly columns: readonly string[] | null
      /** False: it may not exist, and a later candidate be meant. */
      readonly certain: boolean
    }
  | { readonly kind: 'unresolved'; readonly schema: string | null; readonly name: string }

/** At least one candidate; exactly one when the name's meaning is certain. */
export function resolveRelation(context: AnalysisContext, name: RangeVar): readonly Candidate[] {
  const relname = name.relname ?? ''
  const schema = name.schemaname
  if (schema === undefined || schema === '') return resolveUnqualified(context, relname)
  if (schema === 'pg_temp' || schema.startsWith('pg_temp_')) {
    const columns = context.names.temporaries.get(relname) ?? null
    return [{ kind: 'temporary', name: relname, columns, certain: true }]
  }
  const relation = context.catalog?.relation(schema, relname)
  return [
    relation === undefined
      ? { kind: 'unresolved', schema, name: relname }
      : { kind: 'relation', relation },
  ]
}

/** May it have other columns by now than the snapshot says? */
export const isStale = ({ names }: AnalysisContext, { schema }: CatalogRelation): boolean =>
  names.stale === true && schema !== 'pg_catalog' && schema !== 'information_schema'

function resolveUnqualified(context: AnalysisContext, name: string): readonly Candidate[] {
  const { catalog, names } = context
  const temporary = temporaryCandidate(context, name)
  const candidates: Candidate[] = []
  if (names.searchPath === 'uncertain') {
    if (temporary !== null) candidates.push(temporary)
    for (const relation of catalog?.relationsNamed(name) ?? []) {
      candidates.push({ kind: 'relation', relation })
    }
    return candidates.length > 0 ? candidates : [{ kind: 'unresolved', schema: null, name }]
  }
  for (const schema of effectivePath(names.searchPath)) {
    if (schema === 'pg_temp') {
      if (temporary === null) continue
      candidates.push(temporary)
      if (temporary.certain) return candidates
    } else {
      const relation = catalog?.relation(schema, name)
      if (relation === undefined) continue
      candidates.push({ kind: 'relation', relation })
      return candidates
    }
  }
  candidates.push({ kind: 'unresolved', schema: null, name })
  return candidates
}

/** The path with the implicit schemas where the server puts them. */
export function effectivePath(path: readonly string[]): readonly string[] {
  const implicit: string[] = []
  if (!path.includes('pg_temp')) implicit.push('pg_temp')
  if (!path.includes('pg_catalog')) implicit.push('pg_catalog')
  return implicit.length === 0 ? path : [...implicit, ...path]
}

function temporaryCandidate(
  { names }: AnalysisContext,
  name: string,
): (Candidate & { kind: 'temporary' }) | null {
  const columns = names.temporaries.get(name)
  if (columns !== undefined) return { kind: 'temporary', name, columns, certain: true }
  if (names.temporariesCertain) return null
  return { kind: 'temporary', name, columns: null, certain: false }
}

const KINDS: Readonly<Record<CatalogRelation['kind'], RelationUse['kind']>> = {
  table: 'table',
  view: 'view',
  'materialized-view': 'materialized-view',
  'foreign-table': 'foreign-table',
  'partitioned-table': 'table',
  sequence: 'sequence',
  composite: 'unresolved',
}

export function relationUse(candidate: Candidate, access: Access): RelationUse {
  switch (candidate.kind) {
    case 'relation': {
      const { schema, name, kind, id, unlessThere } = candidate.relation
      const use = { schema, name, access, kind: KINDS[kind] }
      return id === 0 ? { ...use, own: true, ...(unlessThere && { unlessThere }) } : use
    }
    case 'temporary':
      return { schema: 'pg_temp', name: candidate.name, access, kind: 'temporary' }
    case 'unresolved':
      return { schema: candidate.schema, name: candidate.name, access, kind: 'unresolved' }
  }
}

/** Resolves a name and notes its use with every candidate. */
export function useRelation(
  context: AnalysisContext,
  draft: FactsDraft,
  options: { readonly name: RangeVar; readonly access: Access },
): readonly Candidate[] {
  const candidates = resolveRelation(context, options.name)
  const [only] = candidates
  if (candidates.length === 1 && only?.kind === 'unresolved' && options.access !== 'define')
    noteMissing(context, draft, options.name)
  for (const candidate of candidates) {
    // That the name may be a temporary relation's does not hide which stored one it may be.
    if (candidates.length > 1 && candidate.kind === 'unresolved') continue
    draft.relation(relationUse(candidate, options.access))
  }
  return candidates
}

function noteMissing({ catalog, names }: AnalysisContext, draft: FactsDraft, name: RangeVar): void {
  const { relname = '', schemaname = '' } = name
  if (catalog === null || (schemaname === '' && names.searchPath === 'uncertain')) return
  const path = schemaname === '' ? names.searchPath : [schemaname]
  const written = schemaname === '' ? relname : `${schemaname}.${relname}`
  draft.missing('relation', written, () =>
    catalog.data.relations.flatMap((relation) =>
      path.includes(relation.schema) ? `${relation.schema}.${relation.name}` : [],
    ),
  )
}

/** A name as `[schema.]relation` list nodes have it, e.g. in DROP. */
export function nameToRangeVar(parts: readonly string[]): RangeVar {
  const relname = parts.at(-1) ?? ''
  const schemaname = parts.at(-2)
  return schemaname === undefined ? { relname } : { schemaname, relname }
}
