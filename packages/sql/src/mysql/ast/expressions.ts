/** Expressions of the MySQL/MariaDB tree. Brackets leave no node: the tree's shape says what they said. */
import type { Identifier, ObjectName, Span } from './names.ts'
import type { Limit, OrderItem, Query, WindowSpecification } from './queries.ts'
import type { DataType } from './types.ts'

export type Expression =
  | Literal
  | Parameter
  | UserVariable
  | SystemVariable
  | ColumnReference
  | Wildcard
  | VariableAssignment
  | Unary
  | Binary
  | Logical
  | Is
  | In
  | InQuery
  | QuantifiedComparison
  | Between
  | Like
  | MemberOf
  | Case
  | Cast
  | ConvertUsing
  | Collate
  | FunctionCall
  | Row
  | Subquery
  | Exists
  | Interval
  | Match
  | InsertedValue
  | Default
  | IgnoreValue
  | JsonExtract
  | SequenceValue
  | NamedArgument

/** Adjacent string literals are one literal. */
export interface Literal extends Span {
  readonly kind: 'literal'
  /**
   * `hex` and `bit`: `value` is what is between the quotes or after `0x`/`0b`. `date`, `time`, `timestamp`:
   * `DATE'...'` and the ODBC forms; `value` is the string's. `null` also for `\N`.
   */
  readonly type:
    | 'string'
    | 'national'
    | 'integer'
    | 'decimal'
    | 'float'
    | 'hex'
    | 'bit'
    | 'date'
    | 'time'
    | 'timestamp'
    | 'true'
    | 'false'
    | 'null'
  /** The value with quotes and escapes resolved; numbers as they were written. */
  readonly value: string
  /** `_utf8mb4` in front of a string, hex or bit literal: lower case, without the underscore. */
  readonly charset: string | null
}

/** `?`, numbered from 1 in the order of one statement's text. */
export interface Parameter extends Span {
  readonly kind: 'parameter'
  readonly index: number
}

/** `@name`; names are case-insensitive. */
export interface UserVariable extends Span {
  readonly kind: 'user-variable'
  readonly name: string
}

/** `@@name`, `@@global.name`, `@@session.cache.key_buffer_size`; in SET also the bare name. */
export interface SystemVariable extends Span {
  readonly kind: 'system-variable'
  readonly scope: 'global' | 'session' | 'local' | 'persist' | 'persist_only' | null
  /** The structured variable's instance or the component: `cache` in `cache.key_buffer_size`. */
  readonly instance: string | null
  readonly name: string
}

/**
 * A column as written: `c`, `t.c`, `d.t.c`. In routine bodies also a parameter, a local variable, `cursor
 * row.field`, and `NEW.c`/`OLD.c` in triggers: names alone do not tell.
 */
export interface ColumnReference extends Span {
  readonly kind: 'column'
  readonly database: Identifier | null
  readonly table: Identifier | null
  readonly name: Identifier
}

/** `*`, `t.*`, `d.t.*` in a select list, `*` in COUNT(*). */
export interface Wildcard extends Span {
  readonly kind: 'wildcard'
  readonly database: Identifier | null
  readonly table: Identifier | null
}

/** `@a := expression`. */
export interface VariableAssignment extends Span {
  readonly kind: 'variable-assignment'
  readonly variable: UserVariable
  readonly value: Expression
}

export interface Unary extends Span {
  readonly kind: 'unary'
  /** `not` for NOT and `!`. */
  readonly operator: '-' | '+' | '~' | 'not' | 'binary'
  readonly operand: Expression
}

export type BinaryOperator =
  | '='
  | '<=>'
  | '<>'
  | '<'
  | '<='
  | '>'
  | '>='
  | '+'
  | '-'
  | '*'
  | '/'
  | 'div'
  | '%'
  | '&'
  | '|'
  | '^'
  | '<<'
  | '>>'
  /** `||` under PIPES_AS_CONCAT. */
  | '||'
  | 'sounds like'

export interface Binary extends Span {
  readonly kind: 'binary'
  readonly operator: BinaryOperator
  readonly left: Expression
  readonly right: Expression
}

/** A chain of one operator, however it was spelled (`AND`, `&&`, `OR`, `||`, `XOR`); at least two terms. */
export interface Logical extends Span {
  readonly kind: 'logical'
  readonly operator: 'and' | 'or' | 'xor'
  readonly terms: readonly Expression[]
}

export interface Is extends Span {
  readonly kind: 'is'
  readonly test: 'null' | 'true' | 'false' | 'unknown'
  readonly negated: boolean
  readonly operand: Expression
}

export interface In extends Span {
  readonly kind: 'in'
  readonly negated: boolean
  readonly operand: Expression
  readonly list: readonly Expression[]
}

export interface InQuery extends Span {
  readonly kind: 'in-query'
  readonly negated: boolean
  readonly operand: Expression
  readonly query: Query
}

/** `a > ALL (SELECT ...)`; SOME is ANY. */
export interface QuantifiedComparison extends Span {
  readonly kind: 'quantified-comparison'
  readonly operator: '=' | '<=>' | '<>' | '<' | '<=' | '>' | '>='
  readonly quantifier: 'any' | 'all'
  readonly operand: Expression
  readonly query: Query
}

export interface Between extends Span {
  readonly kind: 'between'
  readonly negated: boolean
  readonly operand: Expression
  readonly low: Expression
  readonly high: Expression
}

export interface Like extends Span {
  readonly kind: 'like'
  readonly operator: 'like' | 'regexp'
  readonly negated: boolean
  readonly operand: Expression
  readonly pattern: Expression
  readonly escape: Expression | null
}

/** `value MEMBER OF (json)`. */
export interface MemberOf extends Span {
  readonly kind: 'member-of'
  readonly operand: Expression
  readonly array: Expression
}

export interface Case extends Span {
  readonly kind: 'case'
  readonly operand: Expression | null
  readonly branches: readonly CaseBranch[]
  readonly otherwise: Expression | null
}

export interface CaseBranch extends Span {
  readonly kind: 'case-branch'
  readonly when: Expression
  readonly result: Expression
}

/** `CAST(e AS type)`, `CONVERT(e, type)`. */
export interface Cast extends Span {
  readonly kind: 'cast'
  readonly operand: Expression
  readonly type: DataType
  readonly array: boolean
  /** `CAST(e AT TIME ZONE '+00:00' AS DATETIME)`. */
  readonly timeZone: string | null
}

/** `CONVERT(e USING charset)`. */
export interface ConvertUsing extends Span {
  readonly kind: 'convert-using'
  readonly operand: Expression
  readonly charset: string
}

export interface Collate extends Span {
  readonly kind: 'collate'
  readonly operand: Expression
  readonly collation: string
}

/**
 * A call: native, stored or loadable, also the functions with a syntax of their own. Their words are in
 * `words`: `TRIM(LEADING 'x' FROM s)` has arguments `'x', s` and words `leading`.
 */
export interface FunctionCall extends Span {
  readonly kind: 'function'
  readonly database: Identifier | null
  readonly name: Identifier
  readonly distinct: boolean
  readonly arguments: readonly Expression[]
  /** Lower-case keywords inside the brackets, in order: units, LEADING, USING's charset, ON EMPTY, ... */
  readonly words: readonly string[]
  /** GROUP_CONCAT, JSON_ARRAYAGG; also of WITHIN GROUP. */
  readonly orderBy: readonly OrderItem[]
  readonly separator: Literal | null
  readonly limit: Limit | null
  /** RETURNING of JSON_VALUE, AS of WEIGHT_STRING. */
  readonly returning: DataType | null
  /** Values of DEFAULT ... ON EMPTY, ON ERROR. */
  readonly defaults: readonly Expression[]
  /** OVER: a named window or its own. */
  readonly over: Identifier | WindowSpecification | null
}

/** `(a, b)`, `ROW(a, b)`; one row of VALUES, also of INSERT, which may be empty. */
export interface Row extends Span {
  readonly kind: 'row'
  readonly items: readonly Expression[]
}

export interface Subquery extends Span {
  readonly kind: 'subquery'
  readonly query: Query
}

export interface Exists extends Span {
  readonly kind: 'exists'
  readonly query: Query
}

/** `INTERVAL e unit`: an operand of `+`, `-`, DATE_ADD and the like. */
export interface Interval extends Span {
  readonly kind: 'interval'
  readonly value: Expression
  /** Lower case: `day_second`. */
  readonly unit: string
}

/** Full-text search. */
export interface Match extends Span {
  readonly kind: 'match'
  readonly columns: readonly Expression[]
  readonly against: Expression
  readonly modifier: 'boolean' | 'natural' | 'expansion' | null
}

/** `VALUES(c)`, `VALUE(c)` in ON DUPLICATE KEY UPDATE. */
export interface InsertedValue extends Span {
  readonly kind: 'inserted-value'
  readonly column: ColumnReference
}

/** `DEFAULT` as a value, `DEFAULT(c)`. */
export interface Default extends Span {
  readonly kind: 'default'
  readonly column: ColumnReference | null
}

/** MariaDB's `IGNORE` as a value in a row. */
export interface IgnoreValue extends Span {
  readonly kind: 'ignore-value'
}

/** `c->'$.path'`, `c->>'$.path'`. */
export interface JsonExtract extends Span {
  readonly kind: 'json-extract'
  readonly column: Expression
  readonly path: Literal
  readonly unquote: boolean
}

/** `NEXT VALUE FOR s`, `NEXTVAL(s)`, `PREVIOUS VALUE FOR s`, `LASTVAL(s)`, `SETVAL(s, n, ...)`. */
export interface SequenceValue extends Span {
  readonly kind: 'sequence-value'
  readonly operation: 'next' | 'previous' | 'set'
  readonly sequence: ObjectName
  readonly arguments: readonly Expression[]
}

/** `f(e AS name)`: an argument of a loadable function. */
export interface NamedArgument extends Span {
  readonly kind: 'named-argument'
  readonly value: Expression
  readonly name: Identifier
}
