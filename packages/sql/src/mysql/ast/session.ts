/** Statements about the session, transactions, prepared statements, and what the server tells of itself. */
import type { DataStatement } from './dml.ts'
import type {
  ColumnReference,
  Expression,
  Literal,
  SystemVariable,
  UserVariable,
} from './expressions.ts'
import type { Account, Identifier, ObjectName, Span } from './names.ts'
import type { Query } from './queries.ts'
import type { Statement } from './statements.ts'

export type SessionStatement =
  | SetStatement
  | SetForStatement
  | Use
  | Transaction
  | Xa
  | LockTables
  | UnlockTables
  | Prepare
  | Execute
  | ExecuteImmediate
  | Deallocate
  | Explain
  | Describe
  | Show
  | Help
  | Empty

/** `SET a = 1, @b := 2, GLOBAL c = ON`, SET NAMES, SET CHARACTER SET, SET PASSWORD, SET ROLE, SET TRANSACTION. */
export interface SetStatement extends Span {
  readonly kind: 'set'
  readonly items: readonly SetItem[]
}

export type SetItem =
  | SetVariable
  | SetNames
  | SetCharacterSet
  | SetPassword
  | SetRole
  | SetDefaultRole
  | SetTransaction

export interface SetVariable extends Span {
  readonly kind: 'set-variable'
  /** A bare name is a SystemVariable with scope null; in routines it may be a local variable or NEW.c. */
  readonly target: UserVariable | SystemVariable | ColumnReference
  /** A bare word (`ON`, `utf8mb4`, `ALL`) is a column here, as the grammar has it. */
  readonly value: Expression
}

export interface SetNames extends Span {
  readonly kind: 'set-names'
  /** Lower case; null for DEFAULT. */
  readonly charset: string | null
  readonly collation: string | null
}

export interface SetCharacterSet extends Span {
  readonly kind: 'set-character-set'
  readonly charset: string | null
}

export interface SetPassword extends Span {
  readonly kind: 'set-password'
  readonly account: Account | null
}

export interface SetRole extends Span {
  readonly kind: 'set-role'
  readonly mode: 'roles' | 'default' | 'none' | 'all' | 'all except'
  readonly roles: readonly Account[]
}

export interface SetDefaultRole extends Span {
  readonly kind: 'set-default-role'
  readonly mode: 'roles' | 'none' | 'all'
  readonly roles: readonly Account[]
  readonly accounts: readonly Account[]
}

/** Scope null: the next transaction only. */
export interface SetTransaction extends Span {
  readonly kind: 'set-transaction'
  readonly scope: 'global' | 'session' | null
  /** Lower case: `read only`, `read write`, `isolation level read committed`, ... */
  readonly characteristics: readonly string[]
}

/** MariaDB: `SET STATEMENT a = 1 FOR SELECT ...`. */
export interface SetForStatement extends Span {
  readonly kind: 'set-for-statement'
  readonly items: readonly SetVariable[]
  readonly statement: Statement
}

export interface Use extends Span {
  readonly kind: 'use'
  readonly database: Identifier
}

export interface Transaction extends Span {
  readonly kind: 'transaction'
  readonly action:
    | 'begin'
    | 'commit'
    | 'rollback'
    | 'savepoint'
    | 'rollback to'
    | 'release savepoint'
  readonly savepoint: Identifier | null
  /** Lower case: `read only`, `read write`, `with consistent snapshot`. */
  readonly characteristics: readonly string[]
  /** null where not written: completion_type decides. */
  readonly chain: boolean | null
  readonly release: boolean | null
}

export interface Xa extends Span {
  readonly kind: 'xa'
  readonly action: 'begin' | 'end' | 'prepare' | 'commit' | 'rollback' | 'recover'
}

export interface LockTables extends Span {
  readonly kind: 'lock-tables'
  readonly tables: readonly TableLock[]
  /** MySQL's LOCK INSTANCE FOR BACKUP. */
  readonly instance: boolean
}

export interface TableLock extends Span {
  readonly kind: 'table-lock'
  readonly table: ObjectName
  readonly alias: Identifier | null
  readonly mode: 'read' | 'write'
}

export interface UnlockTables extends Span {
  readonly kind: 'unlock-tables'
  readonly instance: boolean
}

export interface Prepare extends Span {
  readonly kind: 'prepare'
  readonly name: Identifier
  /** `FROM 'text'`: what the text says. Anything else is only known when it runs. */
  readonly source: PreparedText | DynamicText
}

export interface PreparedText extends Span {
  readonly kind: 'prepared-text'
  readonly literal: Literal
  /** Offsets in it count within the literal's value. */
  readonly statement: Statement
  /** How many `?` it has. */
  readonly parameters: number
}

/** Text that is built when the statement runs: not understood by reading. */
export interface DynamicText extends Span {
  readonly kind: 'dynamic-text'
  readonly expression: Expression
}

export interface Execute extends Span {
  readonly kind: 'execute'
  readonly name: Identifier
  readonly using: readonly Expression[]
}

export interface ExecuteImmediate extends Span {
  readonly kind: 'execute-immediate'
  readonly source: PreparedText | DynamicText
  readonly using: readonly Expression[]
}

export interface Deallocate extends Span {
  readonly kind: 'deallocate'
  readonly name: Identifier
}

/** EXPLAIN of a statement; `analyze` runs it. MariaDB's `ANALYZE SELECT` is this too. */
export interface Explain extends Span {
  readonly kind: 'explain'
  readonly analyze: boolean
  /** Lower case: `json`, `tree`, `extended`, `partitions`, ... */
  readonly options: readonly string[]
  readonly into: UserVariable | null
  /** MySQL: FOR SCHEMA d. */
  readonly database: Identifier | null
  /** The connection of FOR CONNECTION. */
  readonly connection: Expression | null
  readonly statement: Query | DataStatement | null
}

/** `DESCRIBE t`, `EXPLAIN t`, `DESC t column`. */
export interface Describe extends Span {
  readonly kind: 'describe'
  readonly table: ObjectName
  /** A column's name or a pattern. */
  readonly column: string | null
}

export interface Show extends Span {
  readonly kind: 'show'
  /** Upper-case words naming what is shown: `TABLES`, `CREATE TABLE`, `INDEX`, `PROCESSLIST`, `SLAVE STATUS`, ... */
  readonly subject: string
  /** Upper case: `FULL`, `EXTENDED`, `GLOBAL`, `SESSION`, `COUNT(*)`, the parts of PROFILE. */
  readonly modifiers: readonly string[]
  /** CREATE TABLE t, COLUMNS FROM t, PROCEDURE CODE p, ... */
  readonly object: ObjectName | null
  /** FROM d, where it names a database. */
  readonly database: Identifier | null
  /** GRANTS FOR, CREATE USER. */
  readonly account: Account | null
  readonly roles: readonly Account[]
  /** `FOR QUERY n`, `FOR CONNECTION n`, an engine, a log file: whatever else is named. */
  readonly arguments: readonly Expression[]
  readonly like: Literal | null
  readonly where: Expression | null
}

export interface Help extends Span {
  readonly kind: 'help'
  readonly topic: string
}

/** Nothing but comments: the servers answer OK. `text` is then a comment, too. */
export interface Empty extends Span {
  readonly kind: 'empty'
}
