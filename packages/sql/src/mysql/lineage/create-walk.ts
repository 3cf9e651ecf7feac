/** Puts the parts of the walk together. */
import type { CatalogRelation } from '../../catalog.ts'
import type { FactsDraft } from '../../draft.ts'
import type { Access } from '../../facts.ts'
import { type Column, directOf, type Value } from '../../lineage/value.ts'
import type { Expression, Query } from '../ast.ts'
import { type MysqlContext, plain } from '../context.ts'
import { temporaryKey } from '../names.ts'
import { expressionValue } from './expression.ts'
import { notePredicate } from './predicate.ts'
import { queryColumns } from './query.ts'
import type { Scope } from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

/** Columns of a catalog relation, with base relations behind views noted in the draft. */
export type RelationReader = (
  draft: FactsDraft,
  relation: CatalogRelation,
  access: Access | null,
) => readonly Column[]

interface WalkOptions {
  readonly readRelation: RelationReader
  /** What offsets of nodes count in. */
  readonly text: string
  /** Lower-case names of the user variables that the statement assigns. */
  readonly assigned: ReadonlySet<string>
  /** Bodies of functions are looked into: whoever runs the statement asks whether they are still the same. */
  readonly bodies: boolean
  readonly depth?: number
}

export const createWalk = (context: MysqlContext, draft: FactsDraft, options: WalkOptions): Walk =>
  new StatementWalk(context, draft, options)

/** One for each statement: what few of them need is made when it is asked for. */
class StatementWalk implements Walk {
  readonly context: MysqlContext
  readonly draft: FactsDraft
  readonly text: string
  readonly visited: Walk['visited'] = new Set()
  readonly values: Walk['values'] = new Map()
  readonly namedByLiterals: Walk['namedByLiterals'] = new Set()
  readonly assigned: ReadonlySet<string>
  readonly targets: Walk['targets'] = new Set()
  inserted: Walk['inserted'] = null
  readonly depth: number
  readonly #options: WalkOptions
  #windows: Walk['windows'] | null = null
  #merged: Walk['merged'] | null = null
  #subqueries: Walk['subqueries'] | null = null
  #temporaries: Map<string, readonly Column[]> | null = null

  constructor(context: MysqlContext, draft: FactsDraft, options: WalkOptions) {
    this.context = context
    this.draft = draft
    this.text = options.text
    this.assigned = options.assigned
    this.depth = options.depth ?? 0
    this.#options = options
  }

  get windows(): Walk['windows'] {
    this.#windows ??= new Map()
    return this.#windows
  }

  get merged(): Walk['merged'] {
    this.#merged ??= new Map()
    return this.#merged
  }

  get subqueries(): Walk['subqueries'] {
    this.#subqueries ??= new Map()
    return this.#subqueries
  }

  get inside(): Walk['inside'] {
    if (!this.#options.bodies) return null
    return (draft, { database, ...body }) =>
      createWalk(within(this.context, database), draft, {
        ...this.#options,
        ...body,
        depth: this.depth + 1,
      })
  }

  value(node: Expression, scope: Scope): Value {
    return expressionValue(this, node, scope)
  }

  predicate(node: Expression, scope: Scope): void {
    notePredicate(this, node, scope)
  }

  query(query: Query, scope: Scope | null): QueryResult {
    return queryColumns(this, query, scope)
  }

  relationColumns(relation: CatalogRelation, access: Access | null): readonly Column[] {
    return this.#options.readRelation(this.draft, relation, access)
  }

  temporaryColumns({
    database,
    name,
    columns,
  }: Parameters<Walk['temporaryColumns']>[0]): readonly Column[] {
    this.#temporaries ??= new Map()
    const key = temporaryKey(this.context.catalog, database, name)
    let known = this.#temporaries.get(key)
    if (known === undefined) {
      known = columns.map((column) => ({
        name: column,
        value: directOf({ schema: database, relation: name, column }, ''),
      }))
      this.#temporaries.set(key, known)
    }
    return known
  }
}

/** Names in the body of a routine mean what is in the routine's database. */
const within = ({ catalog, dialect, names }: MysqlContext, database: string): MysqlContext => ({
  catalog,
  dialect: plain(dialect),
  names: {
    database,
    databaseCertain: true,
    temporaries: names.temporaries,
    temporariesCertain: names.temporariesCertain,
    sqlMode: null,
    prepared: () => undefined,
    handlers: () => undefined,
  },
})
