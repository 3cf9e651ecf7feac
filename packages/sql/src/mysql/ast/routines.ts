/** Bodies of routines, triggers and events; MariaDB runs them outside of these, too. */
import type { ColumnReference, Expression, UserVariable } from './expressions.ts'
import type { Identifier, Span } from './names.ts'
import type { Query } from './queries.ts'
import type { Statement } from './statements.ts'
import type { DataType } from './types.ts'

export type CompoundStatement =
  | Block
  | If
  | CaseStatement
  | Loop
  | While
  | Repeat
  | ForLoop
  | Leave
  | Iterate
  | Return
  | OpenCursor
  | FetchCursor
  | CloseCursor
  | Signal
  | GetDiagnostics

export type RoutineStatement = Statement

/** `[label:] BEGIN [NOT ATOMIC] ... END`. */
export interface Block extends Span {
  readonly kind: 'block'
  readonly label: Identifier | null
  readonly declarations: readonly Declaration[]
  readonly body: readonly RoutineStatement[]
}

export type Declaration = DeclareVariables | DeclareCondition | DeclareCursor | DeclareHandler

export interface DeclareVariables extends Span {
  readonly kind: 'declare-variables'
  readonly names: readonly Identifier[]
  readonly type: DataType
  readonly default: Expression | null
}

export interface DeclareCondition extends Span {
  readonly kind: 'declare-condition'
  readonly name: Identifier
  readonly condition: string
}

export interface DeclareCursor extends Span {
  readonly kind: 'declare-cursor'
  readonly name: Identifier
  /** MariaDB: cursors with parameters. */
  readonly parameters: readonly CursorParameter[]
  /** The query, or the name of a prepared statement (MariaDB): then its rows are not known by reading. */
  readonly query: Query | Identifier
}

export interface CursorParameter extends Span {
  readonly kind: 'cursor-parameter'
  readonly name: Identifier
  readonly type: DataType
}

export interface DeclareHandler extends Span {
  readonly kind: 'declare-handler'
  readonly action: 'continue' | 'exit' | 'undo'
  /** As written: `SQLSTATE '42S02'`, `1051`, `NOT FOUND`, a condition's name. */
  readonly conditions: readonly string[]
  readonly body: RoutineStatement
}

export interface If extends Span {
  readonly kind: 'if'
  readonly branches: readonly ConditionalBranch[]
  readonly otherwise: readonly RoutineStatement[]
}

export interface ConditionalBranch extends Span {
  readonly kind: 'conditional-branch'
  readonly condition: Expression
  readonly body: readonly RoutineStatement[]
}

export interface CaseStatement extends Span {
  readonly kind: 'case-statement'
  readonly operand: Expression | null
  readonly branches: readonly ConditionalBranch[]
  readonly otherwise: readonly RoutineStatement[]
}

export interface Loop extends Span {
  readonly kind: 'loop'
  readonly label: Identifier | null
  readonly body: readonly RoutineStatement[]
}

export interface While extends Span {
  readonly kind: 'while'
  readonly label: Identifier | null
  readonly condition: Expression
  readonly body: readonly RoutineStatement[]
}

export interface Repeat extends Span {
  readonly kind: 'repeat'
  readonly label: Identifier | null
  readonly body: readonly RoutineStatement[]
  readonly until: Expression
}

/** MariaDB: `FOR i IN 1..10 DO`, `FOR row IN cursor DO`, `FOR row IN (SELECT ...) DO`. */
export interface ForLoop extends Span {
  readonly kind: 'for'
  readonly label: Identifier | null
  readonly variable: Identifier
  readonly reverse: boolean
  /** One expression: a cursor's name with or without arguments; two: the bounds. */
  readonly range: readonly Expression[]
  readonly query: Query | null
  readonly body: readonly RoutineStatement[]
}

export interface Leave extends Span {
  readonly kind: 'leave'
  readonly label: Identifier
}

export interface Iterate extends Span {
  readonly kind: 'iterate'
  readonly label: Identifier
}

export interface Return extends Span {
  readonly kind: 'return'
  readonly value: Expression
}

export interface OpenCursor extends Span {
  readonly kind: 'open-cursor'
  readonly name: Identifier
  readonly arguments: readonly Expression[]
}

export interface FetchCursor extends Span {
  readonly kind: 'fetch-cursor'
  /** null: MariaDB's FETCH GROUP NEXT ROW of an aggregate function. */
  readonly name: Identifier | null
  readonly into: readonly (ColumnReference | UserVariable)[]
}

export interface CloseCursor extends Span {
  readonly kind: 'close-cursor'
  readonly name: Identifier
}

export interface Signal extends Span {
  readonly kind: 'signal'
  readonly resignal: boolean
  /** `SQLSTATE '45000'` or a condition's name; null for a bare RESIGNAL. */
  readonly condition: string | null
  readonly items: readonly DiagnosticsItem[]
}

/** `MESSAGE_TEXT = e`; in GET DIAGNOSTICS `@a = MESSAGE_TEXT`, where `value` is the target. */
export interface DiagnosticsItem extends Span {
  readonly kind: 'diagnostics-item'
  /** Upper case. */
  readonly name: string
  readonly value: Expression
}

export interface GetDiagnostics extends Span {
  readonly kind: 'get-diagnostics'
  readonly area: 'current' | 'stacked'
  /** The number of CONDITION n; null for the statement's own. */
  readonly condition: Expression | null
  readonly items: readonly DiagnosticsItem[]
}
