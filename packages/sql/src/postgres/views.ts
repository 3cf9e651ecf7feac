/**
 * Columns of catalog relations as values: tables are direct, generated columns derived, views by their
 * definition, materialized views by both.
 *
 * Definitions are walked once per catalog. What a view's author wrote in it (conditions, functions) is
 * the author's: it shapes the lineage of the view's columns, but is not a use by the statement.
 * Views of the server itself (pg_catalog, information_schema) are leaves: policy names them directly.
 */
import type { Catalog, CatalogRelation, MadeView } from '../catalog.ts'
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
  valueFrom,
} from '../lineage/value.ts'
import type { AnalysisContext } from './context.ts'
import { createWalk, type RelationReader } from './lineage/create-walk.ts'
import { newScope, type Scope } from './lineage/scope.ts'
import type { Walk } from './lineage/walk.ts'
import type { Parser } from './parse.ts'

interface Known {
  readonly columns: readonly Column[]
  readonly behind: readonly RelationUse[]
  /** See StatementFacts: of tables behind it. */
  readonly wholeRows?: boolean
}

export class RelationColumnsReader {
  readonly #parser: Parser
  readonly #known = new WeakMap<Catalog, Map<CatalogRelation, Known>>()
  #depth = 0

  constructor(parser: Parser) {
    this.#parser = parser
  }

  /** For a walk over statements that see this catalog. */
  readerFor(catalog: Catalog | null): RelationReader {
    return (draft, relation, access) => {
      const known = catalog === null ? null : this.#knownOf(catalog, relation)
      if (known === null) return []
      // What is done to a view's rows is done to the relations behind it; defining it is not.
      if (access !== 'define') for (const use of known.behind) draft.relation({ ...use, access })
      if (known.wholeRows === true) draft.wholeRows = true
      return known.columns
    }
  }

  #knownOf(catalog: Catalog, relation: CatalogRelation): Known {
    let cache = this.#known.get(catalog)
    if (cache === undefined) {
      cache = new Map()
      this.#known.set(catalog, cache)
    }
    const known = cache.get(relation)
    if (known !== undefined) return known
    // A view that reaches itself meets this entry instead of an endless walk.
    cache.set(relation, { columns: unknownColumns(relation, 'recursive view'), behind: [] })
    try {
      const fresh = this.#read(catalog, relation)
      cache.set(relation, fresh)
      return fresh
    } catch (error) {
      cache.delete(relation)
      throw error
    }
  }

  #read(catalog: Catalog, relation: CatalogRelation): Known {
    const view = relation.kind === 'view' || relation.kind === 'materialized-view'
    if (!view || isSystem(relation)) return { columns: this.#stored(catalog, relation), behind: [] }
    if (relation.made !== undefined) return madeColumns(catalog, relation, relation.made)
    if (relation.definition === undefined || this.#depth >= VIEW_DEPTH_MAX) {
      const why = `no usable definition of view ${relation.schema}.${relation.name}`
      return { columns: unknownColumns(relation, why), behind: [] }
    }
    this.#depth++
    try {
      return this.#defined(catalog, relation, relation.definition)
    } finally {
      this.#depth--
    }
  }

  #defined(catalog: Catalog, relation: CatalogRelation, definition: string): Known {
    const name = `${relation.schema}.${relation.name}`
    const outcome = this.#parser.parse(definition)
    const node = outcome.kind === 'tree' ? outcome.statements[0]?.stmt : undefined
    if (node === undefined || (outcome.kind === 'tree' && outcome.statements.length !== 1)) {
      return { columns: unknownColumns(relation, `definition of view ${name}`), behind: [] }
    }
    const draft = new FactsDraft('postgres')
    const walk = this.#walk(catalog, draft)
    const result = walk.statement(node, null)
    const fits = result.open === null && result.columns.length === relation.columns.length
    const broken = !fits || draft.hasEffect('unknown')
    const columns = relation.columns.map((column, index) => {
      const value = result.columns[index]?.value ?? unknownOf(`view ${name}`)
      const through_ = viewed(relation, column.name, value)
      return {
        name: column.name,
        value: broken ? asUnknown(through_, `definition of view ${name}`) : through_,
      }
    })
    const behind = [...draft.relations].map((use) => ({ ...use, through: name }))
    return { columns, behind, wholeRows: draft.wholeRows }
  }

  #walk(catalog: Catalog, draft: FactsDraft): Walk {
    // What a view's functions are is not asked again before it is read.
    return createWalk(definitionContext(catalog), draft, {
      readRelation: this.readerFor(catalog),
      bodies: null,
    })
  }

  #stored(catalog: Catalog, relation: CatalogRelation): Column[] {
    const { refs } = relationColumns(catalog, relation)
    const columns = relation.columns.map((column, index) => ({
      name: column.name,
      value: directOf(refs[index]!, column.type),
    }))
    if (relation.columns.every((column) => column.generated === undefined)) return columns
    return columns.map((column, index) => {
      const expression = relation.columns[index]?.generated
      if (expression === undefined) return column
      const base = this.#generated(catalog, relation, { expression, columns })
      const value = derive([column.value, base], { why: 'generated column' })
      return { name: column.name, value }
    })
  }

  /** Lineage of a generation expression over the relation's own columns. */
  #generated(
    catalog: Catalog,
    relation: CatalogRelation,
    { expression, columns }: { readonly expression: string; readonly columns: readonly Column[] },
  ): Value {
    const outcome = this.#parser.parse(`SELECT ${expression}`)
    const select =
      outcome.kind === 'tree' && outcome.statements.length === 1
        ? outcome.statements[0]?.stmt
        : undefined
    if (select === undefined) return unknownOf('generation expression')
    const draft = new FactsDraft('postgres')
    const walk = this.#walk(catalog, draft)
    const item = {
      kind: 'leaf',
      name: relation.name,
      schema: relation.schema,
      columns,
      open: null,
      stored: true,
    } as const
    const scope: Scope = { ...newScope(null), entries: [{ item, bare: true, named: true }] }
    const { columns: outputs, open } = walk.statement(select, scope)
    const value = outputs[0]?.value
    if (open !== null || value === undefined || draft.hasEffect('unknown')) {
      return unknownOf('generation expression')
    }
    return value
  }
}

/** What these relations are, as far as it decides what is read through them. */
export function seenBehind(catalog: Catalog | null, behind: readonly RelationUse[]): string {
  return JSON.stringify(
    behind.map(({ schema, name }) => {
      const relation = catalog?.relation(schema ?? '', name)
      if (relation === undefined) return null
      const { definition, made, columns, parents } = relation
      const stored = columns.map((one) => [one.name, one.generated ?? null])
      return [definition ?? made?.lineages ?? stored, stored, parents]
    }),
  )
}

function madeColumns(
  catalog: Catalog,
  relation: CatalogRelation,
  { lineages, behind, seen, wholeRows }: MadeView,
): Known {
  const through = `${relation.schema}.${relation.name}`
  if (seenBehind(catalog, behind) !== seen) {
    const why = `what is behind view ${through} has changed since it was made`
    return { columns: unknownColumns(relation, why), behind: [] }
  }
  const columns = relation.columns.map(({ name, type }, index) => {
    const lineage = lineages[index]
    const value = lineage === undefined ? unknownOf(`view ${through}`) : valueFrom(lineage)
    return { name, value: viewed(relation, name, { ...value, type: type === '' ? null : type }) }
  })
  return { columns, behind: behind.map((use) => ({ ...use, through })), wholeRows }
}

/** A materialized view's stored column stands in front of its base; a view's is its base. */
function viewed(relation: CatalogRelation, column: string, value: Value): Value {
  const why = `view ${relation.schema}.${relation.name}`
  if (relation.kind === 'view') return through(value, why)
  const stored = { schema: relation.schema, relation: relation.name, column }
  if (value.kind !== 'direct') {
    const own = directOf(stored, '')
    const both = derive([own, value], { why })
    return value.kind === 'constant' ? own : both
  }
  const source = value.sources[0]!
  return through({ ...value, sources: [{ ...source, kin: [stored, ...(source.kin ?? [])] }] }, why)
}

function isSystem(relation: CatalogRelation): boolean {
  return relation.schema === 'pg_catalog' || relation.schema === 'information_schema'
}

/** Definitions name everything with its schema, except what is in pg_catalog. */
function definitionContext(catalog: Catalog): AnalysisContext {
  return {
    catalog,
    names: {
      searchPath: [],
      temporaries: new Map(),
      temporariesCertain: true,
      prepared: () => undefined,
      cursors: () => undefined,
    },
  }
}

function unknownColumns(relation: CatalogRelation, why: string): Column[] {
  return relation.columns.map((column) => ({ name: column.name, value: unknownOf(why) }))
}
