/** Statements that change or move rows. A SELECT statement is a Query. */
import type { ColumnReference, Expression, Row, UserVariable } from './expressions.ts'
import type { Identifier, ObjectName, Option, Span } from './names.ts'
import type { Limit, OrderItem, Query, SelectItem, TableReference, With } from './queries.ts'

export type DataStatement = Insert | Update | Delete | Load | Call | Do | Handler

/** Lower-case words between the verb and the table: `low_priority`, `delayed`, `high_priority`, `quick`, `ignore`. */
type Modifiers = readonly string[]

export interface Insert extends Span {
  readonly kind: 'insert'
  readonly hints: string | null
  readonly verb: 'insert' | 'replace'
  readonly modifiers: Modifiers
  readonly table: ObjectName
  readonly partitions: readonly Identifier[]
  /** null where no list is written: every column. */
  readonly columns: readonly ColumnReference[] | null
  readonly source: InsertRows | InsertSet | Query
  /** MySQL: `AS new (a, b)`. */
  readonly rowAlias: RowAlias | null
  readonly onDuplicate: readonly Assignment[]
  readonly returning: readonly SelectItem[] | null
}

export interface InsertRows extends Span {
  readonly kind: 'insert-rows'
  readonly rows: readonly Row[]
}

/** `SET a = 1, b = 2`. */
export interface InsertSet extends Span {
  readonly kind: 'insert-set'
  readonly assignments: readonly Assignment[]
}

export interface RowAlias extends Span {
  readonly kind: 'row-alias'
  readonly name: Identifier
  readonly columns: readonly Identifier[] | null
}

export interface Assignment extends Span {
  readonly kind: 'assignment'
  readonly column: ColumnReference
  readonly value: Expression
}

export interface Update extends Span {
  readonly kind: 'update'
  readonly hints: string | null
  readonly with: With | null
  readonly modifiers: Modifiers
  readonly tables: readonly TableReference[]
  readonly portion: Portion | null
  readonly assignments: readonly Assignment[]
  readonly where: Expression | null
  readonly orderBy: readonly OrderItem[]
  readonly limit: Limit | null
  readonly returning: readonly SelectItem[] | null
}

/** MariaDB: `FOR PORTION OF period FROM a TO b`. */
export interface Portion extends Span {
  readonly kind: 'portion'
  readonly period: Identifier
  readonly from: Expression
  readonly to: Expression
}

/**
 * `DELETE FROM t ...` has no `targets`: its one table is in `from`. The multi-table forms name in `targets` what
 * loses rows: tables or aliases of `from`, as written.
 */
export interface Delete extends Span {
  readonly kind: 'delete'
  readonly hints: string | null
  readonly with: With | null
  readonly modifiers: Modifiers
  readonly targets: readonly ObjectName[]
  readonly from: readonly TableReference[]
  readonly portion: Portion | null
  /** MariaDB: `DELETE HISTORY FROM t BEFORE SYSTEM_TIME e` has a SystemTime in its table. */
  readonly history: boolean
  readonly where: Expression | null
  readonly orderBy: readonly OrderItem[]
  readonly limit: Limit | null
  readonly returning: readonly SelectItem[] | null
}

/** LOAD DATA, LOAD XML; MySQL's bulk load. */
export interface Load extends Span {
  readonly kind: 'load'
  readonly format: 'data' | 'xml'
  readonly local: boolean
  /** MySQL: FROM INFILE, URL, S3. */
  readonly source: 'infile' | 'url' | 's3'
  readonly file: string
  readonly modifiers: Modifiers
  readonly table: ObjectName
  readonly partitions: readonly Identifier[]
  readonly options: readonly Option[]
  /** The list of columns and variables fields go to; null where not written. */
  readonly fields: readonly (ColumnReference | UserVariable)[] | null
  readonly assignments: readonly Assignment[]
}

export interface Call extends Span {
  readonly kind: 'call'
  readonly routine: ObjectName
  readonly arguments: readonly Expression[]
}

export interface Do extends Span {
  readonly kind: 'do'
  readonly expressions: readonly SelectItem[]
}

export interface Handler extends Span {
  readonly kind: 'handler'
  readonly action: 'open' | 'read' | 'close'
  /** OPEN: the table; READ and CLOSE: the name it was opened under. */
  readonly table: ObjectName
  readonly alias: Identifier | null
  readonly index: Identifier | null
  /** READ: values the index is compared with. */
  readonly values: readonly Expression[]
  readonly where: Expression | null
  readonly limit: Limit | null
}
