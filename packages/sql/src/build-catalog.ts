/** Indexes a schema snapshot by name and OID. */
import type {
  Catalog,
  CatalogData,
  CatalogFunction,
  CatalogRelation,
  CatalogType,
} from './catalog.ts'

const NONE: readonly never[] = []

/** `version` must change whenever `data` does: facts cached under it stay valid for it alone. */
export function buildCatalog(data: CatalogData, version: number): Catalog {
  const byName = new Map<string, CatalogRelation[]>()
  const byId = new Map<number, CatalogRelation>()
  for (const relation of data.relations) {
    push(byName, relation.name, relation)
    if (relation.id !== 0) byId.set(relation.id, relation)
  }
  const functions = new Map<string, CatalogFunction[]>()
  for (const entry of data.functions) push(functions, entry.name, entry)
  const types = new Map<string, CatalogType[]>()
  for (const type of data.types ?? []) push(types, type.name, type)
  return {
    data,
    version,
    relation: (schema, name) => byName.get(name)?.find((relation) => relation.schema === schema),
    relationById: (id) => byId.get(id),
    relationsNamed: (name) => byName.get(name) ?? NONE,
    functionsNamed: (name) => functions.get(name) ?? NONE,
    typesNamed: (name) => types.get(name) ?? NONE,
  }
}

function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [item])
  else list.push(item)
}
