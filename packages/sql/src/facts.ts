/**
 * What a statement does, in one shape for every engine: the only thing policy ever sees of SQL.
 *
 * Facts are plain data and contain no literal of the statement except where a field says so.
 * A field that could not be determined says so explicitly (`unknown`, `null`); absence of knowledge
 * is never expressed as absence of a thing. See ARCHITECTURE.md, "Facts".
 */

import type { CatalogRelation } from './catalog.ts'

/** What a statement may cause, over everything in it (CTEs, functions, subqueries, nested statements). */
export const EFFECTS = [
  'read',
  'write',
  'ddl',
  'admin',
  'session',
  'transaction',
  'procedural',
  'copy',
  'lock',
  'notify',
  /** Something in the statement could not be determined: it did not parse, or holds a node we do not list. */
  'unknown',
] as const
export type Effect = (typeof EFFECTS)[number]

/** A base column: of a table, partitioned table, foreign table or materialized view; never of a view. */
export interface ColumnRef {
  readonly schema: string
  readonly relation: string
  readonly column: string
  /**
   * Other columns whose protection this one shares, because its cells may be theirs: inheritance and
   * partition ancestors and descendants, the other side of a merged join column, the stored column of a
   * materialized view in front of its base. Whatever protects any of them protects this column too.
   * With inheritance the ref itself names the topmost ancestor that has the column.
   */
  readonly kin?: readonly ColumnRef[]
}

export type Access = 'read' | 'write' | 'define' | 'lock'

export interface RelationUse {
  /** Resolved schema; null when the name could not be resolved to one relation. */
  readonly schema: string | null
  readonly name: string
  readonly access: Access
  /** `view` uses are listed together with the base relations behind them. */
  readonly kind:
    | 'table'
    | 'view'
    | 'materialized-view'
    | 'foreign-table'
    | 'sequence'
    | 'temporary'
    | 'unresolved'
  /** The open transaction has made it, or made it anew: nobody else can change it, or see it before that ends. */
  readonly own?: true
  /** With `own`: unless there was something of its name before (CatalogRelation.unlessThere). */
  readonly unlessThere?: true
  /** Name of the view through which a base relation is reached, `schema.name`; absent when named directly. */
  readonly through?: string
}

export interface FunctionUse {
  readonly schema: string | null
  readonly name: string
  /**
   * pure: depends on its arguments only. reads-session: settings, clock, identity.
   * opaque: may read data, run SQL, touch files, or its body is not known.
   */
  readonly purity: 'pure' | 'reads-session' | 'opaque'
  /** A user's, whose body was read: what it reads and uses is among the facts. */
  readonly known?: true
}

/**
 * direct: the cell is one base column unchanged. derived: computed from `sources`.
 * constant: no base column can influence it, except through which rows exist.
 * unknown: lineage cannot say; a taint that propagates and is treated as protected.
 */
export type Lineage =
  | { readonly kind: 'direct'; readonly source: ColumnRef; readonly why: readonly string[] }
  | {
      readonly kind: 'derived'
      readonly sources: readonly ColumnRef[]
      /** True where the result reveals only how many or whether (count, IS NULL); see DESIGN of masks. */
      readonly revealsNoValue: boolean
      readonly why: readonly string[]
      /**
       * A sum or average over a column of one table, without joins: every row it comes from counts once, and
       * the statement's own HAVING asks for at least so many rows in the group.
       */
      readonly groups?: number
      /** Of a plan: it also tells how much is stored in the tables of these columns, by estimates and costs. */
      readonly amounts?: readonly ColumnRef[]
    }
  | { readonly kind: 'constant' }
  | {
      readonly kind: 'unknown'
      readonly sources: readonly ColumnRef[]
      readonly why: readonly string[]
      /**
       * Present where nothing but these functions makes it unknown: they may do more than compute with their
       * arguments. To whom all of them are trusted, the value is derived from `sources`.
       */
      readonly opaque?: readonly FunctionUse[]
    }

export interface OutputColumn {
  /** The name the client sees, as far as the statement tells. */
  readonly name: string
  readonly lineage: Lineage
}

/** How a base column is used where it does not reach the output directly but may be inferred from it. */
export type UseContext =
  /** `=`, `IN`, `<>`, `IS [NOT] DISTINCT FROM` against constants or parameters. */
  | 'equality-constant'
  /** equality join with another column: `with` names it. */
  | 'equality-column'
  | 'is-null'
  /** any other predicate: ranges, LIKE, regex, functions of the column, CASE, ... */
  | 'predicate'
  | 'order'
  | 'group'
  | 'distinct'
  | 'window'
  /** argument of LIMIT/OFFSET, FILTER, of a row count; anything that changes how many rows come */
  | 'cardinality'
  /**
   * Operand of an expression that may fail, or take long, for some values of the column and not for others
   * (division, a cast, a write that a constraint checks): whether it does tells of the value.
   */
  | 'failure'

export interface ColumnUse {
  readonly column: ColumnRef
  readonly context: UseContext
  /** For `equality-column`: the other side. */
  readonly with?: ColumnRef
  /** For `equality-constant`: how many values it is compared with, at least; a parameter counts as none. */
  readonly values?: number
  /**
   * With `parameters`, where the column is not a number: one that is bound as a number or a time is compared with the
   * one that the column's text starts with, which tells more than whether they are equal (MySQL, MariaDB).
   */
  readonly asText?: true
  /** What is used is a sum or average over groups of at least so many rows: see Lineage. */
  readonly groups?: number
  /** For `equality-constant`: the parameters it is compared with, each one value or an array of them. */
  readonly parameters?: readonly number[]
  /**
   * It only tells rows of the result apart, which are otherwise not in an order of its values: where the statement is
   * `sortable`, and sorted by all that is shown of it, that tells no more than equality does.
   */
  readonly apart?: true
  /** It is used in nothing but these result columns (`at` of WithholdableColumn). */
  readonly inColumns?: readonly number[]
}

/**
 * A computed column of a query, its own or one inside of it: where nobody may see its value, it need not be computed
 * (PostgresReader.withhold, withholdMysql), and what it uses is then not used.
 */
export interface WithholdableColumn {
  /** Where its expression begins: UTF-8 bytes of the text (MySQL: UTF-16 code units). */
  readonly at: number
  readonly name: string
  readonly lineage: Lineage
}

/** Data flowing into a stored or session-visible place. */
export interface Flow {
  readonly lineage: Lineage
  readonly into:
    | { readonly kind: 'column'; readonly column: ColumnRef }
    /** `schema`: where it is created (`pg_temp`: temporary); null when that is not certain. */
    | {
        readonly kind: 'new-relation'
        readonly schema: string | null
        readonly name: string
        readonly column: string
      }
    /** An argument of a function that may do more than compute with it. */
    | { readonly kind: 'function'; readonly function: FunctionUse }
    | { readonly kind: 'other'; readonly what: string }
}

/** A constant written to a base column (the write-back guard looks at these). */
export interface ConstantWrite {
  readonly column: ColumnRef
  /** It goes into a new row, not over a stored value. */
  readonly fresh?: true
  readonly value:
    | { readonly kind: 'literal'; readonly text: string }
    | { readonly kind: 'null' }
    | { readonly kind: 'parameter'; readonly index: number }
    /** Computed by the statement from constants, row by row: there may be any number of them. */
    | { readonly kind: 'computed' }
    /** What the client sends as this field (0-based) of every row of a COPY FROM STDIN or LOAD DATA. */
    | { readonly kind: 'sent'; readonly field: number }
}

/** A change to session state that alters what later statements mean. */
export type StateChange =
  /** value null: reset to the session's default. values: the constant arguments, one per list element. */
  | {
      readonly kind: 'set'
      readonly name: string
      readonly local: boolean
      readonly values: readonly string[] | null
      /** The text does not tell the value (SET sql_mode = CONCAT(...)): `values` is empty. */
      readonly computed?: true
    }
  /** MySQL: a user variable got a value; null: the text does not tell which. */
  | { readonly kind: 'set-variable'; readonly name: string; readonly value: string | null }
  /** Everything may have changed (DISCARD ALL, RESET ALL, an opaque function, set_config of a non-constant). */
  | {
      readonly kind: 'uncertain'
      readonly why: string
      /** Settings are what they were when the session began (RESET ALL, DISCARD ALL). */
      readonly resets?: true
    }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback-to' }
  /** SQL-level PREPARE; `statement` indexes nothing: the prepared statement's own facts. */
  | { readonly kind: 'prepare'; readonly name: string; readonly facts: StatementFacts }
  | { readonly kind: 'deallocate'; readonly name: string | null }
  | { readonly kind: 'declare-cursor'; readonly name: string; readonly facts: StatementFacts }
  | { readonly kind: 'close-cursor'; readonly name: string | null }
  | {
      readonly kind: 'create-temporary'
      readonly relation: string
      readonly columns: readonly string[] | null
      /** ON COMMIT DROP. */
      readonly untilCommit?: true
    }
  | { readonly kind: 'drop-temporary'; readonly relation: string }
  /**
   * The catalog snapshot of this database is out of date once this commits, and names may mean others meanwhile.
   * `keepsNames`: no relation comes, goes, or has other columns; `keepsColumns`: those that are there have the columns
   * that they had.
   */
  | { readonly kind: 'catalog'; readonly keepsNames?: true; readonly keepsColumns?: true }
  /** As `catalog`, and what the change is: this relation is there now, in place of one of its name. */
  | { readonly kind: 'create-relation'; readonly relation: CatalogRelation }
  | { readonly kind: 'drop-relation'; readonly schema: string; readonly name: string }
  | { readonly kind: 'create-schema'; readonly name: string }

export interface StatementFacts {
  readonly engine: 'postgres' | 'mysql' | 'mariadb'
  /** Lower-case command word(s): `select`, `insert`, `update`, `merge`, `copy`, `create table`, `set`, ... */
  readonly command: string
  /** Every command in it, own first, then nested ones (a data-modifying CTE, EXPLAIN's target, ...). */
  readonly commands: readonly string[]
  readonly effects: readonly Effect[]
  readonly relations: readonly RelationUse[]
  readonly functions: readonly FunctionUse[]
  /** For update/delete (incl. nested): do all of them have a WHERE? null when there is none of those. */
  readonly hasWhere: boolean | null
  /** A constant LIMIT at top level, rows; null when absent or not constant. See `literalIndependent`. */
  readonly limit: number | null
  /** Highest parameter number used. */
  readonly parameters: number
  /** Columns sent to the client; null when the statement returns no rows; `unknown` taint otherwise. */
  readonly outputs: readonly OutputColumn[] | null | 'unknown'
  /**
   * What its rows are where they are not of relations; absent otherwise. `metadata`: they describe the schema,
   * the session or the server and hold no stored value. `diagnostics`: they are the messages of earlier
   * statements (SHOW WARNINGS), which may quote stored values as errors may. `outputs` is then empty, however
   * many columns come. `counters`: names and values of what the server counts, which tell how much earlier statements
   * read and sent (SHOW STATUS). `amounts`: they describe tables, which their first column names, among others by how
   * much is stored in them (SHOW TABLE STATUS); `temporary-amounts`: of a table that is or may be temporary.
   */
  readonly rows?: 'metadata' | 'diagnostics' | 'counters' | 'amounts' | 'temporary-amounts'
  /** A type name that may, or after it could, stand for another type than the server's; absent otherwise. */
  readonly doubtfulType?: string
  /** It says IF NOT EXISTS, and what it would make is there: it makes nothing. Absent otherwise. */
  readonly makesNothing?: true
  /** It asks what the server noted of the statement before it (SHOW WARNINGS, @@warning_count); absent otherwise. */
  readonly diagnostics?: true
  /** Base columns read anywhere in it. */
  readonly columns: readonly ColumnRef[]
  readonly uses: readonly ColumnUse[]
  /** Absent: something of the statement may be noticed other than by its result. */
  readonly withholdable?: readonly WithholdableColumn[]
  /**
   * A query whose rows may come in any order, and whose values do not depend on that; or what prepares one, or declares a
   * cursor over it. Absent: it is none.
   */
  readonly sortable?: true
  /** A SET, all of its text, that sets more than one thing: what it sets it may be sent without. Absent: it is none. */
  readonly dividable?: true
  readonly flows: readonly Flow[]
  /**
   * It takes all columns that its tables have, by whole rows or by a `*` that is stored: what such a value holds hangs
   * on the columns there are as it runs. Absent: it names its columns, or the result's description does.
   */
  readonly wholeRows?: true
  readonly constantWrites: readonly ConstantWrite[]
  readonly state: readonly StateChange[]
  /**
   * True when no literal of the text influenced any fact above but `limit`, so the facts hold for every text
   * with the same fingerprint. False for ordinals in ORDER BY/GROUP BY, SET values, regclass literals,
   * literal column writes, COPY options, and whatever else reads a literal's value.
   */
  readonly literalIndependent: boolean
  /** COPY ... TO STDOUT / FROM STDIN and its format; null when not a COPY over the wire. */
  readonly copy: CopyFacts | null
  /** LOAD DATA LOCAL: the file of the client's that it reads; absent otherwise. */
  readonly localFile?: string
  /** Why `unknown` is among the effects, or an output is unknown: short, for explain and refusals; no literals. */
  readonly unknowns: readonly string[]
  /** Names of it that stand for nothing; absent: none are known to. For words only: they take no fact away. */
  readonly missing?: readonly MissingName[]
}

/**
 * A name that stands for nothing in the snapshot of the schema, where the snapshot has all that it could stand for: the
 * server refuses the statement, unless it knows what the snapshot does not.
 */
export interface MissingName {
  /** `qualifier`: what stands before a column's name. */
  readonly kind: 'relation' | 'column' | 'qualifier' | 'function'
  /** As written, with its qualifier. */
  readonly name: string
  /** Names there are in its place, of relations with their schema; NAMES_THERE_MAX at most. */
  readonly there: readonly string[]
}

export interface CopyFacts {
  readonly direction: 'to-client' | 'from-client'
  readonly format: 'text' | 'csv' | 'binary'
  readonly delimiter: string
  readonly nullText: string
  readonly quote: string
  readonly escape: string
  readonly header: boolean
}

/** One client message's SQL: zero or more statements, or a text the parser rejects. */
export type Analysis =
  | {
      readonly kind: 'statements'
      readonly statements: readonly StatementFacts[]
      /** What to send to the server for each statement, and nothing else; absent: the text as it came. */
      readonly texts?: readonly string[]
      /** Identity of the text (lower-case hex) that literals, comments and white space do not change. */
      readonly fingerprint: string
    }
  | {
      /** Not parsable as this engine's SQL: what the server would answer, as far as the grammar tells. */
      readonly kind: 'unparsable'
      readonly code: 'syntax' | 'too-large' | 'too-complex' | 'encoding' | 'internal'
      readonly sqlstate: string
      readonly message: string
      /** 1-based position in characters, as PostgreSQL reports it; null when unknown. */
      readonly position: number | null
      readonly hint: string | null
      readonly detail: string | null
      /** What went wrong inside, where that is our fault (`internal`): for the operator's log, never shown. */
      readonly fault?: string
    }

/** What rows are to be sorted by: a result column, from 1; or chance that nobody can choose, as seeds do random()'s. */
export type SortKey = number | 'chance'

/** By what the rows of one statement of a text are to be sorted, besides what they are sorted by anyway. */
export interface Sorting {
  /** Which statement, from 0. */
  readonly statement: number
  readonly keys: readonly SortKey[]
  /** How many result columns it has. */
  readonly columns: number
}
