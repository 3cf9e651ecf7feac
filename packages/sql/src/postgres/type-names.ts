/**
 * Type names to types, the way the server looks them up: as relation names are, pg_temp before pg_catalog. So a type of the
 * session's own may take the place of one of the server's, and with it checks that fail, or another number of columns.
 */
import type { TypeName } from 'libpg-query'
import type { Catalog } from '../catalog.ts'
import type { AnalysisContext } from './context.ts'
import { effectivePath, isStale, resolveRelation } from './resolve.ts'
import { stringsOf } from './tree.ts'

/** As in CatalogColumn; `schema` undefined: as written, or of pg_catalog. */
function partsOf(type: string): { readonly schema: string | undefined; readonly name: string } {
  const dot = type.lastIndexOf('.')
  return { schema: dot === -1 ? undefined : type.slice(0, dot), name: type.slice(dot + 1) }
}

/** Field names of a composite type; null: it is none, or which one is meant is not certain. */
export function compositeFields(
  context: AnalysisContext,
  type: string | null,
): readonly string[] | null {
  const { catalog, names } = context
  if (type === null || type === '' || catalog === null) return null
  const { schema, name } = partsOf(type)
  if (schema === undefined && catalog.typesNamed(name).length > 0) return null
  const found = resolveRelation(
    context,
    schema === undefined ? { relname: name } : { schemaname: schema, relname: name },
  )
  const [only] = found
  if (found.length !== 1 || only?.kind !== 'relation' || only.relation.kind === 'sequence')
    return null
  if (isStale(context, only.relation)) return null
  // A type that this transaction has made may come before a relation that it has made.
  const { schema: of, columns } = only.relation
  const isNew = names.schema?.relations.has(JSON.stringify([of, name])) === true
  return schema === undefined && isNew ? null : columns.map((column) => column.name)
}

/** May values of this type be rows, which FROM spreads? */
export function mayBeRow({ catalog, names }: AnalysisContext, type: string): boolean {
  if (catalog === null) return type !== ''
  const { schema, name } = partsOf(type)
  if (type === '') return false
  if (schema === undefined && names.temporaries.has(name)) return true
  const types = catalog.typesNamed(name)
  const meant = schema === undefined ? types : types.filter((one) => one.schema === schema)
  if (catalog.data.types === undefined) return catalog.relationsNamed(name).length > 0
  if (meant.length === 0 || meant.some(({ row }) => row)) return true
  return schema === undefined && catalog.relationsNamed(name).length > 0
}

const isServers = (catalog: Catalog, name: string): boolean =>
  catalog.typesNamed(name).some(({ schema }) => schema === 'pg_catalog')

/** Would a relation, or a type, of this name be taken for another type, here or in a later statement? */
export function takesPlace(
  { catalog }: AnalysisContext,
  name: string,
  kind: 'relation' | 'type',
): boolean {
  if (catalog === null) return false
  if (kind === 'relation') return isServers(catalog, name)
  return catalog.typesNamed(name).length + catalog.relationsNamed(name).length > 0
}

/** May it stand for another type than the server's of that name? */
export function isDoubtful({ catalog, names }: AnalysisContext, type: TypeName): boolean {
  const [name = '', ...more] = stringsOf(type.names)
  if (catalog === null || more.length > 0 || !isServers(catalog, name)) return false
  const schemas = [...catalog.typesNamed(name), ...catalog.relationsNamed(name)].map(
    ({ schema }) => schema,
  )
  if (names.temporaries.has(name) || schemas.some((schema) => schema.startsWith('pg_temp')))
    return true
  if (names.searchPath === 'uncertain') return schemas.some((schema) => schema !== 'pg_catalog')
  const path = effectivePath(names.searchPath)
  return path.slice(0, path.indexOf('pg_catalog')).some((schema) => schemas.includes(schema))
}
