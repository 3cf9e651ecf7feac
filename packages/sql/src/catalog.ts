/**
 * A snapshot of one database's schema, as plain data: what name resolution and lineage need.
 * The gateway fills it (gateway/src/catalog/); this package only reads it. Pure.
 */

import type { Lineage, RelationUse } from './facts.ts'

export interface CatalogColumn {
  readonly name: string
  /** 1-based attribute number as the server reports it in result metadata. */
  readonly number: number
  /** Server type name without modifiers, e.g. `text`, `int4`, `_text`, `public.address`. */
  readonly type: string
  /** Type OID (PostgreSQL); 0 elsewhere. */
  readonly typeId: number
  /** Generation expression text, when the column is generated from others. */
  readonly generated?: string
  /** Default expression text, when it names other columns of the row (MySQL, MariaDB). */
  readonly default?: string
  /** Set anew when its row becomes another (MySQL, MariaDB: ON UPDATE CURRENT_TIMESTAMP). */
  readonly renewed?: boolean
  /** `*` leaves it out (MySQL, MariaDB: INVISIBLE). */
  readonly invisible?: boolean
}

export interface CatalogRelation {
  /** OID (PostgreSQL); 0 elsewhere. */
  readonly id: number
  readonly schema: string
  readonly name: string
  readonly kind:
    | 'table'
    | 'view'
    | 'materialized-view'
    | 'foreign-table'
    | 'partitioned-table'
    | 'sequence'
    | 'composite'
  readonly columns: readonly CatalogColumn[]
  /** Defining query of a view or materialized view, with every name schema-qualified. */
  readonly definition?: string
  /** Of a view that the open transaction has made, in place of its definition. */
  readonly made?: MadeView
  /** IF NOT EXISTS made it, unless there was something of its name that the snapshot does not have. */
  readonly unlessThere?: true
  /** Parents by inheritance or partitioning, as `schema.name`. */
  readonly parents: readonly string[]
  /** Does any rule other than a view's own, or a user trigger, run on it? */
  readonly rules: boolean
  readonly triggers: boolean
  /** Row-level security or a security_barrier: informational. */
  readonly rowSecurity: boolean
  /** What writes to it are checked against. Absent: not known, so a write may be checked against any column. */
  readonly constraints?: readonly CatalogConstraint[]
}

/** What was read from the statement that made a view. */
export interface MadeView {
  /** Of each column. */
  readonly lineages: readonly Lineage[]
  readonly behind: readonly RelationUse[]
  /** What the relations behind it were then (seenBehind): another session may change those that only they read. */
  readonly seen: string
  /** See StatementFacts: of tables behind it. */
  readonly wholeRows: boolean
}

/**
 * A rule that a write may break, and by breaking it tell of values in other columns and rows. `unique` and
 * `exclusion` compare with other rows (an index over expressions names the columns in them).
 */
export type CatalogConstraint =
  | {
      readonly kind: 'check' | 'unique' | 'exclusion'
      readonly columns: readonly string[]
      /** Of a primary key: what REFERENCES without columns refers to. */
      readonly primary?: true
    }
  | {
      readonly kind: 'reference'
      readonly columns: readonly string[]
      readonly schema: string
      readonly relation: string
      readonly referenced: readonly string[]
    }

export interface CatalogFunction {
  readonly id: number
  readonly schema: string
  readonly name: string
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  /** `internal`, `c`, `sql`, `plpgsql`, ... */
  readonly language: string
  readonly kind: 'function' | 'procedure' | 'aggregate' | 'window'
  readonly securityDefiner: boolean
  readonly returnsSet: boolean
  /** Names of output columns for set-returning functions with OUT/TABLE columns or composite results; [] otherwise. */
  readonly outputs: readonly string[]
  readonly returnType: string
  /** Comes with the server (pg_catalog and initdb-time objects). */
  readonly builtin: boolean
  /** Of an extension whose functions are known to depend on their arguments alone. */
  readonly pure?: boolean
  /** The statement that would create it, where its body can be read (LANGUAGE sql and plpgsql). */
  readonly definition?: string
  /** How many arguments a call may have, at least and at most; absent: any number. */
  readonly arity?: readonly [least: number, most: number]
}

/** What may be made anew under its name: a view, or a function whose body is read. */
export type Defined = CatalogRelation | CatalogFunction

/**
 * An operator that calls a user function that is not `pure`, by its name; a cast by `::target`, an input or output function
 * of a base type by `::type`.
 */
export interface CatalogOperator {
  readonly name: string
  /** `schema.name`. */
  readonly function: string
  /**
   * Operand types as in CatalogColumn; null for the missing side of a unary operator. Absent: the operator
   * is taken to apply to operands of any type.
   */
  readonly left?: string | null
  readonly right?: string | null
}

/** A type that is not a relation's. */
export interface CatalogType {
  readonly schema: string
  readonly name: string
  /** Its values may be rows: a domain over a composite type, a pseudo-type. */
  readonly row: boolean
}

export interface CatalogData {
  readonly database: string
  readonly serverVersion: number
  /** Schemas that exist. Absent: every schema is taken to. */
  readonly schemas?: readonly string[]
  /** Extensions that are installed (PostgreSQL). */
  readonly extensions?: readonly string[]
  /** Types that are not relations'; of arrays, the server's own (PostgreSQL). Absent: not known. */
  readonly types?: readonly CatalogType[]
  readonly relations: readonly CatalogRelation[]
  readonly functions: readonly CatalogFunction[]
  readonly userOperators: readonly CatalogOperator[]
  /** Of a MySQL or MariaDB server: its databases are the schemas, and all of them are here. */
  readonly mysql?: {
    readonly flavour: MysqlFlavour
    /** 0: names of databases and tables are case-sensitive; 1: stored in lower case; 2: compared without case. */
    readonly lowerCaseTableNames: 0 | 1 | 2
  }
}

export type MysqlFlavour = 'mysql' | 'mariadb'

/** Indexed form; built once per refresh by `buildCatalog`. */
export interface Catalog {
  readonly data: CatalogData
  /** Changes on every refresh that changed anything; part of decision cache keys. */
  readonly version: number
  relation(schema: string, name: string): CatalogRelation | undefined
  relationById(id: number): CatalogRelation | undefined
  /** Every relation of that name, in any schema. */
  relationsNamed(name: string): readonly CatalogRelation[]
  functionsNamed(name: string): readonly CatalogFunction[]
  /** Every type of that name, in any schema; none where types are not known. */
  typesNamed(name: string): readonly CatalogType[]
}
