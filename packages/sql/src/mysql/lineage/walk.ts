/**
 * The walk's state and its mutually recursive parts as one interface, so that expressions, queries and
 * statements can live in files of their own. `createWalk` in ./create-walk.ts puts it together.
 */
import type { CatalogRelation } from '../../catalog.ts'
import type { FactsDraft } from '../../draft.ts'
import type { Access, ColumnRef } from '../../facts.ts'
import type { Column, Value } from '../../lineage/value.ts'
import type { Expression, Query, Table, WindowSpecification } from '../ast.ts'
import type { MysqlContext } from '../context.ts'
import type { Scope } from './scope.ts'

/** Output columns of a query; `open` non-null: there may be others, with this value. */
export interface QueryResult {
  readonly columns: readonly Column[]
  readonly open: Value | null
}

export const NO_COLUMNS: QueryResult = { columns: [], open: null }

export interface Walk {
  readonly context: MysqlContext
  readonly draft: FactsDraft
  /** Text that offsets of nodes count in: an output without alias is named by it. */
  readonly text: string
  /** Nodes this walk has understood, beside those of `values`; what the survey finds besides makes the statement unknown. */
  readonly visited: Set<object>
  /**
   * Value of an expression in the scope it was last looked at. Conditions are looked at twice, as a value and as
   * a condition: without this, nested ones would cost time exponential in their depth.
   */
  readonly values: Map<object, { readonly scope: Scope; readonly value: Value }>
  /** What windows depend on. */
  readonly windows: Map<
    WindowSpecification,
    { readonly scope: Scope; readonly values: readonly Value[] }
  >
  /** Refs of merged join columns, by both sides: one object each, as for every column. */
  readonly merged: Map<ColumnRef, Map<ColumnRef, ColumnRef>>
  /** Output columns whose names are text with literals in it. */
  readonly namedByLiterals: Set<Column>
  /** Results of subqueries in expressions. */
  readonly subqueries: Map<Query, QueryResult>
  /** Lower-case names of user variables that this statement assigns. */
  readonly assigned: ReadonlySet<string>
  /** Tables of FROM that the statement may change: what is done to them is noted when it is known. */
  readonly targets: Set<Table>
  /** What VALUES(c) stands for; null outside of ON DUPLICATE KEY UPDATE. */
  inserted: ((column: string) => Value) | null
  /** How many bodies of functions it is inside of. */
  readonly depth: number
  /** A walk of a function's body, with names as that means them; null: bodies are not looked into here. */
  readonly inside:
    | ((
        draft: FactsDraft,
        body: Pick<Walk, 'text' | 'assigned'> & { readonly database: string },
      ) => Walk)
    | null
  value(node: Expression, scope: Scope): Value
  /** A condition: notes how it uses columns. */
  predicate(node: Expression, scope: Scope): void
  /** A query in a scope of its own inside `scope`. */
  query(query: Query, scope: Scope | null): QueryResult
  /** Columns of a relation named in the text, with the lineage of a view's definition. Null: its use is not noted. */
  relationColumns(relation: CatalogRelation, access: Access | null): readonly Column[]
  temporaryColumns(key: {
    readonly database: string
    readonly name: string
    readonly columns: readonly string[]
  }): readonly Column[]
}

/** Has this walk understood the node? */
export const isUnderstood = ({ values, visited }: Walk, node: object): boolean =>
  values.has(node) || visited.has(node)
