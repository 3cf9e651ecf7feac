/**
 * Table names to relations, the way the server looks them up: a temporary table hides a stored one of the same
 * database and name; a name without a database is in the current one. Where the session's state leaves more
 * than one answer, all of them are candidates.
 */
import type { CatalogRelation } from '../catalog.ts'
import type { FactsDraft } from '../draft.ts'
import type { Access, RelationUse } from '../facts.ts'
import type { ObjectName } from './ast.ts'
import type { MysqlContext } from './context.ts'
import { foldDatabase, relationOf, temporaryKey } from './names.ts'

export type Candidate =
  | { readonly kind: 'relation'; readonly relation: CatalogRelation }
  | {
      readonly kind: 'temporary'
      readonly database: string
      readonly name: string
      readonly columns: readonly string[] | null
      /** False: it may not exist, and a later candidate be meant. */
      readonly certain: boolean
    }
  | { readonly kind: 'unresolved'; readonly database: string | null; readonly name: string }

/** The database a name is in; null where none is selected or which is not certain. */
export function databaseOf(context: MysqlContext, name: ObjectName): string | null {
  if (name.database !== null) return foldDatabase(context.catalog, name.database.value)
  const { database, databaseCertain } = context.names
  return databaseCertain && database !== null ? foldDatabase(context.catalog, database) : null
}

/** At least one candidate; exactly one when the name's meaning is certain. */
export function resolveRelation(context: MysqlContext, name: ObjectName): readonly Candidate[] {
  const database = databaseOf(context, name)
  const table = name.name.value
  if (database !== null) return resolveIn(context, database, table)
  if (context.names.databaseCertain) return [{ kind: 'unresolved', database: null, name: table }]
  const named = (context.catalog?.data.relations ?? [])
    .filter((relation) => relation.name.toLowerCase() === table.toLowerCase())
    .map((relation): Candidate => ({ kind: 'relation', relation }))
  return [...named, { kind: 'unresolved', database: null, name: table }]
}

function resolveIn(context: MysqlContext, database: string, name: string): readonly Candidate[] {
  const { catalog, names } = context
  const candidates: Candidate[] = []
  const columns =
    names.temporaries.size === 0
      ? undefined
      : names.temporaries.get(temporaryKey(catalog, database, name))
  const known = columns !== undefined
  if (known || !names.temporariesCertain) {
    candidates.push({
      kind: 'temporary',
      database,
      name,
      columns: columns ?? null,
      certain: known,
    })
    if (known) return candidates
  }
  const relation = catalog === null ? undefined : relationOf(catalog, database, name)
  candidates.push(
    relation === undefined
      ? { kind: 'unresolved', database, name }
      : { kind: 'relation', relation },
  )
  return candidates
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
      const { schema, name, kind } = candidate.relation
      return { schema, name, access, kind: KINDS[kind] }
    }
    case 'temporary':
      return { schema: candidate.database, name: candidate.name, access, kind: 'temporary' }
    case 'unresolved':
      return { schema: candidate.database, name: candidate.name, access, kind: 'unresolved' }
  }
}

const isStored = (candidate: Candidate) => candidate.kind === 'relation'

/** Resolves a name and notes its use with every candidate. */
export function useRelation(
  context: MysqlContext,
  draft: FactsDraft,
  options: { readonly name: ObjectName; readonly access: Access },
): readonly Candidate[] {
  const candidates = resolveRelation(context, options.name)
  const [only] = candidates
  if (candidates.length === 1 && only?.kind === 'unresolved' && options.access !== 'define')
    noteMissing(context, draft, only)
  for (const candidate of candidates) {
    if (candidate.kind === 'unresolved' && candidates.some(isStored)) continue
    draft.relation(relationUse(candidate, options.access))
  }
  return candidates
}

function noteMissing(
  { catalog }: MysqlContext,
  draft: FactsDraft,
  { database, name }: Candidate & { kind: 'unresolved' },
): void {
  if (catalog === null) return
  draft.missing('relation', database === null ? name : `${database}.${name}`, () =>
    catalog.data.relations.flatMap((relation) =>
      relation.schema === database ? `${relation.schema}.${relation.name}` : [],
    ),
  )
}
