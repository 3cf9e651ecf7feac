/**
 * How names compare. Columns, aliases of columns, variables and routines: without case, always. Databases,
 * tables, their aliases and CTEs: as the server's lower_case_table_names says; databases of the server
 * itself without case wherever it stands.
 */
import type { Catalog, CatalogRelation } from '../catalog.ts'

const SYSTEM = new Set(['information_schema', 'performance_schema', 'mysql', 'sys'])

export function isSystemDatabase(name: string): boolean {
  return SYSTEM.has(name.toLowerCase())
}

export function isSameColumnName(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase()
}

/** The form under which names of databases and tables are equal. */
export function foldTable(catalog: Catalog | null, name: string): string {
  const rule = catalog?.data.mysql?.lowerCaseTableNames ?? 0
  return rule === 0 ? name : name.toLowerCase()
}

export function foldDatabase(catalog: Catalog | null, name: string): string {
  return isSystemDatabase(name) ? name.toLowerCase() : foldTable(catalog, name)
}

const indexes = new WeakMap<Catalog, ReadonlyMap<string, CatalogRelation>>()

/** The relation `database.name`, by the server's rules of case. */
export function relationOf(
  catalog: Catalog,
  database: string,
  name: string,
): CatalogRelation | undefined {
  let index = indexes.get(catalog)
  if (index === undefined) {
    index = new Map(
      catalog.data.relations.map((relation) => [
        relationKey(catalog, relation.schema, relation.name),
        relation,
      ]),
    )
    indexes.set(catalog, index)
  }
  return index.get(relationKey(catalog, database, name))
}

function relationKey(catalog: Catalog, database: string, name: string): string {
  const folded = isSystemDatabase(database) ? name.toLowerCase() : foldTable(catalog, name)
  return `${foldDatabase(catalog, database)}\0${folded}`
}

/** `database.name` of a temporary table: a part with a dot or a backtick is quoted. */
export function temporaryKey(catalog: Catalog | null, database: string, name: string): string {
  const part = (text: string) => (/[.`]/.test(text) ? `\`${text.replaceAll('`', '``')}\`` : text)
  return `${part(foldDatabase(catalog, database))}.${part(foldTable(catalog, name))}`
}
