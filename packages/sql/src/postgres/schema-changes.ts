/**
 * What the open transaction, or the earlier statements of a text, have made of the schema: relations that the
 * catalog snapshot cannot have yet. Only what is certain is here; any other change leaves names uncertain.
 */
import { buildCatalog } from '../build-catalog.ts'
import type { Catalog, CatalogRelation } from '../catalog.ts'
import type { StateChange } from '../facts.ts'

export interface SchemaChanges {
  /** By schema and name, JSON; null: there is none of that name any more. */
  readonly relations: ReadonlyMap<string, CatalogRelation | null>
  readonly schemas: ReadonlySet<string>
}

export const NO_SCHEMA_CHANGES: SchemaChanges = { relations: new Map(), schemas: new Set() }

type SchemaChange = Extract<
  StateChange,
  { kind: 'create-relation' | 'drop-relation' | 'create-schema' }
>

const keyOf = (schema: string, name: string): string => JSON.stringify([schema, name])

export function withChange(changes: SchemaChanges, change: SchemaChange): SchemaChanges {
  if (change.kind === 'create-schema') {
    return { ...changes, schemas: new Set([...changes.schemas, change.name]) }
  }
  const [key, relation] =
    change.kind === 'create-relation'
      ? [keyOf(change.relation.schema, change.relation.name), change.relation]
      : [keyOf(change.schema, change.name), null]
  return { ...changes, relations: new Map([...changes.relations, [key, relation]]) }
}

const changed = new WeakMap<Catalog, WeakMap<SchemaChanges, Catalog>>()

/** The catalog as these changes leave it. */
export function catalogWith(catalog: Catalog, changes: SchemaChanges): Catalog {
  if (changes.relations.size === 0 && changes.schemas.size === 0) return catalog
  let known = changed.get(catalog)
  if (known === undefined) {
    known = new WeakMap()
    changed.set(catalog, known)
  }
  let made = known.get(changes)
  if (made === undefined) {
    const { data, version } = catalog
    const relations = [
      ...data.relations.filter(({ schema, name }) => !changes.relations.has(keyOf(schema, name))),
      ...[...changes.relations.values()].filter((relation) => relation !== null),
    ]
    const schemas = data.schemas && [...data.schemas, ...changes.schemas]
    made = buildCatalog({ ...data, ...(schemas && { schemas }), relations }, version)
    known.set(changes, made)
  }
  return made
}
