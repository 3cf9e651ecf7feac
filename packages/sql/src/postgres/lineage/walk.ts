/**
 * The walk's state and its mutually recursive parts as one interface, so that expressions, queries and
 * statements can live in files of their own. `createWalk` in ./create-walk.ts puts it together.
 */
import type { Node, SelectStmt } from 'libpg-query'
import type { CatalogRelation } from '../../catalog.ts'
import type { FactsDraft } from '../../draft.ts'
import type { Access, ColumnRef } from '../../facts.ts'
import type { Column, Value } from '../../lineage/value.ts'
import type { AnalysisContext } from '../context.ts'
import type { FunctionBodies } from '../function-bodies.ts'
import type { Scope } from './scope.ts'

/** Output columns of a query; `open` non-null: there may be others, with this value. */
export interface QueryResult {
  readonly columns: readonly Column[]
  readonly open: Value | null
}

export const NO_COLUMNS: QueryResult = { columns: [], open: null }

/** Has the walk understood the node? What the survey finds beside these makes the statement unknown. */
export const hasVisited = ({ values, visited }: Walk, node: object): boolean =>
  values.has(node) || visited.has(node)

export interface Walk {
  readonly context: AnalysisContext
  readonly draft: FactsDraft
  /** Nodes this walk has understood, beside those in `values`; see hasVisited. */
  readonly visited: Set<object>
  /**
   * Value of an expression node in the scope it was last looked at. Conditions are looked at twice, as a
   * value and as a condition: without this, nested ones would cost time exponential in their depth.
   */
  readonly values: Map<object, { readonly scope: Scope; readonly value: Value }>
  /** What the named windows of a query depend on. */
  readonly windows: Map<object, { readonly scope: Scope; readonly values: Value[] }>
  /** Refs of merged join columns, by both sides: one object each, as for every column. */
  readonly merged: Map<ColumnRef, Map<ColumnRef, ColumnRef>>
  /** Of a function's body, or what PREPARE holds: the values of $1, $2, … */
  readonly parameters: readonly Value[] | null
  /** Bodies of functions; null: none is read. */
  readonly bodies: FunctionBodies | null
  /** How many bodies of functions this is inside of. */
  readonly depth: number
  /** A walk of a function's body, with a draft of its own. */
  inside(draft: FactsDraft, parameters: readonly Value[]): Walk
  /** Results of sublinks analysed so far. */
  readonly subqueries: Map<object, QueryResult>
  value(node: Node, scope: Scope): Value
  /** A condition: notes how it uses columns. */
  predicate(node: Node, scope: Scope): void
  query(select: SelectStmt, scope: Scope | null): QueryResult
  /** A SELECT, INSERT, UPDATE, DELETE or MERGE, also inside WITH. */
  statement(node: Node, scope: Scope | null): QueryResult
  /** Output name of a column whose target has none of its own. */
  outputName(node: Node, scope: Scope): string
  /** Columns of a relation named in the text, with the lineage of a view's definition. */
  relationColumns(relation: CatalogRelation, access: Access): readonly Column[]
  temporaryColumns(name: string, columns: readonly string[]): readonly Column[]
}
