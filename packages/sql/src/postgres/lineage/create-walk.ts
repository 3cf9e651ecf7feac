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
  /** Of a function's body. */
  readonly body?: { readonly parameters: readonly Value[]; readonly depth: number }
}

export function createWalk(
  context: AnalysisContext,
  draft: FactsDraft,
  options: WalkOptions,
): Walk {
  const { readRelation, bodies, body } = options
  const temporaries = new Map<string, readonly Column[]>()
  const walk: Walk = {
    context,
    draft,
    visited: new Set(),
    values: new Map(),
    windows: new Map(),
    merged: new Map(),
    subqueries: new Map(),
    parameters: body?.parameters ?? null,
    bodies,
    depth: body?.depth ?? 0,
    inside: (inner, parameters) =>
      createWalk(context, inner, { ...options, body: { parameters, depth: walk.depth + 1 } }),
    value: (node, scope) => expressionValue(walk, node, scope),
    predicate: (node, scope) => notePredicate(walk, node, scope),
    query: (select, scope) => query(walk, select, scope),
    statement: (node, scope) => statement(walk, node, scope),
    outputName: (node) => figureName(walk, node),
    relationColumns: (relation, access) => readRelation(draft, relation, access),
    temporaryColumns(name, columns) {
      let known = temporaries.get(name)
      if (known === undefined) {
        known = columns.map((column) => temporaryColumn(name, column))
        temporaries.set(name, known)
      }
      return known
    },
  }
  return walk
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
