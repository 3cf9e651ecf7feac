/**
 * The walk's state and its mutually recursive parts as one interface, so that expressions, queries and
 * statements can live in files of their own. `createWalk` in ./create-walk.ts puts it together.
 */
import type { Node, SelectStmt } from 'libpg-query'
import type { CatalogRelation } from '../../catalog.ts'
import type { Access } from '../../facts.ts'
import type { AnalysisContext } from '../context.ts'
import type { FactsDraft } from '../draft.ts'
import type { Scope } from './scope.ts'
import type { Column, Value } from './value.ts'

/** Output columns of a query; `open` non-null: there may be others, with this value. */
export interface QueryResult {
  readonly columns: readonly Column[]
  readonly open: Value | null
}

export const NO_COLUMNS: QueryResult = { columns: [], open: null }

export interface Walk {
  readonly context: AnalysisContext
  readonly draft: FactsDraft
  /** Nodes this walk has understood; what the survey finds beside them makes the statement unknown. */
  readonly visited: Set<object>
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
