/** Puts the parts of the walk together. */
import type { DeleteStmt, InsertStmt, MergeStmt, Node, SelectStmt, UpdateStmt } from 'libpg-query'
import type { CatalogRelation } from '../../catalog.ts'
import type { FactsDraft } from '../../draft.ts'
import type { Access, ColumnRef } from '../../facts.ts'
import { type Column, directOf, unknownOf, type Value } from '../../lineage/value.ts'
import type { AnalysisContext } from '../context.ts'
import type { FunctionBodies } from '../function-bodies.ts'
import { unwrap } from '../tree.ts'
import { addCtes } from './cte.ts'
import { deleteColumns, insertColumns, mergeColumns, updateColumns } from './dml.ts'
import { expressionValue } from './expression.ts'
import { figureName } from './names.ts'
import { notePredicate } from './predicate.ts'
import { queryColumns } from './query.ts'
import { newScope, type Scope } from './scope.ts'
import type { QueryResult, Walk } from './walk.ts'

/** Columns of a catalog relation, with base relations behind views noted in the draft. */
export type RelationReader = (
  draft: FactsDraft,
  relation: CatalogRelation,
  access: Access,
) => readonly Column[]

/** What a walk is about, beside the session and what it notes. */
export interface WalkOptions {
  readonly readRelation: RelationReader
  readonly bodies: FunctionBodies | null
  /** Of a function's body, or what PREPARE holds. */
  readonly body?: { readonly parameters: readonly Value[]; readonly depth: number }
}

export const createWalk = (
  context: AnalysisContext,
  draft: FactsDraft,
  options: WalkOptions,
): Walk => new StatementWalk(context, draft, options)

/** One for each statement: what few of them need is made when it is asked for. */
class StatementWalk implements Walk {
  readonly context: AnalysisContext
  readonly draft: FactsDraft
  readonly visited: Walk['visited'] = new Set()
  readonly values: Walk['values'] = new Map()
  readonly parameters: Walk['parameters']
  readonly bodies: FunctionBodies | null
  readonly depth: number
  readonly #options: WalkOptions
  #windows: Walk['windows'] | null = null
  #merged: Walk['merged'] | null = null
  #subqueries: Walk['subqueries'] | null = null
  #temporaries: Map<string, readonly Column[]> | null = null

  constructor(context: AnalysisContext, draft: FactsDraft, options: WalkOptions) {
    const { bodies, body } = options
    this.context = context
    this.draft = draft
    this.parameters = body?.parameters ?? null
    this.bodies = bodies
    this.depth = body?.depth ?? 0
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

  inside(draft: FactsDraft, parameters: readonly Value[]): Walk {
    const body = { parameters, depth: this.depth + 1 }
    return createWalk(this.context, draft, { ...this.#options, body })
  }

  value(node: Node, scope: Scope): Value {
    return expressionValue(this, node, scope)
  }

  predicate(node: Node, scope: Scope): void {
    notePredicate(this, node, scope)
  }

  query(select: SelectStmt, scope: Scope | null): QueryResult {
    return query(this, select, scope)
  }

  statement(node: Node, scope: Scope | null): QueryResult {
    return statement(this, node, scope)
  }

  outputName(node: Node): string {
    return figureName(this, node)
  }

  relationColumns(relation: CatalogRelation, access: Access): readonly Column[] {
    return this.#options.readRelation(this.draft, relation, access)
  }

  temporaryColumns(name: string, columns: readonly string[]): readonly Column[] {
    this.#temporaries ??= new Map()
    let known = this.#temporaries.get(name)
    if (known === undefined) {
      known = columns.map((column) => temporaryColumn(name, column))
      this.#temporaries.set(name, known)
    }
    return known
  }
}

function temporaryColumn(relation: string, column: string): Column {
  const ref: ColumnRef = { schema: 'pg_temp', relation, column }
  return { name: column, value: directOf(ref, '') }
}

function query(walk: Walk, select: SelectStmt, scope: Scope | null): QueryResult {
  const own = scope ?? newScope(null)
  addCtes(walk, select.withClause, own)
  return queryColumns(walk, select, own)
}

function statement(walk: Walk, node: Node, scope: Scope | null): QueryResult {
  const [type, fields] = unwrap(node)
  switch (type) {
    case 'SelectStmt':
      return query(walk, fields as SelectStmt, newScope(scope))
    case 'InsertStmt':
      return insertColumns(walk, fields as InsertStmt, scope)
    case 'UpdateStmt':
      return updateColumns(walk, fields as UpdateStmt, scope)
    case 'DeleteStmt':
      return deleteColumns(walk, fields as DeleteStmt, scope)
    case 'MergeStmt':
      return mergeColumns(walk, fields as MergeStmt, scope)
    default:
      walk.draft.unknown(`query of type ${type}`)
      return { columns: [], open: unknownOf(`query of type ${type}`) }
  }
}
