/**
 * Base columns of a catalog's relations, one shared `ColumnRef` object for each, and which columns hold
 * the same cells by inheritance.
 *
 * A column that a child table has from its parents names the topmost ancestor as its ref, with every
 * other ancestor, the child itself and its descendants as `kin`: rows read through a parent come from
 * its children, and rows of a child are part of what its parents protect.
 */
import type { Catalog, CatalogColumn, CatalogRelation } from './catalog.ts'
import type { ColumnRef } from './facts.ts'

export interface RelationColumns {
  readonly names: readonly string[]
  readonly refs: readonly ColumnRef[]
  readonly index: ReadonlyMap<string, number>
}

interface Family {
  readonly parents: Map<CatalogRelation, CatalogRelation[]>
  readonly children: Map<CatalogRelation, CatalogRelation[]>
}

const columnsOf = new WeakMap<Catalog, Map<CatalogRelation, RelationColumns>>()
const families = new WeakMap<Catalog, Family>()

export function relationColumns(catalog: Catalog, relation: CatalogRelation): RelationColumns {
  let cache = columnsOf.get(catalog)
  if (cache === undefined) {
    cache = new Map()
    columnsOf.set(catalog, cache)
  }
  let columns = cache.get(relation)
  if (columns === undefined) {
    const family = familyOf(catalog)
    columns = {
      names: relation.columns.map((column) => column.name),
      refs: relation.columns.map((column) => refOf(family, relation, column)),
      index: new Map(relation.columns.map((column, index) => [column.name, index])),
    }
    cache.set(relation, columns)
  }
  return columns
}

/**
 * The base column `relation.column` as facts name it, or undefined when the catalog has none such. Two
 * columns that share cells by inheritance give refs that are equal or name each other in `kin`.
 */
export function columnRef(
  catalog: Catalog,
  at: { readonly schema: string; readonly relation: string; readonly column: string },
): ColumnRef | undefined {
  const relation = catalog.relation(at.schema, at.relation)
  if (relation === undefined) return undefined
  const columns = relationColumns(catalog, relation)
  const index = columns.index.get(at.column)
  return index === undefined ? undefined : columns.refs[index]
}

function familyOf(catalog: Catalog): Family {
  let family = families.get(catalog)
  if (family !== undefined) return family
  family = { parents: new Map(), children: new Map() }
  for (const relation of catalog.data.relations) {
    for (const parentName of relation.parents) {
      const dot = parentName.indexOf('.')
      const parent = findParent(catalog, parentName, dot)
      if (parent === undefined) continue
      append(family.parents, relation, parent)
      append(family.children, parent, relation)
    }
  }
  families.set(catalog, family)
  return family
}

/** `schema.name`, where either part may itself contain dots. */
function findParent(catalog: Catalog, name: string, from: number): CatalogRelation | undefined {
  for (let dot = from; dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const parent = catalog.relation(name.slice(0, dot), name.slice(dot + 1))
    if (parent !== undefined) return parent
  }
  return undefined
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function refOf(family: Family, relation: CatalogRelation, column: CatalogColumn): ColumnRef {
  const has = (other: CatalogRelation) =>
    other.columns.some((candidate) => candidate.name === column.name)
  const ancestors = reach(relation, family.parents).filter(has)
  const descendants = reach(relation, family.children).filter(has)
  const plain = (other: CatalogRelation): ColumnRef => ({
    schema: other.schema,
    relation: other.name,
    column: column.name,
  })
  if (ancestors.length === 0 && descendants.length === 0) return plain(relation)
  const top = ancestors.find((other) => !reach(other, family.parents).some(has)) ?? relation
  const kin = [...ancestors, relation, ...descendants].filter((other) => other !== top)
  return { ...plain(top), kin: kin.map(plain) }
}

function reach(
  from: CatalogRelation,
  edges: ReadonlyMap<CatalogRelation, readonly CatalogRelation[]>,
): CatalogRelation[] {
  const found = new Set<CatalogRelation>()
  const open = [from]
  while (open.length > 0) {
    for (const next of edges.get(open.pop()!) ?? []) {
      if (next === from || found.has(next)) continue
      found.add(next)
      open.push(next)
    }
  }
  return [...found]
}
