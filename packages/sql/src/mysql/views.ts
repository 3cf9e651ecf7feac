/**
 * Columns of catalog relations as values: tables are direct, generated columns derived, views by their definition.
 *
 * Definitions are walked once per catalog. What a view's author wrote in it (conditions, functions) is the
 * author's: it shapes the lineage of the view's columns, but is not a use by the statement. Relations of the
 * server itself are leaves: policy names them directly.
 */
import type { Catalog, CatalogColumn, CatalogRelation } from '../catalog.ts'
import { relationColumns } from '../columns.ts'
import { FactsDraft } from '../draft.ts'
import type { RelationUse } from '../facts.ts'
import { VIEW_DEPTH_MAX } from '../limits.ts'
import {
  asUnknown,
  type Column,
  derive,
  directOf,
  through,
  unknownOf,
  type Value,
} from '../lineage/value.ts'
import type { Dialect, Query } from './ast.ts'
import { type MysqlContext, plain } from './context.ts'
import { createWalk, type RelationReader } from './lineage/create-walk.ts'
import { leafOf, scopeOf } from './lineage/scope.ts'
import { isUnderstood as isKnown, type Walk } from './lineage/walk.ts'
import { isSystemDatabase } from './names.ts'
import { parseMysql } from './parse.ts'
import { survey } from './survey.ts'

interface Known {
  readonly columns: readonly Column[]
  readonly behind: readonly RelationUse[]
}

/** Definitions are stored as text that no sql_mode changes. */
interface Stored {
  readonly catalog: Catalog
  readonly dialect: Dialect
}

export class RelationColumnsReader {
  readonly #known = new WeakMap<Catalog, Map<CatalogRelation, Known>>()
  #depth = 0

  /** For a walk over statements that see this catalog. */
  readerFor({ catalog, dialect }: Pick<MysqlContext, 'catalog' | 'dialect'>): RelationReader {
    return (draft, relation, access) => {
      if (catalog === null) return []
      const known = this.#knownOf({ catalog, dialect: plain(dialect) }, relation)
      // What is done to a view's rows is done to the relations behind it; defining it is not.
      if (access !== null && access !== 'define') {
        for (const use of known.behind) draft.relation({ ...use, access })
      }
      return known.columns
    }
  }

  #knownOf(stored: Stored, relation: CatalogRelation): Known {
    let cache = this.#known.get(stored.catalog)
    if (cache === undefined) {
      cache = new Map()
      this.#known.set(stored.catalog, cache)
    }
    const known = cache.get(relation)
    if (known !== undefined) return known
    // A view that reaches itself meets this entry instead of an endless walk.
    cache.set(relation, { columns: unknownColumns(relation, 'recursive view'), behind: [] })
    try {
      const fresh = this.#read(stored, relation)
      cache.set(relation, fresh)
      return fresh
    } catch (error) {
      cache.delete(relation)
      throw error
    }
  }

  #read(stored: Stored, relation: CatalogRelation): Known {
    if (relation.kind !== 'view' || isSystemDatabase(relation.schema)) {
      return { columns: this.#stored(stored, relation), behind: [] }
    }
    const why = `definition of view ${relation.schema}.${relation.name}`
    if (relation.definition === undefined || this.#depth >= VIEW_DEPTH_MAX) {
      return { columns: unknownColumns(relation, why), behind: [] }
    }
    const query = queryOf(relation.definition, stored.dialect)
    if (query === null) return { columns: unknownColumns(relation, why), behind: [] }
    this.#depth++
    try {
      return this.#defined(stored, relation, { query, text: relation.definition })
    } finally {
      this.#depth--
    }
  }

  #defined(
    stored: Stored,
    relation: CatalogRelation,
    { query, text }: { readonly query: Query; readonly text: string },
  ): Known {
    const name = `${relation.schema}.${relation.name}`
    const { walk, draft, isUnderstood } = this.#walkOver(stored, query, text)
    const result = walk.query(query, null)
    const fits = result.open === null && result.columns.length === relation.columns.length
    const broken = !fits || !isUnderstood()
    const columns = relation.columns.map((column, index) => {
      const value = result.columns[index]?.value ?? unknownOf(`view ${name}`)
      const seen = through(value, `view ${name}`)
      return {
        name: column.name,
        value: broken ? asUnknown(seen, `definition of view ${name}`) : seen,
      }
    })
    const behind = [...draft.relations].map((use) => ({ ...use, through: name }))
    return { columns, behind }
  }

  #stored(stored: Stored, relation: CatalogRelation): Column[] {
    const { refs } = relationColumns(stored.catalog, relation)
    const columns = relation.columns.map((column, index) => ({
      name: column.name,
      value: directOf(refs[index]!, column.type),
    }))
    const isComputed = ({ generated, default: given }: CatalogColumn) =>
      generated !== undefined || given !== undefined
    if (!relation.columns.some(isComputed)) return columns
    return columns.map((column, index) => {
      const { generated, default: given } = relation.columns[index]!
      const expression = generated ?? given
      if (expression === undefined) return column
      const base = this.#generated(stored, relation, { expression, columns })
      if (base.kind === 'constant') return column
      const why = generated === undefined ? 'default over other columns' : 'generated column'
      const value = derive([column.value, base], { why, type: column.value.type })
      const written = generated === undefined ? refs[index]! : null
      return { name: column.name, value: { ...value, stored: written } }
    })
  }

  /** Lineage of a generation expression over the relation's own columns. */
  #generated(
    stored: Stored,
    relation: CatalogRelation,
    { expression, columns }: { readonly expression: string; readonly columns: readonly Column[] },
  ): Value {
    const text = `SELECT ${expression}`
    const query = queryOf(text, stored.dialect)
    if (query === null || query.body.kind !== 'select') return unknownOf('generation expression')
    const { walk, isUnderstood } = this.#walkOver(stored, query, text)
    const scope = scopeOf(leafOf(relation.name, columns))
    const { columns: outputs, open } = walk.query(query, scope)
    const value = outputs[0]?.value
    return open === null && value !== undefined && isUnderstood()
      ? value
      : unknownOf('generation expression')
  }

  #walkOver(
    { catalog, dialect }: Stored,
    query: Query,
    text: string,
  ): { readonly walk: Walk; readonly draft: FactsDraft; readonly isUnderstood: () => boolean } {
    const draft = new FactsDraft(dialect.flavour)
    const { meaningful, assigned } = survey(query)
    const context = definitionContext(catalog, dialect)
    const readRelation = this.readerFor(context)
    const walk = createWalk(context, draft, { readRelation, text, assigned, bodies: false })
    const isUnderstood = () =>
      !draft.hasEffect('unknown') && meaningful.every((node) => isKnown(walk, node))
    return { walk, draft, isUnderstood }
  }
}

/** The query of a stored text; null where it is none that we read. */
function queryOf(text: string, dialect: Dialect): Query | null {
  try {
    const [only, ...more] = parseMysql(text, dialect)
    return only?.statement.kind === 'query' && more.length === 0 ? only.statement : null
  } catch {
    // Whatever the reason: a definition that is not understood gives unknown columns.
    return null
  }
}

/** Definitions name everything with its database. */
function definitionContext(catalog: Catalog, dialect: Dialect): MysqlContext {
  return {
    catalog,
    dialect,
    names: {
      database: null,
      databaseCertain: true,
      temporaries: new Map(),
      temporariesCertain: true,
      sqlMode: '',
      prepared: () => undefined,
      handlers: () => undefined,
    },
  }
}

function unknownColumns(relation: CatalogRelation, why: string): Column[] {
  return relation.columns.map((column) => ({ name: column.name, value: unknownOf(why) }))
}
