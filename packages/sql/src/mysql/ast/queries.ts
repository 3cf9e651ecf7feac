/** Queries and table references of the MySQL/MariaDB tree. */
import type {
  ColumnReference,
  Expression,
  FunctionCall,
  Literal,
  Row,
  UserVariable,
  Wildcard,
} from './expressions.ts'
import type { Identifier, ObjectName, Option, Span } from './names.ts'
import type { DataType } from './types.ts'

/**
 * A query expression: everything that belongs to the whole of it. Clauses written in brackets belong to a
 * Query of their own, which is then a branch or the body.
 */
export interface Query extends Span {
  readonly kind: 'query'
  readonly with: With | null
  readonly body: QueryBody
  readonly orderBy: readonly OrderItem[]
  readonly limit: Limit | null
  readonly locking: readonly Locking[]
  /** INTO at the end; one written before FROM is in its Select. */
  readonly into: Into | null
  /** MariaDB's PROCEDURE ANALYSE(...). */
  readonly procedure: FunctionCall | null
}

export type QueryBody = Select | TableValues | ExplicitTable | SetOperation | Query

export interface Select extends Span {
  readonly kind: 'select'
  /** What MySQL's optimizer hints say, without their marks: SET_VAR among them changes variables. */
  readonly hints: string | null
  readonly distinct: boolean
  /** Upper case: `ALL`, `STRAIGHT_JOIN`, `SQL_NO_CACHE`, `SQL_CALC_FOUND_ROWS`, ... */
  readonly options: readonly string[]
  readonly items: readonly SelectItem[]
  readonly into: Into | null
  /** Tables of a comma list; empty without FROM and for FROM DUAL. */
  readonly from: readonly TableReference[]
  readonly where: Expression | null
  readonly groupBy: GroupBy | null
  readonly having: Expression | null
  readonly windows: readonly NamedWindow[]
  readonly qualify: Expression | null
}

export interface SelectItem extends Span {
  readonly kind: 'select-item'
  readonly expression: Expression | Wildcard
  /** An alias may be written as a string: then `quote` is `'`. */
  readonly alias: Alias | null
}

export interface Alias extends Span {
  readonly kind: 'alias'
  readonly value: string
  readonly quote: '' | '`' | '"' | "'"
}

/** `VALUES ROW(1, 2), ROW(3, 4)` (MySQL), `VALUES (1, 2), (3, 4)` (MariaDB). */
export interface TableValues extends Span {
  readonly kind: 'table-values'
  readonly rows: readonly Row[]
}

/** `TABLE t`. */
export interface ExplicitTable extends Span {
  readonly kind: 'explicit-table'
  readonly table: ObjectName
}

/** Left to right; INTERSECT binds tighter and is then a SetOperation of its own. */
export interface SetOperation extends Span {
  readonly kind: 'set-operation'
  readonly first: QueryBody
  readonly rest: readonly SetBranch[]
}

export interface SetBranch extends Span {
  readonly kind: 'set-branch'
  readonly operator: 'union' | 'except' | 'intersect'
  readonly all: boolean
  readonly body: QueryBody
}

export interface With extends Span {
  readonly kind: 'with'
  readonly recursive: boolean
  readonly tables: readonly CommonTable[]
}

export interface CommonTable extends Span {
  readonly kind: 'common-table'
  readonly name: Identifier
  /** null where no list is written. */
  readonly columns: readonly Identifier[] | null
  readonly query: Query
  /** MariaDB: `CYCLE a, b RESTRICT`. */
  readonly cycle: readonly Identifier[]
}

export interface OrderItem extends Span {
  readonly kind: 'order-item'
  readonly expression: Expression
  readonly descending: boolean
}

export interface GroupBy extends Span {
  readonly kind: 'group-by'
  readonly items: readonly OrderItem[]
  readonly rollup: boolean
}

/** Values are literals, parameters or, in routines, variables. */
export interface Limit extends Span {
  readonly kind: 'limit'
  readonly count: Expression | null
  readonly offset: Expression | null
  /** MariaDB: ROWS EXAMINED. */
  readonly examined: Expression | null
  /** MariaDB: FETCH ... WITH TIES. */
  readonly ties: boolean
}

export interface Locking extends Span {
  readonly kind: 'locking'
  readonly strength: 'update' | 'share'
  readonly of: readonly ObjectName[]
  readonly wait: 'nowait' | 'skip locked' | 'seconds' | null
}

export interface Into extends Span {
  readonly kind: 'into'
  readonly target: 'variables' | 'outfile' | 'dumpfile'
  /** User variables; in routines also local ones, as columns. */
  readonly variables: readonly (UserVariable | ColumnReference)[]
  readonly file: string | null
  /** Charset, FIELDS and LINES of an outfile. */
  readonly options: readonly Option[]
}

export interface NamedWindow extends Span {
  readonly kind: 'named-window'
  readonly name: Identifier
  readonly window: WindowSpecification
}

export interface WindowSpecification extends Span {
  readonly kind: 'window'
  readonly base: Identifier | null
  readonly partitionBy: readonly Expression[]
  readonly orderBy: readonly OrderItem[]
  readonly frame: Frame | null
}

export interface Frame extends Span {
  readonly kind: 'frame'
  readonly unit: 'rows' | 'range' | 'groups'
  readonly from: FrameBound
  readonly to: FrameBound | null
}

export interface FrameBound extends Span {
  readonly kind: 'frame-bound'
  readonly at:
    | 'unbounded preceding'
    | 'preceding'
    | 'current row'
    | 'following'
    | 'unbounded following'
  readonly distance: Expression | null
}

export type TableReference = Table | DerivedTable | JsonTable | Join | TableGroup

export interface Table extends Span {
  readonly kind: 'table'
  readonly name: ObjectName
  readonly partitions: readonly Identifier[]
  readonly alias: Alias | null
  readonly hints: readonly IndexHint[]
  readonly systemTime: SystemTime | null
  /** Percentage of TABLESAMPLE. */
  readonly sample: Expression | null
}

export interface IndexHint extends Span {
  readonly kind: 'index-hint'
  readonly action: 'use' | 'force' | 'ignore'
  readonly names: readonly Identifier[]
}

/** MariaDB: `FOR SYSTEM_TIME ...`. */
export interface SystemTime extends Span {
  readonly kind: 'system-time'
  readonly range: 'all' | 'as of' | 'between' | 'from to' | 'before' | 'history'
  readonly from: Expression | null
  readonly to: Expression | null
}

export interface DerivedTable extends Span {
  readonly kind: 'derived-table'
  readonly lateral: boolean
  readonly query: Query
  readonly systemTime: SystemTime | null
  readonly alias: Alias | null
  readonly columns: readonly Identifier[] | null
}

export interface JsonTable extends Span {
  readonly kind: 'json-table'
  readonly document: Expression
  readonly path: Literal
  readonly columns: readonly JsonTableColumn[]
  readonly alias: Alias | null
}

export interface JsonTableColumn extends Span {
  readonly kind: 'json-table-column'
  readonly form: 'ordinality' | 'path' | 'exists' | 'nested'
  /** null for NESTED PATH. */
  readonly name: Identifier | null
  readonly type: DataType | null
  readonly path: Literal | null
  /** DEFAULT values of ON EMPTY and ON ERROR. */
  readonly defaults: readonly Expression[]
  /** Columns of NESTED PATH. */
  readonly columns: readonly JsonTableColumn[]
}

export interface Join extends Span {
  readonly kind: 'join'
  readonly type: 'inner' | 'cross' | 'left' | 'right' | 'full' | 'straight'
  readonly natural: boolean
  readonly left: TableReference
  readonly right: TableReference
  readonly on: Expression | null
  readonly using: readonly Identifier[]
}

/** `(t1, t2)`: a comma list in brackets; brackets around one reference leave no node. */
export interface TableGroup extends Span {
  readonly kind: 'table-group'
  readonly items: readonly TableReference[]
}
