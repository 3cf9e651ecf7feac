/** Data types as columns, casts, parameters and variables name them. */
import type { ColumnReference } from './expressions.ts'
import type { Identifier, ObjectName, Span } from './names.ts'

export interface DataType extends Span {
  readonly kind: 'data-type'
  /** Lower-case words, synonyms as written: `int`, `double precision`, `character varying`, `long varchar`. */
  readonly name: string
  /** Numbers in brackets, as written. */
  readonly parameters: readonly string[]
  /** Members of ENUM and SET. */
  readonly members: readonly string[]
  /** Lower case: `unsigned`, `zerofill`, `signed`, `binary`, `ascii`, `unicode`, `byte`, `compressed`. */
  readonly modifiers: readonly string[]
  readonly charset: string | null
  readonly collation: string | null
  /** MariaDB routines: `TYPE OF t.c`, `ROW TYPE OF t`, `ROW (a INT, ...)`. */
  readonly of: ColumnReference | ObjectName | null
  readonly fields: readonly TypeField[]
}

export interface TypeField extends Span {
  readonly kind: 'type-field'
  readonly name: Identifier
  readonly type: DataType
}
