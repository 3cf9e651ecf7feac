/** CREATE, ALTER, DROP, RENAME, TRUNCATE: the kind, the objects' names, and every query and expression inside. */
import type {
  Check,
  ColumnDefinition,
  ForeignKey,
  KeyDefinition,
  PartitionDefinition,
  Partitioning,
  Period,
  TableElement,
} from './definition-parts.ts'
import type { Expression } from './expressions.ts'
import type { Account, Identifier, ObjectName, Option, Span } from './names.ts'
import type { Query } from './queries.ts'
import type { RoutineStatement } from './routines.ts'
import type { DataType } from './types.ts'

export type DefinitionStatement =
  | CreateTable
  | AlterTable
  | CreateView
  | CreateIndex
  | CreateRoutine
  | CreateTrigger
  | CreateEvent
  | DefineDatabase
  | DefineSequence
  | AlterRoutine
  | DefineObject
  | Drop
  | RenameTables
  | Truncate

export interface CreateTable extends Span {
  readonly kind: 'create-table'
  readonly orReplace: boolean
  readonly temporary: boolean
  readonly ifNotExists: boolean
  readonly name: ObjectName
  readonly like: ObjectName | null
  readonly elements: readonly TableElement[]
  readonly options: readonly Option[]
  /** UNION = (t1, t2) of a MERGE table. */
  readonly union: readonly ObjectName[]
  readonly partitioning: Partitioning | null
  readonly duplicates: 'ignore' | 'replace' | null
  readonly query: Query | null
}

export interface AlterTable extends Span {
  readonly kind: 'alter-table'
  /** IGNORE, ONLINE, IF EXISTS, WAIT n, NOWAIT. */
  readonly options: readonly Option[]
  readonly name: ObjectName
  readonly actions: readonly AlterAction[]
  readonly partitioning: Partitioning | null
}

export interface AlterAction extends Span {
  readonly kind: 'alter-action'
  readonly action:
    | 'add'
    | 'change column'
    | 'modify column'
    | 'alter column'
    | 'rename column'
    | 'drop column'
    | 'drop key'
    | 'drop constraint'
    | 'drop period'
    | 'alter index'
    | 'alter constraint'
    | 'rename index'
    | 'rename table'
    | 'order by'
    | 'convert charset'
    | 'option'
    | 'keys'
    | 'force'
    | 'tablespace'
    | 'system versioning'
    | 'partitions'
    | 'add partition'
    | 'drop partition'
    | 'reorganize partition'
    | 'exchange partition'
    | 'coalesce partition'
    | 'truncate partition'
    | 'remove partitioning'
    | 'convert partition'
    | 'secondary engine'
  /** What is added, changed or modified. */
  readonly elements: readonly (ColumnDefinition | KeyDefinition | ForeignKey | Check | Period)[]
  /** Names of existing columns, keys, constraints or partitions; for renames the old, then the new one. */
  readonly names: readonly Identifier[]
  /** RENAME TO, EXCHANGE PARTITION ... WITH TABLE, CONVERT TABLE. */
  readonly table: ObjectName | null
  /** SET DEFAULT, ORDER BY. */
  readonly expressions: readonly Expression[]
  readonly partitions: readonly PartitionDefinition[]
  readonly options: readonly Option[]
  /** UNION = (t1, t2). */
  readonly union: readonly ObjectName[]
}

/** CREATE and ALTER VIEW. */
export interface CreateView extends Span {
  readonly kind: 'create-view'
  readonly verb: 'create' | 'alter'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly definer: Account | null
  /** ALGORITHM, SQL SECURITY, WITH CHECK OPTION, MATERIALIZED, DUALITY. */
  readonly options: readonly Option[]
  readonly name: ObjectName
  readonly columns: readonly Identifier[] | null
  readonly query: Query
}

export interface CreateIndex extends Span {
  readonly kind: 'create-index'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly key: KeyDefinition
  readonly table: ObjectName
}

export interface CreateRoutine extends Span {
  readonly kind: 'create-routine'
  readonly routine: 'procedure' | 'function'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly aggregate: boolean
  readonly definer: Account | null
  readonly name: ObjectName
  readonly parameters: readonly RoutineParameter[]
  readonly returns: DataType | null
  /** LANGUAGE, DETERMINISTIC, READS SQL DATA, SQL SECURITY, COMMENT, USING. */
  readonly options: readonly Option[]
  /** null: a body in another language. */
  readonly body: RoutineStatement | null
}

export interface RoutineParameter extends Span {
  readonly kind: 'routine-parameter'
  readonly mode: 'in' | 'out' | 'inout' | null
  readonly name: Identifier
  readonly type: DataType
  readonly default: Expression | null
}

export interface CreateTrigger extends Span {
  readonly kind: 'create-trigger'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly definer: Account | null
  readonly name: ObjectName
  readonly time: 'before' | 'after'
  readonly event: 'insert' | 'update' | 'delete'
  readonly table: ObjectName
  readonly order: Option | null
  readonly body: RoutineStatement
}

/** CREATE and ALTER EVENT. */
export interface CreateEvent extends Span {
  readonly kind: 'create-event'
  readonly verb: 'create' | 'alter'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly definer: Account | null
  readonly name: ObjectName
  readonly rename: ObjectName | null
  /** AT e; EVERY e unit; STARTS e; ENDS e. */
  readonly schedule: readonly Expression[]
  readonly options: readonly Option[]
  readonly body: RoutineStatement | null
}

export interface DefineDatabase extends Span {
  readonly kind: 'define-database'
  readonly verb: 'create' | 'alter'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  /** null: ALTER DATABASE of the current one. */
  readonly name: Identifier | null
  readonly options: readonly Option[]
}

/** MariaDB's CREATE and ALTER SEQUENCE. */
export interface DefineSequence extends Span {
  readonly kind: 'define-sequence'
  readonly verb: 'create' | 'alter'
  readonly orReplace: boolean
  readonly temporary: boolean
  readonly ifNotExists: boolean
  readonly name: ObjectName
  readonly options: readonly Option[]
}

/** ALTER PROCEDURE, ALTER FUNCTION: characteristics only. */
export interface AlterRoutine extends Span {
  readonly kind: 'alter-routine'
  readonly routine: 'procedure' | 'function'
  readonly name: ObjectName
  readonly options: readonly Option[]
}

/** Objects of the server that hold no query: the kind and the name are all that matters. */
export interface DefineObject extends Span {
  readonly kind: 'define-object'
  readonly verb: 'create' | 'alter'
  readonly object:
    | 'server'
    | 'tablespace'
    | 'undo tablespace'
    | 'logfile group'
    | 'resource group'
    | 'spatial reference system'
    | 'loadable function'
    | 'library'
    | 'instance'
  readonly orReplace: boolean
  readonly ifNotExists: boolean
  readonly name: ObjectName | null
  readonly options: readonly Option[]
}

export interface Drop extends Span {
  readonly kind: 'drop'
  readonly object:
    | 'table'
    | 'view'
    | 'index'
    | 'database'
    | 'procedure'
    | 'function'
    | 'trigger'
    | 'event'
    | 'sequence'
    | 'server'
    | 'tablespace'
    | 'undo tablespace'
    | 'logfile group'
    | 'resource group'
    | 'spatial reference system'
    | 'library'
  readonly temporary: boolean
  readonly ifExists: boolean
  readonly names: readonly ObjectName[]
  /** DROP INDEX i ON t. */
  readonly table: ObjectName | null
  readonly options: readonly Option[]
}

export interface RenameTables extends Span {
  readonly kind: 'rename-tables'
  readonly renames: readonly TableRename[]
}

export interface TableRename extends Span {
  readonly kind: 'table-rename'
  readonly from: ObjectName
  readonly to: ObjectName
}

export interface Truncate extends Span {
  readonly kind: 'truncate'
  readonly table: ObjectName
}
