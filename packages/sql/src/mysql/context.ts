/** What the walk of a MySQL or MariaDB statement knows about its surroundings. */
import type { Catalog } from '../catalog.ts'
import type { StatementFacts } from '../facts.ts'
import type { Dialect } from './ast.ts'

export interface MysqlNames {
  /** The current database; null: none is selected. */
  readonly database: string | null
  /** False: another database than `database` may be the current one. */
  readonly databaseCertain: boolean
  /**
   * Temporary tables known to exist in this session by `temporaryKey`, with their columns (null: unknown).
   * One hides the stored table of its database and name, however that is named.
   */
  readonly temporaries: ReadonlyMap<string, readonly string[] | null>
  /** False: temporary tables may exist that are not listed. */
  readonly temporariesCertain: boolean
  /** The session's sql_mode as the server reports it; null when it is not known. */
  readonly sqlMode: string | null
  /** Facts of a statement prepared with PREPARE, by its lower-case name; undefined when there is none. */
  readonly prepared: (name: string) => StatementFacts | undefined
  /** Facts of reading a HANDLER, by the lower-case name it was opened under; undefined when there is none. */
  readonly handlers: (name: string) => StatementFacts | undefined
}

export interface MysqlContext {
  /** Null: syntactic facts only; every output is unknown. */
  readonly catalog: Catalog | null
  readonly names: MysqlNames
  readonly dialect: Dialect
}

/** As definitions are read that no sql_mode changes. */
export const plain = ({ flavour, version }: Pick<Dialect, 'flavour' | 'version'>): Dialect => ({
  flavour,
  version,
  ansiQuotes: false,
  noBackslashEscapes: false,
  pipesAsConcat: false,
  ignoreSpace: false,
  highNotPrecedence: false,
})
