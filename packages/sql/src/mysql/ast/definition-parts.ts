/** What definitions of tables are made of: columns, keys, constraints, partitions. */
import type { Expression } from './expressions.ts'
import type { Identifier, ObjectName, Option, Span } from './names.ts'
import type { DataType } from './types.ts'

export type TableElement = ColumnDefinition | KeyDefinition | ForeignKey | Check | Period

export interface ColumnDefinition extends Span {
  readonly kind: 'column-definition'
  readonly name: Identifier
  /** null where MariaDB lets a versioned or SERIAL-like column leave it out. */
  readonly type: DataType | null
  /** The expression of a generated column. */
  readonly generated: Expression | null
  /** Virtual unless STORED or PERSISTENT is said. */
  readonly stored: boolean
  readonly default: Expression | null
  readonly onUpdate: Expression | null
  readonly checks: readonly Check[]
  readonly references: References | null
  /** NOT NULL, PRIMARY KEY, AUTO_INCREMENT, COMMENT, INVISIBLE, ... */
  readonly options: readonly Option[]
}

export interface KeyDefinition extends Span {
  readonly kind: 'key-definition'
  readonly type: 'index' | 'unique' | 'primary' | 'fulltext' | 'spatial' | 'vector'
  readonly name: Identifier | null
  readonly parts: readonly KeyPart[]
  readonly options: readonly Option[]
}

/** A column, a prefix of it, or an expression. */
export interface KeyPart extends Span {
  readonly kind: 'key-part'
  readonly expression: Expression
  readonly length: string | null
  readonly descending: boolean
}

export interface ForeignKey extends Span {
  readonly kind: 'foreign-key'
  readonly name: Identifier | null
  readonly columns: readonly KeyPart[]
  readonly references: References
}

export interface References extends Span {
  readonly kind: 'references'
  readonly table: ObjectName
  readonly columns: readonly KeyPart[]
  /** MATCH, ON DELETE, ON UPDATE. */
  readonly options: readonly Option[]
}

export interface Check extends Span {
  readonly kind: 'check'
  readonly name: Identifier | null
  readonly condition: Expression
  readonly enforced: boolean
}

/** MariaDB: `PERIOD FOR SYSTEM_TIME (a, b)`, `PERIOD FOR p (a, b)`. */
export interface Period extends Span {
  readonly kind: 'period'
  readonly name: Identifier
  readonly from: Identifier
  readonly to: Identifier
}

export interface Partitioning extends Span {
  readonly kind: 'partitioning'
  /** Lower case: `hash`, `linear hash`, `key`, `range`, `range columns`, `list`, `system_time`, ... */
  readonly method: string
  readonly expressions: readonly Expression[]
  readonly subpartitioning: Partitioning | null
  readonly options: readonly Option[]
  readonly partitions: readonly PartitionDefinition[]
}

export interface PartitionDefinition extends Span {
  readonly kind: 'partition-definition'
  readonly name: Identifier
  /** VALUES LESS THAN, VALUES IN; rows for several columns; MAXVALUE is a column named so. */
  readonly values: readonly Expression[]
  readonly options: readonly Option[]
  readonly subpartitions: readonly PartitionDefinition[]
}
